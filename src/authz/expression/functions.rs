//! The functions that policies have in addition to CEL's standard set.

use std::net::IpAddr;

use cel::common::types::{CelString, STRING_TYPE};
use cel::common::value::CowVal;
use cel::{DeclarationError, Env, ExecutionError};

use super::cel_value::truth;
use super::constant::{CONSTANT_TYPE, Constant, GLOB, IP_IN, MATCHES, parse_network};
use crate::authz::glob::Glob;

/// Declares `ip_in(string, string)` and `glob(string, string)`, and their forms and those of
/// `matches` with a compiled last argument.
pub(super) fn declare(environment: &mut Env) -> Result<(), DeclarationError> {
    let strings = || vec![STRING_TYPE, STRING_TYPE];
    environment.add_overload(IP_IN, "ip_in_string_string", strings(), |arguments| {
        let (address, network) = two_strings(&arguments, IP_IN)?;
        let address: IpAddr = address
            .parse()
            .map_err(|_| failure(IP_IN, "not an address"))?;
        let network = parse_network(network).ok_or_else(|| failure(IP_IN, "not a network"))?;
        Ok(truth(network.contains(&address.to_canonical())))
    })?;
    environment.add_overload(GLOB, "glob_string_string", strings(), |arguments| {
        let (text, pattern) = two_strings(&arguments, GLOB)?;
        let pattern = Glob::name(pattern).map_err(|error| failure(GLOB, &error.to_string()))?;
        Ok(truth(pattern.matches(text)))
    })?;
    let compiled = || vec![STRING_TYPE, CONSTANT_TYPE.to_owned()];
    for name in [IP_IN, GLOB, MATCHES] {
        let id = format!("{name}_string_constant");
        environment.add_overload(name, &id, compiled(), apply)?;
    }
    let pattern = vec![CONSTANT_TYPE.to_owned()];
    let id = "string_matches_constant";
    environment.add_member_overload(MATCHES, id, STRING_TYPE, pattern, apply)
}

/// Applies a compiled constant to a text. Each kind of constant belongs to one function, so its
/// kind determines the function.
#[expect(clippy::needless_pass_by_value, reason = "CEL requires this signature")]
fn apply<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let [text, constant] = arguments.as_slice() else {
        return Err(failure(MATCHES, "not two arguments"));
    };
    let text = text.downcast_ref::<CelString<'_>>();
    let constant = constant.downcast_ref::<Constant>();
    let (Some(text), Some(constant)) = (text, constant) else {
        return Err(failure(MATCHES, "not a string"));
    };
    let text = text.inner();
    Ok(truth(match constant {
        Constant::Pattern(pattern, _) => pattern.is_match(text),
        Constant::Glob(glob) => glob.matches(text),
        Constant::Operation(_) => return Err(failure(MATCHES, "not a pattern")),
        Constant::Network(network) => {
            let address: IpAddr = text.parse().map_err(|_| failure(IP_IN, "not an address"))?;
            network.contains(&address.to_canonical())
        }
    }))
}

fn two_strings<'b>(
    arguments: &'b [CowVal<'_, '_>],
    function: &str,
) -> Result<(&'b str, &'b str), ExecutionError> {
    let text = |argument: &'b CowVal<'_, '_>| argument.downcast_ref::<CelString<'_>>();
    match arguments {
        [left, right] => match (text(left), text(right)) {
            (Some(left), Some(right)) => Ok((left.inner(), right.inner())),
            _ => Err(failure(function, "not a string")),
        },
        _ => Err(failure(function, "not two arguments")),
    }
}

fn failure(function: &str, message: &str) -> ExecutionError {
    ExecutionError::function_error(function, message)
}
