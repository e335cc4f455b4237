//! Tests of the messages' bytes: round trips, limits, fixtures, and bytes of a liar.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::codec::DecodeError;
use crate::mode::Mode;
use crate::shape::Shape;
use crate::{MAX_ROUNDS, OPENINGS};

fn challenge() -> Challenge {
    let shape = Shape::new(4_096, 2_048, 256).unwrap();
    Challenge {
        rho: [1; 32],
        subject: Subject {
            key: [2; 32],
            gpu: 3,
        },
        workload: Workload::new(Mode::I, shape, 550).unwrap(),
        limit_ms: 10_000,
    }
}

fn any_challenge() -> impl Strategy<Value = Message> {
    let lengths = (1..=512_u32, 1..=512_u32, 1..=128_u32, 1..=MAX_ROUNDS);
    let who = (any::<[u8; 32]>(), any::<[u8; 32]>(), any::<u32>());
    (who, lengths, 0..=MAX_LIMIT_MS, any::<bool>()).prop_map(
        |((rho, key, gpu), (rows, columns, depth, rounds), limit_ms, is_f)| {
            let shape = Shape::new(32 * rows, 32 * columns, 256 * depth).unwrap();
            let mode = if is_f { Mode::F } else { Mode::I };
            Message::Challenge(Challenge {
                rho,
                subject: Subject { key, gpu },
                workload: Workload::new(mode, shape, rounds).unwrap(),
                limit_ms,
            })
        },
    )
}

fn any_opening() -> impl Strategy<Value = Opening> {
    let path = (
        vec(any::<[u8; 32]>(), 0..=31),
        vec(any::<[u8; 32]>(), 0..=13),
    );
    let words = vec(any::<u32>(), 1_024);
    ((any::<u32>(), any::<u32>()), words, path).prop_map(
        |((round, tile), words, (neighbours, siblings))| Opening {
            place: Place { round, tile },
            tile: Tile::from_words(words).unwrap(),
            path: Path {
                neighbours,
                siblings,
            },
        },
    )
}

fn any_message() -> impl Strategy<Value = Message> {
    let roots = vec(any::<[u8; 32]>().prop_map(Root::from_bytes), 0..100);
    prop_oneof![
        any_challenge(),
        roots.prop_map(|roots| Message::Roots(Roots { roots })),
        any::<[u8; 32]>().prop_map(|sigma| Message::Draw(Draw { sigma })),
        vec(any_opening(), 0..4).prop_map(|openings| Message::Openings(Openings { openings })),
    ]
}

/// Bytes that get past the header often.
fn nearly_a_message() -> impl Strategy<Value = Vec<u8>> {
    let random = vec(any::<u8>(), 0..6_000);
    let headed = (1..=5_u8, random.clone()).prop_map(|(kind, rest)| {
        let count = [rest.len() as u8 / 32, 0, 0, 0];
        [&[1, kind], count.as_slice(), rest.as_slice()].concat()
    });
    let changed = (any_message(), any::<prop::sample::Index>(), any::<u8>());
    let changed = changed.prop_map(|(message, at, byte)| {
        let mut bytes = message.encode();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        bytes
    });
    prop_oneof![random, headed, changed]
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(message in any_message()) {
        prop_assert_eq!(Message::decode(&message.encode()), Ok(message));
    }

    #[test]
    fn any_bytes_are_one_message_in_one_form_or_none(bytes in nearly_a_message()) {
        if let Ok(message) = Message::decode(&bytes) {
            prop_assert_eq!(message.encode(), bytes);
        }
    }

    #[test]
    fn a_message_that_is_cut_or_longer_is_none(message in any_message(), cut in any::<prop::sample::Index>()) {
        let mut bytes = message.encode();
        prop_assert!(Message::decode(&bytes[..cut.index(bytes.len())]).is_err());
        bytes.push(0);
        prop_assert!(Message::decode(&bytes).is_err());
    }
}

/// The bytes that another implementation must write.
#[test]
fn a_challenge_has_these_bytes() {
    let expected = [
        [1, 1].as_slice(),
        &[1; 32],
        &[2; 32],
        &[3, 0, 0, 0],
        &[2],
        &[0, 16, 0, 0],
        &[0, 8, 0, 0],
        &[0, 1, 0, 0],
        &[38, 2, 0, 0],
        &[16, 39, 0, 0],
    ]
    .concat();
    assert_eq!(Message::Challenge(challenge()).encode(), expected);
}

