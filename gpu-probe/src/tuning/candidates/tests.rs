//! Tests of the list: every kernel in it is whole, named, and within what the adapter offers.

use std::collections::BTreeSet;

use super::*;
use crate::kernels::WORKGROUP_INVOCATIONS;

const FORMS: [AdapterForm; 5] = [
    AdapterForm::Discrete,
    AdapterForm::Integrated,
    AdapterForm::Virtual,
    AdapterForm::Unknown,
    AdapterForm::Cpu,
];

/// All kernels that any adapter is offered.
pub(crate) fn all() -> Vec<Multiply> {
    let offered = |form| Offered {
        form,
        has_subgroups: true,
        workgroup_bytes: u32::MAX,
        has_f16: true,
        matrix_units: None,
    };
    let mut all = candidates(&offered(AdapterForm::Discrete));
    all.extend(candidates(&offered(AdapterForm::Cpu)));
    all
}

#[test]
fn tiles_divide_the_sides_and_are_brought_in_by_all_invocations_alike() {
    for kernel in all() {
        let invocations = kernel.across * kernel.down;
        assert!(invocations <= WORKGROUP_INVOCATIONS, "{kernel}");
        assert_eq!(256 % kernel.tile_rows(), 0, "{kernel}");
        assert_eq!(256 % kernel.tile_columns(), 0, "{kernel}");
        assert_eq!(256 % kernel.lines(), 0, "{kernel}");
        if kernel.workgroup_bytes() > 0 {
            for side in [kernel.tile_rows(), kernel.tile_columns()] {
                assert_eq!(kernel.lines() * side / 4 % invocations, 0, "{kernel}");
            }
        }
        if kernel.reading == Reading::Subgroup {
            assert_eq!(kernel.down, 1, "the lanes of a subgroup share the rows");
        }
    }
}

#[test]
fn names_are_different_and_lead_back_to_their_kernel() {
    let names: BTreeSet<String> = all().iter().map(Multiply::to_string).collect();
    assert_eq!(names.len(), all().len());
    let offered = Offered {
        form: AdapterForm::Discrete,
        has_subgroups: true,
        workgroup_bytes: 32 << 10,
        has_f16: true,
        matrix_units: None,
    };
    for kernel in candidates(&offered) {
        let separate = kernel.adding(Sum::Separate);
        assert_eq!(named(&offered, &kernel.to_string()), Some(kernel));
        assert_eq!(named(&offered, &separate.to_string()), Some(separate));
    }
    assert_eq!(named(&offered, "9x9-nothing"), None);
}

#[test]
fn an_adapter_without_subgroups_or_with_little_memory_gets_what_it_can_run() {
    for form in FORMS {
        let offered = Offered {
            form,
            has_subgroups: false,
            workgroup_bytes: 16 << 10,
            has_f16: true,
            matrix_units: None,
        };
        let kernels = candidates(&offered);
        assert!(kernels.len() >= 2, "{form:?}");
        let runs = |kernel: &Multiply| {
            kernel.reading != Reading::Subgroup && kernel.workgroup_bytes() <= 16 << 10
        };
        assert!(kernels.iter().all(runs), "{form:?}");
        let foreign = "16x8-1x8-subgroup-fused-f32";
        assert_eq!(named(&offered, foreign), None, "{form:?}");
    }
}
