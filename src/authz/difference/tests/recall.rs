//! What a record tells, against what was decided: nothing certain is wrong, and what was decided is
//! among what is possible.

use super::*;
use crate::authz::decision::DenialReason;
use crate::authz::explain;

/// What a record of a world holds: some of it, by the bits of a mask.
fn given(world: &World, mask: u8) -> Given {
    let holds = |bit: u8| mask & (1 << bit) != 0;
    let names = |names: &[Arc<str>]| names.iter().map(ToString::to_string).collect();
    let subject = &world.subject;
    Given {
        issuer: Some(subject.issuer.to_string()),
        id: Some(subject.id.to_string()),
        groups: (holds(0) && !subject.unknown.groups).then(|| names(&subject.groups)),
        scopes: holds(1).then(|| names(&subject.scopes)),
        agent: holds(2).then(|| subject.agent.as_deref().map(str::to_owned)),
        source: world.source.filter(|_| holds(3)),
        at: Some(world.now),
        in_session: Some(world.session),
        arguments: holds(4).then(|| GivenArguments {
            arguments: Some(world.arguments.clone()),
            defaults: None,
        }),
        ..Given::default()
    }
}

fn outcome(decision: &Decision) -> RecordedOutcome {
    match decision {
        Decision::Allow(_) | Decision::Limit(_) => RecordedOutcome::Allowed,
        Decision::Challenge(_) => RecordedOutcome::Challenged,
        Decision::Deny(denial) => match denial.reason {
            DenialReason::DeniedByRule => RecordedOutcome::DeniedByRule,
            DenialReason::Indeterminate => RecordedOutcome::Indeterminate,
            DenialReason::NoMatchingRule | DenialReason::UnknownMethod => RecordedOutcome::NoRule,
            DenialReason::SenderConstraint => RecordedOutcome::Unprovable,
            DenialReason::RateLimited
            | DenialReason::UnknownTool
            | DenialReason::ToolChanged
            | DenialReason::ArgumentsInvalid
            | DenialReason::InnerCallInvalid => panic!("{denial:?}"),
        },
    }
}

/// How many findings were certain.
fn recalls(text: &str, part: usize, mask: u8) -> Result<usize, String> {
    let policy = policy(text);
    let mut certain = 0;
    for target in targets() {
        for world in worlds().iter().skip(part).step_by(PARTS * 8) {
            let mut comparison = Comparison::new(&policy, &policy, Timestamp::UNIX_EPOCH);
            let recalled = comparison.recall(&target, &given(world, mask)).unwrap();
            let explained = world.ask(&target, 1, |request| explain(&policy, request));
            let evaluation = &explained.evaluation;
            let told =
                || format!("{text}\n{target:?}\n{world:?}\n{mask}\n{explained:#?}\n{recalled:#?}");
            if !recalled.outcomes.contains(&outcome(&evaluation.decision)) {
                return Err(told());
            }
            if let Decision::Limit(pending) = &evaluation.decision {
                let takings = pending.takings();
                let calls = takings.calls.iter().map(|limit| &limit.rule);
                let places = takings.places.iter().map(|limit| &limit.rule);
                let mut all = calls.chain(places);
                if !all.all(|limit| recalled.limits.contains(limit)) {
                    return Err(told());
                }
            }
            // Of the rules that let the caller connect an evaluation looks for one.
            let is_open = target.kind == ActionKind::Open;
            let is_named = |id: &Arc<str>| is_open || evaluation.rules.contains(id);
            if !recalled.determining.iter().all(is_named) {
                return Err(told());
            }
            for (found, expected) in recalled.rules.iter().zip(&explained.rules) {
                // What a rule requires is told only where the rule certainly matches.
                let is_told = found.found.found == Match::Yes;
                let told_of = expected.selectors.iter();
                let told_of = told_of.filter(|one| is_told || !one.name.starts_with("needs."));
                let told_of: Vec<_> = told_of.collect();
                let selectors = found.selectors.iter().zip(&told_of);
                let selectors = selectors.map(|((name, own), expected)| {
                    let is_same = *name == expected.name;
                    (is_same, own, expected.found)
                });
                let whole = (true, &found.found, expected.found);
                for (is_same, own, expected) in selectors.chain([whole]) {
                    let is_right = own.found == Match::Unknown || own.found == expected;
                    if !is_same || !is_right {
                        return Err(told());
                    }
                    if own.found == Match::Unknown && own.depends_on.is_empty() {
                        return Err(told());
                    }
                    certain += usize::from(own.found != Match::Unknown);
                }
                if found.selectors.len() != told_of.len() {
                    return Err(told());
                }
            }
        }
    }
    Ok(certain)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_is_certain_of_a_record_is_wrong(
        (_, text) in pairs(),
        part in 0..PARTS,
        mask in 0..32_u8,
    ) {
        recalls(&text, part, mask).map_err(TestCaseError::fail)?;
    }
}

/// A judge that is never certain would satisfy the property above.
#[test]
fn a_record_that_holds_all_that_is_asked_for_leaves_nothing_open() {
    let text = "
rules:
- {id: a, effect: allow, who: {groups: [a], scopes: [w]}, what: {tools: [get_a], arguments: {f: x}}}
- {id: d, effect: deny, who: {agents: [cli]}, what: {servers: [s]}, where: {networks: [10.1.0.0/16]}}
";
    let policy = policy(text);
    let target = targets().remove(0);
    let mut ends = BTreeSet::new();
    for world in worlds() {
        let (Some(_), Some(_), false) = (
            world.source,
            &world.subject.agent,
            world.subject.unknown.groups,
        ) else {
            continue;
        };
        let mut comparison = Comparison::new(&policy, &policy, Timestamp::UNIX_EPOCH);
        let recalled = comparison.recall(&target, &given(&world, 31)).unwrap();
        assert_eq!(recalled.outcomes.len(), 1, "{world:?} {recalled:?}");
        assert_eq!(recalled.depends_on, Vec::<FactId>::new());
        ends.insert(format!("{:?}", recalled.outcomes));
        // Without its groups it depends on them, unless something else decides.
        let recalled = comparison.recall(&target, &given(&world, 30)).unwrap();
        let is_open = recalled.outcomes.len() > 1;
        let named: Vec<&Fact> = recalled
            .depends_on
            .iter()
            .map(|id| comparison.fact(*id).unwrap())
            .collect();
        assert_eq!(named.contains(&&Fact::Group("a".into())), is_open);
    }
    let all = ["[Allowed]", "[Challenged]", "[DeniedByRule]", "[NoRule]"];
    assert_eq!(ends, all.map(str::to_owned).into());
}
