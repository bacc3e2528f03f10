//! `mcp-authz record`, with servers that do as they are told.

mod server;

use std::fs;
use std::io::Write;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::mpsc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};

use super::{Ran, run, run_with};
use server::{Asked, EVENTS, JSON, Server, answer, message, refuse, say, session};

/// What the commands make of the tools `a`, `b` and `c`.
const RECORD: &str = r#"{
  "tools": [
    {
      "name": "a",
      "description": "A."
    },
    {
      "name": "b"
    },
    {
      "name": "c",
      "inputSchema": {
        "properties": {},
        "type": "object"
      }
    }
  ]
}
"#;

fn record(server: &Server, more: &[&str]) -> Ran {
    run(&[&["record", &server.url()], more].concat())
}

/// Fails with what the command said, which names the URL first.
fn failure(ran: &Ran, server: &Server) -> String {
    assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{}", ran.err);
    let start = format!("mcp-authz: cannot record the tools of `{}`: ", server.url());
    let why = ran.err.strip_prefix(&start);
    why.unwrap_or_else(|| panic!("{}", ran.err))
        .trim()
        .to_owned()
}

/// Two pages, the first on a stream with more than its answer.
fn pages(asked: &Asked, out: &mut dyn Write) -> std::io::Result<()> {
    session(
        asked,
        out,
        |asked, out| match asked.body["params"]["cursor"].as_str() {
            None => {
                let page = json!({"tools": [{"inputSchema": {"type": "object", "properties": {}}, "name": "c"}, {"description": "A.", "name": "a"}], "nextCursor": "2"});
                let note =
                    json!({"jsonrpc": "2.0", "method": "notifications/message", "params": {}});
                let text = format!(
                    "id: 0\ndata:\n\n: still there\ndata: {note}\n\nevent: message\ndata: {}\n\n",
                    message(asked, &page)
                );
                say(out, "200 OK", &[EVENTS], text.as_bytes())
            }
            Some("2") => answer(
                out,
                asked,
                &json!({"tools": [{"name": "b"}], "nextCursor": ""}),
            ),
            Some(_) => refuse(out, "400 Bad Request", -32602, "no such cursor"),
        },
    )
}

#[test]
fn a_session_is_opened_listed_page_after_page_and_ended() {
    let server = Server::start(pages);
    let directory = tempfile::tempdir().unwrap();
    let secrets = directory.path().join("headers");
    fs::write(&secrets, "# ours\nAuthorization: Bearer s3cret\n").unwrap();
    let ran = record(
        &server,
        &[
            "--headers-file",
            secrets.to_str().unwrap(),
            "--capability",
            "sampling,roots",
            "--capability",
            "a.test/b",
        ],
    );
    assert_eq!(
        ran.err,
        "mcp-authz: 3 tool(s), by revision 2025-06-18 of the protocol\n"
    );
    assert_eq!((ran.code, ran.out.as_str()), (0, RECORD));

    let asked = server.asked();
    let what: Vec<&str> = asked.iter().map(Asked::what).collect();
    let expected = [
        "initialize",
        "notifications/initialized",
        "tools/list",
        "tools/list",
        "DELETE",
    ];
    assert_eq!(what, expected);
    for (at, one) in asked.iter().enumerate() {
        assert_eq!(one.header("authorization"), Some("Bearer s3cret"), "{at}");
        let later = at > 0;
        assert_eq!(
            one.header("mcp-session-id"),
            later.then_some("session-1"),
            "{at}"
        );
        assert_eq!(
            one.header("mcp-protocol-version"),
            later.then_some("2025-06-18"),
            "{at}"
        );
        assert_eq!(
            one.header("accept"),
            Some("application/json, text/event-stream")
        );
    }
    let params = &asked[0].body["params"];
    assert_eq!(params["protocolVersion"], "2025-11-25");
    assert_eq!(
        params["capabilities"],
        json!({"roots": {"listChanged": true}, "sampling": {"context": {}, "tools": {}}, "extensions": {"a.test/b": {}}})
    );
    assert_eq!(params["clientInfo"]["name"], "mcp-authz");

    // It is a record to the other commands.
    let ran = run_with(&["classify", "-"], RECORD);
    assert_eq!(ran.code, 0, "{}", ran.err);
}

