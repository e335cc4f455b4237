//! Owns which decoder a run is about: the one that `DECODER` names.
//!
//! Never chooses by itself: a run without a name ends with the list of names.

/// Returns the check of the decoder that the environment names.
///
/// # Panics
/// When it names none of `decoders`: there is nothing to run then.
pub fn chosen(decoders: &[(&str, fn(&[u8]) -> bool)]) -> fn(&[u8]) -> bool {
    let wanted = std::env::var("DECODER").unwrap_or_default();
    let found = decoders.iter().find(|(name, _)| *name == wanted);
    let names: Vec<&str> = decoders.iter().map(|(name, _)| *name).collect();
    match found {
        Some((_, check)) => *check,
        None => panic!("DECODER is {wanted:?}; it can be: {}", names.join(" ")),
    }
}
