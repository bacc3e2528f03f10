//! The commands, through the real binary.

mod config_keys;
mod diff;
mod live;
mod record;
mod recorded;
mod schema;
mod teams;

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use mcp_authz::authz::Hints;
use mcp_authz::policy::CompileContext;
use serde_json::{Value, json};

/// What a command left: its status and its two outputs.
struct Ran {
    code: i32,
    out: String,
    err: String,
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/cli")
        .join(name)
}

/// Runs the binary in the folder of the data, so that names in its output are short.
fn run_with(arguments: &[&str], input: &str) -> Ran {
    let mut child = Command::new(env!("CARGO_BIN_EXE_mcp-authz"))
        .args(arguments)
        .current_dir(data(""))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that does not read its input may have ended already.
    drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    Ran {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

fn run(arguments: &[&str]) -> Ran {
    run_with(arguments, "")
}

/// Compares with a file beside the input, so that a change of wording is seen as one.
/// `UPDATE_EXPECTED=1` rewrites the file.
fn expect(name: &str, actual: &str) {
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        fs::write(data(name), actual).unwrap();
    }
    let expected = fs::read_to_string(data(name)).unwrap_or_default();
    assert_eq!(actual, expected, "{name}");
}

const GOOD: &str = "good/mcp-authz.yaml";

#[test]
fn validate_reports_every_mistake_of_every_file_at_once() {
    let ran = run(&[
        "validate",
        "--config",
        "wrong/mcp-authz.yaml",
        "--format",
        "json",
    ]);
    let whole: Value = serde_json::from_str(&ran.out).unwrap();
    let findings = whole["findings"].as_array().unwrap();
    let line = |finding: &Value| {
        let text = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
        format!(
            "{}:{}:{}: {}: {} ({})\n",
            text("file"),
            finding["line"],
            finding["column"],
            text("severity"),
            text("message"),
            text("help")
        )
    };
    let lines: String = findings.iter().map(line).collect();
    expect("wrong/expected.txt", &lines);
    assert!(findings.len() > 20);
    assert_eq!(whole["errors"], findings.len());
    assert_eq!((ran.code, ran.err.as_str()), (1, ""));
}

#[test]
fn validate_underlines_what_is_wrong() {
    let ran = run(&["validate", "--config", "wrong/mcp-authz.yaml"]);
    let excerpt = "\
error: unknown value `teapot`
  --> wrong/mcp-authz.yaml:15:17
   |
15 |   deny: {shape: teapot}
   |                 ^^^^^^
   |
   = help: known here: `tool_error`, `jsonrpc_error`, `http_403`
";
    assert!(ran.out.contains(excerpt), "{}", ran.out);
    assert!(!ran.out.contains('\u{1b}'), "colour without a terminal");
    assert_eq!(ran.code, 1);
}

#[test]
fn validate_reads_standard_input_and_warns() {
    let good = fs::read_to_string(data(GOOD)).unwrap();
    let text = good.replace("policy.yaml", "good/policy.yaml").replace(
        "tools.json",
        "good/tools.json\n  silence: [unrecorded-by-pattern, unchecked-arguments]",
    );
    let ran = run_with(&["validate", "--config", "-"], &text);
    assert_eq!(
        (ran.out.as_str(), ran.code),
        ("0 error(s), 0 warning(s)\n", 0)
    );

    let passing = text.replace(
        "scopes_supported: [repo:read]",
        "scopes_supported: [repo:admin]\n  upstream: {authorization: pass}",
    );
    let ran = run_with(&["validate", "--config", "-", "--format", "json"], &passing);
    let whole: Value = serde_json::from_str(&ran.out).unwrap();
    let lints: Vec<_> = whole["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["lint"].as_str().unwrap())
        .collect();
    assert_eq!(
        (lints.as_slice(), ran.code),
        (&["unused-scope", "passed-token"][..], 0)
    );
    let ran = run_with(&["validate", "--config", "-", "--deny-warnings"], &passing);
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("warning[passed-token]"), "{}", ran.out);

    let silenced = passing.replace(
        "silence: [unrecorded-by-pattern, unchecked-arguments]",
        "silence: [unrecorded-by-pattern, unchecked-arguments, passed-token, unused-scope]",
    );
    let ran = run_with(&["validate", "--config", "-", "--deny-warnings"], &silenced);
    assert_eq!(
        (ran.out.as_str(), ran.code),
        ("0 error(s), 0 warning(s)\n", 0)
    );
}

/// A public key (RFC 7517 appendix A.1).
const KEY: &str = r#"{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","kid":"1"}"#;

#[test]
#[expect(clippy::too_many_lines, reason = "each row is a few")]
fn validate_reads_the_keys_of_issuers() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
    let config = directory.path().join("mcp-authz.yaml");
    write("policy.yaml", "rules: []\n");
    write(
        "mcp-authz.yaml",
        "listen: 127.0.0.1:0\nissuers: [{issuer: 'https://a.test', jwks_file: keys.json}]\nservers: [{name: s, resource: https://m.test/mcp}]\npolicy: policy.yaml\n",
    );
    let of_bytes = |bytes: usize| {
        let modulus = "_".repeat(bytes * 4 / 3);
        format!(r#"{{"kty":"RSA","kid":"r","n":"{modulus}","e":"AQAB"}}"#)
    };
    let set = |keys: &[&str]| format!(r#"{{"keys": [{}]}}"#, keys.join(","));
    let secret = r#"{"kty":"oct","k":"c2VjcmV0","kid":"s"}"#;
    let private = KEY.replace(r#""kid":"1""#, r#""kid":"p","d":"AQAB""#);
    let encrypting = KEY.replace(r#""kid":"1""#, r#""kid":"e","use":"enc""#);
    let unknown = r#"{"kty":"AKP","kid":"q"}"#;
    let (small, other) = (of_bytes(192), of_bytes(258));
    let same_id = other.replace(r#""kid":"r""#, r#""kid":"1""#);
    let none = "error: key set has no usable key";
    let nulls = KEY.replace(
        r#""kid":"1""#,
        r#""kid":"1","use":null,"alg":null,"key_ops":null,"d":null"#,
    );
    let workloads = KEY.replace(r#""kid":"1""#, r#""kid":"w","use":"jwt-svid""#);
    let rows: [(Option<String>, &[&str], i32); 18] = [
        (
            None,
            &["error: cannot read `jwks_file`: there is no such file"],
            1,
        ),
        (
            Some(format!("[{KEY}]")),
            &["error: key set is a bare array"],
            1,
        ),
        (
            Some("[]".to_owned()),
            &["error: key set is a bare array"],
            1,
        ),
        (Some(set(&[])), &["error: key set has no key"], 1),
        (
            Some("{}".to_owned()),
            &["error: key set has no list `keys`"],
            1,
        ),
        (
            Some("keys".to_owned()),
            &["error: key set: invalid JSON"],
            1,
        ),
        (
            Some(set(&[&small, secret])),
            &[
                none,
                "warning[unusable-key]: key 1 (`r`) has 1536 bits",
                "warning[unusable-key]: key 2 (`s`) is symmetric",
            ],
            1,
        ),
        (
            Some(set(&[KEY, &private])),
            &["error: key 2 (`p`) is private", "1 error(s), 0 warning(s)"],
            1,
        ),
        (
            Some(set(&[&private])),
            &[none, "error: key 1 (`p`) is private"],
            1,
        ),
        (
            Some(set(&[KEY, secret])),
            &[
                "warning[unusable-key]: key 2 (`s`) is symmetric",
                "0 error(s), 1 ",
            ],
            0,
        ),
        (
            Some(set(&[KEY, KEY])),
            &[
                "warning[unusable-key]: key 2 (`1`) is there twice",
                "0 error(s), 1 ",
            ],
            0,
        ),
        (
            Some(set(&[KEY, &same_id])),
            &[
                "warning[unusable-key]: several keys have the `kid` `1`",
                "0 error(s), 1 ",
            ],
            0,
        ),
        (
            Some(set(&[KEY, "{}"])),
            &[
                "warning[unusable-key]: key 2 is malformed",
                "0 error(s), 1 ",
            ],
            0,
        ),
        (
            Some(set(&[KEY, &encrypting, unknown])),
            &[
                "note: key 2 (`e`) is not for signatures",
                "note: key 3 (`q`) has a `kty`",
                "0 error(s), 0 warning(s)",
            ],
            0,
        ),
        (Some(set(&[KEY, &other])), &["0 error(s), 0 warning(s)"], 0),
        (Some(set(&[&nulls])), &["0 error(s), 0 warning(s)"], 0),
        (
            Some(set(&[&workloads])),
            &[
                "warning[unusable-key]: key 1 (`w`) is for workloads",
                "name the `trust_domain` of the issuer",
                "1 error(s), 1 warning(s)",
            ],
            1,
        ),
        (
            Some(set(&[KEY, &workloads])),
            &[
                "warning[unusable-key]: key 2 (`w`) is for workloads",
                "0 error(s), 1 ",
            ],
            0,
        ),
    ];
    for (text, says, code) in rows {
        if let Some(text) = &text {
            write("keys.json", text);
        }
        let ran = run(&["validate", "--config", config.to_str().unwrap()]);
        assert_eq!(ran.code, code, "{text:?}: {}", ran.out);
        for says in says {
            assert!(ran.out.contains(says), "{text:?}: {}", ran.out);
        }
    }
    let text = fs::read_to_string(&config).unwrap();
    let silent = text.replace("keys.json}", "keys.json, silence: [unusable-key]}");
    write("keys.json", &set(&[KEY, secret]));
    write("mcp-authz.yaml", &silent);
    let ran = run(&["validate", "--config", config.to_str().unwrap()]);
    assert!(ran.out.contains("0 error(s), 0 warning(s)"), "{}", ran.out);
    for (own, keys, says) in [
        (
            "algorithms: [RS256]",
            KEY,
            "error: no key is for one of the `algorithms`",
        ),
        (
            "algorithms: [RS256, ES256]",
            KEY,
            "0 error(s), 0 warning(s)",
        ),
        (
            "trust_domain: a.test",
            &*workloads,
            "0 error(s), 0 warning(s)",
        ),
    ] {
        write("keys.json", &set(&[keys]));
        write(
            "mcp-authz.yaml",
            &text.replace("keys.json}", &format!("keys.json, {own}}}")),
        );
        let ran = run(&["validate", "--config", config.to_str().unwrap()]);
        assert!(ran.out.contains(says), "{own}: {}", ran.out);
    }
}

/// What is fetched unprotected, and with which token.
#[test]
#[expect(clippy::too_many_lines, reason = "each row is a few")]
fn validate_warns_of_plain_http_and_reads_tokens_of_issuers() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
    let config = directory.path().join("mcp-authz.yaml");
    write("policy.yaml", "rules: []\n");
    write("keys.json", &format!(r#"{{"keys": [{KEY}]}}"#));
    write("token", "abc\n");
    write("tokens", "abc def\n");
    let plain = "warning[plain-http]";
    let rows = [
        ("issuer: http://a.svc, insecure_http: true", plain, 0),
        (
            "issuer: http://a.svc, insecure_http: true, silence: [plain-http]",
            "0 error(s), 0 warning(s)",
            0,
        ),
        (
            "issuer: http://a.svc",
            "`insecure_http: true` allows that",
            1,
        ),
        (
            "issuer: https://a.test, jwks_uri: http://a.svc/keys",
            "`insecure_http: true` allows that",
            1,
        ),
        (
            "issuer: http://a.test/trust, jwks_file: keys.json",
            "0 error(s), 0 warning(s)",
            0,
        ),
        (
            "issuer: http://a.test/trust, jwks_uri: https://a.test/keys",
            "0 error(s), 0 warning(s)",
            0,
        ),
        ("issuer: http://127.0.0.1:1", "0 error(s), 0 warning(s)", 0),
        (
            "issuer: https://a.test, token_file: token",
            "0 error(s), 0 warning(s)",
            0,
        ),
        (
            "issuer: https://a.test, token_file: tokens",
            "error: cannot use `token_file`: it is not one token",
            1,
        ),
        (
            "issuer: https://a.test, token_file: absent",
            "error: cannot use `token_file`: there is no such file",
            1,
        ),
        (
            "issuer: https://a.test, token_file: token, jwks_file: keys.json",
            "nothing is fetched",
            1,
        ),
        (
            "issuer: http://a.svc, token_file: token, insecure_http: true",
            "the token would be sent over plain http",
            1,
        ),
    ];
    for (issuer, says, code) in rows {
        write(
            "mcp-authz.yaml",
            &format!(
                "listen: 127.0.0.1:0\nissuers: [{{{issuer}}}]\nservers: [{{name: s, resource: https://m.test/mcp, authorization_servers: []}}]\npolicy: policy.yaml\n"
            ),
        );
        let ran = run(&["validate", "--config", config.to_str().unwrap()]);
        assert_eq!(ran.code, code, "{issuer}: {}", ran.out);
        assert!(ran.out.contains(says), "{issuer}: {}", ran.out);
        assert!(!ran.out.contains("abc"), "{issuer}: {}", ran.out);
    }
}

/// Where two issuers are taken, what a rule means is warned of, or refused by every command.
#[test]
fn rules_say_whose_names_they_mean() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
    let config = directory.path().join("mcp-authz.yaml");
    let config_path = config.to_str().unwrap();
    write("keys.json", &format!(r#"{{"keys": [{KEY}]}}"#));
    write(
        "policy_test.yaml",
        "tests: [{name: t, request: {server: s, method: ping, subject: {groups: [g]}}, expect: {decision: allow}}]\n",
    );
    let issuer = |name: &str| format!("{{issuer: 'https://{name}.test', jwks_file: keys.json}}");
    let (one, two) = (issuer("a"), format!("{}, {}", issuer("a"), issuer("b")));
    let (anybodys, ours) = ("groups: [g]", "groups: [g], issuers: ['https://a.test']");
    for (issuers, more, server, who, warnings, code) in [
        (&one, "", "", anybodys, 0, 0),
        (&one, "issuers_strict: true", "", anybodys, 0, 0),
        (&two, "", "", anybodys, 1, 0),
        (&two, "", "", ours, 0, 0),
        (&two, "issuers_strict: true", "", ours, 0, 0),
        (&two, "issuers_strict: true", "", anybodys, 0, 1),
        (
            &two,
            "issuers_strict: true",
            ", issuers: ['https://b.test']",
            anybodys,
            0,
            0,
        ),
        (
            &two,
            "issuers_strict: true",
            ", issuers: ['https://a.test', 'https://b.test']",
            anybodys,
            0,
            1,
        ),
    ] {
        write(
            "mcp-authz.yaml",
            &format!(
                "listen: 127.0.0.1:0\nissuers: [{issuers}]\nservers: [{{name: s, resource: https://m.test/mcp{server}}}]\npolicy: policy.yaml\n{more}\n"
            ),
        );
        write(
            "policy.yaml",
            &format!("rules: [{{id: x, effect: allow, who: {{{who}}}, what: {{servers: [s]}}}}]\n"),
        );
        let ran = run(&["validate", "--config", config_path]);
        let found = ran.out.matches("warning[any-issuer]").count();
        assert_eq!(
            (found, ran.code),
            (warnings, code),
            "{more} {server} {who}: {}",
            ran.out
        );
        let refused = ran.out.contains("error: `groups` may come from any issuer");
        assert_eq!(refused, code == 1, "{}", ran.out);
        let ran = run(&["test", "--config", config_path]);
        assert_eq!(
            ran.code, code,
            "{more} {server} {who}: {}{}",
            ran.out, ran.err
        );
    }
}

#[test]
fn validate_warns_where_a_status_tells() {
    let good = fs::read_to_string(data(GOOD)).unwrap();
    let text = good.replace("policy.yaml", "good/policy.yaml");
    for (deny, warnings) in [
        ("{shape: http_403, disclose: nothing}", 1),
        ("{shape: http_403}", 0),
        ("{shape: jsonrpc_error, disclose: nothing}", 0),
        (
            "{shape: http_403, disclose: nothing}\n  silence: [telling-status]",
            0,
        ),
    ] {
        let text = text.replace("tools_snapshot: tools.json", &format!("deny: {deny}"));
        let ran = run_with(&["validate", "--config", "-"], &text);
        let found = ran.out.matches("warning[telling-status]").count();
        assert_eq!((found, ran.code), (warnings, 0), "{deny}: {}", ran.out);
    }
}

#[test]
fn validate_warns_where_users_choose_who_they_are() {
    let good = fs::read_to_string(data(GOOD)).unwrap();
    let text = good
        .replace("policy.yaml", "good/policy.yaml")
        .replace("tools.json", "good/tools.json");
    for (keys, warnings) in [
        ("claims: {subject: email}", 1),
        ("claims: {subject: [sub, name, preferred_username]}", 2),
        ("claims: {subject: [sub, client_id]}", 0),
        ("claims: {subject: oid}", 0),
        ("provider: ping", 0),
        ("claims: {subject: email}\n  silence: [chosen-subject]", 0),
    ] {
        let issuer = "- issuer: https://idp.example.com";
        let text = text.replace(issuer, &format!("{issuer}\n  {keys}"));
        let ran = run_with(&["validate", "--config", "-"], &text);
        let found = ran.out.matches("warning[chosen-subject]").count();
        assert_eq!((found, ran.code), (warnings, 0), "{keys}: {}", ran.out);
    }
}

#[test]
fn validate_warns_where_no_accepted_tools_are_recorded() {
    let good = fs::read_to_string(data(GOOD)).unwrap();
    let text = good.replace("policy.yaml", "good/policy.yaml");
    let keys = "on_tool_change: deny\n  trust_tool_hints: true";
    let silenced = format!("{keys}\n  silence: [unrecorded-tools]");
    let recorded = format!("tools_snapshot: good/tools.json\n  {keys}");
    for (lines, warnings) in [
        (keys, 2),
        (silenced.as_str(), 0),
        (recorded.as_str(), 0),
        ("on_tool_change: audit\n  trust_tool_hints: false", 0),
    ] {
        let text = text.replace("tools_snapshot: tools.json", lines);
        let ran = run_with(&["validate", "--config", "-"], &text);
        let found = ran.out.matches("warning[unrecorded-tools]").count();
        assert_eq!((found, ran.code), (warnings, 0), "{lines}: {}", ran.out);
    }
}

#[test]
fn validate_warns_where_replicas_bind_sessions() {
    let good = fs::read_to_string(data(GOOD)).unwrap();
    let text = good.replace("policy.yaml", "good/policy.yaml");
    let text = text.replace(
        "tools_snapshot: tools.json",
        "tools_snapshot: good/tools.json",
    );
    let silenced = "session_binding: on\n  silence: [unshared-sessions]";
    // The other server says nothing of it.
    for (replicas, lines, warnings) in [
        ("", "session_binding: on", 0),
        ("replicas: 1\n", "session_binding: on", 0),
        ("replicas: 2\n", "session_binding: on", 2),
        ("replicas: 2\n", "session_binding: strict", 2),
        ("replicas: 2\n", "batch_max: 0", 2),
        ("replicas: 2\n", "session_binding: off", 1),
        ("replicas: 2\n", silenced, 1),
    ] {
        let server = format!("tools_snapshot: good/tools.json\n  {lines}");
        let text = text.replace("tools_snapshot: good/tools.json", &server);
        let ran = run_with(&["validate", "--config", "-"], &format!("{replicas}{text}"));
        let found = ran.out.matches("warning[unshared-sessions]").count();
        assert_eq!(
            (found, ran.code),
            (warnings, 0),
            "{replicas}{lines}: {}",
            ran.out
        );
    }
}

#[test]
fn validate_warns_where_arguments_are_read_and_not_checked() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
    write(
        "tools.json",
        r#"[{"name": "drop", "inputSchema": {"type": "object"}}]"#,
    );
    let config = directory.path().join("mcp-authz.yaml");
    let selector = "{id: a, effect: allow, who: {groups: [g]}, what: {servers: [s], arguments: {force: false}}}";
    let condition = "{id: a, effect: deny, what: {tools: [drop]}, if: 'args.force == true', silence: [fallible-deny]}";
    for (keys, rule, warnings) in [
        ("", selector, 1),
        ("", condition, 1),
        (", check_arguments: false", condition, 1),
        (", check_arguments: true", condition, 0),
        (", silence: [unchecked-arguments]", condition, 0),
        (
            "",
            "{id: a, effect: deny, what: {servers: [other], arguments: {force: true}}}",
            0,
        ),
        (
            "",
            "{id: a, effect: deny, what: {methods: [prompts/get]}, if: 'args.force == true', silence: [fallible-deny]}",
            0,
        ),
        ("", "{id: a, effect: deny, what: {tools: [drop]}}", 0),
    ] {
        let text = format!(
            "listen: 127.0.0.1:9001\nissuers: [{{issuer: https://idp.example.com}}]\nservers:\n- {{name: s, resource: https://x.test/mcp, match: {{hosts: [x.test]}}, tools_snapshot: tools.json{keys}}}\n- {{name: other, match: {{hosts: [y.test]}}, resource: https://y.test/mcp}}\npolicy: policy.yaml\n"
        );
        write("mcp-authz.yaml", &text);
        write("policy.yaml", &format!("rules: [{rule}]"));
        let ran = run(&["validate", "--config", config.to_str().unwrap()]);
        let found = ran.out.matches("warning[unchecked-arguments]").count();
        assert_eq!(
            (found, ran.code),
            (warnings, 0),
            "{keys} {rule}: {}",
            ran.out
        );
    }
}

#[test]
fn validate_warns_of_tools_whose_calls_cannot_be_seen_or_allowed() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
    write("tools.json", r#"[{"name": "call_tool"}, {"name": "drop"}]"#);
    let config = directory.path().join("mcp-authz.yaml");
    let unruled = "unruled-inner-tools";
    let unknown = "unknown-indirect-tool";
    let allow =
        |what: &str| format!("{{id: a, effect: allow, who: {{anyone: true}}, what: {{{what}}}}}");
    let outer = allow("servers: [s], tools: [call_tool]");
    for (tool, keys, rule, lint, warnings) in [
        ("call_tool", "", outer.clone(), unruled, 1),
        ("call_tool", "", allow("tools: ['*']"), unruled, 0),
        (
            "call_tool",
            "",
            allow("tools: [call_tool, drop]"),
            unruled,
            0,
        ),
        ("call_tool", "", allow("servers: [s]"), unruled, 0),
        ("call_tool", "", allow("servers: [other]"), unruled, 1),
        ("call_tool", "", allow("prompts: ['*']"), unruled, 1),
        ("call_tool", "", allow("methods: [tools/list]"), unruled, 1),
        ("call_tool", "", allow("methods: [tools/call]"), unruled, 0),
        (
            "call_tool",
            "",
            allow("tools: ['*']").replace("id: a,", "id: a, mode: shadow,"),
            unruled,
            1,
        ),
        (
            "call_tool",
            ", silence: [unruled-inner-tools]",
            outer.clone(),
            unruled,
            0,
        ),
        ("call_tool", "", outer.clone(), unknown, 0),
        ("call_tools", "", outer.clone(), unknown, 1),
        (
            "call_tools",
            ", silence: [unknown-indirect-tool]",
            outer,
            unknown,
            0,
        ),
    ] {
        let text = format!(
            "listen: 127.0.0.1:9001\nissuers: [{{issuer: https://idp.example.com}}]\nservers:\n- {{name: s, resource: https://x.test/mcp, match: {{hosts: [x.test]}}, tools_snapshot: tools.json, indirect: [{{tool: {tool}, name: n, arguments: a}}]{keys}}}\n- {{name: other, match: {{hosts: [y.test]}}, resource: https://y.test/mcp}}\npolicy: policy.yaml\n"
        );
        write("mcp-authz.yaml", &text);
        write("policy.yaml", &format!("rules: [{rule}]"));
        let ran = run(&["validate", "--config", config.to_str().unwrap()]);
        let found = ran.out.matches(&format!("warning[{lint}]")).count();
        assert_eq!(
            (found, ran.code),
            (warnings, 0),
            "{tool} {keys} {rule}: {}",
            ran.out
        );
    }
}

/// A mistake is reported once, and what it leaves open is no mistake.
#[test]
#[expect(clippy::too_many_lines, reason = "each row is a few")]
fn validate_reports_no_consequences_of_a_mistake() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
    write("jwks.json", &format!(r#"{{"keys": [{KEY}]}}"#));
    write(
        "policy.yaml",
        "rules:\n- {id: a, effect: allow, who: {scopes: ['api://n/read']}, what: {servers: [s], tools: [call_tool, look]}}\n- {id: b, effect: allow, who: {anyone: true}, what: {servers: [s], resources: ['MAP:x//y']}}\n",
    );
    write(
        "policy_test.yaml",
        "tests:\n- {name: t, request: {server: s, method: tools/call, name: call_tool, arguments: {n: look}, subject: {id: a, scopes: [read]}}, expect: {decision: allow}}\n- {name: u, request: {server: s, method: resources/read, uri: 'MAP:x//y', subject: {id: a}}, expect: {decision: allow}}\n",
    );
    let config = directory.path().join("mcp-authz.yaml");
    let good = "listen: 127.0.0.1:9001\nissuers: [{issuer: 'https://idp.test', jwks_file: jwks.json, scopes: {advertise: 'api://n/{scope}'}}]\nservers:\n- {name: s, resource: 'https://x.test/mcp', match: {hosts: [x.test]}, uris: opaque, scopes_supported: [read], indirect: [{tool: call_tool, name: n, arguments: a}]}\npolicy: policy.yaml\n";
    for (from, to, expected) in [
        ("listen", "listen", &[][..]),
        ("listen", "zzz: 1\nlisten", &["unknown key `zzz`"]),
        ("name: s,", "name: s, zzz: 1,", &["unknown key `zzz`"]),
        ("127.0.0.1:9001", "nowhere", &["`nowhere` is not"]),
        ("jwks_file:", "zzz: 1, jwks_file:", &["unknown key `zzz`"]),
        (
            "jwks_file: jwks.json",
            "jwks_uri: 'ftp://x'",
            &["issuer `https://idp.test`"],
        ),
        ("'https://x.test/mcp'", "'nowhere'", &["`nowhere`"]),
        (
            "hosts: [x.test]}",
            "hosts: ['*.*.x.test']}",
            &["`*.*.x.test` matches no host"],
        ),
        (
            "'https://x.test/mcp', match: {hosts: [x.test]}",
            "'https://{host}/mcp', match: {hosts: ['*.*.x.test']}",
            &["`*.*.x.test` matches no host"],
        ),
        (
            "'https://x.test/mcp', match: {hosts: [x.test]}",
            "'https://{host}/mcp'",
            &["`match` names no hosts"],
        ),
        (
            "'https://idp.test'",
            "'spiffe://x.test/a', provider: spiffe",
            &["issuer `spiffe://x.test/a`"],
        ),
        (
            "'https://idp.test'",
            "'https://idp.test', provider: spiffe",
            &["issuer `https://idp.test`"],
        ),
    ] {
        assert!(good.contains(from), "no {from}");
        write("mcp-authz.yaml", &good.replace(from, to));
        let ran = run(&[
            "validate",
            "--config",
            config.to_str().unwrap(),
            "--format",
            "json",
        ]);
        let found: Value = serde_json::from_str(&ran.out).unwrap();
        let found: Vec<_> = found["findings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|finding| finding["message"].as_str().unwrap().to_owned())
            .collect();
        let fits = found.len() == expected.len()
            && found
                .iter()
                .zip(expected)
                .all(|(found, part)| found.contains(part));
        assert!(fits, "{to}: {found:#?}");
    }
}

#[test]
fn validate_warns_of_scopes_that_no_client_can_ask_for() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
    let config = directory.path().join("mcp-authz.yaml");
    for (keys, rule, count) in [
        ("", "a", 0),
        ("", "a, b", 1),
        (", silence: [unadvertised-scope]", "a, b", 0),
        (", scopes_supported: [a, b]", "a, b", 1),
        (", scopes: {advertise: 'api://m/{scope}'}", "a, b", 0),
    ] {
        write(
            "mcp-authz.yaml",
            &format!(
                "listen: 127.0.0.1:9001\nissuers: [{{issuer: 'https://idp.test', scopes: {{advertise: 'api://n/{{scope}}', map: {{a: 'api://n/b'}}}}}}]\nservers: [{{name: s, resource: 'https://x.test/mcp'{keys}}}]\npolicy: policy.yaml\n"
            ),
        );
        write(
            "policy.yaml",
            &format!(
                "rules: [{{id: a, effect: allow, who: {{scopes: [{rule}]}}, what: {{servers: [s]}}}}]\n"
            ),
        );
        let ran = run(&["validate", "--config", config.to_str().unwrap()]);
        let found = ran.out.matches("warning[unadvertised-scope]").count();
        assert_eq!((found, ran.code), (count, 0), "{keys} {rule}: {}", ran.out);
    }
}

/// A call inside a call is explained, tested and decided with the call around it.
#[test]
fn a_call_inside_a_call_is_explained_and_tested() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
    write(
        "mcp-authz.yaml",
        "listen: 127.0.0.1:9001\nissuers: [{issuer: https://idp.example.com}]\nservers:\n- {name: s, resource: https://x.test/mcp, indirect: [{tool: call_tool, name: name, arguments: arguments}]}\npolicy: policy.yaml\n",
    );
    write(
        "policy.yaml",
        "rules:\n\
         - {id: way-in, effect: allow, who: {anyone: true}, what: {tools: [call_tool]}}\n\
         - {id: readers, effect: allow, who: {anyone: true}, what: {tools: [get_*]}}\n\
         - {id: scope, effect: require, what: {tools: [get_scoped]}, needs: {scopes: [notes]}}\n\
         - {id: few, effect: limit, what: {tools: [get_few]}, limit: {calls: 1, per: 1m, by: [subject]}}\n",
    );
    let asks = |arguments: &str| {
        format!(
            "{{server: s, method: tools/call, name: call_tool, arguments: {arguments}, subject: {{id: alice}}}}"
        )
    };
    let cases = [
        (
            "{name: get_note}",
            "decision: allow, rule: readers",
            "allow (allowed)",
        ),
        (
            "{name: drop}",
            "decision: deny, reason: no_matching_rule",
            "deny (no_matching_rule)",
        ),
        (
            "{name: get_scoped}",
            "decision: challenge, scopes: [notes]",
            "challenge (insufficient_scope)",
        ),
        (
            "{title: drop}",
            "decision: deny, reason: inner_call_invalid",
            "deny (inner_call_invalid)",
        ),
    ];
    let mut tests = "tests:\n".to_owned();
    for (index, (arguments, expected, _)) in cases.iter().enumerate() {
        let request = asks(arguments);
        writeln!(
            tests,
            "- {{name: t{index}, request: {request}, expect: {{{expected}}}}}"
        )
        .unwrap();
    }
    tests.push_str(
        "- {name: no room, request: {server: s, method: tools/call, name: call_tool, arguments: {name: get_few}, subject: {id: alice}, exhausted: [few]}, expect: {decision: deny, rule: few}}\n\
         - {name: lists, request: {server: s, list: tools, subject: {id: alice}}, expect: {visible: [call_tool, get_note], hidden: [drop]}}\n",
    );
    write("policy_test.yaml", &tests);
    let config = directory.path().join("mcp-authz.yaml");
    let config = config.to_str().unwrap();
    let ran = run(&["test", "--config", config]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    for (arguments, _, whole) in cases {
        let ran = run_with(&["explain", "--config", config, "-"], &asks(arguments));
        assert_eq!(ran.code, 0, "{}", ran.err);
        let last = ran.out.trim_end().lines().last().unwrap();
        assert_eq!(last, format!("the whole call: {whole}"), "{}", ran.out);
    }
    let ran = run_with(&["explain", "--config", config, "-"], &asks("{name: drop}"));
    for part in ["for tools/call `call_tool`", "for tools/call `drop`"] {
        assert!(ran.out.contains(part), "{}", ran.out);
    }
}

#[test]
fn validate_holds_rules_against_what_servers_declare() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
    write(
        "tools.json",
        r#"[{"name": "drop", "inputSchema": {"type": "object", "properties": {"force": {"type": "boolean"}}}}]"#,
    );
    let config = directory.path().join("mcp-authz.yaml");
    let argument = |name: &str| {
        format!(
            "{{id: a, effect: deny, what: {{servers: [s], tools: [drop], arguments: {{{name}: true}}}}}}"
        )
    };
    let uri = "{id: a, effect: deny, what: {servers: [s], resources: ['NOTE://s/x']}}".to_owned();
    for (keys, rule, lint, warnings) in [
        ("", argument("force"), "unknown-argument", 0),
        ("", argument("forced"), "unknown-argument", 1),
        ("", uri.clone(), "uri-never-normal", 1),
        (", uris: opaque", uri, "uri-never-normal", 0),
    ] {
        let text = format!(
            "listen: 127.0.0.1:9001\nissuers: [{{issuer: https://idp.example.com}}]\nservers:\n- {{name: s, resource: https://x.test/mcp, tools_snapshot: tools.json{keys}}}\npolicy: policy.yaml\n"
        );
        write("mcp-authz.yaml", &text);
        write("policy.yaml", &format!("rules: [{rule}]"));
        let ran = run(&["validate", "--config", config.to_str().unwrap()]);
        let found = ran.out.matches(&format!("warning[{lint}]")).count();
        assert_eq!((found, ran.code), (warnings, 0), "{rule}: {}", ran.out);
    }
}

/// The example is what authors begin with.
#[test]
fn nothing_is_to_be_said_of_the_example() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("envoy/mcp-authz.yaml");
    let ran = run(&["validate", "--config", example.to_str().unwrap()]);
    let spoken: Vec<&str> = ran
        .out
        .lines()
        .filter(|line| line.contains("warning["))
        .collect();
    assert_eq!(spoken, [""; 0], "{}", ran.out);
}

#[test]
fn validate_refuses_schemas_that_no_call_could_fit() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
    write(
        "tools.json",
        r#"[{"name": "good", "inputSchema": {"type": "object"}}, {"name": "a\nb", "inputSchema": {"$ref": "http://127.0.0.1:9/"}}, {"name": "bare"}]"#,
    );
    write("policy.yaml", "rules: [{id: a, effect: deny}]");
    let config = directory.path().join("mcp-authz.yaml");
    for (checks, errors) in [(true, 2), (false, 0)] {
        let text = format!(
            "listen: 127.0.0.1:9001\nissuers: [{{issuer: https://idp.example.com}}]\nservers:\n- {{name: s, resource: https://x.test/mcp, tools_snapshot: tools.json, check_arguments: {checks}}}\npolicy: policy.yaml\n"
        );
        write("mcp-authz.yaml", &text);
        let ran = run(&[
            "validate",
            "--config",
            config.to_str().unwrap(),
            "--format",
            "json",
        ]);
        let told: Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(told["errors"], errors, "{}", ran.out);
        let findings = told["findings"].as_array().unwrap();
        let messages: Vec<_> = findings
            .iter()
            .filter(|finding| finding["severity"] == "error")
            .map(|finding| {
                (
                    finding["line"].as_u64(),
                    finding["message"].as_str().unwrap(),
                )
            })
            .collect();
        let expected = [
            (
                Some(4),
                "the input schema of `a\\nb` cannot be used: `http://127.0.0.1:9/` is not followed: only `$ref` to `#` or `#/…` within the schema is",
            ),
            (
                Some(4),
                "the input schema of `bare` cannot be used: it is not a JSON object",
            ),
        ];
        assert_eq!(messages, if checks { expected.to_vec() } else { vec![] });
    }
}

/// Where a server is trusted, its record classes the tools that no table does.
#[test]
fn commands_judge_by_the_hints_that_are_recorded() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
    let config = |trust: &str| {
        let text = format!(
            "listen: 127.0.0.1:9001\nissuers: [{{issuer: https://idp.example.com}}]\nservers: [{{name: s, resource: https://x.test/mcp, tools_snapshot: tools.json{trust}}}]\npolicy: policy.yaml\n"
        );
        write("mcp-authz.yaml", &text);
    };
    write(
        "tools.json",
        r#"[{"name": "look", "annotations": {"readOnlyHint": true}}, {"name": "drop"}]"#,
    );
    write(
        "policy.yaml",
        "rules: [{id: readers, effect: allow, who: {groups: [g]}, what: {servers: [s], classes: [read]}}]",
    );
    write(
        "policy_test.yaml",
        "tests:
- name: look
  request: {server: s, method: tools/call, name: look, subject: {id: a, groups: [g]}}
  expect: {decision: allow, rule: readers}
- name: drop
  request: {server: s, method: tools/call, name: drop, subject: {id: a, groups: [g]}}
  expect: {decision: deny, reason: no_matching_rule}
- name: list
  request: {server: s, list: tools, subject: {id: a, groups: [g]}}
  expect: {visible: [look], hidden: [drop, other]}
",
    );
    let path = directory.path().join("mcp-authz.yaml");
    let path = path.to_str().unwrap();
    config(", trust_tool_hints: true");
    let ran = run(&["test", "--config", path]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
    let ran = run(&["validate", "--config", path, "--deny-warnings"]);
    assert_eq!(ran.code, 0, "{}", ran.out);
    let ran = run(&["matrix", "--config", path, "--format", "csv"]);
    for line in ["s,look,read,g,allow,readers", "s,drop,destructive,g,deny,"] {
        assert!(ran.out.contains(line), "{}", ran.out);
    }
    config("");
    let ran = run(&["validate", "--config", path]);
    assert!(ran.out.contains("unknown class `read`"), "{}", ran.out);
}

#[test]
fn validate_finds_what_would_keep_the_service_from_starting() {
    let good = fs::read_to_string(data(GOOD)).unwrap();
    for (from, to, expected) in [
        (
            "policy: policy.yaml",
            "policy: gone.yaml",
            "no policy file at `gone.yaml`",
        ),
        (
            "policy: policy.yaml",
            "policy: good/policy.yaml\nadmin: {listen: 'unix:/x'}",
            "the admin endpoint is on TCP only",
        ),
        (
            "policy: policy.yaml",
            "policy: good/policy.yaml\ntls: {cert_file: no.pem, key_file: no.key}",
            "no.pem",
        ),
        ("tools.json", "gone.json", "gone.json"),
    ] {
        let text = good
            .replace(from, to)
            .replace("policy: policy", "policy: good/policy");
        let ran = run_with(&["validate", "--config", "-"], &text);
        assert!(ran.out.contains(expected), "{to}: {}", ran.out);
        assert_eq!(ran.code, 1, "{to}");
    }
}

#[test]
fn a_command_that_cannot_run_says_so() {
    for arguments in [
        &["validate", "--config", "gone.yaml"][..],
        &["test", "--config", "gone.yaml"],
        &["explain", "--config", GOOD, "gone.yaml"],
        &["matrix", "--config", GOOD, "--subjects", "gone.yaml"],
        &["classify", "gone.yaml"],
        &["schema", "nothing"],
    ] {
        let ran = run(arguments);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{arguments:?}");
        assert!(!ran.err.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_policy_that_does_what_its_tests_want_passes() {
    let ran = run(&["test", "--config", GOOD]);
    assert!(
        ran.out.ends_with("ok   a list\n\n7 test(s), 0 failed\n"),
        "{}",
        ran.out
    );
    assert_eq!(ran.code, 0);
    let ran = run(&["test", "--config", GOOD, "--format", "json"]);
    let whole: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(
        (&whole["passed"], &whole["failed"]),
        (&Value::from(7), &Value::from(0))
    );
    assert_eq!(whole["unreached_rules"], Value::Array(Vec::new()));
}

const FAILING: &str = r#"
tests:
- name: "<wrong> & 'odd'"
  request: {server: github, method: tools/call, name: get_issue, subject: {id: eve}}
  expect: {decision: allow, rule: readers}
- name: wrong rule
  request: {server: github, method: tools/call, name: get_issue, subject: {id: bob, groups: [support], scopes: "repo:read x"}}
  expect: {rule: engineers-write, reason: denied_by_rule}
- name: no such rule
  request: {server: github, method: tools/call, name: get_issue, subject: {id: bob}}
  expect: {rule: nothing}
- name: scopes
  request: {server: github, method: tools/call, name: delete_repo, subject: {id: alice, groups: [engineering]}}
  expect: {scopes: [other]}
- name: list
  request: {server: github, list: tools, subject: {id: eve}}
  expect: {visible: [get_issue]}
- name: rejected
  request: {server: github, method: tools/call, subject: {id: eve}}
  expect: {decision: deny}
- name: several
  request: {server: github, method: subscriptions/listen, params: {notifications: {resourceSubscriptions: ["a:b", "c:d"]}}, subject: {id: eve}}
  expect: {decision: deny}
"#;

#[test]
fn a_failing_test_shows_expected_against_actual_and_why() {
    let ran = run_with(&["test", "--config", GOOD, "-"], FAILING);
    expect("failing.txt", &ran.out);
    assert_eq!(ran.code, 1);
    let ran = run_with(
        &["test", "--config", GOOD, "--format", "junit", "-"],
        FAILING,
    );
    expect("failing.xml", &ran.out);
    assert_eq!(ran.code, 1);
}

#[test]
fn an_explanation_names_the_selector_that_did_not_match() {
    let request = "request: {server: github, method: tools/call, name: delete_repo, arguments: {}, from: 192.0.2.1, subject: {id: root, roles: [admin]}}";
    let at = [
        "explain",
        "--config",
        GOOD,
        "--at",
        "2026-01-05T12:00:00Z",
        "-",
    ];
    let ran = run_with(&at, request);
    expect("explained.txt", &ran.out);
    assert_eq!(ran.code, 0);
    let ran = run_with(
        &["explain", "--config", GOOD, "-"],
        "{server: github, list: tools, subject: {}}",
    );
    assert_eq!(
        (ran.code, ran.err.as_str()),
        (2, "mcp-authz: a list is not one decision; explain a call\n")
    );
    let ran = run_with(
        &["explain", "--config", GOOD, "-"],
        "{server: github, method: ping}",
    );
    assert!(ran.err.contains("`subject` is missing"), "{}", ran.err);
    assert_eq!(ran.code, 1);
}

/// What could not be evaluated of some requests, and why.
#[test]
fn an_explanation_says_why_a_value_has_no_result() {
    let call = |arguments: &str| format!("method: tools/call, name: t, arguments: {arguments}");
    let read = |uri: &str| format!("method: resources/read, uri: \"{uri}\"");
    let mut told = String::new();
    for (ask, about) in [
        (read("NOTE://s/x"), "claims: {}"),
        (read("note://s/x/"), "claims: {}"),
        (
            call("{force: 'true', opts: {owner: [Root, x]}, count: '+5', title: 5}"),
            "claims: {staff: 'yes', realm: {roles: [Root]}}",
        ),
        (
            call("{Force: true, opts: text, COUNT: 1}"),
            "claims: {staff: 1, realm: text}",
        ),
        (
            call("{opts: {Owner: x}}"),
            "claims: {_claim_names: {staff: a, realm: a}}",
        ),
    ] {
        let request = format!("request: {{server: notes, {ask}, subject: {{id: a, {about}}}}}");
        let ran = run_with(
            &["explain", "--config", "unread/mcp-authz.yaml", "-"],
            &request,
        );
        assert_eq!(ran.code, 0, "{}", ran.err);
        writeln!(told, "{ask}, {about}").unwrap();
        let mut rule = "";
        for line in ran.out.lines() {
            if let Some((id, _)) = line.split_once(" (deny): ") {
                rule = id.trim_start_matches([' ', '=', '>']);
            }
            if let Some((_, selector)) = line.split_once("? ") {
                writeln!(told, "  {rule}: {selector}").unwrap();
            }
        }
    }
    expect("unread.txt", &told);
}

#[test]
fn tools_are_classified_by_their_annotations_and_the_table_is_a_policy() {
    let ran = run(&["classify", "good/tools.json", "--server", "github"]);
    expect("classified.yaml", &ran.out);
    assert_eq!(ran.code, 0);
    let sources = [mcp_authz::yaml::Source {
        name: "p".to_owned(),
        text: ran.out,
    }];
    let policy = mcp_authz::policy::compile(&sources, &CompileContext::default()).unwrap();
    for (tool, class) in [
        ("get_issue", "read"),
        ("create_issue", "write"),
        ("no", "write"),
        ("delete_repo", "destructive"),
        ("odd\nname: \u{2028} \u{1f600}", "destructive"),
        ("any*thing", "unclassified"),
        ("anything", "unclassified"),
    ] {
        assert_eq!(
            &**policy.class("github", tool, Hints::Untrusted).unwrap(),
            class,
            "{tool:?}"
        );
    }
    for (text, expected) in [
        ("{}", "expected tools"),
        ("[]", "has no tools"),
        ("[{\"name\": \"a\"}, {\"name\": \"a\"}]", "there twice"),
        ("{", "is not JSON"),
    ] {
        let ran = run_with(&["classify", "-"], text);
        assert_eq!(ran.code, 2);
        assert!(ran.err.contains(expected), "{}", ran.err);
    }
}

#[test]
fn a_record_is_compared_and_accepted() {
    let directory = tempfile::tempdir().unwrap();
    let snapshot = directory.path().join("tools.json");
    let path = snapshot.to_str().unwrap();
    let refresh = |more: &[&str], text: &str| {
        let ran = run_with(
            &[&["classify", "-", "--refresh", path], more].concat(),
            text,
        );
        (ran.code, ran.out.replace(path, "SNAPSHOT"), ran.err)
    };
    let first = r#"[{"name": "a", "description": "reads", "annotations": {"readOnlyHint": true}}, {"name": "b"}, {"name": "c", "inputSchema": {"type": "object"}}]"#;
    let (code, out, err) = refresh(&["--accept"], first);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains("new: a (read by its annotations)\n  description is:  \"reads\"\n"));
    assert!(
        out.ends_with("3 change(s), accepted into `SNAPSHOT`\n"),
        "{out}"
    );
    assert_eq!(fs::read_to_string(&snapshot).unwrap(), first);

    // The same in other words.
    let same = r#"{"result": {"tools": [{"name": "b"}, {"description": "re\u0061ds", "annotations": {"readOnlyHint": true}, "name": "a", "_meta": {}}, {"name": "c", "inputSchema": {"type": "object"}}]}}"#;
    let nothing = "nothing is otherwise than in `SNAPSHOT`\n".to_owned();
    assert_eq!(refresh(&[], same), (0, nothing, String::new()));

    let other = "[{\"name\": \"a\", \"description\": \"reads \\u001b[8m\u{e0041}\\\"and\\\" mails\"}, {\"name\": \"c\", \"inputSchema\": {\"type\": \"object\", \"required\": [\"x\"]}}, {\"name\": \"d\\n\"}]";
    let expected = r#"changed: a (description, annotations)
  description was: "reads"
  description is:  "reads \u001b[8m\u{e0041}\"and\" mails"
  annotations was: {"readOnlyHint":true}
  annotations is:  absent
gone: b
changed: c (inputSchema)
  inputSchema was: {"type":"object"}
  inputSchema is:  {"type":"object","required":["x"]}
new: d\n (destructive by its annotations)
  description is:  absent
4 change(s)"#;
    let (code, out, _) = refresh(&[], other);
    let wanted = format!("{expected}; `--accept` puts them into `SNAPSHOT`\n");
    assert_eq!((code, out.as_str()), (1, wanted.as_str()));
    assert_eq!(fs::read_to_string(&snapshot).unwrap(), first);
    let (code, out, _) = refresh(&["--accept"], other);
    let wanted = format!("{expected}, accepted into `SNAPSHOT`\n");
    assert_eq!((code, out.as_str()), (0, wanted.as_str()));
    assert_eq!(fs::read_to_string(&snapshot).unwrap(), other);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);

    // What cannot be used changes nothing.
    assert_eq!(refresh(&["--accept"], "[]").0, 2);
    assert_eq!(fs::read_to_string(&snapshot).unwrap(), other);
    assert_eq!(run(&["classify", "-", "--accept"]).code, 2);
}

/// The revision of the good policy.
fn compiled_revision() -> String {
    let ran = run(&["validate", "--config", GOOD, "--format", "json"]);
    let whole: Value = serde_json::from_str(&ran.out).unwrap();
    let revision = whole["policy_revision"].as_str().unwrap().to_owned();
    let ran = run(&["validate", "--config", GOOD]);
    let said = format!("mcp-authz: policy revision {revision}\n");
    assert_eq!(ran.err, said);
    let ran = run(&["matrix", "--config", GOOD]);
    let said = format!("policy revision {revision}\n");
    assert!(ran.out.contains(&said), "{}", ran.out);
    revision
}

#[test]
fn the_matrix_tells_who_may_call_what() {
    let at = ["--at", "2026-01-05T12:00:00Z"];
    let ran = run(&[&["matrix", "--config", GOOD], &at[..]].concat());
    expect("matrix.txt", &ran.out);
    let subjects = "subjects: [{name: '=Root', id: root, roles: [admin], from: 10.0.0.1, scopes: 'repo:delete'}, {id: eve}]";
    let ran = run_with(
        &[
            "matrix",
            "--config",
            GOOD,
            "--at",
            at[1],
            "--subjects",
            "-",
            "--format",
            "csv",
        ],
        subjects,
    );
    let wanted = "github,delete_repo,destructive,'=Root,allow,office-deletes\r\ngithub,delete_repo,destructive,eve,deny,\r\n";
    let revision = compiled_revision();
    let wanted = wanted.replace("\r\n", &format!(",{revision},2026-01-05T12:00:00Z\r\n"));
    assert!(ran.out.contains(&wanted), "{}", ran.out);
    let ran = run_with(
        &[
            "matrix",
            "--config",
            GOOD,
            "--subjects",
            "-",
            "--format",
            "json",
        ],
        subjects,
    );
    let whole: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(whole["cells"].as_array().unwrap().len(), 28);
    assert_eq!(whole["cells"][0]["outcome"], "deny");
    let patterns: Vec<&Value> = whole["cells"].as_array().unwrap().iter().collect();
    let patterns = patterns.iter().filter(|cell| cell["is_pattern"] == true);
    assert_eq!(patterns.count(), 8);
}

#[test]
fn the_matrix_shows_what_is_asked_for() {
    let cells = |arguments: &[&str]| {
        let base = ["matrix", "--config", GOOD, "--format", "json"];
        let ran = run(&[&base[..], arguments].concat());
        assert_eq!(ran.code, 0, "{}", ran.err);
        let whole: Value = serde_json::from_str(&ran.out).unwrap();
        whole["cells"].as_array().unwrap().clone()
    };
    let all = cells(&[]);
    let files = cells(&["--server", "files"]);
    assert!(files.iter().all(|cell| cell["server"] == "files"));
    assert!(!files.is_empty() && files.len() < all.len());
    let one = cells(&["--subject", "role admin"]);
    assert!(one.iter().all(|cell| cell["subject"] == "role admin"));
    assert_eq!(one.len() * 5, all.len());
    let depends = cells(&["--outcome", "depends"]);
    assert!(depends.iter().all(|cell| cell["subject"] != "anyone else"));
    assert!(depends.iter().any(|cell| cell["outcome"] == "depends"));
    let ran = run(&["matrix", "--config", GOOD, "--server", "file"]);
    let message = "mcp-authz: there is no server `file`; there are: ";
    assert!(ran.code == 2 && ran.err.starts_with(message), "{}", ran.err);
}

/// Hours, dates and excluded groups of rules.
#[test]
fn the_matrix_is_about_now_unless_a_moment_is_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("mcp-authz.yaml");
    let text = fs::read_to_string(data(GOOD)).unwrap();
    let text = text.replace("  tools_snapshot: tools.json\n", "");
    fs::write(&config, text).unwrap();
    let policy = "rules:
- {id: work, effect: allow, who: {groups: [dev], not: {groups: [interns]}}, what: {servers: [github], tools: [get]}, when: {days: [mon-fri], between: ['09:00', '18:00'], timezone: Europe/Berlin}}
- {id: ended, effect: allow, who: {groups: [dev]}, what: {servers: [github], tools: [old]}, when: {until: 2020-01-01T00:00:00Z}}
- {id: to-come, effect: allow, who: {groups: [dev]}, what: {servers: [github], tools: [new]}, when: {from: 2990-01-01T00:00:00Z}}
- {id: barred, effect: deny, who: {groups: [guests]}, owner: security, ticket: SEC-12, description: Guests read elsewhere.}
";
    fs::write(directory.path().join("policy.yaml"), policy).unwrap();
    let config = config.to_str().unwrap();
    let shown = |arguments: &[&str]| {
        let base = [
            "matrix", "--config", config, "--server", "github", "--format", "csv",
        ];
        run(&[&base[..], arguments].concat()).out
    };
    let now = shown(&[]);
    for line in [
        "github,get,unclassified,dev,depends,work,",
        "github,get,unclassified,dev + interns,deny,,",
        "github,get,unclassified,guests,deny,barred,",
        "github,old,unclassified,dev,deny,,",
        "github,new,unclassified,dev,depends,to-come,",
    ] {
        assert!(now.contains(line), "{line} in {now}");
    }
    let sunday = shown(&["--at", "2026-01-04T12:00:00Z"]);
    assert!(sunday.contains("github,get,unclassified,dev,deny,,"));
    let monday = shown(&["--at", "2026-01-05T12:00:00Z"]);
    assert!(monday.contains("github,get,unclassified,dev,allow,work,"));
    let table = run(&["matrix", "--config", config, "--server", "github"]).out;
    assert!(
        table.contains("work (allow): mon-fri 09:00-18:00 Europe/Berlin\n"),
        "{table}"
    );
    assert!(
        table.contains("to-come (allow): from 2990-01-01T00:00:00Z\n"),
        "{table}"
    );
    assert!(
        table.contains("barred (deny) - Guests read elsewhere. - owner security, ticket SEC-12\n"),
        "{table}"
    );
    // `explain` too.
    let request = "{server: github, method: tools/call, name: get, subject: {groups: [dev]}}";
    for (at, outcome) in [
        ("2026-01-04T12:00:00Z", "deny"),
        ("2026-01-05T12:00:00Z", "allow"),
    ] {
        let ran = run_with(&["explain", "--config", config, "--at", at, "-"], request);
        assert!(ran.out.starts_with(&format!("at {at}, policy revision ")));
        let said = "     # owner security, ticket SEC-12\n     # Guests read elsewhere.\n";
        assert!(ran.out.contains(said), "{}", ran.out);
        assert!(ran.out.contains(&format!("\n{outcome} ")), "{}", ran.out);
    }
}

#[test]
fn commands_judge_a_candidate_that_is_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("mcp-authz.yaml");
    let text = fs::read_to_string(data(GOOD)).unwrap();
    let text = text.replace("tools_snapshot: tools.json", "uris: normal");
    let without = directory.path().join("without.yaml");
    fs::write(&without, &text).unwrap();
    fs::write(&config, format!("{text}candidate_policy: candidate.yaml\n")).unwrap();
    fs::write(directory.path().join("policy.yaml"), "rules: []\n").unwrap();
    let candidate = "rules: [{id: all, effect: allow, who: {anyone: true}, what: {servers: [github], tools: [get]}}]\n";
    fs::write(directory.path().join("candidate.yaml"), candidate).unwrap();
    let cases = "tests: [{name: t, request: {server: github, method: tools/call, name: get, subject: {id: a}}, expect: {decision: allow}}]\n";
    fs::write(directory.path().join("candidate_test.yaml"), cases).unwrap();
    let (config, without) = (config.to_str().unwrap(), without.to_str().unwrap());
    let request = "{server: github, method: tools/call, name: get, subject: {id: a}}";
    let explain = ["explain", "--config", config, "-"];
    let ran = run_with(&explain, request);
    assert!(ran.out.contains("\ndeny "), "{} {}", ran.out, ran.err);
    let explain = ["explain", "--config", config, "--candidate", "-"];
    assert!(run_with(&explain, request).out.contains(" by all\n"));
    assert_eq!(run(&["test", "--config", config, "--candidate"]).code, 0);
    let matrix = [
        "matrix",
        "--config",
        config,
        "--candidate",
        "--format",
        "csv",
    ];
    assert!(
        run(&matrix)
            .out
            .contains(",get,unclassified,anyone else,allow,all,")
    );
    assert_eq!(run(&["validate", "--config", config]).code, 0);
    for (text, found) in [
        ("rules: [{id: a, effect: alow}]\n", "unknown value `alow`"),
        ("rules: []\n", "expected `allow`"),
    ] {
        fs::write(directory.path().join("candidate.yaml"), text).unwrap();
        let ran = run(&["validate", "--config", config]);
        assert!(ran.code == 1 && ran.out.contains(found), "{}", ran.out);
    }
    fs::remove_file(directory.path().join("candidate.yaml")).unwrap();
    let ran = run(&["validate", "--config", config]);
    assert!(ran.out.contains("candidate.yaml"), "{}", ran.out);
    assert_eq!(ran.code, 1);
    let ran = run(&["matrix", "--config", without, "--candidate"]);
    assert_eq!(
        (ran.code, ran.err.as_str()),
        (
            2,
            "mcp-authz: the configuration has no `candidate_policy`\n"
        )
    );
}

#[test]
fn the_page_is_whole_and_escapes_what_it_shows() {
    let ran = run(&["matrix", "--config", GOOD, "--format", "html"]);
    let page = ran.out;
    assert!(page.starts_with("<!DOCTYPE html>"));
    for text in [
        "default-src 'none'",
        "drop&#60;b&#62;table",
        "Only &#60;i&#62;acme&#60;/i&#62;&#39;s repositories &#38; &#34;friends&#34;.",
        "<li id=\"n5\">",
    ] {
        assert!(page.contains(text), "{text}");
    }
    for text in [
        "<b>table", "<i>acme", "http://", "https://", "src=", "\u{2028}",
    ] {
        assert!(!page.contains(text), "{text}");
    }
    // Every outcome has a sign and a letter, not only a colour.
    let cells = |class: &str| {
        page.matches(&format!("<td class=\"{class}\" title="))
            .count()
    };
    assert_eq!(
        [
            cells("allow"),
            cells("challenge"),
            cells("depends"),
            cells("deny")
        ],
        [12, 11, 7, 40]
    );
    assert_eq!(page.matches("✕&#8202;D").count(), 41);
}

/// Names that mean something to a browser, to a spreadsheet or to a reader of CSV.
const HOSTILE: [&str; 6] = [
    "</script><script>alert(1)</script>",
    "=cmd()",
    "a\"b' onload='x",
    "a,b\r\nc;\td",
    "{{ matrix }}{% endfor %}",
    "a\u{202e}b\u{7f}\u{200b}c",
];

fn matrix_of_hostile_names(format: &str) -> String {
    let subjects = HOSTILE.map(|name| json!({"name": name, "id": "eve"}));
    let subjects = json!({"subjects": subjects}).to_string();
    let arguments = [
        "matrix",
        "--config",
        GOOD,
        "--subjects",
        "-",
        "--format",
        format,
    ];
    let ran = run_with(&arguments, &subjects);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    ran.out
}

#[test]
fn a_hostile_name_is_text_on_the_page() {
    let page = matrix_of_hostile_names("html");
    let heads: Vec<&str> = page
        .split("<th scope=\"col\">")
        .skip(3)
        .map(|rest| rest.split("</th>").next().unwrap())
        .collect();
    assert_eq!(
        heads,
        [
            "&#60;/script&#62;&#60;script&#62;alert(1)&#60;/script&#62;",
            "=cmd()",
            "a&#34;b&#39; onload=&#39;x",
            "a,b\u{fffd}\u{fffd}c;\u{fffd}d",
            "{{ matrix }}{% endfor %}",
            "a\u{fffd}b\u{fffd}\u{fffd}c",
        ]
    );
    // The page has its own script and nobody else's, and every attribute ends where it should.
    assert_eq!(page.matches("<script>").count(), 1);
    assert_eq!(page.matches("</script>").count(), 1);
    assert!(!page.contains("onload='"), "{page}");
}

#[test]
fn a_hostile_name_is_one_field_of_csv_and_no_formula() {
    let text = matrix_of_hostile_names("csv");
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let names: Vec<&str> = rows.iter().take(HOSTILE.len()).map(|row| &row[3]).collect();
    // Nothing that a terminal would act upon is printed.
    let printed = |name: &&str| name.replace("=cmd", "'=cmd").replace('\u{7f}', "");
    let expected: Vec<String> = HOSTILE.iter().map(printed).collect();
    assert_eq!(names, expected);
    assert!(rows.iter().all(|row| row.len() == 8));
}

#[test]
fn the_examples_pass_their_tests_and_every_rule_is_reached() {
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("envoy/mcp-authz.yaml");
    let config = config.to_str().unwrap();
    let ran = run(&["test", "--config", config, "--format", "json"]);
    let whole: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(whole["unreached_rules"], Value::Array(Vec::new()));
    assert_eq!((ran.code, &whole["failed"]), (0, &Value::from(0)));
    let ran = run(&["validate", "--config", config, "--deny-warnings"]);
    assert_eq!(
        (ran.out.as_str(), ran.code),
        ("0 error(s), 0 warning(s)\n", 0)
    );
}
