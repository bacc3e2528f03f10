//! An MCP server that says what a test tells it to. A connection has one request.

use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

/// A request that came.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) method: String,
    pub(super) path: String,
    headers: Vec<(String, String)>,
    /// Null for none.
    pub(super) body: Value,
}

impl Asked {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The MCP method, or that of HTTP.
    pub(super) fn what(&self) -> &str {
        self.body["method"].as_str().unwrap_or(&self.method)
    }

    fn read(from: &mut impl Read) -> Option<Self> {
        let mut from = BufReader::new(from);
        let mut line = || {
            let mut line = String::new();
            from.read_line(&mut line).ok()?;
            Some(line.trim_end().to_owned())
        };
        let first = line()?;
        let mut words = first.split(' ').map(str::to_owned);
        let (method, path) = (words.next()?, words.next()?);
        let mut headers = Vec::new();
        while let Some((name, value)) = line()?.split_once(':') {
            headers.push((name.to_lowercase(), value.trim().to_owned()));
        }
        let mut asked = Asked {
            method,
            path,
            headers,
            body: Value::Null,
        };
        let length = asked.header("content-length").unwrap_or("0").parse().ok()?;
        if length > 0 {
            let mut body = vec![0; length];
            from.read_exact(&mut body).ok()?;
            asked.body = serde_json::from_slice(&body).unwrap();
        }
        Some(asked)
    }
}

/// Writes the response to a request.
pub(super) type Script = dyn Fn(&Asked, &mut dyn Write) -> io::Result<()> + Send + Sync;

pub(super) struct Server {
    pub(super) port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    pub(super) fn start(
        script: impl Fn(&Asked, &mut dyn Write) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self::over(None, script)
    }

    /// Over TLS, where there is a configuration.
    pub(super) fn over(
        tls: Option<Arc<rustls::ServerConfig>>,
        script: impl Fn(&Asked, &mut dyn Write) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        let script: Arc<Script> = Arc::new(script);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, script, tls) = (Arc::clone(&log), Arc::clone(&script), tls.clone());
                thread::spawn(move || match tls {
                    None => serve(stream, &log, &*script),
                    Some(tls) => {
                        let tls = rustls::ServerConnection::new(tls).unwrap();
                        serve(rustls::StreamOwned::new(tls, stream), &log, &*script);
                    }
                });
            }
        });
        Self { port, asked }
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/mcp", self.port)
    }

    /// The requests that came since this was asked last.
    pub(super) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

fn serve(mut stream: impl Read + Write, log: &Mutex<Vec<Asked>>, script: &Script) {
    if let Some(asked) = Asked::read(&mut stream) {
        log.lock().unwrap().push(asked.clone());
        // A client that has read enough is gone.
        drop(script(&asked, &mut stream));
        drop(stream.flush());
    }
}

/// Sends a whole response.
pub(super) fn say(
    out: &mut dyn Write,
    status: &str,
    headers: &[&str],
    body: &[u8],
) -> io::Result<()> {
    write!(out, "HTTP/1.1 {status}\r\nconnection: close\r\n")?;
    for header in headers {
        write!(out, "{header}\r\n")?;
    }
    write!(out, "content-length: {}\r\n\r\n", body.len())?;
    out.write_all(body)
}

pub(super) const JSON: &str = "Content-Type: application/json";
pub(super) const EVENTS: &str = "Content-Type: text/event-stream";

/// An answer to this request, as JSON.
pub(super) fn answer(out: &mut dyn Write, asked: &Asked, result: &Value) -> io::Result<()> {
    say(out, "200 OK", &[JSON], message(asked, result).as_bytes())
}

/// A response message to this request.
pub(super) fn message(asked: &Asked, result: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": asked.body["id"], "result": result}).to_string()
}

/// An error in the place of an answer.
pub(super) fn refuse(out: &mut dyn Write, status: &str, code: i64, text: &str) -> io::Result<()> {
    let error = json!({"jsonrpc": "2.0", "id": null, "error": {"code": code, "message": text}});
    say(out, status, &[JSON], error.to_string().as_bytes())
}

/// The handshake of a server with sessions, and what it says to what comes after it.
pub(super) fn session(
    asked: &Asked,
    out: &mut dyn Write,
    after: impl Fn(&Asked, &mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    match (asked.what(), asked.header("mcp-session-id")) {
        ("initialize", None) => {
            let result = json!({"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": {"name": "s", "version": "1"}});
            let headers = [JSON, "Mcp-Session-Id: session-1"];
            say(out, "200 OK", &headers, message(asked, &result).as_bytes())
        }
        (_, None) => refuse(out, "400 Bad Request", -32000, "Server not initialized"),
        ("notifications/initialized", Some(_)) => say(out, "202 Accepted", &[], b""),
        ("DELETE", Some(_)) => say(out, "200 OK", &[], b""),
        (_, Some(_)) => after(asked, out),
    }
}
