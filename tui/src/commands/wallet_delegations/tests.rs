//! How delegations are listed.

use market::keys::SecretKey;
use market::{Amount, Timestamp};
use market_node::api::HeldView;

use super::*;

const DAY_MS: u64 = 24 * 3_600_000;
const NOW: Timestamp = Timestamp::from_millis(20_000 * DAY_MS);

fn row(seed: u8, ends_in_days: Option<u64>, revoked_until: Option<Timestamp>) -> DelegationRow {
    let held = ends_in_days.map(|days| HeldView {
        permission: Permission::SellAndBuy,
        spend_cap: Amount::from_nanocredits(20_000_000_000),
        spent: Amount::from_nanocredits(1_500_000_000),
        expires_at: Timestamp::from_millis(NOW.as_millis() - DAY_MS + days * DAY_MS),
    });
    DelegationRow {
        node: SecretKey::from_seed([seed; 32]).node(),
        own: seed == 1,
        held,
        revoked_until,
        revoked: revoked_until.is_some(),
    }
}

#[test]
fn delegations_are_listed_with_what_cannot_be_known() {
    let far = Timestamp::from_millis(u64::MAX);
    let view = DelegationsView {
        account: SecretKey::from_seed([9; 32]).account(),
        time: NOW,
        delegations: vec![
            row(1, Some(0), None),
            row(2, Some(90), None),
            row(3, Some(90), Some(far)),
            row(4, None, Some(far)),
        ],
        looked_through: 64,
        has_older: true,
    };
    insta::assert_snapshot!(text(&view));
}
