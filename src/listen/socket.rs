//! Addresses and bound sockets, TCP and unix.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A host (name, IPv4, or IPv6 in brackets) and a port; port 0 takes any free port.
    Tcp(String),
    /// The path of a unix socket.
    Unix(PathBuf),
}

/// Why a text is not an [`Address`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAddress {
    /// It does not have the form of an address.
    #[error("`{0}` is not an address; expected `host:port`, `[ipv6]:port` or `unix:/path`")]
    Form(String),
    /// The port is not a number up to 65535.
    #[error("`{0}` has no port; expected a number up to 65535")]
    Port(String),
    /// The path of the socket is not absolute.
    #[error("`{0}` has no absolute path")]
    Path(String),
}

/// Why listening failed, in one line: there is no further source.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on `{address}`: {cause}")]
pub struct ListenError {
    address: Address,
    cause: Cause,
}

#[derive(Debug, thiserror::Error)]
enum Cause {
    #[error("address in use")]
    InUse,
    #[error("permission denied")]
    Denied,
    #[error("no such address on this machine")]
    NotHere,
    #[error("no such directory")]
    NoDirectory,
    #[error("the file there is not a socket")]
    NotASocket,
    #[error("{0}")]
    Other(String),
}

/// A bound socket.
#[derive(Debug)]
pub enum Socket {
    /// TCP.
    Tcp(TcpListener),
    /// A unix socket. Its file, if this process made it, is removed when this is dropped.
    Unix(UnixListener, Option<SocketFile>),
}

/// The file of a bound unix socket, removed on drop unless another took its place.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

/// An accepted stream.
#[derive(Debug)]
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// A stream detached from any runtime.
#[derive(Debug)]
pub(super) enum Detached {
    Tcp(std::net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
}

impl Stream {
    /// Detaches the stream from the runtime that accepted it.
    pub(super) fn detach(self) -> io::Result<Detached> {
        match self {
            Self::Tcp(stream) => stream.into_std().map(Detached::Tcp),
            Self::Unix(stream) => stream.into_std().map(Detached::Unix),
        }
    }
}

impl Detached {
    /// Who is at the other end, if it has an address.
    pub(super) fn peer(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(stream) => stream.peer_addr().ok(),
            Self::Unix(_) => None,
        }
    }

    /// Attaches the stream to the current runtime.
    pub(super) fn attach(self) -> io::Result<Stream> {
        match self {
            Self::Tcp(stream) => TcpStream::from_std(stream).map(Stream::Tcp),
            Self::Unix(stream) => UnixStream::from_std(stream).map(Stream::Unix),
        }
    }
}

/// Binds a socket. A socket file on which no process listens is replaced. The unix socket itself
/// allows owner and group (0660); its directory may restrict access further.
///
/// # Errors
/// [`ListenError`] if the address is in use, not local or not permitted.
pub async fn bind(address: &Address) -> Result<Socket, ListenError> {
    let bound = match address {
        Address::Tcp(host_port) => TcpListener::bind(host_port).await.map(Socket::Tcp),
        Address::Unix(path) => bind_unix(path),
    };
    bound.map_err(|error| ListenError {
        address: address.clone(),
        cause: Cause::of(&error),
    })
}

impl Cause {
    fn of(error: &io::Error) -> Self {
        let kind = error.kind();
        if kind == ErrorKind::AddrInUse {
            Self::InUse
        } else if kind == ErrorKind::PermissionDenied {
            Self::Denied
        } else if kind == ErrorKind::AddrNotAvailable {
            Self::NotHere
        } else if kind == ErrorKind::NotFound {
            Self::NoDirectory
        } else if kind == ErrorKind::AlreadyExists {
            Self::NotASocket
        } else {
            Self::Other(error.to_string())
        }
    }
}

fn bind_unix(path: &Path) -> io::Result<Socket> {
    let listener = match UnixListener::bind(path) {
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            remove_stale(path)?;
            UnixListener::bind(path)?
        }
        bound => bound?,
    };
    let metadata = std::fs::symlink_metadata(path)?;
    let file = SocketFile {
        path: path.to_owned(),
        identity: (metadata.dev(), metadata.ino()),
    };
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(SOCKET_MODE))?;
    Ok(Socket::Unix(listener, Some(file)))
}

/// Removes a stale socket file and nothing else: no other kind of file, and no socket on which a
/// process listens.
fn remove_stale(path: &Path) -> io::Result<()> {
    if !std::fs::symlink_metadata(path)?.file_type().is_socket() {
        return Err(ErrorKind::AlreadyExists.into());
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => std::fs::remove_file(path),
        Err(error) => Err(error),
        Ok(_) => Err(ErrorKind::AddrInUse.into()),
    }
}

