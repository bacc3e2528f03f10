//! The MCP server behind Envoy, or what the measurement needs of it: a real HTTP/1.1 server that
//! reads each body to its end and keeps its connections. (A `direct_response` of Envoy answers
//! before it has read the body, and then connections break.)

use std::net::Ipv4Addr;
use std::thread;

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Bytes;
use axum::serve::ListenerExt as _;
use http::header::CONTENT_TYPE;
use tokio::runtime::Builder;

use crate::call::UPSTREAM_ANSWER;

/// Starts it on a thread of its own, which lasts as long as the process, and returns its port.
pub(crate) fn start() -> Result<u16> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let port = listener.local_addr()?.port();
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let serve = move || {
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            let listener = listener.tap_io(|stream| {
                // Without it answers are late, which the report would show.
                drop(stream.set_nodelay(true));
            });
            axum::serve(listener, Router::new().fallback(answer)).await
        })
    };
    thread::Builder::new()
        .name("upstream".to_owned())
        .spawn(serve)
        .context("cannot start the upstream")?;
    Ok(port)
}

async fn answer(_body: Bytes) -> ([(http::HeaderName, &'static str); 1], &'static str) {
    ([(CONTENT_TYPE, "application/json")], UPSTREAM_ANSWER)
}
