//! How long an issuer is left alone between fetches.

use std::time::Duration;

use crate::authn::settings::KeySettings;

/// The time to the next fetch: `refresh` less up to a tenth at random, so that replicas do not
/// fetch in step; after failures an eighth of `min_interval`, doubled each time up to it.
pub(super) fn pause(settings: KeySettings, failures_in_a_row: u32) -> Duration {
    let Some(doublings) = failures_in_a_row.checked_sub(1) else {
        let jitter = (settings.refresh / (10 * 256)).saturating_mul(random_byte());
        return settings.refresh.saturating_sub(jitter);
    };
    let retry = (settings.min_interval / 8).saturating_mul(1 << doublings.min(3));
    retry.min(settings.refresh)
}

/// Zero if there is no randomness to be had: then there is no jitter either.
fn random_byte() -> u32 {
    let mut byte = [0];
    match aws_lc_rs::rand::fill(&mut byte) {
        Ok(()) => u32::from(byte[0]),
        Err(_) => 0,
    }
}
