//! Sockets: binds them or takes those that a supervisor holds, accepts connections, adds TLS, and
//! hands over those that are ready to be served.
//!
//! This room does not know the protocol on a connection.

mod failed;
mod inherited;
mod socket;
mod tls;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, BufReader, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

pub use failed::{FailedHandshakes, HandshakeFault};
pub use inherited::{Inherited, InvalidInherited};
pub use socket::{Address, InvalidAddress, ListenError, Socket, bind};
pub use tls::{Tls, TlsError, TlsFiles};

/// Limits on connections before they carry a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// The most connections at a time; further ones wait in the kernel's queue.
    pub connections_max: usize,
    /// How long a client may take for the TLS handshake, if any, and for its first byte.
    pub handshake_timeout: Duration,
    /// How often TLS files are read again.
    pub tls_reload_interval: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            connections_max: 4096,
            handshake_timeout: Duration::from_secs(5),
            tls_reload_interval: Duration::from_secs(1),
        }
    }
}

/// Accepts connections on a socket and distributes them among shares.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    tls: Option<Arc<Tls>>,
    limits: ConnectionLimits,
    failed: Arc<FailedHandshakes>,
    shares: Vec<Taker>,
}

/// The connections of a listener that one runtime serves.
#[derive(Debug)]
pub struct Share {
    arrivals: mpsc::UnboundedReceiver<Arrival>,
    tls: Option<Arc<Tls>>,
    failed: Arc<FailedHandshakes>,
    handshake_timeout: Duration,
}

/// Where the connections of a share go.
#[derive(Debug)]
struct Taker {
    /// Each connection holds a permit, which bounds how many wait here.
    arrivals: mpsc::UnboundedSender<Arrival>,
    /// Held by each connection of the share.
    load: Arc<()>,
}

/// An accepted connection; it belongs to no runtime yet.
#[derive(Debug)]
struct Arrival {
    io: socket::Detached,
    held: ConnectionHold,
}

/// What a connection holds for its lifetime.
#[derive(Debug)]
struct ConnectionHold {
    _place: OwnedSemaphorePermit,
    _load: Arc<()>,
}

impl Listener {
    /// A listener on a bound socket, with or without TLS.
    #[must_use]
    pub fn new(socket: Socket, tls: Option<Tls>, limits: ConnectionLimits) -> Self {
        Self {
            socket,
            tls: tls.map(Arc::new),
            limits,
            failed: Arc::default(),
            shares: Vec::new(),
        }
    }

    /// The listener's TLS, if it has any.
    #[must_use]
    pub fn tls(&self) -> Option<&Arc<Tls>> {
        self.tls.as_ref()
    }

    /// The connections that failed before their first message.
    #[must_use]
    pub fn failed(&self) -> &Arc<FailedHandshakes> {
        &self.failed
    }

    /// Adds a share of the connections, for another runtime or for this one.
    pub fn share(&mut self) -> Share {
        let (taker, arrivals) = mpsc::unbounded_channel();
        self.shares.push(Taker {
            arrivals: taker,
            load: Arc::new(()),
        });
        Share {
            arrivals,
            tls: self.tls.clone(),
            failed: Arc::clone(&self.failed),
            handshake_timeout: self.limits.handshake_timeout,
        }
    }

