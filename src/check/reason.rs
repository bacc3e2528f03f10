//! The stable reason codes, one for each way a request can end.
//!
//! Each reason is one row: variant, decision, status, code, and the text that a client may read.
//! Nothing else chooses a status for a reason.
//!
//! A code is part of the contract with auditors and dashboards: it is added, never changed. The
//! cause, for operators, is logged where it arises.

use http::StatusCode;

use crate::authn::AuthenticationError;
use crate::authz::{Challenge, DenialReason};
use crate::mcp::Refusal;
pub use crate::telemetry::metrics::DecisionKind;
use crate::upstream::UpstreamFault;

use super::invalid_check::InvalidCheck;

macro_rules! reasons {
    ($($variant:ident, $decision:ident, $status:ident, $code:literal, $text:literal;)+) => {
        /// Why a request ended as it did.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Reason {
            $(#[doc = $text] $variant,)+
        }

        impl Reason {
            /// Every reason.
            pub const ALL: &'static [Reason] = &[$(Reason::$variant,)+];

            /// The stable code.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Reason::$variant => $code,)+ }
            }

            /// The kind of decision that it is a reason of.
            #[must_use]
            pub const fn decision(self) -> DecisionKind {
                match self { $(Reason::$variant => DecisionKind::$decision,)+ }
            }

            /// The status of a reply that has this reason. A server may be configured to wrap a
            /// denial into a reply with 200 ([`DenyShape`](super::DenyShape)).
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self { $(Reason::$variant => StatusCode::$status,)+ }
            }

            /// What a client may read. Fixed, without any text of the client.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Reason::$variant => $text,)+ }
            }
        }
    };
}

