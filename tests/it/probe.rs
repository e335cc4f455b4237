//! The probe as a person types it: what is saved is shown again, a machine without a driver is told what to install, and
//! a machine proves its throughput to itself.

use std::fs;

use crate::program::{LIMIT, command, has_adapter, run, start};

#[test]
fn a_saved_probe_is_shown_again_as_it_was() {
    if !has_adapter() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("card.json");
    let path = file.to_str().unwrap();
    let measured = run(
        folder.path(),
        &[
            "probe", "--quick", "--device", "0", "--save", path, "--json",
        ],
    );
    let measured = measured.json();
    let shown = run(folder.path(), &["probe", "--from", path, "--json"]).json();
    assert_eq!(shown, measured);
    let row = &shown[0];
    assert_eq!(row["complete"], true, "{row}");
    assert!(
        row["class"].is_string() && row["why"][0].is_string(),
        "{row}"
    );
    for figure in [
        "gemm_fp32_mflops",
        "fma_fp32_mflops",
        "dot_int8_mops",
        "memory_copy_mib_per_s",
        "download_mib_per_s",
        "dispatch_latency_ns",
    ] {
        let p50 = row["report"]["figures"][figure]["p50"].as_u64();
        assert!(p50.is_some_and(|p50| p50 > 0), "{figure}: {row}");
    }
    let text = run(folder.path(), &["probe", "--from", path]).succeeded();
    assert!(
        text.contains("fp32 matrix product") && text.contains("class "),
        "{text}"
    );

    let half = fs::read_to_string(&file).unwrap();
    fs::write(&file, &half[..half.len() / 2]).unwrap();
    let refused = run(folder.path(), &["probe", "--from", path]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("this is no saved probe"),
        "{}",
        refused.stderr
    );
    assert_eq!(refused.stdout, "");
}

#[test]
fn a_machine_without_a_driver_is_told_what_to_install() {
    let folder = tempfile::tempdir().unwrap();
    let mut probe = command(folder.path(), &["probe", "--quick"]);
    // What the Vulkan loader reads instead of the installed drivers.
    probe.env("VK_DRIVER_FILES", "/dev/null");
    probe.env("VK_ICD_FILENAMES", "/dev/null");
    let refused = start(probe).finish((LIMIT, "nightshift probe without a driver"));
    assert_eq!(refused.code, Some(1));
    let told = refused.stderr;
    assert!(
        told.contains("no GPU adapter was found") && told.contains("mesa-vulkan-drivers"),
        "{told}"
    );
}

#[test]
fn a_machine_proves_its_throughput_to_itself() {
    if !has_adapter() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["probe", "--prove", "self", "--device", "0", "--json"];
    let proving = start(command(folder.path(), &arguments));
    // On a busy machine the last rounds may be slower than the first, and then nothing is proved: that is an answer too.
    let done = proving.finish((LIMIT * 3, "nightshift probe --prove self"));
    let proofs: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    let proofs = proofs.as_array().unwrap();
    assert_eq!(proofs.len(), 2, "one for each mode");
    for proof in proofs {
        assert!(proof["sent_bytes"].as_u64() > Some(0), "{proof}");
        match proof["proved_mflops"].as_u64() {
            Some(mflops) => assert!(mflops <= proof["reported_mflops"].as_u64().unwrap()),
            None => assert!(
                proof["why_not"]
                    .as_str()
                    .unwrap()
                    .contains("is less than 95 %"),
                "{proof}"
            ),
        }
    }
}
