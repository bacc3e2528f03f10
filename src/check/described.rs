//! What a record says of what a request asks for: of several targets, of the one that decides. A call
//! inside a call is shown beside the outer one.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::decision::RequestDecision;
use super::parse::ParsedRequest;
use crate::audit::{Arguments, InnerCall, Record};
use crate::authz::Decision;
use crate::mcp::{Message, Nesting, Refusal, Target};

/// The message that a target is of, and which targets of the request a record shows for it.
struct Shown<'p> {
    message: &'p Message<'p>,
    /// The targets of the message.
    targets: SmallVec<[Target<'p>; 1]>,
    /// The first target of the message.
    first: usize,
    /// The target itself; of a call inside a call, the outer one.
    outer: usize,
    /// The call inside it: the target itself, or else the first.
    inner: Option<usize>,
}

impl<'p> Shown<'p> {
    /// What is shown for the target of this number.
    fn of(parsed: &'p ParsedRequest<'_>, target: usize) -> Option<Self> {
        let mut first: usize = 0;
        for message in parsed.messages() {
            let targets = message.targets();
            let Some(found) = targets.get(target.saturating_sub(first)) else {
                first = first.saturating_add(targets.len());
                continue;
            };
            let (outer, inner) = match found.nesting {
                Nesting::None | Nesting::Unreadable(_) => (target, None),
                Nesting::Outer => (target, Some(target.saturating_add(1))),
                Nesting::FirstInner | Nesting::Inner => (first, Some(target)),
            };
            return Some(Shown {
                message,
                targets,
                first,
                outer,
                inner,
            });
        }
        None
    }
}

/// Records what is asked for.
pub(super) fn describe(record: &mut Record, parsed: &ParsedRequest<'_>, decisive: usize) {
    let Some(shown) = Shown::of(parsed, decisive) else {
        return;
    };
    let (message, targets) = (shown.message, &shown.targets);
    let at = |index: usize| targets.get(index.saturating_sub(shown.first));
    let Some(target) = at(shown.outer) else {
        return;
    };
    let is_cut = &mut record.is_cut;
    record.method = Some(match message.entry {
        Some(entry) => Cow::Borrowed(entry.name),
        None => Cow::Owned(Record::text(&message.method, is_cut)),
    });
    record.name = target.name.map(|name| Record::shared(name, is_cut));
    let inner = shown.inner.and_then(at);
    let arguments = match inner {
        Some(_) => Arguments::brief,
        None => Arguments::of,
    };
    record.arguments = target.arguments.map(arguments);
    record.inner = inner.map(|inner| {
        let all = targets.iter().filter(|one| one.nesting.is_inner());
        let mut names: Vec<_> = all
            .filter_map(|one| one.name)
            .map(|name| Record::shared(name, is_cut))
            .collect();
        if names.len() == 1 {
            names.clear();
        }
        InnerCall {
            name: Record::shared(inner.name.unwrap_or_default(), is_cut),
            class: None,
            arguments: inner.arguments.map(Arguments::brief),
            names,
        }
    });
}

/// What is at fault, where a denial can say it: names of the configuration, of the policy and of the
/// schema of a tool, and never a value.
pub(super) fn detail(decided: &RequestDecision) -> Option<String> {
    if let Some(header) = decided.header_fault.as_ref().and_then(Refusal::header) {
        return Some(header.as_str().to_owned());
    }
    let Some(Decision::Deny(denial)) = &decided.decision else {
        return None;
    };
    let misfit = decided.misfit.as_ref();
    if let Some(misfit) = misfit.filter(|misfit| misfit.reason() == denial.reason) {
        let (place, kind) = (misfit.place(), misfit.kind());
        return Some(match place {
            "" => kind.to_owned(),
            _ => format!("{place}: {kind}"),
        });
    }
    let wanted = &decided.claims_wanted;
    let lists = [
        ("absent", &wanted.absent),
        ("empty", &wanted.empty),
        ("unknown", &wanted.unknown),
    ];
    let lists = lists.iter().filter(|(_, names)| !names.is_empty());
    let claims = lists.map(|(how, names)| format!("claim {how}: {}", names.join(", ")));
    // A claim that is named already would be named again for each rule.
    let rules = decided.undecided.iter();
    let rules = rules.filter(|_| wanted.unknown.is_empty());
    let rules = rules.map(|one| format!("{}: {}", one.rule, one.facts.join(", ")));
    let told: Vec<_> = claims.chain(rules).collect();
    (!told.is_empty()).then(|| told.join("; "))
}

/// Records the classes of the tools that are shown.
pub(super) fn classify(record: &mut Record, parsed: &ParsedRequest<'_>, decided: &RequestDecision) {
    // Without a call inside it, the target that decides is the one that is shown.
    let inside = record.inner.as_ref();
    let shown = inside.and_then(|_| Shown::of(parsed, decided.decisive));
    let outer = shown.as_ref().map_or(decided.decisive, |shown| shown.outer);
    record.class = decided.class_of(outer).cloned();
    if let Some(inner) = &mut record.inner {
        let at = shown.and_then(|shown| shown.inner);
        inner.class = at.and_then(|at| decided.class_of(at)).cloned();
    }
}
