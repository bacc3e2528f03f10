//! Who the TLS peer of Envoy is, by the certificate that Envoy passes on.
//!
//! Envoy names a peer by the first URI in its certificate, else by its first DNS name, else by its
//! subject, whether or not it verified the certificate. Only the certificate shows which kind of name
//! that is, and whether an authority vouches for it.

mod found;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use aws_lc_rs::digest;
use jiff::Timestamp;
use moka::sync::Cache;
use percent_encoding::percent_decode_str;
use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs as provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use tokio::sync::mpsc;
use x509_parser::extensions::GeneralName;

use crate::authz::PeerNames;
use crate::file::{
    self, Failing, LOOK_TIME_MAX, Look, Looks, ReadError, START_TIME_MAX, Settled, Watch, Watcher,
};

pub use found::FoundPeer;

/// The longest certificate that is parsed, in bytes as Envoy encodes it.
const CERTIFICATE_BYTES_MAX: usize = 32 << 10;
/// How many certificates are remembered, so that each is verified once.
const CERTIFICATES_MAX: u64 = 1000;
/// The most bytes the file of authorities may have.
const FILE_BYTES_MAX: u64 = 4 << 20;
/// How often that file is read.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// Tells who the peers of Envoy are.
#[derive(Debug)]
pub struct Peers {
    ca_file: Option<PathBuf>,
    current: ArcSwap<CertificateReader>,
    failing: Mutex<Option<Failing>>,
}

/// Why there are no authorities.
#[derive(Debug, thiserror::Error)]
pub enum InvalidPeers {
    /// The file cannot be read.
    #[error("cannot read the authorities of peers `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: ReadError,
    },
    /// It has no certificates, or one that cannot be used.
    #[error("`{}` is no PEM file of certificates that can vouch for others", .0.display())]
    Format(PathBuf),
}

impl Peers {
    /// With the certificates in `ca_file` as authorities, whichever they are: an intermediate one
    /// vouches as a root does, as Envoy passes on the peer's own certificate alone. Without a file
    /// peers are who Envoy says.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn open(ca_file: Option<PathBuf>) -> Result<Self, InvalidPeers> {
        let text = ca_file.as_deref().map(|path| {
            let place = path.to_owned();
            let read = file::within(START_TIME_MAX, move || file::read(&place, FILE_BYTES_MAX));
            read.and_then(|text| text).map_err(unreadable(path))
        });
        let text = text.transpose()?;
        let reader = CertificateReader::new(ca_file.as_deref().zip(text))?;
        Ok(Peers {
            ca_file,
            current: ArcSwap::from_pointee(reader),
            failing: Mutex::default(),
        })
    }

    /// Whether the authorities are those of this file, if of any.
    #[must_use]
    pub fn are_by(&self, ca_file: Option<&Path>) -> bool {
        self.ca_file.as_deref() == ca_file
    }

    /// Whether peers have to prove who they are.
    #[must_use]
    pub fn are_verified(&self) -> bool {
        self.ca_file.is_some()
    }

    /// The peer that Envoy calls `principal` and that showed this certificate, a PEM text that is
    /// URL-encoded.
    #[must_use]
    pub fn find(
        &self,
        principal: Option<&str>,
        certificate: Option<&str>,
        now: Timestamp,
    ) -> FoundPeer {
        match (principal, certificate) {
            (None, None) => FoundPeer::Absent,
            (Some(principal), None) if !self.are_verified() => {
                FoundPeer::Known(Arc::new(PeerNames::called(principal)))
            }
            (Some(_), None) => FoundPeer::Unknown,
            (_, Some(certificate)) => {
                let holder = self.current.load().read(principal, certificate);
                holder.map_or(FoundPeer::Unknown, |holder| holder.at(now))
            }
        }
    }

    /// Why the file in place cannot be used, and since when.
    #[must_use]
    pub fn failing(&self) -> Option<Failing> {
        self.locked().clone()
    }

    /// Reads the file again whenever it changed and two looks found it the same, and at once when
    /// asked to, until nobody can ask any more. `clock` gives the time since when it is failing.
    /// Ends at once where there is no file.
    pub async fn watch(self: Arc<Self>, asked: mpsc::Receiver<()>, clock: fn() -> Timestamp) {
        let Some(path) = self.ca_file.clone() else {
            return;
        };
        let settled = Settled::at(Ok(self.current.load().text.clone()));
        let authorities = WatchedAuthorities {
            peers: self,
            path,
            clock,
        };
        let watcher = Watcher::new(authorities, Looks::shared(LOOK_TIME_MAX), settled);
        watcher.run(LOOK_INTERVAL, asked).await;
    }

    fn take(&self, path: &Path, seen: AuthoritiesText, now: Timestamp) {
        let read = seen.and_then(|text| {
            let reader = CertificateReader::new(Some((path, text)));
            reader.map_err(|error| error.to_string())
        });
        match read {
            Ok(reader) => {
                self.current.store(Arc::new(reader));
                *self.locked() = None;
                tracing::info!(path = %path.display(), "authorities of peers in force");
            }
            Err(error) => self.fail(error, now),
        }
    }

    fn fail(&self, error: String, now: Timestamp) {
        tracing::error!("{error}; the authorities of peers in force stay");
        let mut failing = self.locked();
        *failing = Some(Failing::after(failing.as_ref(), error, now));
    }

    fn locked(&self) -> MutexGuard<'_, Option<Failing>> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The authorities' file, watched by its content.
