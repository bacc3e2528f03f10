//! Messages of Envoy's API in a file: proto JSON, or equivalent YAML.

use crate::yaml::{Data, Node};

/// A message, or any value in a field of one.
#[derive(Debug, Clone, Copy)]
pub(super) struct ConfigMessage<'n> {
    node: &'n Node,
}

/// A message that names its type: a `google.protobuf.Any`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Typed<'n> {
    /// The full name of its type, such as `envoy.extensions.filters.http.router.v3.Router`.
    pub(super) name: &'n str,
    /// Its fields.
    pub(super) body: ConfigMessage<'n>,
}

impl Typed<'_> {
    /// Whether it has a type. Versions of a type share the end of its name.
    pub(super) fn is(&self, end: &str) -> bool {
        self.name.ends_with(end)
    }
}

impl<'n> ConfigMessage<'n> {
    pub(super) fn of(node: &'n Node) -> Self {
        ConfigMessage { node }
    }

    /// The node to which findings about the value point.
    pub(super) fn node(self) -> &'n Node {
        self.node
    }

    /// The node to which findings about a missing field point: the message's key.
    pub(super) fn head(self) -> &'n Node {
        let Data::Map(entries) = &self.node.data else {
            return self.node;
        };
        let named = self.node.member("@type").or(self.node.member("name"));
        named.unwrap_or_else(|| entries.first().map_or(self.node, |(key, _)| key))
    }

    /// A field by its API name. Proto JSON spells it like that or in lower camel case.
    pub(super) fn get(self, name: &str) -> Option<ConfigMessage<'n>> {
        let given = |name: &str| {
            let found = self.node.member(name);
            found.filter(|found| found.data != Data::Null)
        };
        given(name)
            .or_else(|| given(&camel(name)))
            .map(ConfigMessage::of)
    }

    /// The fields that occur in both spellings. Envoy uses either of the two.
    pub(super) fn doubled(self) -> impl Iterator<Item = (&'n Node, String)> {
        self.entries().filter_map(move |(key, value)| {
            let name = key.as_str().filter(|name| name.contains('_'))?;
            let other = camel(name);
            let is_given = |value: &Node| value.data != Data::Null;
            let is_doubled = is_given(value.node) && self.node.member(&other).is_some_and(is_given);
            (is_doubled && other != name).then_some((key, other))
        })
    }

    /// Whether it is a running Envoy's dump (`/config_dump` of its admin interface).
    pub(super) fn is_dump(self) -> bool {
        let mut parts = self.list("configs").filter_map(ConfigMessage::typed);
        parts.any(|part| part.name.starts_with("envoy.admin."))
    }

    /// A nested field, by names joined with dots.
    pub(super) fn at(self, path: &str) -> Option<ConfigMessage<'n>> {
        path.split('.').try_fold(self, ConfigMessage::get)
    }

    /// The items of a repeated field.
    pub(super) fn list(self, path: &str) -> impl Iterator<Item = ConfigMessage<'n>> + use<'n> {
        let items = self.at(path).map_or(&[][..], |list| list.node.items());
        items.iter().map(ConfigMessage::of)
    }

    /// The items of a list, or a single value.
    pub(super) fn items(self) -> impl Iterator<Item = ConfigMessage<'n>> {
        self.node.items().iter().map(ConfigMessage::of)
    }

    /// The entries of a map.
    pub(super) fn entries(self) -> impl Iterator<Item = (&'n Node, ConfigMessage<'n>)> {
        let entries = if let Data::Map(entries) = &self.node.data {
            entries.as_slice()
        } else {
            &[]
        };
        let entries = entries.iter();
        entries.map(|(key, value)| (key, ConfigMessage::of(value)))
    }

    /// Whether a field is set to `true`, alone or as a `google.protobuf.BoolValue`.
    pub(super) fn is(self, path: &str) -> bool {
        self.at(path)
            .is_some_and(|field| field.truth() == Some(true))
    }

    /// The field, if it is `true`.
    pub(super) fn set(self, path: &str) -> Option<ConfigMessage<'n>> {
        self.at(path).filter(|field| field.truth() == Some(true))
    }

    /// A boolean, in every form that Envoy accepts.
    pub(super) fn truth(self) -> Option<bool> {
        match &self.plain().data {
            Data::Bool(value) => Some(*value),
            Data::String(text) => boolean(text),
            Data::Null | Data::Int(_) | Data::Float(_) | Data::List(_) | Data::Map(_) => None,
        }
    }

    /// A text.
    pub(super) fn text(self) -> Option<&'n str> {
        self.plain().as_str()
    }

    /// The text of a field; empty if it is missing.
    pub(super) fn text_of(self, path: &str) -> &'n str {
        self.at(path)
            .and_then(ConfigMessage::text)
            .unwrap_or_default()
    }

    /// Whether a field has an enumeration's value, written by name, in any case, or by number. A
    /// missing field has the value with number 0.
    pub(super) fn has_choice(self, path: &str, name: &str, number: i64) -> bool {
        let Some(field) = self.at(path) else {
            return number == 0;
        };
        match &field.plain().data {
            Data::Int(value) => *value == number,
            Data::String(text) => text.eq_ignore_ascii_case(name) || *text == number.to_string(),
            Data::Null | Data::Bool(_) | Data::Float(_) | Data::List(_) | Data::Map(_) => false,
        }
    }

    /// A non-negative number; proto JSON quotes 64-bit numbers.
    pub(super) fn count(self) -> Option<u64> {
        match &self.plain().data {
            Data::Int(value) => u64::try_from(*value).ok(),
            Data::String(text) => text.parse().ok(),
            Data::Float(value) => format!("{value:.0}").parse().ok(),
            Data::Null | Data::Bool(_) | Data::List(_) | Data::Map(_) => None,
        }
    }

    /// The number in a field.
    pub(super) fn count_of(self, path: &str) -> Option<u64> {
        self.at(path).and_then(ConfigMessage::count)
    }

    /// A `google.protobuf.Duration` in milliseconds, rounded up.
    pub(super) fn milliseconds(self) -> Option<u64> {
        let (whole, fraction) = match self.text()?.strip_suffix('s')?.split_once('.') {
            Some((whole, fraction)) => (whole, fraction),
            None => (self.text()?.strip_suffix('s')?, ""),
        };
        let whole: u64 = whole.parse().ok()?;
        let digits: String = fraction.chars().chain("000".chars()).take(3).collect();
        let rest = fraction.chars().skip(3).any(|digit| digit != '0');
        let milliseconds = digits.parse::<u64>().ok()?;
        let milliseconds = milliseconds.checked_add(u64::from(rest))?;
        whole.checked_mul(1000)?.checked_add(milliseconds)
    }

    /// The duration in a field, in milliseconds.
    pub(super) fn milliseconds_of(self, path: &str) -> Option<u64> {
        self.at(path).and_then(ConfigMessage::milliseconds)
    }

    /// The message packed in it, by `@type`, or by the `type_url` of a `TypedStruct`.
    pub(super) fn typed(self) -> Option<Typed<'n>> {
        let url = self.node.member("@type").and_then(Node::as_str)?;
        let name = last_part(url);
        if !name.ends_with(".TypedStruct") {
            return Some(Typed { name, body: self });
        }
        let body = self.get("value").unwrap_or(self);
        let name = last_part(self.text_of("type_url"));
        Some(Typed { name, body })
    }

    /// Every packed message of a type in it, at any depth.
    pub(super) fn packed(self, end: &str) -> Vec<ConfigMessage<'n>> {
        let mut found = Vec::new();
        self.each(&mut |message| {
            if let Some(typed) = message.typed().filter(|typed| typed.is(end)) {
                found.push(typed.body);
            }
        });
        found
    }

    /// Calls `look` with every mapping in it, itself first.
    pub(super) fn each(self, look: &mut impl FnMut(ConfigMessage<'n>)) {
        match &self.node.data {
            Data::Map(entries) => {
                look(self);
                for (_, value) in entries {
                    ConfigMessage::of(value).each(look);
                }
            }
            Data::List(items) => {
                for item in items {
                    ConfigMessage::of(item).each(look);
                }
            }
            Data::Null | Data::Bool(_) | Data::Int(_) | Data::Float(_) | Data::String(_) => {}
        }
    }

    /// The value in a wrapper such as `google.protobuf.UInt32Value`, or the value itself.
    fn plain(self) -> &'n Node {
        self.node.member("value").unwrap_or(self.node)
    }
}

