//! Tests of pings and their answers.

use super::*;

#[test]
fn a_ping_is_any_32_bytes() {
    let mut pings = Pings::default();
    pings.read(&[7; 64]);
    assert!(!pings.is_amid_one());
    pings.read(&[7]);
    assert!(pings.is_amid_one());
    pings.read(&[7; 31]);
    assert!(!pings.is_amid_one());
}

#[test]
fn an_answer_repeats_the_ping_in_pieces_of_any_size() {
    let mut answers = Answers::default();
    for ping in 0..3 {
        answers.expect(&[ping; 20]);
        answers.expect(&[ping + 1; 12]);
        assert_eq!(answers.read(&[ping; 19]), Ok(()));
        assert_eq!(answers.read(&[ping]), Ok(()));
        assert_eq!(answers.read(&[ping + 1; 12]), Ok(()));
    }
    assert_eq!(answers.read(&[0]), Err(Offence::Undecodable));
    answers.expect(&[1; 32]);
    assert_eq!(answers.read(&[2; 32]), Err(Offence::Undecodable));
    assert_eq!(Answers::default().read(&[0; 32]), Err(Offence::Undecodable));
}
