//! What an expression asks of the caller and of the surroundings of the call.

use cel::IdedExpr;
use cel::common::ast::{Expr, operators};

use super::depth::children;
use super::lookup::{field_of, text_of};

/// What an expression asks beside the call itself and the time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Asked {
    /// Groups that it tests by name.
    pub groups: Vec<String>,
    /// Roles that it tests by name.
    pub roles: Vec<String>,
    /// Scopes that it tests by name.
    pub scopes: Vec<String>,
    /// Whether it asks for anything else: the id, claims, the device, headers, a group otherwise than
    /// by its name.
    pub others: bool,
}

/// What a checked expression asks.
pub(super) fn asked(root: &IdedExpr) -> Asked {
    let mut found = Asked::default();
    let mut pending = vec![root];
    while let Some(node) = pending.pop() {
        if found.take_name(node) {
            continue;
        }
        match field_of(&node.expr) {
            Some(("mcp", field, _)) => {
                found.others |= matches!(field, "input" | "meta" | "protocol_version" | "session");
            }
            Some(("subject" | "source" | "request" | "device", ..)) => found.others = true,
            _ => {
                // Unlike the other records, `device` may stand without a field.
                found.others |= matches!(&node.expr, Expr::Ident(name) if name == "device");
                pending.extend(children(node));
            }
        }
    }
    found
}

impl Asked {
    /// Takes the name of a test such as `"dev" in subject.groups`.
    fn take_name(&mut self, node: &IdedExpr) -> bool {
        let Expr::Call(call) = &node.expr else {
            return false;
        };
        let (operators::IN, [name, list]) = (call.func_name.as_str(), call.args.as_slice()) else {
            return false;
        };
        let (Some(name), Some(("subject", field, false))) = (text_of(name), field_of(&list.expr))
        else {
            return false;
        };
        let names = match field {
            "groups" => &mut self.groups,
            "roles" => &mut self.roles,
            "scopes" => &mut self.scopes,
            _ => return false,
        };
        names.push(name.to_owned());
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authz::Expression;

    fn of(text: &str) -> Asked {
        Expression::compile(text).unwrap().asked().clone()
    }

    #[test]
    fn names_of_the_caller_are_told_from_everything_else() {
        let asked = of(r#""a" in subject.groups || !("b" in subject["roles"])"#);
        assert_eq!(
            (asked.groups.as_slice(), asked.others),
            (&["a".to_owned()][..], false)
        );
        assert_eq!(asked.roles, ["b"]);
        for (text, others) in [
            (r#"mcp.name == "x""#, false),
            (r#"args.a == "x" && now.getHours("UTC") > 8"#, false),
            (r#"subject.groups.exists(g, g.startsWith("a"))"#, true),
            ("has(subject.claims.a)", true),
            (r#"subject.id == "bob""#, true),
            ("device.managed == true", true),
            (r#"ip_in(source.ip, "10.0.0.0/8")"#, true),
            (r#""x" in request.headers"#, true),
            (r#"mcp.session == "s""#, true),
        ] {
            assert_eq!(of(text).others, others, "{text}");
        }
    }
}
