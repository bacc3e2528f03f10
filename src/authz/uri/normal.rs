//! Whether every URI parser leaves a URI unchanged.

/// Schemes that URL parsers treat specially (WHATWG URL, "Special").
const SPECIAL_SCHEMES: [&str; 6] = ["http", "https", "ws", "wss", "ftp", "file"];

/// Schemes in which Python's `urllib` expects a host, so that an opaque form has two readings.
const HOST_SCHEMES: [&str; 26] = [
    "ftp",
    "http",
    "gopher",
    "nntp",
    "telnet",
    "imap",
    "wais",
    "file",
    "mms",
    "https",
    "shttp",
    "snews",
    "prospero",
    "rtsp",
    "rtsps",
    "rtspu",
    "rsync",
    "svn",
    "svn+ssh",
    "sftp",
    "nfs",
    "git",
    "git+ssh",
    "ws",
    "wss",
    "itms-services",
];

/// Whether no reader changes the URI or takes it for another one, except as folding shows:
///
/// ```text
/// uri    = scheme ":" ( "//" auth path / opaque ) [ "?" query ]
/// scheme = lower-case letters, digits, "+", "-" and "."; not "mailto"
/// auth   = "" / host [ ":" port ]
/// path   = "" / *( "/" segment ) [ "/" ]
/// opaque = segment *( "/" segment ) [ "/" ]
/// ```
///
/// A segment is neither empty nor a dot segment. An escape is in upper case, is UTF-8 and does not
/// stand for anything that a second decoding or another parser would take for syntax. A round trip
/// through the parser of the WHATWG URL standard detects what the bytes do not show (default ports,
/// IP addresses, IDNA).
pub(super) fn is_normal(uri: &str) -> bool {
    has_form(uri, false)
}

/// Whether, in addition, no common reader treats it as equal to another strict URI: no query, no
/// trailing slash, no escape of a reserved character, no parameters.
pub(super) fn is_strict(uri: &str) -> bool {
    has_form(uri, true) && UriParts::of(uri).is_some_and(|parts| parts.is_strict())
}

fn has_form(uri: &str, strict: bool) -> bool {
    let Some(parts) = UriParts::of(uri) else {
        return false;
    };
    parts.has_form(strict)
        && escapes_are_plain(uri, strict)
        && url::Url::parse(uri).is_ok_and(|parsed| parsed.as_str() == uri)
}

/// A URI split into its parts, unchecked except that it has a scheme.
struct UriParts<'u> {
    scheme: &'u str,
    /// The part between `//` and the path.
    authority: Option<&'u str>,
    path: &'u str,
    query: Option<&'u str>,
}

impl<'u> UriParts<'u> {
    fn of(uri: &'u str) -> Option<Self> {
        let (scheme, rest) = uri.split_once(':')?;
        let (rest, query) = match rest.split_once('?') {
            Some((rest, query)) => (rest, Some(query)),
            None => (rest, None),
        };
        let (authority, path) = match rest.strip_prefix("//") {
            Some(rest) => {
                let start = rest.find('/').unwrap_or(rest.len());
                let (authority, path) = rest.split_at_checked(start)?;
                (Some(authority), path)
            }
            None => (None, rest),
        };
        Some(UriParts {
            scheme,
            authority,
            path,
            query,
        })
    }

    fn is_special(&self) -> bool {
        SPECIAL_SCHEMES.contains(&self.scheme)
    }

    fn host_and_port(&self) -> (&'u str, Option<&'u str>) {
        let authority = self.authority.unwrap_or_default();
        // A colon within brackets belongs to an IPv6 address.
        let bracket = authority.rfind(']').unwrap_or(0);
        match authority.rfind(':').filter(|at| *at > bracket) {
            Some(at) => {
                let (host, port) = authority.split_at_checked(at).unwrap_or((authority, ""));
                (host, port.strip_prefix(':'))
            }
            None => (authority, None),
        }
    }

    fn has_form(&self, strict: bool) -> bool {
        let query = self
            .query
            .is_none_or(|query| !query.is_empty() && query.bytes().all(is_query_byte));
        let scheme = is_scheme(self.scheme) && self.scheme != "mailto";
        scheme && query && self.has_authority(strict) && self.has_path()
    }

