//! Warns of selectors over callers that match fewer, or more, callers than they seem to.

use super::context::Lint;
use crate::authz::{Effect, Expression, KeyPart, Mode, NameKind, Names, Rule, Where, Who};
use crate::policy::silence::{ABSENT_KEY, BOTH_NEEDED, LITERAL_SCOPE, NOT_BOTH, SCOPE_NEVER_ASKED};

impl Lint<'_> {
    pub(super) fn look_at_callers(&mut self, rule: &Rule) {
        if let Some(who) = rule.who.as_ref() {
            self.look_at_scopes(rule, who);
            self.look_at_both(rule, who);
        }
        self.look_at_tested_scopes(rule);
        self.look_at_exclusions(rule);
        self.look_at_keys(rule);
    }

    /// Scopes that a condition compares as they are.
    fn look_at_tested_scopes(&mut self, rule: &Rule) {
        let tests = rule.expression.as_ref().map(Expression::name_tests);
        let tests = tests.into_iter().flatten();
        for test in tests.filter(|test| test.kind == NameKind::Scope && test.is_exact()) {
            if test.text.contains('*') {
                let (message, _) = literal_scope(&test.text);
                let help = format!(
                    "`subject.scopes.exists(scope, glob(scope, {:?}))` takes patterns",
                    test.text
                );
                self.warn_in_condition(rule, test.column, LITERAL_SCOPE, (message, help));
            }
        }
    }

    fn look_at_scopes(&mut self, rule: &Rule, who: &Who) {
        let not = who.not.as_deref();
        let places: [(Option<&Names>, &[&str]); 2] = [
            (who.scopes.as_ref(), &["who", "scopes"]),
            (
                not.and_then(|not| not.scopes.as_ref()),
                &["who", "not", "scopes"],
            ),
        ];
        for (scopes, way) in places {
            let mut scopes = scopes.into_iter().flatten();
            if let Some(scope) = scopes.find(|scope| scope.contains('*')) {
                let (message, help) = literal_scope(scope);
                self.warn(rule, way, LITERAL_SCOPE, &message, help);
            }
        }
        let is_denied = rule.effect == Effect::Deny && rule.mode == Mode::Enforce;
        if is_denied && not.is_some_and(|not| not.scopes.is_some()) {
            let message = "who lacks these scopes is denied, and never asked for them";
            let help = "`effect: require` with `needs: {scopes: […]}` lets the client step up";
            let way = ["who", "not", "scopes"];
            self.warn(rule, &way, SCOPE_NEVER_ASKED, message, help);
        }
    }

    /// Two lists of which one caller must have both.
    fn look_at_both(&mut self, rule: &Rule, who: &Who) {
        let lists = [
            ("groups", who.groups.as_ref()),
            ("roles", who.roles.as_ref()),
            ("subjects", who.subjects.as_ref()),
        ];
        let mut given = lists
            .into_iter()
            .filter_map(|(key, names)| Some((key, names?)));
        let (Some((one, names)), Some((other, others))) = (given.next(), given.next()) else {
            return;
        };
        let same = names.iter().find(|name| others.contains(name));
        let message = match (same, rule.effect == Effect::Allow) {
            (Some(name), _) => {
                format!("`{name}` has to be among both the `{one}` and the `{other}`")
            }
            (None, false) => format!(
                "this is only about callers with both, and lets those with one of `{one}` and \
                 `{other}` through"
            ),
            (None, true) => return,
        };
        let help = format!(
            "if either is enough, write two rules, one with `{one}` and one with `{other}`"
        );
        self.warn(rule, &["who", other], BOTH_NEEDED, &message, &help);
    }

    /// An allow that excludes only what has two properties at once.
    fn look_at_exclusions(&mut self, rule: &Rule) {
        if rule.effect != Effect::Allow {
            return;
        }
        let who = rule.who.as_ref().and_then(|who| who.not.as_deref());
        let place = rule.place.as_ref().and_then(|place| place.not.as_deref());
        let excluded = [
            ("who", who.map(kinds_of_names).unwrap_or_default()),
            ("where", place.map(kinds_of_places).unwrap_or_default()),
        ];
        for (block, keys) in excluded {
            if let [one, other, ..] = keys.as_slice() {
                let message = format!(
                    "`not` excludes only what has both, so that one of `{one}` and `{other}` is let through"
                );
                let help = "if either excludes, put one of them into a deny rule";
                self.warn(rule, &[block, "not"], NOT_BOTH, &message, help);
            }
        }
    }

    /// Counts by what some callers lack: for them the rule cannot be evaluated.
    fn look_at_keys(&mut self, rule: &Rule) {
        if rule.mode != Mode::Enforce {
            return;
        }
        let limit: &[KeyPart] = match &rule.effect {
            Effect::Limit(limit) => &limit.by,
            Effect::Open(limit) => &limit.by,
            Effect::Allow | Effect::Deny | Effect::Require(_) => &[],
        };
        let why = rule.why.as_ref();
        let not = why.and_then(|why| why.not.as_deref());
        let windows = [why, not].into_iter().flatten();
        let windows = windows.flat_map(|why| why.behaviours.iter());
        let parts = windows.flat_map(|behaviour| behaviour.counted.window.by.iter());
        let lacking = limit
            .iter()
            .chain(parts)
            .find_map(|part| self.lacking(rule, *part));
        if let Some((word, what)) = lacking {
            let end = if rule.effect == Effect::Allow {
                "not allowed by it"
            } else {
                "denied"
            };
            let message = format!("callers without {what} are {end}: nothing counts for them");
            let help = format!(
                "leave `{word}` out of `by`, or silence this where every caller has one; for tokens, \
                 a `sample_claims_file` of the issuer says so"
            );
            let way: &[&str] = if limit.is_empty() {
                &["why"]
            } else {
                &["limit", "by"]
            };
            self.warn(rule, way, ABSENT_KEY, &message, &help);
        }
    }

    /// The word of a part of a key that some callers of the rule lack, and what they lack.
    fn lacking(&self, rule: &Rule, part: KeyPart) -> Option<(&'static str, &'static str)> {
        let who = rule.who.as_ref();
        let has = |names: fn(&Who) -> Option<&Names>| who.is_some_and(|who| names(who).is_some());
        let claims = &self.context.claims;
        let issuers = self.issuers_of(rule);
        let given = |fact: fn(&super::samples::IssuerClaims) -> bool| {
            !issuers.is_empty()
                && issuers
                    .iter()
                    .all(|name| claims.get(*name).is_some_and(fact))
        };
        match part {
            KeyPart::Agent if !has(|who| who.agents.as_ref()) && !given(|one| one.has_agent) => {
                Some(("agent", "an OAuth client in their token"))
            }
            KeyPart::Tenant if !has(|who| who.tenants.as_ref()) && !given(|one| one.has_tenant) => {
                Some(("tenant", "a tenant"))
            }
            KeyPart::Session => Some(("session", "a session")),
            KeyPart::Agent
            | KeyPart::Tenant
            | KeyPart::Subject
            | KeyPart::Server
            | KeyPart::Tool => None,
        }
    }

    /// The issuers whose callers a rule may be about, as their tokens have them.
    pub(super) fn issuers_of(&self, rule: &Rule) -> Vec<&str> {
        if let Some(names) = rule.who.as_ref().and_then(|who| who.issuers.as_ref()) {
            let known = self.context.claims.keys();
            return known
                .map(String::as_str)
                .filter(|known| names.iter().any(|name| **name == **known))
                .collect();
        }
        let what = rule.what.as_ref();
        let servers = self.context.issuers.of_servers.iter();
        let servers =
            servers.filter(|(server, _)| what.is_none_or(|what| what.covers_server(server)));
        let mut issuers: Vec<&str> = servers
            .flat_map(|(_, issuers)| issuers.iter().map(String::as_str))
            .collect();
        issuers.sort_unstable();
        issuers.dedup();
        issuers
    }
}

fn literal_scope(scope: &str) -> (String, &'static str) {
    let message = format!("only a token with exactly the scope `{scope}` matches");
    (message, "scopes are compared exactly: name each one")
}

/// The keys of a negated `who` that one caller must have together; an issuer beside names says whose
/// they are.
fn kinds_of_names(not: &Who) -> Vec<&'static str> {
    let kinds = not.kinds();
    let names = kinds.names.into_iter();
    let mut keys: Vec<&'static str> = names
        .filter(|(key, names)| names.is_some() && *key != "issuers")
        .map(|(key, _)| key)
        .collect();
    if !kinds.claims.is_empty() {
        keys.push("claims");
    }
    keys
}

fn kinds_of_places(not: &Where) -> Vec<&'static str> {
    let Where {
        networks,
        countries,
        device,
        not: _,
    } = not;
    let given = [
        ("networks", networks.is_some()),
        ("countries", countries.is_some()),
        ("device", !device.is_empty()),
    ];
    let given = given.into_iter().filter(|(_, is_given)| *is_given);
    given.map(|(key, _)| key).collect()
}
