//! The ways to the service besides plain TCP, each once through the real binary.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::Uri;
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint};

use super::running::{Home, Running, call, check_over};

#[tokio::test]
async fn a_unix_socket_serves_and_goes_with_the_process() {
    let home = Home::new();
    let path = home.path("a.sock");
    home.configure(
        "listen: 127.0.0.1:0",
        &format!("listen: unix:{}", path.display()),
    );
    let mut running = home.ready().await;
    assert_eq!(running.grpc, format!("unix:{}", path.display()));
    assert_eq!(running.check(call("a")).await.fact("reason"), "allowed");
    running.signal("TERM");
    assert_eq!(running.ended().await.code(), Some(0));
    assert!(!path.exists());
}

#[tokio::test]
async fn mutual_tls_takes_envoy_and_nobody_else() {
    let home = Home::new();
    let (servers, clients) = (Authority::new(), Authority::new());
    let (cert, key) = servers.issue("localhost");
    home.write("cert.pem", &cert);
    home.write("key.pem", &key);
    home.write("clients.pem", &clients.pem);
    home.configure(
        "admin:",
        "tls: {cert_file: cert.pem, key_file: key.pem, client_ca_file: clients.pem}\nadmin:",
    );
    let running = home.ready().await;
    let envoy = servers
        .connect(&running, Some(clients.issue("envoy")))
        .await;
    let answer = check_over(envoy.unwrap(), call("a")).await.unwrap();
    assert_eq!(answer.fact("reason"), "allowed");
    for stranger in [None, Some(servers.issue("envoy"))] {
        if let Ok(channel) = servers.connect(&running, stranger).await {
            check_over(channel, call("a")).await.unwrap_err();
        }
    }
    let channel = Endpoint::from_shared(format!("http://{}", running.grpc));
    if let Ok(plain) = channel.unwrap().connect().await {
        check_over(plain, call("a")).await.unwrap_err();
    }
    for reason in ["no_certificate", "invalid_certificate", "not_tls"] {
        let series = format!("mcp_authz_handshakes_failed_total{{reason=\"{reason}\"}}");
        assert_eq!(
            running.metric(&series).await.as_deref(),
            Some("1"),
            "{reason}"
        );
    }
}

struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            pem,
            issuer: Issuer::new(params, key),
        }
    }

    /// A certificate and its key.
    fn issue(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        (cert.pem(), key.serialize_pem())
    }

    /// A channel that trusts this authority, with a certificate of its own or without.
    async fn connect(
        &self,
        running: &Running,
        identity: Option<(String, String)>,
    ) -> Result<Channel, Box<dyn std::error::Error>> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.pem.as_bytes())?)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots);
        let mut config = match identity {
            Some((cert, key)) => {
                let chain = vec![CertificateDer::from_pem_slice(cert.as_bytes())?];
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes())?;
                config.with_client_auth_cert(chain, key)?
            }
            None => config.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        let stream = TcpStream::connect(&running.grpc).await?;
        let name = ServerName::try_from("localhost")?;
        let stream = TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await?;
        let endpoint = Endpoint::from_static("http://localhost");
        Ok(endpoint.connect_with_connector(Once(Some(stream))).await?)
    }
}

/// Connects to what is connected already, once.
struct Once(Option<TlsStream<TcpStream>>);

impl tonic::codegen::Service<Uri> for Once {
    type Response = TokioIo<TlsStream<TcpStream>>;
    type Error = std::io::Error;
    type Future = std::future::Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let stream = self.0.take().ok_or(std::io::ErrorKind::NotConnected.into());
        std::future::ready(stream.map(TokioIo::new))
    }
}
