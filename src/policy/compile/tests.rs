use std::borrow::Cow;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use crate::authz::{
    AccessRequest, Action, ActionKind, Allow, Challenge, Context, Count, Decision, Declared,
    Denial, DenialReason, Evaluation, Hints, Http, KeyPart, Peer, PeerNames, Readings, Resource,
    Subject, Value, Window, demands, evaluate, is_visible,
};

use super::*;

fn context() -> CompileContext {
    let servers = Some(vec!["github".to_owned(), "files".to_owned()]);
    CompileContext {
        servers,
        ..CompileContext::default()
    }
}

fn source(name: &str, text: &str) -> Source {
    Source {
        name: name.to_owned(),
        text: text.to_owned(),
    }
}

fn lines(text: &str, context: &CompileContext) -> Vec<String> {
    match compile(&[source("p.yaml", text)], context) {
        Ok(_) => Vec::new(),
        Err(findings) => findings.to_lines(),
    }
}

fn policy(text: &str) -> Policy {
    compile(&[source("p.yaml", text)], &context())
        .unwrap_or_else(|findings| panic!("{}", findings.render(false)))
}

/// `UPDATE_EXPECTED=1` rewrites the expectations.
#[test]
fn invalid_policies_are_refused_with_their_exact_findings() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/policies-invalid");
    let update = std::env::var_os("UPDATE_EXPECTED").is_some();
    let mut seen = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let actual = lines(&text, &context()).join("\n") + "\n";
        let expected = path.with_extension("txt");
        if update {
            std::fs::write(&expected, &actual).unwrap();
        }
        let expected = std::fs::read_to_string(&expected).unwrap_or_default();
        assert_eq!(actual, expected, "{}", path.display());
        assert!(actual.len() > 1, "{} is not invalid", path.display());
        seen += 1;
    }
    assert!(seen >= 11, "only {seen} files");
}

#[test]
fn limits_are_named_where_they_are_exceeded() {
    let rule = |id: usize| format!("- {{id: r{id}, effect: deny, if: \"args.a == 'xxxx'\"}}\n");
    let text = format!("rules:\n{}{}{}", rule(0), rule(1), rule(2));
    let context = CompileContext {
        rules_max: 2,
        cel_bytes_max: 15,
        ..CompileContext::default()
    };
    let expected = [
        "p.yaml:2:30: error: the expression has 16 bytes (`cel_bytes_max` is 15)",
        "p.yaml:3:30: error: the expression has 16 bytes (`cel_bytes_max` is 15)",
        "p.yaml:4:3: error: the policy has 3 rules (`rules_max` is 2)",
        "p.yaml:4:30: error: the expression has 16 bytes (`cel_bytes_max` is 15)",
    ];
    assert_eq!(lines(&text, &context), expected);
}

#[test]
fn several_files_are_one_policy() {
    let first = source("a.yaml", "tools: {github: {read: [get_*]}}\nrules: []\n");
    let second = source(
        "b.yaml",
        "rules:\n- {id: x, effect: deny, what: {classes: [read]}}\n",
    );
    let policy = compile(&[first.clone(), second.clone()], &context()).unwrap();
    assert_eq!(policy.rules().len(), 1);
    assert_eq!(
        &**policy
            .class("github", "get_issue", Hints::Untrusted)
            .unwrap(),
        "read"
    );
    assert_eq!(
        &**policy
            .class("files", "get_issue", Hints::Untrusted)
            .unwrap(),
        "unclassified"
    );
    assert_eq!(policy.revision().len(), 16);
    let changed = compile(std::slice::from_ref(&first), &context()).unwrap();
    assert_ne!(policy.revision(), changed.revision());

    let again = source(
        "c.yaml",
        &format!("{}{}", first.text.replace("rules: []\n", ""), second.text),
    );
    let findings = compile(&[first, second, again], &context()).unwrap_err();
    let expected = [
        "c.yaml:1:9: error: the tools of `github` are given twice (keep them in one file)",
        "c.yaml:3:8: error: the id `x` is given twice (the first is in b.yaml:2)",
    ];
    assert_eq!(findings.to_lines(), expected);
}

/// A call of the tool `get_issue` on `github` by alice, unless changed.
#[derive(Clone)]
struct Call<'a> {
    subject: Subject,
    peer: Option<PeerNames>,
    method: &'a str,
    kind: ActionKind,
    resource: Resource<'a>,
    arguments: Option<Value<'a>>,
    source: Option<IpAddr>,
    context: Context<'a>,
}

fn text(text: &str) -> Value<'_> {
    Value::String(Cow::Borrowed(text))
}

fn object<'a>(members: &[(&'a str, Value<'a>)]) -> Value<'a> {
    Value::Map(
        members
            .iter()
            .map(|(key, value)| (Cow::Borrowed(*key), value.clone()))
            .collect(),
    )
}

fn arcs(texts: &[&str]) -> Vec<Arc<str>> {
    texts.iter().map(|text| Arc::from(*text)).collect()
}

impl Default for Call<'_> {
    fn default() -> Self {
        Call {
            subject: Subject {
                issuer: "https://idp".into(),
                id: "alice".into(),
                agent: Some("cursor".into()),
                groups: arcs(&["engineering", "oncall"]),
                roles: arcs(&["dev"]),
                scopes: arcs(&["repo:read"]),
                tenant: None,
                device: None,
                unknown: crate::authz::UnknownFacts::default(),
                claims: object(&[
                    ("https://x.y/level", Value::Int(3)),
                    ("org", object(&[("unit", text("core"))])),
                    ("tags", Value::List(vec![text("a"), text("b")])),
                ]),
            },
            peer: Some(PeerNames::called("spiffe://td/agent")),
            method: "tools/call",
            kind: ActionKind::Use,
            resource: Resource::Tool("get_issue"),
            arguments: Some(object(&[("owner", text("acme")), ("n", Value::Int(5))])),
            source: Some("10.1.2.3".parse().unwrap()),
            context: Context::default(),
        }
    }
}

impl<'a> Call<'a> {
    fn open(method: &'a str) -> Self {
        let (kind, resource) = (ActionKind::Open, Resource::Server);
        Call {
            method,
            kind,
            resource,
            arguments: None,
            ..Call::default()
        }
    }

    fn on(method: &'a str, resource: Resource<'a>) -> Self {
        Call {
            method,
            resource,
            arguments: None,
            ..Call::default()
        }
    }

    fn with(arguments: &[(&'a str, Value<'a>)]) -> Self {
        Call {
            arguments: Some(object(arguments)),
            ..Call::default()
        }
    }

    fn request<'r>(&'r self, headers: &'r [(Cow<'r, str>, Cow<'r, str>)]) -> AccessRequest<'r> {
        AccessRequest {
            subject: &self.subject,
            peer: self.peer.as_ref().map_or(Peer::Absent, Peer::Known),
            server: "github",
            action: Action {
                method: self.method,
                authorized_as: None,
                kind: self.kind,
            },
            resource: self.resource,
            arguments: self.arguments.as_ref(),
            input: None,
            meta: None,
            protocol_version: Some("2025-06-18"),
            session: None,
            source: self.source,
            http: Http {
                host: "mcp.example.com",
                path: "/github/mcp",
                headers,
            },
            now: "2026-11-20T10:00:00Z".parse().unwrap(),
            context: self.context,
        }
    }

