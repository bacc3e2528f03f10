//! `if`: a CEL expression, checked at load and evaluated so that it cannot fail open.
//!
//! Whatever can be detected before a request is an error at load: unknown variables, fields and
//! functions, invalid patterns and networks, expressions too deep or too costly. At run time an
//! error, a missing member or a result that is not a boolean is [`Match::Indeterminate`].

mod asked;
mod bare_dots;
mod cel_value;
mod check;
mod comparisons;
mod constant;
mod dead;
mod depth;
mod environment;
mod error;
mod failure;
mod functions;
mod issuer_names;
mod limits;
mod lookup;
mod misfits;
mod name_cases;
mod origin;
mod outside;
mod partly;
mod passing;
mod precompute;
mod proposals;
mod remarks;
mod request_path;
mod shown;
mod substitutes;
mod tested;
mod totality;
mod types;
mod typing;
mod variables;
mod vocabulary;

use std::sync::Arc;

use cel::Context;
use cel::common::types::CelBool;
use cel::common::value::CowVal;
use cel::context::VariableResolver;

pub use asked::Asked;
pub use comparisons::PathStep;
pub use error::InvalidExpression;
pub use limits::{
    EXPRESSION_DEPTH_MAX, EXPRESSION_LOOPS_MAX, EXPRESSION_NESTED_BYTES_MAX,
    EXPRESSION_NESTED_VALUES_MAX, EXPRESSION_PATTERN_BYTES_MAX, EXPRESSION_VALUES_MAX,
};
pub use name_cases::{NameCase, NameFact};
pub(super) use partly::Partly;
pub use remarks::{Remark, Sense};
pub use tested::{ArgumentTest, MemberRead, NameKind, NameTest, TestedValue};
pub(super) use variables::Variables;

use super::matching::Match;
use environment::ENVIRONMENT;
use failure::Failure;
use precompute::{Precomputed, Reference};

/// A checked CEL expression.
#[derive(Debug, Clone)]
pub struct Expression {
    source: Arc<str>,
    precomputed: Arc<Precomputed>,
    traits: check::Traits,
    failures: Arc<totality::Failures>,
    untestable: Arc<[String]>,
    remarks: Arc<[Remark]>,
    issuer_names: issuer_names::IssuerNames,
    asked: Arc<Asked>,
    member_reads: Arc<[MemberRead]>,
    argument_tests: Arc<[ArgumentTest]>,
    name_tests: Arc<[NameTest]>,
    name_cases: Arc<[NameCase]>,
    dead: Option<Arc<InvalidExpression>>,
    passing: Arc<[String]>,
}

/// How much memory a character of an expression takes once it is parsed.
const PARSED_BYTES: usize = 16;

impl Expression {
    /// Parses and checks a text. The parser runs on a thread of its own, because for
    /// [`EXPRESSION_DEPTH_MAX`] levels it needs more stack than a worker thread has.
    ///
    /// # Errors
    /// Every fault of the expression.
    pub fn compile(source: &str) -> Result<Self, Vec<InvalidExpression>> {
        depth::refuse_depth(source)?;
        on_parser_stack(|| Self::parse(source)).unwrap_or_else(|| {
            let message = "the parser gave up on the expression";
            Err(vec![InvalidExpression::new(message, "")])
        })
    }