#[test]
fn a_server_without_sessions_is_asked_without_one() {
    let server = Server::start(|asked: &Asked, out: &mut dyn Write| match asked.what() {
        "initialize" => {
            let data = json!({"supported": ["2026-07-28"], "requested": "2025-11-25"});
            let error = json!({"code": -32022, "message": "Unsupported", "data": data});
            let text = json!({"jsonrpc": "2.0", "id": 1, "error": error}).to_string();
            say(out, "400 Bad Request", &[JSON], text.as_bytes())
        }
        _ => answer(
            out,
            asked,
            &json!({"resultType": "complete", "tools": [{"name": "a"}], "ttlMs": 5}),
        ),
    });
    let ran = record(&server, &["--capability", "elicitation"]);
    assert_eq!(
        ran.err,
        "mcp-authz: 1 tool(s), by revision 2026-07-28 of the protocol\n"
    );
    let tools: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(tools, json!({"tools": [{"name": "a"}]}));
    let asked = server.asked();
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[1].header("mcp-protocol-version"), Some("2026-07-28"));
    assert_eq!(asked[1].header("mcp-method"), Some("tools/list"));
    let meta = &asked[1].body["params"]["_meta"];
    assert_eq!(
        meta["io.modelcontextprotocol/protocolVersion"],
        "2026-07-28"
    );
    let capabilities = &meta["io.modelcontextprotocol/clientCapabilities"];
    assert_eq!(
        capabilities,
        &json!({"elicitation": {"form": {}, "url": {}}})
    );
}

/// The transport of 2024-11-05: what is asked by POST is answered on the GET stream.
#[test]
fn a_server_of_the_first_transport_answers_on_its_stream() {
    let (say_on, said) = mpsc::channel::<String>();
    let (say_on, said) = (Mutex::new(say_on), Mutex::new(said));
    let server = Server::start(move |asked: &Asked, out: &mut dyn Write| {
        let on_stream = |text: String| say_on.lock().unwrap().send(text).unwrap();
        match (asked.method.as_str(), asked.path.as_str()) {
            ("GET", "/mcp") => {
                write!(
                    out,
                    "HTTP/1.1 200 OK\r\n{EVENTS}\r\nconnection: close\r\n\r\n"
                )?;
                write!(out, "event: endpoint\r\ndata: /messages?session=1\r\n\r\n")?;
                out.flush()?;
                let said = said.lock().unwrap();
                while let Ok(text) = said.recv() {
                    write!(out, "event: message\r\ndata: {text}\r\n\r\n")?;
                    out.flush()?;
                }
                Ok(())
            }
            ("POST", "/messages?session=1") => {
                match asked.what() {
                    "initialize" => {
                        on_stream(message(asked, &json!({"protocolVersion": "2024-11-05"})));
                    }
                    "tools/list" => {
                        // It wants to know something first.
                        on_stream(
                            json!({"jsonrpc": "2.0", "id": "q", "method": "roots/list"})
                                .to_string(),
                        );
                        on_stream(message(asked, &json!({"tools": [{"name": "a"}]})));
                    }
                    _ => {}
                }
                say(out, "202 Accepted", &[], b"Accepted")
            }
            _ => say(out, "405 Method Not Allowed", &[], b""),
        }
    });
    let ran = record(&server, &[]);
    assert_eq!(
        ran.err,
        "mcp-authz: 1 tool(s), by revision 2024-11-05 of the protocol\n"
    );
    assert_eq!(ran.code, 0);
    let answers: Vec<Value> = server.asked().into_iter().map(|one| one.body).collect();
    let roots = json!({"jsonrpc": "2.0", "id": "q", "result": {"roots": []}});
    assert!(answers.contains(&roots), "{answers:#?}");
}

