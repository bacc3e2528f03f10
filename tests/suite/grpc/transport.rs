//! What is under gRPC: unix sockets, TLS, and clients that dawdle.

use std::path::PathBuf;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use mcp_authz::listen::{Address, ConnectionLimits, Tls, TlsError, TlsFiles};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint};

use super::service::{Service, check_over, check_request};

#[tokio::test]
async fn a_unix_socket_serves_and_is_removed_at_the_end() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mcp-authz.sock");
    let mut service = Service::start_at(
        Address::Unix(path.clone()),
        None,
        ConnectionLimits::default(),
    )
    .await;
    service.check(check_request("/allow")).await.unwrap();
    service.stop();
    service.ended().await;
    assert!(!path.exists());
}

#[tokio::test]
async fn a_client_that_says_nothing_loses_its_place() {
    let limits = ConnectionLimits {
        connections_max: 1,
        handshake_timeout: Duration::from_millis(20),
        ..ConnectionLimits::default()
    };
    for tls in [
        None,
        Some(Authority::new("a").files("localhost").load().await),
    ] {
        let loopback = Address::Tcp("127.0.0.1:0".to_owned());
        let is_plain = tls.is_none();
        let service = Service::start_at(loopback, tls, limits).await;
        let Address::Tcp(address) = &service.address else {
            panic!("not TCP")
        };
        let mut silent = TcpStream::connect(address).await.unwrap();
        let end = tokio::io::AsyncReadExt::read(&mut silent, &mut [0; 1]).await;
        assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
        if is_plain {
            service.check(check_request("/allow")).await.unwrap();
        }
    }
}

#[tokio::test]
async fn tls_speaks_http2_to_those_who_trust_it() {
    let authority = Authority::new("server");
    let service = tls_service(&authority.files("localhost")).await;
    let stream = authority.client().connect(&service).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    check_over(channel(stream).await, check_request("/allow"))
        .await
        .unwrap();

    let error = Authority::new("other")
        .client()
        .connect(&service)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("UnknownIssuer"), "{error}");
    let Address::Tcp(address) = &service.address else {
        panic!("not TCP")
    };
    let plain = Endpoint::from_shared(format!("http://{address}")).unwrap();
    if let Ok(channel) = plain.connect().await {
        check_over(channel, check_request("/allow"))
            .await
            .unwrap_err();
    }
}

#[tokio::test]
async fn mutual_tls_takes_only_clients_of_its_authority() {
    let (server, clients) = (Authority::new("server"), Authority::new("clients"));
    let mut files = server.files("localhost");
    files.require_clients_of(&clients);
    let service = tls_service(&files).await;

    let known = server.client().with_certificate_of(&clients);
    let stream = known.connect(&service).await.unwrap();
    check_over(channel(stream).await, check_request("/allow"))
        .await
        .unwrap();

    for stranger in [
        server.client(),
        server.client().with_certificate_of(&server),
    ] {
        // In TLS 1.3 a client learns only from its first read that it was turned away.
        if let Ok(stream) = stranger.connect(&service).await {
            let endpoint = Endpoint::from_static("http://localhost");
            let connected = endpoint.connect_with_connector(Once(Some(stream))).await;
            if let Ok(channel) = connected {
                check_over(channel, check_request("/allow"))
                    .await
                    .unwrap_err();
            }
        }
    }
}

#[tokio::test]
async fn changed_files_are_taken_and_bad_ones_are_not() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let files = old.files("localhost");
    let limits = ConnectionLimits {
        tls_reload_interval: Duration::from_millis(1),
        ..ConnectionLimits::default()
    };
    let loopback = Address::Tcp("127.0.0.1:0".to_owned());
    let service = Service::start_at(loopback, Some(files.load().await), limits).await;
    old.client().connect(&service).await.unwrap();

    let good = files.contents();
    files.write("not a certificate", "not a key");
    for _ in 0..20 {
        old.client().connect(&service).await.unwrap();
    }
    files.write(&good.0, &good.1);
    let (cert, key) = new.issue("localhost");
    files.write(&cert, &key);
    let taken = async { while new.client().connect(&service).await.is_err() {} };
    tokio::time::timeout(Duration::from_secs(10), taken)
        .await
        .unwrap();
    old.client().connect(&service).await.unwrap_err();
}

