//! Why a message is refused, with the HTTP status and the JSON-RPC code of the reply.

use super::header::Header;

/// The half of the protocol's history that a message belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Era {
    /// 2024-10-07 to 2025-11-25: handshake and sessions.
    Legacy,
    /// 2026-07-28: stateless, metadata in each request.
    Modern,
}

/// Why a message is refused; the sender is always at fault.
///
/// The texts are fixed, apart from our own header and limit names; they contain no client text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The body is not UTF-8.
    #[error("the body is not UTF-8")]
    NotUtf8,
    /// The body begins with a byte order mark.
    #[error("the body begins with a byte order mark")]
    Bom,
    /// The body is not JSON; includes NaN, numbers out of range, and half of a surrogate pair in a
    /// key, a method, a name, a URI or an id.
    #[error("the body is not valid JSON")]
    InvalidJson,
    /// The body ends before its JSON value does.
    #[error("the body ends in the middle of a JSON value")]
    IncompleteJson,
    /// Something other than whitespace follows the JSON value.
    #[error("data follows the JSON value")]
    TrailingData,
    /// Arrays and objects are nested too deeply.
    #[error("nesting is deeper than `json_depth_max`")]
    TooDeep,
    /// The body has too many values and keys. The rest was not read, so it may not be JSON.
    #[error("the body has more values and keys than `json_values_max`")]
    TooManyValues,
    /// One object has the same key twice, compared after unescaping.
    #[error("an object has the same key twice")]
    DuplicateKey,
    /// One object has two keys that are equal under Unicode case folding.
    #[error("an object has two keys that differ only in case")]
    FoldedKey,
    /// A key folds to a member of the protocol without being it.
    #[error("a key differs only in case from a member of the protocol")]
    FoldedMember,
    /// A key contains U+0000.
    #[error("a key contains U+0000")]
    NulInKey,
    /// A `!` where bytes may have been lost in Envoy's string form of the body.
    #[error("a `!` in a method, name, URI or key; set `pack_as_bytes` on Envoy's ext_authz filter")]
    LossyText,
    /// The body, or an element of a batch, is not a JSON object.
    #[error("a message is not a JSON object")]
    NotAnObject,
    /// The body is a batch and the server accepts none (`batch_max: 0`).
    #[error("batches are not accepted")]
    BatchNotAllowed,
    /// The batch has more elements than `batch_max`.
    #[error("the batch has more elements than `batch_max`")]
    BatchTooLarge,
    /// The batch has no elements.
    #[error("the batch is empty")]
    BatchEmpty,
    /// `initialize` inside a batch (2025-03-26 forbids it).
    #[error("`initialize` is inside a batch")]
    BatchInitialize,
    /// A batch in the modern era, which has none.
    #[error("batches do not exist in this protocol revision")]
    BatchModern,
    /// A call of a tool that finds tools in a batch: nobody could tell its result from others.
    #[error("a call of a tool that finds tools is inside a batch")]
    BatchSearch,
    /// Two requests, or two responses, of one batch have the same id.
    #[error("two elements of the batch have the same id")]
    BatchDuplicateId,
    /// `jsonrpc` is not exactly `"2.0"`.
    #[error("`jsonrpc` is not `2.0`")]
    JsonrpcVersion,
    /// Neither `method` nor `result` nor `error`.
    #[error("`method` is missing")]
    MethodMissing,
    /// `method` is not a string.
    #[error("`method` is not a string")]
    MethodNotString,
    /// The method is one of the words that this service uses where there is no method: `GET`,
    /// `DELETE`, `response`. A rule that means those must not match a message that spells them.
    #[error("`method` is a reserved word")]
    MethodReserved,
    /// `method` together with `result` or `error`.
    #[error("`method` together with `result` or `error`")]
    MethodWithResult,
    /// A response with both or neither of `result` and `error`, with one that is neither an object nor
    /// null, with `params`, or without an id.
    #[error("the response is malformed")]
    ResponseMalformed,
    /// A response in the modern era, in which clients must not send any.
    #[error("responses do not exist in this protocol revision")]
    ResponseModern,
    /// The id is neither a string nor an integer of at most 2^53−1.
    #[error("`id` is neither a string nor a safe integer")]
    IdInvalid,
    /// The id is a string of more than 256 bytes.
    #[error("`id` is longer than 256 bytes")]
    IdTooLong,
    /// A method that is a request has no id.
    #[error("the request has no `id`")]
    IdMissing,
    /// `params` is neither an object nor null.
    #[error("`params` is not an object")]
    ParamsInvalid,
    /// `arguments` is neither an object nor null.
    #[error("`arguments` is not an object")]
    ArgumentsInvalid,
    /// `params._meta` is neither an object nor null.
    #[error("`_meta` is not an object")]
    MetaInvalid,
    /// A protocol version in the body is not a string.
    #[error("the protocol version is not a string")]
    ProtocolVersionInvalid,
    /// The parameter that names the resource is missing.
    #[error("the parameter that names the resource is missing")]
    SelectorMissing,
    /// The parameter that names the resource has the wrong type.
    #[error("the parameter that names the resource is not a string")]
    SelectorNotString,
    /// `params.ref` is of no known type, or names a prompt and a resource at once.
    #[error("`ref` names neither exactly a prompt nor exactly a resource")]
    ReferenceInvalid,
    /// More URIs and tasks in one subscription than `subscriptions_max`.
    #[error("the request names more resources than `subscriptions_max`")]
    TooManySubscriptions,
    /// A method, name or task id is too long.
    #[error("a method, name or task id is longer than `name_bytes_max`")]
    NameTooLong,
    /// A URI is too long.
    #[error("a URI is longer than `uri_bytes_max`")]
    UriTooLong,
    /// `Content-Type` is missing or something other than `application/json`.
    #[error("the content type is not `application/json`")]
    ContentType,
    /// The charset is something other than utf-8.
    #[error("the charset is not utf-8")]
    Charset,
    /// The body is encoded.
    #[error("content encodings are not accepted")]
    ContentEncoding,
    /// `Content-Length` is not the length of the body.
    #[error("`content-length` is not the length of the body")]
    ContentLength,
    /// A header is present twice with different values, or its value may be two joined by a comma.
    #[error("header `{0}` has two values")]
    HeaderRepeated(Header),
    /// A header value has invalid characters, or is not a proper base64 form.
    #[error("header `{0}` is malformed")]
    HeaderMalformed(Header),
    /// A header that a modern request must carry is missing.
    #[error("header `{0}` is missing")]
    HeaderMissing(Header),
    /// A header differs from the body.
    #[error("header `{0}` disagrees with the body")]
    HeaderMismatch(Header),
    /// A modern version header over a request without a protocol version in `_meta`.
    #[error("`_meta` lacks the protocol version")]
    EnvelopeMissing,
    /// This service does not know the protocol version.
    #[error("the protocol version is not supported")]
    ProtocolVersionUnsupported {
        /// The requested version, if it is short and plain enough to be repeated.
        requested: Option<Box<str>>,
    },
}