    fn decide(&self, policy: &Policy) -> Evaluation {
        evaluate(policy, &self.request(&HEADERS))
    }
}

const HEADERS: [(Cow<'_, str>, Cow<'_, str>); 1] =
    [(Cow::Borrowed("user-agent"), Cow::Borrowed("test"))];

fn outcome(evaluation: &Evaluation) -> &'static str {
    match &evaluation.decision {
        Decision::Allow(_) => "allow",
        Decision::Deny(denial) => match denial.reason {
            DenialReason::DeniedByRule => "denied_by_rule",
            DenialReason::Indeterminate => "indeterminate",
            DenialReason::NoMatchingRule => "no_matching_rule",
            DenialReason::UnknownMethod => "unknown_method",
            DenialReason::SenderConstraint => "sender_constraint_required",
            DenialReason::RateLimited => "rate_limited",
            DenialReason::ToolChanged => "tool_changed",
            DenialReason::ArgumentsInvalid => "arguments_invalid",
        },
        Decision::Challenge(_) => "challenge",
        Decision::Limit(_) => "limit",
    }
}

const TOOLS: &str = "tools: {github: {read: [get_*], write: [create_*, get_token]}}\n";

/// Each selector decides as a deny (beside an allow for everything) and as an allow.
fn check(selectors: &str, call: &Call<'_>, expected: &str) {
    let everything = "- {id: all, effect: allow, who: {anyone: true}, what: {servers: [github]}}\n";
    let deny = policy(&format!(
        "{TOOLS}rules:\n{everything}- {{id: x, effect: deny, {selectors}}}\n"
    ));
    let mut allow = selectors.to_owned();
    if !selectors.contains("who:") {
        allow += ", who: {anyone: true}";
    }
    if !selectors.contains("what:") {
        allow += ", what: {servers: [github]}";
    }
    let allow = policy(&format!(
        "{TOOLS}rules:\n- {{id: x, effect: allow, {allow}}}\n"
    ));
    let (denied, allowed) = match expected {
        "yes" => ("denied_by_rule", "allow"),
        "no" => ("allow", "no_matching_rule"),
        "?" => ("indeterminate", "no_matching_rule"),
        other => panic!("{other}"),
    };
    assert_eq!(outcome(&call.decide(&deny)), denied, "deny {selectors}");
    assert_eq!(outcome(&call.decide(&allow)), allowed, "allow {selectors}");
}

#[test]
fn who_selects_callers() {
    for (selectors, expected) in [
        ("who: {issuers: ['https://idp']}", "yes"),
        ("who: {issuers: ['https://other']}", "no"),
        ("who: {subjects: [bob, alice]}", "yes"),
        ("who: {subjects: [Alice]}", "no"),
        ("who: {groups: [oncall]}", "yes"),
        ("who: {groups: [sales]}", "no"),
        ("who: {roles: [dev]}", "yes"),
        ("who: {roles: [ops]}", "no"),
        ("who: {scopes: ['repo:read']}", "yes"),
        ("who: {scopes: ['repo:*']}", "no"),
        ("who: {tenants: [acme]}", "no"),
        ("who: {not: {tenants: [acme]}}", "yes"),
        ("who: {agents: [cursor]}", "yes"),
        ("who: {agents: [desktop]}", "no"),
        ("who: {peers: ['spiffe://td/agent']}", "yes"),
        ("who: {peers: ['spiffe://td/other']}", "no"),
        ("who: {anyone: true}", "yes"),
        ("who: {anyone: true, not: {groups: [oncall]}}", "no"),
        ("who: {groups: [engineering], agents: [desktop]}", "no"),
        (
            "who: {groups: [engineering], not: {agents: [desktop]}}",
            "yes",
        ),
        ("who: {claims: {'https://x.y/level': 3}}", "yes"),
        ("who: {claims: {'https://x.y/level': [1, 5]}}", "no"),
        ("who: {claims: {'https://x.y/level': '3'}}", "?"),
        ("who: {claims: {org.unit: core}}", "yes"),
        ("who: {claims: {org.unit: 'c*'}}", "no"),
        ("who: {claims: {org.none: core}}", "no"),
        ("who: {claims: {org: core}}", "?"),
        ("who: {claims: {org.unit: Core}}", "?"),
        ("who: {not: {claims: {org.unit: Core}}}", "?"),
        ("who: {claims: {org.unit.deep: core}}", "?"),
        ("who: {claims: {tags: b}}", "yes"),
        ("who: {claims: {tags: c}}", "no"),
    ] {
        check(selectors, &Call::default(), expected);
    }
    let mut left_out = Call::default();
    left_out.subject.unknown.groups = true;
    for (selectors, expected) in [
        ("who: {groups: [oncall]}", "yes"),
        ("who: {groups: [sales]}", "?"),
        ("who: {not: {groups: [sales]}}", "?"),
        ("who: {roles: [ops]}", "no"),
    ] {
        check(selectors, &left_out, expected);
    }
    let nobody = Call {
        peer: None,
        ..Call::default()
    };
    check("who: {peers: ['spiffe://td/agent']}", &nobody, "no");
    check("who: {not: {peers: ['spiffe://td/agent']}}", &nobody, "yes");
}

