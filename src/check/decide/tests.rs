mod indirect;

use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::authn::FoundPeer;
use crate::authz::{
    Count, Decision, DenialReason, LimitDemand, OpenDemand, Opened, Policy, Rehearsed, Subject,
    Taken, WindowDemand,
};
use crate::catalog::{Catalog, CatalogLimits};
use crate::check::request::HttpRequest;
use crate::check::{Body, DenySettings, PurposeSettings, Server, ServerSettings, SessionBinding};
use crate::mcp::{DecodeOptions, MessageHeaders, decode};
use crate::policy::{CompileContext, compile};
use crate::state::{
    Bind, BindingKey, BindingStore, LimitStore, Memory, Owner, PlaceKey, Reply, StateSettings,
    StateUnavailable, Whose, WindowStore,
};
use crate::upstream::AuthorizationHeader;
use crate::yaml::Source;

const ALL: &str = "{id: all, effect: allow, who: {anyone: true}, what: {servers: [notes]}}";

fn policy(rules: &[&str]) -> Policy {
    let source = Source {
        name: "p".to_owned(),
        text: format!("rules:\n- {}", rules.join("\n- ")),
    };
    compile(&[source], &CompileContext::default())
        .unwrap_or_else(|findings| panic!("{}", findings.render(false)))
}

#[derive(Debug, Clone, Copy)]
enum Loss {
    Hangs,
    Fails,
}

/// A store in memory that tells what was done to it.
#[derive(Debug)]
struct Watched {
    memory: Memory,
    /// Whether everything looks free, so that it is seen to be another's only when it is bound.
    hides_bindings: bool,
    /// This operation is lost on its way: it never ends, or fails.
    lost: Option<(&'static str, Loss)>,
    reads: Mutex<usize>,
    records: Mutex<usize>,
    /// What was counted, and how often.
    events: Mutex<Vec<WindowDemand>>,
}

impl Watched {
    fn new() -> Self {
        Watched::with_room_for(StateSettings::default().keys_max)
    }

    fn with_room_for(keys_max: usize) -> Self {
        Watched {
            memory: Memory::new(StateSettings {
                keys_max,
                ..StateSettings::default()
            }),
            hides_bindings: false,
            lost: None,
            reads: Mutex::default(),
            records: Mutex::default(),
            events: Mutex::default(),
        }
    }

    fn or_lost<'a, T: 'a>(&self, operation: &str, reply: Reply<'a, T>) -> Reply<'a, T> {
        match self.lost {
            Some((lost, Loss::Hangs)) if lost == operation => {
                Reply::Later(Box::pin(std::future::pending()))
            }
            Some((lost, Loss::Fails)) if lost == operation => {
                Reply::Now(std::future::ready(Err(StateUnavailable)))
            }
            Some(_) | None => reply,
        }
    }

    fn counted(&self, count: Count) -> usize {
        let events = self.events.lock().unwrap();
        events.iter().filter(|it| it.window.count == count).count()
    }

    /// How often a tool was counted by a window that is kept by tool.
    fn counted_of(&self, count: Count, tool: &str) -> usize {
        let events = self.events.lock().unwrap();
        let is_it = |event: &&WindowDemand| {
            event.window.count == count && event.key.as_bytes().ends_with(tool.as_bytes())
        };
        events.iter().filter(is_it).count()
    }

    fn operations(&self) -> (usize, usize) {
        (*self.reads.lock().unwrap(), *self.records.lock().unwrap())
    }
}

impl WindowStore for Watched {
    fn read<'a>(&'a self, windows: &'a [WindowDemand], now: Timestamp) -> Reply<'a, Readings> {
        *self.reads.lock().unwrap() += 1;
        self.memory.read(windows, now)
    }

    fn record<'a>(&'a self, windows: &'a [WindowDemand], now: Timestamp) -> Reply<'a, ()> {
        *self.records.lock().unwrap() += 1;
        self.events.lock().unwrap().extend_from_slice(windows);
        self.or_lost("record", self.memory.record(windows, now))
    }
}

impl LimitStore for Watched {
    fn take<'a>(&'a self, limits: &'a [LimitDemand], now: Timestamp) -> Reply<'a, Taken> {
        self.or_lost("take", self.memory.take(limits, now))
    }

