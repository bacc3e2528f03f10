//! `if`: a CEL expression, checked when it is loaded and evaluated without a way to fail open.
//!
//! Everything that can be known before a request is an error at load: unknown variables, fields
//! and functions, invalid patterns and networks, expressions too deep or too costly. At run time
//! an error, a missing member or a result that is not a truth value is [`Match::Indeterminate`].

mod check;
mod constant;
mod depth;
mod facts;
mod failure;
mod functions;
mod origin;
mod outside;
mod partial;
mod prepare;
mod reading;
mod remarks;
mod whose;

use std::sync::{Arc, LazyLock};

use cel::common::types::CelBool;
use cel::common::value::CowVal;
use cel::context::VariableResolver;
use cel::{Context, DeclarationError, Env};

pub(super) use facts::Facts;
use failure::Failure;
use prepare::{Prepared, Reference};
pub use remarks::{Remark, Sense};

use super::condition::Match;
use super::path::ValuePath;

/// How deep an expression may nest, chains of operators included.
pub const EXPRESSION_DEPTH_MAX: usize = 48;
/// How many loops (`all`, `exists`, `map`, `filter`) may run inside each other.
pub const EXPRESSION_LOOPS_MAX: usize = 2;
/// How many values the arguments or claims may hold for an expression to look at them.
pub const EXPRESSION_VALUES_MAX: usize = 10_000;
/// The same for an expression with loops inside loops.
pub const EXPRESSION_NESTED_VALUES_MAX: usize = 500;
/// How many bytes their texts may have then.
pub const EXPRESSION_NESTED_BYTES_MAX: usize = 32 << 10;
/// How much memory one regular expression may take once it is compiled, in bytes.
pub const EXPRESSION_PATTERN_BYTES_MAX: usize = 1 << 20;

/// A checked CEL expression.
#[derive(Debug, Clone)]
pub struct Expression {
    source: Arc<str>,
    prepared: Arc<Prepared>,
    traits: check::Traits,
    can_fail: bool,
    remarks: Arc<[Remark]>,
    whose: whose::Whose,
    argument_paths: Arc<[ValuePath]>,
}

/// Why a text is not an expression that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct InvalidExpression {
    /// What is wrong.
    pub message: String,
    /// What would be right; may be empty.
    pub help: String,
    /// The character of the expression it is about, from 1, if it is about one.
    pub column: Option<usize>,
}