/// The call is at 10:00 UTC on a Friday, 11:00 in Berlin and 15:30 in Kolkata.
#[test]
#[expect(clippy::too_many_lines, reason = "rows")]
fn when_selects_times() {
    let since = |auth_time: Value<'static>, session: Option<&str>| {
        let mut call = Call::default();
        call.subject.claims = object(&[("auth_time", auth_time)]);
        call.context.session_started = session.map(|session| session.parse().unwrap());
        call
    };
    let plain = Call::default();
    // 09:50 UTC.
    let fresh = since(Value::Int(1_795_168_200), Some("2026-11-20T09:50:00Z"));
    let stale = since(Value::Float(1_795_168_199.0), Some("2026-11-20T09:49:59Z"));
    let odd = since(text("1795168200"), None);
    for (call, selectors, expected) in [
        (&plain, "when: {days: [fri], timezone: UTC}", "yes"),
        (&plain, "when: {days: [mon-thu, sun], timezone: UTC}", "no"),
        (&plain, "when: {days: [thu-sat], timezone: UTC}", "yes"),
        (&plain, "when: {days: sun-fri, timezone: UTC}", "yes"),
        (
            &plain,
            "when: {between: ['10:00', '11:00'], timezone: UTC}",
            "yes",
        ),
        (
            &plain,
            "when: {between: ['09:00', '10:00'], timezone: UTC}",
            "no",
        ),
        (
            &plain,
            "when: {between: ['18:00', '10:01'], timezone: UTC}",
            "yes",
        ),
        (
            &plain,
            "when: {between: ['10:01', '10:00'], timezone: UTC}",
            "no",
        ),
        (
            &plain,
            "when: {between: ['11:00', '11:01'], timezone: Europe/Berlin}",
            "yes",
        ),
        (
            &plain,
            "when: {between: ['15:30', '15:31'], timezone: Asia/Kolkata}",
            "yes",
        ),
        (
            &plain,
            "when: {not: {between: ['09:00', '18:00'], timezone: UTC}}",
            "no",
        ),
        (
            &plain,
            "when: {days: [fri], timezone: UTC, not: {between: ['09:00', '10:00']}}",
            "yes",
        ),
        (&plain, "when: {from: 2026-11-20T10:00:00Z}", "yes"),
        (&plain, "when: {from: '2026-11-20T10:00:00.001Z'}", "no"),
        (&plain, "when: {until: 2026-11-20T10:00:00Z}", "no"),
        (&plain, "when: {until: 2026-11-20T12:00:01+02:00}", "yes"),
        (&plain, "when: {auth_age_max: 10m}", "?"),
        (&fresh, "when: {auth_age_max: 10m}", "yes"),
        (&stale, "when: {auth_age_max: 10m}", "no"),
        (&stale, "when: {not: {auth_age_max: 10m}}", "yes"),
        (&odd, "when: {auth_age_max: 10m}", "?"),
        (&plain, "when: {session_age_max: 10m}", "?"),
        (&plain, "when: {not: {session_age_max: 10m}}", "?"),
        (&fresh, "when: {session_age_max: 10m}", "yes"),
        (&stale, "when: {session_age_max: 10m}", "no"),
        // What surely fails decides before what cannot be known.
        (
            &plain,
            "when: {auth_age_max: 10m, days: [mon], timezone: UTC}",
            "no",
        ),
    ] {
        check(selectors, call, expected);
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "rows")]
fn why_selects_purposes_and_behaviour() {
    let by = "per: 1m, by: [subject]";
    let window = |count| Window {
        count,
        per: Duration::from_mins(1),
        by: Box::new([KeyPart::Subject]),
    };
    let mut readings = Readings::default();
    readings.insert(window(Count::Calls), 2);
    readings.insert(window(Count::Denials), 2);
    readings.insert(window(Count::DistinctTools), 2);
    let plain = Call::default();
    let read = Call {
        context: Context {
            readings: Some(&readings),
            purpose: Declared::As("support"),
            ..Context::default()
        },
        ..Call::default()
    };
    let unclear = Call {
        context: Context {
            purpose: Declared::Unclear,
            ..Context::default()
        },
        ..Call::default()
    };
    for (call, selectors, expected) in [
        (&plain, "why: {purposes: [support]}".to_owned(), "no"),
        (
            &plain,
            "why: {not: {purposes: [support]}}".to_owned(),
            "yes",
        ),
        (&unclear, "why: {purposes: [support]}".to_owned(), "?"),
        (&read, "why: {purposes: [sales, support]}".to_owned(), "yes"),
        (&read, "why: {purposes: [Support]}".to_owned(), "no"),
        // The call at hand is the third.
        (
            &read,
            format!("why: {{calls: {{more_than: 2, {by}}}}}"),
            "yes",
        ),
        (
            &read,
            format!("why: {{calls: {{more_than: 3, {by}}}}}"),
            "no",
        ),
        (
            &read,
            format!("why: {{not: {{calls: {{more_than: 3, {by}}}}}}}"),
            "yes",
        ),
        (
            &read,
            format!("why: {{denials: {{more_than: 1, {by}}}}}"),
            "yes",
        ),
        (
            &read,
            format!("why: {{denials: {{more_than: 2, {by}}}}}"),
            "no",
        ),
        (
            &read,
            format!("why: {{distinct_tools: {{more_than: 1, {by}}}}}"),
            "yes",
        ),
        (
            &read,
            format!("why: {{distinct_tools: {{more_than: 2, {by}}}}}"),
            "no",
        ),
        (
            &plain,
            format!("why: {{denials: {{more_than: 1, {by}}}}}"),
            "?",
        ),
        // There is no tenant and no session to count by.
        (
            &read,
            "why: {calls: {more_than: 0, per: 1m, by: [tenant]}}".to_owned(),
            "?",
        ),
        (
            &read,
            "why: {calls: {more_than: 0, per: 1m, by: [session]}}".to_owned(),
            "?",
        ),
        (
            &read,
            format!("why: {{purposes: [x], denials: {{more_than: 1, {by}}}}}"),
            "no",
        ),
    ] {
        check(&selectors, call, expected);
    }
}

#[test]
fn limits_match_what_they_count() {
    let everything = "- {id: all, effect: allow, who: {anyone: true}, what: {servers: [github]}}";
    let call = Call::default();
    let prompt = Call::on("prompts/get", Resource::Prompt("review"));
    let open = Call::open("initialize");
    for (rule, call, expected) in [
        ("limit: {calls: 1, per: 1s, by: [subject]}", &call, "limit"),
        (
            "limit: {calls: 1, per: 1s, by: [tool, agent]}",
            &call,
            "limit",
        ),
        ("limit: {calls: 1, per: 1s, by: [tool]}", &prompt, "allow"),
        ("limit: {calls: 1, per: 1s, by: [server]}", &prompt, "limit"),
        (
            "limit: {calls: 1, per: 1s, by: [tenant]}",
            &call,
            "indeterminate",
        ),
        (
            "limit: {calls: 1, per: 1s, by: [session]}",
            &call,
            "indeterminate",
        ),
        ("limit: {calls: 1, per: 1s, by: [session]}", &open, "allow"),
        (
            "what: {methods: [initialize]}, limit: {calls: 1, per: 1s, by: [subject]}",
            &open,
            "limit",
        ),
        (
            "what: {classes: [write]}, limit: {calls: 1, per: 1s, by: [subject]}",
            &call,
            "allow",
        ),
        (
            "mode: shadow, limit: {calls: 1, per: 1s, by: [tenant]}",
            &call,
            "allow",
        ),
    ] {
        let policy = policy(&format!(
            "{TOOLS}rules:\n{everything}\n- {{id: x, effect: limit, {rule}}}\n"
        ));
        assert_eq!(outcome(&call.decide(&policy)), expected, "{rule}");
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "rows")]
fn requirements_of_all_rules_are_asked_for_at_once() {
    let rules = "rules:
- {id: all, effect: allow, who: {anyone: true}, what: {servers: [github]}}
- {id: r1, effect: require, needs: {acr: [silver, gold], auth_age_max: 15m}}
- {id: r2, effect: require, needs: {acr: [gold, platinum], auth_age_max: 1h}}
- {id: r3, effect: require, what: {tools: [create_x]}, needs: {scopes: ['repo:write']}}
- {id: r4, effect: require, what: {tools: [delete_x]}, needs: {sender_constrained: true}, message: bind}
";
    let policy = policy(rules);
    let call = |tool, claims: &[(&'static str, Value<'static>)]| {
        let mut call = Call {
            resource: Resource::Tool(tool),
            ..Call::default()
        };
        call.subject.claims = object(claims);
        call.decide(&policy)
    };
    // 10:00 less ten minutes, and less half an hour.
    let fresh = ("auth_time", Value::Int(1_795_168_200));
    let stale = ("auth_time", Value::Int(1_795_167_000));
    let acr = |acr: &'static str| ("acr", text(acr));
    let quarter = Some(Duration::from_mins(15));
    for (tool, claims, scopes, acr_values, max_age, rules) in [
        ("get_x", vec![], vec![], vec!["gold"], quarter, "r1 r2"),
        (
            "get_x",
            vec![acr("silver"), fresh.clone()],
            vec![],
            vec!["gold", "platinum"],
            None,
            "r2",
        ),
        (
            "get_x",
            vec![acr("gold"), stale.clone()],
            vec![],
            vec![],
            quarter,
            "r1",
        ),
        (
            "create_x",
            vec![acr("gold"), stale],
            vec!["repo:write"],
            vec![],
            quarter,
            "r1 r3",
        ),
        (
            "create_x",
            vec![acr("gold"), fresh.clone()],
            vec!["repo:write"],
            vec![],
            None,
            "r3",
        ),
    ] {
        let evaluation = call(tool, &claims);
        let Decision::Challenge(challenge) = &evaluation.decision else {
            panic!("{tool} {claims:?} {evaluation:?}");
        };
        assert_eq!(challenge.missing, arcs(&scopes), "{tool} {claims:?}");
        assert_eq!(challenge.acr_values, arcs(&acr_values), "{tool} {claims:?}");
        assert_eq!(challenge.max_age, max_age, "{tool} {claims:?}");
        assert_eq!(evaluation.rules.join(" "), rules);
    }
    assert_eq!(
        outcome(&call("get_x", &[acr("gold"), fresh.clone()])),
        "allow"
    );
    let bound = call("delete_x", &[]);
    assert_eq!(outcome(&bound), "sender_constraint_required");
    let Decision::Deny(denial) = bound.decision else {
        panic!("not denied");
    };
    assert_eq!(
        (denial.rule.as_deref(), denial.message.as_deref()),
        (Some("r4"), Some("bind"))
    );
}

