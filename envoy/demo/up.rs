//! Starts everything, drives the sessions, prints the table, stays up, ends everything.

use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use axum::Router;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::audit::AuditLog;
use crate::issuer::{ALICE, Grant, Issuer};
use crate::processes::Processes;
use crate::render::Ports;
use crate::session::Target;
use crate::table::Line;
use crate::{UpArguments, issuer, listen, policy, raw, render, rows, server, session, table};

/// Where runs keep their files, seen from the top of the project: each in a folder that is called like
/// its port of Envoy, which no other run has at the same time.
const HOMES: &str = "target/up";

/// The port that Envoy gets if it is free.
const USUAL_PORT: u16 = 10000;

/// How long a child may take until it is ready.
const READY_LIMIT: Duration = Duration::from_secs(30);

/// How often readiness is asked for.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// Runs everything. The exit status is 1 if a row is not as expected.
pub(crate) async fn run(arguments: &UpArguments) -> Result<ExitCode> {
    let mut processes = Processes::default();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let done = tokio::select! {
        biased;
        _ = interrupt.recv() => Ok(stopped(arguments)),
        _ = terminate.recv() => Ok(stopped(arguments)),
        done = run_until_stopped(arguments, &mut processes) => done,
    };
    processes.stop().await;
    done
}

/// The exit status after a signal: the usual end, unless the table was waited for.
fn stopped(arguments: &UpArguments) -> ExitCode {
    if arguments.once {
        ExitCode::from(130)
    } else {
        ExitCode::SUCCESS
    }
}