    fn open<'a>(
        &'a self,
        places: &'a [OpenDemand],
        request: Uuid,
        now: Timestamp,
    ) -> Reply<'a, Opened> {
        self.memory.open(places, request, now)
    }

    fn attend(&self, places: &[PlaceKey], request: Uuid) {
        self.memory.attend(places, request);
    }

    fn close(&self, places: &[PlaceKey], request: Uuid) {
        self.memory.close(places, request);
    }
}

impl BindingStore for Watched {
    fn bindings<'a>(
        &'a self,
        keys: &'a [BindingKey],
        asking: Owner,
        now: Timestamp,
    ) -> Reply<'a, Vec<Whose>> {
        if self.hides_bindings {
            return Reply::now(vec![Whose::Nobodys; keys.len()]);
        }
        self.memory.bindings(keys, asking, now)
    }

    fn bind<'a>(
        &'a self,
        keys: &'a [BindingKey],
        owner: Owner,
        how: Bind,
        now: Timestamp,
    ) -> Reply<'a, Vec<Whose>> {
        self.or_lost("bind", self.memory.bind(keys, owner, how, now))
    }
}

fn server() -> Arc<Server> {
    let settings = ServerSettings {
        name: "notes".to_owned(),
        hosts: Vec::new(),
        path: None,
        resources: vec!["https://mcp.example.com/mcp".to_owned()],
        audiences: Vec::new(),
        issuers: vec!["https://idp.test".to_owned()],
        authorization_servers: None,
        scopes_supported: Vec::new(),
        scope_names: None,
        issuer_scope_names: Vec::new(),
        challenge_scopes: crate::check::ChallengeScopes::All,
        scope_results: crate::check::ScopeResults::None,
        deny: DenySettings::default(),
        batch_max: 1000,
        string_body: false,
        fold_arguments: false,
        check_arguments: false,
        indirect: None,
        protocol_versions: Vec::new(),
        uris: crate::check::UriForm::Normal,
        token: crate::authn::TokenPlace::default(),
        authorization: AuthorizationHeader::Remove,
        session_binding: SessionBinding::On,
        responses_on_get: false,
        resume: false,
        trust: crate::catalog::Trust::default(),
    };
    Arc::new(Server::new(settings).unwrap())
}

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

/// What is known of tools: nothing at first.
fn catalog() -> Catalog {
    let limits = CatalogLimits {
        tools_max: 10,
        name_bytes_max: 256,
    };
    let server = crate::catalog::WatchedServer {
        name: "notes".to_owned(),
        trust: crate::catalog::Trust::default(),
        snapshot: None,
        check_arguments: false,
    };
    Catalog::open(vec![server], limits, now()).unwrap()
}

/// Judges a body as Alice's.
async fn judge(policies: Policies<'_>, state: &Watched, body: &Value) -> RequestDecision {
    judge_as("alice", &catalog(), policies, state, body).await
}

async fn judge_as(
    id: &str,
    catalog: &Catalog,
    policies: Policies<'_>,
    state: &Watched,
    body: &Value,
) -> RequestDecision {
    judge_ids(id, catalog, policies, state, body, false).await
}

async fn judge_ids(
    id: &str,
    catalog: &Catalog,
    policies: Policies<'_>,
    state: &Watched,
    body: &Value,
    is_id_in_use: bool,
) -> RequestDecision {
    let judged = try_judge(id, catalog, policies, state, body, is_id_in_use).await;
    judged.unwrap()
}

