//! Where the service is reached: `listen`, `tls`, `admin`, and `client_address`.

use serde_json::{Value, json};

use super::reader::ConfigReader;
use super::words::Words;
use crate::envoy::check_request::ClientAddress;
use crate::listen::{Address, TlsFiles};
use crate::yaml::{self, Fields, Findings, Node};

impl ConfigReader<'_> {
    /// Reads `tls`.
    pub(super) fn tls(self, node: &Node, findings: &mut Findings) -> Option<TlsFiles> {
        let mut fields = Fields::open(node, "`tls`", findings)?;
        let cert_file = fields.required("cert_file", findings, yaml::string);
        let key_file = fields.required("key_file", findings, yaml::string);
        let client_ca_file = fields.optional("client_ca_file", findings, yaml::string);
        fields.finish(findings);
        Some(TlsFiles {
            cert_file: self.path(&cert_file?),
            key_file: self.path(&key_file?),
            client_ca_file: client_ca_file.map(|path| self.path(&path)),
        })
    }
}

/// Reads `listen`.
pub(super) fn address(node: &Node, findings: &mut Findings) -> Option<Address> {
    let text = yaml::string(node, findings)?;
    match text.parse() {
        Ok(address) => Some(address),
        Err(error) => {
            findings.error(node, error.to_string(), "");
            None
        }
    }
}

/// Reads `client_address`.
pub(super) fn client_address(node: &Node, findings: &mut Findings) -> Option<ClientAddress> {
    yaml::choice(ClientAddress::WORDS)(node, findings)
}

/// Reads `admin`.
pub(super) fn admin(node: &Node, findings: &mut Findings) -> Option<Address> {
    let mut fields = Fields::open(node, "`admin`", findings)?;
    let listen = fields.required("listen", findings, |node, findings| {
        match address(node, findings)? {
            address @ Address::Tcp(_) => Some(address),
            Address::Unix(_) => {
                let message = "the admin endpoint is on TCP only";
                findings.error(node, message, "`host:port` or `[::]:port`");
                None
            }
        }
    });
    fields.finish(findings);
    listen
}

/// The files of TLS, as the effective configuration shows them.
pub(super) fn tls_shown(files: &TlsFiles) -> Value {
    let TlsFiles {
        cert_file,
        key_file,
        client_ca_file,
    } = files;
    json!({"cert_file": cert_file, "key_file": key_file, "client_ca_file": client_ca_file})
}
