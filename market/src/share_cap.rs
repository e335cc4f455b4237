//! Owns the cap that keeps any one voice from being more than a share of all, however loud it is.
//!
//! Never knows whose voices these are.

/// Returns the largest `c` with `c * k <= min(w1, c) + ... + min(wn, c)`, where `k` is the number of weights and at most
/// `parts`; 0 without weights.
///
/// Cut to that cap, no weight is more than one in `k` of what is left. It is what cutting each to a share of the sum
/// again and again comes to: a share of the sum *before* cutting would grow with the weight that it is to bound.
pub fn share_cap(mut weights: Vec<u128>, parts: usize) -> u128 {
    weights.sort_unstable();
    let parts = parts.min(weights.len());
    let mut below = weights
        .iter()
        .fold(0_u128, |sum, weight| sum.saturating_add(*weight));
    // Where the lightest few are below the cap, it is their sum divided by `parts` less the number of the others. The
    // first few, from all downwards, whose heaviest weight is within that cap are the ones.
    for (above, weight) in weights.iter().rev().take(parts).enumerate() {
        let parts = parts.saturating_sub(above);
        let cap = u128::try_from(parts)
            .ok()
            .and_then(|parts| below.checked_div(parts));
        if let Some(cap) = cap.filter(|cap| cap >= weight) {
            return cap;
        }
        below = below.saturating_sub(*weight);
    }
    0
}
