//! What stays in memory: of the process at rest, of a token, of ten million checks, and of a full
//! store.
#![expect(clippy::print_stdout, reason = "it is a report")]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jsonwebtoken::Algorithm;
use mcp_authz::authn::{Audience, Credentials};

use super::check::{self, Callers};
use super::issuer;
use super::policy::{Cel, Matching, rules};
use super::service::{self, Service, finish};
use super::state;

/// Tokens that are shown before others are counted: what they need once is there then.
const FIRST_TOKENS: usize = 10_000;
const COUNTED_TOKENS: usize = 50_000;
const CALLERS: usize = 10_000;
const CHECKS: usize = 10_000_000;
const CHECKS_BETWEEN: usize = 1_000_000;

/// Prints the figures. Budgets: 40 MiB at rest, and no growth from the second million checks on.
pub(super) fn report() {
    println!("at rest with 1000 rules: {}", mib(at_rest()));
    let (each, length) = token_bytes();
    println!("a cached token of {length} bytes: {each} bytes");
    let mut callers = Callers::new(CALLERS, "acme");
    let service = Service::start(&check::policy());
    for done in (CHECKS_BETWEEN..=CHECKS).step_by(CHECKS_BETWEEN) {
        for _ in 0..CHECKS_BETWEEN {
            service.check(&callers.next());
        }
        println!(
            "after {done} checks by {CALLERS} callers: {}",
            mib(resident("self"))
        );
    }
    service.assert_nothing_lost();
    state::report();
}

/// What the process has when it has started and nobody asks it, in bytes.
fn at_rest() -> usize {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("authz.sock");
    let listen = format!("listen: unix:{}", socket.display());
    let policy = rules(1000, Matching::One, Cel::Used);
    service::write_files(directory.path(), &listen, &policy);
    let mut process = start(&directory.path().join("config.yaml"));
    let deadline = Instant::now() + Duration::from_mins(1);
    while !socket.exists() {
        assert!(Instant::now() < deadline, "it does not listen");
        assert!(process.try_wait().unwrap().is_none(), "it has ended");
        sleep(Duration::from_millis(50));
    }
    // Whatever it does after the start is done.
    sleep(Duration::from_secs(5));
    let bytes = resident(&process.id().to_string());
    process.kill().unwrap();
    process.wait().unwrap();
    bytes
}

fn start(config: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_mcp-authz"))
        .args(["serve", "--config"])
        .arg(config)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// What one more token takes, and how long it is.
fn token_bytes() -> (usize, usize) {
    let service = Service::start(&check::policy());
    let audience = Audience {
        accepted: vec![issuer::AUDIENCE.to_owned()],
        issuers: None,
    };
    let show = |number: usize| {
        let token = issuer::token(Algorithm::EdDSA, &format!("user-{number}"), "team-1");
        let value = format!("Bearer {token}");
        let authenticator = &service.pipeline.authenticator;
        let credentials = Credentials::new("/mcp", [&*value]);
        finish(authenticator.authenticate(&credentials, &audience, Timestamp::now())).unwrap();
        token.len()
    };
    for number in 0..FIRST_TOKENS {
        show(number);
    }
    let before = resident("self");
    let all = FIRST_TOKENS..FIRST_TOKENS + COUNTED_TOKENS;
    let length = all.map(show).max().unwrap();
    let grown = resident("self").saturating_sub(before);
    (grown / COUNTED_TOKENS, length)
}

/// What a process has resident, in bytes.
pub(super) fn resident(process: &str) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: usize = line
        .unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap();
    kib * 1024
}

fn mib(bytes: usize) -> String {
    let tenths = bytes * 10 / (1 << 20);
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}