async fn try_judge(
    id: &str,
    catalog: &Catalog,
    policies: Policies<'_>,
    state: &Watched,
    body: &Value,
    is_id_in_use: bool,
) -> Result<RequestDecision, StateUnavailable> {
    let body = body.to_string();
    let options = DecodeOptions {
        batch_max: 1000,
        indirect: Some(indirect::tools()),
        ..DecodeOptions::default()
    };
    let request = HttpRequest {
        method: "POST",
        path: "/mcp",
        host: "mcp.example.com",
        body: Body::Bytes(body.as_bytes()),
        ..HttpRequest::default()
    };
    let headers = MessageHeaders::collect([("content-type", "application/json")], true);
    let read = ParsedRequest::decoded(decode(body.as_bytes(), &options), &headers, None, None);
    assert!(read.rejection.is_none(), "{body}");
    let subject = Arc::new(Subject {
        issuer: "https://idp.test".into(),
        id: id.into(),
        agent: None,
        groups: Vec::new(),
        roles: Vec::new(),
        scopes: Vec::new(),
        tenant: None,
        device: None,
        claims: authz::Value::Null,
        unknown: authz::UnknownFacts::default(),
    });
    let server = server();
    let context = RequestContext {
        request: &request,
        server: &server,
        face: &server.face("mcp.example.com").unwrap(),
        subject: &subject,
        host: "mcp.example.com",
        headers: &Vec::new(),
        catalog,
        purpose: &PurposeSettings::default(),
        country: None,
        device: None,
        peer: &FoundPeer::Absent,
        now: now(),
        decision_id: Uuid::from_u128(1),
    };
    context.decide(policies, state, &read, is_id_in_use).await
}

async fn enforce(policy: &Policy, state: &Watched, body: &Value) -> RequestDecision {
    let policies = Policies {
        enforced: policy,
        candidate: None,
    };
    judge(policies, state, body).await
}

fn call(id: usize, tool: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": tool}})
}

fn batch<'t>(tools: impl IntoIterator<Item = &'t str>) -> Value {
    let tools = tools.into_iter().enumerate();
    tools.map(|(id, tool)| call(id, tool)).collect()
}

fn denial(decided: &RequestDecision) -> (DenialReason, Option<&str>, usize) {
    let Some(Decision::Deny(denial)) = &decided.decision else {
        panic!("{:?}", decided.decision)
    };
    (denial.reason, denial.rule.as_deref(), decided.decisive)
}

const DENIED: DenialReason = DenialReason::DeniedByRule;

#[tokio::test]
async fn the_calls_of_a_batch_are_counted_before_the_next_is_judged() {
    let policy = policy(&[
        ALL,
        "{id: few, effect: deny, why: {calls: {more_than: 5, per: 1h, by: [subject]}}}",
        "{id: counts, effect: deny, what: {tools: [none]}, why: {denials: {more_than: 9, per: 1h, by: [subject]}}}",
    ]);
    let state = Watched::new();
    let decided = enforce(&policy, &state, &batch(["t"; 5])).await;
    assert!(decided.is_allowed());
    let state = Watched::new();
    let decided = enforce(&policy, &state, &batch(["t"; 200])).await;
    assert_eq!(denial(&decided), (DENIED, Some("few"), 5));
    assert_eq!(state.counted(Count::Calls), 200);
    assert_eq!(state.counted(Count::Denials), 195);
    assert_eq!(state.operations(), (200, 200));
}

#[tokio::test]
async fn the_tools_of_a_batch_are_counted_before_the_next_is_judged() {
    let policy = policy(&[
        ALL,
        "{id: few, effect: deny, why: {distinct_tools: {more_than: 3, per: 1h, by: [subject]}}}",
    ]);
    let tools: Vec<String> = (0..50).map(|number| format!("t{number}")).collect();
    let state = Watched::new();
    let body = batch(tools.iter().map(String::as_str));
    assert_eq!(
        denial(&enforce(&policy, &state, &body).await),
        (DENIED, Some("few"), 3)
    );
    assert_eq!(state.counted(Count::DistinctTools), 50);
    // The same few again and again are few.
    let state = Watched::new();
    let body = batch(["a", "b", "c"].into_iter().cycle().take(50));
    assert!(enforce(&policy, &state, &body).await.is_allowed());
}

