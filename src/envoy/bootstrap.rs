//! Envoy's configuration, held against what mcp-authz needs of it.
//!
//! Most mistakes in it open something without a sound: a filter that is skipped, headers that are
//! held back, an answer that is not shown. They are found in the files, before Envoy reads them.
//! What a file does not have, since Envoy gets it over xDS, is said and not guessed.
//!
//! Each mistake is a row of a table (`rows`) or a function in one (`CHECKS`), by what it is
//! about: the filter itself (`authz`), the headers that are changed (`locks`) and what changes
//! them again (`behind`), the way of answers (`answers`, `coverage`), the connection
//! (`connection`), what is written of decisions (`leaks`), what becomes of a judged request on its
//! route (`runs`) and where it goes (`choice`), ways around the filter (`ways`), the cluster
//! (`clusters`), and what Envoy reads in another way (`spellings`).

mod answers;
mod authz;
mod behind;
mod chain;
mod choice;
mod clusters;
mod connection;
mod coverage;
mod files;
mod fraction;
mod leaks;
mod locks;
mod matcher;
mod message;
mod order;
mod report;
mod routes;
mod rows;
mod runs;
mod spellings;
mod ways;
mod world;

use std::path::Path;

use crate::listen::Address;
use crate::yaml::{Findings, Source};

use super::request;
use chain::{Authz, Chain, Filter, Ours};
use message::Message;
use report::Report;
use world::World;

/// What the configuration of mcp-authz says that Envoy's has to agree with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// Where it listens.
    pub listen: Address,
    /// The names of its servers.
    pub servers: Vec<String>,
    /// Whether every one of them takes bodies as text.
    pub string_body: bool,
    /// `limits.body_bytes_max`.
    pub body_bytes_max: usize,
    /// `limits.headers_max`.
    pub headers_max: usize,
    /// `limits.header_bytes_max`.
    pub header_bytes_max: usize,
    /// `limits.streams_max`.
    pub streams_max: u32,
    /// Whether the certificates of Envoy's TLS peers are verified.
    pub peers: bool,
    /// Which address of a request is the client's.
    pub client_address: request::Source,
    /// The headers that the policy sets, in lower case.
    pub set_headers: Vec<String>,
}

/// The namespace of the metadata that Envoy keeps of a decision, whatever the filter is called.
const NAMESPACE: &str = "envoy.filters.http.ext_authz";

/// Everything that is wrong with the configuration of one Envoy: a bootstrap, files with
/// `resources` (LDS, RDS, CDS), or both, and the files that they name, which `read` gets. Without
/// `expected` nothing is said of what depends on it.
#[must_use]
pub fn inspect(
    files: Vec<Source>,
    expected: Option<&Expected>,
    read: &dyn Fn(&Path) -> std::io::Result<String>,
) -> Findings {
    let mut findings = Findings::new();
    let trees = files::load(files, read, &mut findings);
    let mut report = Report::new(findings);
    for tree in &trees {
        spellings::look(tree, &mut report);
    }
    let world = World::of(&trees, &mut report);
    let chains = world::chains(&world, &mut report);
    let (gates, ours) = chain::find(&chains, &world, expected, &mut report);
    if let Some(tree) = trees.last()
        && gates.iter().all(Vec::is_empty)
    {
        nothing_asked(Message::of(tree), &chains, &world, &mut report);
        return report.findings;
    }
    let tables: Vec<_> = chains
        .iter()
        .map(|chain| routes::tables(chain, &world, &mut report))
        .collect();
    let all = chains.iter().zip(&gates).zip(&tables);
    for ((chain, of_chain), tables) in all {
        for authz in of_chain {
            let gate = Gate {
                chain,
                authz: *authz,
                expected,
                world: &world,
                ours: &ours,
            };
            gate.look(tables, &mut report);
        }
    }
    ways::look(&chains, &gates, &tables, &world, &mut report);
    report.findings
}

/// No filter asks mcp-authz, or what would ask it comes from elsewhere.
fn nothing_asked(root: Message<'_>, chains: &[Chain<'_>], world: &World<'_>, report: &mut Report) {
    let mut filters = chains.iter().flat_map(|chain| &chain.filters);
    let unread = filters.find(|filter| filter.is_elsewhere());
    let unseen = unread.map(|filter| filter.at).or(world.elsewhere(root));
    if let Some(unseen) = unseen {
        let message = "it cannot be seen from these files whether mcp-authz is asked";
        report.unseen(unseen, message);
        return;
    }
    let message = "no ext_authz filter asks mcp-authz: nothing is judged";
    let help = "the filter of envoy/envoy.yaml in the `http_filters` of each listener";
    match chains.iter().find(|chain| !chain.is_bytes) {
        Some(chain) => report.missing(chain.manager, message, help),
        None => report.missing(root, message, help),
    }
}

/// An `ext_authz` filter that asks mcp-authz, and what it is held against.
#[derive(Debug, Clone, Copy)]
struct Gate<'a, 'n> {
    chain: &'a Chain<'n>,
    authz: Authz<'n>,
    expected: Option<&'a Expected>,
    world: &'a World<'n>,
    ours: &'a Ours<'n>,
}

impl<'a, 'n> Gate<'a, 'n> {
    /// Whether a configuration names mcp-authz as the service to ask.
    fn asks_us(&self, config: Message<'_>) -> bool {
        self.ours.has(chain::cluster_of(config))
    }

    /// The filters in front of it.
    fn before(&self) -> impl Iterator<Item = &'a Filter<'n>> + use<'a, 'n> {
        self.chain.filters.iter().take(self.authz.position)
    }

    /// The filters behind it.
    fn behind(&self) -> impl Iterator<Item = &'a Filter<'n>> + use<'a, 'n> {
        let skipped = self.authz.position.saturating_add(1);
        self.chain.filters.iter().skip(skipped)
    }

    fn look(&self, tables: &[Message<'n>], report: &mut Report) {
        if self.chain.upgrade.is_some() {
            // mcp-authz refuses every upgrade, as long as it is asked.
            for check in authz::CHECKS {
                check(self, report);
            }
            return;
        }
        let of_chain = authz::CHECKS.iter().chain(&order::CHECKS);
        let of_chain = of_chain.chain(&locks::CHECKS).chain(&answers::CHECKS);
        let of_chain = of_chain.chain(&connection::CHECKS);
        for check in of_chain.chain(&behind::CHECKS).chain(&leaks::CHECKS) {
            check(self, report);
        }
        clusters::look(self, report);
        for table in tables {
            leaks::look_at_table(*table, report);
            for route in routes::routes(*table) {
                routes::look_for_strays(self.chain, &route, report);
                let is_on = matches!(route.state(&self.authz), routes::State::On);
                if is_on {
                    runs::unknown_server(self, &route, report);
                } else {
                    runs::unanswered_metadata(&route, report);
                }
                if is_on && route.leads_on() {
                    runs::look(self, &route, report);
                }
            }
        }
    }
}