#[tokio::test]
async fn files_that_do_not_work_are_named() {
    let files = Authority::new("a").files("localhost");
    let (cert, key) = files.contents();
    let (cert_file, key_file) = (
        files.tls.cert_file.display().to_string(),
        files.tls.key_file.display().to_string(),
    );
    let other_key = KeyPair::generate().unwrap().serialize_pem();
    for (cert, key, expected) in [
        (
            "",
            key.as_str(),
            format!("`{cert_file}` has no PEM certificate"),
        ),
        (
            key.as_str(),
            key.as_str(),
            format!("`{cert_file}` has no PEM certificate"),
        ),
        (
            cert.as_str(),
            "",
            format!("`{key_file}` has no PEM private key"),
        ),
        (
            cert.as_str(),
            cert.as_str(),
            format!("`{key_file}` has no PEM private key"),
        ),
        (
            cert.as_str(),
            other_key.as_str(),
            format!("`{cert_file}` and `{key_file}` do not work together: "),
        ),
    ] {
        files.write(cert, key);
        let error = Tls::load(files.tls.clone()).await.unwrap_err().to_string();
        assert!(error.starts_with(&expected), "{error}");
        assert!(!error.contains("BEGIN"), "{error}");
    }
    std::fs::remove_file(&files.tls.key_file).unwrap();
    let error = Tls::load(files.tls.clone()).await.unwrap_err();
    assert!(matches!(error, TlsError::Unreadable { .. }), "{error}");
    assert!(
        error
            .to_string()
            .starts_with(&format!("cannot read `{key_file}`: ")),
        "{error}"
    );
}

async fn tls_service(files: &Files) -> Service {
    let loopback = Address::Tcp("127.0.0.1:0".to_owned());
    Service::start_at(
        loopback,
        Some(files.load().await),
        ConnectionLimits::default(),
    )
    .await
}

async fn channel(stream: TlsStream<TcpStream>) -> Channel {
    let endpoint = Endpoint::from_static("http://localhost");
    endpoint
        .connect_with_connector(Once(Some(stream)))
        .await
        .unwrap()
}

/// A connector that gives away one stream.
struct Once(Option<TlsStream<TcpStream>>);

impl tonic::codegen::Service<http::Uri> for Once {
    type Response = TokioIo<TlsStream<TcpStream>>;
    type Error = std::io::Error;
    type Future = std::future::Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Uri) -> Self::Future {
        let gone = || std::io::ErrorKind::NotConnected.into();
        std::future::ready(self.0.take().map(TokioIo::new).ok_or_else(gone))
    }
}

/// A certificate authority.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// The files of a server.
struct Files {
    tls: TlsFiles,
    directory: TempDir,
}

/// A TLS client.
struct Client {
    roots: RootCertStore,
    identity: Option<(String, String)>,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
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
        (
            params.signed_by(&key, &self.issuer).unwrap().pem(),
            key.serialize_pem(),
        )
    }

    fn files(&self, name: &str) -> Files {
        let directory = tempfile::tempdir().unwrap();
        let tls = TlsFiles {
            cert_file: directory.path().join("cert.pem"),
            key_file: directory.path().join("key.pem"),
            client_ca_file: None,
        };
        let files = Files { tls, directory };
        let (cert, key) = self.issue(name);
        files.write(&cert, &key);
        files
    }

    fn client(&self) -> Client {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(self.pem.as_bytes()).unwrap())
            .unwrap();
        Client {
            roots,
            identity: None,
        }
    }
}

impl Files {
    async fn load(&self) -> Tls {
        Tls::load(self.tls.clone()).await.unwrap()
    }

    fn write(&self, cert: &str, key: &str) {
        std::fs::write(&self.tls.cert_file, cert).unwrap();
        std::fs::write(&self.tls.key_file, key).unwrap();
    }

    fn contents(&self) -> (String, String) {
        let read = |path: &PathBuf| std::fs::read_to_string(path).unwrap();
        (read(&self.tls.cert_file), read(&self.tls.key_file))
    }

    fn require_clients_of(&mut self, authority: &Authority) {
        let path = self.directory.path().join("clients.pem");
        std::fs::write(&path, &authority.pem).unwrap();
        self.tls.client_ca_file = Some(path);
    }
}

impl Client {
    fn with_certificate_of(mut self, authority: &Authority) -> Self {
        self.identity = Some(authority.issue("envoy"));
        self
    }

    async fn connect(&self, service: &Service) -> std::io::Result<TlsStream<TcpStream>> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.roots.clone());
        let mut config = match &self.identity {
            Some((cert, key)) => {
                let chain = vec![CertificateDer::from_pem_slice(cert.as_bytes()).unwrap()];
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
                config.with_client_auth_cert(chain, key).unwrap()
            }
            None => config.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        let Address::Tcp(address) = &service.address else {
            panic!("not TCP")
        };
        let stream = TcpStream::connect(address).await?;
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
    }
}
