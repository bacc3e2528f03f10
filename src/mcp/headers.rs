//! Compares the HTTP headers with the body.
//!
//! These headers alone decide nothing. Some servers believe the header and some the body, so a
//! disagreement is refused in every revision. Checking `Mcp-Param-*` requires the schema of the
//! tool, which the catalog knows: [`check_param`].
//!
//! A header that came several times with one value counts once, and [`MessageHeaders::corrections`]
//! says so to the upstream.

mod copies;
mod name;
mod param;

use smallvec::SmallVec;

use copies::{Copies, check_value};
use name::TextHeader;

use super::header::{HEADERS, Header};
use super::media_type::{OWS, check_content_type};
use super::message::{Message, MessageKind, Payload};
use super::refusal::{Era, Refusal};

pub use copies::SESSION_BYTES_MAX;
pub use param::check_param;

/// The headers of one HTTP request as far as they concern the message.
#[derive(Debug, Clone, Default)]
pub struct MessageHeaders<'a> {
    values: Vec<(Header, &'a str)>,
    repeats_kept_apart: bool,
}

/// What the headers of a message add to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Routing<'a> {
    /// The era that headers and body agree on.
    pub era: Era,
    /// `MCP-Protocol-Version`, one of the known revisions.
    pub protocol_version: Option<&'a str>,
    /// `Mcp-Session-Id`, visible ASCII. Absent in the modern era, where it has no meaning.
    pub session: Option<&'a str>,
}

impl<'a> MessageHeaders<'a> {
    /// Picks the headers of [`Header`] out of all headers, whose names are in lower case.
    ///
    /// `repeats_kept_apart` says that Envoy sends repeated headers separately
    /// (`encode_raw_headers`). Otherwise it may have joined them with a comma, and a name with a
    /// comma is refused. If they are separate, a name with a comma passes if it equals the body's,
    /// because a comma is an ordinary character in a URI. In the other headers a comma stands
    /// between copies of one value.
    #[must_use]
    pub fn collect<I>(headers: I, repeats_kept_apart: bool) -> Self
    where
        I: IntoIterator<Item = (&'a str, &'a str)>,
    {
        let find = |name| {
            HEADERS
                .iter()
                .copied()
                .find(|header| header.as_str() == name)
        };
        let values = headers
            .into_iter()
            .filter_map(|(name, value)| Some((find(name)?, value.trim_matches(OWS))))
            .collect();
        Self {
            values,
            repeats_kept_apart,
        }
    }

    /// Checks the headers that say how to read the body.
    ///
    /// # Errors
    /// `Content-Type` is not `application/json`, ignoring case, with at most one `charset`, of utf-8,
    /// or has the word in another parameter (servers read `charset*` differently); or a
    /// `Content-Encoding` other than `identity` is present; or a `Content-Length` is present and is
    /// not `body_len`, in bytes.
    pub fn check_content(&self, body_len: usize) -> Result<(), Refusal> {
        let content_type = self
            .single(Header::ContentType)?
            .ok_or(Refusal::ContentType)?;
        check_content_type(content_type)?;
        if let Some(encoding) = self.single(Header::ContentEncoding)?
            && !encoding.eq_ignore_ascii_case("identity")
        {
            return Err(Refusal::ContentEncoding);
        }
        if let Some(length) = self.single(Header::ContentLength)? {
            let is_number = length.bytes().all(|byte| byte.is_ascii_digit());
            if !is_number || length.parse() != Ok(body_len) {
                return Err(Refusal::ContentLength);
            }
        }
        Ok(())
    }

    /// The era of a request, which selects the form of its reply: modern if any version header or
    /// any message says so, even where [`MessageHeaders::check_routing`] refuses it. A future
    /// revision is modern.
    #[must_use]
    pub fn era(&self, payload: Option<&Payload<'_>>) -> Era {
        let handshakes = payload.is_some_and(is_handshake);
        let says_header = !handshakes
            && self
                .values(Header::ProtocolVersion)
                .flat_map(|value| value.split(','))
                .any(|version| is_modern_revision(version.trim_matches(OWS)));
        let says_body = payload.is_some_and(|payload| {
            payload
                .messages()
                .iter()
                .any(|message| message.envelope_version().is_some())
        });
        if says_header || says_body {
            Era::Modern
        } else {
            Era::Legacy
        }
    }