    fn has_authority(&self, strict: bool) -> bool {
        let Some(authority) = self.authority else {
            return !self.is_special();
        };
        let (host, port) = self.host_and_port();
        let is_port = |port: &str| {
            port == "0"
                || (!port.starts_with('0') && !port.is_empty() && port.bytes().all(is_digit))
        };
        if authority.is_empty() {
            return self.scheme == "file" || !self.is_special();
        }
        if host.is_empty() || !port.is_none_or(is_port) || is_dots(host) {
            return false;
        }
        let is_address = self.is_special() && host.starts_with('[');
        let plain = is_address
            || host
                .bytes()
                .all(|byte| is_segment_byte(byte) && !is_ruled(byte));
        let special = !self.is_special()
            || (self.scheme != "file" && !host.contains('%') && !host.ends_with('.'));
        let strict = !strict
            || !host
                .bytes()
                .any(|byte| byte.is_ascii_uppercase() || byte == b'%');
        plain && special && strict
    }

    fn has_path(&self) -> bool {
        let segments = match (self.authority, self.path.strip_prefix('/')) {
            (Some(_), Some(segments)) => segments,
            (Some(_), None) => return self.path.is_empty(),
            (None, Some(_)) => return false,
            (None, None) if self.path.is_empty() => return false,
            (None, None) => self.path,
        };
        let whole = segments.strip_suffix('/').unwrap_or(segments);
        (segments.is_empty() && self.authority.is_some())
            || whole.split('/').all(|segment| {
                !segment.is_empty() && !is_dots(segment) && segment.bytes().all(is_segment_byte)
            })
    }

    fn is_strict(&self) -> bool {
        let is_opaque = self.authority.is_none();
        let is_root = self.is_special() && self.scheme != "file" && self.path == "/";
        let upper = self.scheme == "urn" && self.path.bytes().any(|byte| byte.is_ascii_uppercase());
        self.query.is_none()
            && (is_root || !self.path.ends_with('/'))
            && (self.scheme == "data" || !self.path.contains(';'))
            && !self.path.contains(":/")
            && !(is_opaque && self.path.ends_with(':'))
            && !(is_opaque && HOST_SCHEMES.contains(&self.scheme))
            && !upper
    }
}

fn is_scheme(scheme: &str) -> bool {
    let later = |byte: u8| byte.is_ascii_lowercase() || is_digit(byte) || b"+-.".contains(&byte);
    scheme.starts_with(|first: char| first.is_ascii_lowercase()) && scheme.bytes().all(later)
}

fn is_dots(segment: &str) -> bool {
    matches!(segment, "." | "..")
}

fn is_digit(byte: u8) -> bool {
    byte.is_ascii_digit()
}

/// Characters that separate the parts of an authority.
fn is_ruled(byte: u8) -> bool {
    matches!(byte, b':' | b'@')
}

fn is_segment_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@%".contains(&byte)
}

fn is_query_byte(byte: u8) -> bool {
    (is_segment_byte(byte) && !b"+'".contains(&byte)) || byte == b'/'
}

/// Whether every escape has two upper-case digits and does not stand for a character that needs no
/// escape or that a second decoding would turn into syntax, and all of them together are UTF-8.
fn escapes_are_plain(uri: &str, strict: bool) -> bool {
    let mut decoded = Vec::with_capacity(uri.len());
    let mut rest = uri.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first != b'%' {
            decoded.push(*first);
            rest = after;
            continue;
        }
        let Some((code, after)) = split_escape(after) else {
            return false;
        };
        let is_syntax = code.is_ascii_alphanumeric()
            || b"-._~/\\%".contains(&code)
            || code.is_ascii_control()
            || (!strict && b"?#".contains(&code))
            || (strict && b"!$&'()*+,;=:@".contains(&code));
        if is_syntax {
            return false;
        }
        decoded.push(code);
        rest = after;
    }
    // A character that stands for lost bytes could be any character.
    std::str::from_utf8(&decoded).is_ok_and(|text| !text.contains('\u{fffd}'))
}

/// The byte of an escape after its `%`, in upper case only, and the rest.
fn split_escape(text: &[u8]) -> Option<(u8, &[u8])> {
    let (digits, rest) = text.split_at_checked(2)?;
    if digits.iter().any(u8::is_ascii_lowercase) {
        return None;
    }
    let digits = std::str::from_utf8(digits).ok()?;
    let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let code = is_hex
        .then(|| u8::from_str_radix(digits, 16).ok())
        .flatten()?;
    Some((code, rest))
}
