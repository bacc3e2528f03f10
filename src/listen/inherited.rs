//! Sockets that a supervisor opened and handed over: `sd_listen_fds(3)`.
//!
//! The supervisor, systemd or another, keeps the socket when the process ends. Connections that come
//! meanwhile wait in the kernel's queue for the next process.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener as StdUnixListener;

use listenfd::ListenFd;
use rustix::net::sockopt::socket_acceptconn;
use tokio::net::{TcpListener, UnixListener, lookup_host};

use super::socket::{Address, Socket};

/// The sockets that were handed over and are not taken yet.
#[derive(Debug)]
pub struct Inherited(Vec<HandedOver>);

#[derive(Debug)]
enum HandedOver {
    Tcp(std::net::TcpListener, SocketAddr),
    Unix(StdUnixListener, Address),
}

/// Why the sockets that were handed over cannot be used. Each message is complete: there is no
/// further source.
#[derive(Debug, thiserror::Error)]
pub enum InvalidInherited {
    /// A descriptor is no listening stream socket.
    #[error("descriptor {number} of LISTEN_FDS cannot be used: {cause}")]
    Descriptor {
        /// The descriptor, counted from 3 as the supervisor counts.
        number: usize,
        /// What is wrong with it.
        cause: io::Error,
    },
    /// The configuration names no address that a socket listens on.
    #[error(
        "LISTEN_FDS has a socket on `{0}`, and neither `listen` nor `admin.listen` is that address"
    )]
    Unnamed(String),
}

impl Inherited {
    /// The sockets that `LISTEN_FDS` announces to this process. None, if there is no such variable or
    /// `LISTEN_PID` is another process.
    ///
    /// # Errors
    /// If a descriptor is not a listening socket, of TCP or a unix socket with a path.
    pub fn from_environment() -> Result<Self, InvalidInherited> {
        let mut descriptors = ListenFd::from_env();
        let sockets = (0..descriptors.len()).map(|index| {
            HandedOver::take(&mut descriptors, index).map_err(|cause| {
                InvalidInherited::Descriptor {
                    number: index.saturating_add(FIRST_DESCRIPTOR),
                    cause,
                }
            })
        });
        sockets.collect::<Result<_, _>>().map(Self)
    }

    /// Takes the socket that listens on an address.
    ///
    /// # Errors
    /// If the system does not let the socket be used.
    pub async fn take(&mut self, address: &Address) -> io::Result<Option<Socket>> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let wanted: Vec<SocketAddr> = match address {
            Address::Tcp(host_port) => lookup_host(host_port).await?.collect(),
            Address::Unix(_) => Vec::new(),
        };
        let found = self.0.iter().position(|socket| match socket {
            HandedOver::Tcp(_, bound) => wanted.contains(bound),
            HandedOver::Unix(_, bound) => bound == address,
        });
        found
            .map(|index| self.0.swap_remove(index).listen())
            .transpose()
    }

    /// That every socket has been taken.
    ///
    /// # Errors
    /// [`InvalidInherited::Unnamed`] otherwise: clients that connect to it would wait for ever.
    pub fn all_taken(self) -> Result<(), InvalidInherited> {
        let left = self.0.first().map(ToString::to_string);
        left.map_or(Ok(()), |address| Err(InvalidInherited::Unnamed(address)))
    }
}

impl HandedOver {
    fn take(descriptors: &mut ListenFd, index: usize) -> io::Result<Self> {
        if let Ok(Some(socket)) = descriptors.take_unix_listener(index) {
            listens(&socket)?;
            let bound = socket.local_addr()?;
            let path = bound.as_pathname();
            let path = path.ok_or_else(|| io::Error::other("its unix socket has no path"))?;
            return Ok(Self::Unix(socket, Address::Unix(path.to_owned())));
        }
        let socket = descriptors.take_tcp_listener(index)?;
        let socket = socket.ok_or(io::ErrorKind::NotFound)?;
        listens(&socket)?;
        let bound = socket.local_addr()?;
        Ok(Self::Tcp(socket, bound))
    }

    fn listen(self) -> io::Result<Socket> {
        match self {
            Self::Tcp(socket, _) => {
                socket.set_nonblocking(true)?;
                TcpListener::from_std(socket).map(Socket::Tcp)
            }
            Self::Unix(socket, _) => {
                socket.set_nonblocking(true)?;
                UnixListener::from_std(socket).map(|socket| Socket::Unix(socket, None))
            }
        }
    }
}

impl fmt::Display for HandedOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(_, address) => address.fmt(f),
            Self::Unix(_, address) => address.fmt(f),
        }
    }
}

/// Whether a socket listens. One that is only bound would fail each time it is asked for a connection.
fn listens(socket: &impl AsFd) -> io::Result<()> {
    if socket_acceptconn(socket)? {
        Ok(())
    } else {
        Err(io::Error::other("it does not listen"))
    }
}

/// `SD_LISTEN_FDS_START`.
const FIRST_DESCRIPTOR: usize = 3;
