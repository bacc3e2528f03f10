//! Ways to a server around the filter.

use std::collections::BTreeSet;

use super::chain::{Authz, Chain};
use super::routes::{self, Enablement, Route};
use super::world::{self, World};
use super::{ConfigMessage, Report, choice};

/// Looks for routes without a check: to a cluster to which judged routes lead, or with the filter
/// disabled.
pub(super) fn look<'n>(
    chains: &[Chain<'n>],
    ours: &[Vec<Authz<'n>>],
    tables: &[Vec<ConfigMessage<'n>>],
    world: &World<'n>,
    report: &mut Report,
) {
    let all = || chains.iter().zip(ours).zip(tables);
    let mut judged = Judged {
        world,
        clusters: BTreeSet::new(),
        addresses: BTreeSet::new(),
    };
    for ((_, ours), tables) in all() {
        for route in tables.iter().flat_map(|table| routes::routes(*table)) {
            if is_judged(ours, &route) {
                judged.add(route.cluster.and_then(ConfigMessage::text));
            }
        }
    }
    for ((chain, ours), tables) in all() {
        if chain.is_bytes {
            look_at_bytes(chain, &judged, report);
        }
        for route in tables.iter().flat_map(|table| routes::routes(*table)) {
            if route.leads_on() && !is_judged(ours, &route) {
                look_at_route(chain, ours, &route, &judged, report);
            }
        }
    }
}

/// The servers to which judged requests go.
struct Judged<'a, 'n> {
    world: &'a World<'n>,
    clusters: BTreeSet<&'n str>,
    /// Addresses of their endpoints, because the same server may have another name.
    addresses: BTreeSet<String>,
}

impl<'n> Judged<'_, 'n> {
    fn add(&mut self, cluster: Option<&'n str>) {
        let Some(name) = cluster else {
            return;
        };
        if self.clusters.contains(name) {
            return;
        }
        for name in self.world.reached(name) {
            self.clusters.insert(name);
            let cluster = self.world.cluster(name);
            let addresses = cluster.into_iter().flat_map(world::addresses);
            self.addresses.extend(addresses);
        }
    }

    fn has(&self, name: &'n str) -> bool {
        self.world.reached(name).into_iter().any(|name| {
            let cluster = self.world.cluster(name).into_iter();
            let mut addresses = cluster.flat_map(world::addresses);
            self.clusters.contains(name)
                || addresses.any(|address| self.addresses.contains(&address))
        })
    }
}

fn is_judged<'n>(ours: &[Authz<'n>], route: &Route<'n>) -> bool {
    ours.iter()
        .any(|authz| matches!(route.state(authz), Enablement::On))
}

fn look_at_route<'n>(
    chain: &Chain<'n>,
    ours: &[Authz<'n>],
    route: &Route<'n>,
    judged: &Judged<'_, 'n>,
    report: &mut Report,
) {
    let cluster = route
        .cluster
        .and_then(ConfigMessage::text)
        .unwrap_or_default();
    let Some(authz) = ours.first() else {
        let mut filters = chain.filters.iter();
        if let Some(unread) = filters.find(|filter| filter.is_elsewhere()) {
            let message = "these files do not show whether mcp-authz is called";
            report.unseen(unread.at, message);
        } else {
            look_at_open(chain, route, judged, report);
        }
        return;
    };
    let message = "this route is not checked: every request passes, even without a token";
    let help = "leave it out; give requests that need no check a route to a separate cluster";
    let is_server = judged.has(cluster)
        || judged.clusters.is_empty()
        || route.server(authz).is_some()
        || !choice::all(route, judged.world).is_empty();
    match route.state(authz) {
        Enablement::Off(field) if is_server => report.error(field, message, help),
        Enablement::Off(field) => report.warn(field, message, help),
        Enablement::NeverOn => {
            let help = "name the filter in `typed_per_filter_config` of the route, or leave \
                        `disabled` out of the filter";
            if is_server {
                report.missing(route.entry, message, help);
            } else {
                report.warn_missing(route.entry, message, help);
            }
        }
        Enablement::On => {}
    }
}

/// Checks a route that no filter guards.
fn look_at_open<'n>(
    chain: &Chain<'n>,
    route: &Route<'n>,
    judged: &Judged<'_, 'n>,
    report: &mut Report,
) {
    let leads = judged.has(
        route
            .cluster
            .and_then(ConfigMessage::text)
            .unwrap_or_default(),
    );
    let choices = choice::all(route, judged.world);
    if let Some(upgrade) = chain.upgrade {
        if (leads || !choices.is_empty()) && is_upgraded(upgrade, route) {
            let message = "requests with this upgrade pass only these filters, without \
                           ext_authz: every request passes, even without a token";
            let at = upgrade.get("filters").unwrap_or(upgrade);
            report.error(at, message, "leave `upgrade_configs` out");
        }
        return;
    }
    let help = "the filters of the listener that has them";
    if leads {
        let message = "this listener has no ext_authz filter and leads to the same server: every \
                       request passes, even without a token";
        report.error(route.cluster.unwrap_or(route.entry), message, help);
    }
    for choice in choices {
        let what = choice.what;
        if choice.of_clusters {
            let message = format!(
                "this listener has no ext_authz filter, and {what}: every request passes, even \
                 without a token"
            );
            report.error(choice.at, message, help);
        } else {
            let message = format!(
                "a listener without an ext_authz filter leads here, and {what}, which may be one \
                 whose requests are checked elsewhere"
            );
            report.warn(choice.at, message, help);
        }
    }
}

/// Whether requests with an upgrade are accepted on a route, which may override the setting.
fn is_upgraded(upgrade: ConfigMessage<'_>, route: &Route<'_>) -> bool {
    let kind = upgrade.text_of("upgrade_type");
    let mut own = route.entry.list("route.upgrade_configs");
    let own = own.find(|own| own.text_of("upgrade_type").eq_ignore_ascii_case(kind));
    let enabled = own.unwrap_or(upgrade).at("enabled");
    enabled.and_then(ConfigMessage::truth) != Some(false)
}

/// A TCP proxy forwards bytes that nobody has parsed.
fn look_at_bytes(chain: &Chain<'_>, judged: &Judged<'_, '_>, report: &mut Report) {
    let proxy = chain.manager;
    let parts = proxy.list("weighted_clusters.clusters");
    let parts = parts.filter_map(|part| part.get("name"));
    for cluster in parts.chain(proxy.get("cluster")) {
        if cluster.text().is_some_and(|name| judged.has(name)) {
            let message = "this listener forwards bytes to the same server: every request \
                           passes, even without a token";
            report.error(
                cluster,
                message,
                "an HTTP connection manager with the same filters",
            );
        }
    }
}
