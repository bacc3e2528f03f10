//! Compares the store with one that has room for everything.

use std::collections::{BTreeSet, HashMap};

use proptest::prelude::*;

use super::memory;
use crate::authz::{Policy, Taken};
use crate::state::fixtures::{StoreAt as _, Who, is_of, limited, session, watched};
use crate::state::lapses::Lapses;
use crate::state::memory::Memory;
use crate::state::shares::{Party, Shares};
use crate::state::{Bind, Whose};

const SUBJECTS: [(&str, &str); 6] = [
    ("i", "a"),
    ("i", "b"),
    ("i", "c"),
    ("i", "d"),
    ("j", "a"),
    ("j", "b"),
];
const TOOLS: [&str; 6] = ["t0", "t1", "t2", "t3", "t4", "t5"];

fn who((subject, tool): (usize, usize)) -> Who<'static> {
    let (issuer, id) = SUBJECTS[subject];
    Who::new(id).of(issuer).with(TOOLS[tool])
}

fn calls() -> impl Strategy<Value = Vec<((usize, usize), bool, i64)>> {
    let call = (0..SUBJECTS.len(), 0..TOOLS.len());
    prop::collection::vec((call, any::<bool>(), 0_i64..40), 1..120)
}

struct Policies {
    limits: Policy,
    windows: Policy,
}

impl Policies {
    fn new() -> Self {
        Policies {
            limits: limited(&[
                "{calls: 2, per: 5m, by: [subject, tool]}",
                "{calls: 20, per: 1h, by: [subject]}",
            ]),
            windows: watched(&[
                "calls: {more_than: 1, per: 2m, by: [subject, tool]}",
                "denials: {more_than: 1, per: 10m, by: [subject]}",
                "distinct_tools: {more_than: 1, per: 5m, by: [subject]}",
            ]),
        }
    }
}

/// Makes the same calls on both, and compares the small store's results with the large one's.
fn compare(small: &Memory, large: &Memory, calls: &[((usize, usize), bool, i64)], most: usize) {
    let policies = Policies::new();
    let mut now = 0;
    for (call, takes, step) in calls {
        now += step;
        let who = who(*call);
        let read = small.read_at(&policies.windows, who, now);
        let truth = large.read_at(&policies.windows, who, now);
        for (shown, truth) in read.iter().zip(&truth) {
            assert!(shown.is_none() || shown == truth, "{read:?} {truth:?}");
        }
        if *takes {
            // The large store takes whatever the small one takes.
            if small.take_at(&policies.limits, who, now) == Taken::All {
                let taken = large.take_at(&policies.limits, who, now);
                assert_eq!(taken, Taken::All);
            }
        } else {
            small.record_at(&policies.windows, who, now);
            large.record_at(&policies.windows, who, now);
        }
        assert!(small.keys() <= most, "{}", small.keys());
    }
}

