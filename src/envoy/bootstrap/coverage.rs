//! Whether every response to be inspected is sent to mcp-authz, under every matcher.

use crate::check::{OPEN_FILTERS, RESPONSE_FILTERS, filtered_method};

use super::chain::Filter;
use super::matcher::{self, Case, Hit};
use super::processor::{self, PROCESSOR};
use super::{AuthzFilter, ConfigMessage, Report, fraction};

/// The path of a response with a value of `response_filter`.
enum Way<'n> {
    /// One of these configurations sends it to mcp-authz.
    Shown(Vec<ConfigMessage<'n>>),
    /// It passes, because of this filter or for lack of one.
    Passes(Option<Filter<'n>>),
    /// Only this fraction of the responses is sent.
    Part(ConfigMessage<'n>),
    /// The matcher cannot be evaluated.
    Unknown(ConfigMessage<'n>),
}

/// A fault in the path of some responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// They pass, with these consequences.
    Passes(&'static str),
    /// They pass, as far as the header alone shows.
    MayPass(&'static str),
    /// Some of them pass.
    Part,
    /// The matcher cannot be evaluated.
    Unknown,
}

/// The faults of a chain, grouped by place.
#[derive(Debug, Default)]
struct Faults<'n> {
    all: Vec<(ConfigMessage<'n>, Fault, Vec<&'static str>)>,
}

impl<'n> Faults<'n> {
    fn add(&mut self, at: ConfigMessage<'n>, fault: Fault, code: &'static str) {
        let mut all = self.all.iter_mut();
        let same =
            all.find(|(place, known, _)| std::ptr::eq(place.node(), at.node()) && *known == fault);
        match same {
            Some((_, _, codes)) => codes.push(code),
            None => self.all.push((at, fault, vec![code])),
        }
    }

    fn tell(self, report: &mut Report) {
        for (at, fault, codes) in self.all {
            let codes: Vec<_> = codes.iter().map(|code| format!("`{code}`")).collect();
            let codes = codes.join(", ");
            let help = "a matcher on `response_filter` as in envoy/envoy.yaml: prefix `list`, \
                        `task` and `initialize`";
            let passes =
                |what| format!("no ext_proc filter sees the responses marked {codes}: {what}");
            match fault {
                Fault::Passes(what) => report.missing(at, passes(what), help),
                Fault::MayPass(what) => report.warn_missing(at, passes(what), help),
                Fault::Part => {
                    let message =
                        format!("some of the responses marked {codes} pass without inspection");
                    report.error(at, message, "leave `sample_percent` out");
                }
                Fault::Unknown => {
                    let message = format!("it is unclear whether responses marked {codes} match");
                    let help =
                        "match on the metadata `response_filter` of envoy.filters.http.ext_authz";
                    report.warn(at, message, help);
                }
            }
        }
    }
}

/// The request of a response with a value of `response_filter`, with the method in the header
/// `x-mcp-authz-method`. Batches and streams have no method.
fn case(code: &str) -> Case<'_> {
    Case {
        filter: code,
        method: filtered_method(code),
    }
}

/// Checks the path of every marked response.
pub(super) fn look(gate: &AuthzFilter<'_, '_>, report: &mut Report) {
    let filters = || gate.chain.filters.iter();
    if filters().all(|filter| processor::ours(gate, filter).is_empty()) {
        // A filter over xDS may do it, and is reported as unseen.
        if gate.behind().all(|filter| !filter.is_elsewhere()) {
            let message = "no ext_proc filter sends responses to mcp-authz: lists pass \
                           unfiltered, and sessions and tasks are bound only on first use";
            let help = "the composite filter of envoy/envoy.yaml behind ext_authz";
            report.missing(gate.authz.filter.at, message, help);
        }
        return;
    }
    let mut faults = Faults::default();
    for (code, reads_body) in RESPONSE_FILTERS {
        match way(gate, None, case(code)) {
            Way::Shown(configs) => look_at_shown(&configs, code, reads_body, report),
            Way::Unknown(predicate) => faults.add(predicate, Fault::Unknown, code),
            Way::Part(field) => faults.add(field, Fault::Part, code),
            Way::Passes(filter) => {
                let at = filter.map_or(gate.authz.filter.at, |filter| filter.at);
                faults.add(at, passes(code, filter), code);
            }
        }
    }
    faults.tell(report);
    look_at_open(gate, report);
    for config in gate
        .behind()
        .filter_map(|filter| filter.at.get("typed_config"))
    {
        look_at_samples(config, report);
    }
}

fn look_at_shown(configs: &[ConfigMessage<'_>], code: &str, reads_body: bool, report: &mut Report) {
    for config in configs {
        processor::look_at_heads(*config, code, report);
        if reads_body {
            processor::look_at_body_mode(*config, config.get("processing_mode"), report);
        }
    }
}

/// Checks requests whose end a limit waits for.
fn look_at_open(gate: &AuthzFilter<'_, '_>, report: &mut Report) {
    let mut shows_all = true;
    for (code, reads_body) in OPEN_FILTERS {
        match way(gate, None, case(code)) {
            Way::Shown(configs) => look_at_shown(&configs, code, reads_body, report),
            Way::Passes(_) | Way::Part(_) | Way::Unknown(_) => shows_all = false,
        }
    }
    if !shows_all {
        let message = "Envoy does not send all requests under `limit: {open: N}` (marked \
                       `stream` or ending in `+stream`) to mcp-authz: such a request counts for \
                       only 10 seconds";
        let help = "the matchers `stream` and `+stream` of envoy/envoy.yaml, if a policy has such \
                    limits";
        report.warn_missing(gate.authz.filter.at, message, help);
    }
}

fn passes(code: &str, filter: Option<Filter<'_>>) -> Fault {
    let what = match code {
        "initialize" => "the sessions that they open are bound only on first use",
        "task" => "the tasks that they create are bound only on first use",
        _ => "their lists pass unfiltered",
    };
    // The header alone does not distinguish these from others.
    let by_header = filter.is_some_and(asks_for_header);
    if by_header && matches!(code, "list" | "task") {
        Fault::MayPass(what)
    } else {
        Fault::Passes(what)
    }
}

fn asks_for_header(filter: Filter<'_>) -> bool {
    let config = filter.at.get("typed_config");
    config.is_some_and(|config| !config.packed("HttpRequestHeaderMatchInput").is_empty())
}

/// Checks the matcher with which a route replaces a filter's own.
pub(super) fn look_at_matcher<'n>(
    gate: &AuthzFilter<'_, 'n>,
    filter: &Filter<'n>,
    config: ConfigMessage<'n>,
    matcher: ConfigMessage<'n>,
    report: &mut Report,
) {
    let mut passed = Vec::new();
    let mut faults = Faults::default();
    for (code, reads_body) in RESPONSE_FILTERS {
        match way(gate, Some((filter, matcher)), case(code)) {
            Way::Shown(configs) => look_at_shown(&configs, code, reads_body, report),
            Way::Unknown(predicate) => faults.add(predicate, Fault::Unknown, code),
            Way::Part(field) => faults.add(field, Fault::Part, code),
            Way::Passes(_) => passed.push(format!("`{code}`")),
        }
    }
    faults.tell(report);
    if !passed.is_empty() {
        let passed = passed.join(", ");
        let message =
            format!("on this route no ext_proc filter sees the responses marked {passed}");
        report.error(config, message, "leave the matcher of the route out");
    }
}

/// The type of the action that runs a filter.
const EXECUTE: &str = "composite.v3.ExecuteFilterAction";

/// The path of a response through the filters behind `ext_authz`, given the matcher that a route
/// has for one of them.
fn way<'n>(
    gate: &AuthzFilter<'_, 'n>,
    own: Option<(&Filter<'n>, ConfigMessage<'n>)>,
    case: Case<'_>,
) -> Way<'n> {
    let (mut passed, mut part, mut unknown) = (None, None, None);
    for filter in gate.behind() {
        let own = own.filter(|(known, _)| known.name == filter.name);
        let own = own.map(|(_, matcher)| matcher);
        let configs = processor::ours(gate, filter);
        if configs.is_empty() && own.is_none() {
            continue;
        }
        let Some(matcher) = own.or_else(|| filter.body.get("xds_matcher")) else {
            return Way::Shown(configs);
        };
        match matcher::evaluate(matcher, case) {
            Hit::Action(action) => {
                let sample = sample(action);
                let shown = processor::of_ours(gate, shown_by(filter, action));
                match sample {
                    None if !shown.is_empty() => return Way::Shown(shown),
                    Some(field) if !shown.is_empty() => part = Some(field),
                    Some(_) | None if is_elsewhere(action) => unknown = Some(action),
                    Some(_) | None => passed = Some(*filter),
                }
            }
            // A filter inside the matcher itself runs unless an action skips it.
            Hit::Nothing if stands_in_matcher(filter) => return Way::Shown(configs),
            Hit::Nothing => passed = Some(*filter),
            Hit::Unknown(predicate) => unknown = Some(predicate),
        }
    }
    match (unknown, part) {
        (Some(predicate), _) => Way::Unknown(predicate),
        (None, Some(field)) => Way::Part(field),
        (None, None) => Way::Passes(passed),
    }
}