/// Someone else's endpoint would be told the headers.
#[test]
fn an_endpoint_elsewhere_is_not_asked() {
    let server = Server::start(|asked: &Asked, out: &mut dyn Write| match asked.what() {
        "GET" => {
            let text = "event: endpoint\ndata: http://localhost:1/messages\n\n";
            say(out, "200 OK", &[EVENTS], text.as_bytes())
        }
        _ => say(out, "404 Not Found", &[], b""),
    });
    let ran = record(&server, &[]);
    assert_eq!(failure(&ran, &server), "initialize: http status 404");
}

#[test]
fn requests_of_the_server_are_answered_meanwhile() {
    let server = Server::start(|asked: &Asked, out: &mut dyn Write| {
        session(asked, out, |asked, out| {
            if asked.body["method"].is_null() {
                return say(out, "202 Accepted", &[], b"");
            }
            let ping = json!({"jsonrpc": "2.0", "id": 7, "method": "ping"});
            let sample = json!({"jsonrpc": "2.0", "id": "s", "method": "sampling/createMessage", "params": {}});
            let end = message(asked, &json!({"tools": [{"name": "a"}]}));
            let text = format!("data: {ping}\n\ndata: {sample}\n\ndata: {end}\n\n");
            say(out, "200 OK", &[EVENTS], text.as_bytes())
        })
    });
    assert_eq!(record(&server, &[]).code, 0);
    let asked = server.asked();
    let replies: Vec<&Asked> = asked.iter().filter(|one| one.what() == "POST").collect();
    let [ping, sample] = replies[..] else {
        panic!("{replies:#?}");
    };
    assert_eq!(ping.body, json!({"jsonrpc": "2.0", "id": 7, "result": {}}));
    assert_eq!(sample.body["id"], "s");
    assert_eq!(sample.body["error"]["code"], -32601);
    assert_eq!(sample.header("mcp-session-id"), Some("session-1"));
}

type After = fn(&Asked, &mut dyn Write) -> std::io::Result<()>;

/// What a server does once there is a session, and what comes of it.
const SAID: [(After, &str); 12] = [
    (
        |_, out| refuse(out, "404 Not Found", -32001, "Session not found"),
        "tools/list: http status 404: the server says \"Session not found\" (code -32001)",
    ),
    (
        |asked, out| {
            let error = json!({"code": -32603, "message": "no \u{1b}[8mtools"});
            let text = json!({"jsonrpc": "2.0", "id": asked.body["id"], "error": error});
            say(out, "200 OK", &[JSON], text.to_string().as_bytes())
        },
        "tools/list: an error: the server says \"no \\u{1b}[8mtools\" (code -32603)",
    ),
    (
        |asked, out| {
            answer(
                out,
                asked,
                &json!({"tools": [{"name": "a"}], "nextCursor": "1"}),
            )
        },
        "tools/list: the list does not end: the server gives a cursor twice",
    ),
    (
        |asked, out| answer(out, asked, &json!({"tools": [], "nextCursor": 1})),
        "tools/list: `nextCursor` is not a text",
    ),
    (
        |asked, out| answer(out, asked, &json!({"content": []})),
        "tools/list: the result has no list `tools`",
    ),
    (
        |asked, out| answer(out, asked, &json!({"tools": []})),
        "it has no tools; a `tools/list` result is expected",
    ),
    (
        |asked, out| {
            answer(
                out,
                asked,
                &json!({"tools": [{"name": "a"}, {"name": "a"}]}),
            )
        },
        "the tool `a` is there twice",
    ),
    (
        |asked, out| {
            let text = message(asked, &json!({"tools": []})).replace("[]", "[], \"tools\": []");
            say(out, "200 OK", &[JSON], text.as_bytes())
        },
        "tools/list: the answer has a key twice",
    ),
    (
        |_, out| say(out, "200 OK", &["Content-Type: text/html"], b"<html>"),
        "tools/list: the answer is neither JSON nor a stream of events; is this the URL of an MCP server?",
    ),
    (
        |_, out| {
            say(
                out,
                "200 OK",
                &[EVENTS],
                b"data: {\"jsonrpc\":\"2.0\",\"id\":99,\"result\":{}}\n\n",
            )
        },
        "tools/list: the stream ended before the answer",
    ),
    (
        |_, out| {
            say(
                out,
                "307 Temporary Redirect",
                &["Location: /mcp/?key=secret"],
                b"",
            )
        },
        "tools/list: http status 307 (redirects are not followed; this leads to `http://127.0.0.1:PORT/mcp/`)",
    ),
    (
        |_, out| {
            say(
                out,
                "200 OK",
                &[JSON, "Content-Encoding: gzip"],
                b"\x1f\x8b",
            )
        },
        "tools/list: the answer is encoded, which was not asked for",
    ),
];

