//! Owns watching the card that is sold, and giving it back: to a game, or where it gets hotter or hungrier than its owner
//! allows.
//!
//! Never decides when; the policy of `gpu_probe` does, and its page of words says why. Never touches a pause of the
//! owner's.

use std::collections::BTreeSet;
use std::time::Duration;

use gpu_probe::activity::{Decision, Observation, Policy, PolicySettings};
use gpu_probe::telemetry::{Sample, Silence, Watch};
use market::gpu::AdapterInfo;
use market_node::config::SellSettings;

use crate::seller::SellerHandle;

/// How long one look may take; a driver that needs longer does not answer any more.
const LOOK_TIMEOUT: Duration = Duration::from_secs(10);

/// How many looks come before the card is first sold: in the time between them a game that runs already is noticed.
const FIRST_LOOKS: u32 = 6;

/// What the owner reads until then.
const LOOKING: &str = "looking whether other programs use the card";

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

/// Watches the card until the seller has stopped. Before the card is sold for the first time it is looked at for as long
/// as a game needs to be noticed.
pub async fn watch(adapter: AdapterInfo, settings: PolicySettings, seller: SellerHandle) {
    let opened = tokio::task::spawn_blocking(move || Watch::open(&adapter)).await;
    let Ok(card) = opened else {
        return unwatched().await;
    };
    let occupied = seller.occupancy();
    let look = |card, wait| {
        // Where nothing is leased there is no worker to tell from others.
        let has_workers = *occupied.borrow();
        look(card, wait, has_workers)
    };
    Box::pin(watch_with((card, look), settings, &seller)).await;
}

/// Waits, and looks at the card; `None` where the driver does not answer any more.
async fn look(mut card: Watch, wait: Duration, has_workers: bool) -> Option<(Watch, Sample)> {
    tokio::time::sleep(wait).await;
    // Reads files, or waits for the driver.
    let looking = tokio::task::spawn_blocking(move || {
        let this = std::process::id();
        let own = match has_workers {
            true => sandbox::family_of(this),
            false => BTreeSet::from([this]),
        };
        let sample = card.sample(&own);
        (card, sample)
    });
    let looked = tokio::time::timeout(LOOK_TIMEOUT, looking).await;
    looked.ok()?.ok()
}

/// Watches a card through `look`, which waits for so long, looks, and gives the card back; `None` where no look will ever
/// succeed again.
pub(crate) async fn watch_with<Card, Looking>(
    (mut card, mut look): (Card, impl FnMut(Card, Duration) -> Looking),
    settings: PolicySettings,
    seller: &SellerHandle,
) where
    Looking: Future<Output = Option<(Card, Sample)>>,
{
    let has_limits = settings.temperature_limit_c.is_some() || settings.power_limit_mw.is_some();
    let mut policy = Policy::new(settings, 0);
    let mut wait = Duration::ZERO;
    let mut looks = 0;
    while !seller.has_stopped() {
        let Some((back, sample)) = look(card, wait).await else {
            return unwatched().await;
        };
        card = back;
        looks += 1;
        if looks == 1 {
            tell_what_is_unknown(&sample, has_limits);
            match sample.telemetry.silence {
                // A processor is never watched, so nothing would be seen by waiting.
                Some(Silence::NoCard) => looks = FIRST_LOOKS,
                _ => _ = seller.yield_to(LOOKING.to_owned()).await,
            }
        }
        if let Err(late) = policy.handle_sample(&Observation::from(&sample), sample.at_ms) {
            tracing::debug!(%late, "a look at the card is passed over");
        }
        act(&mut policy, looks, seller).await;
        let wait_ms = policy.poll_timeout().saturating_sub(sample.at_ms);
        wait = Duration::from_millis(wait_ms);
    }
}

/// Does what the policy decided, and keeps the owner told.
async fn act(policy: &mut Policy, looks: u32, seller: &SellerHandle) {
    match policy.poll_decision() {
        Some(Decision::Yield(reason)) => {
            tracing::info!(%reason, "the card goes back to its owner");
            seller.yield_to(reason.to_string()).await;
        }
        Some(Decision::Resume) => {
            tracing::info!("the card is for sale again");
            seller.regain().await;
        }
        None if policy.is_selling() && looks == FIRST_LOOKS => {
            seller.regain().await;
        }
        None => {
            if let Some(words) = words(policy) {
                seller.explain(words).await;
            }
        }
    }
}

/// Says why the card is with its owner now, and how long it must still be quiet; `None` while it is sold.
fn words(policy: &Policy) -> Option<String> {
    let wait_s = policy.resumes_in_ms()?.div_ceil(1_000);
    let reason = policy.reasons().first()?.to_string();
    Some(format!(
        "{reason}; sold again after {wait_s} s more without that"
    ))
}

/// Says once what the owner would otherwise rely on in vain.
fn tell_what_is_unknown(sample: &Sample, has_limits: bool) {
    let Some(silence) = &sample.telemetry.silence else {
        return;
    };
    match has_limits && *silence != Silence::Asleep {
        true => {
            tracing::warn!(%silence, "the card's temperature and power are unknown, so your limits do nothing")
        }
        false => tracing::debug!(%silence, "the card tells nothing of itself"),
    }
}

/// What is left where looking itself broke: the node goes on, and the owner can pause by hand.
async fn unwatched() {
    tracing::error!(
        "the card is not watched any more: pause by hand before a game, or start the node again"
    );
    std::future::pending().await
}

#[cfg(test)]
mod tests;
