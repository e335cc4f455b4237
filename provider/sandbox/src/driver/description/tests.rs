//! Tests of how a Vulkan description is chosen and read.

use super::*;

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("sandbox-{name}-{}", std::process::id()));
    fs::create_dir(&folder).unwrap();
    folder
}

#[test]
fn the_description_for_this_processor_wins_and_others_are_ignored() {
    let folder = folder("icd");
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
    let found = find(&[Path::new("/no/such/folder"), &folder], "lvp_icd");
    let missing = find(&[&folder], "nvidia_icd");
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!(found, Some(folder.join(here)));
    assert_eq!(missing, None);
}

#[test]
fn names_paths_and_relative_paths_are_taken_as_the_vulkan_loader_does() {
    let folder = folder("icd-paths");
    let file = folder.join("x_icd.json");
    let read = |named: &str| {
        let text = format!(r#"{{"file_format_version":"1.0.0","ICD":{{"library_path":{named}}}}}"#);
        fs::write(&file, text).unwrap();
        library(&file)
    };
    assert_eq!(read(r#""libx.so.0""#).unwrap(), "libx.so.0");
    assert_eq!(read(r#""/usr/lib/libx.so""#).unwrap(), "/usr/lib/libx.so");
    let relative = format!("{}/../../lib/libx.so", folder.display());
    assert_eq!(read(r#""../../lib/libx.so""#).unwrap(), relative);
    for nothing in [
        r#""""#,
        r#""/""#,
        r#""..""#,
        r#""/usr/lib/..""#,
        r#""/usr/lib/""#,
        r#""a\u0000b""#,
    ] {
        let answer = read(nothing);
        assert!(
            matches!(answer, Err(DescriptionError::NoLibrary(_))),
            "{nothing}: {answer:?}"
        );
    }
    for malformed in ["7", "null", r#"["libx.so"]"#] {
        let answer = read(malformed);
        assert!(
            matches!(answer, Err(DescriptionError::Malformed(_))),
            "{malformed}: {answer:?}"
        );
    }
    fs::write(&file, vec![b' '; 1 << 20]).unwrap();
    assert!(matches!(library(&file), Err(DescriptionError::TooLong)));
    fs::remove_dir_all(&folder).unwrap();
    assert!(matches!(library(&file), Err(DescriptionError::Read(_))));
}
