//! Tests of how events are written.

use std::io;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tracing_subscriber::EnvFilter;

use super::{Format, Level, QUIET, directives, subscriber};

/// Keeps what is written.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Logs one event inside a lease's span.
fn logged(format: Format) -> String {
    let kept = Kept::default();
    let writer = kept.clone();
    let subscriber = subscriber(format, move || writer.clone());
    tracing::subscriber::with_default(subscriber, || {
        let span = tracing::info_span!("lease", agreement = "9c8d7e6f", peer = "5e5e5e5e");
        let _inside = span.enter();
        tracing::info!(step = 20, "a voucher \"of\" two\nlines");
        tracing::debug!("not at this level");
    });
    let bytes = kept.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn json_lines_parse_and_carry_their_spans() {
    let text = logged(Format::Json);
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 1, "{text}");
    let event = &lines[0];
    assert_eq!(event["message"], "a voucher \"of\" two\nlines");
    assert_eq!(
        (&event["step"], &event["level"]),
        (&20.into(), &"INFO".into())
    );
    let span = &event["span"];
    assert_eq!(
        (&span["name"], &span["agreement"], &span["peer"]),
        (&"lease".into(), &"9c8d7e6f".into(), &"5e5e5e5e".into()),
        "{text}"
    );
    assert!(event["timestamp"].is_string(), "{text}");
}

#[test]
fn text_lines_carry_their_spans_and_no_colour() {
    let text = logged(Format::Text);
    assert!(text.contains("agreement=\"9c8d7e6f\""), "{text}");
    assert!(text.contains("peer=\"5e5e5e5e\""), "{text}");
    assert!(!text.contains('\x1b'), "{text}");
}

#[test]
fn every_level_is_a_filter_and_lets_libraries_say_no_more_than_info() {
    for level in [
        Level::Error,
        Level::Warn,
        Level::Info,
        Level::Debug,
        Level::Trace,
    ] {
        let text = directives(level);
        EnvFilter::try_new(&text).unwrap();
        let general = text.split(',').next().unwrap();
        assert!(["error", "warn", "info"].contains(&general), "{text}");
        assert!(level == Level::Error || text.contains(QUIET), "{text}");
    }
    assert!(directives(Level::Debug).contains(",market_node=debug"));
}
