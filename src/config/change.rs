//! What is otherwise in one configuration than in another, in short.

use std::fmt;

use serde_json::Value;

use super::settings::Config;
use crate::yaml;

/// What has changed from one configuration to the next, by names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConfigChange {
    /// The servers.
    pub servers: NamesChange,
    /// The issuers.
    pub issuers: NamesChange,
    /// Every other key.
    pub keys: Vec<String>,
}

/// What has changed of things that have names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NamesChange {
    /// They were not there before.
    pub added: Vec<String>,
    /// They are set otherwise.
    pub changed: Vec<String>,
    /// They are there no more.
    pub removed: Vec<String>,
}

impl Config {
    /// What is otherwise in the next configuration.
    #[must_use]
    pub fn change_to(&self, next: &Config) -> ConfigChange {
        let (before, after) = (self.effective(), next.effective());
        let mut keys = Vec::new();
        let members = after.as_object().into_iter().flatten();
        for (key, value) in members {
            let old = before.get(key).unwrap_or(&Value::Null);
            match (key.as_str(), value.as_object()) {
                ("servers" | "issuers", _) => {}
                ("limits", Some(limits)) => {
                    let others = limits
                        .iter()
                        .filter(|(key, value)| old.get(key) != Some(value));
                    keys.extend(others.map(|(key, _)| format!("limits.{key}")));
                }
                (_, _) if old != value => keys.push(key.clone()),
                (_, _) => {}
            }
        }
        ConfigChange {
            servers: NamesChange::between(&before, &after, "servers", "name"),
            issuers: NamesChange::between(&before, &after, "issuers", "issuer"),
            keys,
        }
    }
}

impl NamesChange {
    fn between(before: &Value, after: &Value, list: &str, name: &str) -> Self {
        let (before, after) = (named(before, list, name), named(after, list, name));
        let find = |all: &[(String, Value)], name: &str| {
            let mut found = all.iter().filter(|(own, _)| own == name);
            found.next().map(|(_, value)| value.clone())
        };
        let mut change = NamesChange::default();
        for (name, value) in &after {
            match find(&before, name) {
                None => change.added.push(name.clone()),
                Some(old) if old != *value => change.changed.push(name.clone()),
                Some(_) => {}
            }
        }
        let is_gone = |(name, _): &&(String, Value)| find(&after, name).is_none();
        let gone = before.iter().filter(is_gone);
        change.removed = gone.map(|(name, _)| name.clone()).collect();
        change
    }
}

/// The entries of a list, by their names.
fn named(config: &Value, list: &str, name: &str) -> Vec<(String, Value)> {
    let entries = config.get(list).and_then(Value::as_array);
    let entries = entries.into_iter().flatten();
    let named = entries.filter_map(|entry| {
        let name = entry.get(name)?.as_str()?;
        Some((name.to_owned(), entry.clone()))
    });
    named.collect()
}

impl fmt::Display for ConfigChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        for (what, names) in [("servers", &self.servers), ("issuers", &self.issuers)] {
            for (how, names) in [
                ("added", &names.added),
                ("changed", &names.changed),
                ("removed", &names.removed),
            ] {
                if !names.is_empty() {
                    parts.push(format!("{what} {how}: {}", yaml::quoted(names)));
                }
            }
        }
        if !self.keys.is_empty() {
            parts.push(format!("keys changed: {}", yaml::quoted(&self.keys)));
        }
        if parts.is_empty() {
            return f.write_str("nothing to apply");
        }
        f.write_str(&parts.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::decode;
    use super::*;

    fn config(servers: &str, rest: &str) -> Config {
        let text = format!(
            "listen: 127.0.0.1:1\nissuers: [{{issuer: https://a.test}}{rest}\npolicy: p\nservers: [{servers}]\n"
        );
        decode("c".to_owned(), text, Path::new("")).unwrap()
    }

    #[test]
    fn a_change_is_told_by_names() {
        let a = "{name: a, resource: https://m.test/a, issuers: [https://a.test]}";
        let b = "{name: b, resource: https://m.test/b, issuers: [https://a.test]}";
        let c = "{name: c, resource: https://m.test/c, issuers: [https://a.test]}";
        let other = a.replace("m.test/a", "m.test/other");
        let before = config(&format!("{a}, {b}"), "]");
        assert_eq!(before.change_to(&before).to_string(), "nothing to apply");
        let after = config(
            &format!("{other}, {c}"),
            ", {issuer: https://b.test}]\nlimits: {tools_max: 5}\nreplicas: 2",
        );
        assert_eq!(
            before.change_to(&after).to_string(),
            "servers added: `c`; servers changed: `a`; servers removed: `b`; issuers added: \
             `https://b.test`; keys changed: `limits.tools_max`, `replicas`"
        );
        let back = after.change_to(&before);
        assert_eq!(back.issuers.removed, ["https://b.test"]);
    }
}
