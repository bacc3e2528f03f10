//! The `ext_proc` filters: whether every answer that has to be looked at is, whole, and by whom.

use crate::check::{OPEN_FILTERS, RESPONSE_FILTERS};

use super::chain::{Filter, cluster_of};
use super::matcher::{self, Case, Hit};
use super::rows::{self, Row, Weight, When};
use super::{Gate, Message, NAMESPACE, Report, authz};

/// Checks of the way of answers.
pub(super) const CHECKS: [fn(&Gate<'_, '_>, &mut Report); 4] =
    [processors, in_front, coverage, others];

/// The type of the filter that shows answers.
pub(super) const PROCESSOR: &str = "ext_proc.v3.ExternalProcessor";

/// What each value of `response_filter` stands for, as the header `x-mcp-authz-method` has it: of
/// several messages at once, and of streams, there is none.
const METHODS: [(&str, Option<&str>); 8] = [
    ("list", None),
    ("list/tools", Some("tools/list")),
    ("list/prompts", Some("prompts/list")),
    ("list/resources", Some("resources/list")),
    ("list/templates", Some("resources/templates/list")),
    ("list/tasks", Some("tasks/list")),
    ("task", Some("tools/call")),
    ("initialize", Some("initialize")),
];

const ROWS: &[Row] = &[
    (
        "failure_mode_allow",
        When::True,
        Weight::Error,
        "lists pass whole, and sessions are bound on first use only, whenever mcp-authz is slow or \
         away",
        "`failure_mode_allow: false`",
    ),
    (
        "observability_mode",
        When::True,
        Weight::Error,
        "answers are shown and go on as they are: lists pass whole",
        "leave `observability_mode` out",
    ),
    (
        "disable_immediate_response",
        When::True,
        Weight::Error,
        "Envoy does not let mcp-authz put an error in the place of an answer that it cannot filter",
        "leave `disable_immediate_response` out",
    ),
    (
        "allow_mode_override",
        When::True,
        Weight::Warning,
        "mcp-authz never asks for another processing mode, so that this serves nobody",
        "leave `allow_mode_override` out",
    ),
    (
        "disable_clear_route_cache",
        When::False,
        Weight::Warning,
        "mcp-authz never chooses a route",
        "leave `disable_clear_route_cache` out",
    ),
];

/// Whether an `ext_proc` configuration is one that shows answers to mcp-authz: by its cluster, or,
/// where no cluster is known to be its, whichever it is.
fn is_ours(gate: &Gate<'_, '_>, config: Message<'_>) -> bool {
    let all = gate
        .chain
        .filters
        .iter()
        .flat_map(|filter| filter.configs(PROCESSOR));
    let is_known = |config: Message<'_>| gate.clusters.contains(cluster_of(config));
    is_known(config) || !all.into_iter().any(is_known)
}

fn processors(gate: &Gate<'_, '_>, report: &mut Report) {
    for config in gate.behind().flat_map(|filter| filter.configs(PROCESSOR)) {
        if is_ours(gate, config) {
            look_at(config, report);
        }
    }
}

/// One configuration that shows answers to mcp-authz.
fn look_at(config: Message<'_>, report: &mut Report) {
    rows::look(config, ROWS, report);
    authz::look_at_size(config, report);
    look_at_namespaces(config, report);
    if let Some(http) = config.get("http_service") {
        let message = "mcp-authz is asked over HTTP, and answers gRPC only: no list comes through";
        report.error(http, message, "`grpc_service` with `envoy_grpc`");
    }
}

/// Lists are judged for the caller that `ext_authz` proved, who comes in its metadata.
fn look_at_namespaces(config: Message<'_>, report: &mut Report) {
    let path = "metadata_options.forwarding_namespaces";
    let mut spaces = config
        .at(path)
        .into_iter()
        .flat_map(|all| all.list("untyped"));
    if spaces.any(|space| space.text() == Some(NAMESPACE)) {
        return;
    }
    let message = "mcp-authz is not told for whom an answer is: lists are refused, and sessions \
                   are bound on first use only";
    let help =
        "`metadata_options: {forwarding_namespaces: {untyped: [envoy.filters.http.ext_authz]}}`";
    match config.at(path) {
        Some(field) => report.error(field, message, help),
        None => report.missing(config, message, help),
    }
}

/// What stands in front of `ext_authz` does not know yet which answers are to be looked at.
fn in_front(gate: &Gate<'_, '_>, report: &mut Report) {
    for filter in gate.before() {
        let mut ours = filter.configs(PROCESSOR).into_iter();
        if ours.any(|config| is_ours(gate, config)) {
            let message = "this filter comes before the decision, so that it does not know what \
                           to look at: lists pass whole";
            report.error(
                filter.at,
                message,
                "put it behind ext_authz, in front of the router",
            );
        }
    }
}

