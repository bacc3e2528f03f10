//! Ways to a server that go around the filter.

use std::collections::BTreeSet;

use super::chain::{Authz, Chain};
use super::routes::{self, Route, State};
use super::{Message, Report};

/// Looks for routes on which nobody is asked: to a cluster to which others lead that are judged,
/// or by which the filter was switched off.
pub(super) fn look<'n>(
    chains: &[Chain<'n>],
    ours: &[Vec<Authz<'n>>],
    tables: &[Vec<Message<'n>>],
    report: &mut Report,
) {
    let all = || chains.iter().zip(ours).zip(tables);
    let mut judged: BTreeSet<&str> = BTreeSet::new();
    for ((_, ours), tables) in all() {
        for route in tables.iter().flat_map(|table| routes::routes(*table)) {
            if is_judged(ours, &route) {
                judged.extend(route.cluster.and_then(Message::text));
            }
        }
    }
    for ((chain, ours), tables) in all() {
        if chain.is_bytes {
            look_at_bytes(chain, &judged, report);
        }
        for route in tables.iter().flat_map(|table| routes::routes(*table)) {
            if route.leads_on() && !is_judged(ours, &route) {
                look_at_route(ours, &route, &judged, report);
            }
        }
    }
}

fn is_judged<'n>(ours: &[Authz<'n>], route: &Route<'n>) -> bool {
    ours.iter()
        .any(|authz| matches!(route.state(authz), State::On))
}

fn look_at_route<'n>(
    ours: &[Authz<'n>],
    route: &Route<'n>,
    judged: &BTreeSet<&str>,
    report: &mut Report,
) {
    let cluster = route.cluster.and_then(Message::text).unwrap_or_default();
    let Some(authz) = ours.first() else {
        if judged.contains(cluster) {
            let message = "this listener has no ext_authz filter, and leads to the same server: \
                           everything passes, without a token too";
            let at = route.cluster.unwrap_or(route.entry);
            report.error(at, message, "the filters of the listener that has them");
        }
        return;
    };
    let message = "nobody is asked on this route: everything passes, without a token too";
    let help = "leave it out; what needs no judgement gets a route to a cluster of its own";
    let is_server = judged.contains(cluster) || judged.is_empty() || route.server(authz).is_some();
    match route.state(authz) {
        State::Off(field) if is_server => report.error(field, message, help),
        State::Off(field) => report.warn(field, message, help),
        State::NeverOn => {
            let help = "name the filter in `typed_per_filter_config` of the route, or leave \
                        `disabled` out of the filter";
            if is_server {
                report.missing(route.entry, message, help);
            } else {
                report.warn_missing(route.entry, message, help);
            }
        }
        State::On => {}
    }
}

/// A TCP proxy forwards what nobody has read.
fn look_at_bytes(chain: &Chain<'_>, judged: &BTreeSet<&str>, report: &mut Report) {
    let proxy = chain.manager;
    let parts = proxy.list("weighted_clusters.clusters");
    let parts = parts.filter_map(|part| part.get("name"));
    for cluster in parts.chain(proxy.get("cluster")) {
        if cluster.text().is_some_and(|name| judged.contains(name)) {
            let message = "this listener forwards bytes to the same server: everything passes, \
                           without a token too";
            report.error(
                cluster,
                message,
                "an HTTP connection manager with the same filters",
            );
        }
    }
}
