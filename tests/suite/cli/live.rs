//! `matrix --live`: rows of tools that a running service has seen in lists.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use serde_json::{Value, json};

use super::{GOOD, Ran, data, expect, run};

/// An admin endpoint that gives one answer, whatever it is asked, as often as it is asked.
fn answering(status: &str, body: &str) -> String {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n", body.len());
    let answer = format!("{head}connection: close\r\n\r\n{body}");
    std::thread::spawn(move || {
        for stream in socket.incoming() {
            let mut stream = stream.unwrap();
            let mut asked = Vec::new();
            let mut piece = [0; 1024];
            while !asked.windows(4).any(|end| end == b"\r\n\r\n") {
                match stream.read(&mut piece).unwrap() {
                    0 => break,
                    length => asked.extend_from_slice(&piece[..length]),
                }
            }
            // A client that has seen enough may be gone.
            drop(stream.write_all(answer.as_bytes()));
        }
    });
    url
}

fn tool(name: &str) -> Value {
    json!({
        "name": name, "class": "read", "hint": null, "recorded": false, "changed": false,
        "refused": null, "first_seen": "2026-01-05T12:00:00Z", "last_seen": "2026-01-05T12:00:00Z",
        "a_member_of_later_versions": [],
    })
}

fn page(servers: &Value) -> String {
    json!({"at": "2026-01-05T12:00:00Z", "policy_revision": "r1", "servers": servers}).to_string()
}

fn matrix(config: &str, url: &str, more: &[&str]) -> Ran {
    let base = ["matrix", "--config", config, "--live", url];
    let at = ["--at", "2026-01-05T12:00:00Z"];
    run(&[&base[..], &at, more].concat())
}

/// Without the moment and the port of this run.
fn steady(text: &str, url: &str) -> String {
    let text = text.replace(url, "http://ADMIN");
    let Some((before, rest)) = text.split_once(" read at ") else {
        return text;
    };
    let (moment, after) = rest.split_once(' ').unwrap();
    assert!(moment.parse::<jiff::Timestamp>().is_ok(), "{moment}");
    format!("{before} read at NOW {after}")
}

fn good() -> String {
    let github = [
        tool("get_pull"),
        tool("get_issue"),
        tool("brand_new"),
        tool("delete_\u{202e}all"),
        json!({"name": "list_issues", "recorded": true, "changed": true, "refused": "changed", "hint": null}),
        tool(&"x".repeat(9000)),
    ];
    page(&json!([
        {"server": "files", "truncated": true, "tools": [tool("stat")]},
        {"server": "github", "truncated": false, "tools": github},
    ]))
}

