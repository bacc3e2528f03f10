//! Routes: which of them are judged, and as what.

use super::chain::{Authz, Chain, Filter};
use super::{ConfigMessage, Report, World};

/// One way of a request: a route, or one of the clusters among which a route chooses.
#[derive(Debug, Clone)]
pub(super) struct Route<'n> {
    pub(super) table: ConfigMessage<'n>,
    pub(super) host: ConfigMessage<'n>,
    pub(super) entry: ConfigMessage<'n>,
    /// The cluster that it leads to; none if Envoy answers itself, or the cluster is not said here.
    pub(super) cluster: Option<ConfigMessage<'n>>,
    /// Where filters may be configured otherwise, the most specific place first.
    levels: Vec<ConfigMessage<'n>>,
}

/// Whether a filter sees the requests of a route.
#[derive(Debug, Clone, Copy)]
pub(super) enum Enablement<'n> {
    On,
    /// Switched off for the route, here.
    Off(ConfigMessage<'n>),
    /// Switched off in the chain, and not switched on for the route.
    NeverOn,
}

/// The type of what a route says to `ext_authz`.
const PER_ROUTE: &str = "ext_authz.v3.ExtAuthzPerRoute";
/// The type of the wrapper in which a route may say something to a filter.
const WRAPPER: &str = "route.v3.FilterConfig";

impl<'n> Route<'n> {
    /// What the places of the route say to a filter, the most specific first.
    fn entries(&self, filter: &str) -> impl Iterator<Item = ConfigMessage<'n>> {
        let levels = self.levels.iter();
        let maps = levels.filter_map(|level| level.get("typed_per_filter_config"));
        maps.filter_map(move |map| {
            let mut entries = map.entries();
            let found = entries.find(|(key, _)| key.as_str() == Some(filter));
            found.map(|(_, entry)| entry)
        })
    }

    /// What the route says to a filter without its wrapper, the most specific first.
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

    /// Whether a filter is switched off for it.
    pub(super) fn is_off(&self, filter: &Filter<'_>) -> bool {
        let is_mentioned = self.entries(filter.name).next().is_some();
        self.switched_off(filter.name).is_some() || (filter.at.is("disabled") && !is_mentioned)
    }

    /// Whether the decision is asked for.
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

    /// Whether it leads to a server: Envoy answers redirects and direct responses itself.
    pub(super) fn leads_on(&self) -> bool {
        self.entry.get("route").is_some()
    }

    /// Where it switches a filter off by the wrapper that any filter takes.
    pub(super) fn switched_off(&self, filter: &str) -> Option<ConfigMessage<'n>> {
        let entry = self.entries(filter).next()?;
        let typed = entry.typed().filter(|typed| typed.is(WRAPPER))?;
        typed.body.set("disabled")
    }

    /// What it says to `ext_authz`, the most specific first.
    pub(super) fn settings(&self, authz: &Authz<'_>) -> Vec<ConfigMessage<'n>> {
        let configs = self.configs(authz.filter.name).into_iter();
        let typed = configs
            .filter_map(ConfigMessage::typed)
            .filter(|typed| typed.is(PER_ROUTE));
        typed
            .filter_map(|typed| typed.body.get("check_settings"))
            .collect()
    }

    /// The server that the route names. Values of all places are merged.
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

/// The route tables of a chain. What comes from elsewhere is said.
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
            None => report.unseen(name, "routes that Envoy gets over xDS are not looked at"),
        }
    }
    if let Some(scoped) = manager.at("scoped_routes.scoped_rds") {
        report.unseen(scoped, "routes that Envoy gets over xDS are not looked at");
    }
    for table in &tables {
        if let Some(hosts) = table.get("vhds") {
            report.unseen(
                hosts,
                "virtual hosts that Envoy gets over xDS are not looked at",
            );
        }
    }
    tables
}

/// Every way through a route table.
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

/// Says where a route says something to an `ext_authz` filter that is not there: filters go by
/// their name in the chain.
pub(super) fn look_for_strays(chain: &Chain<'_>, route: &Route<'_>, report: &mut Report) {
    for level in route.levels() {
        let map = level.get("typed_per_filter_config");
        for (key, entry) in map.into_iter().flat_map(ConfigMessage::entries) {
            let is_known = chain
                .filters
                .iter()
                .any(|filter| Some(filter.name) == key.as_str());
            if !is_known && !entry.packed(PER_ROUTE).is_empty() {
                let message = "no filter of the chain has this name, so that what stands here has \
                               no effect";
                let help = "the `name` of the ext_authz filter in `http_filters`";
                report.error(ConfigMessage::of(key), message, help);
            }
        }
    }
}
