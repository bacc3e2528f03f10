//! Everything that runs for a comparison: per variant an Envoy of its own and, where it has one,
//! its authorizer; all of them on the measured core, and all of them up at once.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

use crate::Arguments;
use crate::call::{Call, HOST, Outcome};
use crate::connection::Connection;
use crate::envoy::Base;
use crate::policy;
use crate::processes::Processes;
use crate::tokens::{ISSUER, RESOURCE};
use crate::variant::Variant;

/// Where a run keeps its files, seen from the top of the project.
pub(crate) const HOME: &str = "target/bench/compare";

/// How long a variant may take until it answers as it should.
const READY_LIMIT: Duration = Duration::from_secs(30);
/// How often that is tried.
const TRY_EVERY: Duration = Duration::from_millis(100);

/// One variant as it runs.
#[derive(Debug)]
pub(crate) struct Runner {
    pub(crate) variant: Variant,
    /// Where Envoy listens.
    pub(crate) address: SocketAddr,
    /// Process ids.
    pub(crate) envoy: u32,
    pub(crate) authorizer: Option<u32>,
    /// The core of its processes, and that of what asks and is asked.
    pub(crate) core: String,
    pub(crate) load_core: String,
    /// Where mcp-authz answers operators.
    admin: Option<u16>,
    /// What its processes write in the course of requests.
    outputs: Vec<PathBuf>,
}

impl Runner {
    /// Forgets what its processes have written, so that a run does not fill the disk.
    pub(crate) fn truncate_outputs(&self) -> Result<()> {
        for path in &self.outputs {
            File::options().write(true).open(path)?.set_len(0)?;
        }
        Ok(())
    }

    /// How many audit records were lost: to have less to write is not to be faster.
    pub(crate) async fn audit_lost(&self) -> Result<u64> {
        let Some(port) = self.admin else { return Ok(0) };
        // A proxy of the environment has no business on loopback.
        let client = reqwest::Client::builder().no_proxy().build()?;
        let url = format!("http://127.0.0.1:{port}/metrics");
        let metrics = client.get(url).send().await?.error_for_status()?;
        let metrics = metrics.text().await?;
        metrics
            .lines()
            .find_map(|line| line.strip_prefix("mcp_authz_audit_lost_total "))
            .and_then(|value| value.trim().parse().ok())
            .context("there is no mcp_authz_audit_lost_total")
    }
}

/// Makes sure that this is the only run here, for as long as the file is held: two would disturb
/// each other, and overwrite each other's files.
pub(crate) fn claim_home() -> Result<File> {
    std::fs::create_dir_all(HOME).with_context(|| format!("cannot make `{HOME}`"))?;
    let lock = File::create(Path::new(HOME).join("lock"))?;
    lock.try_lock()
        .with_context(|| format!("another comparison runs in `{HOME}`"))?;
    Ok(lock)
}

/// Starts every variant.
pub(crate) fn start(
    arguments: &Arguments,
    variants: &[Variant],
    base: &Base,
    jwks: &str,
    processes: &mut Processes,
) -> Result<Vec<Runner>> {
    let home = Path::new(HOME);
    write(home, "jwks.json", jwks)?;
    write(home, "policy.yaml", &policy::document().to_string())?;
    let mut starting = Starting {
        arguments,
        home,
        processes,
    };
    variants
        .iter()
        .map(|&variant| starting.variant(variant, base))
        .collect()
}

struct Starting<'a> {
    arguments: &'a Arguments,
    home: &'a Path,
    processes: &'a mut Processes,
}

