//! Why something that an expression reads is not there, in words.

use super::{Container, Facts, Reading, is_bounded};
use crate::authz::path::{Keys, Unclear, is_left_out};

impl Facts<'_> {
    /// Why [`Facts::read`] finds nothing, in words.
    pub(in crate::authz::expression) fn why_missing(&self, reading: &Reading) -> String {
        let (container, path) = match reading {
            Reading::Field(record, field) | Reading::HasField(record, field) => {
                return self.why_no_field(record, field);
            }
            Reading::Uri => return self.why_no_field("mcp", "uri"),
            Reading::Header(name) | Reading::HasHeader(name) => {
                return format!("there is no header `{name}`");
            }
            Reading::Member(container, path)
            | Reading::Has(container, path)
            | Reading::Given(container, path) => (*container, path),
        };
        let (whole, keys, prefix) = match container {
            Container::Arguments => (self.request.arguments, Keys::Sent, "args"),
            Container::Input => (self.request.input, Keys::Sent, "mcp.input"),
            Container::Meta => (self.request.meta, Keys::Sent, "mcp.meta"),
            Container::Device => (self.request.context.device, Keys::Proven, "device"),
            Container::Claims => {
                let claims = &self.request.subject.claims;
                (Some(claims), Keys::Proven, "subject.claims")
            }
        };
        let name = format!("{prefix}.{}", path.as_str());
        let unclear = whole.and_then(|whole| path.why_unclear(whole, keys));
        match (unclear, whole) {
            (Some(Unclear::Key(key)), _) => {
                let key = key.escape_debug();
                format!("a server may take the key `{key}` where `{name}` is read")
            }
            (Some(Unclear::NoObject), _) => {
                format!("`{name}` leads into something that is no object")
            }
            (Some(Unclear::TwoPaths), _) => format!("`{name}` has two readings"),
            (None, None) if container == Container::Device => {
                "nothing is known of the device".to_owned()
            }
            (None, Some(whole)) if !is_bounded(whole) => format!("`{prefix}` holds too much"),
            (None, Some(whole))
                if container == Container::Claims && is_left_out(whole, path.as_str()) =>
            {
                format!("the token leaves `{name}` out")
            }
            (None, _) => format!("there is no `{name}`"),
        }
    }

    fn why_no_field(&self, record: &str, field: &str) -> String {
        if !self.is_unknown(record, field) {
            return format!("there is no `{record}.{field}`");
        }
        match field {
            "principal" => "nobody can tell who the peer is".to_owned(),
            "uri" | "uri_folded" => "the URI is not in normal form".to_owned(),
            _ => format!("the token leaves `{record}.{field}` out"),
        }
    }
}