#[tokio::test]
async fn nothing_is_remembered_of_a_request_whose_id_is_in_use() {
    let policy = policy(&[
        ALL,
        "{id: secret, effect: deny, what: {tools: [secret]}}",
        "{id: few, effect: deny, why: {calls: {more_than: 5, per: 1h, by: [subject]}}}",
        "{id: probes, effect: deny, why: {denials: {more_than: 5, per: 1h, by: [subject]}}}",
    ]);
    let policies = Policies {
        enforced: &policy,
        candidate: None,
    };
    for body in [call(1, "t"), batch(["t"; 3])] {
        let state = Watched::new();
        let decided = judge_ids("alice", &catalog(), policies, &state, &body, true).await;
        assert_eq!(decided.refusal, Some(Reason::IdInUse));
        assert_eq!(state.operations().1, 0);
    }
    // A denial says more, and counts as any does.
    for (body, calls) in [(call(1, "secret"), 1), (batch(["t", "secret"]), 2)] {
        let state = Watched::new();
        let decided = judge_ids("alice", &catalog(), policies, &state, &body, true).await;
        assert_eq!(denial(&decided).1, Some("secret"));
        assert_eq!(state.counted(Count::Calls), calls);
        assert_eq!(state.counted(Count::Denials), 1);
    }
}

#[tokio::test]
async fn a_quarantine_does_not_feed_itself() {
    let gated = "{id: some, effect: allow, who: {anyone: true}, what: {tools: [safe]}, \
                 why: {not: {denials: {more_than: 1, per: 1h, by: [subject]}}}}";
    let deny = "{id: prober, effect: deny, why: {denials: {more_than: 1, per: 1h, by: [subject]}}}";
    let no = "{id: no, effect: deny, what: {tools: [no]}}";
    let day = "{id: day, effect: deny, why: {denials: {more_than: 99, per: 24h, by: [subject]}}}";
    for rules in [&[ALL, no, deny][..], &[gated], &[gated, no, deny]] {
        let state = Watched::new();
        let policy = policy(rules);
        let ask = async |tool| enforce(&policy, &state, &call(1, tool)).await.is_allowed();
        assert!(!ask("no").await && ask("safe").await);
        assert!(!ask("no").await && !ask("safe").await);
        assert_eq!(state.counted(Count::Denials), 2, "{rules:?}");
        for _ in 0..5 {
            assert!(!ask("safe").await);
        }
        assert_eq!(state.counted(Count::Denials), 2, "{rules:?}");
        assert!(!ask("no").await);
        assert_eq!(state.counted(Count::Denials), 3, "{rules:?}");
    }
    // Another window counts it.
    let state = Watched::new();
    let policy = policy(&[ALL, no, deny, day]);
    for tool in ["no", "no", "safe"] {
        assert!(!enforce(&policy, &state, &call(1, tool)).await.is_allowed());
    }
    assert_eq!(state.counted(Count::Denials), 5);
}

const PROBER: [&str; 3] = [
    ALL,
    "{id: no, effect: deny, what: {tools: [no]}}",
    "{id: prober, effect: deny, what: {tools: [safe]}, why: {denials: {more_than: 9, per: 1h, by: [subject]}}}",
];

#[tokio::test]
async fn each_denied_part_of_a_batch_counts_for_itself() {
    let policy = policy(&PROBER);
    for (denied, is_allowed) in [(9, true), (10, false)] {
        let state = Watched::new();
        let decided = enforce(&policy, &state, &batch(vec!["no"; denied])).await;
        assert_eq!(denial(&decided), (DENIED, Some("no"), 0));
        assert_eq!(state.counted(Count::Denials), denied);
        let decided = enforce(&policy, &state, &call(1, "safe")).await;
        assert_eq!(decided.is_allowed(), is_allowed, "{denied}");

        // In one batch as well.
        let state = Watched::new();
        let tools = vec!["no"; denied].into_iter().chain(["safe"]);
        let decided = enforce(&policy, &state, &batch(tools)).await;
        let is_prober = decided.rules.iter().any(|rule| &**rule == "prober");
        assert_eq!(is_prober, !is_allowed, "{denied}");
        // What only the quarantine denies does not prolong it.
        assert_eq!(state.counted(Count::Denials), denied);
    }
}

#[tokio::test]
async fn a_challenged_part_counts_as_a_denied_one() {
    let policy = policy(&[
        ALL,
        "{id: scope, effect: require, what: {tools: [no]}, needs: {scopes: [more]}}",
        PROBER[2],
    ]);
    let state = Watched::new();
    let decided = enforce(&policy, &state, &batch(["no", "other", "no"])).await;
    assert!(matches!(decided.decision, Some(Decision::Challenge(_))));
    assert_eq!(state.counted(Count::Denials), 2);
}

