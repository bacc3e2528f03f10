//! JSON inside a string: some servers read `"[\"a\"]"` as `["a"]`.

use std::borrow::Cow;
use std::collections::HashSet;

use super::value::Value;

/// How deep such a text may nest.
const DEPTH_MAX: usize = 64;

/// Parses a text as JSON (RFC 8259), if every reader reads it alike: without duplicate keys and
/// lone surrogates.
pub(super) fn parse(text: &str) -> Option<Value<'static>> {
    read(text, true)
}

/// Parses a text as some reader may read it: all duplicate keys are kept, and non-numbers such as
/// `NaN` become null.
pub(super) fn parse_leniently(text: &str) -> Option<Value<'static>> {
    read(text, false)
}

fn read(text: &str, strict: bool) -> Option<Value<'static>> {
    let mut reader = TextReader { rest: text, strict };
    let value = reader.value(DEPTH_MAX)?;
    reader.skip_blanks();
    reader.rest.is_empty().then_some(value)
}

struct TextReader<'t> {
    rest: &'t str,
    strict: bool,
}

impl TextReader<'_> {
    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    /// Consumes a word, after blanks.
    fn take(&mut self, word: &str) -> Option<()> {
        self.skip_blanks();
        self.rest = self.rest.strip_prefix(word)?;
        Some(())
    }

    fn value(&mut self, depth: usize) -> Option<Value<'static>> {
        let depth = depth.checked_sub(1)?;
        self.skip_blanks();
        match self.rest.chars().next()? {
            'n' => self.take("null").map(|()| Value::Null),
            't' => self.take("true").map(|()| Value::Bool(true)),
            'f' => self.take("false").map(|()| Value::Bool(false)),
            '"' => self.string().map(|text| Value::String(Cow::Owned(text))),
            '[' => self.list(depth),
            '{' => self.map(depth),
            _ if !self.strict => ["NaN", "Infinity", "-Infinity"]
                .iter()
                .find_map(|word| self.take(word))
                .map(|()| Value::Null)
                .or_else(|| self.number()),
            _ => self.number(),
        }
    }

    fn list(&mut self, depth: usize) -> Option<Value<'static>> {
        self.take("[")?;
        let mut items = Vec::new();
        if self.take("]").is_some() {
            return Some(Value::List(items));
        }
        loop {
            items.push(self.value(depth)?);
            if self.take("]").is_some() {
                return Some(Value::List(items));
            }
            self.take(",")?;
        }
    }

    fn map(&mut self, depth: usize) -> Option<Value<'static>> {
        self.take("{")?;
        let mut members: Vec<(Cow<'static, str>, Value<'static>)> = Vec::new();
        let mut keys = HashSet::new();
        if self.take("}").is_some() {
            return Some(Value::Map(members));
        }
        loop {
            self.skip_blanks();
            let key = self.string()?;
            self.take(":")?;
            let value = self.value(depth)?;
            if self.strict && !keys.insert(key.clone()) {
                return None;
            }
            members.push((Cow::Owned(key), value));
            if self.take("}").is_some() {
                return Some(Value::Map(members));
            }
            self.take(",")?;
        }
    }

    fn number(&mut self) -> Option<Value<'static>> {
        let is_part = |character: char| character.is_ascii_digit() || "+-.eE".contains(character);
        let end = self.rest.find(|character| !is_part(character));
        let (text, rest) = self.rest.split_at_checked(end.unwrap_or(self.rest.len()))?;
        self.rest = rest;
        let digits = text.strip_prefix('-').unwrap_or(text);
        let mut after_zero = digits.strip_prefix('0').unwrap_or_default().chars();
        let is_json = digits.starts_with(|first: char| first.is_ascii_digit())
            && !after_zero.next().is_some_and(|next| next.is_ascii_digit())
            && !text.ends_with('.')
            && !text.contains(".e")
            && !text.contains(".E");
        if !is_json {
            return None;
        }
        if let Ok(number) = text.parse::<i64>() {
            return Some(Value::Int(number));
        }
        if let Ok(number) = text.parse::<u64>() {
            return Some(Value::Uint(number));
        }
        let number = text.parse::<f64>().ok()?;
        if !number.is_finite() && !self.strict {
            return Some(Value::Null);
        }
        number.is_finite().then_some(Value::Float(number))
    }

    fn string(&mut self) -> Option<String> {
        self.rest = self.rest.strip_prefix('"')?;
        let mut text = String::new();
        loop {
            let mut characters = self.rest.chars();
            let next = characters.next()?;
            self.rest = characters.as_str();
            match next {
                '"' => return Some(text),
                '\\' => text.push(self.escape()?),
                control if control < ' ' => return None,
                plain => text.push(plain),
            }
        }
    }

    /// The character for an escape whose backslash was consumed.
    fn escape(&mut self) -> Option<char> {
        let mut characters = self.rest.chars();
        let next = characters.next()?;
        self.rest = characters.as_str();
        Some(match next {
            '"' | '\\' | '/' => next,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let high = self.code()?;
                if !self.strict {
                    // Which character it is does not matter, because any text may be meant.
                    return Some(char::from_u32(high).unwrap_or('\u{fffd}'));
                }
                if !(0xd800..0xdc00).contains(&high) {
                    return char::from_u32(high);
                }
                self.rest = self.rest.strip_prefix("\\u")?;
                let low = self.code().filter(|low| (0xdc00..0xe000).contains(low))?;
                let pair = high.checked_sub(0xd800)?.checked_mul(0x400)?;
                let pair = pair.checked_add(low.checked_sub(0xdc00)?)?;
                return char::from_u32(pair.checked_add(0x1_0000)?);
            }
            _ => return None,
        })
    }

    fn code(&mut self) -> Option<u32> {
        let (digits, rest) = self.rest.split_at_checked(4)?;
        self.rest = rest;
        let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        is_hex
            .then(|| u32::from_str_radix(digits, 16).ok())
            .flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `serde_json` accepts more: duplicate keys and deeper nesting.
    fn serde(text: &str) -> Option<Value<'static>> {
        let crate::json::Json(value) = serde_json::from_str(text).ok()?;
        Some(value.into_owned())
    }

    #[test]
    fn json_texts_are_read_as_every_reader_reads_them() {
        for text in [
            "[]",
            "[1, 2.5, -1, 1e3, \"a\\u00e9\\n\\ud83d\\ude00\", null, true, false, {\"a\": [], \"b\": {}}]",
            " [ ] ",
            "{}",
            "\"x\"",
            "5",
            "18446744073709551615",
        ] {
            assert_eq!(parse(text), serde(text), "{text}");
            assert!(parse(text).is_some(), "{text}");
        }
        for text in [
            "",
            "[",
            "[1,]",
            "[,]",
            "{\"a\":1,}",
            "{a:1}",
            "['a']",
            "01",
            "1.",
            ".5",
            "+1",
            "1e",
            "-",
            "\"a",
            "\"\\x\"",
            "\"\u{1}\"",
            "[1]x",
            "\"\\ud800\"",
            "\"\\ud800\\u0041\"",
            "nul",
            "NaN",
            "1e999",
            "{\"a\":1,\"a\":2}",
            "1.e3",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse(&"[".repeat(100_000)), None);
        for text in ["[NaN]", "{\"a\":1,\"a\":2}", "[\"\\ud800\"]", "[1e999]"] {
            assert_eq!(parse(text), None, "{text}");
            assert!(parse_leniently(text).is_some(), "{text}");
        }
        assert_eq!(parse_leniently("[draft]"), None);
    }

    proptest::proptest! {
        #[test]
        fn what_is_read_is_what_serde_reads(text in "[\\[\\]{}:, \"a0-2.eE+\\\\u-]{0,14}") {
            if let Some(value) = parse(&text) {
                // Only the sign of zero is lost.
                let other = serde(&text.replace("-0", "0"));
                proptest::prop_assert_eq!(parse(&text.replace("-0", "0")), other, "{:?}", value);
            }
        }
    }
}
