//! Owns one environment variable: it keeps a Vulkan layer from complaining on every start.
//!
//! Never changes anything that a person has set.
#![expect(
    unsafe_code,
    reason = "setting a variable is only sound while there is one thread"
)]

/// Tells Mesa's device-select layer to stay out where there is no desktop session; it would write an
/// `error:` line about XDG_RUNTIME_DIR, twice, although nothing is wrong.
///
/// Must be called before any thread exists.
pub(crate) fn hush_vulkan_loader() {
    let (name, value) = gpu_probe::QUIET_LOADER;
    let no_session = std::env::var_os("XDG_RUNTIME_DIR").is_none();
    if no_session && std::env::var_os(name).is_none() {
        // SAFETY: `main` calls this first of all, while the process has one thread, so that nothing reads
        // the environment at the same time.
        unsafe { std::env::set_var(name, value) };
    }
}
