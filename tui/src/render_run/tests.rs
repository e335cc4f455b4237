//! Tests of how a run reads.

use std::time::Duration;

use insta::assert_snapshot;
use market::lease::Phase;
use market::progress::{Progress, StepMetric};
use market::receipt::Outcome;
use market::{AgreementId, ChannelId, JobId, NodeId};
use market_node::api::RunEvent;

use super::bill::bill;
use super::{RunView, Surface, end_of, report};
use crate::fixture;
use crate::output::Form;

const STEPS: u64 = 40;

fn progress(report: Progress) -> RunEvent {
    RunEvent::Progress {
        at_ms: 0,
        agreement: None,
        number: None,
        report,
    }
}

fn step(step: u64) -> RunEvent {
    progress(Progress::Step(StepMetric {
        step,
        steps: STEPS,
        loss: 1.0 + 4.5 / step as f32,
        tokens: step * 512,
        tokens_per_second: 1234.5,
    }))
}

fn text(text: &str) -> RunEvent {
    let text = text.to_owned();
    progress(Progress::Text { text })
}

fn phase(phase: Phase) -> RunEvent {
    RunEvent::Phase { phase }
}

fn opening() -> Vec<RunEvent> {
    let run = market_node::api::RunId::from_bytes([0x1d; 8]);
    vec![
        RunEvent::Requested { run },
        RunEvent::Accepted {
            run,
            job: JobId::from_bytes([0x10; 32]),
        },
        RunEvent::Chosen {
            offer: Box::new(fixture::offer("0.2")),
            summary: "3 offers: 1 above your price".to_owned(),
        },
        RunEvent::Refused {
            node: NodeId::from_bytes([0x5e; 32]),
            reason: "busy".to_owned(),
        },
        RunEvent::Opened {
            agreement: AgreementId::from_bytes([0x9c; 32]),
            channel: ChannelId::from_bytes([0x77; 32]),
            deposit: fixture::amount("0.3"),
        },
        phase(Phase::Opening),
        phase(Phase::Preparing),
        phase(Phase::Running),
        progress(Progress::Confined {
            layers: vec!["landlock".to_owned(), "seccomp".to_owned()],
        }),
        progress(Progress::Started {
            device: "Flex on the CPU".to_owned(),
            parameters: 1_234_567,
        }),
    ]
}

fn closing() -> Vec<RunEvent> {
    vec![
        progress(Progress::HeldOut {
            step: STEPS,
            loss: 1.5,
            unigram_entropy: 3.1,
        }),
        progress(Progress::Summary {
            tokens: STEPS * 512,
            seconds: 16.6,
        }),
        phase(Phase::Delivering),
        RunEvent::Output {
            name: "model.safetensors".to_owned(),
            hash: fixture::hash(),
            bytes: 4_300_000,
            path: "/home/me/trained/model.safetensors".into(),
        },
        phase(Phase::Closing),
        RunEvent::Finished(Box::new(fixture::settled(Outcome::Completed))),
    ]
}

/// Shows events that come a tenth of a second apart.
fn shown(view: &mut RunView, events: &[RunEvent]) -> String {
    for (index, event) in events.iter().enumerate() {
        view.update(event, Duration::from_millis(index as u64 * 100));
    }
    view.take_lines().join("\n")
}

#[test]
fn a_training_run_in_a_file_reads_line_by_line() {
    let mut view = RunView::new(Surface::Plain);
    let steps = (1..=STEPS).map(step);
    let events: Vec<RunEvent> = opening()
        .into_iter()
        .chain(steps)
        .chain(closing())
        .collect();
    assert_snapshot!(shown(&mut view, &events));
    assert!(view.live(80).is_empty());
}

#[test]
fn a_terminal_shows_the_curve_while_it_falls() {
    let mut view = RunView::new(Surface::Live);
    let steps = (1..=STEPS / 2).map(step);
    let paid = RunEvent::Paid {
        promised: fixture::amount("0.0012"),
    };
    let events: Vec<RunEvent> = opening().into_iter().chain(steps).chain([paid]).collect();
    let lines = shown(&mut view, &events);
    assert!(!lines.contains("20/40"), "steps are live only: {lines}");
    assert_snapshot!(view.live(79).join("\n"));
}

#[test]
fn the_finished_curve_stays_and_the_live_part_goes() {
    let mut view = RunView::new(Surface::Live);
    let steps: Vec<RunEvent> = (1..=STEPS).map(step).collect();
    shown(&mut view, &steps);
    let lines = shown(&mut view, &closing());
    assert_snapshot!(lines);
    assert!(view.live(79).is_empty());
}

