//! The sockets that the process listens on.

use super::error::RunError;
use crate::config::Config;
use crate::listen::{self, Listener, Socket, Tls};

/// The listening sockets. They are bound before anything else starts, so that a port in use ends the
/// process at once.
pub(super) struct Sockets {
    pub(super) grpc: Listener,
    pub(super) grpc_address: listen::Address,
    pub(super) admin: Option<tokio::net::TcpListener>,
    pub(super) admin_address: Option<String>,
}

impl Sockets {
    pub(super) async fn bind(config: &Config) -> Result<Self, RunError> {
        let unknown = "cannot tell the address that was bound";
        let tls = match &config.tls {
            Some(files) => Some(Tls::load(files.clone()).await?),
            None => None,
        };
        let socket = listen::bind(&config.listen).await?;
        let grpc_address = socket.address().map_err(RunError::system(unknown))?;
        let admin = match &config.admin {
            None => None,
            Some(address) => match listen::bind(address).await? {
                Socket::Tcp(listener) => Some(listener),
                Socket::Unix(..) => return Err(RunError::AdminAddress),
            },
        };
        let admin_address = admin
            .as_ref()
            .map(|socket| socket.local_addr().map(|address| address.to_string()))
            .transpose()
            .map_err(RunError::system(unknown))?;
        Ok(Sockets {
            grpc: Listener::new(socket, tls, config.limits.listen),
            grpc_address,
            admin,
            admin_address,
        })
    }
}
