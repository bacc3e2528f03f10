//! Warns of expressions that a caller can evade by spelling a value differently.

use super::context::Lint;
use crate::authz::{Effect, Remark, Rule, Sense};
use crate::policy::silence::{
    CONVERSION_IN_DENY, NEGATED_ALLOW, SPELLED_TEXT, UNANCHORED_REGEX, UNESCAPED_DOT,
    URI_IN_EXPRESSION,
};

impl Lint<'_> {
    pub(super) fn look_at_values(&mut self, rule: &Rule) {
        let Some(condition) = rule.expression.as_ref() else {
            return;
        };
        let is_allow = rule.effect == Effect::Allow;
        let mut said = Vec::new();
        for remark in condition.remarks() {
            let Some((lint, message, help)) = finding(remark, is_allow) else {
                continue;
            };
            if !said.contains(&lint) {
                said.push(lint);
                self.warn(rule, &["if"], lint, &message, &help);
            }
        }
        if !is_allow {
            self.look_at_absence(rule, condition);
        }
    }
}

/// The lint, message and help for a remark, if any.
fn finding(remark: &Remark, is_allow: bool) -> Option<(&'static str, String, String)> {
    match remark {
        Remark::Unanchored { pattern, sense } if is_granting(*sense, is_allow) => Some((
            UNANCHORED_REGEX,
            format!("`{pattern}` also matches a part of a text"),
            "describe the whole text between `^` and `$`; where a part is meant, say \
             `startsWith`, `endsWith` or `contains`"
                .to_owned(),
        )),
        Remark::BareDot { pattern, right } => Some((
            UNESCAPED_DOT,
            format!("`.` in `{pattern}` stands for any character"),
            format!("`\\\\.` stands for a dot: `\"{right}\"`"),
        )),
        Remark::AllBut { of } if is_allow => Some((
            NEGATED_ALLOW,
            "this allows every value except the named ones".to_owned(),
            format!("name the allowed values: `{of} == …` or `{of} in […]`"),
        )),
        Remark::PartOfText {
            function,
            of,
            part,
            sense,
        } if !is_allow && *sense != Sense::Fails => Some((
            SPELLED_TEXT,
            format!(
                "`{of}` can be spelled differently: in capitals, full width or with characters \
                 that nobody sees"
            ),
            plain(function, of, part.as_deref()),
        )),
        Remark::PartOfUri {
            function,
            part,
            folded,
        } if is_allow => Some((
            URI_IN_EXPRESSION,
            "this allows resources by a part of their URI's text".to_owned(),
            format!(
                "name them in `what`: `resources: [\"{}\"]`",
                uri_pattern(function, part, *folded)
            ),
        )),
        Remark::Converted { function, of } if !is_allow => Some((
            CONVERSION_IN_DENY,
            format!("where `{function}` does not accept `{of}`, the request is denied"),
            format!("compare `{of}` itself"),
        )),
        Remark::Unanchored { .. }
        | Remark::AllBut { .. }
        | Remark::PartOfText { .. }
        | Remark::PartOfUri { .. }
        | Remark::Converted { .. } => None,
    }
}

/// Whether a call may pass because the test holds.
fn is_granting(sense: Sense, is_allow: bool) -> bool {
    match sense {
        Sense::Holds => is_allow,
        Sense::Fails => !is_allow,
        Sense::Either => true,
    }
}

/// The same test over the plain text, which is in lower case.
fn plain(function: &str, of: &str, part: Option<&str>) -> String {
    let literal = |part: &str| format!("\"{}\"", part.to_lowercase());
    let part = part.map_or_else(|| "…".to_owned(), literal);
    match function {
        // Character classes distinguish upper and lower case.
        "matches" => format!("`plain({of}).matches(\"…\")`, with a pattern in lower case"),
        "glob" => format!("`glob(plain({of}), {part})`"),
        _ => format!("`plain({of}).{function}({part})`"),
    }
}

/// A pattern over resources that is roughly equivalent to a test of their text.
fn uri_pattern(function: &str, part: &str, folded: bool) -> String {
    let written = part.replace('?', "[?]");
    let written = if folded && !written.contains("//") {
        written.replacen(':', "://", 1)
    } else {
        written
    };
    match function {
        "startsWith" => format!("{written}**"),
        "endsWith" => format!("**{written}"),
        "contains" => format!("**{written}**"),
        "glob" => part.replace("**", "*").replace('*', "**"),
        _ => "scheme://host/**".to_owned(),
    }
}
