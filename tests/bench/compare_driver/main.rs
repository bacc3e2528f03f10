//! `tests/bench/compare`: what authorization costs behind a real Envoy, several ways, in one run.
//!
//! The load generator and the upstream are this process, on one core; each variant's Envoy and
//! authorizer are on another. In every round all of them are started anew, and each load is put on
//! each variant for a short while, in an order that rotates. Medians are taken over the rounds: what
//! disturbs the machine for a while disturbs all of them, and how a process happens to lie in memory
//! is the luck of one round.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it is a command line program"
)]

mod call;
mod connection;
mod crowd;
mod envoy;
mod plan;
mod policy;
#[path = "../../../envoy/demo/processes.rs"]
mod processes;
mod report;
mod run;
mod slice;
mod stage;
mod tokens;
mod upstream;
mod usage;
mod variant;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// Compares what authorization costs behind a real Envoy.
#[derive(Debug, Parser)]
#[command(name = "tests/bench/compare")]
#[expect(clippy::struct_excessive_bools, reason = "switches of a command line")]
struct Arguments {
    /// How many times everything is measured; reported are medians.
    #[arg(long, default_value_t = 11)]
    rounds: usize,
    /// How long each load is on each variant in a round, in seconds.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// Two rounds of half a second each, to see that it works; the figures mean little.
    #[arg(long)]
    quick: bool,
    /// How one caller fares beside a crowd that sends bodies of 1 MiB, instead of everything else.
    #[arg(long)]
    crowd: bool,
    /// These variants only: a Envoy alone, b stock no-op, c lean no-op, d mcp-authz, e Envoy's own
    /// filters, f the same with a token cache, g another mcp-authz (see --candidate),
    /// h mcp-authz through a unix socket (only if asked for),
    /// i the lean no-op with as much in its allows as mcp-authz has.
    #[arg(long, value_delimiter = ',')]
    only: Vec<char>,
    /// The numbers of connections of the closed loop.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16, 64])]
    connections: Vec<usize>,
    /// The loads whose names have this text only, as `deny` or `16 connections, ES256`.
    #[arg(long, default_value = "")]
    load: String,
    /// Requests per second of the open loop [default: so many that the core of the stock no-op and
    /// its Envoy is half busy].
    #[arg(long)]
    rate: Option<u32>,
    /// Where the figures go as JSON.
    #[arg(long, default_value = "target/bench/compare.json")]
    json: PathBuf,
    /// Another build of mcp-authz, to be compared with this one.
    #[arg(long)]
    candidate: Option<PathBuf>,
    /// Leave out the access log that envoy/envoy.yaml has.
    #[arg(long)]
    no_access_log: bool,
    /// The core of Envoy and the authorizers, as taskset has it.
    #[arg(long, default_value = "1")]
    core: String,
    /// The core of the load generator and the upstream.
    #[arg(long, default_value = "0")]
    load_core: String,
    /// The Envoy binary.
    #[arg(long, hide = true)]
    envoy: Option<PathBuf>,
    /// The stock no-op server.
    #[arg(long, hide = true)]
    stock: Option<PathBuf>,
    /// The lean no-op server.
    #[arg(long, hide = true)]
    lean: Option<PathBuf>,
    /// The mcp-authz binary.
    #[arg(long, hide = true)]
    mcp_authz: Option<PathBuf>,
    /// What cargo says to every bench.
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.envoy.is_none() {
        println!("compare_driver is run by tests/bench/compare");
        return ExitCode::SUCCESS;
    }
    match run::run(arguments).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("compare: {error:#}");
            ExitCode::from(2)
        }
    }
}