#[test]
fn tools_that_were_listed_have_rows() {
    let url = answering("200 OK", &good());
    let ran = matrix(GOOD, &url, &["--subject", "engineering,anyone else"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    expect("matrix-live.txt", &steady(&ran.out, &url));
}

#[test]
fn every_format_says_which_rows_are_live() {
    let url = answering("200 OK", &good());
    let ran = matrix(GOOD, &url, &["--format", "json"]);
    let whole: Value = serde_json::from_str(&ran.out).unwrap();
    let of = |name: &str| {
        let cells = whole["cells"].as_array().unwrap();
        let cells = cells.iter().filter(|cell| cell["tool"] == name);
        let live: Vec<bool> = cells.map(|cell| cell["live"].as_bool().unwrap()).collect();
        assert_eq!(live.len(), 5, "{name}");
        live.iter().all(|live| *live)
    };
    assert!(of("get_pull") && of("brand_new") && of("stat"));
    assert!(!of("get_issue") && !of("list_issues") && !of("any other get_*"));
    let live = &whole["live"];
    assert_eq!(live["url"], format!("{url}/tools"));
    assert_eq!(live["truncated"], json!(["files"]));
    let changed = json!([{"server": "github", "tool": "list_issues"}]);
    assert_eq!(live["changed"], changed);
    assert_eq!(live["uncallable"][0]["server"], "github");
    let read_at = live["read_at"].as_str().unwrap();
    assert!(read_at.parse::<jiff::Timestamp>().is_ok());

    let csv = matrix(GOOD, &url, &["--format", "csv"]).out;
    let lines: Vec<&str> = csv.lines().collect();
    assert!(lines[0].ends_with(",policy_revision,at,live"));
    let row_of = |part: &str| lines.iter().find(|row| row.starts_with(part)).unwrap();
    assert!(row_of("github,get_issue,").ends_with(','));
    let at = row_of("github,brand_new,").rsplit_once(',').unwrap().1;
    assert!(at.parse::<jiff::Timestamp>().is_ok(), "{at}");

    let html = matrix(GOOD, &url, &["--format", "html"]).out;
    assert!(html.contains("<th scope=\"row\">get_pull (live)</th>"));
    assert!(html.contains("<th scope=\"row\">get_issue</th>"));
    assert!(html.contains(&format!("<code>{url}/tools</code>")));
    assert!(html.contains("files: lists have shown more tools than these"));

    // Without it nothing is said of it.
    let whole: Value =
        serde_json::from_str(&run(&["matrix", "--config", GOOD, "--format", "json"]).out).unwrap();
    assert_eq!(whole["live"], Value::Null);
}

#[test]
fn servers_are_filtered_and_those_without_lists_are_named() {
    let body = page(&json!([{"server": "files", "truncated": false, "tools": []}]));
    let url = answering("200 OK", &body);
    let ran = matrix(GOOD, &url, &[]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    for line in [
        "live: 0 row(s) of tools",
        "live: files: the service has seen no list yet\n",
        "live: github: the service does not have this server\n",
    ] {
        assert!(ran.out.contains(line), "no `{line}` in {}", ran.out);
    }
    let url = answering("200 OK", &good());
    let ran = matrix(GOOD, &url, &["--server", "files", "--format", "csv"]);
    assert!(ran.out.contains("files,stat,") && !ran.out.contains("github"));
}

/// Where only recorded tools can be called, others that are listed are refused whatever fits.
#[test]
fn what_is_not_recorded_is_refused_where_the_server_says_so() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["mcp-authz.yaml", "policy.yaml", "tools.json"] {
        let text = fs::read_to_string(data("good").join(name)).unwrap();
        let closed = "tools_snapshot: tools.json\n  unknown_tools: deny";
        let text = text.replace("tools_snapshot: tools.json", closed);
        fs::write(directory.path().join(name), text).unwrap();
    }
    let config = directory.path().join("mcp-authz.yaml");
    let url = answering("200 OK", &good());
    let config = config.to_str().unwrap();
    let csv = matrix(config, &url, &["--format", "csv"]).out;
    let pulls: Vec<&str> = csv.lines().filter(|it| it.contains("get_pull")).collect();
    assert_eq!(pulls.len(), 5);
    assert!(pulls.iter().all(|line| line.contains(",deny,,")), "{csv}");
    let allowed = "github,get_issue,read,support + scope repo:read,allow,readers,";
    assert!(csv.contains(allowed), "{csv}");
    let table = matrix(config, &url, &[]).out;
    assert!(table.contains("get_pull (live, refused: not recorded)"));
    assert!(table.contains("live, refused: not recorded, and the server has"));
    let json = matrix(config, &url, &["--format", "json"]).out;
    assert!(json.contains("\"refused\": \"unknown_tool\""));
}

#[test]
fn hints_of_listed_tools_count_where_they_are_trusted() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["mcp-authz.yaml", "policy.yaml", "tools.json"] {
        let text = fs::read_to_string(data("good").join(name)).unwrap();
        let trusted = "tools_snapshot: tools.json\n  trust_tool_hints: true";
        let text = text.replace("tools_snapshot: tools.json", trusted);
        fs::write(directory.path().join(name), text).unwrap();
    }
    let config = directory.path().join("mcp-authz.yaml");
    let hinted = |name: &str, hint: Value| {
        let mut tool = tool(name);
        tool["hint"] = hint;
        tool
    };
    let tools = [
        hinted("peek", json!("read")),
        hinted("wipe", json!("destructive")),
        hinted("odd", Value::Null),
        // What the record says stays.
        hinted("no", json!("read")),
    ];
    let body = page(&json!([{"server": "github", "truncated": false, "tools": tools}]));
    let url = answering("200 OK", &body);
    let csv = matrix(config.to_str().unwrap(), &url, &["--format", "csv"]).out;
    for line in [
        "github,peek,read,",
        "github,wipe,destructive,",
        "github,odd,unknown,",
        "github,no,write,",
    ] {
        assert!(csv.contains(line), "no `{line}` in {csv}");
    }
}

#[test]
fn what_is_no_such_service_is_told() {
    let none = page(&json!([]));
    let foreign = page(&json!([{"server": "a\u{1b}b", "truncated": false, "tools": []}]));
    let files = json!({"server": "files", "truncated": false, "tools": []});
    let twice = page(&json!([files, files]));
    for (status, body, why) in [
        (
            "404 Not Found",
            "",
            "/tools` answers with http status 404, so it is no admin endpoint",
        ),
        ("302 Found", "", "http status 302"),
        (
            "200 OK",
            "<html>",
            "/tools` does not answer as mcp-authz does: ",
        ),
        ("200 OK", "{}", "missing field `policy_revision`"),
        (
            "200 OK",
            "{\"policy_revision\": \"r\", \"servers\": {}}",
            "does not answer as mcp-authz does",
        ),
        (
            "200 OK",
            &foreign,
            "has a server `a\u{fffd}b` that the configuration lacks",
        ),
        ("200 OK", &twice, "it names the server `files` twice"),
    ] {
        let url = answering(status, body);
        let ran = matrix(GOOD, &url, &[]);
        assert!(ran.code == 2 && ran.err.contains(why), "{why}: {}", ran.err);
        assert_eq!(ran.out, "");
    }
    let ran = matrix(GOOD, &answering("200 OK", &none), &[]);
    assert!(
        ran.out
            .contains("files, github: the service does not have this server")
    );
    for (url, why) in [
        (
            "http://127.0.0.1:1",
            "no answer from `http://127.0.0.1:1/tools`: ",
        ),
        (
            "http://authz.internal:9002",
            "over http it has to be on this host",
        ),
        ("file:///etc/passwd", "expected the URL of `admin.listen`"),
        (
            "http://localhost:1/?q",
            "expected the URL of `admin.listen`",
        ),
        ("", "expected the URL of `admin.listen`"),
    ] {
        let ran = matrix(GOOD, url, &[]);
        assert!(ran.code == 2 && ran.err.contains(why), "{url}: {}", ran.err);
    }
}