#[tokio::test]
async fn a_subscription_counts_each_uri() {
    let policy = policy(&[
        ALL,
        "{id: few, effect: deny, why: {calls: {more_than: 5, per: 1h, by: [subject]}}}",
        PROBER[2],
    ]);
    let uris: Vec<String> = (0..7).map(|number| format!("note://{number}")).collect();
    let listen = |uris: &[String]| {
        json!({
            "jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen",
            "params": {"notifications": {"resourceSubscriptions": uris}},
        })
    };
    let state = Watched::new();
    assert!(
        enforce(&policy, &state, &listen(&uris[..5]))
            .await
            .is_allowed()
    );
    let state = Watched::new();
    let decided = enforce(&policy, &state, &listen(&uris)).await;
    assert_eq!(denial(&decided), (DENIED, Some("few"), 5));
    assert_eq!(
        (state.counted(Count::Calls), state.counted(Count::Denials)),
        (7, 2)
    );
}

#[tokio::test]
async fn a_limit_without_room_is_the_denial_of_its_part_alone() {
    let policy = policy(&[
        ALL,
        "{id: one-a, effect: limit, what: {tools: [a]}, limit: {calls: 1, per: 1h, by: [subject, tool]}}",
        "{id: one-b, effect: limit, what: {tools: [b]}, limit: {calls: 1, per: 1h, by: [subject, tool]}}",
        "{id: counts, effect: deny, what: {tools: [none]}, why: {denials: {more_than: 9, per: 1h, by: [tool]}}}",
        "{id: counts-too, effect: deny, what: {tools: [none]}, why: {calls: {more_than: 9, per: 1h, by: [tool]}}}",
    ]);
    let limited = DenialReason::RateLimited;
    for (tools, rule, part) in [
        (&["a", "x", "b", "b"][..], "one-b", 3),
        (&["x", "a", "a", "b"], "one-a", 2),
        (&["x", "a", "b", "a"], "one-a", 3),
    ] {
        let state = Watched::new();
        let decided = enforce(&policy, &state, &batch(tools.iter().copied())).await;
        assert_eq!(denial(&decided), (limited, Some(rule), part), "{tools:?}");
        assert_eq!(state.counted(Count::Denials), 1);
        assert_eq!(
            state.counted_of(Count::Denials, tools[part]),
            1,
            "{tools:?}"
        );
        assert_eq!(state.counted(Count::Calls), 4);
    }
}

#[tokio::test]
async fn what_proves_to_be_anothers_is_the_denial_of_its_part_alone() {
    let policy = policy(&[
        ALL,
        PROBER[2],
        "{id: few, effect: deny, why: {calls: {more_than: 9, per: 1h, by: [subject]}}}",
    ]);
    let mallorys = Owner::new("https://idp.test", "mallory");
    let key = BindingKey::task("notes", "theirs");
    let task = |id: usize, task: &str| json!({"jsonrpc": "2.0", "id": id, "method": "tasks/get", "params": {"taskId": task}});
    for hides_bindings in [false, true] {
        let state = Watched {
            hides_bindings,
            ..Watched::new()
        };
        let memory = &state.memory;
        memory
            .bind(&[key], mallorys, Bind::Anew, now())
            .await
            .unwrap();
        let body = json!([task(1, "mine"), task(2, "theirs"), task(3, "theirs")]);
        let decided = enforce(&policy, &state, &body).await;
        assert_eq!(decided.refusal, Some(Reason::TaskMismatch));
        assert_eq!(decided.decisive, 1);
        let counted = (state.counted(Count::Calls), state.counted(Count::Denials));
        assert_eq!(counted, (3, 1), "{hides_bindings}");
    }
}

