//! The changes of limits against sequences of calls: what some sequence gets through under the new
//! policy alone is told as growth, and what it gets through under the old one alone as less.

use super::*;

fn on(server: &str, tool: &str) -> Target {
    let tool = TargetResource::Tool(tool.into());
    Target {
        server: server.into(),
        ..target("tools/call", ActionKind::Use, tool)
    }
}

fn every_target() -> Vec<Target> {
    [targets(), vec![on("t", "get_a"), on("t", "other")]].concat()
}

/// Some callers: each subject has its groups.
fn callers() -> Vec<World> {
    let all = worlds().into_iter().filter(|world| {
        let is_alice = &*world.subject.id == "alice";
        let groups: &[Arc<str>] = if is_alice {
            &["a".into()]
        } else {
            &["b".into()]
        };
        world.subject.groups == groups
            && !world.subject.unknown.groups
            && world.subject.scopes.is_empty()
            && world.reading == Some(0)
            && world.purpose == Declared::Nothing
            && world.now == NOW.parse().unwrap()
    });
    all.collect()
}

/// How many calls each counter has let through.
#[derive(Default)]
struct Counts(HashMap<Vec<u8>, u32>);

impl Counts {
    /// Whether a call passes.
    fn pass(&mut self, policy: &Policy, target: &Target, world: &World) -> bool {
        world.ask(target, 0, |request| {
            let pending = match evaluate(policy, request).decision {
                Decision::Allow(_) => return true,
                Decision::Deny(_) | Decision::Challenge(_) => return false,
                Decision::Limit(pending) => pending,
            };
            let takings = pending.takings();
            let calls = takings.calls.iter().map(|one| (&one.key, one.limit.burst));
            let places = takings.places.iter().map(|one| (&one.key, one.most));
            let all: Vec<(Vec<u8>, u32)> = calls
                .chain(places)
                .map(|(key, most)| (key.as_bytes().to_vec(), most))
                .collect();
            let passes = all
                .iter()
                .all(|(key, most)| self.0.get(key).copied().unwrap_or(0) < *most);
            if passes {
                for (key, _) in all {
                    *self.0.entry(key).or_default() += 1;
                }
            }
            passes
        })
    }
}

/// Whether the changes tell what a sequence of calls shows.
fn tells(old: &str, new: &str, calls: &[(usize, usize)]) -> Result<(), String> {
    let policies = [policy(old), policy(new)];
    let [was, is] = &policies;
    let from = NOW.parse().unwrap();
    let targets = every_target();
    let mut comparison = Comparison::new(was, is, from).among(targets.clone());
    let callers = callers();
    let mut counts = [Counts::default(), Counts::default()];
    for (target, caller) in calls {
        let target = &targets[target % targets.len()];
        let world = &callers[caller % callers.len()];
        let [before, after] = &mut counts;
        let passes = [
            before.pass(was, target, world),
            after.pass(is, target, world),
        ];
        if passes[0] == passes[1] {
            continue;
        }
        let changes = comparison.changes(target, None).unwrap();
        let is_told = changes.iter().any(|change| {
            let is_kind = if passes[1] {
                change.kind.grows()
            } else {
                change.kind.shrinks() || change.kind == ChangeKind::LimitElse
            };
            let mut situations = change.situations.iter();
            is_kind
                && (change.is_cut
                    || situations.any(|one| {
                        one.facts.iter().all(|(id, is)| {
                            world.fact(target, comparison.facts.get(*id).unwrap()) == *is
                        })
                    }))
        });
        if !is_told {
            return Err(format!(
                "{old}\n---\n{new}\n{target:?}\n{world:?}\n{passes:?}\n{changes:#?}"
            ));
        }
        return Ok(());
    }
    Ok(())
}

fn limit() -> impl Strategy<Value = String> {
    let size = prop::sample::select(vec![
        "calls: 1, per: 1h",
        "calls: 2, per: 1h",
        "calls: 1, per: 1m",
        "open: 1",
        "open: 2",
    ]);
    let by = prop::sample::select(vec![
        "subject",
        "server",
        "tool",
        "subject, agent",
        "subject, tool",
        "session",
    ]);
    let who = prop::sample::select(vec![
        "",
        "",
        "",
        ", who: {subjects: [alice]}",
        ", who: {not: {subjects: [alice]}}",
        ", who: {groups: [a]}",
        ", who: {agents: [cli]}",
        ", where: {networks: [10.0.0.0/8]}",
    ]);
    let what = prop::sample::select(vec![
        "servers: [s]",
        "servers: [s, t]",
        "tools: [get_a]",
        "tools: [get_a, del_a]",
        "servers: [s], tools: [get_*, del_*]",
        "classes: [danger]",
        "not: {tools: [other]}",
        "tools: [get_*], arguments: {f: x}",
    ]);
    (size, by, who, what).prop_map(|(size, by, who, what)| {
        format!("effect: limit, what: {{{what}}}{who}, limit: {{{size}, by: [{by}]}}")
    })
}