impl Starting<'_> {
    fn variant(&mut self, variant: Variant, base: &Base) -> Result<Runner> {
        let slug = variant.slug();
        let [envoy_port, port, admin_port] = free_ports()?;
        let mut outputs = Vec::new();
        let listen = if variant == Variant::McpAuthzUnix {
            let home = self.home.canonicalize()?;
            format!("unix:{}", home.join("authz.sock").display())
        } else {
            format!("127.0.0.1:{port}")
        };
        let authorizer = if variant.has_authorizer() {
            let mut command = self.authorizer(variant, &listen, admin_port)?;
            let output = self.home.join(format!("{slug}.out"));
            let log = self.home.join(format!("{slug}.log"));
            let pid = self.processes.start(slug, &mut command, &output, &log)?;
            outputs.push(output);
            Some(pid)
        } else {
            None
        };
        let config = base.render(variant, envoy_port, authorizer.map(|_| &*listen))?;
        let config = write(self.home, &format!("{slug}-envoy.json"), &config)?;
        let envoy = self.arguments.envoy.as_ref().context("no Envoy is given")?;
        let mut command = self.on_measured_core(envoy);
        command.arg("--config-path").arg(config);
        command.args(["--concurrency", "1", "--log-level", "warning"]);
        command.arg("--disable-hot-restart");
        let output = self.home.join(format!("{slug}-envoy.out"));
        let log = self.home.join(format!("{slug}-envoy.log"));
        let name = "envoy";
        let envoy = self.processes.start(name, &mut command, &output, &log)?;
        outputs.push(output);
        Ok(Runner {
            variant,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, envoy_port)),
            envoy,
            authorizer,
            core: self.arguments.core.clone(),
            load_core: self.arguments.load_core.clone(),
            admin: variant.is_mcp_authz().then_some(admin_port),
            outputs,
        })
    }

    fn authorizer(&self, variant: Variant, listen: &str, admin_port: u16) -> Result<Command> {
        let given = match variant {
            Variant::NoopStock => &self.arguments.stock,
            Variant::NoopLean | Variant::NoopWhole => &self.arguments.lean,
            Variant::McpAuthz | Variant::McpAuthzUnix => &self.arguments.mcp_authz,
            Variant::Candidate => &self.arguments.candidate,
            Variant::EnvoyAlone | Variant::EnvoyFilters | Variant::EnvoyFiltersCached => &None,
        };
        let program = given
            .as_ref()
            .with_context(|| format!("no program is given for `{}`", variant.slug()))?;
        let mut command = self.on_measured_core(program);
        if variant.is_mcp_authz() {
            let config = json!({
                "listen": listen, "admin": {"listen": format!("127.0.0.1:{admin_port}")},
                "issuers": [{
                    "issuer": ISSUER, "jwks_file": "jwks.json", "algorithms": ["ES256", "RS256"],
                    "claims": {"groups": "groups", "agent": ["client_id"], "scopes": ["scope"]},
                }],
                "servers": [{
                    "name": "notes", "match": {"hosts": [HOST], "path": "/mcp"},
                    "resource": RESOURCE, "scopes_supported": ["notes:read"],
                }],
                "policy": "policy.yaml", "drain": {"delay": "0s"},
            });
            let name = format!("{}.yaml", variant.slug());
            let config = write(self.home, &name, &config.to_string())?;
            command.args(["serve", "--config"]).arg(config);
        } else {
            command.arg(listen);
            if variant == Variant::NoopWhole {
                command.arg("--whole");
            }
        }
        Ok(command)
    }

    /// A command whose process, and whatever it looks at to size itself, is on the measured core.
    fn on_measured_core(&self, program: &Path) -> Command {
        let mut command = Command::new("taskset");
        command.arg("--cpu-list").arg(&self.arguments.core);
        command.arg(program);
        command
    }
}

/// Waits until a variant answers both requests as it should, which it must before anything is
/// measured.
pub(crate) async fn check(runner: &Runner, token: &str) -> Result<()> {
    wait_for(runner, &Call::with(Outcome::Allowed), token).await?;
    if runner.variant.can_deny() {
        wait_for(runner, &Call::with(Outcome::Denied), token).await?;
    }
    Ok(())
}

async fn wait_for(runner: &Runner, call: &Call, token: &str) -> Result<()> {
    let deadline = Instant::now() + READY_LIMIT;
    let mut request = Vec::new();
    call.render(token, &mut request);
    loop {
        let answer = async {
            let mut connection = Connection::open(runner.address).await?;
            let answer = connection.exchange(&request).await?;
            let text = String::from_utf8_lossy(answer.body).into_owned();
            let right = call.outcome.is(answer.status, answer.body);
            anyhow::Ok((right, format!("{} {text}", answer.status)))
        };
        let seen = match timeout(READY_LIMIT, answer).await? {
            Ok((true, _)) => return Ok(()),
            Ok((false, seen)) => seen,
            Err(error) => format!("{error:#}"),
        };
        if Instant::now() >= deadline {
            bail!(
                "`{}` does not answer the request that should be {:?}; at last: {seen}",
                runner.variant.name(),
                call.outcome
            );
        }
        sleep(TRY_EVERY).await;
    }
}

/// Ports for programs that must be told theirs; held together so that they differ.
fn free_ports() -> Result<[u16; 3]> {
    let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let held = [bind()?, bind()?, bind()?];
    let mut ports = [0; 3];
    for (port, listener) in ports.iter_mut().zip(&held) {
        *port = listener.local_addr()?.port();
    }
    Ok(ports)
}

fn write(home: &Path, name: &str, text: &str) -> Result<PathBuf> {
    let path = home.join(name);
    std::fs::write(&path, text).with_context(|| format!("cannot write `{}`", path.display()))?;
    Ok(path)
}
