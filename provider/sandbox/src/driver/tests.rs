//! Tests of the driver profiles as data.

use super::*;

#[test]
fn a_driver_that_nobody_recorded_is_refused() {
    assert_eq!(Driver::recognise("llvmpipe").unwrap(), Driver::Lavapipe);
    assert_eq!(Driver::recognise(" NVIDIA ").unwrap(), Driver::Nvidia);
    assert_eq!(
        Driver::recognise("radv Mesa 24.2.1").unwrap(),
        Driver::Amd,
        "with the version that a report carries"
    );
    for name in ["", "venus", "llvmpipe2", "nvk"] {
        assert!(matches!(
            Driver::recognise(name),
            Err(DriverError::Unknown { .. })
        ));
    }
}

#[test]
fn the_processor_profile_binds_libraries_and_nothing_personal() {
    let profile = DriverProfile::cpu();
    assert!(profile.devices.is_empty());
    assert_eq!(profile.code_pages, CodePages::Fixed);
    assert_eq!(profile.after_lock, AfterLock::Computing);
    for entry in &profile.paths {
        assert!(entry.path.is_absolute());
        assert!(!entry.reason.is_empty());
        for private in ["/home", "/root", "/etc", "/var", "/run", "/", "/usr"] {
            assert_ne!(entry.path, PathBuf::from(private));
        }
    }
}

#[test]
fn a_profile_survives_the_journey_to_the_worker() {
    let profile = DriverProfile::cpu();
    let text = serde_json::to_string(&profile).unwrap();
    assert_eq!(
        serde_json::from_str::<DriverProfile>(&text).unwrap(),
        profile
    );
}
