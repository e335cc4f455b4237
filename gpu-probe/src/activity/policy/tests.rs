//! Tests of yielding and resuming: examples first, then rules over every sequence of samples.

use proptest::prelude::*;

use super::*;

fn used(permille: u16) -> Observation {
    Observation {
        use_permille: Some(permille),
        top: Some(Label::sanitized("steam_game")),
        ..Observation::default()
    }
}

fn warm(celsius: i16) -> Observation {
    Observation {
        temperature_c: Some(celsius),
        ..used(0)
    }
}

fn drawing(watts: u32) -> Observation {
    Observation {
        power_mw: Some(watts * 1_000),
        ..used(0)
    }
}

fn limited() -> PolicySettings {
    PolicySettings {
        temperature_limit_c: Some(83),
        power_limit_mw: Some(200_000),
        ..PolicySettings::default()
    }
}

/// Feeds a sample at each time that the policy asks for until it decides; returns the decision and its time.
fn until_decided(
    policy: &mut Policy,
    seen: &Observation,
    most_samples: usize,
) -> Option<(Decision, u64)> {
    for _ in 0..most_samples {
        let now_ms = policy.poll_timeout();
        policy.handle_sample(seen, now_ms).unwrap();
        if let Some(decision) = policy.poll_decision() {
            return Some((decision, now_ms));
        }
    }
    None
}

fn yielded(settings: PolicySettings, seen: &Observation) -> (Policy, u64) {
    let mut policy = Policy::new(settings, 0);
    let decided = until_decided(&mut policy, seen, 10);
    let Some((Decision::Yield(_), at_ms)) = decided else {
        unreachable!("{decided:?}");
    };
    (policy, at_ms)
}

#[test]
fn a_game_gets_the_card_after_two_seconds() {
    let (policy, at_ms) = yielded(PolicySettings::default(), &used(420));
    assert_eq!(at_ms, 2_000);
    let reasons = policy.reasons();
    assert_eq!(
        reasons[0].to_string(),
        "a game or another program uses the card (42 %, most by steam_game)"
    );
    assert_eq!(policy.resumes_in_ms(), Some(120_000));
    assert_eq!(policy.poll_timeout(), 7_000);
}

#[test]
fn a_tenth_of_the_card_is_allowed() {
    let mut policy = Policy::new(PolicySettings::default(), 0);
    assert_eq!(until_decided(&mut policy, &used(100), 1_000), None);
}

#[test]
fn use_that_stops_in_time_is_forgotten() {
    let mut policy = Policy::new(PolicySettings::default(), 0);
    for burst in 0..50 {
        for step in 1..=4 {
            let now_ms = burst * 2_000 + step * 500;
            let permille = if step < 4 { 900 } else { 20 };
            policy.handle_sample(&used(permille), now_ms).unwrap();
            assert_eq!(policy.poll_decision(), None);
        }
    }
}

#[test]
fn the_card_is_sold_again_after_two_quiet_minutes() {
    let (mut policy, start_ms) = yielded(PolicySettings::default(), &used(900));
    assert_eq!(
        until_decided(&mut policy, &used(40), 100),
        Some((Decision::Resume, start_ms + 120_000))
    );
    assert!(policy.reasons().is_empty());
    assert_eq!(policy.resumes_in_ms(), None);
}

#[test]
fn one_busy_sample_starts_the_quiet_time_anew() {
    let (mut policy, _) = yielded(PolicySettings::default(), &used(900));
    assert_eq!(until_decided(&mut policy, &used(0), 23), None);
    let busy_ms = policy.poll_timeout();
    policy.handle_sample(&used(200), busy_ms).unwrap();
    let resumed = until_decided(&mut policy, &used(0), 100);
    assert_eq!(resumed, Some((Decision::Resume, busy_ms + 120_000)));
}

#[test]
fn heat_takes_the_card_at_once_and_says_so() {
    let (policy, at_ms) = yielded(limited(), &warm(84));
    assert_eq!(at_ms, 500);
    assert_eq!(
        policy.reasons()[0].to_string(),
        "84 °C: your limit is 83 °C"
    );
}

#[test]
fn the_limit_itself_is_allowed() {
    let mut policy = Policy::new(limited(), 0);
    assert_eq!(until_decided(&mut policy, &warm(83), 100), None);
    assert_eq!(until_decided(&mut policy, &drawing(200), 100), None);
}

#[test]
fn a_card_that_is_barely_cooler_stays_with_its_owner() {
    let (mut policy, _) = yielded(limited(), &warm(90));
    assert_eq!(until_decided(&mut policy, &warm(79), 1_000), None);
    let cool = Observation {
        power_mw: Some(0),
        ..warm(78)
    };
    let resumed = until_decided(&mut policy, &cool, 100);
    assert_eq!(
        resumed.map(|(decision, _)| decision),
        Some(Decision::Resume)
    );
}