#[test]
fn where_selects_countries_and_devices() {
    let device = object(&[
        ("managed", Value::Bool(true)),
        ("os", object(&[("name", text("macos"))])),
        ("tags", Value::List(vec![text("a"), text("b")])),
    ]);
    let plain = Call::default();
    let known = Call {
        context: Context {
            country: Some("DE"),
            device: Some(&device),
            ..Context::default()
        },
        ..Call::default()
    };
    for (call, selectors, expected) in [
        (&plain, "where: {countries: [DE]}", "?"),
        (&plain, "where: {not: {countries: [DE]}}", "?"),
        (&known, "where: {countries: [FR, DE]}", "yes"),
        (&known, "where: {countries: [FR]}", "no"),
        (&known, "where: {not: {countries: [FR]}}", "yes"),
        (
            &known,
            "where: {countries: [DE], networks: [11.0.0.0/8]}",
            "no",
        ),
        (&plain, "where: {device: {managed: true}}", "?"),
        (&plain, "where: {not: {device: {managed: true}}}", "?"),
        (&known, "where: {device: {managed: true}}", "yes"),
        (&known, "where: {device: {managed: false}}", "no"),
        (&known, "where: {device: {managed: 'true'}}", "?"),
        (
            &known,
            "where: {device: {os.name: [linux, macos], tags: b}}",
            "yes",
        ),
        (&known, "where: {device: {os.name: linux}}", "no"),
        (&known, "where: {device: {owner: acme}}", "no"),
        (&known, "where: {device: {os: macos}}", "?"),
        (&known, "if: source.country == 'DE'", "yes"),
        (&known, "if: source.country == 'FR'", "no"),
        (&plain, "if: source.country == 'DE'", "?"),
        (&known, "if: device.managed", "yes"),
        (&known, "if: device.os.name != 'macos'", "no"),
        (&known, "if: has(device.owner)", "no"),
        (&known, "if: device.owner == 'acme'", "?"),
        (&plain, "if: device.managed", "?"),
    ] {
        check(selectors, call, expected);
    }
}

#[test]
fn countries_need_a_database() {
    let context = CompileContext {
        has_countries: false,
        ..context()
    };
    let text = "rules:
- {id: a, effect: deny, where: {not: {countries: [DE]}}}
- {id: b, effect: deny, if: 'has(source.country) && source.ip == \"1.2.3.4\"'}
- {id: c, effect: deny, where: {device: {a: 1}}}
";
    let expected = "the rule asks for a country, and there is no database of countries (`geoip` in the configuration says where one is)";
    let expected = [2, 3].map(|line| format!("p.yaml:{line}:3: error: {expected}"));
    assert_eq!(lines(text, &context), expected);
}

#[test]
fn what_selects_calls() {
    let prompt = Call::on("prompts/get", Resource::Prompt("review"));
    let completion = Call::on("completion/complete", Resource::Prompt("review"));
    let file = Call::on("resources/read", Resource::Uri("file:///srv/a/b.md"));
    let task = Call::on("tasks/get", Resource::Task("t1"));
    let call = Call::default();
    for (call, selectors, expected) in [
        (&call, "what: {servers: [github]}", "yes"),
        (&call, "what: {servers: [files, github]}", "yes"),
        (&call, "what: {servers: [files]}", "no"),
        (&call, "what: {not: {servers: [files]}}", "yes"),
        (&call, "what: {not: {servers: [github]}}", "no"),
        (&call, "what: {methods: [tools/call]}", "yes"),
        (&call, "what: {methods: ['tools/*']}", "yes"),
        (&call, "what: {methods: [prompts/get]}", "no"),
        (&call, "what: {tools: [get_issue]}", "yes"),
        (&call, "what: {tools: ['list_*', 'get_?????']}", "yes"),
        (&call, "what: {tools: ['Get_*']}", "no"),
        (&call, "what: {not: {tools: ['get_*']}}", "no"),
        (&call, "what: {not: {tools: ['list_*']}}", "yes"),
        (&call, "what: {classes: [read]}", "yes"),
        (&call, "what: {classes: [write, unclassified]}", "no"),
        (&call, "what: {classes: [read], tools: ['list_*']}", "no"),
        (
            &call,
            "what: {classes: [read], tools: [get_issue, x]}",
            "yes",
        ),
        (&call, "what: {prompts: ['*']}", "no"),
        (&call, "what: {resources: ['**']}", "no"),
        (&prompt, "what: {prompts: ['rev*']}", "yes"),
        (&prompt, "what: {prompts: [other]}", "no"),
        (&prompt, "what: {tools: ['*']}", "no"),
        (&prompt, "what: {not: {tools: [x]}}", "no"),
        (&prompt, "what: {servers: [github]}", "yes"),
        (&completion, "what: {prompts: [review]}", "yes"),
        (
            &completion,
            "what: {prompts: [review], methods: [prompts/get]}",
            "no",
        ),
        (
            &completion,
            "what: {prompts: [review], arguments: {a: b}}",
            "no",
        ),
        (&file, "what: {resources: ['file:///srv/**']}", "yes"),
        (&file, "what: {resources: ['file:///srv/*']}", "no"),
        (&file, "what: {resources: ['file:///srv/a/b.md']}", "yes"),
        (&task, "what: {methods: ['tasks/*']}", "yes"),
        (&task, "what: {servers: [github]}", "yes"),
        (&task, "what: {tools: ['*']}", "no"),
    ] {
        check(selectors, call, expected);
    }
}

