//! Checks Envoy's configuration against what mcp-authz requires of it.
//!
//! Most mistakes open something silently: a filter that is skipped, headers that are withheld, a
//! response that is not sent. They are found in the files, before Envoy reads them. What is missing
//! in a file because Envoy gets it over xDS is reported and not guessed.
//!
//! Each mistake is a row of a table (`rows`) or a function in one (`CHECKS`), by subject: the
//! filter itself (`authz`), changes of headers (`locks`) and later changes by other filters
//! (`behind`), the path of responses (`responses`, `coverage`), the connection (`connection`),
//! logged facts about decisions (`leaks`), a judged request on its route (`runs`) and its
//! destination (`choice`), ways around the filter (`ways`), the cluster (`clusters`), and values
//! that Envoy reads differently (`spellings`).

mod authz;
mod behind;
mod chain;
mod choice;
mod clusters;
mod connection;
mod coverage;
mod expected;
mod files;
mod fraction;
mod gate;
mod leaks;
mod locks;
mod matcher;
mod message;
mod order;
mod processor;
mod report;
mod responses;
mod routes;
mod rows;
mod runs;
mod spellings;
mod ways;
mod world;

use std::path::Path;

use crate::yaml::{Findings, Source};

use chain::Chain;
use gate::{AuthzFilter, NAMESPACE};
use message::ConfigMessage;
use report::Report;
use world::World;

pub use expected::{Expected, ExpectedHosts};

/// Every fault in the configuration of one Envoy: a bootstrap, files with `resources` (LDS, RDS,
/// CDS), or both, and the files that they name, which `read` reads. Without `expected`, checks that
/// depend on it are skipped.
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
    let chains = chain::chains(&world, &mut report);
    let (gates, ours) = chain::find(&chains, &world, expected, &mut report);
    if let Some(tree) = trees.last()
        && gates.iter().all(Vec::is_empty)
    {
        nothing_asked(ConfigMessage::of(tree), &chains, &world, &mut report);
        return report.findings;
    }
    let tables: Vec<_> = chains
        .iter()
        .map(|chain| routes::tables(chain, &world, &mut report))
        .collect();
    let all = chains.iter().zip(&gates).zip(&tables);
    for ((chain, of_chain), tables) in all {
        for authz in of_chain {
            let gate = AuthzFilter {
                chain,
                authz: *authz,
                expected,
                world: &world,
                ours: &ours,
            };
            look(&gate, tables, &mut report);
        }
    }
    ways::look(&chains, &gates, &tables, &world, &mut report);
    report.findings
}

/// Reports that no filter calls mcp-authz, or that a filter over xDS might.
fn nothing_asked(
    root: ConfigMessage<'_>,
    chains: &[Chain<'_>],
    world: &World<'_>,
    report: &mut Report,
) {
    let mut filters = chains.iter().flat_map(|chain| &chain.filters);
    let unread = filters.find(|filter| filter.is_elsewhere());
    let unseen = unread.map(|filter| filter.at).or(world.elsewhere(root));
    if let Some(unseen) = unseen {
        let message = "these files do not show whether mcp-authz is called";
        report.unseen(unseen, message);
        return;
    }
    let message = "no ext_authz filter calls mcp-authz: no request is checked";
    let help = "the filter of envoy/envoy.yaml in the `http_filters` of each listener";
    match chains.iter().find(|chain| !chain.is_bytes) {
        Some(chain) => report.missing(chain.manager, message, help),
        None => report.missing(root, message, help),
    }
}

/// Checks one gate and the routes behind it.
fn look<'n>(gate: &AuthzFilter<'_, 'n>, tables: &[ConfigMessage<'n>], report: &mut Report) {
    if gate.chain.upgrade.is_some() {
        // mcp-authz refuses every upgrade, provided it is called.
        for check in authz::CHECKS {
            check(gate, report);
        }
        return;
    }
    let of_chain = authz::CHECKS.iter().chain(&order::CHECKS);
    let of_chain = of_chain.chain(&locks::CHECKS).chain(&responses::CHECKS);
    let of_chain = of_chain.chain(&connection::CHECKS);
    for check in of_chain.chain(&behind::CHECKS).chain(&leaks::CHECKS) {
        check(gate, report);
    }
    clusters::look(gate, report);
    for table in tables {
        leaks::look_at_table(*table, report);
        for route in routes::routes(*table) {
            routes::look_for_strays(gate.chain, &route, report);
            let is_on = matches!(route.state(&gate.authz), routes::Enablement::On);
            if is_on {
                runs::unknown_server(gate, &route, report);
            } else {
                runs::unanswered_metadata(&route, report);
            }
            if is_on && route.leads_on() {
                runs::look(gate, &route, report);
            }
        }
    }
}
