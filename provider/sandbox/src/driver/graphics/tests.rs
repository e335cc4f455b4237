//! Tests of profiles with a description: what it points to decides whether there is a view.
#![cfg(target_os = "linux")]

use std::path::PathBuf;

use super::*;
use crate::config::WorkerProgram;
use crate::driver::LibraryError;

/// The view of this test's program with a driver whose description names `library`.
fn view_with(name: &str, library: &str) -> Result<DriverProfile, DriverError> {
    let path = std::env::temp_dir().join(format!("sandbox-{name}-{}.json", std::process::id()));
    fs::write(
        &path,
        format!(r#"{{"ICD":{{"library_path":"{library}"}}}}"#),
    )
    .unwrap();
    let (mut profile, _) = described(Driver::Lavapipe, path.clone()).unwrap();
    // The Vulkan loader need not be installed for this.
    profile.libraries.retain(
        |root| !matches!(root, LibraryRoot::Opened { name, .. } if name == "libvulkan.so.1"),
    );
    let view = profile.for_program(&WorkerProgram::this_binary(["worker"]));
    fs::remove_file(path).unwrap();
    view
}

fn why(view: Result<DriverProfile, DriverError>) -> LibraryError {
    match view {
        Err(DriverError::Libraries { source, .. }) => source,
        other => unreachable!("there is no such library, yet: {other:?}"),
    }
}

#[test]
fn a_driver_outside_of_the_systems_folders_is_not_shown() {
    let own = std::env::temp_dir().join(format!("sandbox-outside-{}.so", std::process::id()));
    fs::copy(std::env::current_exe().unwrap(), &own).unwrap();
    let absolute = why(view_with("absolute", own.to_str().unwrap()));
    let name = own.file_name().unwrap().to_str().unwrap();
    let relative = why(view_with("relative", &format!("./{name}")));
    fs::remove_file(own).unwrap();
    assert!(
        matches!(absolute, LibraryError::Outside { .. }),
        "{absolute}"
    );
    assert!(
        matches!(relative, LibraryError::Outside { .. }),
        "{relative}"
    );
    assert!(absolute.to_string().contains("/usr"), "{absolute}");
}

#[test]
fn a_relative_path_leads_from_the_description_to_the_same_library() {
    let program = WorkerProgram::this_binary(["worker"]);
    let plain = DriverProfile::cpu().for_program(&program).unwrap();
    let library = plain
        .paths
        .iter()
        .find(|entry| entry.rights == Rights::Library)
        .unwrap();
    let up = "../".repeat(std::env::temp_dir().components().count());
    let relative = format!("{up}{}", library.path.display());
    let view = view_with("relative-inside", &relative.replace("//", "/")).unwrap();
    assert!(view.paths.contains(library), "{view:#?}");
}

#[test]
fn a_description_of_nothing_is_an_error_in_words() {
    let path = why(view_with("nothing", "/usr/lib/no-such-driver.so"));
    assert!(matches!(path, LibraryError::Path { .. }), "{path}");
    let name = why(view_with("no-name", "libno-such-driver.so.0"));
    assert!(matches!(name, LibraryError::NotInstalled { .. }), "{name}");
    let sly = why(view_with("sly", "liba.so:libb.so"));
    assert!(matches!(sly, LibraryError::NotInstalled { .. }), "{sly}");
    let missing = described(Driver::Amd, PathBuf::from("/no/such/description.json"));
    assert!(matches!(missing, Err(DriverError::Description { .. })));
}
