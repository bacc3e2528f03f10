//! TLS for accepted connections, with files that are reloaded when they change.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use aws_lc_rs::digest;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs as provider};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{RootCertStore, server::danger::ClientCertVerifier};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::file::{
    self, LOOK_TIME_MAX, Look, Looks, ReadError, START_TIME_MAX, Settled, Watch, Watcher,
};

/// The PEM files for TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate chain, the server's own first.
    pub cert_file: PathBuf,
    /// Its private key.
    pub key_file: PathBuf,
    /// The authorities whose clients may connect. If set, every client needs a certificate.
    pub client_ca_file: Option<PathBuf>,
}

/// Why TLS cannot be set up. Each message is complete: there is no further source.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read `{}`: {cause}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The cause.
        cause: ReadError,
    },
    /// A file has no certificate, or a damaged one.
    #[error("`{}` has no PEM certificate", .0.display())]
    NoCertificate(PathBuf),
    /// A file has no private key, or a damaged one.
    #[error("`{}` has no PEM private key", .0.display())]
    NoKey(PathBuf),
    /// Certificate and key do not match, or are not usable.
    #[error("`{}` and `{}` do not work together: {cause}", cert_file.display(), key_file.display())]
    Pair {
        /// The certificate file.
        cert_file: PathBuf,
        /// The key file.
        key_file: PathBuf,
        /// The error of rustls.
        cause: rustls::Error,
    },
    /// The client authorities cannot be used.
    #[error("`{}` is not a client authority: {cause}", path.display())]
    ClientCa {
        /// The file.
        path: PathBuf,
        /// The error of rustls.
        cause: VerifierBuilderError,
    },
    /// The crypto provider does not support the required protocol versions.
    #[error("no protocol version can be used")]
    Versions(#[source] rustls::Error),
}

/// TLS with the last good files.
#[derive(Debug)]
pub struct Tls {
    files: TlsFiles,
    config: ArcSwap<ServerConfig>,
    /// What the files were when they were loaded, so that a change since then is noticed.
    loaded: Fingerprint,
    /// Why the files in place cannot be used, if so.
    failing: Mutex<Option<String>>,
}

/// The most bytes of one of the files.
const BYTES_MAX: u64 = 4 << 20;

/// The SHA-256 of the files as they were read.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fingerprint(Vec<u8>);

impl Fingerprint {
    /// Of files that cannot be read.
    fn of(error: &str) -> Self {
        Fingerprint(error.as_bytes().to_vec())
    }
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// [`TlsError`] if one cannot be read or used.
    pub async fn load(files: TlsFiles) -> Result<Self, TlsError> {
        let places = files.clone();
        let looks = Looks::new(START_TIME_MAX);
        let look = looks.look(true, move || Contents::read(&places));
        let hangs = |cause| unreadable(&files.cert_file, cause);
        // The first read always starts.
        let read = look.await.map_err(hangs)?;
        let contents = read.ok_or_else(|| hangs(ReadError::Hangs(START_TIME_MAX)))??;
        let config = contents.config(&files)?;
        Ok(Self {
            files,
            config: ArcSwap::from_pointee(config),
            loaded: contents.fingerprint(),
            failing: Mutex::default(),
        })
    }

    /// Why the current files cannot be used, if they cannot; the last good ones are in force.
    #[must_use]
    pub fn failing(&self) -> Option<String> {
        lock(&self.failing).clone()
    }

    /// Takes the files whenever they changed, two looks found them the same, and they are good, and
    /// at once when asked to, until nobody can ask any more. Otherwise the old ones stay; connections
    /// that exist stay in any case.
    pub async fn watch(self: Arc<Self>, interval: Duration, asked: mpsc::Receiver<()>) {
        self.watcher().run(interval, asked).await;
    }

    fn watcher(self: Arc<Self>) -> Watcher<WatchedTls> {
        let settled = Settled::at(self.loaded.clone());
        Watcher::new(WatchedTls(self), Looks::new(LOOK_TIME_MAX), settled)
    }