/// What is only tried out sees of a batch what is in force would.
#[tokio::test]
async fn a_rehearsal_sees_the_parts_before_it() {
    let few = "effect: deny, why: {calls: {more_than: 5, per: 1h, by: [subject]}}}";
    let enforced = policy(&[ALL, &format!("{{id: shadow, mode: shadow, {few}")]);
    let candidate = policy(&[ALL, &format!("{{id: few, {few}")]);
    for (calls, is_allowed) in [(5, true), (6, false)] {
        let policies = Policies {
            enforced: &enforced,
            candidate: Some(&candidate),
        };
        let decided = judge(policies, &Watched::new(), &batch(vec!["t"; calls])).await;
        assert!(decided.is_allowed());
        for rehearsal in [decided.shadow, decided.candidate] {
            let outcome = rehearsal.unwrap().outcome;
            assert_eq!(matches!(outcome, Rehearsed::Allow), is_allowed, "{calls}");
        }
    }
}

#[tokio::test]
async fn a_request_of_one_part_is_read_and_recorded_once() {
    let policy = policy(&[&PROBER[..], &["{id: one, effect: limit, what: {tools: [limited]}, limit: {calls: 1, per: 1h, by: [subject]}}"]].concat());
    for (tool, denied, operations) in [
        ("t", [0, 0], (0, 0)),
        ("safe", [0, 0], (2, 0)),
        ("no", [1, 2], (0, 2)),
        ("limited", [0, 1], (0, 1)),
    ] {
        let state = Watched::new();
        for denied in denied {
            enforce(&policy, &state, &call(1, tool)).await;
            assert_eq!(state.counted(Count::Denials), denied, "{tool}");
        }
        assert_eq!(state.operations(), operations, "{tool}");
    }
}

/// One call, or one batch of calls, by somebody.
async fn call_as(
    id: &str,
    catalog: &Catalog,
    policy: &Policy,
    state: &Watched,
    tools: &[String],
) -> RequestDecision {
    let policies = Policies {
        enforced: policy,
        candidate: None,
    };
    let body = match tools {
        [tool] => call(1, tool),
        several => batch(several.iter().map(String::as_str)),
    };
    judge_as(id, catalog, policies, state, &body).await
}

const LIMITED: [&str; 4] = [
    ALL,
    "{id: few, effect: limit, what: {tools: [create_*, named]}, limit: {calls: 3, per: 1d, by: [subject, tool]}}",
    "{id: no, effect: deny, what: {tools: [no]}}",
    "{id: quarantine, effect: deny, what: {tools: [safe]}, why: {denials: {more_than: 9, per: 1h, by: [subject]}}}",
];

#[tokio::test]
async fn a_flood_of_made_up_tools_ends_no_limit_and_no_quarantine() {
    let policy = policy(&LIMITED);
    let (state, catalog) = (Watched::with_room_for(2000), catalog());
    let by = async |id: &str, tool: &str| {
        call_as(id, &catalog, &policy, &state, &[tool.to_owned()]).await
    };
    for id in ["mallory", "bob"] {
        for _ in 0..3 {
            assert!(by(id, "create_note").await.is_allowed());
        }
        for _ in 0..10 {
            by(id, "no").await;
        }
    }
    for flood in 0..100 {
        let tools: Vec<String> = (0..100).map(|n| format!("create_{flood}_{n}")).collect();
        call_as("mallory", &catalog, &policy, &state, &tools).await;
    }
    assert!(state.memory.keys() <= 2000);
    for id in ["mallory", "bob"] {
        let limited = by(id, "create_note").await;
        assert_eq!(
            denial(&limited),
            (DenialReason::RateLimited, Some("few"), 0)
        );
        let quarantined = by(id, "safe").await;
        assert_eq!(denial(&quarantined), (DENIED, Some("quarantine"), 0));
    }
    // There is room for others by what the flood has too much of.
    for id in ["carol", "dave"] {
        for _ in 0..3 {
            assert!(by(id, "create_note").await.is_allowed(), "{id}");
        }
        let limited = by(id, "create_note").await;
        assert_eq!(
            denial(&limited),
            (DenialReason::RateLimited, Some("few"), 0)
        );
        assert!(by(id, "safe").await.is_allowed());
    }
}

