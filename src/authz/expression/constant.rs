//! Constants of an expression, compiled at load: patterns, networks and operations.

use std::any::Any;
use std::fmt;
use std::net::IpAddr;

use cel::common::types::Type;
use cel::common::value::{StaticVal, Val};
use ipnet::IpNet;
use regex::{Regex, RegexBuilder};

use super::error::InvalidExpression;
use super::limits::EXPRESSION_PATTERN_BYTES_MAX;
use super::outside::Operation;
use crate::authz::glob::Glob;
use crate::authz::selectors::canonical_network;

pub(super) const IP_IN: &str = "ip_in";
pub(super) const GLOB: &str = "glob";
pub(super) const MATCHES: &str = "matches";
pub(super) const GIVEN: &str = "given";

/// The size limit of a pattern's lazy DFA cache, in bytes for each thread. Beyond it, a slower
/// engine matches the pattern.
const PATTERN_CACHE_BYTES_MAX: usize = 256 << 10;

/// The compiled last argument of a function.
#[derive(Clone)]
pub(super) enum Constant {
    /// A regular expression, and how much memory it takes, at most.
    Pattern(Regex, usize),
    /// A network.
    Network(IpNet),
    /// A pattern over names.
    Glob(Glob),
    /// An operation over external values.
    Operation(Operation),
}

/// Its type in CEL, which only our functions accept.
pub(super) static CONSTANT_TYPE: Type = Type::new_unspecified_type("@constant");

/// What a small pattern takes.
const PATTERN_BYTES_MIN: usize = 4 << 10;

impl Constant {
    /// Compiles the last argument of a function, if the function takes a compiled one.
    pub(super) fn compile(function: &str, text: &str) -> Result<Option<Self>, InvalidExpression> {
        Ok(match function {
            IP_IN => {
                let network = parse_network(text).ok_or_else(|| {
                    let message = format!("`{text}` is not a network");
                    InvalidExpression::new(message, "a network such as `10.0.0.0/8`")
                })?;
                Some(Constant::Network(network))
            }
            GLOB => {
                let glob = Glob::name(text);
                let glob = glob.map_err(|error| InvalidExpression::new(error.to_string(), ""))?;
                Some(Constant::Glob(glob))
            }
            MATCHES => {
                let (pattern, bytes) = compile_pattern(text)?;
                Some(Constant::Pattern(pattern, bytes))
            }
            _ => None,
        })
    }

    /// How much memory a regular expression takes, at most; other constants are about as large as
    /// they are written.
    pub(super) fn pattern_bytes(&self) -> usize {
        match self {
            Constant::Pattern(_, bytes) => *bytes,
            Constant::Network(_) | Constant::Glob(_) | Constant::Operation(_) => 0,
        }
    }
}

/// Compiles a pattern, and finds how much memory it takes: no more than the first limit that it fits
/// in. Those that it does not fit in end early, and take about as long together as the last one.
fn compile_pattern(text: &str) -> Result<(Regex, usize), InvalidExpression> {
    let build = |limit: usize| {
        RegexBuilder::new(text)
            .size_limit(limit)
            .dfa_size_limit(PATTERN_CACHE_BYTES_MAX)
            .build()
    };
    let mut limit = PATTERN_BYTES_MIN;
    let pattern = loop {
        match build(limit) {
            Err(regex::Error::CompiledTooBig(_)) if limit < EXPRESSION_PATTERN_BYTES_MAX => {
                limit = limit.saturating_mul(2).min(EXPRESSION_PATTERN_BYTES_MAX);
            }
            result => break result,
        }
    };
    pattern
        .map(|pattern| (pattern, limit))
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => InvalidExpression::new(
                format!(
                    "`{text}` takes more than {} KiB once it is compiled",
                    EXPRESSION_PATTERN_BYTES_MAX >> 10
                ),
                "use fewer repetitions, or ASCII: `[0-9]` instead of `\\d`",
            ),
            regex::Error::Syntax(_) | _ => InvalidExpression::new(
                format!("`{text}` is not a regular expression"),
                "RE2 syntax",
            ),
        })
}

impl fmt::Debug for Constant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Constant::Pattern(pattern, _) => formatter.write_str(pattern.as_str()),
            Constant::Network(network) => fmt::Display::fmt(network, formatter),
            Constant::Glob(glob) => formatter.write_str(glob.as_str()),
            Constant::Operation(operation) => fmt::Debug::fmt(operation, formatter),
        }
    }
}

impl Val for Constant {
    fn get_type(&self) -> &Type {
        &CONSTANT_TYPE
    }

    fn cel_type() -> &'static Type {
        &CONSTANT_TYPE
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
        Box::new(self.clone())
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

impl StaticVal for Constant {}

/// Parses a network for `ip_in`.
pub(super) fn parse_network(text: &str) -> Option<IpNet> {
    let network = text.parse::<IpNet>().ok();
    let network = network.or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    network.map(canonical_network)
}