#[test]
fn no_live_line_is_wider_than_the_terminal() {
    for width in [0, 1, 9, 11, 40, 79, 200] {
        let mut view = RunView::new(Surface::Live);
        let steps: Vec<RunEvent> = (1..=STEPS)
            .map(step)
            .chain([text(&"漢".repeat(300))])
            .collect();
        shown(&mut view, &steps);
        for line in view.live(width) {
            assert!(
                ratatui::text::Span::raw(&line).width() <= width,
                "{width}: {line}"
            );
        }
    }
}

#[test]
fn generated_text_comes_out_in_whole_lines_and_nothing_is_lost() {
    let mut view = RunView::new(Surface::Live);
    let first = shown(
        &mut view,
        &[text("The led"), text("ger is kept\nby"), text(" all")],
    );
    assert_eq!(first, "The ledger is kept");
    assert_eq!(view.live(79), ["by all"]);
    let summary = progress(Progress::Summary {
        tokens: 5,
        seconds: 1.0,
    });
    let rest = shown(&mut view, &[summary]);
    assert!(rest.starts_with("by all\n"), "{rest}");
    assert!(view.live(79).is_empty());
}

#[test]
fn text_without_line_breaks_does_not_pile_up() {
    let mut view = RunView::new(Surface::Live);
    let long = "a".repeat(1000);
    let lines = shown(&mut view, &vec![text(&long); 50]);
    assert_eq!(lines.replace('\n', "").len() + view.open_text.len(), 50_000);
    assert!(view.open_text.len() <= super::MAX_OPEN_TEXT);
}

#[test]
fn what_a_provider_sends_cannot_command_the_terminal() {
    let mut view = RunView::new(Surface::Live);
    let line = "\x1b]0;title\x07".to_owned();
    let device = "\x1b[31m".to_owned();
    let events = [
        text("\x1b[2J\n"),
        text("\r\x1b[A open"),
        progress(Progress::Log { line }),
        progress(Progress::Started {
            device,
            parameters: 1,
        }),
    ];
    let lines = shown(&mut view, &events) + &view.live(79).concat();
    assert!(
        !lines
            .chars()
            .any(|shown| shown.is_control() && shown != '\n'),
        "{lines:?}"
    );
}

#[test]
fn a_loss_that_is_no_number_does_not_break_the_curve() {
    let mut view = RunView::new(Surface::Live);
    let broken = progress(Progress::Step(StepMetric {
        step: u64::MAX,
        steps: 0,
        loss: f32::NAN,
        tokens: 0,
        tokens_per_second: f32::INFINITY,
    }));
    shown(&mut view, &[broken]);
    assert_eq!(view.live(79).len(), 1);
}

#[test]
fn the_end_decides_what_comes_back() {
    let job = fixture::settled(Outcome::Completed);
    let finished = RunEvent::Finished(Box::new(job.clone()));
    let failed = RunEvent::Failed {
        reason: "no offer is left".to_owned(),
    };
    let end_after = |events: &[RunEvent]| {
        let mut view = RunView::new(Surface::Plain);
        shown(&mut view, events);
        view.finish()
    };
    assert_eq!(end_after(&[finished]).unwrap(), job);
    assert_eq!(
        end_after(&[failed]).unwrap_err().to_string(),
        "no offer is left"
    );
    let summary = "2 offers: 2 above your price".to_owned();
    let nothing = end_after(&[RunEvent::NothingFits { summary }]).unwrap_err();
    assert_eq!(crate::exit::code(&nothing), 4);
    let cut_off = end_after(&opening()).unwrap_err().to_string();
    assert!(cut_off.contains("nightshift ps"), "{cut_off}");
}

#[test]
fn the_bill_is_exact() {
    assert_snapshot!(bill(&fixture::settled(Outcome::Completed)));
}

#[test]
fn only_a_completed_job_is_a_success() {
    assert!(report(Form::Json, &fixture::settled(Outcome::Completed)).is_ok());
    for outcome in [
        Outcome::Yielded,
        Outcome::Cancelled,
        Outcome::OutOfBudget,
        Outcome::Failed,
    ] {
        assert!(
            report(Form::Json, &fixture::settled(outcome)).is_err(),
            "{outcome:?}"
        );
    }
    assert!(report(Form::Json, &fixture::job()).is_err());
}

#[test]
fn the_end_of_a_text_is_what_fits() {
    assert_eq!(end_of("abcdef", 3), "def");
    assert_eq!(end_of("漢字x", 4), "字x");
    assert_eq!(end_of("ab", 10), "ab");
}
