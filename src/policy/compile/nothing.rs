//! Refuses blocks of which `not` takes all that the rest of the block selects.

use crate::authz::{Glob, What, When, Where, Who, Why};
use crate::policy::blocks::{covers_what, covers_when, covers_where, covers_who, covers_why};
use crate::policy::document::{RuleDocument, WhatDocument};
use crate::yaml::{Findings, Node};

/// Refuses the blocks of a rule that select nothing.
pub(super) fn refuse_nothing(rule: &RuleDocument<'_>, findings: &mut Findings) {
    let who = rule.who.as_ref().is_some_and(|who| {
        let rest = Who {
            not: None,
            ..who.clone()
        };
        leaves_nothing(who.not.as_deref(), &rest, covers_who)
    });
    let when = rule.when.as_ref().is_some_and(|when| {
        let rest = When {
            not: None,
            ..when.clone()
        };
        leaves_nothing(when.not.as_deref(), &rest, covers_when)
    });
    let place = rule.place.as_ref().is_some_and(|place| {
        let rest = Where {
            not: None,
            ..place.clone()
        };
        leaves_nothing(place.not.as_deref(), &rest, covers_where)
    });
    let why = rule.why.as_ref().is_some_and(|read| {
        let rest = Why {
            not: None,
            ..read.why.clone()
        };
        leaves_nothing(read.why.not.as_deref(), &rest, covers_why)
    });
    for (key, is_nothing) in [("who", who), ("when", when), ("where", place), ("why", why)] {
        if is_nothing {
            refuse(rule.node.member(key), findings);
        }
    }
    for what in rule
        .what
        .iter()
        .chain(rule.why.iter().flat_map(|why| &why.counted))
    {
        refuse_no_call(what, findings);
    }
}

fn refuse_no_call(read: &WhatDocument<'_>, findings: &mut Findings) {
    let mut rest = What {
        not: None,
        ..read.what.clone()
    };
    let is_any = |glob: &Glob| glob.as_str() == "*";
    let not = read.what.not.as_deref();
    let takes_tools = not.and_then(|not| not.tools.as_deref());
    // Whoever names classes selects tools, whatever they are called.
    if rest.tools.is_none() && takes_tools.is_some_and(|globs| globs.iter().any(is_any)) {
        rest.tools = Glob::name("*").ok().map(|any| [any].into());
    }
    if leaves_nothing(read.what.not.as_deref(), &rest, covers_what) {
        refuse(read.node, findings);
    }
}

/// Whether `not` takes all of the rest.
fn leaves_nothing<B: Default + PartialEq>(
    not: Option<&B>,
    rest: &B,
    covers: impl Fn(&B, &B) -> bool,
) -> bool {
    not.is_some_and(|not| *not != B::default() && covers(not, rest))
}

fn refuse(block: Option<&Node>, findings: &mut Findings) {
    let Some(node) = block.and_then(|block| block.member("not")) else {
        return;
    };
    let message = "`not` takes all that the block selects, so this never matches";
    let help = "leave `not` out, or narrow it";
    findings.error(node, message, help);
}