#[test]
fn a_uri_that_may_mean_another_cannot_be_matched() {
    for (uri, expected) in [
        ("file:///srv/a", "yes"),
        ("file:///srv/a..b/.x/c%20e", "yes"),
        ("file:///srv/c%2Fd", "?"),
        ("file:///srv/a?x=../y", "yes"),
        ("file:///srv?x", "?"),
        ("file:///etc/passwd", "no"),
        (" file:///etc/passwd", "?"),
        ("file:///srv/a b", "?"),
        ("file:///srv/../etc/passwd", "?"),
        ("file:///srv/..", "?"),
        ("file:///srv/./a", "?"),
        ("file:///srv/%2e%2e/etc", "?"),
        ("file:///srv/..%2Fetc", "?"),
        ("file:///srv/%252e%252e/etc", "?"),
        ("file:///srv/..\\etc", "?"),
        ("file:///srv%5c..%5cetc", "?"),
        ("file:///%65tc", "?"),
        ("file:///srv/%0a", "?"),
        ("file:///srv/%zz", "?"),
        ("FILE:///srv/a", "?"),
        ("https://x/../y", "no"),
    ] {
        let call = Call::on("resources/read", Resource::Uri(uri));
        check("what: {resources: ['file:///srv/**']}", &call, expected);
    }
    let odd = Call::on("resources/read", Resource::Uri("file:///srv/../x"));
    check("what: {resources: ['file:///srv/a']}", &odd, "?");
    check("what: {servers: [github]}", &odd, "yes");
}

