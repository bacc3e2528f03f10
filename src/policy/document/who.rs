//! `who`: callers, by the names that their issuers give them.

use std::sync::Arc;

use crate::authz::{Names, Who};
use crate::yaml::{Fields, Findings, Node, boolean, list, name};

use super::belonging::finish;
use super::block::{exact_names, open};
use super::values::read_facts;

pub(super) fn read_who(node: &Node, findings: &mut Findings) -> Option<Who> {
    let mut fields = open(node, "`who`", findings)?;
    let anyone = fields.node_of("anyone");
    let mut who = who_fields(&mut fields, findings);
    who.not = fields.optional("not", findings, read_who_not).map(Box::new);
    finish(fields, "who", findings);
    if let Some(anyone) = anyone {
        if boolean(anyone, findings) == Some(false) {
            findings.error(anyone, "`anyone` can only be `true`", "leave the key out");
        }
        let plain = Who {
            not: None,
            ..who.clone()
        };
        if plain != Who::default() {
            let help = "leave `anyone` out, or the other keys";
            findings.error(
                anyone,
                "`anyone` excludes other selectors over the caller",
                help,
            );
        }
    }
    Some(who)
}

fn read_who_not(node: &Node, findings: &mut Findings) -> Option<Who> {
    let mut fields = open(node, "`not`", findings)?;
    let who = who_fields(&mut fields, findings);
    finish(fields, "who", findings);
    Some(who)
}

fn who_fields(fields: &mut Fields<'_>, findings: &mut Findings) -> Who {
    Who {
        issuers: fields.optional("issuers", findings, exact_names),
        subjects: fields.optional("subjects", findings, exact_names),
        groups: fields.optional("groups", findings, exact_names),
        roles: fields.optional("roles", findings, exact_names),
        scopes: fields.optional("scopes", findings, scopes),
        tenants: fields.optional("tenants", findings, exact_names),
        agents: fields.optional("agents", findings, exact_names),
        peers: fields.optional("peers", findings, exact_names),
        claims: fields
            .optional("claims", findings, |node, findings| {
                read_facts(node, "`claims`", findings)
            })
            .unwrap_or_default(),
        not: None,
    }
}

/// Scopes, each without a blank: several of them are several items (RFC 6749 §3.3).
fn scopes(node: &Node, findings: &mut Findings) -> Option<Names> {
    let read = list(node, findings, |node, findings| {
        let text = name(node, findings)?;
        if text.contains(' ') {
            let help = "one for each item of the list";
            findings.error(node, format!("`{text}` is not a scope"), help);
            return None;
        }
        Some(Arc::from(text))
    });
    read.map(Box::from)
}