impl Refusal {
    /// The JSON-RPC code of the reply.
    ///
    /// −32020 and −32022 reveal to a probing client that the server is modern, so they are used
    /// only in the modern era; elsewhere the same faults are −32600.
    #[must_use]
    pub fn rpc_code(&self, era: Era) -> i32 {
        let is_no_json = matches!(
            self,
            Refusal::NotUtf8
                | Refusal::Bom
                | Refusal::InvalidJson
                | Refusal::IncompleteJson
                | Refusal::TrailingData
        );
        if is_no_json {
            PARSE_ERROR
        } else if era == Era::Legacy {
            INVALID_REQUEST
        } else if self.mirrored_header().is_some() {
            HEADER_MISMATCH
        } else if *self == Refusal::EnvelopeMissing {
            INVALID_PARAMS
        } else if matches!(self, Refusal::ProtocolVersionUnsupported { .. }) {
            UNSUPPORTED_VERSION
        } else {
            INVALID_REQUEST
        }
    }

    /// The header at fault, if it is one of the protocol's.
    #[must_use]
    pub fn header(&self) -> Option<Header> {
        if let Refusal::HeaderRepeated(header)
        | Refusal::HeaderMalformed(header)
        | Refusal::HeaderMissing(header)
        | Refusal::HeaderMismatch(header) = self
        {
            Some(*header)
        } else {
            None
        }
    }

    /// The header at fault, if it is one that mirrors the body.
    fn mirrored_header(&self) -> Option<Header> {
        self.header().filter(|header| header.is_mirrored())
    }

    /// The requested version, if it is not supported: the protocol has `requested` and `supported`
    /// in the data of that error (2025-11-25, Lifecycle, Error Handling; 2026-07-28, Overview, Error
    /// Codes). Empty if the version must not be repeated.
    #[must_use]
    pub fn requested_version(&self) -> Option<&str> {
        if let Refusal::ProtocolVersionUnsupported { requested } = self {
            Some(requested.as_deref().unwrap_or_default())
        } else {
            None
        }
    }
}

const PARSE_ERROR: i32 = -32700;
const INVALID_REQUEST: i32 = -32600;
const INVALID_PARAMS: i32 = -32602;
const HEADER_MISMATCH: i32 = -32020;
const UNSUPPORTED_VERSION: i32 = -32022;
