//! Tests of what reaches standard output.

use std::io::{self, Write};

use super::{is_yes, write_to};

struct Closed(io::ErrorKind);

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(self.0.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn text_ends_with_exactly_one_line_break() {
    for text in ["a", "a\n"] {
        let mut out = Vec::new();
        write_to(&mut out, text).unwrap();
        assert_eq!(out, b"a\n");
    }
}

#[test]
fn a_reader_that_left_is_no_error_and_a_full_disk_is() {
    assert!(write_to(&mut Closed(io::ErrorKind::BrokenPipe), "a").is_ok());
    assert!(write_to(&mut Closed(io::ErrorKind::StorageFull), "a").is_err());
}

#[test]
fn only_a_clear_yes_agrees() {
    for yes in ["y\n", "Y", " yes \r\n", "YES"] {
        assert!(is_yes(yes), "{yes:?}");
    }
    for no in ["", "\n", "n", "no", "yy", "ye", "j"] {
        assert!(!is_yes(no), "{no:?}");
    }
}
