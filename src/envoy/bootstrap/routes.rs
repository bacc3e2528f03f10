//! Routes: which of them are judged, and for which server.

use super::chain::{Authz, Chain, Filter};
use super::{ConfigMessage, Report, World};

/// One path of a request: a route, or one of the clusters among which a route chooses.
#[derive(Debug, Clone)]
pub(super) struct Route<'n> {
    pub(super) table: ConfigMessage<'n>,
    pub(super) host: ConfigMessage<'n>,
    pub(super) entry: ConfigMessage<'n>,
    /// Its cluster; `None` if Envoy answers itself, or the cluster is not named here.
    pub(super) cluster: Option<ConfigMessage<'n>>,
    /// Places that may configure filters differently, the most specific first.
    levels: Vec<ConfigMessage<'n>>,
}

/// Whether a filter handles the requests of a route.
#[derive(Debug, Clone, Copy)]
pub(super) enum Enablement<'n> {
    On,
    /// Disabled for the route, here.
    Off(ConfigMessage<'n>),
    /// Disabled in the chain, and not enabled for the route.
    NeverOn,
}

/// The type of a route's settings for `ext_authz`.
const PER_ROUTE: &str = "ext_authz.v3.ExtAuthzPerRoute";
/// The type of the wrapper around a route's settings for a filter.
const WRAPPER: &str = "route.v3.FilterConfig";

impl<'n> Route<'n> {
    /// The route's settings for a filter, the most specific first.
    fn entries(&self, filter: &str) -> impl Iterator<Item = ConfigMessage<'n>> {
        let levels = self.levels.iter();
        let maps = levels.filter_map(|level| level.get("typed_per_filter_config"));
        maps.filter_map(move |map| {
            let mut entries = map.entries();
            let found = entries.find(|(key, _)| key.as_str() == Some(filter));
            found.map(|(_, entry)| entry)
        })
    }

    /// The route's settings for a filter without their wrapper, the most specific first.
    pub(super) fn configs(&self, filter: &str) -> Vec<ConfigMessage<'n>> {
        let unwrapped = self
            .entries(filter)
            .filter_map(|entry| match entry.typed() {
                Some(typed) if typed.is(WRAPPER) => typed.body.get("config"),
                Some(_) => Some(entry),
                None => None,
            });
        unwrapped
            .filter(|config| config.typed().is_some())
            .collect()
    }

    /// Whether a filter is disabled for it.
    pub(super) fn is_off(&self, filter: &Filter<'_>) -> bool {
        let is_mentioned = self.entries(filter.name).next().is_some();
        self.switched_off(filter.name).is_some() || (filter.at.is("disabled") && !is_mentioned)
    }

    /// Whether a decision is requested.
    pub(super) fn state(&self, authz: &Authz<'_>) -> Enablement<'n> {
        if let Some(field) = self.switched_off(authz.filter.name) {
            return Enablement::Off(field);
        }
        if self.is_off(&authz.filter) {
            return Enablement::NeverOn;
        }
        let config = self.configs(authz.filter.name).into_iter().next();
        let disabled = config
            .and_then(ConfigMessage::typed)
            .map(|typed| typed.body);
        match disabled.and_then(|config| config.set("disabled")) {
            Some(field) => Enablement::Off(field),
            None => Enablement::On,
        }
    }

    /// Whether it leads to a server: Envoy itself answers redirects and direct responses.
    pub(super) fn leads_on(&self) -> bool {
        self.entry.get("route").is_some()
    }

    /// Where it disables a filter with the wrapper that any filter accepts.
    pub(super) fn switched_off(&self, filter: &str) -> Option<ConfigMessage<'n>> {
        let entry = self.entries(filter).next()?;
        let typed = entry.typed().filter(|typed| typed.is(WRAPPER))?;
        typed.body.set("disabled")
    }

    /// Its settings for `ext_authz`, the most specific first.
    pub(super) fn settings(&self, authz: &Authz<'_>) -> Vec<ConfigMessage<'n>> {
        let configs = self.configs(authz.filter.name).into_iter();
        let typed = configs
            .filter_map(ConfigMessage::typed)
            .filter(|typed| typed.is(PER_ROUTE));
        typed
            .filter_map(|typed| typed.body.get("check_settings"))
            .collect()
    }

    /// The server that the route names. Envoy merges the values of all places.
    pub(super) fn server(&self, authz: &Authz<'_>) -> Option<ConfigMessage<'n>> {
        let settings = self.settings(authz).into_iter();
        let mut extensions = settings.filter_map(|one| one.get("context_extensions"));
        extensions.find_map(|all| {
            let mut entries = all.entries();
            let found = entries.find(|(key, _)| key.as_str() == Some("mcp_server"));
            found.map(|(_, name)| name)
        })
    }

    /// A setting of the route, or else of its virtual host.
    pub(super) fn policy(&self, name: &str) -> Option<ConfigMessage<'n>> {
        let own = self.entry.at("route").and_then(|action| action.get(name));
        own.or_else(|| self.host.get(name))
    }

    /// Every place that changes headers of its requests.
    pub(super) fn levels(&self) -> &[ConfigMessage<'n>] {
        &self.levels
    }
}

