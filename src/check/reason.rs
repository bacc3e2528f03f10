//! The stable reason codes, one for each way a request can end.
//!
//! A code is part of the contract with auditors and dashboards: it is added, never changed. The
//! text is what a client may read; the cause, for operators, is logged where it arises.

use http::StatusCode;

use crate::authn::AuthenticationError;
use crate::authz::{Challenge, DenialReason};
use crate::mcp::Refusal;
pub use crate::telemetry::metrics::DecisionKind;

use super::InvalidCheck;

macro_rules! reasons {
    ($($variant:ident, $effect:ident, $code:literal, $text:literal;)+) => {
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

            /// The kind of ending it belongs to.
            #[must_use]
            pub const fn effect(self) -> DecisionKind {
                match self { $(Reason::$variant => DecisionKind::$effect,)+ }
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
    Allowed, Allow, "allowed", "the policy allows the request";
    Metadata, Answer, "metadata", "the protected resource metadata was asked for";

    MissingToken, Deny, "missing_token", "an access token is required";
    UnsupportedScheme, Deny, "unsupported_scheme", "the authorization scheme is not supported";
    MalformedToken, Deny, "malformed_token", "the access token is malformed";
    TokenTooLarge, Deny, "token_too_large", "the access token exceeds `token_bytes_max`";
    EmbeddedKey, Deny, "embedded_key", "the access token names a key of its own";
    CriticalHeader, Deny, "critical_header", "the access token demands an unknown extension";
    TokenType, Deny, "token_type", "the token is not an access token";
    AlgorithmNotAllowed, Deny, "algorithm_not_allowed", "the signature algorithm is not allowed";
    UnknownIssuer, Deny, "unknown_issuer", "the issuer of the access token is not trusted";
    UnknownKey, Deny, "unknown_key", "the signing key of the access token is unknown";
    InvalidSignature, Deny, "invalid_signature", "the signature of the access token is not valid";
    AudienceMismatch, Deny, "audience_mismatch", "the access token is for another audience";
    TokenExpired, Deny, "token_expired", "the access token has expired";
    TokenNotYetValid, Deny, "token_not_yet_valid", "the access token is not valid yet";
    ClaimMissing, Deny, "claim_missing", "the access token lacks a required claim";
    ClaimInvalid, Deny, "claim_invalid", "the access token has an unusable claim";
    ProofRequired, Deny, "proof_required", "the access token demands a proof of possession";

    UnknownServer, Deny, "unknown_server", "no MCP server is known at this address";
    DeniedByRule, Deny, "denied_by_rule", "the policy denies the request";
    Indeterminate, Deny, "indeterminate", "the policy could not be evaluated for the request";
    NoMatchingRule, Deny, "no_matching_rule", "the policy does not allow the request";
    UnknownMethod, Deny, "unknown_method", "the policy does not allow methods it does not know";
    SenderConstraintRequired, Deny, "sender_constraint_required",
        "the access token must be bound to its sender";
    ToolChanged, Deny, "tool_changed",
        "the definition of the tool has changed and is not accepted yet";
    ArgumentsInvalid, Deny, "arguments_invalid",
        "the arguments do not fit the tool's input schema";
    RateLimited, Deny, "rate_limited", "too many calls; try again later";
    SessionMismatch, Deny, "session_mismatch", "the session belongs to another subject";
    SessionUnknown, Deny, "session_unknown", "the session is not known; initialize a new one";
    TaskMismatch, Deny, "task_mismatch", "the task belongs to another subject";
    TaskUnknown, Deny, "task_unknown", "the task is not known";
    InsufficientScope, Challenge, "insufficient_scope", "the access token lacks a required scope";
    StepUpRequired, Challenge, "step_up_required", "a stronger or fresher login is required";

    InvalidCheck, Reject, "invalid_check", "the request could not be read";
    TooManyHeaders, Reject, "too_many_headers", "the request exceeds `headers_max` or `header_bytes_max`";
    AmbiguousHost, Reject, "ambiguous_host", "the host is missing or ambiguous";
    AmbiguousPath, Reject, "ambiguous_path", "the path can be read in more than one way";
    MethodNotAllowed, Reject, "method_not_allowed", "the HTTP method is not allowed";
    UpgradeRefused, Reject, "upgrade_refused", "upgrades and tunnels are not allowed";
    TokenInQuery, Reject, "token_in_query", "an access token must not be in the query";
    RepeatedCredentials, Reject, "repeated_credentials", "more than one credential was sent";
    BodyMissing, Reject, "body_missing", "the request has no body";
    BodyUnexpected, Reject, "body_unexpected", "this HTTP method must not have a body";
    BodyTruncated, Reject, "body_truncated", "the body did not arrive whole";
    BodyTooLarge, Reject, "body_too_large", "the body exceeds `body_bytes_max`";
    BodyNotBytes, Reject, "body_not_bytes",
        "the body arrived as text; set `pack_as_bytes` on Envoy's `ext_authz` filter";
    LossyText, Reject, "lossy_text", "bytes of a method, name, URI or key may have been lost";
    NotUtf8, Reject, "not_utf8", "the body is not UTF-8";
    ByteOrderMark, Reject, "byte_order_mark", "the body begins with a byte order mark";
    InvalidJson, Reject, "invalid_json", "the body is not valid JSON";
    TrailingData, Reject, "trailing_data", "data follows the JSON value";
    TooDeep, Reject, "too_deep", "the body is nested deeper than `json_depth_max`";
    TooManyValues, Reject, "too_many_values",
        "the body has more values and keys than `json_values_max`";
    DuplicateKey, Reject, "duplicate_key", "an object has the same key twice";
    FoldedKey, Reject, "folded_key", "an object has two keys that differ only in case";
    FoldedMember, Reject, "folded_member", "a key differs only in case from a protocol member";
    NulInKey, Reject, "nul_in_key", "a key contains U+0000";
    NotAMessage, Reject, "not_a_message", "the body is not a JSON-RPC message";
    BatchNotAllowed, Reject, "batch_not_allowed", "batches are not accepted";
    BatchTooLarge, Reject, "batch_too_large", "the batch exceeds `batch_max`";
    BatchInvalid, Reject, "batch_invalid", "the batch is empty, or an element must not be in it";
    InvalidEnvelope, Reject, "invalid_envelope", "the JSON-RPC envelope is not valid";
    MethodWithResult, Reject, "method_with_result", "a message is a call and a response at once";
    InvalidId, Reject, "invalid_id",
        "the id is missing, or neither a string of at most 256 bytes nor a safe integer";
    IdInUse, Reject, "id_in_use", "another request of the session with this id waits for its answer";
    InvalidParams, Reject, "invalid_params", "`params` or one of its members has the wrong type";
    InvalidSelector, Reject, "invalid_selector",
        "the parameter that names the resource is missing or not a string";
    NameTooLong, Reject, "name_too_long", "a method, name or task id exceeds `name_bytes_max`";
    UriTooLong, Reject, "uri_too_long", "a URI exceeds `uri_bytes_max`";
    TooManySubscriptions, Reject, "too_many_subscriptions",
        "a subscription names too many resources";
    ContentType, Reject, "content_type", "the content type is not `application/json` in UTF-8";
    ContentEncoding, Reject, "content_encoding", "content encodings are not accepted";
    ContentLength, Reject, "content_length", "`content-length` is not the length of the body";
    HeaderRepeated, Reject, "header_repeated", "a header is repeated or comma-joined";
    HeaderMalformed, Reject, "header_malformed", "a header is malformed";
    HeaderMissing, Reject, "header_missing", "a required header is missing";
    HeaderMismatch, Reject, "header_mismatch", "a header disagrees with the body";
    EnvelopeMissing, Reject, "envelope_missing", "`_meta` lacks the protocol version";
    UnsupportedVersion, Reject, "unsupported_version", "the protocol version is not supported";

    KeysUnavailable, Fail, "keys_unavailable", "the keys of the issuer are unavailable";
    StateUnavailable, Fail, "state_unavailable", "what is remembered between requests is unavailable";
    Cancelled, Fail, "cancelled", "the check was given up before it was decided";
}

impl From<AuthenticationError> for Reason {
    fn from(error: AuthenticationError) -> Self {
        match error {
            AuthenticationError::MissingToken => Reason::MissingToken,
            AuthenticationError::RepeatedCredentials => Reason::RepeatedCredentials,
            AuthenticationError::TokenInQuery => Reason::TokenInQuery,
            AuthenticationError::UnsupportedScheme => Reason::UnsupportedScheme,
            AuthenticationError::EmptyToken
            | AuthenticationError::MalformedToken
            | AuthenticationError::DuplicateMember => Reason::MalformedToken,
            AuthenticationError::TokenTooLarge => Reason::TokenTooLarge,
            AuthenticationError::EmbeddedKey => Reason::EmbeddedKey,
            AuthenticationError::CriticalHeader => Reason::CriticalHeader,
            AuthenticationError::TokenType => Reason::TokenType,
            AuthenticationError::AlgorithmNotAllowed => Reason::AlgorithmNotAllowed,
            AuthenticationError::UnknownIssuer => Reason::UnknownIssuer,
            AuthenticationError::UnknownKey | AuthenticationError::AmbiguousKey => {
                Reason::UnknownKey
            }
            AuthenticationError::InvalidSignature => Reason::InvalidSignature,
            AuthenticationError::AudienceMismatch => Reason::AudienceMismatch,
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

impl Reason {
    /// The status of a request that is rejected for it, or that no server is meant by.
    pub(super) const fn rejection_status(self) -> StatusCode {
        if let Reason::TooManyHeaders = self {
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
        } else if let Reason::MethodNotAllowed = self {
            StatusCode::METHOD_NOT_ALLOWED
        } else if let Reason::BodyTruncated | Reason::BodyTooLarge = self {
            StatusCode::PAYLOAD_TOO_LARGE
        } else if let Reason::UnknownServer = self {
            StatusCode::FORBIDDEN
        } else {
            StatusCode::BAD_REQUEST
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
            DenialReason::ToolChanged => Reason::ToolChanged,
            DenialReason::ArgumentsInvalid => Reason::ArgumentsInvalid,
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
