//! Tests of listening to a negotiation.

use super::*;

fn line(text: &str) -> Vec<u8> {
    [&[text.len() as u8], text.as_bytes()].concat()
}

#[test]
fn the_name_is_what_follows_header_and_refusals() {
    let lines = ["/multistream/1.0.0\n", "na\n", "na\n", "/kad/1\n"];
    let bytes = [lines.map(line).concat(), b"data\n".to_vec()].concat();
    let mut whole = Negotiation::default();
    let used = bytes.len() - 5;
    assert_eq!(whole.read(&bytes), Ok(Some(("/kad/1", used))));
    let mut single = Negotiation::default();
    for byte in &bytes[..used - 1] {
        assert_eq!(single.read(&[*byte]), Ok(None));
    }
    assert_eq!(single.read(b"\n"), Ok(Some(("/kad/1", 1))));
}

#[test]
fn lists_and_long_lines_name_nothing() {
    let long = format!("/{}\n", "x".repeat(100));
    let list = [vec![0x2f], line("/a\n"), line("\n")].concat();
    let list = [vec![list.len() as u8], list].concat();
    let bytes = [line(&long), list, vec![0], line("/kad/1\n")].concat();
    let mut negotiation = Negotiation::default();
    assert_eq!(negotiation.read(&bytes), Ok(Some(("/kad/1", bytes.len()))));
}

#[test]
fn what_is_no_line_is_unreadable() {
    for bytes in [
        &[0xff, 0xff, 0xff, 0x7f][..],
        &[0xff; 12],
        &[3, b'/', 0xff, b'\n'],
    ] {
        assert_eq!(Negotiation::default().read(bytes), Err(Unreadable));
    }
}
