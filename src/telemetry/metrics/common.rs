//! Labels and helpers that several groups of metrics share.

use std::sync::atomic::Ordering;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;

/// Whether an attempt succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Success {
    /// It succeeded.
    Ok,
    /// It failed.
    Error,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ResultLabels {
    pub(super) result: Success,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ServerLabels {
    pub(super) server: String,
}

impl ServerLabels {
    pub(super) fn of(server: &str) -> Self {
        ServerLabels {
            server: server.to_owned(),
        }
    }
}

impl EncodeLabelValue for Success {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> std::fmt::Result {
        let name = match self {
            Self::Ok => "ok",
            Self::Error => "error",
        };
        name.encode(encoder)
    }
}

/// Sets a counter to a total that another part of the process keeps. These totals are copied when
/// metrics are read.
pub(super) fn set_total(counter: &Counter, total: u64) {
    counter.inner().store(total, Ordering::Relaxed);
}
