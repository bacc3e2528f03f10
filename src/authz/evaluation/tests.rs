//! Properties over generated policies; rows for each selector are beside the compiler.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::LazyLock;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::{Index as Pick, select, subsequence};

use super::*;
use crate::authz::classes::{HintedClass, Hints, ToolClasses};
use crate::authz::classified::Class;
use crate::authz::explain::explain;
use crate::authz::expression::Expression;
use crate::authz::glob::Glob;
use crate::authz::limit::Limit;
use crate::authz::matching::Match;
use crate::authz::peer::{Peer, PeerNames};
use crate::authz::policy::PolicyParts;
use crate::authz::preview::{PreviewOutcome, preview};
use crate::authz::request::{Action, Context, Http, Resource, Stands};
use crate::authz::rule::{Mode, Needs, Rule};
use crate::authz::selectors::{
    Behaviour, ExpectedValue, MethodPattern, Names, ValueSelector, What, Where, Who, Why,
};
use crate::authz::subject::Subject;
use crate::authz::value::Value;
use crate::authz::visibility::is_visible;
use crate::authz::window::{Count, KeyPart, Readings, Window};
use crate::authz::{About, PreviewTime};

const GROUPS: [&str; 3] = ["g1", "g2", "g3"];
const SCOPES: [&str; 3] = ["s1", "s2", "s3"];

fn names(values: &'static [&'static str]) -> impl Strategy<Value = Option<Names>> {
    let some = subsequence(values, 1..=2).prop_map(|names| {
        let names: Vec<Arc<str>> = names.into_iter().map(Arc::from).collect();
        Some(names.into_boxed_slice())
    });
    prop_oneof![2 => Just(None), 1 => some]
}

fn plain_who() -> impl Strategy<Value = Who> {
    let peers = names(&["p1", "p2"]);
    (
        names(&["alice", "bob"]),
        names(&GROUPS),
        names(&SCOPES),
        peers,
    )
        .prop_map(|(subjects, groups, scopes, peers)| Who {
            subjects,
            groups,
            scopes,
            peers,
            ..Who::default()
        })
}

fn who() -> impl Strategy<Value = Who> {
    let not = prop::option::weighted(0.3, plain_who().prop_map(Box::new));
    (plain_who(), not).prop_map(|(who, not)| Who { not, ..who })
}

fn patterns<P: Clone + std::fmt::Debug + 'static>(
    values: &'static [&'static str],
    parse: fn(&str) -> Result<P, crate::authz::InvalidGlob>,
) -> impl Strategy<Value = Option<Box<[P]>>> {
    let some = subsequence(values, 1..=2)
        .prop_map(move |texts| Some(texts.into_iter().map(|text| parse(text).unwrap()).collect()));
    prop_oneof![1 => Just(None), 2 => some]
}

fn globs(values: &'static [&'static str]) -> impl Strategy<Value = Option<Box<[Glob]>>> {
    patterns(values, Glob::name)
}

fn methods() -> impl Strategy<Value = Option<Box<[MethodPattern]>>> {
    let exact = |method: &str| MethodPattern::Exact(method.into());
    let some = subsequence(
        vec![
            exact("tools/call"),
            exact("initialize"),
            exact("resources/read"),
            exact("resources/subscribe"),
            exact("vendor/x"),
            MethodPattern::Under("vendor/".into()),
            MethodPattern::Under("tasks/".into()),
        ],
        1..=2,
    );
    prop_oneof![2 => Just(None), 1 => some.prop_map(|methods| Some(methods.into()))]
}

fn arguments() -> impl Strategy<Value = Box<[ValueSelector]>> {
    let selector = ValueSelector {
        path: crate::authz::ValuePath::of_argument("a").unwrap(),
        expected: Box::new([
            ExpectedValue::Exactly(Value::Int(1)),
            ExpectedValue::Pattern(crate::authz::TextPattern::new(Glob::name("x*").unwrap())),
        ]),
    };
    prop_oneof![3 => Just(Box::default()), 1 => Just([selector].into())]
}

