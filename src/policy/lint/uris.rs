//! Warns of patterns over resources that match less, or more, than they seem to.

use super::context::{Block, Lint};
use crate::authz::{Effect, Rule, UriForm, UriPattern, What, never_normal};
use crate::policy::silence::{URI_NEVER_NORMAL, URI_QUERY};

/// A wildcard for authors who do not care about the query.
const ANY_QUERY: &str = "**";

impl Lint<'_> {
    pub(super) fn look_at_uris(&mut self, rule: &Rule, block: &Block<'_>) {
        let what = block.what;
        let form = self.form_of(what);
        if form == UriForm::Opaque {
            return;
        }
        let not = what.not.as_deref().and_then(|not| not.resources.as_deref());
        let own = what.resources.as_deref().unwrap_or_default();
        let places: [(&[UriPattern], &[&'static str]); 2] = [
            (own, &["resources"]),
            (not.unwrap_or_default(), &["not", "resources"]),
        ];
        for (patterns, way) in places {
            let found = patterns
                .iter()
                .find_map(|pattern| Some((pattern, never_normal(pattern, form)?)));
            if let Some((pattern, right)) = found {
                let message = format!(
                    "no URI in normal form matches `{}`, and no other is evaluated",
                    pattern.as_str()
                );
                let help = if form == UriForm::Strict {
                    "`uris: strict` of the server leaves no query, parameter, slash at the end or \
                     capital in the host"
                        .to_owned()
                } else if right.is_empty() {
                    "scheme and host in small letters, no blank, `//`, `.` or `..` in the path, \
                     no escape that needs none; or say `uris: opaque` of the server"
                        .to_owned()
                } else {
                    format!("write `{right}`")
                };
                self.warn(rule, &block.at(way), URI_NEVER_NORMAL, &message, &help);
                break;
            }
        }
        if block.is_own() {
            self.look_at_queries(rule, own);
        }
    }

    fn look_at_queries(&mut self, rule: &Rule, patterns: &[UriPattern]) {
        let is_allow = rule.effect == Effect::Allow;
        let queries = patterns
            .iter()
            .filter_map(|pattern| pattern.as_str().split_once("[?]"));
        let mut queries = queries.filter(|(_, query)| !is_allow || *query != ANY_QUERY);
        let Some((resource, query)) = queries.next() else {
            return;
        };
        let (message, help) = if is_allow {
            (
                format!("the query `{query}` is allowed only in exactly this text"),
                format!("`{resource}[?]**` allows any query"),
            )
        } else {
            (
                format!("`{resource}` is denied with any query, and without one"),
                format!(
                    "servers read a query in any order and skip what they do not know, so no \
                     query can be told from another: write `{resource}`"
                ),
            )
        };
        self.warn(rule, &["what", "resources"], URI_QUERY, &message, &help);
    }

    /// The least strict form among the servers that the rule applies to, as far as they are known.
    fn form_of(&self, what: &What) -> UriForm {
        let known = &self.context.uris;
        let named = what.servers.as_ref();
        let is_meant =
            |server: &str| named.is_none_or(|names| names.iter().any(|name| **name == *server));
        let forms: Vec<UriForm> = known
            .iter()
            .filter(|(server, _)| is_meant(server))
            .map(|(_, form)| *form)
            .collect();
        if forms.contains(&UriForm::Opaque) {
            UriForm::Opaque
        } else if !forms.is_empty() && forms.iter().all(|form| *form == UriForm::Strict) {
            UriForm::Strict
        } else {
            UriForm::Normal
        }
    }
}
