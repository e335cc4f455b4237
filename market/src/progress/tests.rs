//! Reports travel in the one wire form and are shown as JSON: both must carry every kind.

use super::*;
use crate::wire;

fn one_of_each() -> Vec<Progress> {
    let step = StepMetric {
        step: 1,
        steps: 2,
        loss: 5.5,
        tokens: 64,
        tokens_per_second: 1_000.0,
    };
    vec![
        Progress::Confined {
            layers: vec!["seccomp: EPERM".to_owned()],
        },
        Progress::Started {
            device: "processor".to_owned(),
            parameters: 7,
        },
        Progress::Step(step),
        Progress::HeldOut {
            step: 2,
            loss: 2.5,
            unigram_entropy: 3.2,
        },
        Progress::Text {
            text: "The ".to_owned(),
        },
        Progress::Log {
            line: "saved".to_owned(),
        },
        Progress::Summary {
            tokens: 64,
            seconds: 0.5,
        },
        Progress::Failed {
            reason: "no".to_owned(),
        },
    ]
}

#[test]
fn every_report_survives_the_wire_and_json() {
    let reports = one_of_each();
    let bytes = wire::encode(&reports);
    assert_eq!(
        wire::decode::<Vec<Progress>>(&bytes, 1 << 12).unwrap(),
        reports
    );
    let json = serde_json::to_string(&reports).unwrap();
    assert_eq!(
        serde_json::from_str::<Vec<Progress>>(&json).unwrap(),
        reports
    );
}
