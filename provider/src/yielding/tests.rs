//! Tests of what the owner's settings become.

use super::*;

#[test]
fn without_limits_of_the_owners_only_others_use_counts() {
    let policy = policy(&SellSettings::default());
    assert_eq!(policy, PolicySettings::default());
}

#[test]
fn limits_are_those_of_the_settings() {
    let settings = SellSettings {
        others_percent: 100,
        max_temperature_c: 83,
        max_watts: 180,
        ..SellSettings::default()
    };
    let policy = policy(&settings);
    assert_eq!(policy.use_limit_permille, 1_000);
    assert_eq!(policy.temperature_limit_c, Some(83));
    assert_eq!(policy.power_limit_mw, Some(180_000));
}
