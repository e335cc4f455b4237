//! Tests of when a worker at work is ended.

use super::*;

#[test]
fn a_part_of_a_step_is_waited_for_in_this_step_or_the_next() {
    let millis = Duration::from_millis;
    let wait = |part, ended_before| until_part(part, millis(100), millis(ended_before)).as_millis();
    assert_eq!(wait(0.5, 0), 50);
    assert_eq!(wait(0.5, 30), 20);
    assert_eq!(wait(0.25, 50), 75, "that part of this step is over");
    assert_eq!(wait(0.5, 1_030), 20, "ten steps have ended since");
    assert_eq!(wait(7.0, 0), 0, "the whole step");
    assert_eq!(until_part(0.5, Duration::ZERO, millis(5)), Duration::ZERO);
}