#[test]
#[expect(clippy::too_many_lines, reason = "rows")]
fn arguments_select_values() {
    let list = |items: &[Value<'static>]| Value::List(items.to_vec());
    let (acme, evil) = (text("acme"), text("evil"));
    let deep = object(&[("owner", acme.clone())]);
    for (selectors, value, expected) in [
        ("{a: acme}", acme.clone(), "yes"),
        ("{a: [x, 'ac*']}", acme.clone(), "yes"),
        ("{a: acme}", evil.clone(), "no"),
        ("{a: acme}", Value::Null, "no"),
        ("{a: acme, b: x}", acme.clone(), "no"),
        ("{b: x}", acme.clone(), "no"),
        ("{a: 5}", Value::Int(5), "yes"),
        ("{a: 5}", Value::Float(5.0), "yes"),
        ("{a: 5}", Value::Float(5.5), "?"),
        ("{a: 5}", Value::Float(6.5), "no"),
        ("{a: 5.5}", Value::Float(5.5), "yes"),
        ("{a: 5.0}", Value::Int(5), "yes"),
        ("{a: 5}", Value::Uint(u64::MAX), "no"),
        ("{a: 5}", Value::Float(1e300), "no"),
        ("{a: 5}", text("5"), "?"),
        ("{a: '5'}", Value::Int(5), "?"),
        ("{a: true}", Value::Bool(true), "yes"),
        ("{a: true}", Value::Bool(false), "no"),
        ("{a: true}", text("true"), "?"),
        ("{a: [5, five]}", text("5"), "?"),
        ("{a: [5, '5']}", text("5"), "yes"),
        ("{a: acme}", list(std::slice::from_ref(&acme)), "yes"),
        ("{a: acme}", list(&[acme.clone(), acme.clone()]), "yes"),
        ("{a: acme}", list(std::slice::from_ref(&evil)), "no"),
        ("{a: acme}", list(&[]), "no"),
        ("{a: acme}", list(&[acme.clone(), evil.clone()]), "?"),
        ("{a: acme}", list(&[evil.clone(), acme.clone()]), "?"),
        ("{a: acme}", list(&[list(std::slice::from_ref(&acme))]), "?"),
        ("{a: acme}", deep.clone(), "?"),
        ("{a: acme}", text("Acme"), "?"),
        ("{a: acme}", text(" acme\n"), "?"),
        ("{a: 'ac*'}", text("ACME"), "?"),
        ("{a: 'ac*'}", text("evil"), "no"),
        ("{a: 'drop ?able'}", text("DROP table"), "?"),
        ("{a: 'root?'}", text("ROOT "), "?"),
        ("{a: 'stra?e'}", text("STRAẞE"), "?"),
        ("{a: 'admin*'}", text("ADMIN\u{301}x"), "?"),
        ("{a: 'é*'}", text("École"), "?"),
        ("{a: 'é*'}", text("ecole"), "no"),
        ("{a: '5*'}", Value::Int(57), "?"),
        ("{a: '5*'}", Value::Int(75), "no"),
        ("{a: '*'}", list(&[]), "?"),
        ("{a: true}", Value::Null, "?"),
        ("{a: true}", list(&[Value::Bool(false)]), "?"),
        ("{a: false}", list(&[Value::Bool(false)]), "?"),
        ("{a: 'x,y'}", list(&[text("x"), text("y")]), "?"),
        ("{a.owner: acme}", deep.clone(), "yes"),
        ("{a.owner: acme}", acme.clone(), "?"),
        ("{a.owner: acme}", list(std::slice::from_ref(&deep)), "?"),
        ("{a.other: acme}", deep, "no"),
    ] {
        let call = Call::with(&[("a", value)]);
        check(
            &format!("what: {{arguments: {selectors}}}"),
            &call,
            expected,
        );
    }
    let none = Call {
        arguments: None,
        ..Call::default()
    };
    check("what: {arguments: {a: acme}}", &none, "no");
    check("what: {not: {arguments: {a: acme}}}", &none, "yes");
    check(
        "what: {not: {arguments: {a: acme}}}",
        &Call::on("prompts/get", Resource::Prompt("p")),
        "no",
    );
}

#[test]
fn where_selects_networks() {
    let from = |address: &str| Call {
        source: Some(address.parse().unwrap()),
        ..Call::default()
    };
    let unknown = Call {
        source: None,
        ..Call::default()
    };
    for (call, selectors, expected) in [
        (&from("10.1.2.3"), "where: {networks: [10.0.0.0/8]}", "yes"),
        (&from("11.1.2.3"), "where: {networks: [10.0.0.0/8]}", "no"),
        (
            &from("::ffff:10.1.2.3"),
            "where: {networks: [10.0.0.0/8]}",
            "yes",
        ),
        (
            &from("10.1.2.3"),
            "where: {networks: ['::ffff:10.0.0.0/104']}",
            "yes",
        ),
        (
            &from("2001:db8::1"),
            "where: {networks: [10.0.0.0/8, '2001:db8::/32']}",
            "yes",
        ),
        (
            &from("2001:db9::1"),
            "where: {networks: ['2001:db8::/32']}",
            "no",
        ),
        (&from("10.1.2.3"), "where: {networks: [10.1.2.3]}", "yes"),
        (
            &from("10.1.2.3"),
            "where: {not: {networks: [10.0.0.0/8]}}",
            "no",
        ),
        (&unknown, "where: {networks: [10.0.0.0/8]}", "?"),
        (&unknown, "where: {not: {networks: [10.0.0.0/8]}}", "?"),
        (
            &unknown,
            "where: {networks: [10.0.0.0/8]}, who: {groups: [sales]}",
            "no",
        ),
        (
            &unknown,
            "where: {networks: [10.0.0.0/8]}, if: 'false'",
            "no",
        ),
    ] {
        check(selectors, call, expected);
    }
}

const EXPRESSIONS: &[(&str, &str)] = &[
    ("args.owner != 'acme'", "no"),
    ("args.owner == 'acme'", "yes"),
    ("args.missing == 'acme'", "?"),
    ("has(args.missing) && args.missing == 'acme'", "no"),
    ("has(args.owner)", "yes"),
    ("args['owner'] == 'acme'", "yes"),
    ("mcp.arguments.n == 5", "yes"),
    ("mcp.arguments == args", "yes"),
    ("args.n > 4 && args.n < 6.5", "yes"),
    ("args.owner > 4", "?"),
    ("args.n + 9223372036854775807 > 0", "?"),
    ("1 / (args.n - 5) == 1", "?"),
    ("args.n == 5 || args.missing == 1", "yes"),
    ("args.missing == 1 || args.n == 5", "yes"),
    ("args.n", "?"),
    (
        "subject.id == 'alice' && subject.issuer == 'https://idp'",
        "yes",
    ),
    ("subject.tenant == 'acme'", "?"),
    ("has(subject.tenant)", "no"),
    ("has(subject.agent) && subject.agent == 'cursor'", "yes"),
    (
        "'oncall' in subject.groups && !('x' in subject.roles)",
        "yes",
    ),
    ("subject.scopes.exists(s, s.startsWith('repo:'))", "yes"),
    ("subject.claims.org.unit == 'core'", "yes"),
    ("has(subject.claims.org.none)", "no"),
    (
        "has(subject.claims.org) && subject.claims['https://x.y/level'] >= 3",
        "yes",
    ),
    ("subject.claims.tags.all(t, t in ['a', 'b'])", "yes"),
    (
        "mcp.server == 'github' && mcp.method == 'tools/call'",
        "yes",
    ),
    ("mcp.name == 'get_issue' && mcp.class == 'read'", "yes"),
    ("mcp.uri == 'x'", "?"),
    ("has(mcp.uri) || has(mcp.session)", "no"),
    ("mcp.protocol_version >= '2025-06-18'", "yes"),
    ("ip_in(source.ip, '10.0.0.0/8')", "yes"),
    ("ip_in(source.ip, '::/0')", "no"),
    ("ip_in(args.owner, '10.0.0.0/8')", "?"),
    ("ip_in(source.ip, args.owner)", "?"),
    ("source.principal == 'spiffe://td/agent'", "yes"),
    ("glob(args.owner, 'ac*') && !glob(mcp.name, 'set_*')", "yes"),
    ("glob(args.n, '5')", "?"),
    (
        "request.host == 'mcp.example.com' && request.path == '/github/mcp'",
        "yes",
    ),
    ("request.headers['user-agent'] == 'test'", "yes"),
    ("request.headers['cookie'] == 'test'", "?"),
    (
        "now > timestamp('2026-11-20T09:59:59Z') && now.getFullYear() == 2026",
        "yes",
    ),
    (
        "now - timestamp('2026-11-20T09:00:00Z') == duration('1h')",
        "yes",
    ),
    ("now.getHours('Europe/Berlin') == 11", "yes"),
    ("now.getHours(args.owner) == 11", "?"),
    ("args.owner.matches('^ac[a-z]+$')", "yes"),
    ("type(args.n) == int", "yes"),
    ("true", "yes"),
];

#[test]
fn if_evaluates_expressions() {
    for (expression, expected) in EXPRESSIONS {
        check(&format!("if: {expression:?}"), &Call::default(), expected);
    }
    let none = Call {
        arguments: None,
        ..Call::default()
    };
    check(
        "if: has(args.owner) || has(mcp.arguments.owner)",
        &none,
        "no",
    );
    check("if: args.owner != 'acme'", &none, "?");
}

#[test]
fn an_expression_does_not_look_at_too_much() {
    let list = |length| Value::List(vec![Value::Int(1); length]);
    for (expression, length, expected) in [
        ("args.l.all(x, x == 1)", 9_000, "yes"),
        ("args.l.all(x, x == 1)", 10_001, "?"),
        ("args.l.all(x, args.l.all(y, y == x))", 100, "yes"),
        ("args.l.all(x, args.l.all(y, y == x))", 600, "?"),
        ("args.l.all(x, x in args.l)", 100, "yes"),
        ("args.l.all(x, x in args.l)", 600, "?"),
        ("args.l.all(x, x in [1, 2])", 9_000, "yes"),
    ] {
        let call = Call::with(&[("l", list(length))]);
        check(&format!("if: {expression:?}"), &call, expected);
    }
}

#[test]
fn open_actions_need_a_subject_whom_some_rule_could_serve() {
    let serving = |rules: &str, method: &'static str| {
        let policy = policy(&format!("{TOOLS}rules:\n{rules}"));
        outcome(&Call::open(method).decide(&policy))
    };
    let tool =
        "- {id: a, effect: allow, who: {groups: [oncall]}, what: {tools: [x]}, if: 'false'}\n";
    let sales = "- {id: a, effect: allow, who: {groups: [sales]}, what: {servers: [github]}}\n";
    let files = "- {id: a, effect: allow, who: {anyone: true}, what: {servers: [files]}}\n";
    let but = "- {id: a, effect: allow, who: {anyone: true}, what: {not: {servers: [github]}}}\n";
    let argument = "- {id: a, effect: allow, who: {anyone: true}, what: {arguments: {a: b}}, where: {networks: [1.1.1.1]}}\n";
    for (rules, expected) in [
        (tool.to_owned(), "allow"),
        (argument.to_owned(), "allow"),
        (sales.to_owned(), "no_matching_rule"),
        (files.to_owned(), "no_matching_rule"),
        (but.to_owned(), "no_matching_rule"),
        (
            format!("{tool}- {{id: d, effect: deny, what: {{methods: [initialize]}}}}\n"),
            "denied_by_rule",
        ),
        (
            format!("{tool}- {{id: d, effect: deny, what: {{methods: [ping]}}}}\n"),
            "allow",
        ),
        (
            format!("{tool}- {{id: d, effect: deny, what: {{tools: ['*']}}}}\n"),
            "allow",
        ),
        (
            format!("{tool}- {{id: d, effect: deny, who: {{subjects: [alice]}}}}\n"),
            "denied_by_rule",
        ),
        (
            format!("{tool}- {{id: d, effect: deny, if: args.a == 1}}\n"),
            "indeterminate",
        ),
        (
            format!(
                "{tool}- {{id: d, effect: require, what: {{servers: [github]}}, needs: {{scopes: [s]}}}}\n"
            ),
            "challenge",
        ),
        (
            format!(
                "{tool}- {{id: d, effect: require, what: {{tools: ['*']}}, needs: {{scopes: [s]}}}}\n"
            ),
            "allow",
        ),
    ] {
        assert_eq!(serving(&rules, "initialize"), expected, "{rules}");
    }
    let elsewhere = "tools: {files: {admin: [rm]}}\nrules:\n- {id: a, effect: allow, who: {anyone: true}, what: {classes: [admin]}}\n";
    assert_eq!(
        outcome(&Call::open("GET").decide(&policy(elsewhere))),
        "no_matching_rule"
    );
}

