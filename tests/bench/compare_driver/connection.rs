//! One HTTP/1.1 connection, with as little work as it takes: the load generator shares its core
//! with the upstream, and must not be what is measured.

use std::io::ErrorKind;
use std::net::SocketAddr;

use anyhow::{Context, Result, bail, ensure};
use tokio::net::TcpStream;

/// The most bytes of an answer. All of them are ours or Envoy's, and short.
const ANSWER_MAX: usize = 16 * 1024;

/// A connection that is kept alive.
#[derive(Debug)]
pub(crate) struct Connection {
    address: SocketAddr,
    stream: TcpStream,
    input: Vec<u8>,
    /// Whether the last answer has said that it is the last one. Envoy says so where a filter of
    /// its own denies before it has read all of the body.
    is_closing: bool,
}

/// An answer, as far as it is looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answer<'c> {
    pub(crate) status: u16,
    pub(crate) body: &'c [u8],
}

/// The end of a head, and what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Head {
    status: u16,
    bytes: usize,
    content_length: usize,
    closes: bool,
}

impl Connection {
    /// Opens a connection.
    pub(crate) async fn open(address: SocketAddr) -> Result<Self> {
        Ok(Self {
            address,
            stream: connect(address).await?,
            input: vec![0; ANSWER_MAX],
            is_closing: false,
        })
    }

    /// Sends a request and takes its answer, on a new connection if the old one has had its last.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<Answer<'_>> {
        if self.is_closing {
            self.stream = connect(self.address).await?;
        }
        self.send(request).await?;
        let mut filled = 0;
        let mut head = None;
        loop {
            filled = self.receive(filled).await?;
            let read = self.input.get(..filled).unwrap_or_default();
            if head.is_none() {
                head = read_head(read)?;
            }
            let Some(head) = head else { continue };
            let end = head.bytes.saturating_add(head.content_length);
            if filled >= end {
                ensure!(filled == end, "more than one answer");
                self.is_closing = head.closes;
                let body = self.input.get(head.bytes..end).unwrap_or_default();
                let status = head.status;
                return Ok(Answer { status, body });
            }
        }
    }

    async fn send(&self, request: &[u8]) -> Result<()> {
        let mut rest = request;
        while !rest.is_empty() {
            match self.stream.try_write(rest) {
                Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.stream.writable().await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Reads more behind what is there, and returns how much there is now.
    async fn receive(&mut self, filled: usize) -> Result<usize> {
        loop {
            self.stream.readable().await?;
            let space = self.input.get_mut(filled..).unwrap_or_default();
            ensure!(!space.is_empty(), "an answer over {ANSWER_MAX} bytes");
            match self.stream.try_read(space) {
                Ok(0) => bail!("the connection was closed"),
                Ok(read) => return Ok(filled.saturating_add(read)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

async fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Reads the head of an answer, once all of it is there.
fn read_head(read: &[u8]) -> Result<Option<Head>> {
    const END: &[u8] = b"\r\n\r\n";
    let Some(end) = read.windows(END.len()).position(|part| part == END) else {
        return Ok(None);
    };
    let text = read.get(..end).unwrap_or_default();
    let text = std::str::from_utf8(text).context("a head that is not text")?;
    let mut lines = text.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.strip_prefix("HTTP/1.1 "))
        .and_then(|line| line.get(..3))
        .and_then(|code| code.parse().ok())
        .context("no status line of HTTP/1.1")?;
    let mut content_length = None;
    let mut closes = false;
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        if name.eq_ignore_ascii_case("content-length") {
            content_length = value.trim().parse().ok();
        } else if name.eq_ignore_ascii_case("connection") {
            closes = value.trim().eq_ignore_ascii_case("close");
        }
    }
    let content_length =
        content_length.with_context(|| format!("an answer {status} without content-length"))?;
    Ok(Some(Head {
        status,
        bytes: end.saturating_add(END.len()),
        content_length,
        closes,
    }))
}
