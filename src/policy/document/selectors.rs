//! `who`, `what` and `where`.

use std::borrow::Cow;
use std::sync::Arc;

use crate::authz::{
    ClaimSelector, ExpectedValue, Glob, InvalidGlob, InvalidPath, MethodPattern, Names,
    ResourceKind, TextPattern, UriPattern, Value, ValuePath, ValueSelector, What, Where, Who,
    canonical_network,
};
use crate::yaml::{Data, Fields, Findings, Node, boolean, list, list_or_one, network, string};

use super::WhatDocument;

pub(super) fn read_who(node: &Node, findings: &mut Findings) -> Option<Who> {
    let mut fields = open(node, "`who`", findings)?;
    let anyone = fields.node_of("anyone");
    let mut who = who_fields(&mut fields, findings);
    who.not = fields.optional("not", findings, read_who_not).map(Box::new);
    fields.finish(findings);
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
                "`anyone` stands beside selectors that say who",
                help,
            );
        }
    }
    Some(who)
}

fn read_who_not(node: &Node, findings: &mut Findings) -> Option<Who> {
    let mut fields = open(node, "`not`", findings)?;
    let who = who_fields(&mut fields, findings);
    fields.finish(findings);
    Some(who)
}

fn who_fields(fields: &mut Fields<'_>, findings: &mut Findings) -> Who {
    Who {
        issuers: fields.optional("issuers", findings, exact_names),
        subjects: fields.optional("subjects", findings, exact_names),
        groups: fields.optional("groups", findings, exact_names),
        roles: fields.optional("roles", findings, names),
        scopes: fields.optional("scopes", findings, names),
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

pub(super) fn read_what<'n>(node: &'n Node, findings: &mut Findings) -> Option<WhatDocument<'n>> {
    let mut fields = open(node, "`what`", findings)?;
    let mut read = what_fields(&mut fields, findings);
    let methods = fields.node_of("methods");
    if let Some(not) = fields.optional("not", findings, read_what_not) {
        read.servers.extend(not.servers);
        read.classes.extend(not.classes);
        read.what.not = Some(Box::new(not.what));
    }
    fields.finish(findings);
    check_kinds(&read.what, node, methods.unwrap_or(node), findings);
    Some(read)
}

fn read_what_not<'n>(node: &'n Node, findings: &mut Findings) -> Option<WhatDocument<'n>> {
    let mut fields = open(node, "`not`", findings)?;
    let what = what_fields(&mut fields, findings);
    fields.finish(findings);
    Some(what)
}

fn what_fields<'n>(fields: &mut Fields<'n>, findings: &mut Findings) -> WhatDocument<'n> {
    let servers = fields.node_of("servers");
    let classes = fields.node_of("classes");
    let globs = |fields: &mut Fields<'n>, key, findings: &mut Findings| {
        let read = |node, findings: &mut Findings| {
            list(node, findings, |node, findings| {
                pattern(node, Glob::name, findings)
            })
        };
        fields.optional(key, findings, read).map(Box::from)
    };
    let uris = |node: &Node, findings: &mut Findings| {
        list(node, findings, |node, findings| {
            pattern(node, UriPattern::new, findings)
        })
    };
    let what = What {
        servers: servers.and_then(|node| names(node, findings)),
        methods: fields.optional("methods", findings, read_methods),
        tools: globs(fields, "tools", findings),
        classes: classes.and_then(|node| names(node, findings)),
        prompts: globs(fields, "prompts", findings),
        resources: fields.optional("resources", findings, uris).map(Box::from),
        arguments: fields
            .optional("arguments", findings, read_arguments)
            .unwrap_or_default(),
        not: None,
    };
    WhatDocument {
        what,
        servers: items(servers),
        classes: items(classes),
    }
}

pub(super) fn read_where(node: &Node, findings: &mut Findings) -> Option<Where> {
    let mut fields = open(node, "`where`", findings)?;
    let mut place = where_fields(&mut fields, findings);
    let not = fields.optional("not", findings, |node, findings| {
        let mut fields = open(node, "`not`", findings)?;
        let place = where_fields(&mut fields, findings);
        fields.finish(findings);
        Some(place)
    });
    fields.finish(findings);
    place.not = not.map(Box::new);
    Some(place)
}

