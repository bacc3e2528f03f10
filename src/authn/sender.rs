//! What a token demands of whoever sends it, by its claim `cnf` (RFC 7800).

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::AuthenticationError;
use crate::authz::Value;

/// Who may use a token, besides that whoever sends it has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SenderConstraint {
    /// Anyone who has it.
    None,
    /// The TLS client whose certificate has this SHA-256 (`x5t#S256`, RFC 8705 §3.1).
    Certificate([u8; 32]),
    /// The holder of the key whose JWK has this SHA-256 thumbprint (`jkt`, RFC 9449 §6.1).
    Key([u8; 32]),
    /// Nobody: it asks for another proof, for more than one, or for none that can be read.
    Unprovable,
}

impl SenderConstraint {
    /// From the claims of a verified token. Without `cnf`, and with one that is `null`, there is no
    /// constraint.
    pub(super) fn of(claims: &Value<'_>) -> Self {
        match claims.member("cnf") {
            None | Some(Value::Null) => SenderConstraint::None,
            Some(Value::Map(members)) => match members.as_slice() {
                [(method, value)] => one(method, value),
                _ => SenderConstraint::Unprovable,
            },
            Some(
                Value::Bool(_)
                | Value::Int(_)
                | Value::Uint(_)
                | Value::Float(_)
                | Value::String(_)
                | Value::Unsound(_)
                | Value::List(_),
            ) => SenderConstraint::Unprovable,
        }
    }

    /// Whether the sender has proved what the token demands. No credential proves a certificate or a
    /// key yet, so a token that demands one is not accepted.
    ///
    /// A token is remembered once it is verified, and a proof is good for one request: this has to be
    /// asked for each.
    pub(super) fn check(self) -> Result<(), AuthenticationError> {
        match self {
            SenderConstraint::None => Ok(()),
            SenderConstraint::Certificate(_)
            | SenderConstraint::Key(_)
            | SenderConstraint::Unprovable => Err(AuthenticationError::ProofRequired),
        }
    }
}

/// A constraint by one method.
fn one(method: &str, value: &Value<'_>) -> SenderConstraint {
    let constraint = match method {
        "x5t#S256" => SenderConstraint::Certificate,
        "jkt" => SenderConstraint::Key,
        _ => return SenderConstraint::Unprovable,
    };
    let thumbprint = value.as_str().and_then(thumbprint);
    thumbprint.map_or(SenderConstraint::Unprovable, constraint)
}

/// 32 bytes in base64url. The last character has two bits too many, which some issuers set, as the
/// example of RFC 8705 §3.1 does.
fn thumbprint(text: &str) -> Option<[u8; 32]> {
    const CONFIG: GeneralPurposeConfig = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone);
    const BASE64: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, CONFIG);
    BASE64.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::json;

    #[test]
    fn a_constraint_is_one_that_can_be_proved_or_nobody_meets_it() {
        use SenderConstraint as Sender;
        let zeros = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        let rfc8705 = "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2";
        let rfc9449 = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
        let digest = |text: &str| thumbprint(text).unwrap();
        let rows = [
            (json!({}), Sender::None),
            (json!({"cnf": null}), Sender::None),
            (json!({"cnf": {"jkt": zeros}}), Sender::Key([0; 32])),
            (
                json!({"cnf": {"x5t#S256": zeros}}),
                Sender::Certificate([0; 32]),
            ),
            (
                json!({"cnf": {"jkt": rfc9449}}),
                Sender::Key(digest(rfc9449)),
            ),
            (
                json!({"cnf": {"x5t#S256": rfc8705}}),
                Sender::Certificate(digest(rfc8705)),
            ),
            (json!({"cnf": {}}), Sender::Unprovable),
            (json!({"cnf": {"jkt": null}}), Sender::Unprovable),
            (json!({"cnf": {"jkt": ""}}), Sender::Unprovable),
            (json!({"cnf": {"jkt": "AAAA"}}), Sender::Unprovable),
            (
                json!({"cnf": {"jkt": format!("{zeros}A")}}),
                Sender::Unprovable,
            ),
            (
                json!({"cnf": {"jkt": format!("{zeros}=")}}),
                Sender::Unprovable,
            ),
            (
                json!({"cnf": {"jkt": zeros.replacen('A', "+", 1)}}),
                Sender::Unprovable,
            ),
            (json!({"cnf": {"jkt": [zeros]}}), Sender::Unprovable),
            (json!({"cnf": {"JKT": zeros}}), Sender::Unprovable),
            (json!({"cnf": {"x5t": zeros}}), Sender::Unprovable),
            (json!({"cnf": {"jwk": {}}}), Sender::Unprovable),
            (
                json!({"cnf": {"jkt": zeros, "x5t#S256": zeros}}),
                Sender::Unprovable,
            ),
            (
                json!({"cnf": {"jkt": zeros, "kid": "a"}}),
                Sender::Unprovable,
            ),
            (json!({"cnf": [{"jkt": zeros}]}), Sender::Unprovable),
            (json!({"cnf": zeros}), Sender::Unprovable),
            (json!({"cnf": false}), Sender::Unprovable),
            (json!({"cnf": 0}), Sender::Unprovable),
            (json!({"cnf": 0.5}), Sender::Unprovable),
        ];
        for (claims, expected) in rows {
            let text = claims.to_string();
            let read = SenderConstraint::of(&json::decode(text.as_bytes(), 8).unwrap());
            assert_eq!(read, expected, "{text}");
            let is_open = expected == Sender::None;
            assert_eq!(read.check().is_ok(), is_open, "{text}");
        }
    }
}