#[test]
fn what_the_server_says_is_shown() {
    for (after, told) in SAID {
        let server =
            Server::start(move |asked: &Asked, out: &mut dyn Write| session(asked, out, after));
        let ran = record(&server, &[]);
        let told = told.replace("PORT", &server.port.to_string());
        assert_eq!(failure(&ran, &server), told);
        // Whatever happened, the session is not left behind.
        assert_eq!(server.asked().last().unwrap().what(), "DELETE", "{told}");
    }
}

#[test]
fn a_server_that_lets_nobody_begin_is_heard_too() {
    let rows: [(&'static str, &'static [&'static str], &'static str, &str); 5] = [
        (
            "401 Unauthorized",
            &[JSON],
            r#"{"error": "invalid_token"}"#,
            "initialize: http status 401 (the server asks for credentials, which `--headers-file` gives): the server says \"invalid_token\"",
        ),
        (
            "421 Misdirected Request",
            &["Content-Type: text/plain"],
            "Invalid Host header",
            "initialize: http status 421: the server says \"Invalid Host header\"",
        ),
        ("404 Not Found", &[], "", "initialize: http status 404"),
        (
            "200 OK",
            &[JSON],
            r#"{"jsonrpc": "2.0", "id": 1, "result": {"protocolVersion": "2031-01-01"}}"#,
            "initialize: the server speaks the revision `2031-01-01` of the protocol, which is not known here",
        ),
        (
            "400 Bad Request",
            &[JSON],
            r#"{"jsonrpc": "2.0", "id": null, "error": {"code": -32601, "message": "no such method"}}"#,
            "tools/list: http status 400: the server says \"no such method\" (code -32601)",
        ),
    ];
    for (status, headers, body, told) in rows {
        let server = Server::start(move |_: &Asked, out: &mut dyn Write| {
            say(out, status, headers, body.as_bytes())
        });
        assert_eq!(failure(&record(&server, &[]), &server), told);
    }
}

#[test]
fn neither_size_nor_time_is_without_end() {
    let server = Server::start(|asked: &Asked, out: &mut dyn Write| {
        session(asked, out, |_, out| {
            let size = 65 << 20;
            write!(
                out,
                "HTTP/1.1 200 OK\r\n{JSON}\r\ncontent-length: {size}\r\n\r\n"
            )?;
            out.write_all(&vec![b' '; size])
        })
    });
    let told = "tools/list: the server sends more than 67108864 bytes";
    assert_eq!(failure(&record(&server, &[]), &server), told);

    let server = Server::start(|asked: &Asked, out: &mut dyn Write| {
        session(asked, out, |_, out| {
            write!(out, "HTTP/1.1 200 OK\r\n{EVENTS}\r\n\r\n")?;
            loop {
                write!(out, ": not yet\n\n")?;
                out.flush()?;
                std::thread::sleep(std::time::Duration::from_millis(50));
            }
        })
    });
    let ran = record(&server, &["--timeout", "1"]);
    assert!(
        failure(&ran, &server).ends_with("no answer in time"),
        "{}",
        ran.err
    );
    assert_eq!(server.asked().last().unwrap().what(), "DELETE");
}

#[test]
fn a_file_is_replaced_by_a_whole_record_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tools.json");
    let to = ["--output", path.to_str().unwrap()];
    let good = Server::start(pages);
    let ran = record(&good, &to);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{}", ran.err);
    assert_eq!(fs::read_to_string(&path).unwrap(), RECORD);
    let bad = Server::start(|asked: &Asked, out: &mut dyn Write| {
        session(
            asked,
            out,
            |asked, out| match asked.body["params"]["cursor"].as_str() {
                None => answer(
                    out,
                    asked,
                    &json!({"tools": [{"name": "x"}], "nextCursor": "2"}),
                ),
                Some(_) => refuse(out, "500 Internal Server Error", -32603, "gone"),
            },
        )
    });
    assert_eq!(record(&bad, &to).code, 2);
    assert_eq!(fs::read_to_string(&path).unwrap(), RECORD);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    let ran = record(&good, &["--output", directory.path().to_str().unwrap()]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("cannot write"), "{}", ran.err);
}