/// The route tables of a chain. Tables from other sources are reported as unseen.
pub(super) fn tables<'n>(
    chain: &Chain<'n>,
    world: &World<'n>,
    report: &mut Report,
) -> Vec<ConfigMessage<'n>> {
    let manager = chain.manager;
    let mut tables: Vec<ConfigMessage<'n>> = manager.get("route_config").into_iter().collect();
    let mut by_name: Vec<ConfigMessage<'n>> = Vec::new();
    by_name.extend(manager.at("rds.route_config_name"));
    let scopes =
        manager.list("scoped_routes.scoped_route_configurations_list.scoped_route_configurations");
    for scope in scopes {
        tables.extend(scope.get("route_configuration"));
        by_name.extend(scope.get("route_configuration_name"));
    }
    for name in by_name {
        match world.route_table(name.text().unwrap_or_default()) {
            Some(table) => tables.push(table),
            None => report.unseen(name, "routes that Envoy gets over xDS are not checked"),
        }
    }
    if let Some(scoped) = manager.at("scoped_routes.scoped_rds") {
        report.unseen(scoped, "routes that Envoy gets over xDS are not checked");
    }
    for table in &tables {
        if let Some(hosts) = table.get("vhds") {
            report.unseen(
                hosts,
                "virtual hosts that Envoy gets over xDS are not checked",
            );
        }
    }
    tables
}

/// Every route of a route table.
pub(super) fn routes(table: ConfigMessage<'_>) -> Vec<Route<'_>> {
    let mut found = Vec::new();
    for host in table.list("virtual_hosts") {
        let tree = host
            .get("matcher")
            .map_or_else(Vec::new, |tree| tree.packed("route.v3.Route"));
        let lists = host
            .get("matcher")
            .map_or_else(Vec::new, |tree| tree.packed("route.v3.RouteList"));
        let listed = lists.into_iter().flat_map(|list| list.list("routes"));
        for route in host.list("routes").chain(tree).chain(listed) {
            let parts: Vec<_> = route.list("route.weighted_clusters.clusters").collect();
            let levels = vec![route, host, table];
            let whole = Route {
                table,
                host,
                entry: route,
                cluster: route.at("route.cluster"),
                levels,
            };
            for part in &parts {
                let mut levels = whole.levels.clone();
                levels.insert(0, *part);
                found.push(Route {
                    cluster: part.get("name"),
                    levels,
                    ..whole.clone()
                });
            }
            if parts.is_empty() {
                found.push(whole);
            }
        }
    }
    found
}

/// Reports settings of a route for a missing `ext_authz` filter: filters are identified by their
/// name in the chain.
pub(super) fn look_for_strays(chain: &Chain<'_>, route: &Route<'_>, report: &mut Report) {
    for level in route.levels() {
        let map = level.get("typed_per_filter_config");
        for (key, entry) in map.into_iter().flat_map(ConfigMessage::entries) {
            let is_known = chain
                .filters
                .iter()
                .any(|filter| Some(filter.name) == key.as_str());
            if !is_known && !entry.packed(PER_ROUTE).is_empty() {
                let message = "no filter of the chain has this name, so this entry has no effect";
                let help = "the `name` of the ext_authz filter in `http_filters`";
                report.error(ConfigMessage::of(key), message, help);
            }
        }
    }
}
