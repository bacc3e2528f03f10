//! The sockets that the process listens on.

use super::error::RunError;
use crate::config::Config;
use crate::listen::{self, Address, Inherited, Listener, Socket, Tls};

/// The listening sockets. They are bound before anything else starts, so that a port in use ends the
/// process at once.
pub(super) struct Sockets {
    pub(super) grpc: Listener,
    pub(super) grpc_address: Address,
    /// Whether a supervisor holds the socket for gRPC and keeps it for the next process.
    pub(super) handed_over: bool,
    pub(super) admin: Option<tokio::net::TcpListener>,
    pub(super) admin_address: Option<String>,
}

impl Sockets {
    pub(super) async fn bind(config: &Config, mut inherited: Inherited) -> Result<Self, RunError> {
        let unknown = "cannot tell the address that was bound";
        let tls = match &config.tls {
            Some(files) => Some(Tls::load(files.clone()).await?),
            None => None,
        };
        let (socket, handed_over) = open(&config.listen, &mut inherited).await?;
        let grpc_address = socket.address().map_err(RunError::system(unknown))?;
        let admin = match &config.admin {
            None => None,
            Some(address) => match open(address, &mut inherited).await? {
                (Socket::Tcp(listener), _) => Some(listener),
                (Socket::Unix(..), _) => return Err(RunError::AdminAddress),
            },
        };
        inherited.all_taken()?;
        let admin_address = admin
            .as_ref()
            .map(|socket| socket.local_addr().map(|address| address.to_string()))
            .transpose()
            .map_err(RunError::system(unknown))?;
        Ok(Sockets {
            grpc: Listener::new(socket, tls, config.limits.listen),
            grpc_address,
            handed_over,
            admin,
            admin_address,
        })
    }
}

/// The socket on an address, and whether it was handed over.
async fn open(address: &Address, inherited: &mut Inherited) -> Result<(Socket, bool), RunError> {
    let unusable = "cannot use the socket that was handed over";
    let taken = inherited.take(address).await;
    match taken.map_err(RunError::system(unusable))? {
        Some(socket) => Ok((socket, true)),
        None => Ok((listen::bind(address).await?, false)),
    }
}
