//! Metrics of the issuers' keys and of the tokens verified with them.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::common::{Success, set_total};

/// The state of an issuer's keys, with totals since the process started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyTotals {
    /// Fetches that returned keys.
    pub successes: u64,
    /// Fetches that failed.
    pub failures: u64,
    /// Time since the current keys were fetched; `None` if none ever were.
    pub age: Option<Duration>,
    /// Whether tokens can be verified with the keys.
    pub usable: bool,
}

/// Metrics of keys and tokens.
#[derive(Debug, Clone, Default)]
pub struct KeyMetrics {
    refreshes: Family<IssuerResultLabels, Counter>,
    age: Family<IssuerLabels, Gauge<f64, AtomicU64>>,
    usable: Family<IssuerLabels, Gauge>,
    tokens_cached: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct IssuerLabels {
    issuer: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct IssuerResultLabels {
    issuer: String,
    result: Success,
}

impl KeyMetrics {
    pub(super) fn register(&self, to: &mut Registry) {
        to.register(
            "key_refreshes",
            "Attempts to fetch an issuer's keys",
            self.refreshes.clone(),
        );
        to.register_with_unit(
            "keys_age",
            "Time since an issuer's keys were fetched",
            Unit::Seconds,
            self.age.clone(),
        );
        to.register(
            "keys_usable",
            "Whether an issuer's keys are present and not too old",
            self.usable.clone(),
        );
        to.register(
            "tokens_cached",
            "Verified tokens in the cache",
            self.tokens_cached.clone(),
        );
    }

    /// Sets the state of a configured issuer's keys. `mcp_authz_key_refreshes_total`,
    /// `mcp_authz_keys_age_seconds`, `mcp_authz_keys_usable`.
    pub fn set(&self, issuer: &str, keys: &KeyTotals) {
        for (result, total) in [
            (Success::Ok, keys.successes),
            (Success::Error, keys.failures),
        ] {
            let labels = IssuerResultLabels {
                issuer: issuer.to_owned(),
                result,
            };
            set_total(&self.refreshes.get_or_create(&labels), total);
        }
        let labels = IssuerLabels {
            issuer: issuer.to_owned(),
        };
        if let Some(age) = keys.age {
            self.age.get_or_create(&labels).set(age.as_secs_f64());
        }
        self.usable
            .get_or_create(&labels)
            .set(i64::from(keys.usable));
    }

    /// Forgets what was set for an issuer that is configured no more.
    pub fn forget(&self, issuer: &str) {
        let owned = || issuer.to_owned();
        for result in [Success::Ok, Success::Error] {
            let issuer = owned();
            self.refreshes
                .remove(&IssuerResultLabels { issuer, result });
        }
        self.age.remove(&IssuerLabels { issuer: owned() });
        self.usable.remove(&IssuerLabels { issuer: owned() });
    }

    /// Sets how many verified tokens are remembered. `mcp_authz_tokens_cached`.
    pub fn set_tokens_cached(&self, tokens: u64) {
        self.tokens_cached
            .set(i64::try_from(tokens).unwrap_or(i64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::metrics::Metrics;

    #[test]
    fn names_and_labels_are_as_documented() {
        let metrics = Metrics::new();
        metrics.keys.set(
            "https://idp.test",
            &KeyTotals {
                successes: 3,
                failures: 2,
                age: Some(Duration::from_millis(1500)),
                usable: true,
            },
        );
        metrics.keys.set_tokens_cached(3);
        metrics.assert_has(&[
            "mcp_authz_keys_usable{issuer=\"https://idp.test\"} 1",
            "mcp_authz_key_refreshes_total{issuer=\"https://idp.test\",result=\"ok\"} 3",
            "mcp_authz_key_refreshes_total{issuer=\"https://idp.test\",result=\"error\"} 2",
            "mcp_authz_keys_age_seconds{issuer=\"https://idp.test\"} 1.5",
            "mcp_authz_tokens_cached 3",
        ]);
        metrics.keys.forget("https://idp.test");
        assert!(!metrics.text().contains("https://idp.test"));
    }
}
