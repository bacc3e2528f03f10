//! Texts that look like something else than the text that they are compared as: a comparison, a
//! regular expression.

/// What a text looks like, and what to write for it.
pub(crate) struct Sign {
    pub(crate) message: String,
    pub(crate) help: &'static str,
}

/// A comparison with a number, such as `>1000`, or a negation.
pub(crate) fn comparison(text: &str) -> Option<Sign> {
    let rest = [">=", "<=", "!=", "==", "=~", "!~", ">", "<", "~"]
        .iter()
        .find_map(|sign| text.trim_start().strip_prefix(sign))?;
    let is_order = text.trim_start().starts_with(['>', '<']);
    let is_number = rest.trim().parse::<f64>().is_ok();
    let is_compared = if is_order {
        is_number
    } else {
        !rest.trim().is_empty()
    };
    is_compared.then(|| Sign {
        message: format!("`{text}` is compared as a text, sign included"),
        help: "compare in `if`, such as `if: args.amount > 1000`",
    })
}

/// A regular expression in the place of a pattern over names or values.
pub(crate) fn regex(text: &str) -> Option<Sign> {
    let is_anchored = text.len() > 1 && (text.starts_with('^') || text.ends_with('$'));
    let is_escaped = ["\\w", "\\d", "\\s", "\\b", "\\."];
    let is_wild = [".*", ".+"].iter().any(|wild| {
        let mut before = text.match_indices(wild).map(|(at, _)| text.get(..at));
        before.any(|before| {
            before.is_some_and(|before| before.is_empty() || before.ends_with(['_', '-', ')']))
        })
    });
    let is_regex = is_anchored || is_wild || is_escaped.iter().any(|sign| text.contains(sign));
    is_regex.then(|| Sign {
        message: format!("`{text}` is no regular expression here: it never matches as one"),
        help: "`*` is any run of characters and `?` is one; for more use `if`, such as \
               `mcp.name.matches(\"^…$\")`",
    })
}

/// Several names in one text.
pub(crate) fn alternatives(text: &str) -> Option<Sign> {
    let is_several = text.contains('|') || text.contains(", ");
    is_several.then(|| Sign {
        message: format!("`{text}` is one name, and no name is like it"),
        help: "write each name as an item of the list",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comparisons_and_expressions_are_told_from_texts() {
        for text in [">1000", "<= 5", "!=public", "> -1.5", "== main"] {
            assert!(comparison(text).is_some(), "{text}");
        }
        for text in ["<b>", "a>1", "-1", "~", ">", "<none>", "!important"] {
            assert!(comparison(text).is_none(), "{text}");
        }
        for text in ["^delete_", "delete_.*", ".*", "drop$", "x_\\d", "(a|b).+"] {
            assert!(regex(text).is_some(), "{text}");
        }
        for text in ["delete_*", "files.*", "a.b", "$", "^", "note://*"] {
            assert!(regex(text).is_none(), "{text}");
        }
    }
}
