//! The shipped configurations with the ports of this run, written where the run keeps its files.
//!
//! The shipped files stand on their own and have no placeholders, so this replaces exact texts and
//! fails if one is not there exactly once.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// The ports of one run, all on 127.0.0.1.
#[derive(Clone, Copy)]
pub(crate) struct Ports {
    pub(crate) envoy: u16,
    pub(crate) envoy_admin: u16,
    pub(crate) authz: u16,
    pub(crate) authz_admin: u16,
    pub(crate) issuer: u16,
    pub(crate) server: u16,
}

/// Writes `envoy.yaml` for these ports and returns its path.
pub(crate) fn envoy(home: &Path, ports: Ports) -> Result<PathBuf> {
    let listener = "socket_address: {address: 127.0.0.1, port_value: ";
    let pairs = [
        (
            format!("{listener}10000}}"),
            format!("{listener}{}}}", ports.envoy),
        ),
        (
            format!("{listener}9901}}"),
            format!("{listener}{}}}", ports.envoy_admin),
        ),
        (
            format!("{listener}9001}}"),
            format!("{listener}{}}}", ports.authz),
        ),
        (
            format!("{listener}8080}}"),
            format!("{listener}{}}}", ports.server),
        ),
    ];
    render(home, "envoy.yaml", &pairs)
}

/// Writes `mcp-authz.yaml` for these ports and returns its path. The policy stays where it is, so
/// that editing `envoy/policy.yaml` shows at once.
pub(crate) fn mcp_authz(home: &Path, ports: Ports) -> Result<PathBuf> {
    let policy = source("policy.yaml")
        .canonicalize()
        .context("cannot find `policy.yaml`")?;
    let policy = serde_json::to_string(&policy).context("the path of `policy.yaml` is odd")?;
    let host = "hosts: [\"127.0.0.1:";
    let resource = "resource: http://127.0.0.1:";
    let issuer = "issuer: http://127.0.0.1:";
    let pairs = [
        (
            "listen: 127.0.0.1:9001".to_owned(),
            format!("listen: 127.0.0.1:{}", ports.authz),
        ),
        (
            "listen: 127.0.0.1:9002".to_owned(),
            format!("listen: 127.0.0.1:{}", ports.authz_admin),
        ),
        (format!("{issuer}9000"), format!("{issuer}{}", ports.issuer)),
        (
            format!("{host}10000\"]"),
            format!("{host}{}\"]", ports.envoy),
        ),
        (
            format!("{resource}10000/mcp"),
            format!("{resource}{}/mcp", ports.envoy),
        ),
        (
            "policy: policy.yaml".to_owned(),
            format!("policy: {policy}"),
        ),
    ];
    render(home, "mcp-authz.yaml", &pairs)
}

/// Where a shipped file is, seen from the top of the project.
fn source(name: &str) -> PathBuf {
    Path::new("envoy").join(name)
}

/// Copies `envoy/NAME` to `home/NAME` with each pair's first text replaced by its second.
fn render(home: &Path, name: &str, pairs: &[(String, String)]) -> Result<PathBuf> {
    let from = source(name);
    let mut text = std::fs::read_to_string(&from)
        .with_context(|| format!("cannot read `{}`", from.display()))?;
    // In two passes, so that a replacement is never taken for a text to replace.
    for (index, (old, _)) in pairs.iter().enumerate() {
        let found = text.matches(old).count();
        ensure!(
            found == 1,
            "`{}` has `{old}` {found} times instead of once",
            from.display()
        );
        text = text.replace(old, &mark(index));
    }
    for (index, (_, new)) in pairs.iter().enumerate() {
        text = text.replace(&mark(index), new);
    }
    let to = home.join(name);
    std::fs::write(&to, text).with_context(|| format!("cannot write `{}`", to.display()))?;
    Ok(to)
}

/// A text that no configuration contains.
fn mark(index: usize) -> String {
    format!("\0{index}\0")
}