#[tokio::test]
async fn a_window_that_was_forgotten_grants_nothing_and_denies() {
    let behaved = "{id: behaved, effect: allow, who: {anyone: true}, what: {servers: [notes], tools: [safe]}, why: {not: {calls: {more_than: 9, per: 1d, by: [subject]}}}}";
    let quarantine = "{id: quarantine, effect: deny, what: {tools: [safe]}, why: {calls: {more_than: 9, per: 1d, by: [subject]}}}";
    let flooding = "{id: flooding, effect: deny, what: {tools: [none]}, why: {calls: {more_than: 9, per: 2d, by: [subject, tool]}}}";
    let indeterminate = (DenialReason::Indeterminate, Some("quarantine"), 0);
    let no_rule = (DenialReason::NoMatchingRule, None, 0);
    for (rules, expected) in [
        (&[ALL, quarantine, flooding][..], indeterminate),
        (&[behaved, flooding], no_rule),
    ] {
        let policy = policy(rules);
        let (state, catalog) = (Watched::with_room_for(50), catalog());
        let by =
            async |id: &str| call_as(id, &catalog, &policy, &state, &["safe".to_owned()]).await;
        assert!(by("mallory").await.is_allowed());
        let tools: Vec<String> = (0..100).map(|n| format!("made-up-{n}")).collect();
        call_as("mallory", &catalog, &policy, &state, &tools).await;
        assert_eq!(denial(&by("mallory").await), expected);
        assert!(by("bob").await.is_allowed());
    }
}

