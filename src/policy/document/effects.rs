//! The effects of rules: `effect`, `mode`, `needs` and `limit`.

use std::sync::Arc;

use crate::authz::{Effect, Limit, Mode, Needs, OpenLimit};
use crate::yaml::{Fields, Findings, Node, boolean, choice, duration, integer, list, string};

use super::belonging::finish;
use super::block::{error_at_start, open};
use super::when::AGES;
use super::why::{PERIODS, read_by};

/// The largest number of calls in a limit.
const CALLS_MAX: u64 = 1_000_000;

/// The largest number of open requests in a limit.
const OPEN_MAX: u64 = 10_000;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum EffectName {
    Allow,
    Deny,
    Require,
    Limit,
}

impl EffectName {
    pub(super) const WORDS: [(&str, EffectName); 4] = [
        ("allow", EffectName::Allow),
        ("deny", EffectName::Deny),
        ("require", EffectName::Require),
        ("limit", EffectName::Limit),
    ];
}

pub(super) fn read_mode(node: &Node, findings: &mut Findings) -> Option<Mode> {
    choice(&[("enforce", Mode::Enforce), ("shadow", Mode::Shadow)])(node, findings)
}

/// The blocks that belong to a single effect.
#[derive(Clone, Copy)]
pub(super) struct Blocks<'n> {
    pub(super) needs: Option<&'n Node>,
    pub(super) limit: Option<&'n Node>,
    pub(super) set: Option<&'n Node>,
}

pub(super) fn complete(
    effect: EffectName,
    rule: &Node,
    blocks: Blocks<'_>,
    findings: &mut Findings,
) -> Option<Effect> {
    for (node, owner, message) in [
        (
            blocks.needs,
            EffectName::Require,
            "`needs` belongs to require rules",
        ),
        (
            blocks.set,
            EffectName::Allow,
            "`set` belongs to allow rules",
        ),
        (
            blocks.limit,
            EffectName::Limit,
            "`limit` belongs to limit rules",
        ),
    ] {
        let owned = effect == owner;
        if let Some(node) = node.filter(|_| !owned) {
            let words = EffectName::WORDS.iter().find(|(_, name)| *name == owner);
            let word = words.map_or("", |(word, _)| word);
            findings.error(node, message, format!("`effect: {word}`"));
            return None;
        }
    }
    match (effect, blocks.needs, blocks.limit) {
        (EffectName::Allow, ..) => Some(Effect::Allow),
        (EffectName::Deny, ..) => Some(Effect::Deny),
        (EffectName::Require, Some(node), _) => read_needs(node, findings).map(Effect::Require),
        (EffectName::Limit, _, Some(node)) => read_limit(node, findings),
        (EffectName::Require, None, _) => {
            let help = "such as `needs: {scopes: [name]}`";
            let message = "a require rule must say what it `needs`";
            error_at_start(rule, message, help, findings);
            None
        }
        (EffectName::Limit, _, None) => {
            let help = "such as `limit: {calls: 30, per: 1m, by: [subject]}`, or `limit: {open: 20, \
                        by: [subject]}`";
            let message = "a limit rule must say its `limit`";
            error_at_start(rule, message, help, findings);
            None
        }
    }
}

fn read_needs(node: &Node, findings: &mut Findings) -> Option<Needs> {
    let mut fields = open(node, "`needs`", findings)?;
    let scopes = fields.optional("scopes", findings, |node, findings| {
        list(node, findings, |node, findings| {
            read_token(node, "a scope", findings)
        })
    });
    let acr = fields.optional("acr", findings, |node, findings| {
        list(node, findings, |node, findings| {
            read_token(node, "an `acr` value", findings)
        })
    });
    let auth_age_max = fields.optional("auth_age_max", findings, duration(AGES));
    let proof_node = fields.node_of("sender_constrained");
    let proof = proof_node.and_then(|node| boolean(node, findings));
    finish(fields, "needs", findings);
    if let (Some(node), Some(false)) = (proof_node, proof) {
        let help = "leave the key out";
        findings.error(node, "`sender_constrained` can only be `true`", help);
    }
    Some(Needs {
        scopes: scopes.unwrap_or_default().into(),
        acr: acr.unwrap_or_default().into(),
        auth_age_max,
        sender_constrained: proof.unwrap_or(false),
    })
}

/// A token for a space-separated list in a challenge: a scope as in RFC 6749 §3.3, or an `acr`
/// value of the same form.
fn read_token(node: &Node, what: &str, findings: &mut Findings) -> Option<Arc<str>> {
    let text = string(node, findings)?;
    let good = text
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\');
    if !good {
        let help = "visible ASCII without spaces, quotes and backslashes; one for each item";
        findings.error(node, format!("`{text}` is not {what}"), help);
    }
    good.then(|| text.into())
}

fn read_limit(node: &Node, findings: &mut Findings) -> Option<Effect> {
    let mut fields = Fields::open(node, "`limit`", findings)?;
    if let Some(places) = fields.node_of("open") {
        return read_open_limit(places, fields, findings).map(Effect::Open);
    }
    let number = |value: u64| u32::try_from(value).ok();
    let count = integer(1..=CALLS_MAX);
    let calls = fields.required("calls", findings, &count).and_then(number);
    let per = fields.required("per", findings, duration(PERIODS));
    let by = fields.required("by", findings, read_by);
    let burst = fields.optional("burst", findings, &count).and_then(number);
    finish(fields, "limit", findings);
    let calls = calls?;
    Some(Effect::Limit(Limit {
        calls,
        per: per?,
        by: by?,
        burst: burst.unwrap_or(calls),
    }))
}

fn read_open_limit(
    places: &Node,
    mut fields: Fields<'_>,
    findings: &mut Findings,
) -> Option<OpenLimit> {
    let most = integer(1..=OPEN_MAX)(places, findings);
    let by = fields.required("by", findings, read_by);
    for key in ["calls", "per", "burst"] {
        if let Some(node) = fields.node_of(key) {
            let help = "use two rules for both";
            let message = format!("a limit has either `open` or `{key}`");
            findings.error(node, message, help);
        }
    }
    finish(fields, "limit", findings);
    Some(OpenLimit {
        most: most.and_then(|most| u32::try_from(most).ok())?,
        by: by?,
    })
}