struct WatchedAuthorities {
    peers: Arc<Peers>,
    path: PathBuf,
    clock: fn() -> Timestamp,
}

impl Watch for WatchedAuthorities {
    type Seen = AuthoritiesText;
    type Found = AuthoritiesText;

    fn look(&self) -> Look<AuthoritiesText, AuthoritiesText> {
        let path = self.path.clone();
        Box::new(move |is_due| {
            let read = file::read(&path, FILE_BYTES_MAX);
            let seen = read.map_err(|error| unreadable(&path)(error).to_string());
            is_due(seen.clone()).then_some(seen)
        })
    }

    fn unanswered(&self, error: &ReadError) -> AuthoritiesText {
        Err(error.to_string())
    }

    async fn take(&mut self, seen: AuthoritiesText) {
        self.peers.take(&self.path, seen, (self.clock)());
    }

    async fn fail(&mut self, error: ReadError) {
        let error = unreadable(&self.path)(error).to_string();
        self.peers.fail(error, (self.clock)());
    }
}

/// The text of the file, or why it cannot be read.
type AuthoritiesText = Result<Vec<u8>, String>;

/// Reads certificates, with the authorities of one moment.
#[derive(Debug)]
struct CertificateReader {
    /// The text that the authorities were read from.
    text: Vec<u8>,
    verifier: Option<Arc<dyn ClientCertVerifier>>,
    holders: Cache<[u8; 32], CertificateHolder>,
}

/// The holder of a certificate.
#[derive(Debug, Clone)]
enum CertificateHolder {
    /// No authority vouches for it, or it cannot be parsed.
    Unknown,
    /// Somebody does, for a time.
    Known {
        names: Arc<PeerNames>,
        /// Its validity; unlimited where no authority has to vouch.
        valid: Option<(Timestamp, Timestamp)>,
    },
}

impl CertificateHolder {
    /// A certificate is good from its first to its last second, both included (RFC 5280, section
    /// 4.1.2.5).
    fn at(&self, now: Timestamp) -> FoundPeer {
        match self {
            CertificateHolder::Known { names, valid } => {
                let second = now.as_second();
                let is_valid = valid
                    .is_none_or(|(from, to)| (from.as_second()..=to.as_second()).contains(&second));
                if is_valid {
                    FoundPeer::Known(Arc::clone(names))
                } else {
                    FoundPeer::Unknown
                }
            }
            CertificateHolder::Unknown => FoundPeer::Unknown,
        }
    }
}

impl CertificateReader {
    fn new(authorities: Option<(&Path, Vec<u8>)>) -> Result<Self, InvalidPeers> {
        let (text, verifier) = match authorities {
            None => (Vec::new(), None),
            Some((path, text)) => {
                let verifier = verifier(&text);
                let verifier = verifier.ok_or_else(|| InvalidPeers::Format(path.to_owned()))?;
                (text, Some(verifier))
            }
        };
        Ok(CertificateReader {
            text,
            verifier,
            holders: Cache::new(CERTIFICATES_MAX),
        })
    }