/// Selectors of one kind, so that they can match.
fn plain_what() -> impl Strategy<Value = What> {
    let servers = || names(&["github", "files", "mail"]);
    let tools = (
        globs(&["get_a", "get_b", "get_*", "*"]),
        names(&["read", "write"]),
        arguments(),
    );
    prop_oneof![
        (servers(), methods()).prop_map(|(servers, methods)| What {
            servers,
            methods,
            ..What::default()
        }),
        (servers(), tools).prop_map(|(servers, (tools, classes, arguments))| What {
            servers,
            tools,
            classes,
            arguments,
            ..What::default()
        }),
        (servers(), globs(&["p1", "p*"])).prop_map(|(servers, prompts)| What {
            servers,
            prompts,
            ..What::default()
        }),
        (
            servers(),
            patterns(
                &["f://h/a", "f://h/*", "f://h/**"],
                crate::authz::UriPattern::new
            )
        )
            .prop_map(|(servers, resources)| What {
                servers,
                resources,
                ..What::default()
            }),
    ]
}

fn what() -> impl Strategy<Value = What> {
    let not = prop::option::weighted(0.3, plain_what().prop_map(Box::new));
    (plain_what(), not)
        .prop_map(|(what, not)| What { not, ..what })
        .prop_filter("about one kind", |what| what.kinds().len() < 2)
}

static CONDITIONS: LazyLock<Vec<Expression>> = LazyLock::new(|| {
    let texts = [
        "args.a == 1",
        "has(args.a)",
        "false",
        "subject.groups.exists(g, g == 'g1')",
        "mcp.class == 'write'",
        "!has(mcp.class) || mcp.class == 'read'",
        "mcp.uri.endsWith('a')",
    ];
    texts
        .iter()
        .map(|text| Expression::compile(text).unwrap())
        .collect()
});

fn expression() -> impl Strategy<Value = Option<Expression>> {
    let some = select(&**CONDITIONS).prop_map(Some);
    prop_oneof![3 => Just(None), 1 => some]
}

fn place() -> impl Strategy<Value = Option<Where>> {
    let networks: Box<[ipnet::IpNet]> = Box::new(["10.0.0.0/8".parse().unwrap()]);
    let place = Where {
        networks: Some(networks),
        ..Where::default()
    };
    prop::option::weighted(0.2, Just(place))
}

fn by() -> impl Strategy<Value = Box<[KeyPart]>> {
    let parts = [KeyPart::Subject, KeyPart::Agent, KeyPart::Tool];
    subsequence(parts.to_vec(), 1..=2).prop_map(Box::from)
}

/// Selects callers with more than two denials; the request carries the count.
fn why() -> impl Strategy<Value = Option<Why>> {
    let behaviour = Behaviour::new(window(), None, 2);
    let why = Why {
        behaviours: [behaviour].into(),
        ..Why::default()
    };
    prop::option::weighted(0.15, Just(why))
}

fn window() -> Window {
    Window {
        count: Count::Denials,
        per: Duration::from_mins(1),
        by: Box::new([KeyPart::Subject]),
        of: None,
        lacking: Box::default(),
    }
}

fn mode() -> impl Strategy<Value = Mode> {
    prop_oneof![5 => Just(Mode::Enforce), 1 => Just(Mode::Shadow)]
}

fn effect() -> impl Strategy<Value = Effect> {
    let needs = subsequence(&SCOPES, 1..=2).prop_map(|scopes| {
        Effect::Require(Needs {
            scopes: scopes.into_iter().map(Arc::from).collect(),
            ..Needs::default()
        })
    });
    let stronger = Just(Effect::Require(Needs {
        acr: Box::new(["gold".into()]),
        ..Needs::default()
    }));
    let limit = by().prop_map(|by| {
        Effect::Limit(Limit {
            calls: 1,
            per: Duration::from_secs(1),
            burst: 1,
            by,
        })
    });
    prop_oneof![
        8 => Just(Effect::Allow),
        2 => Just(Effect::Deny),
        2 => needs,
        1 => stronger,
        2 => limit,
    ]
}

fn rules() -> impl Strategy<Value = Vec<Rule>> {
    let selectors = (who(), what(), any::<bool>(), place(), why(), expression());
    let rule = (effect(), mode(), selectors);
    let rule = rule.prop_map(
        |(effect, mode, (who, what, bare, place, why, expression))| {
            let bare = bare && effect != Effect::Allow;
            Rule {
                id: "".into(),
                who: (!bare).then_some(who),
                what: (!bare || effect == Effect::Deny).then_some(what),
                effect,
                mode,
                when: None,
                place,
                why,
                expression,
                set: None,
                message: None,
                about: About::default(),
            }
        },
    );
    prop::collection::vec(rule, 0..14).prop_map(|mut rules| {
        for (position, rule) in rules.iter_mut().enumerate() {
            rule.id = format!("r{position}").into();
        }
        rules
    })
}

