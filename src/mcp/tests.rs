//! Tables: one body or header list per row, with the exact refusal or the exact targets.

mod bodies;
mod headers;
mod indirect;
mod properties;
mod targets;

use super::*;

/// Decodes with default options apart from a batch limit, and returns the refusal.
fn refusal(body: &[u8], change: impl FnOnce(&mut DecodeOptions)) -> Option<Refusal> {
    let mut options = DecodeOptions::default();
    change(&mut options);
    decode(body, &options).err().map(|refused| refused.refusal)
}

fn one(body: &str) -> Message<'_> {
    match decode(body.as_bytes(), &DecodeOptions::default()) {
        Ok(Payload::One(message)) => message,
        other => panic!("not one message: {other:?}"),
    }
}

/// The rows of a table: one line each, with cells between bars. Blank lines only group rows for the
/// reader.
fn rows<const N: usize>(table: &str) -> impl Iterator<Item = [&str; N]> {
    table
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| {
            let cells: Vec<&str> = line.splitn(N, '|').map(str::trim).collect();
            cells
                .try_into()
                .unwrap_or_else(|cells| panic!("not {N} cells: {cells:?}"))
        })
}