/// The words that Envoy reads as booleans, in any case. Its YAML parser reads unquoted ones; its
/// proto JSON parser also reads quoted ones except `on` and `off`, `t` and `1` among them.
fn boolean(text: &str) -> Option<bool> {
    let is = |words: [&str; 6]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is(["true", "t", "yes", "y", "on", "1"]) {
        return Some(true);
    }
    is(["false", "f", "no", "n", "off", "0"]).then_some(false)
}

/// The part of a type's URL after the last slash.
fn last_part(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or(url)
}

/// A field's name in lower camel case.
fn camel(name: &str) -> String {
    let mut camel = String::with_capacity(name.len());
    let mut parts = name.split('_');
    camel.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let mut letters = part.chars();
        camel.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        camel.push_str(letters.as_str());
    }
    camel
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::{self, Findings, Source};

    fn tree(text: &str) -> Node {
        let mut findings = Findings::new();
        let source = findings.add_source(Source {
            name: "envoy.yaml".to_owned(),
            text: text.to_owned(),
        });
        yaml::parse(source, &mut findings).unwrap()
    }

    #[test]
    fn durations_are_read_as_proto_json_writes_them() {
        for (text, expected) in [
            ("0s", Some(0)),
            ("900s", Some(900_000)),
            ("0.5s", Some(500)),
            ("0.500s", Some(500)),
            ("1.25s", Some(1_250)),
            // Never rounded down: 0 would mean no limit.
            ("0.0001s", Some(1)),
            ("15m", None),
            ("500ms", None),
            ("-1s", None),
            ("s", None),
            ("1", None),
        ] {
            let node = tree(&format!("'{text}'"));
            assert_eq!(ConfigMessage::of(&node).milliseconds(), expected, "{text}");
        }
    }

    #[test]
    fn fields_are_found_in_both_spellings() {
        let node = tree(
            "{max_request_bytes: 1, packAsBytes: true, a: {bC: {d_e: '7'}}, n: ~, o_n: ~, oN: 2}",
        );
        let message = ConfigMessage::of(&node);
        assert_eq!(message.count_of("max_request_bytes"), Some(1));
        assert!(message.is("pack_as_bytes"));
        assert_eq!(message.count_of("a.b_c.d_e"), Some(7));
        assert!(message.get("n").is_none());
        assert_eq!(message.count_of("o_n"), Some(2));
        assert_eq!(message.doubled().count(), 0);
    }

    #[test]
    fn booleans_are_read_as_envoy_reads_them() {
        for (texts, expected) in [
            (
                "true True TRUE yes Yes YES yEs y Y on On ON t 'true' 'yes' '1'",
                Some(true),
            ),
            ("false no No n off OFF f 'false' '0'", Some(false)),
            ("1 0 1.0 truth '' ~", None),
        ] {
            for text in texts.split(' ') {
                let node = tree(text);
                assert_eq!(ConfigMessage::of(&node).truth(), expected, "{text}");
            }
        }
    }

    #[test]
    fn enumerations_are_read_by_name_and_by_number() {
        let node =
            tree("{name: SKIP, lower: skip, mixed: Skip, number: 2, text: '2', other: SEND}");
        let message = ConfigMessage::of(&node);
        for (field, expected) in [
            ("name", true),
            ("lower", true),
            ("mixed", true),
            ("number", true),
            ("text", true),
            ("other", false),
            ("none", false),
        ] {
            assert_eq!(message.has_choice(field, "SKIP", 2), expected, "{field}");
        }
        assert!(message.has_choice("none", "DEFAULT", 0));
    }

    #[test]
    fn packed_messages_are_found_under_either_name_of_a_struct() {
        for kind in ["xds.type.v3.TypedStruct", "udpa.type.v1.TypedStruct"] {
            let node = tree(&format!(
                "{{'@type': type.googleapis.com/{kind}, type_url: type.googleapis.com/a.b.Thing, value: {{x: true}}}}"
            ));
            let typed = ConfigMessage::of(&node).typed().unwrap();
            assert_eq!(typed.name, "a.b.Thing");
            assert!(typed.body.is("x"));
            assert_eq!(ConfigMessage::of(&node).packed("b.Thing").len(), 1);
        }
    }
}