#[test]
fn no_secret_is_printed_or_sent_where_others_can_read_it() {
    let url = "http://192.0.2.1/mcp";
    for (arguments, input, told) in [
        (
            &["http://notes.test/mcp"][..],
            "",
            "over http anybody on the way can read",
        ),
        (
            &["https://u:s3cret@notes.test/mcp"],
            "",
            "without user, password",
        ),
        (
            &["https://notes.test/mcp#s3cret"],
            "",
            "without user, password and fragment",
        ),
        (&["ftp://notes.test"], "", "expected an https URL"),
        (&["notes.test/mcp?s3cret"], "", "expected an https URL"),
        (
            &[url, "--insecure-http", "--headers-file", "-"],
            "Bearer s3cret",
            "`<stdin>`, line 1: expected `Name: value`",
        ),
        (
            &[url, "--insecure-http", "--capability", "root"],
            "",
            "`--capability root` is not known here",
        ),
        (
            &[url, "--insecure-http", "--ca-file", "good/tools.json"],
            "",
            "`--ca-file`: ",
        ),
        (&[url, "--timeout", "0"], "", "0 is not in 1..=3600"),
    ] {
        let ran = run_with(&[&["record"], arguments].concat(), input);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{arguments:?}");
        assert!(ran.err.contains(told), "{arguments:?}: {}", ran.err);
        assert!(!ran.err.contains("s3cret"), "{}", ran.err);
    }
    // Nobody listens, and the query stays out of what is said.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    let ran = run(&["record", &format!("http://{address}/mcp?key=s3cret")]);
    assert!(
        ran.err
            .contains(&format!("`http://{address}/mcp`: initialize: ")),
        "{}",
        ran.err
    );
    assert!(!ran.err.contains("s3cret"), "{}", ran.err);
}

#[test]
fn a_server_is_trusted_by_the_roots_that_are_named() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let roots = directory.path().join("roots.pem");
    fs::write(&roots, made.cert.pem()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let chain = vec![CertificateDer::from_pem_slice(made.cert.pem().as_bytes()).unwrap()];
    let key = made.signing_key.serialize_pem();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let server = Server::over(Some(Arc::new(tls)), pages);
    let url = format!("https://localhost:{}/mcp", server.port);
    let ran = run(&["record", &url, "--ca-file", roots.to_str().unwrap()]);
    assert_eq!((ran.code, ran.out.as_str()), (0, RECORD), "{}", ran.err);
    let ran = run(&["record", &url]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("certificate"), "{}", ran.err);
}