#[tokio::test]
async fn tools_that_the_server_does_not_have_are_counted_as_one() {
    let source = Source {
        name: "p".to_owned(),
        text: format!(
            "tools: {{notes: {{write: [create_classed]}}}}\nrules:\n- {}",
            LIMITED.join("\n- ")
        ),
    };
    let policy = compile(&[source], &CompileContext::default())
        .unwrap_or_else(|findings| panic!("{}", findings.render(false)));
    let tool = crate::json::decode(br#"{"name": "create_note"}"#, 8).unwrap();
    for is_known in [true, false] {
        let (state, catalog) = (Watched::new(), catalog());
        if is_known {
            assert!(
                catalog
                    .observe("notes", "create_note", &tool, Timestamp::UNIX_EPOCH)
                    .is_new
            );
        }
        let mut allowed = 0;
        for number in 0..10 {
            let tools = [format!("create_{number}")];
            let decided = call_as("alice", &catalog, &policy, &state, &tools).await;
            allowed += usize::from(decided.is_allowed());
        }
        assert_eq!(allowed, if is_known { 3 } else { 10 });
        // Each that the server lists, or a rule or the table names, has its own limit.
        for tool in ["create_note", "create_classed", "named"] {
            for is_allowed in [true, true, true, false] {
                let tools = [tool.to_owned()];
                let decided = call_as("alice", &catalog, &policy, &state, &tools).await;
                assert_eq!(decided.is_allowed(), is_allowed, "{tool}");
            }
        }
    }
}

const OPEN: &str = "{id: open, effect: limit, limit: {open: 1, by: [subject]}}";

/// Whether a call is let through that needs the one place.
async fn has_place(state: &Watched) -> bool {
    let decided = enforce(&policy(&[ALL, OPEN]), state, &call(1, "t")).await;
    decided.is_allowed()
}

#[tokio::test]
async fn what_is_denied_after_all_gives_its_places_back() {
    let limited = DenialReason::RateLimited;
    // A limit on how often has no room.
    let state = Watched::new();
    let rate = "{id: rate, effect: limit, limit: {calls: 1, per: 1h, by: [subject]}}";
    let both = policy(&[ALL, OPEN, rate]);
    let mut decided = enforce(&both, &state, &call(1, "t")).await;
    assert!(decided.is_allowed());
    assert_eq!(decided.places.len(), 1);
    let second = enforce(&both, &state, &call(1, "t")).await;
    assert_eq!(denial(&second), (limited, Some("open"), 0));
    decided.give_back(&state, Uuid::from_u128(1));
    assert_eq!(decided.places, []);
    let second = enforce(&both, &state, &call(1, "t")).await;
    assert_eq!(denial(&second), (limited, Some("rate"), 0));
    assert_eq!(second.places, []);
    assert!(has_place(&state).await);
    assert!(!has_place(&state).await);

    // A rule denies, or what is used turns out to be somebody else's.
    let state = Watched {
        hides_bindings: true,
        ..Watched::new()
    };
    let mallorys = Owner::new("https://idp.test", "mallory");
    let key = BindingKey::task("notes", "theirs");
    let keys = [key];
    let bound = state.memory.bind(&keys, mallorys, Bind::Anew, now());
    bound.await.unwrap();
    let theirs =
        json!({"jsonrpc": "2.0", "id": 1, "method": "tasks/get", "params": {"taskId": "theirs"}});
    let decided = enforce(&policy(&[ALL, OPEN]), &state, &theirs).await;
    assert_eq!(decided.refusal, Some(Reason::TaskMismatch));
    let denies = policy(&[ALL, OPEN, "{id: no, effect: deny, what: {tools: [t]}}"]);
    let decided = enforce(&denies, &state, &call(1, "t")).await;
    assert_eq!(denial(&decided), (DENIED, Some("no"), 0));
    assert!(has_place(&state).await);
}

#[tokio::test]
async fn what_is_given_up_or_lost_while_it_is_decided_gives_its_places_back() {
    let rate = "{id: rate, effect: limit, limit: {calls: 9, per: 1h, by: [subject]}}";
    let window = "{id: w, effect: deny, what: {tools: [safe]}, why: {calls: {more_than: 9, per: 1h, by: [subject]}}}";
    let policy = policy(&[ALL, OPEN, rate, window]);
    let (catalog, policies) = (
        catalog(),
        Policies {
            enforced: &policy,
            candidate: None,
        },
    );
    let task =
        json!({"jsonrpc": "2.0", "id": 1, "method": "tasks/get", "params": {"taskId": "mine"}});
    for (operation, body) in [
        ("take", &call(1, "t")),
        ("record", &call(1, "t")),
        ("bind", &task),
    ] {
        for loss in [Loss::Hangs, Loss::Fails] {
            let mut state = Watched {
                lost: Some((operation, loss)),
                ..Watched::new()
            };
            {
                let judged =
                    std::pin::pin!(try_judge("alice", &catalog, policies, &state, body, false));
                let mut context = std::task::Context::from_waker(std::task::Waker::noop());
                let polled = judged.poll(&mut context).map(|judged| judged.is_err());
                let expected = match loss {
                    Loss::Hangs => std::task::Poll::Pending,
                    Loss::Fails => std::task::Poll::Ready(true),
                };
                assert_eq!(polled, expected, "{operation} {loss:?}");
            }
            state.lost = None;
            assert!(has_place(&state).await, "{operation} {loss:?}");
        }
    }
}

#[tokio::test]
async fn each_call_of_a_batch_has_a_place_and_a_subscription_has_one() {
    let policy = policy(&[
        ALL,
        "{id: two, effect: limit, limit: {open: 2, by: [subject]}}",
    ]);
    let decided = enforce(&policy, &Watched::new(), &batch(["t"; 2])).await;
    assert_eq!(decided.places.len(), 2);
    let decided = enforce(&policy, &Watched::new(), &batch(["a", "b", "c"])).await;
    assert_eq!(
        denial(&decided),
        (DenialReason::RateLimited, Some("two"), 2)
    );
    let listen = json!({
        "jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen",
        "params": {"notifications": {"resourceSubscriptions": ["note://a", "note://b", "note://c"]}},
    });
    let decided = enforce(&policy, &Watched::new(), &listen).await;
    assert!(decided.is_allowed());
    assert_eq!(decided.places.len(), 1);
}

#[tokio::test]
async fn what_is_tried_out_has_places_of_its_own() {
    let shadow = "{id: open, mode: shadow, effect: limit, limit: {open: 1, by: [subject]}}";
    let enforced = policy(&[ALL, shadow]);
    let candidate = policy(&[ALL, OPEN]);
    let policies = Policies {
        enforced: &enforced,
        candidate: Some(&candidate),
    };
    let state = Watched::new();
    for (places, is_allowed) in [(2, true), (0, false)] {
        let decided = judge(policies, &state, &call(1, "t")).await;
        assert!(decided.is_allowed());
        assert_eq!(decided.places.len(), places);
        for rehearsal in [decided.shadow, decided.candidate] {
            let outcome = rehearsal.unwrap().outcome;
            assert_eq!(matches!(outcome, Rehearsed::Allow), is_allowed);
        }
    }
    assert!(has_place(&state).await);
}