reasons! {
    Allowed, Allow, OK, "allowed", "the policy allows the request";
    Metadata, Reply, OK, "metadata", "the protected resource metadata was asked for";

    MissingToken, Deny, UNAUTHORIZED, "missing_token", "an access token is required";
    UnsupportedScheme, Deny, UNAUTHORIZED, "unsupported_scheme",
        "the authorization scheme is not supported";
    MalformedToken, Deny, UNAUTHORIZED, "malformed_token",
        "the access token is malformed, opaque or encrypted";
    TokenTooLarge, Deny, UNAUTHORIZED, "token_too_large",
        "the access token exceeds `token_bytes_max`";
    EmbeddedKey, Deny, UNAUTHORIZED, "embedded_key", "the access token names a key of its own";
    CriticalHeader, Deny, UNAUTHORIZED, "critical_header",
        "the access token demands an unknown extension";
    TokenType, Deny, UNAUTHORIZED, "token_type", "the token is not an access token";
    AlgorithmNotAllowed, Deny, UNAUTHORIZED, "algorithm_not_allowed",
        "the signature algorithm is not allowed";
    UnknownIssuer, Deny, UNAUTHORIZED, "unknown_issuer",
        "the issuer of the access token is not trusted";
    UnknownKey, Deny, UNAUTHORIZED, "unknown_key", "the signing key of the access token is unknown";
    InvalidSignature, Deny, UNAUTHORIZED, "invalid_signature",
        "the signature of the access token is not valid";
    AudienceMismatch, Deny, UNAUTHORIZED, "audience_mismatch",
        "the access token is for another audience";
    TokenExpired, Deny, UNAUTHORIZED, "token_expired", "the access token has expired";
    TokenNotYetValid, Deny, UNAUTHORIZED, "token_not_yet_valid",
        "the access token is not valid yet";
    ClaimMissing, Deny, UNAUTHORIZED, "claim_missing", "the access token lacks a required claim";
    ClaimInvalid, Deny, UNAUTHORIZED, "claim_invalid", "the access token has an unusable claim";
    ProofRequired, Deny, UNAUTHORIZED, "proof_required",
        "the access token demands a proof of possession";

    OriginNotAllowed, Deny, FORBIDDEN, "origin_not_allowed",
        "pages of this origin may not call the server";
    UnknownServer, Deny, FORBIDDEN, "unknown_server", "no MCP server is known at this address";
    DeniedByRule, Deny, FORBIDDEN, "denied_by_rule", "the policy denies the request";
    Indeterminate, Deny, FORBIDDEN, "indeterminate",
        "the policy could not be evaluated for the request";
    NoMatchingRule, Deny, FORBIDDEN, "no_matching_rule", "the policy does not allow the request";
    UnknownMethod, Deny, FORBIDDEN, "unknown_method",
        "the policy does not allow methods it does not know";
    SenderConstraintRequired, Deny, FORBIDDEN, "sender_constraint_required",
        "the access token must be bound to its sender";
    UnknownTool, Deny, FORBIDDEN, "unknown_tool",
        "the tool is not among those that the operator has accepted";
    ToolChanged, Deny, FORBIDDEN, "tool_changed",
        "the definition of the tool has changed and is not accepted yet";
    ArgumentsInvalid, Deny, FORBIDDEN, "arguments_invalid",
        "the arguments do not fit the tool's input schema";
    InnerCallInvalid, Deny, FORBIDDEN, "inner_call_invalid",
        "the call that the tool would make of another tool cannot be told";
    RateLimited, Deny, TOO_MANY_REQUESTS, "rate_limited", "too many calls; try again later";
    SessionMismatch, Deny, NOT_FOUND, "session_mismatch",
        "the session belongs to another subject; initialize a new one";
    SessionUnknown, Deny, NOT_FOUND, "session_unknown",
        "the session is not known; initialize a new one";
    TaskMismatch, Deny, FORBIDDEN, "task_mismatch", "the task belongs to another subject";
    TaskUnknown, Deny, FORBIDDEN, "task_unknown", "the task is not known";
    InsufficientScope, Challenge, FORBIDDEN, "insufficient_scope",
        "the access token lacks a required scope";
    StepUpRequired, Challenge, UNAUTHORIZED, "step_up_required",
        "a stronger or fresher login is required";

    InvalidCheck, Reject, BAD_REQUEST, "invalid_check", "the request could not be read";
    TooManyHeaders, Reject, REQUEST_HEADER_FIELDS_TOO_LARGE, "too_many_headers",
        "the request exceeds `headers_max` or `header_bytes_max`";
    AmbiguousHost, Reject, BAD_REQUEST, "ambiguous_host", "the host is missing or ambiguous";
    AmbiguousPath, Reject, BAD_REQUEST, "ambiguous_path",
        "the path can be read in more than one way";
    MethodNotAllowed, Reject, METHOD_NOT_ALLOWED, "method_not_allowed",
        "the HTTP method is not allowed";
    UpgradeRefused, Reject, BAD_REQUEST, "upgrade_refused", "upgrades and tunnels are not allowed";
    TokenInQuery, Reject, BAD_REQUEST, "token_in_query",
        "a token or another credential must not be in the query";
    RepeatedCredentials, Reject, BAD_REQUEST, "repeated_credentials",
        "more than one credential was sent";
    BodyMissing, Reject, BAD_REQUEST, "body_missing", "the request has no body";
    BodyUnexpected, Reject, BAD_REQUEST, "body_unexpected", "this HTTP method must not have a body";
    BodyTruncated, Reject, PAYLOAD_TOO_LARGE, "body_truncated", "the body did not arrive whole";
    BodyTooLarge, Reject, PAYLOAD_TOO_LARGE, "body_too_large", "the body exceeds `body_bytes_max`";
    BodyNotBytes, Reject, BAD_REQUEST, "body_not_bytes",
        "the body arrived as text; set `pack_as_bytes` on Envoy's `ext_authz` filter";
    LossyText, Reject, BAD_REQUEST, "lossy_text",
        "bytes of a method, name, URI or key may have been lost";
    NotUtf8, Reject, BAD_REQUEST, "not_utf8", "the body is not UTF-8";
    ByteOrderMark, Reject, BAD_REQUEST, "byte_order_mark", "the body begins with a byte order mark";
    InvalidJson, Reject, BAD_REQUEST, "invalid_json", "the body is not valid JSON";
    TrailingData, Reject, BAD_REQUEST, "trailing_data", "data follows the JSON value";
    TooDeep, Reject, BAD_REQUEST, "too_deep", "the body is nested deeper than `json_depth_max`";
    TooManyValues, Reject, PAYLOAD_TOO_LARGE, "too_many_values",
        "the body has more values and keys than `json_values_max`";
    DuplicateKey, Reject, BAD_REQUEST, "duplicate_key", "an object has the same key twice";
    FoldedKey, Reject, BAD_REQUEST, "folded_key", "an object has two keys that differ only in case";
    FoldedMember, Reject, BAD_REQUEST, "folded_member",
        "a key differs only in case from a protocol member";
    NulInKey, Reject, BAD_REQUEST, "nul_in_key", "a key contains U+0000";
    NotAMessage, Reject, BAD_REQUEST, "not_a_message", "the body is not a JSON-RPC message";
    BatchNotAllowed, Reject, BAD_REQUEST, "batch_not_allowed", "batches are not accepted";
    BatchTooLarge, Reject, BAD_REQUEST, "batch_too_large", "the batch exceeds `batch_max`";
    BatchInvalid, Reject, BAD_REQUEST, "batch_invalid",
        "the batch is empty, or an element must not be in it";
    InvalidEnvelope, Reject, BAD_REQUEST, "invalid_envelope", "the JSON-RPC envelope is not valid";
    MethodWithResult, Reject, BAD_REQUEST, "method_with_result",
        "a message is a call and a response at once";
    InvalidId, Reject, BAD_REQUEST, "invalid_id",
        "the id is missing, or neither a string of at most 256 bytes nor a safe integer";
    IdInUse, Reject, BAD_REQUEST, "id_in_use",
        "another request of the session with this id waits for its response";
    InvalidParams, Reject, BAD_REQUEST, "invalid_params",
        "`params` or one of its members has the wrong type";
    InvalidSelector, Reject, BAD_REQUEST, "invalid_selector",
        "the parameter that names the resource is missing or not a string";
    NameTooLong, Reject, BAD_REQUEST, "name_too_long",
        "a method, name or task id exceeds `name_bytes_max`";
    UriTooLong, Reject, BAD_REQUEST, "uri_too_long", "a URI exceeds `uri_bytes_max`";
    TooManySubscriptions, Reject, BAD_REQUEST, "too_many_subscriptions",
        "a subscription names too many resources";
    ContentType, Reject, UNSUPPORTED_MEDIA_TYPE, "content_type",
        "the content type is not `application/json` in UTF-8";
    ContentEncoding, Reject, UNSUPPORTED_MEDIA_TYPE, "content_encoding",
        "content encodings are not accepted";
    ContentLength, Reject, BAD_REQUEST, "content_length",
        "`content-length` is not the length of the body";
    HeaderRepeated, Reject, BAD_REQUEST, "header_repeated", "a header has two values";
    HeaderMalformed, Reject, BAD_REQUEST, "header_malformed", "a header is malformed";
    HeaderMissing, Reject, BAD_REQUEST, "header_missing", "a required header is missing";
    HeaderMismatch, Reject, BAD_REQUEST, "header_mismatch", "a header disagrees with the body";
    EnvelopeMissing, Reject, BAD_REQUEST, "envelope_missing", "`_meta` lacks the protocol version";
    UnsupportedVersion, Reject, BAD_REQUEST, "unsupported_version",
        "the protocol version is not supported";

    KeysUnavailable, Fail, SERVICE_UNAVAILABLE, "keys_unavailable",
        "the keys of the issuer are unavailable";
    StateUnavailable, Fail, SERVICE_UNAVAILABLE, "state_unavailable",
        "what is remembered between requests is unavailable";
    Cancelled, Fail, SERVICE_UNAVAILABLE, "cancelled",
        "the check was given up before it was decided";
}