#[test]
fn power_above_the_limit_is_given_two_seconds() {
    let (mut policy, at_ms) = yielded(limited(), &drawing(231));
    assert_eq!(at_ms, 2_000);
    assert_eq!(
        policy.reasons()[0].to_string(),
        "231 W: your limit is 200 W"
    );
    assert_eq!(until_decided(&mut policy, &drawing(191), 1_000), None);
    let resumed = until_decided(&mut policy, &drawing(190), 100);
    assert_eq!(
        resumed.map(|(decision, _)| decision),
        Some(Decision::Resume)
    );
}

#[test]
fn unknown_figures_take_nothing_and_give_nothing_back() {
    let unknown = Observation::default();
    let mut policy = Policy::new(limited(), 0);
    assert_eq!(until_decided(&mut policy, &unknown, 1_000), None);
    for seen in [used(900), warm(90), drawing(300)] {
        let (mut policy, _) = yielded(limited(), &seen);
        assert_eq!(until_decided(&mut policy, &unknown, 1_000), None);
    }
}

#[test]
fn a_gap_in_what_is_known_does_not_hide_a_game() {
    let mut policy = Policy::new(PolicySettings::default(), 0);
    policy.handle_sample(&used(900), 1_500).unwrap();
    policy
        .handle_sample(&Observation::default(), 2_000)
        .unwrap();
    assert_eq!(policy.poll_decision(), None);
    policy.handle_sample(&used(900), 2_500).unwrap();
    assert!(matches!(policy.poll_decision(), Some(Decision::Yield(_))));
}

#[test]
fn a_late_sample_that_shows_use_counts_whole() {
    let mut policy = Policy::new(PolicySettings::default(), 0);
    policy.handle_sample(&used(300), 9_000).unwrap();
    assert!(matches!(policy.poll_decision(), Some(Decision::Yield(_))));
}

#[test]
fn a_late_sample_that_shows_quiet_counts_little() {
    let (mut policy, start_ms) = yielded(PolicySettings::default(), &used(900));
    let hour_ms = 3_600_000;
    policy.handle_sample(&used(0), start_ms + hour_ms).unwrap();
    assert_eq!(policy.poll_decision(), None);
    assert_eq!(policy.resumes_in_ms(), Some(110_000));
}

#[test]
fn a_sample_from_the_past_changes_nothing() {
    let mut policy = Policy::new(limited(), 1_000);
    let refused = policy.handle_sample(&warm(99), 999);
    let late = Late {
        sample_ms: 999,
        last_ms: 1_000,
    };
    assert_eq!(refused, Err(late));
    assert_eq!(policy.poll_decision(), None);
    assert_eq!(policy.poll_timeout(), 1_500);
}

#[test]
fn two_reasons_must_both_end() {
    let mut policy = Policy::new(limited(), 0);
    let hot_game = Observation {
        temperature_c: Some(85),
        power_mw: Some(0),
        ..used(900)
    };
    for now_ms in [500, 1_000, 1_500, 2_000] {
        policy.handle_sample(&hot_game, now_ms).unwrap();
    }
    assert_eq!(policy.reasons().len(), 2);
    let cool_game = Observation {
        temperature_c: Some(60),
        ..hot_game
    };
    assert!(matches!(policy.poll_decision(), Some(Decision::Yield(_))));
    assert_eq!(until_decided(&mut policy, &cool_game, 100), None);
    assert_eq!(policy.reasons().len(), 1);
}

#[test]
fn decisions_that_nobody_took_cancel() {
    let (mut policy, _) = yielded(PolicySettings::default(), &used(900));
    while !policy.is_selling() {
        policy
            .handle_sample(&used(0), policy.poll_timeout())
            .unwrap();
    }
    while policy.is_selling() {
        policy
            .handle_sample(&used(900), policy.poll_timeout())
            .unwrap();
    }
    assert_eq!(policy.poll_decision(), None);
}

#[test]
fn a_card_that_sleeps_has_cooled_down() {
    let (mut policy, at_ms) = yielded(limited(), &warm(90));
    let asleep = Observation {
        is_asleep: true,
        ..used(0)
    };
    let (decision, resumed_ms) = until_decided(&mut policy, &asleep, 100).unwrap();
    assert_eq!(decision, Decision::Resume);
    assert!(resumed_ms >= at_ms + 60_000, "{resumed_ms}");
}

