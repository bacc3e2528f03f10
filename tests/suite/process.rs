//! Bad input to the process: each ends or goes on as an operator would want, and says why.

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::running::{Conduct, Home, HttpIssuer, call, refused};

#[tokio::test]
async fn a_configuration_that_cannot_be_read_is_one_line() {
    let home = Home::new();
    std::fs::create_dir(home.path("directory")).unwrap();
    std::fs::write(home.path("latin1.yaml"), b"listen: \xe9").unwrap();
    let rows = [
        ("none.yaml", "there is no such file"),
        ("directory", "it is a directory, not a regular file"),
        ("latin1.yaml", "it is not UTF-8"),
    ];
    for (name, cause) in rows {
        let path = home.path(name);
        let line = format!(
            "mcp-authz: cannot read the configuration `{}`: {cause}",
            path.display()
        );
        assert_eq!(refused(&path).await, (2, line));
    }
}

#[tokio::test]
async fn every_mistake_of_a_configuration_is_shown_at_its_place() {
    let name = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/data/configs-invalid/many.yaml"
    );
    let (status, shown) = refused(name.as_ref()).await;
    assert_eq!(status, 1);
    assert_eq!(
        shown.lines().filter(|l| l.starts_with("error: ")).count(),
        21
    );
    let place = "many.yaml:2:1";
    let finding = shown.split("\n\n").find(|l| l.contains("`lisen`")).unwrap();
    for part in [
        place,
        "lisen: 127.0.0.1:9001",
        "^^^^^",
        "did you mean `listen`?",
    ] {
        assert!(finding.contains(part), "no `{part}` in\n{finding}");
    }
    assert!(shown.ends_with("\n\nmcp-authz: 21 errors"), "{shown}");
    assert!(!shown.contains('\u{1b}'), "colour off a terminal");
}

/// A change to a good home, and what the process then says with `@` for the directory.
type Row = (&'static str, fn(&Home), &'static str);