    /// What the headers claim about a request that is refused whatever its body says. It compares
    /// nothing and omits header values that [`MessageHeaders::check_routing`] would refuse.
    #[must_use]
    pub fn claimed_routing(&self) -> Routing<'a> {
        let single = |header| self.single(header).ok().flatten();
        let version = single(Header::ProtocolVersion);
        let version = version.filter(|version| check_bare_version(Some(version)).is_ok());
        let era = self.era(None);
        Routing {
            era,
            protocol_version: version,
            session: single(Header::SessionId).filter(|_| era == Era::Legacy),
        }
    }

    /// Checks the headers that repeat the body, and the session id. A request without a body
    /// (GET, DELETE) has no payload.
    ///
    /// # Errors
    /// A header has two values, is malformed or disagrees with the body; a modern request lacks one;
    /// the revision is unknown; a batch or a response in the modern era.
    pub fn check_routing(&self, payload: Option<&Payload<'_>>) -> Result<Routing<'a>, Refusal> {
        let message = single_message(payload);
        let version = match self.single(Header::ProtocolVersion) {
            // The version of a handshake is that of its body, whatever is in the header.
            Err(Refusal::HeaderMalformed(_)) if message.is_some_and(Message::is_handshake) => None,
            version => version?,
        };
        let method = self.single(Header::Method)?;
        let session = self.single(Header::SessionId)?;
        let era = match message {
            Some(message) => check_version(version, message)?,
            None => check_bare_version(version)?,
        };
        if era == Era::Modern && matches!(payload, Some(Payload::Batch(_))) {
            return Err(Refusal::BatchModern);
        }
        check_method(method, message, era)?;
        self.check_name(message, era)?;
        let session = session.filter(|_| era == Era::Legacy);
        // The version of a handshake is that of the body, unless both say the same.
        let negotiated = message.filter(|message| message.is_handshake());
        let is_said = |version: &&str| {
            negotiated.is_none_or(|message| message.proposed_version.as_deref() == Some(*version))
        };
        Ok(Routing {
            era,
            protocol_version: version.filter(is_said),
            session,
        })
    }

    /// What the upstream must be told otherwise than the client said it, of headers that
    /// [`MessageHeaders::check_routing`] and [`MessageHeaders::check_content`] accept: the one value
    /// of a header that came several times; and nothing of the version header of an `initialize`
    /// that is negotiated by its body, if that header could make a server take it for a request of
    /// another era.
    #[must_use]
    pub fn corrections(&self, payload: Option<&Payload<'_>>) -> Corrections<'a> {
        let mut corrections = Corrections::new();
        let message = single_message(payload);
        for header in HEADERS {
            let copies = if *header == Header::Name {
                self.name(message).ok().flatten().map(|name| name.copies)
            } else {
                Copies::of(*header, self.values(*header)).ok().flatten()
            };
            let Some(Copies { value, is_repeated }) = copies else {
                continue;
            };
            let is_other_era = *header == Header::ProtocolVersion
                && message.is_some_and(Message::is_handshake)
                && !LEGACY_REVISIONS.contains(&value);
            if is_other_era {
                corrections.push((*header, None));
            } else if is_repeated {
                corrections.push((*header, Some(value)));
            }
        }
        corrections
    }

    fn values(&self, header: Header) -> impl Iterator<Item = &'a str> {
        self.values
            .iter()
            .filter(move |(other, _)| *other == header)
            .map(|(_, value)| *value)
    }

    /// The value of a header, trimmed. It may occur more than once if all its values are equal.
    fn single(&self, header: Header) -> Result<Option<&'a str>, Refusal> {
        let copies = Copies::of(header, self.values(header));
        let Some(copies) = copies.map_err(|_| Refusal::HeaderRepeated(header))? else {
            return Ok(None);
        };
        check_value(header, copies.value)?;
        Ok(Some(copies.value))
    }

    fn name(&self, message: Option<&Message<'_>>) -> Result<Option<TextHeader<'a>>, Refusal> {
        let names = message.map(Message::names).unwrap_or_default();
        let lines = self.values(Header::Name);
        TextHeader::of(Header::Name, lines, self.repeats_kept_apart, &names)
    }

    /// Compares `Mcp-Name`. A message that names nothing has no name for it to repeat.
    fn check_name(&self, message: Option<&Message<'_>>, era: Era) -> Result<(), Refusal> {
        let is_needed = |message: &Message<'_>| {
            is_request(message) && message.entry.is_some_and(|entry| entry.needs_name_header)
        };
        match self.name(message)? {
            Some(name) if name.is_own => Ok(()),
            Some(_) => Err(Refusal::HeaderMismatch(Header::Name)),
            None if era == Era::Modern && message.is_some_and(is_needed) => {
                Err(Refusal::HeaderMissing(Header::Name))
            }
            None => Ok(()),
        }
    }
}