    fn take(&self, read: Result<Contents, TlsError>) {
        match read.and_then(|contents| contents.config(&self.files)) {
            Ok(config) => {
                self.config.store(Arc::new(config));
                *lock(&self.failing) = None;
                tracing::info!("TLS files replaced");
            }
            Err(error) => {
                tracing::error!(%error, "new TLS files refused, the old ones stay in force");
                *lock(&self.failing) = Some(error.to_string());
            }
        }
    }

    /// Does the handshake on a connection.
    pub(super) async fn accept<S>(&self, stream: S) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        TlsAcceptor::from(self.config.load_full())
            .accept(stream)
            .await
    }
}

/// The files, watched by the digest of their content.
struct WatchedTls(Arc<Tls>);

impl Watch for WatchedTls {
    type Seen = Fingerprint;
    type Found = Result<Contents, TlsError>;

    fn look(&self) -> Look<Self::Seen, Self::Found> {
        let WatchedTls(tls) = self;
        let places = tls.files.clone();
        Box::new(move |is_due| {
            let read = Contents::read(&places);
            let seen = match &read {
                Ok(contents) => contents.fingerprint(),
                Err(error) => Fingerprint::of(&error.to_string()),
            };
            is_due(seen).then_some(read)
        })
    }

    fn unanswered(&self, error: &ReadError) -> Fingerprint {
        Fingerprint::of(&error.to_string())
    }

    async fn take(&mut self, read: Self::Found) {
        self.0.take(read);
    }

    async fn fail(&mut self, error: ReadError) {
        let WatchedTls(tls) = self;
        tls.take(Err(unreadable(&tls.files.cert_file, error)));
    }
}

/// The files as they were read.
struct Contents {
    cert: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
}

impl Contents {
    fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        Ok(Self {
            cert: read(&files.cert_file)?,
            key: read(&files.key_file)?,
            client_ca: files.client_ca_file.as_deref().map(read).transpose()?,
        })
    }

    fn fingerprint(&self) -> Fingerprint {
        let digest_of = |part: &[u8]| digest::digest(&digest::SHA256, part);
        let parts = [&self.cert, &self.key].into_iter().chain(&self.client_ca);
        Fingerprint(
            parts
                .flat_map(|part| digest_of(part).as_ref().to_vec())
                .collect(),
        )
    }

    fn config(&self, files: &TlsFiles) -> Result<ServerConfig, TlsError> {
        let chain = certificates(&self.cert, &files.cert_file)?;
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|_| TlsError::NoKey(files.key_file.clone()))?;
        let provider = Arc::new(provider::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Versions)?;
        let builder = match (&self.client_ca, &files.client_ca_file) {
            (Some(pem), Some(path)) => {
                builder.with_client_cert_verifier(client_verifier(pem, path, provider)?)
            }
            (None, _) | (_, None) => builder.with_no_client_auth(),
        };
        let mut config = builder
            .with_single_cert(chain, key)
            .map_err(|cause| TlsError::Pair {
                cert_file: files.cert_file.clone(),
                key_file: files.key_file.clone(),
                cause,
            })?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(config)
    }
}

fn client_verifier(
    pem: &[u8],
    path: &Path,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let mut roots = RootCertStore::empty();
    for authority in certificates(pem, path)? {
        roots
            .add(authority)
            .map_err(|_| TlsError::NoCertificate(path.to_owned()))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|cause| TlsError::ClientCa {
            path: path.to_owned(),
            cause,
        })
}

/// Every certificate in a PEM text; at least one is required.
fn certificates(pem: &[u8], path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let missing = || TlsError::NoCertificate(path.to_owned());
    let chain: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|_| missing())?;
    if chain.is_empty() {
        Err(missing())
    } else {
        Ok(chain)
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    file::read(path, BYTES_MAX).map_err(|cause| unreadable(path, cause))
}

fn unreadable(path: &Path, cause: ReadError) -> TlsError {
    TlsError::Unreadable {
        path: path.to_owned(),
        cause,
    }
}

/// The locked value is consistent after every step, so a panic elsewhere has not spoiled it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