const NOT_RUNNABLE: [Row; 20] = [
    (
        "no keys for contexts",
        |home| home.configure("drain:", "handoff: {key_file: handoff.keys}\ndrain:"),
        "cannot read the keys of `handoff.key_file` `@/handoff.keys`: there is no such file",
    ),
    (
        "keys for contexts that are none",
        |home| handoff_keys(home, "# none yet\n\n"),
        "`handoff.key_file` `@/handoff.keys` has no key",
    ),
    (
        "a key for contexts that is short",
        |home| {
            handoff_keys(
                home,
                "# 31 bytes\n0123456789012345678901234567890123456789012345678901234567890a\n",
            );
        },
        "`handoff.key_file` `@/handoff.keys`: line 2 has a key of less than 32 bytes",
    ),
    (
        "keys for contexts that never end",
        |home| home.configure("drain:", "handoff: {key_file: /dev/zero}\ndrain:"),
        "cannot read the keys of `handoff.key_file` `/dev/zero`: it is a device, not a regular file",
    ),
    (
        "no policy",
        |home| std::fs::remove_file(home.path("policy.yaml")).unwrap(),
        "no policy file at `@/policy.yaml`",
    ),
    (
        "no policy in the directory",
        |home| {
            std::fs::create_dir(home.path("empty")).unwrap();
            home.configure("policy.yaml", "empty");
        },
        "no policy file at `@/empty`: directories of a directory are not searched, which `@/empty/**/*.yaml` does",
    ),
    (
        "unreadable policy",
        |home| std::fs::write(home.path("policy.yaml"), b"\xff\xfe").unwrap(),
        "cannot read the policy `@/policy.yaml`: it is not UTF-8",
    ),
    (
        "a policy that never ends",
        |home| home.configure("policy.yaml", "/dev/zero"),
        "cannot read the policy `/dev/zero`: it is a device, not a regular file",
    ),
    (
        "no certificate",
        |home| tls(home, None, Some("")),
        "cannot read `@/cert.pem`: there is no such file",
    ),
    (
        "no key",
        |home| tls(home, Some(&certificate().0), None),
        "cannot read `@/key.pem`: there is no such file",
    ),
    (
        "a key that cannot be read",
        |home| {
            tls(home, Some(&certificate().0), None);
            std::fs::create_dir(home.path("key.pem")).unwrap();
        },
        "cannot read `@/key.pem`: it is a directory, not a regular file",
    ),
    (
        "a key that is none",
        |home| tls(home, Some(&certificate().0), Some("not a key")),
        "`@/key.pem` has no PEM private key",
    ),
    (
        "a certificate that is none",
        |home| tls(home, Some("not a certificate"), Some(&certificate().1)),
        "`@/cert.pem` has no PEM certificate",
    ),
    (
        "the key of another certificate",
        |home| tls(home, Some(&certificate().0), Some(&certificate().1)),
        "`@/cert.pem` and `@/key.pem` do not work together: keys may not be consistent: KeyMismatch",
    ),
    (
        "no client authority",
        |home| {
            let (cert, key) = certificate();
            tls(home, Some(&cert), Some(&key));
            home.configure(
                "key_file: key.pem",
                "key_file: key.pem, client_ca_file: ca.pem",
            );
        },
        "cannot read `@/ca.pem`: there is no such file",
    ),
    (
        "no directory for the socket",
        |home| home.configure("listen: 127.0.0.1:0", "listen: unix:/nowhere/at/all/a.sock"),
        "cannot listen on `unix:/nowhere/at/all/a.sock`: no such directory",
    ),
    (
        "an address of another machine",
        |home| home.configure("listen: 127.0.0.1:0", "listen: 192.0.2.1:0"),
        "cannot listen on `192.0.2.1:0`: no such address on this machine",
    ),
    (
        "no trust root for any request",
        |home| home.configure("drain:", "fetch: {ca_file: ca.pem}\ndrain:"),
        "`fetch.ca_file`: there is no such file",
    ),
    (
        "no trust root",
        |home| home.configure("jwks_file: jwks.json", "ca_file: ca.pem"),
        "`ca_file` of issuer `https://idp.test`: there is no such file",
    ),
    (
        "a trust root that is none",
        |home| {
            home.configure("jwks_file: jwks.json", "ca_file: ca.pem");
            home.write("ca.pem", "not a certificate");
        },
        "`ca_file` of issuer `https://idp.test`: no certificate in it",
    ),
];

fn certificate() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

/// Configures a file of keys for contexts.
fn handoff_keys(home: &Home, text: &str) {
    home.write("handoff.keys", text);
    home.configure("drain:", "handoff: {key_file: handoff.keys}\ndrain:");
}

fn tls(home: &Home, cert: Option<&str>, key: Option<&str>) {
    home.configure(
        "admin:",
        "tls: {cert_file: cert.pem, key_file: key.pem}\nadmin:",
    );
    for (name, text) in [("cert.pem", cert), ("key.pem", key)] {
        if let Some(text) = text {
            home.write(name, text);
        }
    }
}

#[tokio::test]
async fn what_keeps_the_service_from_running_is_one_line() {
    for (what, change, expected) in NOT_RUNNABLE {
        let home = Home::new();
        change(&home);
        let (status, shown) = home.refused().await;
        let directory = home.path("");
        let directory = directory.to_str().unwrap().trim_end_matches('/');
        let last = shown.lines().next_back().unwrap_or_default();
        let expected = format!("mcp-authz: {}", expected.replace('@', directory));
        assert_eq!((status, last), (2, expected.as_str()), "{what}");
        let others = shown.lines().rev().skip(1);
        for line in others {
            assert!(line.contains(" INFO "), "{what}: {line}");
        }
    }
}

#[tokio::test]
async fn a_port_in_use_ends_the_process() {
    let home = Home::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let text = std::fs::read_to_string(home.path("config.yaml")).unwrap();
    for key in ["listen: 127.0.0.1:0", "listen: '127.0.0.1:0'"] {
        home.configure(key, &format!("listen: '{address}'"));
        let (status, shown) = home.refused().await;
        let line = format!("mcp-authz: cannot listen on `{address}`: address in use");
        assert_eq!(
            (status, shown.lines().next_back()),
            (2, Some(line.as_str()))
        );
        home.write("config.yaml", &text);
    }
}