impl Socket {
    /// The bound address. For port 0 it has the port that the system chose.
    ///
    /// # Errors
    /// If the system cannot tell, which does not happen in practice.
    pub fn address(&self) -> io::Result<Address> {
        match self {
            Self::Tcp(listener) => Ok(Address::Tcp(listener.local_addr()?.to_string())),
            Self::Unix(listener, _) => {
                let address = listener.local_addr()?;
                let path = address.as_pathname().ok_or(ErrorKind::Unsupported)?;
                Ok(Address::Unix(path.to_owned()))
            }
        }
    }

    pub(super) async fn accept(&self) -> io::Result<Stream> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok(Stream::Tcp(stream))
            }
            Self::Unix(listener, _) => Ok(Stream::Unix(listener.accept().await?.0)),
        }
    }
}

/// Whether an error of `accept` concerns one connection and not the socket (`accept(2)`).
pub(super) fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionRefused
            | ErrorKind::Interrupted
            | ErrorKind::InvalidInput
            | ErrorKind::NotConnected
    )
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let same = std::fs::symlink_metadata(&self.path)
            .is_ok_and(|metadata| (metadata.dev(), metadata.ino()) == self.identity);
        if same && let Err(error) = std::fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "cannot remove the socket");
        }
    }
}

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = PathBuf::from(path);
            return if path.is_absolute() && path.file_name().is_some() {
                Ok(Self::Unix(path))
            } else {
                Err(InvalidAddress::Path(text.to_owned()))
            };
        }
        let form = || InvalidAddress::Form(text.to_owned());
        let (host, port) = text.rsplit_once(':').ok_or_else(form)?;
        let is_host = match host.strip_prefix('[').map(|rest| rest.strip_suffix(']')) {
            Some(Some(ipv6)) => ipv6.parse::<std::net::Ipv6Addr>().is_ok(),
            Some(None) => false,
            None => {
                !host.is_empty()
                    && host
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-')
            }
        };
        if !is_host {
            return Err(form());
        }
        let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
        if !digits || port.parse::<u16>().is_err() {
            return Err(InvalidAddress::Port(text.to_owned()));
        }
        Ok(Self::Tcp(text.to_owned()))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host_port) => f.write_str(host_port),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Owner and group may connect.
const SOCKET_MODE: u32 = 0o660;

#[cfg(test)]
mod tests {
    use super::*;

    type AddressFault = fn(String) -> InvalidAddress;

    #[test]
    fn an_address_is_a_host_and_port_or_a_path() {
        for good in [
            "0.0.0.0:9001",
            "localhost:0",
            "[::]:9001",
            "[::1]:65535",
            "a-b.test:1",
        ] {
            assert_eq!(good.parse(), Ok(Address::Tcp(good.to_owned())));
        }
        assert_eq!(
            "unix:/run/a.sock".parse(),
            Ok(Address::Unix("/run/a.sock".into()))
        );
        let rows: [(&str, AddressFault); 12] = [
            ("", InvalidAddress::Form),
            ("9001", InvalidAddress::Form),
            (":9001", InvalidAddress::Form),
            ("::1:9001", InvalidAddress::Form),
            ("[::1:9001", InvalidAddress::Form),
            ("[nonsense]:9001", InvalidAddress::Form),
            ("http://a:1", InvalidAddress::Form),
            ("a:", InvalidAddress::Port),
            ("a:65536", InvalidAddress::Port),
            ("a:+1", InvalidAddress::Port),
            ("unix:a.sock", InvalidAddress::Path),
            ("unix:/", InvalidAddress::Path),
        ];
        for (bad, cause) in rows {
            assert_eq!(bad.parse::<Address>(), Err(cause(bad.to_owned())));
        }
    }

    async fn refusal(address: &Address) -> String {
        bind(address).await.map(drop).unwrap_err().to_string()
    }

    #[tokio::test]
    async fn a_port_in_use_is_reported_in_one_line() {
        let first = bind(&Address::Tcp("127.0.0.1:0".to_owned())).await.unwrap();
        let taken = first.address().unwrap();
        assert_eq!(
            refusal(&taken).await,
            format!("cannot listen on `{taken}`: address in use")
        );
    }

    #[tokio::test]
    async fn a_socket_file_is_replaced_only_if_nobody_listens() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.sock");
        let address = Address::Unix(path.clone());
        let at = |cause: &str| format!("cannot listen on `{address}`: {cause}");

        let first = bind(&address).await.unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o660);
        assert_eq!(refusal(&address).await, at("address in use"));
        drop(first);
        assert!(!path.exists(), "the file goes with the socket");

        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "left behind, as after a crash");
        drop(bind(&address).await.unwrap());

        std::fs::write(&path, "precious").unwrap();
        assert_eq!(
            refusal(&address).await,
            at("the file there is not a socket")
        );
        assert_eq!(std::fs::read(&path).unwrap(), b"precious");

        let nowhere = Address::Unix(directory.path().join("none/a.sock"));
        let cause = format!("cannot listen on `{nowhere}`: no such directory");
        assert_eq!(refusal(&nowhere).await, cause);
    }
}
