//! Tests of what pictures look like, and that no size and no market breaks them.

use insta::assert_snapshot;
use matching::Interval;

use super::{Picture, Size, candles, candles_text, depth, depth_text};
use crate::fixture::market_data::{self, both_sides, waves};

const SIZE: Size = Size {
    width: 76,
    height: 12,
};

const SMALL: Size = Size {
    width: 40,
    height: 12,
};

/// Draws a frame, so that a snapshot shows where the lines end.
fn shown(picture: &Picture) -> String {
    let lines = picture.lines().into_iter();
    lines.map(|line| format!("|{line}\n")).collect()
}

#[test]
fn depth_of_both_sides() {
    assert_snapshot!(shown(&depth(&both_sides(), SIZE)));
}

#[test]
fn depth_of_both_sides_in_a_small_place() {
    assert_snapshot!(shown(&depth(&both_sides(), SMALL)));
}

#[test]
fn depth_of_both_sides_in_a_wide_place() {
    assert_snapshot!(depth_text(&both_sides(), 200));
}

#[test]
fn depth_of_one_side_says_that_the_other_is_empty() {
    let asks = market_data::depth(&[], &[("0.2", 1), ("0.25", 6)]);
    let bids = market_data::depth(&[("0.2", 1), ("0.15", 6)], &[]);
    let both = [asks, bids].map(|view| shown(&depth(&view, SMALL)));
    assert_snapshot!(both.join("\n"));
}

#[test]
fn depth_of_a_crossed_book_shows_what_both_sides_have() {
    let view = market_data::depth(&[("0.3", 4), ("0.2", 5)], &[("0.25", 3), ("0.35", 2)]);
    assert_snapshot!(shown(&depth(&view, SIZE)));
}

#[test]
fn depth_of_one_price() {
    let same = market_data::depth(&[], &[("0.2", 7)]);
    let touching = market_data::depth(&[("0.2", 3)], &[("0.2", 7)]);
    let both = [same, touching].map(|view| shown(&depth(&view, SMALL)));
    assert_snapshot!(both.join("\n"));
}

#[test]
fn depth_leaves_far_prices_out_and_says_so() {
    let view = market_data::depth(
        &[("0.190000001", 2), ("0.000000001", 9)],
        &[("0.210000003", 2), ("0.3", 2), ("1000000", 11)],
    );
    assert_snapshot!(shown(&depth(&view, SMALL)));
}

#[test]
fn depth_without_orders_says_so() {
    assert_snapshot!(depth_text(&market_data::depth(&[], &[]), 80));
}

#[test]
fn candles_that_go_up_and_down() {
    let view = market_data::candles(
        Interval::Hour,
        &[
            ([20, 24, 19, 23], 30),
            ([23, 23, 20, 20], 10),
            ([20, 26, 20, 25], 90),
            ([25, 25, 25, 25], 0),
            ([25, 27, 22, 25], 45),
            ([25, 30, 25, 29], 200),
            ([29, 29, 24, 26], 61),
        ],
    );
    assert_snapshot!(shown(&candles(&view, SMALL)));
}

#[test]
fn candles_of_many_hours() {
    assert_snapshot!(shown(&candles(&waves(Interval::Hour, 48), SIZE)));
}

#[test]
fn more_candles_than_columns_are_merged() {
    assert_snapshot!(shown(&candles(&waves(Interval::Minute, 200), SMALL)));
}

#[test]
fn candles_in_a_wide_place() {
    assert_snapshot!(candles_text(&waves(Interval::Day, 90), 200));
}

#[test]
fn one_candle() {
    let view = market_data::candles(Interval::Day, &[([20, 24, 19, 23], 30)]);
    assert_snapshot!(shown(&candles(&view, SMALL)));
}

#[test]
fn candles_of_one_price() {
    let view = market_data::candles(Interval::Minute, &[([20; 4], 1), ([20; 4], 2)]);
    assert_snapshot!(shown(&candles(&view, SMALL)));
}

#[test]
fn candles_without_room_are_told_in_words() {
    let small = Size {
        width: 38,
        height: 4,
    };
    assert_snapshot!(shown(&candles(&waves(Interval::Hour, 48), small)));
}

#[test]
fn no_candle_says_so() {
    assert_snapshot!(candles_text(&waves(Interval::Hour, 0), 80));
}

#[test]
fn no_size_breaks_a_picture_and_no_line_is_too_long() {
    let depths = [
        both_sides(),
        market_data::depth(&[], &[("0", 1)]),
        market_data::depth(&[("1000000", u32::MAX)], &[("0.000000001", 1)]),
        market_data::depth(&[("9000000000", 0)], &[]),
    ];
    for (width, height) in (0..210).step_by(7).zip((0..40).cycle()) {
        let size = Size { width, height };
        for picture in depths.iter().map(|view| depth(view, size)).chain(
            (0..300)
                .step_by(50)
                .map(|count| candles(&waves(Interval::Hour, count), size)),
        ) {
            for line in picture.lines() {
                assert!(line.chars().count() <= width, "{width}x{height}: {line}");
            }
        }
    }
}

#[test]
fn rise_and_fall_differ_without_colour() {
    let view = market_data::candles(
        Interval::Hour,
        &[([20, 24, 20, 24], 1), ([24, 24, 20, 20], 1)],
    );
    let picture = candles(&view, SMALL);
    let text = picture.lines().join("\n");
    assert!(text.contains('░') && text.contains('█'), "{text}");
    let stretches = picture.stretches().concat();
    let with = |letter| {
        stretches
            .iter()
            .filter(move |(_, text)| text.contains(letter) && text.chars().count() == 1)
    };
    assert!(with('░').all(|(tone, _)| *tone == super::Tone::Rise));
}
