//! Metrics of lists and the tools in them.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::common::ServerLabels;

/// What can be noticed about a tool in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ToolEvent {
    /// Its definition differs from the accepted one; counted the first time.
    Changed,
    /// It is in no class; counted the first time.
    Unclassified,
    /// It is not recorded, where such tools are refused; counted the first time.
    Unknown,
    /// Memory has no room to track it; counted every time.
    Untracked,
}

/// The outcome for one item of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ItemFate {
    /// Forwarded.
    Visible,
    /// The policy hides it from the caller.
    Hidden,
    /// Removed because it could not be judged.
    Unjudged,
}

/// Metrics of lists and tools.
#[derive(Debug, Clone, Default)]
pub struct ListMetrics {
    tools: Family<ToolLabels, Counter>,
    items: Family<ItemLabels, Counter>,
    refusals: Family<RefusalLabels, Counter>,
    snapshot_failing: Family<ServerLabels, Gauge>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ToolLabels {
    server: String,
    event: ToolEvent,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ItemLabels {
    server: String,
    list: &'static str,
    result: ItemFate,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusalLabels {
    server: String,
    reason: &'static str,
}

impl ListMetrics {
    pub(super) fn register(&self, to: &mut Registry) {
        to.register(
            "tools",
            "Tools in lists that changed, are in no class, or are not tracked",
            self.tools.clone(),
        );
        to.register(
            "list_items",
            "Items of lists, by what became of them",
            self.items.clone(),
        );
        to.register(
            "responses_refused",
            "List responses that were not forwarded",
            self.refusals.clone(),
        );
        to.register(
            "tools_snapshot_failing",
            "Whether the file of recorded tools cannot be used",
            self.snapshot_failing.clone(),
        );
    }

    /// Counts an event about a tool. `mcp_authz_tools_total`.
    pub fn record_tool(&self, server: &str, event: ToolEvent) {
        let labels = ToolLabels {
            server: server.to_owned(),
            event,
        };
        self.tools.get_or_create(&labels).inc();
    }

    /// Counts items of a list; `list` is `tools`, `prompts`, `resources` or `resource_templates`.
    /// `mcp_authz_list_items_total`.
    pub fn record_items(&self, server: &str, list: &'static str, result: ItemFate, items: u64) {
        let labels = ItemLabels {
            server: server.to_owned(),
            list,
            result,
        };
        self.items.get_or_create(&labels).inc_by(items);
    }

    /// Counts a response that was not forwarded, by a stable reason code.
    /// `mcp_authz_responses_refused_total`.
    pub fn record_refusal(&self, server: &str, reason: &'static str) {
        let labels = RefusalLabels {
            server: server.to_owned(),
            reason,
        };
        self.refusals.get_or_create(&labels).inc();
    }

    /// Sets whether a server's file of recorded tools cannot be used.
    /// `mcp_authz_tools_snapshot_failing`.
    pub fn set_snapshot_failing(&self, server: &str, failing: bool) {
        let labels = ServerLabels::of(server);
        let gauge = self.snapshot_failing.get_or_create(&labels);
        gauge.set(i64::from(failing));
    }

    /// Forgets the recorded tools of a server that has none any more.
    pub fn forget_snapshot(&self, server: &str) {
        self.snapshot_failing.remove(&ServerLabels::of(server));
    }
}

impl EncodeLabelValue for ToolEvent {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> std::fmt::Result {
        let name = match self {
            Self::Changed => "tool_changed",
            Self::Unclassified => "unclassified",
            Self::Unknown => "unknown",
            Self::Untracked => "untracked",
        };
        name.encode(encoder)
    }
}

impl EncodeLabelValue for ItemFate {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> std::fmt::Result {
        let name = match self {
            Self::Visible => "visible",
            Self::Hidden => "hidden",
            Self::Unjudged => "unjudged",
        };
        name.encode(encoder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::metrics::Metrics;

    #[test]
    fn names_and_labels_are_as_documented() {
        let metrics = Metrics::new();
        metrics.lists.record_tool("s", ToolEvent::Changed);
        metrics.lists.record_tool("s", ToolEvent::Unclassified);
        metrics.lists.record_tool("s", ToolEvent::Unknown);
        metrics.lists.record_tool("s", ToolEvent::Untracked);
        metrics
            .lists
            .record_items("s", "tools", ItemFate::Visible, 3);
        metrics
            .lists
            .record_items("s", "prompts", ItemFate::Hidden, 2);
        metrics
            .lists
            .record_items("s", "resource_templates", ItemFate::Unjudged, 1);
        metrics.lists.record_refusal("s", "encoded");
        metrics.lists.set_snapshot_failing("s", true);
        metrics.assert_has(&[
            "mcp_authz_tools_total{server=\"s\",event=\"tool_changed\"} 1",
            "mcp_authz_tools_total{server=\"s\",event=\"unclassified\"} 1",
            "mcp_authz_tools_total{server=\"s\",event=\"unknown\"} 1",
            "mcp_authz_tools_total{server=\"s\",event=\"untracked\"} 1",
            "mcp_authz_list_items_total{server=\"s\",list=\"tools\",result=\"visible\"} 3",
            "mcp_authz_list_items_total{server=\"s\",list=\"prompts\",result=\"hidden\"} 2",
            "mcp_authz_list_items_total{server=\"s\",list=\"resource_templates\",result=\"unjudged\"} 1",
            "mcp_authz_responses_refused_total{server=\"s\",reason=\"encoded\"} 1",
            "mcp_authz_tools_snapshot_failing{server=\"s\"} 1",
        ]);
    }
}