#[test]
fn unknown_methods_need_a_rule_that_names_them() {
    let everything = "- {id: all, effect: allow, who: {anyone: true}, what: {servers: [github]}}\n";
    let call = Call {
        method: "vendor/do",
        kind: ActionKind::Unknown,
        resource: Resource::Server,
        arguments: None,
        ..Call::default()
    };
    for (rules, expected) in [
        ("", "unknown_method"),
        (
            "- {id: a, effect: allow, who: {anyone: true}, what: {methods: [vendor/do]}}\n",
            "allow",
        ),
        (
            "- {id: a, effect: allow, who: {anyone: true}, what: {methods: ['vendor/*']}}\n",
            "allow",
        ),
        (
            "- {id: a, effect: allow, who: {anyone: true}, what: {methods: ['other/*']}}\n",
            "unknown_method",
        ),
        (
            "- {id: a, effect: allow, who: {groups: [sales]}, what: {methods: [vendor/do]}}\n",
            "no_matching_rule",
        ),
        (
            "- {id: a, effect: allow, who: {anyone: true}, what: {methods: [vendor/do], servers: [files]}}\n",
            "unknown_method",
        ),
        (
            "- {id: a, effect: allow, who: {anyone: true}, what: {not: {methods: [vendor/x]}}}\n",
            "unknown_method",
        ),
        (
            "- {id: a, effect: deny, what: {methods: [vendor/do]}}\n",
            "denied_by_rule",
        ),
    ] {
        let policy = policy(&format!("rules:\n{everything}{rules}"));
        assert_eq!(outcome(&call.decide(&policy)), expected, "{rules}");
    }
}

#[test]
fn rules_combine_whatever_their_order() {
    let text = format!(
        "{TOOLS}rules:
- {{id: r1, effect: require, what: {{classes: [read]}}, needs: {{scopes: ['repo:read', a]}}, message: more}}
- {{id: all, effect: allow, who: {{anyone: true}}, what: {{servers: [github]}}}}
- {{id: r2, effect: require, what: {{methods: [tools/call]}}, needs: {{scopes: [b, a]}}}}
- {{id: met, effect: require, needs: {{scopes: ['repo:read']}}}}
- {{id: odd, effect: allow, who: {{anyone: true}}, what: {{tools: ['*']}}, if: args.none == 1}}
- {{id: d, effect: deny, what: {{tools: [get_token]}}, message: never}}
- {{id: i, effect: deny, what: {{tools: [get_user, get_token]}}, if: args.none == 1}}
"
    );
    let policy = policy(&text);
    let ids = |evaluation: &Evaluation| evaluation.rules.join(" ");
    let on = |name| {
        Call {
            resource: Resource::Tool(name),
            ..Call::default()
        }
        .decide(&policy)
    };

    let challenged = on("get_issue");
    let expected = Challenge {
        scopes: arcs(&["repo:read", "a", "b"]),
        missing: arcs(&["a", "b"]),
        acr_values: Vec::new(),
        max_age: None,
        rule: "r1".into(),
        message: Some("more".into()),
    };
    assert_eq!(challenged.decision, Decision::Challenge(expected));
    assert_eq!(ids(&challenged), "r1 r2");
    assert_eq!(challenged.indeterminate, arcs(&["odd"]));
    assert_eq!(challenged.class.as_deref(), Some("read"));

    let denied = on("get_token");
    let denial = Denial {
        reason: DenialReason::DeniedByRule,
        rule: Some("d".into()),
        message: Some("never".into()),
        retry_after: None,
    };
    assert_eq!(denied.decision, Decision::Deny(denial));
    assert_eq!(
        (ids(&denied), denied.indeterminate),
        ("d".to_owned(), arcs(&["i"]))
    );
    assert_eq!(denied.class.as_deref(), Some("write"));

    let indeterminate = on("get_user");
    assert_eq!(
        (outcome(&indeterminate), ids(&indeterminate).as_str()),
        ("indeterminate", "i")
    );

    let mut call = Call::default();
    call.subject.scopes = arcs(&["b", "a", "repo:read"]);
    let allowed = call.decide(&policy);
    assert!(matches!(allowed.decision, Decision::Allow(Allow { .. })));
    assert_eq!(ids(&allowed), "r1 all r2 met");
}

#[test]
fn an_empty_policy_denies_everything() {
    for sources in [
        vec![],
        vec![source("a", "")],
        vec![source("a", "# nothing\n"), source("b", "rules: []\n")],
    ] {
        let policy = compile(&sources, &context()).unwrap();
        assert_eq!(
            outcome(&Call::default().decide(&policy)),
            "no_matching_rule"
        );
        assert_eq!(
            outcome(&Call::open("initialize").decide(&policy)),
            "no_matching_rule"
        );
    }
}

#[test]
fn lists_show_what_could_be_called() {
    let text = format!(
        "{TOOLS}rules:
- {{id: a, effect: allow, who: {{anyone: true}}, what: {{classes: [read]}}, if: args.owner == 'acme'}}
- {{id: b, effect: allow, who: {{anyone: true}}, what: {{tools: [create_a], arguments: {{x: y}}}}}}
- {{id: c, effect: allow, who: {{groups: [sales]}}, what: {{tools: [create_b]}}}}
- {{id: d, effect: deny, what: {{tools: [get_secret]}}}}
- {{id: e, effect: deny, what: {{tools: [get_issue], arguments: {{owner: evil}}}}}}
- {{id: f, effect: deny, what: {{tools: [get_user]}}, if: args.none == 1}}
- {{id: g, effect: allow, who: {{anyone: true}}, what: {{tools: [plain]}}, if: subject.tenant == 'x'}}
- {{id: h, effect: require, what: {{classes: [read]}}, needs: {{scopes: [more]}}}}
"
    );
    let policy = policy(&text);
    let call = Call::default();
    for (tool, expected) in [
        ("get_issue", true),
        ("get_user", true),
        ("get_secret", false),
        ("create_a", true),
        ("create_b", false),
        ("plain", false),
        ("other", false),
    ] {
        let request = AccessRequest {
            resource: Resource::Tool(tool),
            ..call.request(&HEADERS)
        };
        assert_eq!(is_visible(&policy, &request), expected, "{tool}");
    }
}