#[test]
fn a_limit_below_the_draw_of_every_job_ends_fewer_and_fewer() {
    let mut policy = Policy::new(limited(), 0);
    let mut waits_ms = Vec::new();
    for _ in 0..9 {
        let (_, yielded_ms) = until_decided(&mut policy, &drawing(230), 100).unwrap();
        let (decision, resumed_ms) = until_decided(&mut policy, &drawing(20), 2_000).unwrap();
        assert_eq!(decision, Decision::Resume);
        waits_ms.push(resumed_ms - yielded_ms);
    }
    let minutes: Vec<u64> = waits_ms.iter().map(|wait| wait / 60_000).collect();
    assert_eq!(minutes, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    // An hour for sale without it, and the limit acts as at first.
    let now_ms = policy.poll_timeout() + 3_600_000;
    policy.handle_sample(&drawing(20), now_ms).unwrap();
    let (_, yielded_ms) = until_decided(&mut policy, &drawing(230), 100).unwrap();
    let (_, resumed_ms) = until_decided(&mut policy, &drawing(20), 100).unwrap();
    assert_eq!((resumed_ms - yielded_ms) / 60_000, 1);
}

/// Any sample, mostly near the limits.
fn any_observation() -> impl Strategy<Value = Observation> {
    let use_permille = prop::option::weighted(0.9, prop_oneof![0..=100_u16, 101..=1_000_u16]);
    let temperature_c = prop::option::weighted(0.9, 70..=90_i16);
    let power_mw = prop::option::weighted(0.9, 180_000..=210_000_u32);
    (use_permille, temperature_c, power_mw).prop_map(|(use_permille, temperature_c, power_mw)| {
        Observation {
            use_permille,
            top: None,
            temperature_c,
            power_mw,
            is_asleep: false,
        }
    })
}

proptest! {
    #[test]
    fn it_never_flaps_faster_than_stated(
        samples in prop::collection::vec((any_observation(), 0..20_000_u64, 1..40_usize), 1..60)
    ) {
        let settings = limited();
        let mut policy = Policy::new(settings.clone(), 0);
        let (mut now_ms, mut changed_ms, mut was_selling) = (0, 0, true);
        for (seen, step_ms, times) in samples {
            for _ in 0..times {
                now_ms += step_ms;
                policy.handle_sample(&seen, now_ms).unwrap();
                let held_ms = now_ms - changed_ms;
                match policy.poll_decision() {
                    Some(Decision::Yield(YieldReason::InUse { .. })) => {
                        prop_assert!(was_selling && held_ms >= settings.over_for_ms);
                        (was_selling, changed_ms) = (false, now_ms);
                    }
                    Some(Decision::Yield(_)) => {
                        prop_assert!(was_selling);
                        (was_selling, changed_ms) = (false, now_ms);
                    }
                    Some(Decision::Resume) => {
                        prop_assert!(!was_selling && held_ms >= settings.cool_for_ms);
                        (was_selling, changed_ms) = (true, now_ms);
                    }
                    None => {}
                }
                prop_assert_eq!(policy.is_selling(), was_selling);
                prop_assert_eq!(policy.reasons().is_empty(), was_selling);
            }
        }
    }

    /// The game draws `share` of the time from a moment that has nothing to do with the samples. Whatever the
    /// phase and the jitter, the card is its own two seconds and two intervals later: the first sample may see only
    /// the beginning, and the last may come an interval after the two seconds are over.
    #[test]
    fn two_seconds_of_use_always_take_the_card(
        start_ms in 0..10_000_u64,
        share in 101..=1_000_u64,
        intervals in prop::collection::vec(1..=2_000_u64, 400),
    ) {
        let mut policy = Policy::new(PolicySettings::default(), 0);
        let longest_ms = *intervals.iter().max().unwrap();
        let mut before_ms = 0;
        for interval_ms in intervals {
            let now_ms = before_ms + interval_ms;
            let used_ms = now_ms.saturating_sub(before_ms.max(start_ms));
            let average = u16::try_from(used_ms * share / interval_ms).unwrap();
            policy.handle_sample(&used(average), now_ms).unwrap();
            if now_ms >= start_ms + 2_000 + 2 * longest_ms {
                prop_assert!(!policy.is_selling());
            }
            if now_ms < start_ms {
                prop_assert!(policy.is_selling());
            }
            before_ms = now_ms;
        }
    }

    #[test]
    fn extreme_times_and_figures_never_panic(
        samples in prop::collection::vec((any::<u16>(), any::<i16>(), any::<u32>(), any::<u64>()), 1..20)
    ) {
        let mut policy = Policy::new(limited(), 0);
        for (use_permille, temperature_c, power_mw, now_ms) in samples {
            let seen = Observation {
                use_permille: Some(use_permille),
                top: None,
                temperature_c: Some(temperature_c),
                power_mw: Some(power_mw),
                is_asleep: false,
            };
            let _ = policy.handle_sample(&seen, now_ms);
            let _ = policy.poll_timeout();
            let words: Vec<String> = policy.reasons().iter().map(ToString::to_string).collect();
            prop_assert!(words.iter().all(|word| !word.is_empty()));
        }
    }
}
