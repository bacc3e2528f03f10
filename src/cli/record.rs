//! `mcp-authz record`: the tools of a running server, as a record that `tools_snapshot` reads.
//!
//! A server lists its tools to those who begin a session, say what they can do, and ask for every
//! page. This does so, by the revision that the server chooses, and writes one `tools/list` result.

mod capabilities;
mod events;
mod exchange;
mod fault;
mod headers;
mod session;
mod tools;

use std::fmt::Display;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use tokio::time::timeout;
use url::Url;

use super::outcome::{Stop, print};
use super::replace::replace;
use crate::fetch::{Client, ClientSettings, InvalidClient, Outbound, fetchable_url};
use exchange::Exchange;
use fault::Fault;
use headers::SecretHeaders;
use session::Listed;

/// How long the server has to end the session.
const END_TIME_MAX: Duration = Duration::from_secs(2);

/// Record the tools of a running server, as `tools_snapshot` and `classify` read them
#[derive(Debug, Args)]
pub(super) struct RecordArguments {
    /// The server's own URL: through Envoy a list lacks hidden tools
    url: String,
    /// Write the record into this file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// A file with headers to send, such as `Authorization: Bearer …`, one to a line
    #[arg(long, value_name = "FILE")]
    headers_file: Option<PathBuf>,
    /// What to say that the client can do: `elicitation`, `roots`, `sampling`, `tasks` or the name
    /// of an extension; servers show some tools only then
    #[arg(long = "capability", value_name = "NAME,…", value_delimiter = ',')]
    capabilities: Vec<String>,
    /// A PEM file with trust roots, beside the system's
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Ask a server on another host over http, which anybody on the way can read and change
    #[arg(long)]
    insecure_http: bool,
    /// How long all of it may take
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
}

pub(super) fn run(arguments: &RecordArguments) -> Result<ExitCode, Stop> {
    let url = url(&arguments.url, arguments.insecure_http)?;
    let own = match &arguments.headers_file {
        Some(path) => SecretHeaders::read(path)?,
        None => SecretHeaders::none(),
    };
    let capabilities = capabilities::of(&arguments.capabilities).map_err(|name| {
        Stop::Failed(format!(
            "`--capability {name}` is not known here: there are `elicitation`, `roots`, `sampling`, `tasks`, and extensions by their names, such as `io.modelcontextprotocol/ui`"
        ))
    })?;
    let time_max = Duration::from_secs(arguments.timeout);
    let client = client(arguments, &url, time_max)?;
    let failed = |why: &dyn Display| {
        let place = fault::without_secrets(&url);
        Stop::Failed(format!("cannot record the tools of `{place}`: {why}"))
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Stop::failed(&error))?;
    let listed = runtime.block_on(async {
        let mut server = Exchange::new(&client, url.clone(), &own);
        let listed = timeout(time_max, session::list(&mut server, &capabilities)).await;
        // What became of it does not matter: a server ends by itself what nobody ends.
        let _ended = timeout(END_TIME_MAX, server.end()).await;
        listed
    });
    let listed = listed.map_err(|_| failed(&Fault::TimedOut))?;
    let Listed { tools, revision } = listed.map_err(|why| failed(&why))?;
    let count = tools.len();
    let record = tools::record(tools).map_err(|why| failed(&why))?;
    let code = match &arguments.output {
        Some(path) => {
            replace(path, record.as_bytes())?;
            ExitCode::SUCCESS
        }
        None => print(&record, 0)?,
    };
    // The record is written; that nobody can read this is no failure.
    let _told = writeln!(
        anstream::stderr(),
        "mcp-authz: {count} tool(s), by revision {revision} of the protocol"
    );
    Ok(code)
}

/// The URL of the server: https, or http where that is allowed.
fn url(text: &str, insecure_http: bool) -> Result<Url, Stop> {
    let insecure = || {
        let url = Url::parse(text).ok()?;
        let is_plain = url.username().is_empty() && url.password().is_none();
        (url.scheme() == "http" && is_plain && url.fragment().is_none()).then_some(url)
    };
    let found = fetchable_url(text);
    let found = found.or_else(|| insecure().filter(|_| insecure_http));
    found.ok_or_else(|| {
        let why = if insecure().is_some() {
            "over http anybody on the way can read the headers and change the tools; `--insecure-http` allows it"
        } else {
            "expected an https URL, or an http one with `--insecure-http`, without user, password and fragment"
        };
        Stop::Failed(format!("the URL cannot be used: {why}"))
    })
}

fn client(arguments: &RecordArguments, url: &Url, time_max: Duration) -> Result<Client, Stop> {
    let settings = ClientSettings {
        timeout: time_max,
        ca_file: arguments.ca_file.as_deref(),
        reach: None,
        insecure_http: false,
    };
    let client = Outbound::default().client(url, settings);
    client.map_err(|error| match error {
        InvalidClient::CaFile(why) => Stop::Failed(format!("`--ca-file`: {why}")),
        InvalidClient::Client(why) => Stop::Failed(why),
    })
}