fn where_fields(fields: &mut Fields<'_>, findings: &mut Findings) -> Where {
    let device = fields.optional("device", findings, |node, findings| {
        read_facts(node, "`device`", findings)
    });
    Where {
        networks: fields.optional("networks", findings, read_networks),
        countries: fields.optional("countries", findings, |node, findings| {
            list(node, findings, read_country).map(Box::from)
        }),
        device: device.unwrap_or_default(),
        not: None,
    }
}

fn read_country(node: &Node, findings: &mut Findings) -> Option<Arc<str>> {
    let text = string(node, findings)?;
    let good = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase());
    if !good {
        let help = "two capital letters of ISO 3166-1, such as `DE`";
        findings.error(node, format!("`{text}` is not a country"), help);
    }
    good.then(|| text.into())
}

fn read_networks(node: &Node, findings: &mut Findings) -> Option<Box<[ipnet::IpNet]>> {
    let networks = list(node, findings, network)?;
    Some(networks.into_iter().map(canonical_network).collect())
}

/// A block that must select something.
pub(super) fn open<'n>(node: &'n Node, what: &str, findings: &mut Findings) -> Option<Fields<'n>> {
    if node.data == Data::Map(Vec::new()) {
        let help = "an empty block never means `everything`";
        findings.error(node, format!("{what} is empty"), help);
        return None;
    }
    Fields::open(node, what, findings)
}

fn items(node: Option<&Node>) -> Vec<&Node> {
    match node.map(|node| &node.data) {
        Some(Data::List(items)) => items.iter().collect(),
        Some(
            Data::Null
            | Data::Bool(_)
            | Data::Int(_)
            | Data::Float(_)
            | Data::String(_)
            | Data::Map(_),
        )
        | None => Vec::new(),
    }
}

pub(super) fn names(node: &Node, findings: &mut Findings) -> Option<Names> {
    list(node, findings, |node, findings| {
        string(node, findings).map(Arc::from)
    })
    .map(Box::from)
}

/// Names of callers. A `*` in one is more likely a pattern that would silently match nobody.
fn exact_names(node: &Node, findings: &mut Findings) -> Option<Names> {
    let exact = |node: &Node, findings: &mut Findings| {
        let text = string(node, findings)?;
        if text.contains('*') {
            let help = "callers are compared exactly; use `if` for more";
            findings.error(node, format!("`{text}` looks like a pattern"), help);
            return None;
        }
        Some(Arc::from(text))
    };
    list(node, findings, exact).map(Box::from)
}

type ParsePattern<P> = fn(&str) -> Result<P, InvalidGlob>;

pub(super) fn pattern<P>(
    node: &Node,
    parse: ParsePattern<P>,
    findings: &mut Findings,
) -> Option<P> {
    let text = string(node, findings)?;
    match parse(&text) {
        Ok(glob) => Some(glob),
        Err(error) => {
            findings.error(node, error.to_string(), "");
            None
        }
    }
}

fn read_methods(node: &Node, findings: &mut Findings) -> Option<Box<[MethodPattern]>> {
    list(node, findings, read_method).map(Box::from)
}

fn read_method(node: &Node, findings: &mut Findings) -> Option<MethodPattern> {
    let text = string(node, findings)?;
    let (prefix, under) = match text.strip_suffix('*') {
        Some(prefix) => (prefix, true),
        None => (text.as_str(), false),
    };
    let good =
        !prefix.contains(['*', '?']) && (!under || (prefix.len() > 1 && prefix.ends_with('/')));
    if !good {
        let help = "a method such as `tools/call`, or all under a prefix such as `vendor/*`";
        findings.error(node, format!("`{text}` does not name methods"), help);
        return None;
    }
    let prefix = Arc::from(prefix);
    Some(if under {
        MethodPattern::Under(prefix)
    } else {
        MethodPattern::Exact(prefix)
    })
}

fn read_arguments(node: &Node, findings: &mut Findings) -> Option<Box<[ValueSelector]>> {
    let text = |node: &Node, findings: &mut Findings| {
        let glob = pattern(node, Glob::name, findings)?;
        Some(match glob.exact() {
            Some(text) => ExpectedValue::Exactly(Value::String(Cow::Owned(text.to_string()))),
            None => ExpectedValue::Pattern(TextPattern::new(glob)),
        })
    };
    let read = read_values(node, "`arguments`", text, findings)?;
    Some(
        read.into_iter()
            .map(|(path, expected)| ValueSelector { path, expected })
            .collect(),
    )
}

