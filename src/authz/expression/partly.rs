//! What an expression gives where only the target of a call is known: its server, its name and its
//! class, and nothing of the caller or of what is sent.
//!
//! `mcp.class == "read" && args.force` is false for a tool of any other class. For one of `read` it
//! depends on the arguments.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cel::common::types::{CelBool, CelString};
use cel::common::value::CowVal;
use cel::context::VariableResolver;
use cel::{Context, IdedExpr};

use super::depth::children;
use super::environment::ENVIRONMENT;
use super::lookup::Lookup;
use super::precompute::{self, Reference};
use super::{Expression, Variables};
use crate::authz::matching::Match;
use crate::authz::request::{AccessRequest, Resource};

/// The result of an expression for one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::authz) enum Partly {
    /// It is the same for every call.
    Always(Match),
    /// It depends on the call, and on nothing of the target but these parts of the expression: where
    /// they are the same, so is the result for the same call.
    Depends(Box<[Arc<str>]>),
}

impl Expression {
    /// The result for a target of a known class. With `stands_for_others`, its name is none that it
    /// could be compared with.
    pub(in crate::authz) fn partly(
        &self,
        request: &AccessRequest<'_>,
        class: Option<&str>,
        stands_for_others: bool,
    ) -> Partly {
        if !self.traits.reads_target {
            return Partly::Depends(Box::default());
        }
        let Ok(environment) = ENVIRONMENT.as_ref() else {
            return Partly::Always(Match::Indeterminate);
        };
        let target = OfTarget {
            variables: &Variables::new(request, class),
            references: &self.precomputed.references,
            stands_for_others,
            is_uri: matches!(request.resource, Resource::Uri(_) | Resource::Template(_)),
            known: AtomicBool::new(false),
            unknown: AtomicBool::new(false),
        };
        let mut context = Context::with_env(Arc::clone(environment));
        context.set_variable_resolver(&target);
        let (read, found) = target.judge(&self.precomputed.root, &context);
        let is_same = match found.as_deref() {
            Some("true") => Some(Match::Yes),
            Some("false") => Some(Match::No),
            // Whatever else is known has no result.
            Some(_) | None => (!read.unknown).then_some(Match::Indeterminate),
        };
        // Values that are too large for nested loops have no result.
        if let Some(found) = is_same.filter(|_| self.traits.loops <= 1) {
            return Partly::Always(found);
        }
        let mut parts = Vec::new();
        target.parts(&self.precomputed.root, &context, &mut parts);
        Partly::Depends(parts.into())
    }
}

/// What an evaluation asked for.
#[derive(Debug, Clone, Copy)]
struct Read {
    known: bool,
    unknown: bool,
}

/// Only what is known of the target: whatever else is asked for has no value.
struct OfTarget<'e, 'a> {
    variables: &'e Variables<'a>,
    references: &'e [Reference],
    stands_for_others: bool,
    is_uri: bool,
    /// What the evaluation asked for.
    known: AtomicBool,
    unknown: AtomicBool,
}

impl OfTarget<'_, '_> {
    fn judge(&self, node: &IdedExpr, context: &Context<'_, '_>) -> (Read, Option<String>) {
        self.known.store(false, Ordering::Relaxed);
        self.unknown.store(false, Ordering::Relaxed);
        let found = cel::Value::resolve_val(node, context);
        let found = found.ok().map(|value| shown(&value));
        let read = Read {
            known: self.known.load(Ordering::Relaxed),
            unknown: self.unknown.load(Ordering::Relaxed),
        };
        (read, found)
    }

    /// The values of the largest parts that depend on the target alone.
    fn parts(&self, node: &IdedExpr, context: &Context<'_, '_>, parts: &mut Vec<Arc<str>>) {
        let (read, found) = self.judge(node, context);
        if !read.unknown {
            if read.known {
                parts.push(found.unwrap_or_else(|| "no result".to_owned()).into());
            }
            return;
        }
        for child in children(node) {
            self.parts(child, context, parts);
        }
    }

    fn knows(&self, lookup: &Lookup) -> bool {
        match lookup {
            Lookup::Field("mcp", "server" | "class")
            | Lookup::HasField("mcp", "server" | "class" | "name") => true,
            Lookup::Field("mcp", "name") => !self.stands_for_others,
            Lookup::Field("mcp", "uri" | "uri_folded")
            | Lookup::HasField("mcp", "uri" | "uri_folded") => !self.is_uri,
            Lookup::Field(_, _)
            | Lookup::HasField(_, _)
            | Lookup::Header(_)
            | Lookup::HasHeader(_)
            | Lookup::Uri
            | Lookup::Member(_, _)
            | Lookup::Has(_, _)
            | Lookup::Given(_, _) => false,
        }
    }

    fn note(&self, is_known: bool) {
        let read = if is_known { &self.known } else { &self.unknown };
        read.store(true, Ordering::Relaxed);
    }
}

impl VariableResolver for OfTarget<'_, '_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        let number = precompute::reference_number(variable);
        match number.and_then(|number| self.references.get(number)) {
            Some(Reference::Constant(constant)) => Some(CowVal::Borrowed(constant)),
            Some(Reference::Lookup(lookup)) => {
                let is_known = self.knows(lookup);
                self.note(is_known);
                is_known.then(|| self.variables.read(lookup)).flatten()
            }
            None => {
                self.note(false);
                None
            }
        }
    }
}

/// A value as a text, different for different values.
fn shown(value: &CowVal<'_, '_>) -> String {
    if let Some(truth) = value.downcast_ref::<CelBool>() {
        return truth.inner().to_string();
    }
    value.downcast_ref::<CelString<'_>>().map_or_else(
        || format!("{value:?}"),
        |text| format!("text {}", text.inner()),
    )
}
