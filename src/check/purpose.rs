//! What a call is for, as its client says.

use super::request::HttpRequest;
use crate::authz::Declared;
use crate::mcp::Message;

/// Where clients say what a call is for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PurposeSettings {
    /// A header, in lower case.
    pub header: Option<String>,
    /// A key of `params._meta`.
    pub meta: Option<String>,
}

impl PurposeSettings {
    /// The purpose that a call declares. Stated in two places it has to be the same.
    pub(super) fn declared<'a>(
        &'a self,
        request: &'a HttpRequest<'_>,
        message: Option<&'a Message<'_>>,
    ) -> Declared<'a> {
        let header = self.header.as_deref();
        let mut said = header.into_iter().flat_map(|name| request.header(name));
        let by_header = match (said.next(), said.next()) {
            (None, _) => Declared::Nothing,
            (Some(purpose), None) if !purpose.contains(',') => Declared::As(purpose.trim()),
            (Some(_), _) => Declared::Unclear,
        };
        let meta = message.and_then(|message| message.meta.as_ref());
        let value = self
            .meta
            .as_deref()
            .and_then(|key| meta.and_then(|meta| meta.member(key)));
        let by_meta = value.map_or(Declared::Nothing, |value| {
            value.as_str().map_or(Declared::Unclear, Declared::As)
        });
        match (by_header, by_meta) {
            (Declared::Nothing, only) | (only, Declared::Nothing) => only,
            (one, other) if one == other => one,
            (_, _) => Declared::Unclear,
        }
    }
}