fn read_facts(node: &Node, what: &str, findings: &mut Findings) -> Option<Box<[ClaimSelector]>> {
    let text = |node: &Node, findings: &mut Findings| {
        string(node, findings).map(|text| ExpectedValue::Exactly(Value::String(Cow::Owned(text))))
    };
    let read = read_values(node, what, text, findings)?;
    Some(
        read.into_iter()
            .map(|(path, expected)| ClaimSelector { path, expected })
            .collect(),
    )
}

type Values = Vec<(ValuePath, Box<[ExpectedValue]>)>;

/// A mapping from paths to a value or a list of them.
fn read_values(
    node: &Node,
    what: &str,
    text: fn(&Node, &mut Findings) -> Option<ExpectedValue>,
    findings: &mut Findings,
) -> Option<Values> {
    let Data::Map(entries) = &node.data else {
        findings.error(
            node,
            format!("{what} must be a mapping, found {}", node.kind()),
            "",
        );
        return None;
    };
    if entries.is_empty() {
        findings.error(
            node,
            format!("{what} is empty"),
            "an empty block never means `everything`",
        );
    }
    let mut values = Vec::new();
    for (key, value) in entries.iter().filter(|(_, value)| value.data != Data::Null) {
        let path = read_path(key, findings);
        let expected = list_or_one(value, findings, |node, findings| {
            read_value(node, text, findings)
        });
        values.extend(path.zip(expected.map(Box::from)));
    }
    Some(values)
}

fn read_path(key: &Node, findings: &mut Findings) -> Option<ValuePath> {
    let text = key.as_str().unwrap_or_default();
    match ValuePath::new(text) {
        Ok(path) => Some(path),
        Err(error) => {
            let help = match error {
                InvalidPath::Empty => "names joined by dots, such as `issue.owner`",
                InvalidPath::Form => {
                    "names joined by dots, such as `issue.owner`; for lists use `if`, for instance \
                     `args.items.exists(item, item.owner == \"acme\")`"
                }
                InvalidPath::TooLong => "use `if` and name the members one by one",
            };
            findings.error(key, format!("`{text}` can never match: {error}"), help);
            None
        }
    }
}

fn read_value(
    node: &Node,
    text: fn(&Node, &mut Findings) -> Option<ExpectedValue>,
    findings: &mut Findings,
) -> Option<ExpectedValue> {
    match &node.data {
        Data::String(_) => text(node, findings),
        Data::Int(number) => Some(ExpectedValue::Exactly(Value::Int(*number))),
        Data::Float(number) if number.is_finite() => {
            Some(ExpectedValue::Exactly(Value::Float(*number)))
        }
        Data::Bool(truth) => Some(ExpectedValue::Exactly(Value::Bool(*truth))),
        Data::Float(_) | Data::Null | Data::List(_) | Data::Map(_) => {
            let message = format!(
                "expected a string, a number or a boolean, found {}",
                node.kind()
            );
            findings.error(node, message, "");
            None
        }
    }
}

/// Refuses combinations that no call could have.
fn check_kinds(what: &What, node: &Node, methods: &Node, findings: &mut Findings) {
    let kinds = what.kinds();
    let [kind] = kinds.as_slice() else {
        if !kinds.is_empty() {
            let help =
                "`tools` and `classes`, `prompts`, and `resources` each need a rule of their own";
            findings.error(
                node,
                "no call is about several kinds of things, so this never matches",
                help,
            );
        }
        return;
    };
    let has_arguments = |what: &What| !what.arguments.is_empty();
    let arguments = has_arguments(what) || what.not.as_deref().is_some_and(has_arguments);
    if *kind == ResourceKind::Uri && arguments {
        let message = "resources have no arguments, so this never matches";
        findings.error(
            node,
            message,
            "`arguments` goes with `tools`, `classes` or `prompts`",
        );
    }
    let (possible, name): (&[&str], _) = match kind {
        ResourceKind::Tool => (&["tools/call"], "tools are only reached by `tools/call`"),
        ResourceKind::Prompt => (
            &["prompts/get", "completion/complete"],
            "prompts are only reached by `prompts/get` and `completion/complete`",
        ),
        ResourceKind::Uri => return,
    };
    if what.methods.is_some() && !possible.iter().any(|method| what.names_method(method)) {
        findings.error(
            methods,
            "none of these methods reaches what the rule is about",
            name,
        );
    }
}
