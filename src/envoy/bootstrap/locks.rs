//! Header changes: Envoy must allow those of mcp-authz, nothing may undo them, and headers that
//! only mcp-authz may set must be removed from clients' requests twice.

use crate::check::{CORRECTED, REMOVED};
use crate::upstream::{AUTHORIZATION, OWN, OWN_PREFIX, ROUTER_HEADERS};

use super::chain::Filter;
use super::{AuthzFilter, ConfigMessage, Report, matcher};

/// Checks of changes to headers.
pub(super) const CHECKS: [fn(&AuthzFilter<'_, '_>, &mut Report); 3] =
    [rules, second_lock, trailers];

/// The type of the filter that is the second lock.
pub(super) const MUTATION: &str = "header_mutation.v3.HeaderMutation";
/// Headers of Envoy's own that a client must not be able to send to the server.
const ENVOYS: [&str; 2] = [
    "x-envoy-auth-partial-body",
    "x-envoy-auth-failure-mode-allowed",
];

/// Changes by mcp-authz that `decoder_header_mutation_rules` refuses.
fn rules(gate: &AuthzFilter<'_, '_>, report: &mut Report) {
    let config = gate.authz.config;
    let Some(rules) = config.get("decoder_header_mutation_rules") else {
        let message = "nothing prevents mcp-authz from changing headers that route or frame a \
                       request";
        let help = "`decoder_header_mutation_rules` as in envoy/envoy.yaml";
        report.warn_missing(config, message, help);
        return;
    };
    let assigned = gate
        .expected
        .map_or(&[][..], |expected| &expected.set_headers);
    let assigned = assigned.iter().map(String::as_str);
    let own = OWN.into_iter().chain(assigned);
    let own = own.chain(REMOVED).chain(CORRECTED);
    let own = own.chain(token_headers(gate));
    let refused: Vec<&str> = own.filter(|name| !is_allowed(rules, name)).collect();
    let is_error = rules.is("disallow_is_error");
    if let Some(name) = refused.first() {
        let what = if is_error {
            "every request that it allows becomes a 500"
        } else {
            "the client's header of that name reaches the server"
        };
        let message = format!("Envoy does not let mcp-authz change `{name}`: {what}");
        let help = "let `disallow_expression` match none of its headers, and leave `disallow_all` \
                    out";
        report.error(rules, message, help);
    }
    let locked = |name: &&str| !is_allowed(rules, name) && !is_removed_before(gate, name);
    if let Some(name) = ROUTER_HEADERS.iter().find(|name| locked(name)) {
        let what = if is_error {
            "with it an allowed request becomes a 500"
        } else {
            "with it Envoy runs a request several times after one decision"
        };
        let message = format!("Envoy does not let mcp-authz remove `{name}`: {what}");
        let help = "`allow_envoy: true`";
        report.error(rules, message, help);
    }
}

/// The headers in which servers get tokens instead of `authorization`.
fn token_headers<'e>(gate: &AuthzFilter<'e, '_>) -> impl Iterator<Item = &'e str> {
    let expected = gate.expected.into_iter();
    expected.flat_map(|expected| expected.token_headers.iter().map(String::as_str))
}

/// Whether `HeaderMutationRules` allow changing a header.
fn is_allowed(rules: ConfigMessage<'_>, name: &str) -> bool {
    let matches = |path: &str| {
        let pattern = rules.get(path);
        // A pattern that cannot be parsed may match anything.
        pattern.map(|pattern| {
            matcher::regex_holds(pattern, name).unwrap_or(path == "disallow_expression")
        })
    };
    if matches("disallow_expression") == Some(true) {
        return false;
    }
    if matches("allow_expression") == Some(true) {
        return true;
    }
    !rules.is("disallow_all") && (rules.is("allow_envoy") || !name.starts_with("x-envoy-"))
}

/// The mutations of one kind in filters of the chain.
fn mutations<'n>(
    filters: impl Iterator<Item = &'n Filter<'n>>,
    kind: &'static str,
) -> impl Iterator<Item = ConfigMessage<'n>> {
    let filters = filters.filter(|filter| !filter.at.is("disabled"));
    let configs = filters.flat_map(|filter| filter.configs(MUTATION));
    configs.flat_map(move |config| config.list(kind))
}

pub(super) const REQUEST: &str = "mutations.request_mutations";
const TRAILERS: &str = "mutations.request_trailers_mutations";

/// Whether a mutation removes a header.
fn removes(mutation: ConfigMessage<'_>, name: &str) -> bool {
    let pattern = mutation.at("remove_on_match.key_matcher");
    mutation.text_of("remove").eq_ignore_ascii_case(name)
        || pattern.is_some_and(|pattern| matcher::string_holds(pattern, name) == Some(true))
}

fn is_removed_before(gate: &AuthzFilter<'_, '_>, name: &str) -> bool {
    mutations(gate.before(), REQUEST).any(|mutation| removes(mutation, name))
}

/// The second lock, in case mcp-authz is not called or Envoy does not apply its verdict.
fn second_lock(gate: &AuthzFilter<'_, '_>, report: &mut Report) {
    let names = OWN.into_iter().chain(ENVOYS).chain(ROUTER_HEADERS);
    let left: Vec<&str> = names
        .filter(|name| !is_removed_before(gate, name))
        .collect();
    let Some(first) = left.first() else {
        return;
    };
    let more = match left.len().saturating_sub(1) {
        0 => String::new(),
        others => format!(" and {others} more"),
    };
    let message = format!(
        "no header_mutation filter in front removes `{first}`{more}, which clients must not \
         send: only mcp-authz does"
    );
    let help = "`request_mutations` of the header_mutation filter in envoy/envoy.yaml";
    let lock = gate.before().find(|filter| filter.is(MUTATION));
    report.warn_missing(
        lock.map_or(gate.authz.filter.at, |filter| filter.at),
        message,
        help,
    );
}

/// No filter sends trailers to mcp-authz.
fn trailers(gate: &AuthzFilter<'_, '_>, report: &mut Report) {
    let names = OWN.into_iter().chain([AUTHORIZATION, "mcp-session-id"]);
    let names = names.chain(token_headers(gate));
    let mut left = names.filter(|name| {
        !mutations(gate.chain.filters.iter(), TRAILERS).any(|mutation| removes(mutation, name))
    });
    let Some(name) = left.next() else {
        return;
    };
    let message = format!(
        "a client's trailer `{name}` reaches a server that speaks HTTP/2, and mcp-authz never \
         sees it"
    );
    let help = "`request_trailers_mutations` of the header_mutation filter in envoy/envoy.yaml";
    let lock = gate.before().find(|filter| filter.is(MUTATION));
    report.warn_missing(
        lock.map_or(gate.authz.filter.at, |filter| filter.at),
        message,
        help,
    );
}

/// Whether a mutation changes a header that only mcp-authz sets.
pub(super) fn touches_ours(gate: &AuthzFilter<'_, '_>, mutation: ConfigMessage<'_>) -> bool {
    let assigned = gate
        .expected
        .map_or(&[][..], |expected| &expected.set_headers);
    let assigned = assigned.iter().map(String::as_str);
    let mut names = OWN.into_iter().chain(assigned);
    let added = mutation.text_of("append.header.key");
    is_ours(gate, added) || names.any(|name| removes(mutation, name))
}

/// Whether only mcp-authz sets a header.
pub(super) fn is_ours(gate: &AuthzFilter<'_, '_>, name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let assigned = gate
        .expected
        .map_or(&[][..], |expected| &expected.set_headers);
    name.starts_with(OWN_PREFIX) || assigned.contains(&name)
}