/// The `ext_proc` filters that an action runs: in it, or in the chain that it names.
fn shown_by<'n>(filter: &Filter<'n>, action: ConfigMessage<'n>) -> Vec<ConfigMessage<'n>> {
    let mut shown = action.packed(PROCESSOR);
    for execute in action.packed(EXECUTE) {
        let name = execute.text_of("filter_chain_name");
        let composites = filter.configs("composite.v3.Composite").into_iter();
        let maps = composites.filter_map(|composite| composite.get("named_filter_chains"));
        let chains = maps.flat_map(ConfigMessage::entries);
        let named = chains.filter(|(key, _)| !name.is_empty() && key.as_str() == Some(name));
        shown.extend(named.flat_map(|(_, chain)| chain.packed(PROCESSOR)));
    }
    shown
}

/// Checks actions that always apply unless a runtime key says otherwise.
fn look_at_samples(config: ConfigMessage<'_>, report: &mut Report) {
    for execute in config.packed(EXECUTE) {
        let field = execute.get("sample_percent");
        let field = field.filter(|field| fraction::is_whole(field.get("default_value")));
        if let Some(key) = field.and_then(|field| field.get("runtime_key")) {
            let message = "setting this runtime key lets responses pass without inspection";
            report.warn(key, message, "leave `sample_percent` out");
        }
    }
}

/// The setting that limits an action to a fraction of the requests, if any.
fn sample(action: ConfigMessage<'_>) -> Option<ConfigMessage<'_>> {
    let mut actions = action.packed(EXECUTE).into_iter();
    actions.find_map(|execute| {
        let field = execute.get("sample_percent")?;
        let is_whole = fraction::is_whole(field.get("default_value"));
        (!is_whole).then_some(field)
    })
}

/// Whether Envoy gets the filter that an action runs over xDS.
fn is_elsewhere(action: ConfigMessage<'_>) -> bool {
    let mut actions = action.packed(EXECUTE).into_iter();
    actions.any(|execute| execute.get("dynamic_config").is_some())
}

/// Whether a matcher selects the requests for which an `ext_proc` filter is skipped.
fn stands_in_matcher(filter: &Filter<'_>) -> bool {
    let inner = filter.body.at("extension_config.typed_config");
    let inner = inner.and_then(ConfigMessage::typed);
    inner.is_some_and(|typed| typed.is(PROCESSOR))
}