    /// Accepts connections and hands each to the share with the fewest, until no share is served
    /// any more.
    pub async fn run(self) {
        let Self {
            socket,
            tls,
            limits,
            failed: _,
            shares,
        } = self;
        let places = Arc::new(Semaphore::new(limits.connections_max));
        // Nobody asks: the files are looked at every second.
        let (_ask, asked) = mpsc::channel(1);
        // Beside the rest: no connection waits for files.
        let watched = async {
            match tls {
                Some(tls) => tls.watch(limits.tls_reload_interval, asked).await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(watched);
        let closed = async {
            for share in &shares {
                share.arrivals.closed().await;
            }
        };
        tokio::pin!(closed);
        loop {
            tokio::select! {
                () = &mut closed => return,
                () = &mut watched => {}
                (io, place) = accept(&socket, &places) => deal(&shares, io, place),
            }
        }
    }
}

/// Hands a connection to the share with the fewest.
fn deal(shares: &[Taker], io: socket::Stream, place: OwnedSemaphorePermit) {
    let open = shares.iter().filter(|share| !share.arrivals.is_closed());
    let Some(share) = open.min_by_key(|share| Arc::strong_count(&share.load)) else {
        return;
    };
    let held = ConnectionHold {
        _place: place,
        _load: Arc::clone(&share.load),
    };
    match io.detach() {
        // The receiver is gone only when the process ends.
        Ok(io) => drop(share.arrivals.send(Arrival { io, held })),
        Err(error) => tracing::debug!(%error, "a connection cannot be handed over"),
    }
}

impl Share {
    /// Prepares connections on the current runtime and hands over those that are ready, until the
    /// receiver is dropped. A client that is slow or fails the handshake delays nobody else.
    pub async fn run(mut self, ready: mpsc::Sender<Connection>) {
        let mut handshakes = JoinSet::new();
        loop {
            tokio::select! {
                () = ready.closed() => return,
                // Finished handshakes hand themselves over; this only removes them from the set.
                Some(_) = handshakes.join_next(), if !handshakes.is_empty() => {}
                Some(arrival) = self.arrivals.recv() => {
                    let (tls, ready) = (self.tls.clone(), ready.clone());
                    let (failed, limit) = (Arc::clone(&self.failed), self.handshake_timeout);
                    handshakes.spawn(async move {
                        let peer = arrival.io.peer();
                        match timeout(limit, prepare(arrival, tls.as_deref())).await {
                            // The receiver is gone only when the process ends.
                            Ok(Ok(connection)) => drop(ready.send(connection).await),
                            Ok(Err(error)) => failed.record(&error, peer),
                            Err(_) => failed.record_slow(limit, peer),
                        }
                    });
                }
            }
        }
    }
}

/// A connection that is ready to be served.
///
/// Reads are buffered in large pieces. Writes are not vectored: HTTP/2 then copies small frames
/// together, so that the responses to checks that arrived together leave in one write. With
/// vectored writes it would write each response by itself.
pub struct Connection {
    io: BufReader<Box<dyn Io>>,
    _held: ConnectionHold,
}

/// The stream under a connection.
trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// Waits for a place and returns the next connection. Never fails: it skips errors of single
/// connections, and while file descriptors are exhausted it waits for some to be closed.
async fn accept(
    socket: &Socket,
    places: &Arc<Semaphore>,
) -> (socket::Stream, OwnedSemaphorePermit) {
    loop {
        let Ok(place) = Arc::clone(places).acquire_owned().await else {
            // The semaphore is never closed; if it were, there would be no place.
            std::future::pending::<()>().await;
            continue;
        };
        match socket.accept().await {
            Ok(stream) => return (stream, place),
            Err(error) if socket::is_of_one_connection(&error) => {
                tracing::debug!(%error, "a connection ended before it began");
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Completes the handshake and waits for the first byte.
async fn prepare(arrival: Arrival, tls: Option<&Tls>) -> io::Result<Connection> {
    let Arrival { io, held } = arrival;
    let io: Box<dyn Io> = match (io.attach()?, tls) {
        (socket::Stream::Tcp(io), Some(tls)) => Box::new(tls.accept(io).await?),
        (socket::Stream::Unix(io), Some(tls)) => Box::new(tls.accept(io).await?),
        (socket::Stream::Tcp(io), None) => Box::new(io),
        (socket::Stream::Unix(io), None) => Box::new(io),
    };
    let mut io = BufReader::with_capacity(READ_BYTES, io);
    // Readiness alone may be spurious.
    if io.fill_buf().await?.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Connection { io, _held: held })
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// The buffer size for reads: a dozen checks or two.
const READ_BYTES: usize = 32 * 1024;
/// How long to wait when the process is out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