proptest! {
    /// A counter is right or unknown, and never too low.
    #[test]
    fn a_counter_is_right_or_unknown(calls in calls(), most in 1_usize..40) {
        compare(&memory(most), &memory(10_000), &calls, most);
    }

    /// A holder with less than its share always has a right counter, whatever others do.
    #[test]
    fn who_has_less_than_a_share_is_known(calls in calls(), most in 30_usize..40) {
        let policies = Policies::new();
        let memory = memory(most);
        // Each of three issuers may have at least ten keys, and this one has three.
        let watched = Who::new("watched").of("k");
        let mut now = 0;
        let mut denials = Vec::new();
        for (call, takes, step) in calls {
            now += step;
            let flood = who(call);
            if takes {
                memory.take_at(&policies.limits, flood, now);
            }
            memory.record_at(&policies.windows, flood, now);
            let shown = memory.read_at(&policies.windows, watched, now)[1];
            let within = |age: i64| denials.iter().filter(|then| now - **then <= age).count();
            let shown = usize::try_from(shown.expect("it is known")).unwrap();
            prop_assert!((within(599)..=within(611)).contains(&shown));
            memory.record_at(&policies.windows, watched, now);
            denials.push(now);
        }
    }

    /// A binding is right or unknown. Within the month that this test spans it does not become
    /// free, except for subjects of other issuers, or where its owner has had more than a few.
    #[test]
    fn what_was_bound_is_free_only_at_its_owners_cost(
        most in 1_usize..6,
        steps in prop::collection::vec((0_usize..6, 0_usize..12, any::<bool>(), 0_i64..20_000), 1..120),
    ) {
        let memory = memory(most);
        let mut owners: HashMap<usize, Who<'_>> = HashMap::new();
        let mut had: BTreeSet<(&str, &str, usize)> = BTreeSet::new();
        let mut now = 0;
        for (subject, id, anew, step) in steps {
            now += step;
            let who = who((subject, 0));
            let key = session(&id.to_string());
            let found = memory.whose_for(who, key, now);
            match owners.get(&id) {
                None => prop_assert!(matches!(found, Whose::Nobodys | Whose::Unknown)),
                Some(owner) if found == Whose::Nobodys => {
                    let of_owner = |it: &&(&str, &str, usize)| (it.0, it.1) == (owner.issuer, owner.id);
                    let count = had.iter().filter(of_owner).count();
                    prop_assert!(count > 1 || owner.issuer != who.issuer, "{count}");
                }
                Some(owner) => prop_assert!(is_of(found, *owner) || found == Whose::Unknown),
            }
            let how = if anew { Bind::Anew } else { Bind::IfFree };
            let bound = memory.bind_at(key, who, how, now);
            prop_assert!(!anew || is_of(bound, who));
            if is_of(bound, who) {
                owners.insert(id, who);
                had.insert((who.issuer, who.id, id));
            }
            prop_assert_eq!(memory.whose_for(who, key, now), bound_or(bound, found));
            prop_assert!(memory.bound(key.kind()) <= most);
        }
    }

    /// Who pays has the most, and of equals it is who asks.
    #[test]
    fn who_makes_room_has_the_most(
        steps in prop::collection::vec((0_usize..6, any::<bool>()), 1..80),
        asking in 0_usize..6,
    ) {
        let party = |number: usize| {
            let name = |number: usize| u128::try_from(number).unwrap().to_be_bytes();
            Party { group: name(number / 3), id: name(10 + number), yields_first: false }
        };
        // One key counts as a few here.
        let mut shares = Shares::new(64);
        let mut counts = [0_usize; 6];
        for (number, adds) in steps {
            if adds {
                shares.add(&party(number));
                counts[number] += 1;
            } else if counts[number] > 0 {
                shares.remove(party(number).id);
                counts[number] -= 1;
            }
        }
        for (number, count) in counts.iter().enumerate() {
            prop_assert_eq!(shares.count(party(number).id), *count);
        }
        counts[asking] += 1;
        let group = |number: usize| counts[number / 3 * 3..][..3].iter().sum::<usize>();
        let payer = shares.payer(&party(asking));
        let number = payer.other.map_or(asking, |other| {
            (0..6).find(|number| party(*number).id == other).unwrap()
        });
        prop_assert_eq!(payer.group, party(number).group);
        let largest = (0..6).map(group).max().unwrap();
        prop_assert_eq!(group(number), largest);
        prop_assert!(payer.other.is_none() || number != asking);
        prop_assert!(group(asking) < largest || party(asking).group == payer.group);
        let in_group = (number / 3 * 3)..(number / 3 * 3 + 3);
        let heaviest = in_group.map(|one| counts[one].saturating_sub(1)).max().unwrap();
        prop_assert_eq!(counts[number].saturating_sub(1), heaviest);
        prop_assert_eq!(payer.is_heavy, heaviest > 0);
    }

    /// No lapse is dropped before it expires.
    #[test]
    fn lapses_are_kept_until_they_are_over(
        most in 1_usize..5,
        steps in prop::collection::vec((0_usize..8, 0_i64..30, 1_i64..100, 1_i64..100), 1..80),
    ) {
        let party = |number: usize| {
            let name = |number: usize| u128::try_from(number).unwrap().to_be_bytes();
            Party { group: name(number / 4), id: name(10 + number), yields_first: false }
        };
        let mut lapses = Lapses::new(most);
        let mut all: Vec<(usize, i64, i64)> = Vec::new();
        let mut now = 0;
        for (number, step, lasts, longest) in steps {
            now += step;
            lapses.note(&party(number), now, now + lasts);
            all.push((number, now + 1, now + lasts));
            prop_assert!(lapses.len() <= most);
            for number in 0..8 {
                let own = all.iter().filter(|(whose, _, _)| *whose == number);
                let until = own.map(|(_, at, until)| *until.min(&(at + longest))).max();
                let until = until.filter(|until| *until > now);
                prop_assert!(lapses.unknown_until(&party(number), now, longest) >= until);
                prop_assert!(until.is_none() || !lapses.are_over(now));
            }
        }
    }
}

/// The owner after binding: the earlier one where binding failed.
fn bound_or(bound: Whose, found: Whose) -> Whose {
    match bound {
        Whose::Unknown => found,
        Whose::Of(_) | Whose::Nobodys => bound,
    }
}

#[test]
fn an_eviction_is_attributed_to_the_right_holder() {
    let by_tool = watched(&["calls: {more_than: 1, per: 1h, by: [subject, tool]}"]);
    let memory = memory(64);
    let many: Vec<String> = (0..1000).map(|number| number.to_string()).collect();
    for tool in &many {
        memory.record_at(&by_tool, Who::new("mallory").with(tool), 0);
    }
    assert_eq!(
        memory.read_at(&by_tool, Who::new("mallory").with("new"), 1),
        [None]
    );
    assert_eq!(
        memory.read_at(&by_tool, Who::new("bob").with("new"), 1),
        [Some(0)]
    );
}
