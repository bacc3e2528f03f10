//! Decision tables: what Envoy sends, what it is told, and why.
//!
//! Each file of `tests/data/decisions` is one configuration, one policy and rows of requests with
//! what they must come to; its README says how to read and write them. A row goes the whole way: a
//! `CheckRequest` into the gRPC service, a `CheckResponse` out of it, tokens really signed, the
//! audit record read back from its sink.

mod answer;
mod expectation;
mod issuer;
mod peers;
mod properties;
mod request;
mod service;
mod sizes;
mod table;

use std::collections::BTreeSet;

use mcp_authz::check::Reason;

use serde_json::Value;
use service::Service;
use table::Table;
pub(crate) use table::read_yaml;

#[test]
fn every_row_ends_as_written() {
    let mut failures = Vec::new();
    let mut rows = 0;
    for table in Table::all() {
        rows += table.rows.len();
        failures.extend(run(&table));
    }
    assert!(
        failures.is_empty(),
        "{} of {rows} rows fail\n\n{}",
        failures.len(),
        failures.join("\n")
    );
}

#[test]
fn every_reason_has_a_row() {
    let tables = Table::all();
    let written: BTreeSet<&str> = tables
        .iter()
        .flat_map(|table| &table.rows)
        .map(|row| row.expect.reason.as_str())
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

/// Runs the rows of a table in order against one service, and says what is not as written.
fn run(table: &Table) -> Vec<String> {
    let service = Service::start(table);
    let mut ended = Vec::new();
    for row in &table.rows {
        for (server, tools) in &row.listed {
            for tool in tools {
                service.observe(server, tool);
            }
        }
        let built = request::build(&row.request);
        let response = service.check(&built.check);
        let returned = row.answer.as_ref();
        let faults = returned.map(|answer| service.give_back(answer, &response));
        ended.push((row, built, response, faults.unwrap_or_default()));
    }
    let (notices, records): (Vec<String>, Vec<String>) = service
        .stop()
        .into_iter()
        .partition(|line| line.contains(r#""event":"#));
    let wanted: Vec<&Value> = table.rows.iter().flat_map(|row| &row.noticed).collect();
    for (notice, wanted) in notices.iter().zip(&wanted) {
        let faults = expectation::part(wanted, &serde_json::from_str(notice).unwrap());
        assert!(faults.is_empty(), "{}: {faults:?} in {notice}", table.file);
    }
    assert_eq!(notices.len(), wanted.len(), "{}: notices", table.file);
    assert_eq!(
        records.len(),
        table.rows.len(),
        "{}: each check leaves one record",
        table.file
    );
    let mut failures = Vec::new();
    for ((row, built, response, returned), line) in ended.iter().zip(&records) {
        let mut faults = expectation::faults(&row.expect, built, response, line);
        faults.extend_from_slice(returned);
        if !faults.is_empty() {
            failures.push(format!(
                "{}: {}\n{}\n",
                table.file,
                row.name,
                faults.join("\n")
            ));
        }
    }
    failures
}