    fn parse(source: &str) -> Result<Self, Vec<InvalidExpression>> {
        let environment = ENVIRONMENT.as_ref().map_err(|error| {
            vec![InvalidExpression::new(
                format!("cannot create the CEL environment: {error}"),
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
        let mut errors = typing::type_errors(&program);
        let compared = comparisons::comparisons(program.expression());
        errors.extend(misfits::misfits(&program, &compared));
        if !errors.is_empty() {
            return Err(errors);
        }
        let root = program.expression();
        Ok(Expression {
            source: source.into(),
            precomputed: Arc::new(precompute::precompute(root, constants)),
            traits,
            failures: Arc::new(totality::failures(root, &[])),
            untestable: totality::untestable(root).into(),
            remarks: remarks::remarks(root).into(),
            issuer_names: issuer_names::issuer_names(root),
            asked: Arc::new(asked::asked(root)),
            member_reads: tested::member_reads(&program, &compared).into(),
            argument_tests: tested::argument_tests(&program, &compared).into(),
            name_tests: tested::name_tests(&program, &compared).into(),
            name_cases: name_cases::name_cases(&program).into(),
            dead: dead::dead_condition(&program).map(Arc::new),
            passing: passing::passing(root).into(),
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

    /// Whether its result can depend on what the client sends with the call: arguments, answers to
    /// the server and `_meta`.
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

    /// Whether its result can depend on the posture of the device.
    #[must_use]
    pub fn reads_device(&self) -> bool {
        self.traits.reads_device
    }

    /// How much memory it takes, at most, as far as its author can make it large.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let parsed = self.source.len().saturating_mul(PARSED_BYTES);
        self.traits.pattern_bytes.saturating_add(parsed)
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

    /// Whether some request may leave it without a result, because a value is missing or of another
    /// type. May be true even if no request does. Values that servers may read differently do not
    /// count.
    #[must_use]
    pub fn can_fail(&self) -> bool {
        self.failures.are_possible()
    }

    /// What it asks of the caller and of the surroundings of the call.
    #[must_use]
    pub fn asked(&self) -> &Asked {
        &self.asked
    }

    /// Whether it holds only for issuers that its author named.
    #[must_use]
    pub fn says_whose(&self) -> bool {
        self.issuer_names.is_said
    }

    /// Whether it reads names of the caller that any issuer may have given. `with_device` includes
    /// the facts about the device.
    #[must_use]
    pub fn reads_anybodys_names(&self, with_device: bool) -> bool {
        self.issuer_names.names(with_device).are_read
    }

    /// Whether a caller may make it fail by having such a name.
    #[must_use]
    pub fn fails_by_anybodys_names(&self, with_device: bool) -> bool {
        self.issuer_names.names(with_device).make_it_fail
    }

    /// The parts that may mean something other than their author thinks.
    #[must_use]
    pub fn remarks(&self) -> &[Remark] {
        &self.remarks
    }

    /// The arguments of the call and the claims that it reads.
    #[must_use]
    pub fn member_reads(&self) -> &[MemberRead] {
        &self.member_reads
    }

    /// Its comparisons of arguments with literals.
    #[must_use]
    pub fn argument_tests(&self) -> &[ArgumentTest] {
        &self.argument_tests
    }

    /// Its tests of names, of the policy's tables, of the configuration or of an issuer.
    #[must_use]
    pub fn name_tests(&self) -> &[NameTest] {
        &self.name_tests
    }

    /// The ways in which it holds, as far as they depend on names. It may hold in fewer.
    #[must_use]
    pub fn name_cases(&self) -> &[NameCase] {
        &self.name_cases
    }

    /// Why it, or a part of it, is the same for every request, if it is.
    #[must_use]
    pub fn dead(&self) -> Option<&InvalidExpression> {
        self.dead.as_deref()
    }

    /// The paths whose absence leaves it without a result, unless they are among `known` or lead to
    /// one of them.
    #[must_use]
    pub fn absent(&self, known: &[String]) -> Vec<&str> {
        let is_known = |path: &str| known.iter().any(|own| proposals::is_within(own, path));
        let absent = self.failures.absent.iter().map(String::as_str);
        absent.filter(|path| !is_known(path)).collect()
    }

    /// What may be absent, and for which no test in front of the expression helps.
    #[must_use]
    pub fn untestable(&self) -> &[String] {
        &self.untestable
    }

    /// The paths whose presence it tests before it compares them for what they are not, so that it
    /// fails without them.
    #[must_use]
    pub fn passing(&self) -> &[String] {
        &self.passing
    }

    /// The expression that also holds where a path that it reads is absent, and otherwise gives what
    /// this one gives. `known` are paths that are present.
    #[must_use]
    pub fn holding_if_absent(&self, known: &[String]) -> Option<String> {
        on_parser_stack(|| proposals::holding_if_absent(&self.source, known))?
    }

    /// The expression that also holds without these paths, whose presence this one tests.
    #[must_use]
    pub fn holding_without(&self, paths: &[String]) -> Option<String> {
        on_parser_stack(|| proposals::holding_without(&self.source, paths))?
    }

    /// Evaluates it with the variables of one request.
    pub(super) fn evaluate(&self, variables: &Variables<'_>) -> Match {
        self.run(variables).map_or(Match::Indeterminate, Match::of)
    }

    /// Explains in words why it has no result, and again without any text of the request.
    pub(super) fn no_result(&self, variables: &Variables<'_>) -> Option<(String, String)> {
        self.run(variables)
            .err()
            .map(|failure| failure.tell(variables, &self.precomputed.references))
    }

    fn run(&self, variables: &Variables<'_>) -> Result<bool, Failure> {
        let Ok(environment) = ENVIRONMENT.as_ref() else {
            return Err(Failure::NotTrueOrFalse);
        };
        if self.traits.loops > 1 && variables.are_too_much_for_nested_loops() {
            return Err(Failure::TooMuch);
        }
        let scope = Resolver {
            variables,
            references: &self.precomputed.references,
        };
        let mut context = Context::with_env(Arc::clone(environment));
        context.set_variable_resolver(&scope);
        let result = cel::Value::resolve_val(&self.precomputed.root, &context);
        let result = result.map_err(Failure::Error)?;
        let truth = result.downcast_ref::<CelBool>();
        truth.map_or(Err(Failure::NotTrueOrFalse), |truth| Ok(*truth.inner()))
    }
}

/// The variables of one expression for one request.
struct Resolver<'e, 'a> {
    variables: &'e Variables<'a>,
    references: &'e [Reference],
}

impl VariableResolver for Resolver<'_, '_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        let Some(number) = precompute::reference_number(variable) else {
            return self.variables.resolve(variable);
        };
        match self.references.get(number)? {
            Reference::Constant(constant) => Some(CowVal::Borrowed(constant)),
            Reference::Lookup(lookup) => self.variables.read(lookup),
        }
    }
}

/// Runs what parses an expression on a thread with enough stack, if there can be one.
fn on_parser_stack<T: Send>(work: impl FnOnce() -> T + Send) -> Option<T> {
    std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().stack_size(PARSER_STACK_BYTES);
        let parser = builder.spawn_scoped(scope, work).ok()?;
        parser.join().ok()
    })
}

/// Enough for [`EXPRESSION_DEPTH_MAX`] levels in an unoptimized build.
const PARSER_STACK_BYTES: usize = 16 << 20;

#[cfg(test)]
mod tests;