/// The part that a signal cuts short.
async fn run_until_stopped(arguments: &UpArguments, processes: &mut Processes) -> Result<ExitCode> {
    let stage = Stage::set(arguments.port).await?;
    let home = Path::new(HOMES).join(stage.ports.envoy.to_string());
    std::fs::create_dir_all(&home).with_context(|| format!("cannot make `{}`", home.display()))?;
    let home = home.as_path();
    stage.start_mcp_authz(arguments, home, processes).await?;
    stage.start_envoy(arguments, home, processes).await?;

    let mut audit = AuditLog::new(&home.join("audit.jsonl"));
    let lines = tokio::select! {
        lines = stage.play(&mut audit) => lines?,
        error = processes.ended() => return Err(error),
    };
    let wrong = lines.iter().filter(|line| line.wrong.is_some()).count();
    println!("{}", table::render(&lines, table::colourful()));
    let files = home.display();
    println!("audit lines: {files}/audit.jsonl   access log: {files}/access.jsonl");
    println!("other logs:  {files}/mcp-authz.log, {files}/envoy.log");
    if wrong > 0 {
        println!("\n{wrong} of {} rows are not as expected", lines.len());
    }
    if !arguments.once {
        println!("{}", stage.invitation()?);
        let readyz = stage.readyz();
        tokio::select! {
            error = processes.ended() => return Err(error),
            () = policy::tell(&stage.http, &readyz) => {}
        }
    }
    Ok(if wrong == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What runs inside this process, and the ports of everything.
struct Stage {
    ports: Ports,
    issuer: Arc<Issuer>,
    forger: Issuer,
    http: reqwest::Client,
    endpoint: String,
    /// The issuer's and the MCP server's tasks; they end with the stage.
    _tasks: JoinSet<()>,
}

impl Stage {
    /// Chooses the ports and starts the issuer and the MCP server.
    async fn set(port: Option<u16>) -> Result<Self> {
        let issuer_listener = listen(0).await?;
        let server_listener = listen(0).await?;
        // Held together until all are known, so that they differ; then freed for the children.
        let envoy = match port {
            Some(port) => listen(port).await?,
            None => match listen(USUAL_PORT).await {
                Ok(listener) => listener,
                Err(_) => listen(0).await?,
            },
        };
        let (envoy_admin, authz, authz_admin) =
            (listen(0).await?, listen(0).await?, listen(0).await?);
        let ports = Ports {
            envoy: envoy.local_addr()?.port(),
            envoy_admin: envoy_admin.local_addr()?.port(),
            authz: authz.local_addr()?.port(),
            authz_admin: authz_admin.local_addr()?.port(),
            issuer: issuer_listener.local_addr()?.port(),
            server: server_listener.local_addr()?.port(),
        };
        let url = format!("http://127.0.0.1:{}", ports.issuer);
        let issuer = Arc::new(Issuer::generate(url.clone())?);
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(issuer_listener, issuer::router(Arc::clone(&issuer))));
        tasks.spawn(serve(server_listener, server::router()));
        Ok(Self {
            ports,
            issuer,
            forger: Issuer::generate(url)?,
            // A proxy of the environment has no business on loopback.
            http: reqwest::Client::builder().no_proxy().build()?,
            endpoint: format!("http://127.0.0.1:{}/mcp", ports.envoy),
            _tasks: tasks,
        })
    }

    async fn start_mcp_authz(
        &self,
        arguments: &UpArguments,
        home: &Path,
        processes: &mut Processes,
    ) -> Result<()> {
        let config = render::mcp_authz(home, self.ports)?;
        let mut command = Command::new(&arguments.mcp_authz);
        command.arg("serve").arg("--config").arg(config);
        let (output, log) = (home.join("audit.jsonl"), home.join("mcp-authz.log"));
        processes.start("mcp-authz", &mut command, &output, &log)?;
        self.wait_until_ready("mcp-authz", &self.readyz(), processes)
            .await
    }

    /// Where mcp-authz tells of its state.
    fn readyz(&self) -> String {
        format!("http://127.0.0.1:{}/readyz", self.ports.authz_admin)
    }

    async fn start_envoy(
        &self,
        arguments: &UpArguments,
        home: &Path,
        processes: &mut Processes,
    ) -> Result<()> {
        let config = render::envoy(home, self.ports)?;
        let mut command = Command::new(&arguments.envoy);
        command.arg("--config-path").arg(config);
        command.args(["--concurrency", "2", "--log-level", "warning"]);
        // Several Envoys may run on this machine; hot restart would make them meet.
        command.args(["--disable-hot-restart", "--file-flush-interval-msec", "100"]);
        let (output, log) = (home.join("access.jsonl"), home.join("envoy.log"));
        processes.start("envoy", &mut command, &output, &log)?;
        let ready = format!("http://127.0.0.1:{}/ready", self.ports.envoy_admin);
        self.wait_until_ready("envoy", &ready, processes).await
    }

    /// Asks `url` until it answers 200, a child ends, or [`READY_LIMIT`] is over.
    async fn wait_until_ready(
        &self,
        name: &str,
        url: &str,
        processes: &mut Processes,
    ) -> Result<()> {
        let deadline = Instant::now() + READY_LIMIT;
        let ready = async {
            loop {
                let asked = self.http.get(url).timeout(READY_LIMIT).send().await;
                if asked.is_ok_and(|response| response.status().is_success()) {
                    return Ok(());
                }
                if Instant::now() >= deadline {
                    bail!(
                        "{name} is not ready after {} s; see `{HOMES}`",
                        READY_LIMIT.as_secs()
                    );
                }
                sleep(ASK_EVERY).await;
            }
        };
        tokio::select! {
            biased;
            error = processes.ended() => Err(error),
            ready = ready => ready,
        }
    }

    /// Runs every session.
    async fn play(&self, audit: &mut AuditLog) -> Result<Vec<Line>> {
        let target = Target {
            url: &self.endpoint,
            resource: &self.endpoint,
            issuer: &self.issuer,
            forger: &self.forger,
            http: &self.http,
        };
        let mut lines = Vec::new();
        for one in rows::sessions() {
            session::run(&target, &one, audit, &mut lines).await?;
        }
        raw::run(&target, audit, &mut lines).await?;
        Ok(lines)
    }

    /// What to try by hand.
    fn invitation(&self) -> Result<String> {
        let grant = Grant {
            audience: &self.endpoint,
            scope: "notes",
            lifetime: 8 * 3600,
        };
        let token = self.issuer.token(ALICE, &grant)?;
        let curl = |authorization: &str, tool: &str, arguments: &str| {
            let body = format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{tool}","arguments":{arguments},"_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{{}}}}}}}}"#
            );
            format!(
                "curl -i {url}{authorization} -H 'content-type: application/json' \
                 -H 'accept: application/json, text/event-stream' \
                 -H 'mcp-protocol-version: 2026-07-28' -H 'mcp-method: tools/call' \
                 -H 'mcp-name: {tool}' -d '{body}'",
                url = self.endpoint,
            )
        };
        let bearer = " -H \"authorization: Bearer $TOKEN\"";
        Ok(format!(
            "\n{url} is up; edit envoy/policy.yaml and try again; what becomes of each edit is told here. Ctrl-C ends it.\n\n\
             A token for alice (engineering), good for 8 hours:\n\nTOKEN={token}\n\n\
             # allowed\n{allow}\n\n# denied by a rule\n{deny}\n\n# no token: 401\n{nobody}\n",
            url = self.endpoint,
            allow = curl(bearer, "list_notes", "{}"),
            deny = curl(bearer, "create_note", r#"{"title":"secret"}"#),
            nobody = curl("", "list_notes", "{}"),
        ))
    }
}

/// Serves until the task is dropped.
async fn serve(listener: TcpListener, router: Router) {
    // `axum::serve` retries what can be retried and does not return.
    drop(axum::serve(listener, router).await);
}
