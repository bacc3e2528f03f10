//! Checks how names in conditions are written, as `who` and `what` check theirs.

use crate::authz::{NameKind, NameTest};
use crate::policy::document::{Sign, alternatives, comparison, regex};
use crate::yaml::{NameFault, name_fault};

/// Why the text of a test is no name, or not the one that it seems, and what to write.
/// `is_accepted`: the file says that the name is spelled so.
pub(super) fn written_fault(test: &NameTest, is_accepted: bool) -> Option<(String, String)> {
    let of_sign = |sign: Sign| (sign.message, sign.help.to_owned());
    let is_of_caller = is_of_caller(test.kind);
    if is_accepted || test.kind == NameKind::Revision {
        return None;
    }
    if let Some(fault) = doubtful(test) {
        return Some((fault.message, fault.help));
    }
    if test.kind == NameKind::Scope && test.is_exact() && test.text.contains(' ') {
        let message = format!("`{}` is not a scope", test.text);
        let help = "a scope has no blank: test for each one with `in`".to_owned();
        return Some((message, help));
    }
    if is_of_caller || is_pattern_in_what(test.kind) {
        let pattern = pattern(test);
        if pattern.is_some() {
            return pattern;
        }
    }
    let is_name = test.kind == NameKind::Name && test.is_exact();
    let is_fact = test.kind == NameKind::Fact && test.is_exact();
    let several = alternatives(&test.text).filter(|_| is_name);
    let compared = comparison(&test.text).filter(|_| is_fact);
    several
        .map(|_| several_names(test))
        .or_else(|| compared.map(of_sign))
}

fn several_names(test: &NameTest) -> (String, String) {
    let names = test.text.split(['|', ',']).map(str::trim);
    let names: Vec<String> = names.map(|name| format!("{name:?}")).collect();
    let message = format!("`{}` is one name, and no name is like it", test.text);
    (
        message,
        format!("write `{} in [{}]`", test.of, names.join(", ")),
    )
}

/// A name that is not what it appears to be. Parts of names may begin and end anywhere, and an
/// argument may be any text as long as it shows what it is.
fn doubtful(test: &NameTest) -> Option<NameFault> {
    let written = test.text.as_str();
    let is_blank = written.trim().is_empty();
    if is_blank || test.is_regex() || test.kind == NameKind::Uri {
        return None;
    }
    if test.is_exact() {
        return name_fault(written);
    }
    // A search for what nobody sees finds names and texts that have it.
    let shows = written.chars().any(char::is_alphanumeric);
    if test.kind == NameKind::Argument || !shows {
        return None;
    }
    name_fault(written.trim())
}

/// A pattern where names are compared as they are.
fn pattern(test: &NameTest) -> Option<(String, String)> {
    let written = test.text.as_str();
    let is_glob = written.contains('*') && (test.is_exact() || (test.is_part() && written != "*"));
    // The lint `literal-scope` warns of a scope, which may have such a name.
    if is_glob && !(test.kind == NameKind::Scope && test.is_exact()) {
        let message = format!("`{written}` looks like a pattern, and is compared as it is");
        return Some((
            message,
            format!("`{}` takes patterns", as_function(test, "glob")),
        ));
    }
    let is_regex = test.is_exact() && !matches!(test.kind, NameKind::Scope | NameKind::Uri);
    if is_regex && regex(written).is_some() {
        let message = format!("`{written}` looks like a pattern, and is compared as it is");
        let help = format!(
            "`{}` takes regular expressions",
            as_function(test, "matches")
        );
        return Some((message, help));
    }
    None
}

/// The test that takes a pattern.
fn as_function(test: &NameTest, function: &str) -> String {
    let call = |of: &str| match function {
        "glob" => format!("glob({of}, {:?})", test.text),
        _ => format!("{of}.matches({:?})", test.text),
    };
    match test.kind {
        NameKind::Group | NameKind::Role | NameKind::Scope => {
            format!("{}.exists(name, {})", test.of, call("name"))
        }
        NameKind::Class
        | NameKind::Name
        | NameKind::Server
        | NameKind::Method
        | NameKind::Revision
        | NameKind::Uri
        | NameKind::Issuer
        | NameKind::Subject
        | NameKind::Agent
        | NameKind::Tenant
        | NameKind::Peer
        | NameKind::Fact
        | NameKind::Argument => call(&test.of),
    }
}

/// Whether a name is one that an issuer, a certificate or a proxy gives a caller.
fn is_of_caller(kind: NameKind) -> bool {
    match kind {
        NameKind::Issuer
        | NameKind::Subject
        | NameKind::Agent
        | NameKind::Tenant
        | NameKind::Group
        | NameKind::Role
        | NameKind::Scope
        | NameKind::Peer
        | NameKind::Fact => true,
        NameKind::Class
        | NameKind::Name
        | NameKind::Server
        | NameKind::Method
        | NameKind::Revision
        | NameKind::Uri
        | NameKind::Argument => false,
    }
}

/// Whether `what` takes patterns for it, so that one in `if` is probably meant as one too.
fn is_pattern_in_what(kind: NameKind) -> bool {
    matches!(
        kind,
        NameKind::Class | NameKind::Name | NameKind::Server | NameKind::Method | NameKind::Uri
    )
}