    /// The holder of a certificate; nothing if the text is too long to be one.
    fn read(&self, principal: Option<&str>, certificate: &str) -> Option<CertificateHolder> {
        if certificate.len() > CERTIFICATE_BYTES_MAX {
            tracing::debug!("a peer's certificate is too long to be read");
            return None;
        }
        let principal = principal.unwrap_or_default();
        let mut hash = digest::Context::new(&digest::SHA256);
        hash.update(&principal.len().to_be_bytes());
        hash.update(principal.as_bytes());
        hash.update(certificate.as_bytes());
        let key: [u8; 32] = hash.finish().as_ref().try_into().ok()?;
        Some(self.holders.get_with(key, || {
            let holder = self.holder(principal, certificate);
            if holder.is_none() {
                tracing::debug!(peer = principal, "nobody vouches for a peer's certificate");
            }
            holder.unwrap_or(CertificateHolder::Unknown)
        }))
    }

    fn holder(&self, principal: &str, certificate: &str) -> Option<CertificateHolder> {
        let pem: Vec<u8> = percent_decode_str(certificate).collect();
        let mut chain = CertificateDer::pem_slice_iter(&pem);
        let (Some(Ok(der)), None) = (chain.next(), chain.next()) else {
            return None;
        };
        let (rest, parsed) = x509_parser::parse_x509_certificate(&der).ok()?;
        if !rest.is_empty() {
            return None;
        }
        let names = Arc::new(names(&parsed, principal)?);
        let Some(verifier) = &self.verifier else {
            return Some(CertificateHolder::Known { names, valid: None });
        };
        let validity = parsed.validity();
        let from = Timestamp::from_second(validity.not_before.timestamp()).ok()?;
        let to = Timestamp::from_second(validity.not_after.timestamp()).ok()?;
        // It vouches at the first moment or never; when it ends is compared with each check's time.
        let first = u64::try_from(from.as_second()).ok()?;
        let first = UnixTime::since_unix_epoch(Duration::from_secs(first));
        verifier.verify_client_cert(&der, &[], first).ok()?;
        let valid = Some((from, to));
        Some(CertificateHolder::Known { names, valid })
    }
}

/// The names in a certificate. None where one of them cannot be read, or Envoy calls the peer
/// something else.
fn names(
    certificate: &x509_parser::certificate::X509Certificate<'_>,
    principal: &str,
) -> Option<PeerNames> {
    let mut names = PeerNames::default();
    let add = |all: &mut Vec<Arc<str>>, name: &str| {
        if !all.iter().any(|own| **own == *name) {
            all.push(name.into());
        }
    };
    let alternative = certificate.subject_alternative_name().ok()?;
    for name in alternative.iter().flat_map(|san| &san.value.general_names) {
        match name {
            GeneralName::URI(uri) => add(&mut names.uris, uri),
            GeneralName::DNSName(name) => add(&mut names.dns, name),
            GeneralName::Invalid(..) => return None,
            GeneralName::OtherName(..)
            | GeneralName::RFC822Name(_)
            | GeneralName::X400Address(_)
            | GeneralName::DirectoryName(_)
            | GeneralName::EDIPartyName(_)
            | GeneralName::IPAddress(_)
            | GeneralName::RegisteredID(_) => {}
        }
    }
    if names.uris.is_empty() && names.dns.is_empty() {
        names.subject = (!principal.is_empty()).then(|| principal.into());
        return Some(names);
    }
    let mut all = names.uris.iter().chain(&names.dns);
    all.any(|name| **name == *principal).then_some(names)
}

/// Every certificate of a PEM text as an authority, if there is one and all can be.
fn verifier(text: &[u8]) -> Option<Arc<dyn ClientCertVerifier>> {
    let mut roots = RootCertStore::empty();
    for authority in CertificateDer::pem_slice_iter(text) {
        roots.add(authority.ok()?).ok()?;
    }
    let provider = Arc::new(provider::default_provider());
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    builder.build().ok()
}

fn unreadable(path: &Path) -> impl FnOnce(ReadError) -> InvalidPeers {
    |source| InvalidPeers::Read {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests;