/// Headers that the upstream gets otherwise than the client sent them: with this value, or not at
/// all.
pub type Corrections<'a> = SmallVec<[(Header, Option<&'a str>); 1]>;

fn single_message<'p, 'm>(payload: Option<&'p Payload<'m>>) -> Option<&'p Message<'m>> {
    match payload {
        Some(Payload::One(message)) => Some(message),
        Some(Payload::Batch(_)) | None => None,
    }
}

fn is_handshake(payload: &Payload<'_>) -> bool {
    single_message(Some(payload)).is_some_and(Message::is_handshake)
}

/// Compares the version header with `_meta`. That of a legacy `initialize` does not matter: the
/// version is negotiated by the body (2025-11-25, Lifecycle, Version Negotiation), and the header
/// belongs to the requests after it (2025-11-25, Transports, Protocol Version Header).
fn check_version(version: Option<&str>, message: &Message<'_>) -> Result<Era, Refusal> {
    match (version, message.envelope_version()) {
        // A server that chooses the era by the header alone would take this for legacy and
        // ignore `Mcp-Method` and `Mcp-Name`.
        (None, Some(_)) => Err(Refusal::HeaderMissing(Header::ProtocolVersion)),
        (Some(header), Some(body)) if header != body => {
            Err(Refusal::HeaderMismatch(Header::ProtocolVersion))
        }
        (Some(_), Some(MODERN_REVISION)) => Ok(Era::Modern),
        (Some(_), Some(body)) => Err(unsupported(body)),
        (_, None) if message.is_handshake() => Ok(Era::Legacy),
        (header, None) => {
            let era = check_bare_version(header)?;
            match (era, message.kind) {
                (Era::Modern, MessageKind::Request { .. }) => Err(Refusal::EnvelopeMissing),
                (Era::Modern, MessageKind::Response { .. }) => Err(Refusal::ResponseModern),
                (Era::Modern, MessageKind::Notification) | (Era::Legacy, _) => Ok(era),
            }
        }
    }
}

fn check_bare_version(version: Option<&str>) -> Result<Era, Refusal> {
    match version {
        Some(MODERN_REVISION) => Ok(Era::Modern),
        Some(version) if !LEGACY_REVISIONS.contains(&version) => Err(unsupported(version)),
        Some(_) | None => Ok(Era::Legacy),
    }
}

/// Compares `Mcp-Method`. A batch, a response and a request without a body have no method for it to
/// repeat.
fn check_method(
    header: Option<&str>,
    message: Option<&Message<'_>>,
    era: Era,
) -> Result<(), Refusal> {
    let body = message
        .filter(|message| is_call(message))
        .map(|message| message.method.as_ref());
    match header {
        Some(_) if header != body => Err(Refusal::HeaderMismatch(Header::Method)),
        None if era == Era::Modern && message.is_some_and(is_request) => {
            Err(Refusal::HeaderMissing(Header::Method))
        }
        Some(_) | None => Ok(()),
    }
}

fn is_request(message: &Message<'_>) -> bool {
    matches!(message.kind, MessageKind::Request { .. })
}

fn is_call(message: &Message<'_>) -> bool {
    matches!(
        message.kind,
        MessageKind::Request { .. } | MessageKind::Notification
    )
}

fn unsupported(version: &str) -> Refusal {
    let is_plain = version.len() <= REQUESTED_BYTES_MAX
        && version
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
    Refusal::ProtocolVersionUnsupported {
        requested: is_plain.then(|| version.into()),
    }
}

/// Whether a version is a date on or after the first modern revision. Dates of this form sort as
/// text.
fn is_modern_revision(version: &str) -> bool {
    let is_date = version.len() == MODERN_REVISION.len()
        && version
            .bytes()
            .zip(MODERN_REVISION.bytes())
            .all(|(byte, model)| {
                if model == b'-' {
                    byte == b'-'
                } else {
                    byte.is_ascii_digit()
                }
            });
    is_date && version >= MODERN_REVISION
}

/// The modern revision.
pub const MODERN_REVISION: &str = "2026-07-28";

/// The legacy revisions, oldest first.
pub const LEGACY_REVISIONS: &[&str] = &[
    "2024-10-07",
    "2024-11-05",
    "2025-03-26",
    "2025-06-18",
    "2025-11-25",
];

/// The longest version that a reply repeats to its sender.
const REQUESTED_BYTES_MAX: usize = 32;