#[tokio::test]
async fn an_invalid_policy_ends_the_start_with_its_findings() {
    let home = Home::new();
    home.write("policy.yaml", "rules:\n- id: x\n  efect: deny\n");
    let (status, shown) = home.refused().await;
    assert_eq!(status, 1);
    assert!(shown.contains("policy.yaml:3:3"), "{shown}");
    assert!(shown.contains("did you mean `effect`?"), "{shown}");
    assert!(shown.ends_with("mcp-authz: 2 errors"), "{shown}");
}

#[tokio::test]
async fn the_start_tells_the_effective_configuration() {
    let home = Home::new();
    let running = home.start().await;
    let line = running.logs.line("starting config=").await;
    let (_, config) = line.split_once("config=").unwrap();
    let config: serde_json::Value = serde_json::from_str(config).unwrap();
    assert_eq!(config["issuers"][0]["issuer"], "https://idp.test");
    assert_eq!(config["limits"]["body_bytes_max"], 1 << 20);
    assert_eq!(config["drain"], json!({"delay": "0ms", "timeout": "10s"}));
}

#[tokio::test]
async fn an_issuer_that_is_away_is_waited_for() {
    let home = Home::new();
    // A port that nobody listens on, and that nobody else takes in the meantime.
    let reserved = tokio::net::TcpSocket::new_v4().unwrap();
    reserved.set_reuseaddr(true).unwrap();
    reserved.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = reserved.local_addr().unwrap();
    HttpIssuer::configure(address, &home);
    let mut running = home.start().await;
    let failed = "keys could not be fetched";
    let line = running.logs.line(failed).await;
    assert!(
        line.contains(" WARN ") && line.contains("refused"),
        "{line}"
    );
    let (status, state) = running.readyz().await;
    assert_eq!((status, &state["waiting_for"]), (503, &json!(["keys"])));
    assert_eq!(state["details"]["keys"][0]["usable"], false);
    let answer = running.check(call("a")).await;
    assert_eq!(answer.fact("reason"), "keys_unavailable");

    // It tries again, and says the same thing once.
    let failures = r#"mcp_authz_key_refreshes_total{issuer="https://idp.test",result="error"}"#;
    let again = async {
        while running
            .metric(failures)
            .await
            .unwrap()
            .parse::<u64>()
            .unwrap()
            < 3
        {}
    };
    tokio::time::timeout(super::running::PATIENCE, again)
        .await
        .unwrap();
    assert_eq!(running.logs.count(failed), 1);
    assert!(running.is_running());

    let _issuer = HttpIssuer::start_on(reserved.listen(16).unwrap());
    running.logs.line("keys loaded").await;
    running.logs.line("health: ready").await;
    assert_eq!(running.readyz().await.0, 200);
    let answer = running.check(call("a")).await;
    assert_eq!(answer.fact("reason"), "allowed");
}

#[tokio::test]
async fn issuers_are_asked_through_the_proxy() {
    let home = Home::new();
    let proxy = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = proxy.local_addr().unwrap();
    home.configure("  jwks_file: jwks.json\n", "");
    home.configure(
        "drain:",
        &format!("fetch: {{proxy: 'http://{address}'}}\ndrain:"),
    );
    let running = home.start().await;
    let (mut stream, _) = tokio::time::timeout(super::running::PATIENCE, proxy.accept())
        .await
        .unwrap()
        .unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    assert!(
        head.starts_with("CONNECT idp.test:443 HTTP/1.1\r\n"),
        "{head}"
    );
    let answer = b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n";
    stream.write_all(answer).await.unwrap();
    let line = running.logs.line("keys could not be fetched").await;
    let cause = "the proxy asks for credentials, and mcp-authz sends it none";
    assert!(line.contains(cause), "{line}");
    let (status, state) = running.readyz().await;
    assert_eq!(status, 503);
    assert_eq!(state["details"]["keys"][0]["failing"], cause);
}

#[tokio::test]
async fn credentials_of_a_proxy_are_refused_and_not_repeated() {
    let home = Home::new();
    home.configure(
        "drain:",
        "fetch: {proxy: 'http://user:hush@proxy.test'}\ndrain:",
    );
    let (status, shown) = home.refused().await;
    assert_eq!(status, 1);
    assert!(
        shown.contains("the URL of the proxy has credentials"),
        "{shown}"
    );
    assert!(!shown.contains("hush"), "{shown}");
}

