//! How a job counts when its worker is gone.

use engine::EngineDevice;
use market::receipt::Outcome;

use super::{Trouble, outcome_of, trouble_of};
use crate::agent::AgentError;
use crate::kill_switch::KillSwitch;

fn died() -> Result<(), AgentError> {
    Err(AgentError::Died {
        stderr: String::new(),
    })
}

#[test]
fn a_worker_that_its_owner_ended_has_not_failed() {
    let switch = KillSwitch::default();
    assert_eq!(outcome_of(None, &died(), &switch), Outcome::Failed);
    assert!(!switch.pull(), "no worker was behind it yet");
    assert_eq!(outcome_of(None, &died(), &switch), Outcome::Yielded);
}

#[test]
fn what_was_known_before_the_worker_went_counts() {
    let switch = KillSwitch::default();
    switch.pull();
    let cancelled = Some(Outcome::Cancelled);
    assert_eq!(outcome_of(cancelled, &died(), &switch), Outcome::Cancelled);
    assert_eq!(outcome_of(None, &Ok(()), &switch), Outcome::Completed);
}

#[test]
fn only_a_worker_with_a_card_can_lose_it() {
    let lost = Err(AgentError::CardLost {
        words: "the device is lost".to_owned(),
    });
    let card = EngineDevice::software();
    let trouble = trouble_of(&lost, &card);
    assert!(
        matches!(&trouble, Some(Trouble::CardLost(words)) if words == "the device is lost"),
        "{trouble:?}"
    );
    assert!(trouble_of(&lost, &EngineDevice::Flex).is_none());
    assert!(trouble_of(&died(), &card).is_none());
    assert!(trouble_of(&Ok(()), &card).is_none());
}