#[derive(Debug, Clone)]
struct Ask {
    subject: Subject,
    server: &'static str,
    action: Action<'static>,
    resource: Resource<'static>,
    arguments: Option<Value<'static>>,
    peer: Option<PeerNames>,
    source: Option<IpAddr>,
    readings: Readings,
    hints: Hints,
}

fn calls() -> Vec<(Action<'static>, Resource<'static>)> {
    let call = |method, kind, resource| {
        (
            Action {
                method,
                authorized_as: None,
                kind,
            },
            resource,
        )
    };
    vec![
        call("tools/call", ActionKind::Use, Resource::Tool("get_a")),
        call("tools/call", ActionKind::Use, Resource::Tool("get_b")),
        call("tools/call", ActionKind::Use, Resource::Tool("put")),
        call("prompts/get", ActionKind::Use, Resource::Prompt("p1")),
        call("resources/read", ActionKind::Use, Resource::Uri("f://h/a")),
        call(
            "resources/read",
            ActionKind::Use,
            Resource::Uri("f://h/b/../a"),
        ),
        (
            Action {
                method: "resources/subscribe",
                authorized_as: Some("resources/read"),
                kind: ActionKind::Use,
            },
            Resource::Uri("f://h/a"),
        ),
        call("tasks/get", ActionKind::Use, Resource::Task("t")),
        call("initialize", ActionKind::Open, Resource::Server),
        call("vendor/x", ActionKind::Unknown, Resource::Server),
        call("other/x", ActionKind::Unknown, Resource::Server),
    ]
}

fn ask() -> impl Strategy<Value = Ask> {
    let held = |values: Vec<&str>| values.into_iter().map(Arc::from).collect::<Vec<Arc<str>>>();
    let subject = (
        select(&["alice", "carol"]),
        subsequence(&GROUPS, 0..=3),
        subsequence(&SCOPES, 0..=3),
        select(&["gold", "tin"]),
    );
    let subject = subject.prop_map(move |(id, groups, scopes, acr)| Subject {
        issuer: "i".into(),
        id: id.into(),
        agent: (id == "alice").then(|| "cli".into()),
        groups: held(groups),
        roles: Vec::new(),
        scopes: held(scopes),
        tenant: None,
        device: None,
        claims: Value::Map(vec![("acr".into(), Value::String(acr.into()))]),
        unknown: crate::authz::UnknownFacts::default(),
    });
    let argument = prop_oneof![
        Just(Value::Int(1)),
        Just(Value::Int(2)),
        Just(Value::String("xy".into())),
        Just(Value::List(vec![Value::Int(1), Value::Int(2)])),
    ];
    let arguments = argument.prop_map(|value| Value::Map(vec![("a".into(), value)]));
    let server = select(&["github", "files"]);
    let peer = select(vec![None, Some(PeerNames::called("p1"))]);
    let source = select(vec![
        None,
        Some([10, 0, 0, 1].into()),
        Some([11, 0, 0, 1].into()),
    ]);
    (
        subject,
        server,
        select(calls()),
        prop::option::of(arguments),
        peer,
        source,
        select(&[None, Some(2_u64), Some(3)]),
        hints(),
    )
        .prop_map(
            |(subject, server, (action, resource), arguments, peer, source, denials, hints)| Ask {
                subject,
                server,
                action,
                resource,
                arguments,
                peer,
                source,
                readings: readings(denials),
                hints,
            },
        )
}

/// Templates with some of their expansions.
fn templates() -> impl Strategy<Value = (&'static str, Vec<&'static str>)> {
    select(vec![
        (
            "f://h/{x}",
            vec!["f://h/a", "f://h/b", "f://h/..", "f://h/"],
        ),
        ("f://h/{+x}", vec!["f://h/a", "f://h/b/../a", "f://h/b/c"]),
        ("f://h{/x}", vec!["f://h/a", "f://h"]),
        ("f://h/a{?x}", vec!["f://h/a", "f://h/a?x=1"]),
        ("g:{x}", vec!["g:a"]),
        ("f://h/a", vec!["f://h/a"]),
    ])
}

fn hints() -> impl Strategy<Value = Hints> {
    prop_oneof![
        2 => Just(Hints::Untrusted),
        1 => Just(Hints::Trusted(None)),
        2 => select(&HintedClass::ALL).prop_map(|class| Hints::Trusted(Some(class))),
    ]
}

