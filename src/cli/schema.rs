//! `mcp-authz schema`: JSON Schemas (2020-12) with which editors complete and check files.
//!
//! The decoder judges, and a schema only helps to write: it has no rules over more than one value or
//! file. `tests/suite/cli/schema.rs` tests that both know the same keys.

use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::outcome::{Stop, print};

/// Print a JSON Schema for editors
#[derive(Debug, Args)]
pub(super) struct SchemaArguments {
    /// The kind of file
    #[arg(value_enum)]
    of: SchemaOf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SchemaOf {
    Config,
    Policy,
    Tests,
}

pub(super) fn run(arguments: &SchemaArguments) -> Result<ExitCode, Stop> {
    let schema = match arguments.of {
        SchemaOf::Config => include_str!("schema/config.json"),
        SchemaOf::Policy => include_str!("schema/policy.json"),
        SchemaOf::Tests => include_str!("schema/tests.json"),
    };
    print(schema, 0)
}