/// The status of [`Reason::UnknownServer`] where a metadata document was asked for: 404 makes
/// clients try the next form of the document's address.
pub(super) const UNKNOWN_METADATA: StatusCode = StatusCode::NOT_FOUND;

/// The status of [`Reason::UnknownMethod`] in the modern era (2026-07-28, Streamable HTTP).
pub(super) const UNKNOWN_METHOD: StatusCode = StatusCode::NOT_FOUND;

impl From<AuthenticationError> for Reason {
    fn from(error: AuthenticationError) -> Self {
        match error {
            AuthenticationError::MissingToken => Reason::MissingToken,
            AuthenticationError::RepeatedCredentials => Reason::RepeatedCredentials,
            AuthenticationError::TokenInQuery => Reason::TokenInQuery,
            AuthenticationError::UnsupportedScheme => Reason::UnsupportedScheme,
            AuthenticationError::EmptyToken
            | AuthenticationError::MalformedToken
            | AuthenticationError::OpaqueToken
            | AuthenticationError::EncryptedToken
            | AuthenticationError::MalformedPart(_)
            | AuthenticationError::MalformedHeader(_)
            | AuthenticationError::DuplicateMember(_) => Reason::MalformedToken,
            AuthenticationError::TokenTooLarge => Reason::TokenTooLarge,
            AuthenticationError::EmbeddedKey(_) => Reason::EmbeddedKey,
            AuthenticationError::CriticalHeader => Reason::CriticalHeader,
            AuthenticationError::TokenType => Reason::TokenType,
            AuthenticationError::AlgorithmNotAllowed => Reason::AlgorithmNotAllowed,
            AuthenticationError::UnknownIssuer => Reason::UnknownIssuer,
            AuthenticationError::UnknownKey | AuthenticationError::AmbiguousKey => {
                Reason::UnknownKey
            }
            // Another tenant's key proves nothing, whatever it has signed.
            AuthenticationError::ForeignKey | AuthenticationError::InvalidSignature => {
                Reason::InvalidSignature
            }
            AuthenticationError::AudienceMismatch | AuthenticationError::ClientMismatch => {
                Reason::AudienceMismatch
            }
            AuthenticationError::TokenExpired => Reason::TokenExpired,
            AuthenticationError::TokenNotYetValid | AuthenticationError::IssuedInFuture => {
                Reason::TokenNotYetValid
            }
            AuthenticationError::ClaimMissing(_) => Reason::ClaimMissing,
            AuthenticationError::ClaimInvalid(_) => Reason::ClaimInvalid,
            AuthenticationError::ProofRequired => Reason::ProofRequired,
            AuthenticationError::KeysUnavailable => Reason::KeysUnavailable,
        }
    }
}