fn text(classes: &str, rules: &[(usize, String)]) -> String {
    let allow = "effect: allow, who: {anyone: true}, what: {servers: [s, t]}".to_owned();
    super::text(classes, &[&[(99, allow)], rules].concat())
}

/// Two policies that share some of their limits.
fn limits() -> impl Strategy<Value = (String, String)> {
    let rules = prop::collection::vec((limit(), limit(), 0..5_u8), 1..4);
    let classes =
        prop::sample::select(vec![("del_*", "del_*"), ("del_*", "other"), ("x", "get_*")]);
    (rules, classes).prop_map(|(rules, (was, is))| {
        let (mut old, mut new) = (Vec::new(), Vec::new());
        for (id, (rule, other, how)) in rules.into_iter().enumerate() {
            match how {
                0 => old.push((id, rule)),
                1 => new.push((id, rule)),
                2 | 3 => {
                    old.push((id, rule));
                    new.push((id, other));
                }
                _ => {
                    old.push((id, rule.clone()));
                    new.push((id, rule));
                }
            }
        }
        (text(was, &old), text(is, &new))
    })
}

fn kinds(old: &[&str], new: &[&str], tool: &str) -> Vec<ChangeKind> {
    let numbered = |rules: &[&str], from: usize| -> Vec<(usize, String)> {
        let rules = rules.iter().map(|rule| format!("effect: limit, {rule}"));
        (from..).zip(rules).collect()
    };
    let (old, new) = (text("x", &numbered(old, 0)), text("x", &numbered(new, 10)));
    let policies = [policy(&old), policy(&new)];
    let from = NOW.parse().unwrap();
    let comparison = Comparison::new(&policies[0], &policies[1], from);
    let changes = comparison
        .among(every_target())
        .changes(&on("s", tool), None);
    changes
        .unwrap()
        .into_iter()
        .map(|change| change.kind)
        .collect()
}

#[test]
fn a_limit_that_is_split_is_looser() {
    let size = "limit: {calls: 3, per: 1h, by: [subject]}";
    let both = format!("what: {{tools: [get_a, del_a]}}, {size}");
    let each = ["get_a", "del_a"].map(|tool| format!("what: {{tools: [{tool}]}}, {size}"));
    let each = [&*each[0], &*each[1]];
    for tool in ["get_a", "del_a"] {
        assert_eq!(kinds(&[&both], &each, tool), [ChangeKind::LimitLooser]);
        assert_eq!(kinds(&each, &[&both], tool), [ChangeKind::LimitStricter]);
    }
    assert_eq!(kinds(&[&both], &each, "other"), []);
}

#[test]
fn a_limit_of_each_tool_may_be_split() {
    let size = "limit: {calls: 3, per: 1h, by: [tool]}";
    let both = format!("what: {{servers: [s], tools: [get_a, del_a]}}, {size}");
    let each =
        ["get_a", "del_a"].map(|tool| format!("what: {{servers: [s], tools: [{tool}]}}, {size}"));
    assert_eq!(kinds(&[&both], &[&each[0], &each[1]], "get_a"), []);
}

#[test]
fn a_limit_may_be_split_by_what_its_key_tells_apart() {
    let split = |by: &str| {
        let rule = |who: &str| format!("who: {{{who}}}, limit: {{open: 2, by: [{by}]}}");
        let (one, rest) = (rule("subjects: [x]"), rule("not: {subjects: [x]}"));
        let whole = format!("limit: {{open: 2, by: [{by}]}}");
        kinds(&[&whole], &[&one, &rest], "get_a")
    };
    assert_eq!(split("subject"), []);
    let looser = split("server");
    assert!(!looser.is_empty());
    assert!(looser.iter().all(|kind| *kind == ChangeKind::LimitLooser));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_limits_let_through_is_told(
        (old, new) in limits(),
        calls in prop::collection::vec((0..4_usize, 0..200_usize), 3),
    ) {
        // Only tools: two calls of one kind are more often of the same counter.
        let calls: Vec<(usize, usize)> = calls
            .into_iter()
            .map(|(target, caller)| (if target == 3 { 5 } else { target }, caller))
            .collect();
        tells(&old, &new, &calls).map_err(TestCaseError::fail)?;
    }
}
