//! What the store takes when it is full, each kind at its largest.
#![expect(clippy::print_stdout, reason = "it is a report")]

use jiff::{SignedDuration, Timestamp};
use mcp_authz::authz::{
    AccessRequest, Action, ActionKind, Context, Decision, Http, Peer, Policy, Resource, Subject,
    UnknownFacts, Value, evaluate, events,
};
use mcp_authz::policy::{CompileContext, compile};
use mcp_authz::state::{
    Bind, BindingKey, BindingStore as _, LimitStore as _, Memory, Owner, StateSettings,
    WINDOW_SLOTS, WindowStore as _,
};
use mcp_authz::yaml::Source;

use super::memory::resident;
use super::service::finish;

/// How many of each kind; a store may have as many by default.
const COUNT: usize = 100_000;
const PER: SignedDuration = SignedDuration::from_hours(1);
/// One more than a rule can ask about.
const TOOLS: usize = 101;

/// Prints how many bytes each kind takes. The store stays in memory, so each is measured by what
/// it adds.
pub(super) fn report() {
    for (what, tools, fill) in [
        ("limit of a subject", 1, limits as fn(&Memory, usize)),
        ("limit, a hundred of each subject", 100, limits),
        ("window of calls, with every slot", 1, windows),
        ("window of tools, with all it can have", 1, distinct_tools),
        ("session or task", 1, bindings),
        (
            "session or task, with as many that were forgotten",
            1,
            more_bindings,
        ),
    ] {
        let before = resident("self");
        let memory = Memory::new(StateSettings {
            keys_max: COUNT,
            bindings_max: COUNT,
        });
        fill(&memory, tools);
        let grown = resident("self").saturating_sub(before);
        println!("{what}: {} bytes", grown / COUNT);
        std::mem::forget(memory);
    }
}

fn at(number: i64) -> Timestamp {
    let start = Timestamp::from_second(1_800_000_000).unwrap();
    let slots = i32::try_from(WINDOW_SLOTS).unwrap();
    let step = PER.checked_div(slots).unwrap();
    start + step * i32::try_from(number).unwrap()
}

fn limits(memory: &Memory, each: usize) {
    let rule = "{id: r, effect: limit, limit: {calls: 1, per: 1d, by: [subject, tool]}}";
    let policy = policy(rule);
    for number in 0..COUNT {
        let id = (number / each).to_string();
        let tool = (number % each).to_string();
        let Decision::Limit(pending) =
            with_request(&id, &tool, |request| evaluate(&policy, request).decision)
        else {
            panic!("it has a limit")
        };
        finish(memory.take(&pending.takings().calls, at(0))).unwrap();
    }
    assert_eq!(memory.keys(), COUNT);
}

fn windows(memory: &Memory, _: usize) {
    let rule = "{id: r, effect: deny, why: {calls: {more_than: 1, per: 1h, by: [subject]}}}";
    let slots = i64::try_from(WINDOW_SLOTS).unwrap();
    record(memory, rule, |number| {
        (at(number.min(slots)), "t".to_owned())
    });
}

fn distinct_tools(memory: &Memory, _: usize) {
    let rule =
        "{id: r, effect: deny, why: {distinct_tools: {more_than: 1, per: 1h, by: [subject]}}}";
    record(memory, rule, |number| (at(0), number.to_string()));
}

fn record(memory: &Memory, rule: &str, event: impl Fn(i64) -> (Timestamp, String)) {
    let policy = policy(rule);
    for number in 0..COUNT {
        let id = number.to_string();
        for number in 0..i64::try_from(TOOLS).unwrap() {
            let (now, tool) = event(number);
            let demands = with_request(&id, &tool, |request| events(&policy, request, false));
            finish(memory.record(&demands, now)).unwrap();
        }
    }
    assert_eq!(memory.keys(), COUNT);
}

fn bindings(memory: &Memory, _: usize) {
    bind(memory, COUNT);
}

fn more_bindings(memory: &Memory, _: usize) {
    bind(memory, 2 * COUNT);
}

fn bind(memory: &Memory, count: usize) {
    for number in 0..count {
        let key = [BindingKey::session("s", &number.to_string())];
        let owner = Owner::new("https://idp.test", &number.to_string());
        finish(memory.bind(&key, owner, Bind::Anew, at(0))).unwrap();
    }
}

fn policy(rule: &str) -> Policy {
    let all = "{id: all, effect: allow, who: {anyone: true}, what: {servers: [s]}}";
    let source = Source {
        name: "p".to_owned(),
        text: format!("rules:\n- {all}\n- {rule}"),
    };
    compile(&[source], &CompileContext::default()).unwrap()
}

fn with_request<T>(id: &str, tool: &str, then: impl FnOnce(&AccessRequest<'_>) -> T) -> T {
    let subject = Subject {
        issuer: "https://idp.test".into(),
        id: id.into(),
        agent: None,
        groups: Vec::new(),
        roles: Vec::new(),
        scopes: Vec::new(),
        tenant: None,
        device: None,
        claims: Value::Null,
        unknown: UnknownFacts::default(),
    };
    then(&AccessRequest {
        subject: &subject,
        peer: Peer::Absent,
        server: "s",
        action: Action {
            method: "tools/call",
            authorized_as: None,
            kind: ActionKind::Use,
        },
        resource: Resource::Tool(tool),
        arguments: None,
        input: None,
        meta: None,
        protocol_version: None,
        session: None,
        source: None,
        http: Http {
            host: "h",
            path: "/",
            headers: &[],
        },
        now: at(0),
        context: Context::default(),
    })
}
