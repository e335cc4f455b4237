//! The program that the integration tests confine. It must never be part of the product.
//!
//! `worker flex` is the product's worker. `worker software BYTES` computes on the processor that poses as a GPU, under a
//! budget of so many bytes. `worker lost` and `worker mute` stand for workers whose driver gave the card up, or never
//! answers.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::mpsc;

use engine::{Budget, EngineDevice};
use sandbox::Entered;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["worker", "software", bytes, rest @ ..] => {
            let budget = Budget::of_bytes(bytes.parse().expect("a number of bytes"));
            let rest = rest.iter().map(OsString::from);
            provider::worker::main_on(EngineDevice::software(), budget, rest)
        }
        ["worker", "lost"] => without_a_word(|| ExitCode::from(provider::worker::CARD_LOST_EXIT)),
        ["worker", "mute"] => without_a_word(|| {
            let (_open, never) = mpsc::channel::<()>();
            let _for_ever = never.recv();
            ExitCode::SUCCESS
        }),
        ["worker", rest @ ..] => provider::worker::main(rest.iter().map(OsString::from)),
        _ => ExitCode::from(64),
    }
}

/// Locks itself as every worker does, takes one frame of a job, and then plays `part`.
fn without_a_word(part: impl FnOnce() -> ExitCode) -> ExitCode {
    let confined = match sandbox::enter() {
        Ok(Entered::Confined(confined)) => confined,
        Ok(Entered::Finished(code)) => return code,
        Ok(Entered::Unconfined(_)) | Err(_) => return ExitCode::FAILURE,
    };
    let mut output = io::stdout();
    let locked = confined.lock().expect("the last layer can be laid");
    locked.announce(&mut output).expect("the pipe is open");
    output.flush().expect("the pipe is open");
    let job = sandbox::read_frame(&mut io::stdin(), engine::MAX_FRAME_BYTES);
    assert!(job.is_ok_and(|frame| frame.is_some()), "a job comes");
    part()
}