fn readings(denials: Option<u64>) -> Readings {
    let mut readings = Readings::default();
    if let Some(denials) = denials {
        readings.insert(window(), denials);
    }
    readings
}

impl Ask {
    fn request(&self) -> AccessRequest<'_> {
        AccessRequest {
            subject: &self.subject,
            peer: self.peer.as_ref().map_or(Peer::Absent, Peer::Known),
            server: self.server,
            action: self.action,
            resource: self.resource,
            arguments: self.arguments.as_ref(),
            input: None,
            meta: None,
            protocol_version: None,
            session: None,
            source: self.source,
            http: Http {
                host: "h",
                path: "/",
                headers: &[],
            },
            now: jiff::Timestamp::UNIX_EPOCH,
            context: Context {
                readings: Some(&self.readings),
                hints: self.hints,
                ..Context::default()
            },
        }
    }

    fn decide(&self, rules: &[Rule]) -> Evaluation {
        evaluate(&policy(rules), &self.request())
    }
}

fn policy(rules: &[Rule]) -> Policy {
    let mut classes = ToolClasses::default();
    classes.insert(Glob::name("get_*").unwrap(), &"read".into());
    classes.insert(Glob::name("get_b").unwrap(), &"write".into());
    let classes = vec![("github".into(), classes)];
    Policy::new(PolicyParts {
        revision: String::new(),
        rules: rules.to_vec(),
        classes,
    })
}

fn reason(evaluation: &Evaluation) -> (&'static str, Option<DenialReason>) {
    match &evaluation.decision {
        Decision::Allow(_) => ("allow", None),
        Decision::Deny(denial) => ("deny", Some(denial.reason)),
        Decision::Challenge(_) => ("challenge", None),
        Decision::Limit(_) => ("limit", None),
    }
}

fn is_allowed(evaluation: &Evaluation) -> bool {
    matches!(evaluation.decision, Decision::Allow(_))
}

fn may_pass(evaluation: &Evaluation) -> bool {
    matches!(evaluation.decision, Decision::Allow(_) | Decision::Limit(_))
}

/// [`evaluate`] as documented, word for word, over every rule.
fn naive(rules: &[Rule], ask: &Ask) -> (&'static str, Option<DenialReason>, Vec<Arc<str>>) {
    let policy = policy(rules);
    let request = ask.request();
    let call = policy.call(&request);
    let ids = |test: &dyn Fn(&Rule) -> bool| -> Vec<Arc<str>> {
        rules
            .iter()
            .filter(|rule| rule.mode == Mode::Enforce && test(rule))
            .map(|rule| Arc::clone(&rule.id))
            .collect()
    };
    let denying = ids(&|rule| rule.effect == Effect::Deny && rule.matches(&call) == Match::Yes);
    if !denying.is_empty() {
        return ("deny", Some(DenialReason::DeniedByRule), denying);
    }
    let unclear =
        ids(&|rule| rule.effect != Effect::Allow && rule.matches(&call) == Match::Indeterminate);
    if !unclear.is_empty() {
        return ("deny", Some(DenialReason::Indeterminate), unclear);
    }
    let is_named = |rule: &Rule| {
        let what = rule.what.as_ref();
        what.is_some_and(|what| {
            what.names_method(request.action.method) && what.covers_server(ask.server)
        })
    };
    let granting = ids(&|rule| {
        rule.effect == Effect::Allow
            && match request.action.kind {
                ActionKind::Open => policy.could_serve(rule, &request),
                ActionKind::Use => rule.matches(&call) == Match::Yes,
                ActionKind::Unknown => is_named(rule) && rule.matches(&call) == Match::Yes,
            }
    });
    if granting.is_empty() {
        let others = naive_unmet(rules, ask, &call);
        if let Some(scoped) = naive_lacking(rules, ask, &policy) {
            let ids = ids(&|rule| rule.id == scoped || others.contains(&rule.id));
            return ("challenge", None, ids);
        }
        let named = rules
            .iter()
            .filter(|rule| rule.mode == Mode::Enforce)
            .any(|rule| rule.effect == Effect::Allow && is_named(rule));
        let unknown = request.action.kind == ActionKind::Unknown && !named;
        let reason = if unknown {
            DenialReason::UnknownMethod
        } else {
            DenialReason::NoMatchingRule
        };
        return ("deny", Some(reason), Vec::new());
    }
    let unmet = naive_unmet(rules, ask, &call);
    if !unmet.is_empty() {
        return ("challenge", None, unmet);
    }
    let limiting =
        ids(&|rule| matches!(rule.effect, Effect::Limit(_)) && rule.matches(&call) == Match::Yes);
    if limiting.is_empty() {
        ("allow", None, granting)
    } else {
        ("limit", None, limiting)
    }
}

