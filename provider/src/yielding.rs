//! Owns watching the card that is sold, and giving it back: to a game, or where it gets hotter or hungrier than its owner
//! allows.
//!
//! Never decides when; the policy of `gpu_probe` does, and its page of words says why. Never touches a pause of the
//! owner's.

use std::collections::BTreeSet;
use std::time::Duration;

use gpu_probe::activity::{Decision, Observation, Policy, PolicySettings};
use gpu_probe::telemetry::Watch;
use market::gpu::AdapterInfo;
use market_node::config::SellSettings;

use crate::family;
use crate::seller::SellerHandle;

/// A share that is never exceeded, in 1/1,000.
const WHOLE_PERMILLE: u16 = 1_000;

/// Makes the policy of the owner's settings.
pub fn policy(settings: &SellSettings) -> PolicySettings {
    let usual = PolicySettings::default();
    let limit = |value: u32| (value > 0).then_some(value);
    PolicySettings {
        use_limit_permille: u16::try_from(settings.others_percent.min(100) * 10)
            .unwrap_or(WHOLE_PERMILLE),
        temperature_limit_c: limit(settings.max_temperature_c)
            .map(|celsius| i16::try_from(celsius).unwrap_or(i16::MAX)),
        power_limit_mw: limit(settings.max_watts).map(|watts| watts.saturating_mul(1_000)),
        ..usual
    }
}

/// Watches the card until the seller has stopped.
pub async fn watch(adapter: AdapterInfo, settings: PolicySettings, seller: SellerHandle) {
    let opened = tokio::task::spawn_blocking(move || Watch::open(&adapter)).await;
    let Ok(mut card) = opened else {
        return unwatched().await;
    };
    let mut policy = Policy::new(settings, 0);
    let mut now_ms = 0;
    loop {
        let wait_ms = policy.poll_timeout().saturating_sub(now_ms);
        tokio::time::sleep(Duration::from_millis(wait_ms)).await;
        // Reads files, or waits for the driver.
        let looked = tokio::task::spawn_blocking(move || {
            let own: BTreeSet<u32> = family::of(std::process::id());
            let sample = card.sample(&own);
            (card, sample)
        });
        let Ok((back, sample)) = looked.await else {
            return unwatched().await;
        };
        card = back;
        now_ms = sample.at_ms;
        if let Err(late) = policy.handle_sample(&Observation::from(&sample), now_ms) {
            tracing::debug!(%late, "a look at the card is passed over");
        }
        let view = match policy.poll_decision() {
            Some(Decision::Yield(reason)) => {
                tracing::info!(%reason, "the card goes back to its owner");
                seller.yield_to(reason.to_string()).await
            }
            Some(Decision::Resume) => {
                tracing::info!("the card is for sale again");
                seller.regain().await
            }
            None if seller.has_stopped() => return,
            None => continue,
        };
        if view.is_none() {
            return;
        }
    }
}

/// What is left where the looking itself broke: the node goes on, and the owner can pause by hand.
async fn unwatched() {
    tracing::error!(
        "the card is not watched any more: pause by hand before a game, or start the node again"
    );
    std::future::pending().await
}

#[cfg(test)]
mod tests;
