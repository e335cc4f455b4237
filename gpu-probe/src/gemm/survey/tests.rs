//! Tests of what is said about a kernel.

use super::*;
use crate::tests::session;

#[test]
fn a_kernel_is_described_by_its_name_its_size_and_a_checked_rate() {
    let Some(session) = session() else { return };
    let operands = Operands::new(&fresh_seed("operands"));
    let kernel = candidates(&session.offered())[0];
    let entrant = Entrant::fitting(&session, operands, kernel).unwrap();
    let rate = rate(&entrant, Duration::from_secs(1)).unwrap();
    assert_eq!(rate.name, kernel.to_string());
    assert!(rate.side >= 256 && rate.mflops > 0);
    assert_eq!(rate.prepared_in, Duration::from_secs(1));
}