fn naive_unmet(rules: &[Rule], ask: &Ask, call: &crate::authz::call::Call<'_>) -> Vec<Arc<str>> {
    let rules = rules.iter().filter(|rule| rule.mode == Mode::Enforce);
    let unmet = rules.filter(|rule| match &rule.effect {
        Effect::Require(needs) => {
            let mut scopes = needs.scopes.iter();
            let acr = ask.subject.claims.member("acr").unwrap().as_str();
            let met = scopes.all(|scope| ask.subject.scopes.contains(scope))
                && (needs.acr.is_empty() || needs.acr.iter().any(|one| Some(&**one) == acr));
            !met && rule.matches(call) == Match::Yes
        }
        Effect::Allow | Effect::Deny | Effect::Limit(_) | Effect::Open(_) => false,
    });
    unmet.map(|rule| Arc::clone(&rule.id)).collect()
}

/// The allow rule that would grant with one scope more: it is tried with each.
fn naive_lacking(rules: &[Rule], ask: &Ask, policy: &Policy) -> Option<Arc<str>> {
    let would = |rule: &&Rule| {
        let Some(scopes) = rule.who.as_ref().and_then(|who| who.scopes.as_ref()) else {
            return false;
        };
        // What `not` says of scopes is about those that the caller has now.
        let without_not = |mut who: Who| {
            who.not = None;
            who
        };
        let request = ask.request();
        let not = rule.who.iter().flat_map(|who| &who.not);
        let is_excluded = not
            .map(|who| who.matches(&request))
            .any(|found| found != Match::No);
        let with_scope = |scope: &Arc<str>| {
            let mut ask = ask.clone();
            ask.subject.scopes.push(Arc::clone(scope));
            let request = ask.request();
            let rule = Rule {
                who: rule.who.clone().map(without_not),
                ..(*rule).clone()
            };
            let kind = request.action.kind;
            let named = kind != ActionKind::Unknown || rule.names_method(&request);
            named
                && match kind {
                    ActionKind::Open => policy.could_serve(&rule, &request),
                    ActionKind::Use | ActionKind::Unknown => {
                        rule.matches(&policy.call(&request)) == Match::Yes
                    }
                }
        };
        !is_excluded && scopes.iter().any(with_scope)
    };
    let allows = rules
        .iter()
        .filter(|rule| rule.mode == Mode::Enforce && rule.effect == Effect::Allow);
    let scoped = allows.filter(would);
    let fewest = scoped.min_by_key(|rule| rule.scopes().len());
    fewest.map(|rule| Arc::clone(&rule.id))
}

