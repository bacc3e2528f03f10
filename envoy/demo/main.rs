//! `envoy/up`: Envoy, mcp-authz, an MCP server and an issuer on loopback, a real client session
//! through all of them, and a table of what was decided. Each row has its expected outcome.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it is a command line program"
)]

mod audit;
mod issuer;
mod policy;
mod processes;
mod raw;
mod render;
mod rows;
mod server;
mod session;
mod table;
mod up;

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use tokio::net::TcpListener;

/// Runs mcp-authz behind a real Envoy, on loopback.
#[derive(Debug, Parser)]
#[command(name = "demo", args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    part: Option<Part>,
    #[command(flatten)]
    up: UpArguments,
}

/// One part alone, for tests and benches.
#[derive(Debug, Subcommand)]
enum Part {
    /// The MCP server alone, at `/mcp`.
    Server {
        /// The port on loopback; 0 for any.
        #[arg(long, default_value_t = 8080)]
        port: u16,
    },
    /// The development issuer alone.
    Issuer {
        /// The port on loopback; 0 for any.
        #[arg(long, default_value_t = 9000)]
        port: u16,
    },
}

/// How to run the whole.
#[derive(Debug, clap::Args)]
struct UpArguments {
    /// Exit after the table; 1 if a row is not as expected.
    #[arg(long)]
    once: bool,
    /// Envoy's port on loopback [default: 10000 if it is free, else any].
    #[arg(long)]
    port: Option<u16>,
    /// The Envoy binary.
    #[arg(long, default_value = "envoy")]
    envoy: PathBuf,
    /// The mcp-authz binary.
    #[arg(long, default_value = "target/release/mcp-authz")]
    mcp_authz: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.part {
        None => up::run(&arguments.up).await,
        Some(Part::Server { port }) => run_server(port).await,
        Some(Part::Issuer { port }) => run_issuer(port).await,
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Listens on loopback; port 0 is any free one.
async fn listen(port: u16) -> Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .with_context(|| format!("cannot listen on 127.0.0.1:{port}"))
}

/// Serves the MCP server until the process is ended.
async fn run_server(port: u16) -> Result<ExitCode> {
    let listener = listen(port).await?;
    println!("http://{}/mcp", listener.local_addr()?);
    axum::serve(listener, server::router()).await?;
    Ok(ExitCode::SUCCESS)
}

/// Serves the issuer until the process is ended.
async fn run_issuer(port: u16) -> Result<ExitCode> {
    let listener = listen(port).await?;
    let url = format!("http://{}", listener.local_addr()?);
    println!("{url}");
    let issuer = Arc::new(issuer::Issuer::generate(url)?);
    axum::serve(listener, issuer::router(issuer)).await?;
    Ok(ExitCode::SUCCESS)
}
