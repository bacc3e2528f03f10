//! Explains in words why a variable or a part of it is missing.

use super::{Variables, is_bounded};
use crate::authz::expression::lookup::{ForeignObject, Lookup};
use crate::authz::path::{FoundValue, KeyOrigin, Unclear, ValuePath, is_left_out};
use crate::authz::value::Value;

/// Whether there is a value at a path that cannot be read.
fn is_unsound(path: &ValuePath, whole: &Value<'_>, keys: KeyOrigin) -> bool {
    matches!(path.find(whole, keys), FoundValue::Value(value) if !value.is_sound())
}

impl Variables<'_> {
    /// Explains in words why [`Variables::read`] finds nothing, and again without any text of the
    /// request.
    pub(crate) fn why_missing(&self, lookup: &Lookup) -> (String, String) {
        let same = |text: String| (text.clone(), text);
        let (container, path) = match lookup {
            Lookup::Field(record, field) | Lookup::HasField(record, field) => {
                return same(self.why_no_field(record, field));
            }
            Lookup::Uri => return same(self.why_no_field("mcp", "uri")),
            Lookup::Header(name) | Lookup::HasHeader(name) => {
                return same(format!("there is no header `{name}`"));
            }
            Lookup::Member(container, path)
            | Lookup::Has(container, path)
            | Lookup::Given(container, path) => (*container, path),
        };
        let (whole, keys) = match container {
            ForeignObject::Arguments => (self.request.arguments, KeyOrigin::Sent),
            ForeignObject::Input => (self.request.input, KeyOrigin::Sent),
            ForeignObject::Meta => (self.request.meta, KeyOrigin::Sent),
            ForeignObject::Device => (self.request.context.device, KeyOrigin::Proven),
            ForeignObject::Claims => {
                let claims = &self.request.subject.claims;
                (Some(claims), KeyOrigin::Proven)
            }
        };
        let (prefix, name) = (container.name(), lookup.to_string());
        let unclear = whole.and_then(|whole| path.why_unclear(whole, keys));
        same(match (unclear, whole) {
            (Some(Unclear::Key(key)), _) => {
                let key = key.escape_debug();
                return (
                    format!("a server may treat the key `{key}` as {name}"),
                    format!("a server may treat another key as {name}"),
                );
            }
            (Some(Unclear::NoObject), _) => {
                format!("{name} leads into a value that is not an object")
            }
            (Some(Unclear::TwoPaths), _) => format!("{name} has two readings"),
            (None, None) if container == ForeignObject::Device => {
                "the device is unknown".to_owned()
            }
            (None, Some(whole)) if !is_bounded(whole) => format!("`{prefix}` holds too much"),
            (None, Some(whole)) if is_unsound(path, whole, keys) => {
                format!("{name} has half of a surrogate pair")
            }
            (None, Some(whole))
                if container == ForeignObject::Claims && is_left_out(whole, path.as_str()) =>
            {
                format!("the token leaves {name} out")
            }
            (None, _) => format!("there is no {name}"),
        })
    }

    fn why_no_field(&self, record: &str, field: &str) -> String {
        if !self.is_unknown(record, field) {
            return format!("there is no `{record}.{field}`");
        }
        match field {
            "principal" => "the peer is unknown".to_owned(),
            "uri" | "uri_folded" => "the URI is not in normal form".to_owned(),
            _ => format!("the token leaves `{record}.{field}` out"),
        }
    }
}
