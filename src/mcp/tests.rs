//! Rows: one body or header list each, with the exact refusal or the exact targets.

mod bodies;
mod headers;
mod properties;
mod targets;

use super::*;

/// Decodes with default options but a batch limit, and gives the refusal.
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