impl From<&Refusal> for Reason {
    fn from(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::NotUtf8 => Reason::NotUtf8,
            Refusal::Bom => Reason::ByteOrderMark,
            Refusal::InvalidJson | Refusal::IncompleteJson => Reason::InvalidJson,
            Refusal::TrailingData => Reason::TrailingData,
            Refusal::TooDeep => Reason::TooDeep,
            Refusal::TooManyValues => Reason::TooManyValues,
            Refusal::DuplicateKey => Reason::DuplicateKey,
            Refusal::FoldedKey => Reason::FoldedKey,
            Refusal::FoldedMember => Reason::FoldedMember,
            Refusal::NulInKey => Reason::NulInKey,
            Refusal::LossyText => Reason::LossyText,
            Refusal::NotAnObject => Reason::NotAMessage,
            Refusal::BatchNotAllowed => Reason::BatchNotAllowed,
            Refusal::BatchTooLarge => Reason::BatchTooLarge,
            Refusal::BatchEmpty
            | Refusal::BatchInitialize
            | Refusal::BatchModern
            | Refusal::BatchSearch
            | Refusal::BatchDuplicateId => Reason::BatchInvalid,
            Refusal::JsonrpcVersion
            | Refusal::MethodMissing
            | Refusal::MethodNotString
            | Refusal::MethodReserved
            | Refusal::ResponseMalformed
            | Refusal::ResponseModern => Reason::InvalidEnvelope,
            Refusal::MethodWithResult => Reason::MethodWithResult,
            Refusal::IdInvalid | Refusal::IdTooLong | Refusal::IdMissing => Reason::InvalidId,
            Refusal::ParamsInvalid
            | Refusal::ArgumentsInvalid
            | Refusal::MetaInvalid
            | Refusal::ProtocolVersionInvalid => Reason::InvalidParams,
            Refusal::SelectorMissing | Refusal::SelectorNotString | Refusal::ReferenceInvalid => {
                Reason::InvalidSelector
            }
            Refusal::TooManySubscriptions => Reason::TooManySubscriptions,
            Refusal::NameTooLong => Reason::NameTooLong,
            Refusal::UriTooLong => Reason::UriTooLong,
            Refusal::ContentType | Refusal::Charset => Reason::ContentType,
            Refusal::ContentEncoding => Reason::ContentEncoding,
            Refusal::ContentLength => Reason::ContentLength,
            Refusal::HeaderRepeated(_) => Reason::HeaderRepeated,
            Refusal::HeaderMalformed(_) => Reason::HeaderMalformed,
            Refusal::HeaderMissing(_) => Reason::HeaderMissing,
            Refusal::HeaderMismatch(_) => Reason::HeaderMismatch,
            Refusal::EnvelopeMissing => Reason::EnvelopeMissing,
            Refusal::ProtocolVersionUnsupported { .. } => Reason::UnsupportedVersion,
        }
    }
}

