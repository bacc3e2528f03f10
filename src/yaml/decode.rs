//! Decodes located nodes to typed values.

use std::ops::RangeInclusive;
use std::time::Duration;

use ipnet::IpNet;
use url::Url;

use super::finding::Findings;
use super::tree::{Data, Node};
use super::words::{quoted, suggestion};

/// The members of a mapping, each to be asked for once.
#[derive(Debug)]
pub struct Fields<'n> {
    node: &'n Node,
    entries: Vec<(&'n Node, &'n Node, bool)>,
    known: Vec<&'static str>,
}

impl<'n> Fields<'n> {
    /// Opens a mapping. `what` names it in the message if it is something else.
    pub fn open(node: &'n Node, what: &str, findings: &mut Findings) -> Option<Self> {
        let Data::Map(entries) = &node.data else {
            findings.error(
                node,
                format!("{what} must be a mapping, found {}", node.kind()),
                "",
            );
            return None;
        };
        let entries = entries
            .iter()
            .map(|(key, value)| (key, value, false))
            .collect();
        Some(Fields {
            node,
            entries,
            known: Vec::new(),
        })
    }

    /// The mapping itself.
    #[must_use]
    pub fn node(&self) -> &'n Node {
        self.node
    }

    /// The node of a member that is there and not null.
    pub fn node_of(&mut self, key: &'static str) -> Option<&'n Node> {
        self.known.push(key);
        let entry = self
            .entries
            .iter_mut()
            .find(|(name, ..)| name.as_str() == Some(key))?;
        entry.2 = true;
        (entry.1.data != Data::Null).then_some(entry.1)
    }

    /// A member that may be absent. `None` if it is, or if it is wrong (which leaves a finding).
    pub fn optional<T>(
        &mut self,
        key: &'static str,
        findings: &mut Findings,
        read: impl FnOnce(&'n Node, &mut Findings) -> Option<T>,
    ) -> Option<T> {
        self.node_of(key).and_then(|node| read(node, findings))
    }

    /// A member that has to be there.
    pub fn required<T>(
        &mut self,
        key: &'static str,
        findings: &mut Findings,
        read: impl FnOnce(&'n Node, &mut Findings) -> Option<T>,
    ) -> Option<T> {
        let Some(node) = self.node_of(key) else {
            let span = self.node.span.clone();
            let first_line = findings
                .text(self.node.source)
                .get(span.clone())
                .map_or(0, |text| text.lines().next().unwrap_or_default().len());
            let span = span.start..span.start.saturating_add(first_line);
            findings.error_at(self.node.source, span, format!("`{key}` is missing"), "");
            return None;
        };
        read(node, findings)
    }

    /// Reports every member that nobody asked for.
    pub fn finish(self, findings: &mut Findings) {
        self.finish_with(findings, |_| None);
    }

    /// The same, where `elsewhere` may say where such a member belongs.
    pub fn finish_with(self, findings: &mut Findings, elsewhere: impl Fn(&str) -> Option<String>) {
        for (key, _, taken) in &self.entries {
            let Some(name) = key.as_str().filter(|_| !taken) else {
                continue;
            };
            findings.error(
                key,
                format!("unknown key `{name}`"),
                elsewhere(name).unwrap_or_else(|| suggestion(name, &self.known)),
            );
        }
    }
}

fn wrong<T>(node: &Node, expected: &str, findings: &mut Findings) -> Option<T> {
    findings.error(
        node,
        format!("expected {expected}, found {}", node.kind()),
        "",
    );
    None
}

/// A non-empty string.
pub fn string(node: &Node, findings: &mut Findings) -> Option<String> {
    let Data::String(text) = &node.data else {
        return wrong(node, "a string", findings);
    };
    if text.is_empty() {
        findings.error(
            node,
            "the string is empty",
            "leave the key out if nothing is meant",
        );
        return None;
    }
    Some(text.clone())
}

/// `true` or `false`.
pub fn boolean(node: &Node, findings: &mut Findings) -> Option<bool> {
    let Data::Bool(value) = node.data else {
        return wrong(node, "`true` or `false`", findings);
    };
    Some(value)
}

/// An integer within a range.
pub fn integer(range: RangeInclusive<u64>) -> impl Fn(&Node, &mut Findings) -> Option<u64> {
    move |node, findings| {
        let Data::Int(value) = node.data else {
            return wrong(node, "an integer", findings);
        };
        let good = u64::try_from(value)
            .ok()
            .filter(|value| range.contains(value));
        if good.is_none() {
            let help = format!("from {} to {}", range.start(), range.end());
            findings.error(node, format!("`{value}` is out of range"), help);
        }
        good
    }
}

/// A size in bytes: an integer, or one with `KiB` or `MiB`.
pub fn bytes(range: RangeInclusive<u64>) -> impl Fn(&Node, &mut Findings) -> Option<u64> {
    move |node, findings| {
        let parsed = match &node.data {
            Data::Int(value) => u64::try_from(*value).ok(),
            Data::String(text) => size(text),
            Data::Null | Data::Bool(_) | Data::Float(_) | Data::List(_) | Data::Map(_) => {
                return wrong(node, "a size such as `16 KiB`", findings);
            }
        };
        let good = parsed.filter(|value| range.contains(value));
        if good.is_none() {
            let (least, most) = (range.start(), range.end());
            let help = format!("a number of bytes from {least} to {most}, or one in `KiB`, `MiB`");
            findings.error(node, "not a size that can be used", help);
        }
        good
    }
}

fn size(text: &str) -> Option<u64> {
    let (number, unit) = text.split_at_checked(text.find(|c: char| !c.is_ascii_digit())?)?;
    let factor = match unit.trim() {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// A span of time with its unit: `500ms`, `30s`, `5m`, `6h`, `1d`.
pub fn duration(
    range: RangeInclusive<Duration>,
) -> impl Fn(&Node, &mut Findings) -> Option<Duration> {
    move |node, findings| {
        let Data::String(text) = &node.data else {
            return wrong(node, "a duration with its unit, such as `30s`", findings);
        };
        let good = span_of_time(text).filter(|value| range.contains(value));
        if good.is_none() {
            let (least, most) = (duration_text(*range.start()), duration_text(*range.end()));
            let help = format!("from {least} to {most}, in `ms`, `s`, `m`, `h` or `d`");
            findings.error(
                node,
                format!("`{text}` is not a duration that can be used"),
                help,
            );
        }
        good
    }
}

/// A span of time as [`duration`] reads it, in the largest unit that shows it exactly. Fractions
/// of a millisecond are left out.
#[must_use]
pub fn duration_text(span: Duration) -> String {
    let milliseconds = span.as_millis();
    let units = [
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1_000),
    ];
    for (unit, length) in units {
        if milliseconds > 0 && milliseconds.is_multiple_of(length) {
            return format!("{}{unit}", milliseconds / length);
        }
    }
    format!("{milliseconds}ms")
}

fn span_of_time(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.find(|c: char| !c.is_ascii_digit())?)?;
    let number: u64 = number.parse().ok()?;
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    Some(Duration::from_millis(number.checked_mul(milliseconds)?))
}

/// One of a few words.
pub fn choice<T: Copy>(words: &[(&'static str, T)]) -> impl Fn(&Node, &mut Findings) -> Option<T> {
    move |node, findings| {
        let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let Data::String(text) = &node.data else {
            return wrong(node, &format!("one of {}", quoted(&names)), findings);
        };
        let found = words
            .iter()
            .find(|(word, _)| word == text)
            .map(|(_, value)| *value);
        if found.is_none() {
            findings.error(
                node,
                format!("unknown value `{text}`"),
                suggestion(text, &names),
            );
        }
        found
    }
}

/// An absolute `http` or `https` URL without credentials or fragment.
pub fn url(node: &Node, findings: &mut Findings) -> Option<Url> {
    let text = string(node, findings)?;
    let parsed = Url::parse(&text).ok().filter(|url| {
        let plain = url.username().is_empty() && url.password().is_none();
        matches!(url.scheme(), "http" | "https") && plain && url.fragment().is_none()
    });
    if parsed.is_none() {
        let help = "an absolute `https` URL without credentials or fragment";
        findings.error(
            node,
            format!("`{text}` is not a URL that can be used"),
            help,
        );
    }
    parsed
}

/// An address or a network in CIDR form. Host bits have to be zero, so that what is written is
/// what is meant.
pub fn network(node: &Node, findings: &mut Findings) -> Option<IpNet> {
    let text = string(node, findings)?;
    let parsed = text.parse::<IpNet>().ok();
    let parsed = parsed.or_else(|| text.parse::<std::net::IpAddr>().ok().map(IpNet::from));
    let Some(network) = parsed else {
        let help = "an address or a network such as `10.0.0.0/8`";
        findings.error(node, format!("`{text}` is not a network"), help);
        return None;
    };
    if network.trunc() != network {
        let help = format!("`{}`", network.trunc());
        findings.error(
            node,
            format!("`{text}` has bits set behind its prefix"),
            help,
        );
        return None;
    }
    Some(network)
}

/// A list that is not empty, each item read by `read`. Every bad item leaves its finding.
pub fn list<'n, T>(
    node: &'n Node,
    findings: &mut Findings,
    mut read: impl FnMut(&'n Node, &mut Findings) -> Option<T>,
) -> Option<Vec<T>> {
    let Data::List(items) = &node.data else {
        return wrong(node, "a list", findings);
    };
    if items.is_empty() {
        findings.error(
            node,
            "the list is empty",
            "an empty list never means `everything`",
        );
        return None;
    }
    let read: Vec<Option<T>> = items.iter().map(|item| read(item, findings)).collect();
    read.into_iter().collect()
}

/// A list as [`list`], or a single item without the brackets.
pub fn list_or_one<'n, T>(
    node: &'n Node,
    findings: &mut Findings,
    mut read: impl FnMut(&'n Node, &mut Findings) -> Option<T>,
) -> Option<Vec<T>> {
    match node.data {
        Data::List(_) => list(node, findings, read),
        Data::Null
        | Data::Bool(_)
        | Data::Int(_)
        | Data::Float(_)
        | Data::String(_)
        | Data::Map(_) => read(node, findings).map(|item| vec![item]),
    }
}