impl Expression {
    /// Parses and checks a text. This takes a thread of its own, as the parser needs more stack
    /// for each level than a worker thread has for [`EXPRESSION_DEPTH_MAX`] of them.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn compile(source: &str) -> Result<Self, Vec<InvalidExpression>> {
        depth::refuse_depth(source)?;
        let failure = |message: &str| vec![InvalidExpression::new(message, "")];
        std::thread::scope(|scope| {
            let builder = std::thread::Builder::new().stack_size(PARSER_STACK_BYTES);
            let parser = builder.spawn_scoped(scope, || Self::parse(source));
            let parser = parser.map_err(|_| failure("no thread to parse the expression in"))?;
            parser
                .join()
                .map_err(|_| failure("the parser gave up on the expression"))?
        })
    }

    fn parse(source: &str) -> Result<Self, Vec<InvalidExpression>> {
        let environment = ENVIRONMENT.as_ref().map_err(|error| {
            vec![InvalidExpression::new(
                format!("no CEL environment: {error}"),
                "",
            )]
        })?;
        let program = environment.compile(source).map_err(|errors| {
            let one = |error: cel::ParseError| InvalidExpression {
                message: format!("not a CEL expression: {}", error.msg.to_lowercase()),
                help: String::new(),
                column: usize::try_from(error.pos.1)
                    .ok()
                    .filter(|column| *column > 0),
            };
            let mut errors: Vec<_> = errors.errors.into_iter().map(one).collect();
            errors.truncate(1);
            errors
        })?;
        let (traits, constants) = check::check(&program)?;
        let root = program.expression();
        let found = remarks::remarks(root);
        Ok(Expression {
            source: source.into(),
            prepared: Arc::new(prepare::prepare(root, constants)),
            traits,
            can_fail: partial::can_fail(root),
            remarks: found.remarks.into(),
            whose: whose::whose(root),
            argument_paths: found.arguments.into(),
        })
    }

    /// The text as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// Whether its result can depend on the arguments of the call.
    #[must_use]
    pub fn reads_arguments(&self) -> bool {
        self.traits.reads_arguments
    }

    /// Whether its result can depend on what is sent with the call: arguments, answers to the server
    /// and `_meta`.
    #[must_use]
    pub fn reads_call(&self) -> bool {
        self.traits.reads_arguments || self.traits.reads_sent
    }

    /// Whether its result can depend on the TLS peer.
    #[must_use]
    pub fn reads_peer(&self) -> bool {
        self.traits.reads_peer
    }

    /// Whether its result can depend on the country of the source.
    #[must_use]
    pub fn reads_country(&self) -> bool {
        self.traits.reads_country
    }

    /// Whether its result can depend on the class of the tool.
    #[must_use]
    pub fn reads_class(&self) -> bool {
        self.traits.reads_class
    }

    /// Whether its result can depend on the URI of the resource.
    #[must_use]
    pub fn reads_uri(&self) -> bool {
        self.traits.reads_uri
    }

    /// Whether some request may leave it without a result, by what is not there or of another
    /// type. May say yes where none does. Values that servers may read otherwise do not count.
    #[must_use]
    pub fn can_fail(&self) -> bool {
        self.can_fail
    }

    /// Whether it holds for issuers alone that its author named.
    #[must_use]
    pub fn says_whose(&self) -> bool {
        self.whose.is_said
    }

    /// Whether it reads names of the caller that may be those of any issuer. `with_device` tells
    /// whether what is known of the device is among them.
    #[must_use]
    pub fn reads_anybodys_names(&self, with_device: bool) -> bool {
        self.whose.names(with_device).are_read
    }

    /// Whether a caller may make it fail by such a name.
    #[must_use]
    pub fn fails_by_anybodys_names(&self, with_device: bool) -> bool {
        self.whose.names(with_device).make_it_fail
    }

    /// What in it may mean something else than its author thinks.
    #[must_use]
    pub fn remarks(&self) -> &[Remark] {
        &self.remarks
    }

    /// Where it looks into the arguments of the call.
    #[must_use]
    pub fn argument_paths(&self) -> &[ValuePath] {
        &self.argument_paths
    }

    /// Evaluates it over the facts of one request.
    pub(super) fn evaluate(&self, facts: &Facts<'_>) -> Match {
        self.run(facts).map_or(Match::Indeterminate, Match::of)
    }

    /// Why it has no result, for people.
    pub(super) fn no_result(&self, facts: &Facts<'_>) -> Option<String> {
        self.run(facts)
            .err()
            .map(|failure| failure.tell(facts, &self.prepared.references))
    }

    fn run(&self, facts: &Facts<'_>) -> Result<bool, Failure> {
        let Ok(environment) = ENVIRONMENT.as_ref() else {
            return Err(Failure::NotTrueOrFalse);
        };
        if self.traits.loops > 1 && facts.are_too_much_for_nested_loops() {
            return Err(Failure::TooMuch);
        }
        let scope = Scope {
            facts,
            references: &self.prepared.references,
        };
        let mut context = Context::with_env(Arc::clone(environment));
        context.set_variable_resolver(&scope);
        let result = cel::Value::resolve_val(&self.prepared.root, &context);
        let result = result.map_err(Failure::Error)?;
        let truth = result.downcast_ref::<CelBool>();
        truth.map_or(Err(Failure::NotTrueOrFalse), |truth| Ok(*truth.inner()))
    }
}

/// The variables of one expression for one request.
struct Scope<'e, 'a> {
    facts: &'e Facts<'a>,
    references: &'e [Reference],
}

impl VariableResolver for Scope<'_, '_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        let Some(number) = prepare::reference_number(variable) else {
            return self.facts.resolve(variable);
        };
        match self.references.get(number)? {
            Reference::Constant(constant) => Some(CowVal::Borrowed(constant)),
            Reference::Reading(reading) => self.facts.read(reading),
        }
    }
}

impl InvalidExpression {
    fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        InvalidExpression {
            message: message.into(),
            help: help.into(),
            column: None,
        }
    }
}

/// Enough for [`EXPRESSION_DEPTH_MAX`] levels in an unoptimized build.
const PARSER_STACK_BYTES: usize = 16 << 20;

/// CEL's standard set without optional values, our functions, and what operators over values from
/// outside become.
static ENVIRONMENT: LazyLock<Result<Arc<Env>, DeclarationError>> = LazyLock::new(|| {
    let mut environment = Env::stdlib().with_optional_support(false);
    functions::declare(&mut environment)?;
    outside::declare(&mut environment)?;
    Ok(Arc::new(environment))
});

#[cfg(test)]
mod tests;