impl From<DenialReason> for Reason {
    fn from(reason: DenialReason) -> Self {
        match reason {
            DenialReason::DeniedByRule => Reason::DeniedByRule,
            DenialReason::Indeterminate => Reason::Indeterminate,
            DenialReason::NoMatchingRule => Reason::NoMatchingRule,
            DenialReason::UnknownMethod => Reason::UnknownMethod,
            DenialReason::SenderConstraint => Reason::SenderConstraintRequired,
            DenialReason::UnknownTool => Reason::UnknownTool,
            DenialReason::ToolChanged => Reason::ToolChanged,
            DenialReason::ArgumentsInvalid => Reason::ArgumentsInvalid,
            DenialReason::InnerCallInvalid => Reason::InnerCallInvalid,
            DenialReason::RateLimited => Reason::RateLimited,
        }
    }
}

impl From<&Challenge> for Reason {
    /// A missing scope is what most clients can do something about, so it comes first.
    fn from(challenge: &Challenge) -> Self {
        if challenge.missing.is_empty() {
            Reason::StepUpRequired
        } else {
            Reason::InsufficientScope
        }
    }
}

impl From<UpstreamFault> for Reason {
    fn from(fault: UpstreamFault) -> Self {
        match fault {}
    }
}

impl From<InvalidCheck> for Reason {
    fn from(fault: InvalidCheck) -> Self {
        match fault {
            InvalidCheck::TooManyHeaders { .. } => Reason::TooManyHeaders,
            InvalidCheck::NoHost | InvalidCheck::InvalidHost => Reason::AmbiguousHost,
            InvalidCheck::NoPath | InvalidCheck::InvalidPath => Reason::AmbiguousPath,
            InvalidCheck::NoMethod | InvalidCheck::InvalidMethod => Reason::MethodNotAllowed,
            InvalidCheck::Undecodable
            | InvalidCheck::RepeatedField
            | InvalidCheck::NoAttributes
            | InvalidCheck::NoRequest
            | InvalidCheck::NoHttp
            | InvalidCheck::InvalidHeaderName
            | InvalidCheck::InvalidHeaderValue
            | InvalidCheck::UnknownPseudoHeader
            | InvalidCheck::Contradiction(_)
            | InvalidCheck::TwoBodies
            | InvalidCheck::InvalidSource => Reason::InvalidCheck,
        }
    }
}
