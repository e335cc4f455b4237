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

#[test]
fn rare_small_faults_are_forgotten() {
    let (mut offenders, peer, mut now) = (Offenders::default(), PeerId::random(), Instant::now());
    for _ in 0..50 {
        assert_eq!(offenders.note(peer, Offence::Slow, now), Sentence::Noted);
        now += MEMORY;
    }
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
        offenders.take_ended(now);
        assert!(offenders.scores.len() <= MAX_REMEMBERED);
        assert!(offenders.shunned.len() <= MAX_REMEMBERED);
    }
}
