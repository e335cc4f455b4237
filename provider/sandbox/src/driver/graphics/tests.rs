//! Tests of how a Vulkan description is chosen.

use super::*;

#[test]
fn the_description_for_this_processor_wins_and_others_are_ignored() {
    let folder = std::env::temp_dir().join(format!("sandbox-icd-{}", std::process::id()));
    fs::create_dir(&folder).unwrap();
    let here = format!("lvp_icd.{}.json", std::env::consts::ARCH);
    for name in [
        "lvp_icd.a.json",
        &here,
        "lvp_icdx.json",
        "radeon_icd.json",
        "lvp_icd.txt",
    ] {
        fs::write(folder.join(name), "{}").unwrap();
    }
    let found = find_description(&[Path::new("/no/such/folder"), &folder], "lvp_icd");
    let missing = find_description(&[&folder], "nvidia_icd");
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!(found, Some(folder.join(here)));
    assert_eq!(missing, None);
}
