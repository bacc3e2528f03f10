//! Decision tables: what Envoy sends, what it is told, and why.
//!
//! Each file of `tests/data/decisions` and `tests/data/providers` is one configuration, one policy and rows of requests with
//! what they must come to; its README says how to read and write them. A row goes the whole way: a
//! `CheckRequest` into the gRPC service, a `CheckResponse` out of it, tokens really signed, the
//! audit record read back from its sink. Each row has a service of its own, which has seen no request
//! before. The rows of a table share its policy and its authenticator, which remembers the keys of
//! issuers and tokens that it has verified.

mod expectation;
mod issuer;
mod peers;
mod properties;
mod recipe;
mod request;
mod response;
mod service;
mod sizes;
mod table;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use mcp_authz::check::Reason;
use serde_json::Value;

use crate::harness::{self, Test, tests};
use service::{Service, Setup};
use table::{Row, Table};

/// Every row, with a service of its own.
pub(crate) fn tables() -> Vec<harness::Table> {
    Table::all().into_iter().map(named).collect()
}

fn named(mut table: Table) -> harness::Table {
    let file = Path::new(table.folder).join(&table.file);
    let rows = std::mem::take(&mut table.rows);
    let setup: Box<dyn FnOnce() -> Arc<Setup> + Send> =
        Box::new(move || Arc::new(Setup::new(table)));
    let setup = Arc::new(LazyLock::new(setup));
    let rows = rows.into_iter().map(|row| {
        let setup = Arc::clone(&setup);
        let name = row.name.clone();
        let run: harness::Run = Box::new(move || run(&setup, &row));
        (name, run)
    });
    let rows = rows.collect();
    harness::Table { file, rows }
}

/// What is no row.
pub(crate) fn tests() -> Vec<Test> {
    let own = tests![every_reason_has_a_row];
    let all = own.into_iter().chain(properties::tests());
    let all = all.chain(recipe::tests());
    all.chain(sizes::tests()).collect()
}

fn every_reason_has_a_row() {
    let tables = Table::all();
    let written: BTreeSet<&str> = tables
        .iter()
        .flat_map(|table| &table.rows)
        .flat_map(|row| &row.steps)
        .map(|step| step.expect.reason.as_str())
        .collect();
    // A check is given up by Envoy, not by what it says: `check`'s own tests and those of the
    // gRPC server drop one.
    let all: BTreeSet<&str> = Reason::ALL
        .iter()
        .filter(|reason| **reason != Reason::Cancelled)
        .map(|reason| reason.code())
        .collect();
    let missing: Vec<_> = all.difference(&written).collect();
    let unknown: Vec<_> = written.difference(&all).collect();
    assert!(missing.is_empty(), "reasons without a row: {missing:?}");
    assert!(unknown.is_empty(), "rows with unknown reasons: {unknown:?}");
}

/// Runs the steps of a row in order against one service, and says what is not as written.
fn run(setup: &Arc<Setup>, row: &Row) -> Vec<String> {
    let service = Service::of(setup);
    let mut ended = Vec::new();
    for step in &row.steps {
        for (server, tools) in &step.listed {
            for tool in tools {
                service.observe(server, tool);
            }
        }
        let built = request::build(&step.request);
        let response = service.check(&built.check);
        let returned = step.response.as_ref();
        let faults = returned.map(|sent| service.give_back(sent, &response));
        ended.push((step, built, response, faults.unwrap_or_default()));
    }
    let (notices, records): (Vec<String>, Vec<String>) = service
        .stop()
        .into_iter()
        .partition(|line| line.contains(r#""event":"#));
    let mut failures = Vec::new();
    let wanted: Vec<&Value> = row.steps.iter().flat_map(|step| &step.noticed).collect();
    for (notice, wanted) in notices.iter().zip(&wanted) {
        let faults = expectation::part(wanted, &serde_json::from_str(notice).unwrap());
        if !faults.is_empty() {
            failures.push(format!("{}\nin {notice}", faults.join("\n")));
        }
    }
    if notices.len() != wanted.len() {
        let (found, wanted) = (notices.join("\n"), wanted.len());
        failures.push(format!("  {wanted} notices are expected, not\n{found}"));
    }
    assert_eq!(
        records.len(),
        row.steps.len(),
        "each check leaves one record"
    );
    for ((step, built, response, returned), line) in ended.iter().zip(&records) {
        let mut faults = expectation::faults(&step.expect, built, response, line);
        faults.extend_from_slice(returned);
        if !faults.is_empty() {
            failures.push(format!("{}\n{}", step.name, faults.join("\n")));
        }
    }
    failures
}