fn limiting(evaluation: &Evaluation) -> Vec<Arc<str>> {
    match &evaluation.decision {
        Decision::Limit(pending) => pending.takings().rules().cloned().collect(),
        Decision::Allow(_) | Decision::Deny(_) | Decision::Challenge(_) => Vec::new(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_index_finds_what_a_look_at_every_rule_finds(rules in rules(), ask in ask()) {
        let evaluation = ask.decide(&rules);
        let (decision, why, ids) = naive(&rules, &ask);
        prop_assert_eq!(reason(&evaluation), (decision, why));
        if decision == "allow" {
            let first = ids.first().unwrap();
            prop_assert!(evaluation.rules.contains(first), "{:?} {:?}", evaluation, ids);
            prop_assert!(ask.action.kind == ActionKind::Open || ids.iter().all(|id| evaluation.rules.contains(id)));
        } else if decision == "limit" {
            prop_assert_eq!(limiting(&evaluation), ids);
        } else {
            prop_assert_eq!(evaluation.rules, ids);
        }
    }

    #[test]
    fn shadow_rules_change_nothing(rules in rules(), extra in rules(), ask in ask()) {
        let before = ask.decide(&rules);
        let shadow = extra.into_iter().enumerate().map(|(position, rule)| Rule {
            id: format!("s{position}").into(),
            mode: Mode::Shadow,
            ..rule
        });
        let more: Vec<Rule> = rules.iter().cloned().chain(shadow).collect();
        prop_assert_eq!(before, ask.decide(&more));
    }

    #[test]
    fn a_rehearsal_is_the_decision_with_shadow_rules_in_force(rules in rules(), ask in ask()) {
        let enforced: Vec<Rule> = rules
            .iter()
            .map(|rule| Rule { mode: Mode::Enforce, ..rule.clone() })
            .collect();
        let rehearsal = rehearse(&policy(&rules), &ask.request(), Rules::All);
        let decided = ask.decide(&enforced);
        prop_assert_eq!(&rehearsal.rules, &decided.rules);
        prop_assert_eq!(rehearsal.outcome, decided.decision.into());
        let is_shadow = |id: &Arc<str>| rules.iter().any(|rule| rule.id == *id && rule.mode == Mode::Shadow);
        prop_assert!(rehearsal.shadow.iter().all(is_shadow));
    }

    /// Windows that were not demanded make no difference.
    #[test]
    fn windows_that_matter_are_demanded(rules in rules(), ask in ask()) {
        let blind = Ask { readings: Readings::default(), ..ask.clone() };
        let demanded = demands(&policy(&rules), &blind.request());
        prop_assume!(demanded.is_empty());
        prop_assert_eq!(ask.decide(&rules), blind.decide(&rules));
    }

    #[test]
    fn another_limit_or_requirement_never_allows(rules in rules(), extra in rules(), ask in ask()) {
        let before = may_pass(&ask.decide(&rules));
        let gates = extra.into_iter().filter(|rule| rule.effect != Effect::Allow);
        let more: Vec<Rule> = rules.into_iter().chain(gates).collect();
        prop_assert!(before || !may_pass(&ask.decide(&more)));
    }

    #[test]
    fn the_order_of_rules_does_not_matter(rules in rules(), ask in ask(), seed in any::<[Pick; 14]>()) {
        let mut other = rules.clone();
        for (position, pick) in seed.iter().enumerate().take(rules.len()) {
            other.swap(position, pick.index(rules.len()));
        }
        prop_assert_eq!(reason(&ask.decide(&rules)), reason(&ask.decide(&other)));
    }

    #[test]
    fn another_deny_never_allows(rules in rules(), extra in rules(), ask in ask()) {
        let before = may_pass(&ask.decide(&rules));
        let denies = extra.into_iter().map(|rule| Rule { effect: Effect::Deny, ..rule });
        let more: Vec<Rule> = rules.into_iter().chain(denies).collect();
        prop_assert!(before || !may_pass(&ask.decide(&more)));
    }

    #[test]
    fn an_allow_less_never_allows(rules in rules(), which in any::<Pick>(), ask in ask()) {
        prop_assume!(!rules.is_empty());
        let before = may_pass(&ask.decide(&rules));
        let mut fewer = rules;
        let position = which.index(fewer.len());
        if fewer[position].effect == Effect::Allow {
            fewer.remove(position);
        }
        prop_assert!(before || !may_pass(&ask.decide(&fewer)));
    }

    #[test]
    fn what_can_be_called_is_visible(rules in rules(), ask in ask()) {
        prop_assume!(ask.action.kind == ActionKind::Use);
        let policy = policy(&rules);
        let visible = is_visible(&policy, &ask.request());
        prop_assert!(visible || !may_pass(&evaluate(&policy, &ask.request())));
        let other = Ask { arguments: None, ..ask };
        prop_assert_eq!(visible, is_visible(&policy, &other.request()));
    }

    /// A template is hidden only if no URI that it expands to could be read.
    #[test]
    fn a_template_is_visible_where_an_expansion_can_be_read(
        rules in rules(),
        ask in ask(),
        (template, uris) in templates(),
        is_read in any::<bool>(),
    ) {
        let policy = policy(&rules);
        let action = Action { method: "resources/read", authorized_as: None, kind: ActionKind::Use };
        let listed = Ask { action, resource: Resource::Template(template), ..ask.clone() };
        let mut request = listed.request();
        if !is_read {
            request.context.readings = None;
        }
        if is_visible(&policy, &request) {
            return Ok(());
        }
        for uri in uris {
            let call = Ask { action, resource: Resource::Uri(uri), ..ask.clone() };
            prop_assert!(!may_pass(&call.decide(&rules)), "{} {}", template, uri);
        }
    }

    /// An unread window hides nothing that could be called.
    #[test]
    fn what_was_not_read_hides_nothing(rules in rules(), ask in ask()) {
        prop_assume!(ask.action.kind == ActionKind::Use);
        let policy = policy(&rules);
        let mut blind = ask.request();
        blind.context.readings = None;
        prop_assert!(is_visible(&policy, &blind) || !may_pass(&ask.decide(&rules)));
    }

    #[test]
    fn the_explanation_is_of_the_decision(rules in rules(), ask in ask()) {
        let policy = policy(&rules);
        let request = ask.request();
        let explanation = explain(&policy, &request);
        let evaluation = &explanation.evaluation;
        prop_assert_eq!(evaluation, &evaluate(&policy, &request));
        for rule in &explanation.rules {
            // What a requirement asks for does not say whether it applies.
            let parts = rule.selectors.iter();
            let parts = parts.filter(|selector| !selector.name.starts_with("needs."));
            let parts = parts.map(|selector| selector.found);
            let together = parts.fold(Match::Yes, Match::and);
            if request.action.kind == ActionKind::Use || rule.effect != Effect::Allow {
                prop_assert_eq!(rule.found, together, "{:?}", rule);
            }
            let is_for_grant = matches!(&evaluation.decision, Decision::Challenge(challenge) if challenge.is_for_grant);
            if is_for_grant && rule.effect == Effect::Allow {
                prop_assert!(rule.found == Match::No || !evaluation.rules.contains(&rule.id));
            } else if evaluation.rules.contains(&rule.id) {
                prop_assert!(matches!(rule.found, Match::Yes | Match::Indeterminate));
            }
        }
    }

    #[test]
    fn the_outlook_holds_whatever_the_arguments(rules in rules(), ask in ask()) {
        let policy = policy(&rules);
        let request = ask.request();
        prop_assume!(request.action.kind == ActionKind::Use);
        let preview = preview(&policy, &request, PreviewTime::Then);
        let (decision, _) = reason(&evaluate(&policy, &request));
        // The preview cannot know whether a limit has room.
        let decision = if decision == "limit" { "allow" } else { decision };
        let expected = match preview.outcome {
            PreviewOutcome::Allow => "allow",
            PreviewOutcome::Challenge => "challenge",
            PreviewOutcome::Deny => "deny",
            PreviewOutcome::Depends => decision,
        };
        prop_assert_eq!(decision, expected, "{:?}", preview);
    }

    #[test]
    fn the_outlook_for_callers_of_a_kind_holds_for_each_of_them(rules in rules(), mut ask in ask()) {
        // What counts by agent is taken as if there were one.
        ask.subject.agent.get_or_insert_with(|| "web".into());
        let policy = policy(&rules);
        let request = ask.request();
        prop_assume!(request.action.kind == ActionKind::Use);
        let (decision, _) = reason(&evaluate(&policy, &request));
        let decision = if decision == "limit" { "allow" } else { decision };
        let subject = Subject { agent: None, tenant: None, claims: Value::Null, ..ask.subject.clone() };
        let mut general = AccessRequest { subject: &subject, source: None, session: None, ..request };
        general.peer = Peer::Absent;
        general.context.stands = Stands::ForCallers;
        let preview = preview(&policy, &general, PreviewTime::FromThen);
        let fits = match preview.outcome {
            PreviewOutcome::Allow => decision == "allow",
            // How the caller logged in is not said either.
            PreviewOutcome::Challenge => decision == "challenge" || decision == "allow",
            PreviewOutcome::Deny => decision == "deny",
            PreviewOutcome::Depends => true,
        };
        prop_assert!(fits, "{decision} but {preview:?}");
    }

    #[test]
    fn an_empty_policy_denies(ask in ask()) {
        prop_assert!(!is_allowed(&ask.decide(&[])));
    }
}

/// A core that never allows would satisfy the properties above, so this counts the outcomes.
#[test]
fn generated_requests_meet_every_outcome() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    let mut runner = TestRunner::deterministic();
    let mut seen = std::collections::HashMap::new();
    for _ in 0..3000 {
        let (rules, ask) = (rules(), ask()).new_tree(&mut runner).unwrap().current();
        *seen.entry(reason(&ask.decide(&rules))).or_insert(0) += 1;
    }
    for (outcome, least) in [
        (("allow", None), 100),
        (("challenge", None), 30),
        (("limit", None), 20),
        (("deny", Some(DenialReason::DeniedByRule)), 100),
        (("deny", Some(DenialReason::Indeterminate)), 30),
        (("deny", Some(DenialReason::NoMatchingRule)), 100),
        (("deny", Some(DenialReason::UnknownMethod)), 30),
    ] {
        assert!(
            seen.get(&outcome).is_some_and(|count| *count >= least),
            "{outcome:?} {seen:?}"
        );
    }
}

#[test]
fn claims_and_headers_are_read_from_their_places() {
    let headers = [(Cow::Borrowed("x-a"), Cow::Borrowed("1"))];
    let rules = [Rule {
        id: "a".into(),
        effect: Effect::Allow,
        who: Some(Who::default()),
        what: Some(What::default()),
        mode: Mode::Enforce,
        why: None,
        when: None,
        place: None,
        expression: Some(Expression::compile("request.headers['x-a'] == '1'").unwrap()),
        set: None,
        message: None,
        about: About::default(),
    }];
    let subject = Subject {
        issuer: "i".into(),
        id: "s".into(),
        agent: None,
        groups: Vec::new(),
        roles: Vec::new(),
        scopes: Vec::new(),
        tenant: None,
        device: None,
        claims: Value::Null,
        unknown: crate::authz::UnknownFacts::default(),
    };
    let ask = Ask {
        subject,
        server: "github",
        action: Action {
            method: "tools/call",
            authorized_as: None,
            kind: ActionKind::Use,
        },
        resource: Resource::Tool("t"),
        arguments: None,
        peer: None,
        source: None,
        readings: Readings::default(),
        hints: Hints::Untrusted,
    };
    let request = AccessRequest {
        http: Http {
            headers: &headers,
            ..ask.request().http
        },
        ..ask.request()
    };
    assert!(is_allowed(&evaluate(&policy(&rules), &request)));
    assert!(!is_allowed(&ask.decide(&rules)));
}

/// A thousand rules cost as little as ten if few of them can matter.
#[test]
#[expect(clippy::too_many_lines, reason = "rules and requests written out")]
fn rules_that_cannot_matter_are_not_evaluated() {
    let named = |name: String| -> Option<Names> { Some(Box::new([name.into()])) };
    let glob =
        |name: String| -> Option<Box<[Glob]>> { Some(Box::new([Glob::name(&name).unwrap()])) };
    let rule = |position: usize| {
        let (mut who, mut what) = (Who::default(), What::default());
        match position % 5 {
            0 => what.servers = named(format!("server{position}")),
            1 => what.tools = glob(format!("tool{position}")),
            2 => what.classes = named(format!("class{position}")),
            3 => who.groups = named(format!("group{position}")),
            _ => who.subjects = named(format!("subject{position}")),
        }
        Rule {
            id: format!("r{position}").into(),
            effect: if position.is_multiple_of(2) {
                Effect::Allow
            } else {
                Effect::Deny
            },
            who: Some(who),
            what: Some(what),
            mode: Mode::Enforce,
            why: None,
            when: None,
            place: None,
            expression: None,
            set: None,
            message: None,
            about: About::default(),
        }
    };
    let mut rules: Vec<Rule> = (0..1000).map(rule).collect();
    rules.push(Rule {
        what: Some(What {
            tools: glob("get_a".into()),
            ..What::default()
        }),
        ..rule(1)
    });
    let policy = policy(&rules);
    let subject = Subject {
        issuer: "i".into(),
        id: "alice".into(),
        agent: None,
        groups: vec!["g1".into(), "group3".into()],
        roles: Vec::new(),
        scopes: Vec::new(),
        tenant: None,
        device: None,
        claims: Value::Null,
        unknown: crate::authz::UnknownFacts::default(),
    };
    let ask = Ask {
        subject,
        server: "github",
        action: Action {
            method: "tools/call",
            authorized_as: None,
            kind: ActionKind::Use,
        },
        resource: Resource::Tool("get_a"),
        arguments: None,
        peer: None,
        source: None,
        readings: Readings::default(),
        hints: Hints::Untrusted,
    };
    assert_eq!(
        policy
            .indexes(Rules::Enforced)
            .next()
            .unwrap()
            .gates(&ask.request(), Class::Of("read")),
        [3, 1000]
    );
    assert_eq!(
        policy
            .indexes(Rules::Enforced)
            .next()
            .unwrap()
            .grants(&ask.request(), Class::Of("read")),
        Vec::<usize>::new()
    );
}

#[test]
fn a_policy_and_its_decisions_cross_threads() {
    fn crosses<T: Send + Sync>() {}
    crosses::<Policy>();
    crosses::<Evaluation>();
}
