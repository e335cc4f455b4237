//! Tests of scores and refusals, without a network.

use super::*;

#[test]
fn a_grave_offence_costs_the_connection_and_the_third_shuns() {
    let (mut offenders, peer, now) = (Offenders::default(), PeerId::random(), Instant::now());
    let sentences = [(); 3].map(|()| offenders.note(peer, Offence::Oversized, now));
    let expected = [Sentence::Disconnect, Sentence::Disconnect, Sentence::Shun];
    assert_eq!(sentences, expected);
    let shunned = offenders.shunned(&peer, now);
    assert_eq!(shunned, Some((Offence::Oversized, SHUNNED_FOR)));
    assert_eq!(offenders.shunned(&PeerId::random(), now), None);
}

#[test]
fn a_refusal_ends_and_the_score_begins_anew() {
    let (mut offenders, peer, now) = (Offenders::default(), PeerId::random(), Instant::now());
    for _ in 0..3 {
        offenders.note(peer, Offence::CorruptBlob, now);
    }
    let end = offenders.next_end().unwrap();
    assert_eq!(end, now + SHUNNED_FOR);
    assert_eq!(offenders.take_ended(now), []);
    assert_eq!(offenders.take_ended(end), [peer]);
    assert_eq!(
        (offenders.next_end(), offenders.shunned(&peer, end)),
        (None, None)
    );
    let sentence = offenders.note(peer, Offence::CorruptBlob, end);
    assert_eq!(sentence, Sentence::Disconnect);
}

/// Notes an offence again and again; tells how many times it took until the node was refused.
fn shunned_after(offence: Offence, pause: Duration) -> Option<usize> {
    let (mut offenders, peer, start) = (Offenders::default(), PeerId::random(), Instant::now());
    (1..100u32).find_map(|number| {
        let now = start + pause * number;
        let sentence = offenders.note(peer, offence, now);
        (sentence == Sentence::Shun).then_some(number as usize)
    })
}

#[test]
fn small_faults_now_and_then_are_forgotten_and_many_are_not() {
    assert_eq!(shunned_after(Offence::Slow, Duration::ZERO), Some(6));
    assert_eq!(shunned_after(Offence::Truncated, Duration::ZERO), Some(12));
    let minute = Duration::from_secs(POINT_S);
    assert_eq!(shunned_after(Offence::Truncated, minute), None);
    assert_eq!(shunned_after(Offence::Slow, minute * 9), None);
    assert!(shunned_after(Offence::Slow, minute).is_some());
}

#[test]
fn what_is_nobodys_fault_is_only_counted() {
    let (mut offenders, peer, now) = (Offenders::default(), PeerId::random(), Instant::now());
    let counts = Counts::default();
    for _ in 0..100 {
        counts.add(Offence::Busy);
        assert_eq!(offenders.note(peer, Offence::Busy, now), Sentence::Noted);
    }
    assert_eq!(counts.all(), BTreeMap::from([(Offence::Busy, 100)]));
}

#[test]
fn many_offenders_do_not_fill_memory() {
    let (mut offenders, start) = (Offenders::default(), Instant::now());
    for number in 0..1_200u64 {
        let now = start + Duration::from_millis(number);
        offenders.note(PeerId::random(), Offence::Slow, now);
        let grave = PeerId::random();
        for _ in 0..3 {
            offenders.note(grave, Offence::Oversized, now);
        }
        assert!(offenders.scores.len() <= MAX_REMEMBERED);
        assert!(offenders.shunned.len() <= MAX_REMEMBERED);
        assert_eq!(
            offenders.shunned(&grave, now).is_some(),
            number < MAX_REMEMBERED as u64
        );
    }
    assert_eq!(
        offenders.take_ended(start + SHUNNED_FOR * 2).len(),
        MAX_REMEMBERED
    );
}