/// What counts is whether a call made now would be denied: it counts itself, the list does not.
#[test]
fn lists_look_at_windows_as_the_call_would() {
    let policy = policy(&format!(
        "{TOOLS}rules:
- {{id: a, effect: allow, who: {{anyone: true}}, what: {{servers: [github]}}}}
- {{id: b, effect: deny, what: {{classes: [read]}}, why: {{distinct_tools: {{more_than: 2, per: 1m, by: [subject]}}}}}}
- {{id: c, effect: deny, why: {{calls: {{more_than: 3, per: 1m, by: [subject]}}}}}}
- {{id: d, effect: deny, what: {{tools: [create_a]}}, why: {{denials: {{more_than: 0, per: 1m, by: [session]}}}}}}
"
    ));
    let call = Call::default();
    for (tool, calls, tools, visible) in [
        ("get_issue", Some(2), Some(2), true),
        ("get_issue", Some(3), Some(2), false),
        ("get_issue", Some(2), Some(3), false),
        ("get_issue", None, Some(2), true),
        ("get_issue", Some(2), None, true),
        ("get_issue", Some(3), None, false),
        ("create_b", Some(2), Some(3), true),
        // Who has no session cannot be counted by it: that denies, and does not hide.
        ("create_a", Some(2), Some(2), true),
    ] {
        let mut readings = Readings::default();
        for window in policy.windows() {
            let reading = match window.count {
                Count::Calls => calls,
                Count::DistinctTools => tools,
                Count::Denials => None,
            };
            if let Some(reading) = reading {
                readings.insert(window.clone(), reading);
            }
        }
        let mut request = AccessRequest {
            resource: Resource::Tool(tool),
            ..call.request(&HEADERS)
        };
        let demanded = demands(&policy, &request);
        let tools: Vec<_> = demanded.iter().map(|one| one.tool.as_deref()).collect();
        let expected: &[Option<&str>] = match tool {
            "get_issue" => &[None, Some("github\0get_issue")],
            _ => &[None],
        };
        assert_eq!(tools, expected, "{tool}");
        request.context.readings = Some(&readings);
        assert_eq!(
            is_visible(&policy, &request),
            visible,
            "{tool} {calls:?} {readings:?}"
        );
        if !visible {
            assert_eq!(outcome(&evaluate(&policy, &request)), "denied_by_rule");
        }
    }
}

#[test]
fn listed_templates_are_judged_by_all_that_they_stand_for() {
    let policy = policy(
        "rules:
- {id: a, effect: allow, who: {anyone: true}, what: {resources: ['docs://public/**', 'docs://x/readme']}}
- {id: b, effect: deny, what: {resources: ['docs://public/secret/*']}}
- {id: c, effect: allow, who: {anyone: true}, what: {resources: ['wiki://**']}, if: \"mcp.uri.endsWith('.md')\"}
- {id: d, effect: allow, who: {anyone: true}, what: {resources: ['repo://**'], not: {resources: ['repo://private/*']}}}
",
    );
    for (template, visible) in [
        ("docs://public/{name}", true),
        ("docs://public/secret/{name}", false),
        ("docs://public/secret/{+path}", true),
        ("docs://public/{area}/{name}", true),
        ("docs://x/{name}", true),
        ("docs://y/{name}", false),
        ("docs://{area}/{name}", true),
        ("mail://{box}", false),
        ("wiki://{page}", true),
        ("repo://private/{name}", false),
        ("repo://private/{+name}", true),
        ("repo://{owner}/{name}", true),
    ] {
        let call = Call::on("resources/read", Resource::Template(template));
        let request = call.request(&HEADERS);
        assert_eq!(is_visible(&policy, &request), visible, "{template}");
        // As anything but a listed item it stands for all that it can expand to.
        let all = matches!(template, "wiki://{page}" | "docs://public/{name}");
        let allowed = outcome(&evaluate(&policy, &request)) == "allow";
        assert!(!allowed || (visible && all), "{template}");
    }
}

#[test]
fn trusted_hints_are_classes_where_no_table_is() {
    let servers = TrustedHints::default();
    let text = "tools: {github: {read: [get_*]}}\nrules:\n- {id: a, effect: allow, who: {anyone: true}, what: {servers: [SERVER], classes: [write]}}\n";
    let compiled = |server: &str, hints: &TrustedHints| {
        let context = CompileContext {
            hints: Arc::new(hints.clone()),
            ..CompileContext::default()
        };
        compile(&[source("p", &text.replace("SERVER", server))], &context)
    };
    assert!(compiled("github", &servers).is_err());
    let mut trusted = TrustedHints::default();
    trusted.insert("github", [("put".to_owned(), HintedClass::Write)].into());
    assert!(compiled("files", &trusted).is_err());
    let policy = compiled("github", &trusted).unwrap();
    for (tool, class) in [
        ("get_a", Some("read")),
        ("put", Some("write")),
        ("other", None),
    ] {
        let found = policy.class("github", tool, trusted.of("github", tool));
        assert_eq!(found.map(|class| &**class), class, "{tool}");
    }
    assert_eq!(trusted.of("files", "put"), Hints::Untrusted);
    let mut call = Call::open("initialize");
    assert_eq!(outcome(&call.decide(&policy)), "no_matching_rule");
    call.context.hints = Hints::Trusted(None);
    assert_eq!(outcome(&call.decide(&policy)), "allow");
}

/// The rules of the example in `src/policy/README.md`.
#[test]
fn the_specified_example_decides_as_it_says() {
    let policy = policy(
        r#"
tools:
  github:
    read:        [get_*, list_*, search_*]
    write:       [create_*, update_*]
    destructive: [delete_*, merge_*]
rules:
- id: engineers-read                 # unique; it is what audit prints
  effect: allow
  who:   {groups: [engineering]}
  what:  {servers: [github], classes: [read, write]}
- id: only-our-org
  effect: deny
  what:  {servers: [github], methods: [tools/call]}
  if:    args.owner != "acme"
  message: "Only repositories of acme may be touched."
- id: writes-need-scope-and-fresh-login
  effect: require
  what:  {servers: [github], classes: [write, destructive]}
  needs: {scopes: [repo:write]}
"#,
    );
    for (tool, arguments, expected) in [
        ("get_issue", object(&[("owner", text("acme"))]), "allow"),
        (
            "get_issue",
            object(&[("owner", text("evil"))]),
            "denied_by_rule",
        ),
        (
            "get_issue",
            object(&[("owner", Value::List(vec![text("acme")]))]),
            "indeterminate",
        ),
        ("get_issue", object(&[]), "indeterminate"),
        (
            "create_issue",
            object(&[("owner", text("acme"))]),
            "challenge",
        ),
        (
            "delete_repo",
            object(&[("owner", text("acme"))]),
            "no_matching_rule",
        ),
        (
            "whoami",
            object(&[("owner", text("acme"))]),
            "no_matching_rule",
        ),
    ] {
        let arguments = Some(arguments);
        let call = Call {
            resource: Resource::Tool(tool),
            arguments,
            ..Call::default()
        };
        assert_eq!(outcome(&call.decide(&policy)), expected, "{tool}");
    }
    assert_eq!(outcome(&Call::open("initialize").decide(&policy)), "allow");
}