#[tokio::test]
async fn an_issuer_that_is_away_does_not_hold_up_the_others() {
    let home = Home::new();
    let issuer = HttpIssuer::start().await;
    issuer.conduct.send_replace(Conduct::Hang);
    home.configure(
        "issuers:",
        &format!(
            "limits: {{fetch_timeout: 50ms}}\nissuers:\n- issuer: https://away.test\n  jwks_uri: http://{}/keys",
            issuer.address
        ),
    );
    let running = home.ready().await;
    let answer = running.check(call("a")).await;
    assert_eq!(answer.fact("reason"), "allowed");
    let (status, state) = running.readyz().await;
    assert_eq!(status, 200);
    let away = &state["details"]["keys"][0];
    assert_eq!(away["issuer"], "https://away.test");
    assert_eq!(away["failing"], "no answer within `fetch_timeout`");
}

#[tokio::test]
async fn a_key_file_that_is_not_there_yet_is_waited_for() {
    let home = Home::new();
    home.configure(
        "jwks_file: jwks.json",
        "jwks_file: later.json\n  keys: {min_interval: 100ms}",
    );
    let running = home.start().await;
    let line = running.logs.line("keys could not be fetched").await;
    assert!(
        line.contains("cannot read `jwks_file`: there is no such file"),
        "{line}"
    );
    assert_eq!(running.readyz().await.0, 503);
    std::fs::rename(home.path("jwks.json"), home.path("later.json")).unwrap();
    running.logs.line("health: ready").await;
    assert_eq!(running.check(call("a")).await.fact("reason"), "allowed");
}

#[tokio::test]
async fn audit_that_nobody_takes_is_counted_and_ends_nothing() {
    let home = Home::new();
    let (nobody, audit) = std::io::pipe().unwrap();
    drop(nobody);
    let mut running = home.spawn(audit.into());
    running.listening().await;
    running.logs.line("health: ready").await;
    for _ in 0..3 {
        assert_eq!(running.check(call("a")).await.fact("reason"), "allowed");
    }
    let line = running.logs.line("cannot write audit records").await;
    assert!(line.contains("Broken pipe"), "{line}");
    let lost = async {
        while running
            .metric("mcp_authz_audit_lost_total")
            .await
            .as_deref()
            != Some("3")
        {}
    };
    tokio::time::timeout(super::running::PATIENCE, lost)
        .await
        .unwrap();
    assert_eq!(running.logs.count("cannot write audit records"), 1);
    running.signal("TERM");
    assert_eq!(running.ended().await.code(), Some(0));
}

#[tokio::test]
async fn a_configuration_may_come_from_standard_input_only_if_asked_for() {
    // Standard input is empty here, so the answer is about an empty file.
    let (status, shown) = refused("-".as_ref()).await;
    assert_eq!(status, 1);
    assert!(shown.contains("mcp-authz: 1 error"), "{shown}");
}

#[tokio::test]
async fn what_replicas_do_not_share_is_told_of() {
    let home = Home::new();
    home.configure("drain:", "replicas: 3\ndrain:");
    let running = home.ready().await;
    let notice = "3 replicas share no state: ";
    let line = running.logs.line(notice).await;
    assert!(line.contains(" WARN "), "{line}");
    let (status, state) = running.readyz().await;
    let detail = &state["details"]["state"];
    assert_eq!((status, &detail["replicas"]), (200, &json!(3)));
    let told = detail["notice"].as_str().unwrap();
    assert!(told.starts_with(notice), "{told}");
    for (metric, value) in [
        (r#"mcp_authz_state_keys{kind="counter"}"#, "0"),
        (r#"mcp_authz_state_forgotten_total{kind="limit"}"#, "0"),
        (r#"mcp_authz_state_first_use_ended{kind="task"}"#, "0"),
    ] {
        assert_eq!(
            running.metric(metric).await.as_deref(),
            Some(value),
            "{metric}"
        );
    }
}