#[test]
fn roots_and_draw_have_these_bytes() {
    let roots = Message::Roots(Roots {
        roots: vec![Root::from_bytes([4; 32]), Root::from_bytes([5; 32])],
    });
    let expected = [[1, 2, 2, 0, 0, 0].as_slice(), &[4; 32], &[5; 32]].concat();
    assert_eq!(roots.encode(), expected);
    let draw = Message::Draw(Draw { sigma: [6; 32] });
    assert_eq!(draw.encode(), [[1, 3].as_slice(), &[6; 32]].concat());
}

#[test]
fn openings_have_these_bytes() {
    let opening = Opening {
        place: Place { round: 7, tile: 8 },
        tile: Tile::from_words(vec![0x0403_0201; 1_024]).unwrap(),
        path: Path {
            neighbours: vec![[9; 32]],
            siblings: vec![[10; 32], [11; 32]],
        },
    };
    let openings = vec![opening];
    let bytes = Message::Openings(Openings { openings }).encode();
    let expected = [
        [1, 4, 1, 0, 0, 0, 7, 0, 0, 0, 8, 0, 0, 0].as_slice(),
        &[1, 2, 3, 4].repeat(1_024),
        &[1, 2],
        &[9; 32],
        &[10; 32],
        &[11; 32],
    ]
    .concat();
    assert_eq!(bytes, expected);
}

fn refused_field(bytes: &[u8]) -> &'static str {
    match Message::decode(bytes) {
        Err(DecodeError::Field { field, .. }) => field,
        other => unreachable!("{other:?} where a field is wrong"),
    }
}

#[test]
fn lists_beyond_their_limits_are_refused_before_they_are_read() {
    let count = (MAX_ROUNDS + 1).to_le_bytes();
    assert_eq!(
        refused_field(&[[1, 2], [count[0], count[1]], [count[2], count[3]]].concat()),
        "number of roots"
    );
    let count = OPENINGS as u8 + 1;
    assert_eq!(refused_field(&[1, 4, count, 0, 0, 0]), "number of openings");
    // A count of roots that are not there sets nothing aside.
    let missing = Message::decode(&[1, 2, 0, 0, 1, 0]);
    let (wanted, left) = (MAX_ROUNDS as usize * 32, 0);
    assert_eq!(missing, Err(DecodeError::Truncated { wanted, left }));
}

#[test]
fn each_kind_has_its_own_limit() {
    let mut bytes = Message::Challenge(challenge()).encode();
    let max = bytes.len() - 2;
    bytes.resize(1 << 20, 0);
    let actual = bytes.len() - 2;
    assert_eq!(
        Message::decode(&bytes),
        Err(DecodeError::TooLarge { actual, max })
    );
    let max = Message::MAX_BYTES;
    bytes.resize(max + 1, 0);
    assert_eq!(
        Message::decode(&bytes),
        Err(DecodeError::TooLarge {
            actual: max + 1,
            max
        })
    );
}

#[test]
fn other_versions_kinds_modes_limits_and_lengths_are_refused() {
    let bytes = Message::Challenge(challenge()).encode();
    let with = |at: usize, byte: u8| {
        let mut changed = bytes.clone();
        changed[at] = byte;
        changed
    };
    assert_eq!(
        Message::decode(&with(0, 2)),
        Err(DecodeError::Version { actual: 2 })
    );
    assert_eq!(refused_field(&with(1, 0)), "kind of message");
    assert_eq!(refused_field(&with(1, 5)), "kind of message");
    assert_eq!(refused_field(&with(70, 0)), "mode");
    assert_eq!(refused_field(&with(90, 1)), "limit in milliseconds");
    for (at, byte) in [(71, 16), (79, 128), (86, 2), (74, 1)] {
        let refused = Message::decode(&with(at, byte));
        assert!(
            matches!(refused, Err(DecodeError::Workload(_))),
            "{at}: {refused:?}"
        );
    }
}