/// What becomes of an answer with a value of `response_filter`.
enum Way<'n> {
    /// It is shown by one of these configurations.
    Shown(Vec<Message<'n>>),
    /// It passes, by this filter or by none.
    Passes(Option<Filter<'n>>),
    /// The matcher cannot be evaluated.
    Unknown(Message<'n>),
}

fn coverage(gate: &Gate<'_, '_>, report: &mut Report) {
    let has_any = gate
        .chain
        .filters
        .iter()
        .any(|filter| !filter.configs(PROCESSOR).is_empty());
    if !has_any {
        let message = "no ext_proc filter shows answers to mcp-authz: lists pass whole, and \
                       sessions and tasks are bound on first use only";
        let help = "the composite filter of envoy/envoy.yaml behind ext_authz";
        report.missing(gate.authz.filter.at, message, help);
        return;
    }
    let mut shows_open = true;
    for (code, reads_body) in RESPONSE_FILTERS.into_iter().chain(OPEN_FILTERS) {
        let is_open = OPEN_FILTERS.iter().any(|(open, _)| *open == code);
        let method = METHODS
            .iter()
            .find(|(own, _)| *own == code)
            .and_then(|(_, method)| *method);
        match way(
            gate,
            None,
            Case {
                filter: code,
                method,
            },
        ) {
            Way::Shown(configs) => {
                for config in configs {
                    look_at_heads(config, code, report);
                    if reads_body {
                        look_at_body_mode(config, config.get("processing_mode"), report);
                    }
                }
            }
            Way::Passes(_) | Way::Unknown(_) if is_open => shows_open = false,
            Way::Unknown(predicate) => {
                let message = format!("it cannot be told whether answers marked `{code}` match");
                let help =
                    "match on the metadata `response_filter` of envoy.filters.http.ext_authz";
                report.warn(predicate, message, help);
            }
            Way::Passes(filter) => passes(gate, code, filter, report),
        }
    }
    if !shows_open {
        let message = "not all requests under `limit: {open: N}` are shown to mcp-authz, marked \
                       `stream` or with `+stream` at the end: such a request counts for 10 seconds \
                       and no longer";
        let help = "the matchers `stream` and `+stream` of envoy/envoy.yaml, if a policy has such \
                    limits";
        report.warn_missing(gate.authz.filter.at, message, help);
    }
}

fn passes(gate: &Gate<'_, '_>, code: &str, filter: Option<Filter<'_>>, report: &mut Report) {
    let what = match code {
        "initialize" => "the sessions that they open are bound on first use only",
        "task" => "the tasks that they create are bound on first use only",
        _ => "their lists pass whole",
    };
    let message = format!("no ext_proc filter sees the answers marked `{code}`: {what}");
    let help = "a matcher on `response_filter` as in envoy/envoy.yaml: prefix `list`, `task` and \
                `initialize`";
    let at = filter.map_or(gate.authz.filter.at, |filter| filter.at);
    // By the header alone these cannot be told from others.
    let by_header = filter.is_some_and(|filter| asks_for_header(filter));
    if by_header && matches!(code, "list" | "task") {
        report.warn_missing(at, message, help);
    } else {
        report.missing(at, message, help);
    }
}

fn asks_for_header(filter: Filter<'_>) -> bool {
    let config = filter.at.get("typed_config");
    config.is_some_and(|config| !config.packed("HttpRequestHeaderMatchInput").is_empty())
}

/// The way of an answer through the filters behind `ext_authz`, with the matcher of a route where
/// it has one of its own.
fn way<'n>(gate: &Gate<'_, 'n>, own: Option<Message<'n>>, case: Case<'_>) -> Way<'n> {
    let mut passed = None;
    let mut unknown = None;
    for filter in gate.behind() {
        let configs = filter.configs(PROCESSOR);
        if configs.is_empty() {
            continue;
        }
        let Some(matcher) = own.or_else(|| filter.body.get("xds_matcher")) else {
            return Way::Shown(configs);
        };
        match matcher::evaluate(matcher, case) {
            Hit::Action(action) => {
                let shown = action.packed(PROCESSOR);
                if !shown.is_empty() {
                    return Way::Shown(shown);
                }
                passed = Some(*filter);
            }
            // What stands in the matcher itself runs unless an action skips it.
            Hit::Nothing if stands_in_matcher(filter) => return Way::Shown(configs),
            Hit::Nothing => passed = Some(*filter),
            Hit::Unknown(predicate) => unknown = Some(predicate),
        }
    }
    match unknown {
        Some(predicate) => Way::Unknown(predicate),
        None => Way::Passes(passed),
    }
}

/// Whether a matcher chooses for which requests an `ext_proc` filter is skipped.
fn stands_in_matcher(filter: &Filter<'_>) -> bool {
    let inner = filter.body.at("extension_config.typed_config");
    let inner = inner.and_then(Message::typed);
    inner.is_some_and(|typed| typed.is(PROCESSOR))
}

/// An answer is looked at from its head on, and a request counts as open from its own on.
fn look_at_heads(config: Message<'_>, code: &str, report: &mut Report) {
    let skipped = |path| {
        config
            .at(path)
            .filter(|_| config.has_choice(path, "SKIP", 2))
    };
    if code != "stream"
        && let Some(field) = skipped("processing_mode.response_header_mode")
    {
        let message = "mcp-authz is not shown the head of an answer: it neither filters it nor \
                       binds its session";
        report.error(field, message, "`response_header_mode: SEND`");
    }
    if code.ends_with("stream")
        && let Some(field) = skipped("processing_mode.request_header_mode")
    {
        let message = "a request counts as open once its answer begins, and for 10 seconds at \
                       most until then";
        report.warn(field, message, "`request_header_mode: SEND`");
    }
}

/// Lists are let out piece by piece, as they come.
pub(super) fn look_at_body_mode(
    config: Message<'_>,
    mode: Option<Message<'_>>,
    report: &mut Report,
) {
    let at = mode.unwrap_or(config);
    let is_full = at.has_choice("response_body_mode", "FULL_DUPLEX_STREAMED", 4);
    if mode.is_none() || !is_full {
        let message = "mcp-authz is not shown whole answers as they stream: lists are refused";
        let help = "`response_body_mode: FULL_DUPLEX_STREAMED` and `response_trailer_mode: SEND`";
        match at.get("response_body_mode") {
            Some(field) => report.error(field, message, help),
            None => report.missing(at, message, help),
        }
    } else if !at.has_choice("response_trailer_mode", "SEND", 1) {
        let message = "without the trailers Envoy does not take this body mode, or the end of an \
                       answer gets lost";
        report.missing(at, message, "`response_trailer_mode: SEND`");
    }
}

/// `ext_proc` filters of others.
fn others(gate: &Gate<'_, '_>, report: &mut Report) {
    for (position, filter) in gate.chain.filters.iter().enumerate() {
        let configs = filter.configs(PROCESSOR).into_iter();
        for config in configs.filter(|config| !is_ours(gate, *config)) {
            let behind = position > gate.authz.position;
            let changes = !config.has_choice("processing_mode.request_body_mode", "NONE", 0);
            if behind && changes {
                let message = "another ext_proc filter may change the body after it was judged";
                report.warn(filter.at, message, "put it in front of ext_authz");
            }
            if let Some(field) = config.set("failure_mode_allow") {
                let message = "what this filter guards passes whenever its service is away";
                report.warn(field, message, "`failure_mode_allow: false`");
            }
        }
    }
}

/// What a route says otherwise than the filters: `ExtProcPerRoute` and `CompositePerRoute`.
pub(super) fn look_at_route(gate: &Gate<'_, '_>, config: Message<'_>, report: &mut Report) {
    let Some(typed) = config.typed() else {
        return;
    };
    if typed.is("ext_proc.v3.ExtProcPerRoute") {
        look_at_overrides(typed.body, report);
    } else if let Some(matcher) = typed.body.get("matcher").or(typed.body.get("xds_matcher")) {
        for (code, _) in RESPONSE_FILTERS {
            let method = METHODS.iter().find(|(own, _)| *own == code);
            let method = method.and_then(|(_, method)| *method);
            if let Way::Passes(_) = way(
                gate,
                Some(matcher),
                Case {
                    filter: code,
                    method,
                },
            ) {
                let message =
                    format!("on this route no ext_proc filter sees the answers marked `{code}`");
                let help = "leave the matcher of the route out";
                report.error(config, message, help);
            }
        }
    }
}

fn look_at_overrides(route: Message<'_>, report: &mut Report) {
    if let Some(field) = route.set("disabled") {
        let message = "on this route lists pass whole, and sessions are bound on first use only";
        report.error(field, message, "leave `disabled` out");
    }
    let Some(overrides) = route.get("overrides") else {
        return;
    };
    if let Some(field) = overrides.set("failure_mode_allow") {
        let message = "on this route lists pass whole whenever mcp-authz is slow or away";
        report.error(field, message, "leave it out of `overrides`");
    }
    if let Some(mode) = overrides.get("processing_mode") {
        look_at_body_mode(overrides, Some(mode), report);
        if mode.has_choice("response_header_mode", "SKIP", 2) {
            let message = "on this route mcp-authz is not shown the head of an answer";
            report.error(mode, message, "`response_header_mode: SEND`");
        }
    }
    if overrides.get("metadata_options").is_some() {
        look_at_namespaces(overrides, report);
    }
}
