use super::*;
use crate::state::Owner;

fn of(issuer: &str, subject: &str, made_ms: i64) -> UsedContext {
    UsedContext {
        party: Owner::new(issuer, subject).party(),
        made_ms,
        id: Uuid::from_u128(1),
    }
}

fn alices(made_ms: i64) -> UsedContext {
    of("i", "alice", made_ms)
}

#[test]
fn what_was_forgotten_counts_as_used() {
    let mut used = UsedContexts::new(2);
    let mut take = |made: i64, now: i64| used.take(&alices(made), now, 1000);
    assert_eq!(take(10, 10), Use::First);
    assert_eq!(take(20, 20), Use::First);
    assert_eq!(take(30, 30), Use::First);
    // Of 10 nothing is known any more, and so of nothing before it.
    assert_eq!(take(10, 31), Use::Again);
    assert_eq!(take(5, 31), Use::Again);
    assert_eq!(take(11, 32), Use::First);
    assert_eq!(take(20, 33), Use::Again);
    assert_eq!(take(30, 33), Use::Again);
    // What is too old leaves room, and is not new when the clock goes back.
    assert_eq!(take(2000, 2000), Use::First);
    assert_eq!(take(30, 40), Use::Again);
    assert_eq!(used.first.len(), 1);
}

#[test]
fn memory_is_bounded() {
    for many in [1, 7, 1000, 20_000] {
        let mut used = UsedContexts::new(100);
        for made in 0..20_000 {
            let subject = format!("s-{}", made % many);
            let context = of("i", &subject, made);
            assert_eq!(used.take(&context, made, i64::MAX), Use::First);
        }
        let issuers = used.issuers.values();
        let indexed: usize = issuers.map(|it| it.made.len() + it.marks.len()).sum();
        assert_eq!(used.first.len(), 100);
        assert!(used.marks.len() <= 100);
        assert_eq!(indexed, used.first.len() + used.marks.len());
        let subject = format!("s-{}", 19_899 % many);
        let forgotten = of("i", &subject, 19_899);
        assert_eq!(used.take(&forgotten, 20_000, i64::MAX), Use::Again);
        let age = 1_000;
        used.take(&alices(30_000), 30_000, age);
        assert_eq!((used.first.len(), used.marks.len()), (1, 0));
        assert_eq!(used.take(&forgotten, 20_000, i64::MAX), Use::Again);
    }
}

/// Slow calls end after many lists of others have been answered.
#[test]
fn a_flood_of_one_subject_repeats_nothing_of_anybodys() {
    for (flooders, each) in [(1, 20_000), (20, 1_000)] {
        let mut used = UsedContexts::new(1000);
        let slow = [alices(10), of("other", "bob", 10), of("i", "carol", 10)];
        let taken = [alices(5), of("other", "bob", 5), of("i", "carol", 5)];
        for context in taken {
            assert_eq!(used.take(&context, 6, 3_600_000), Use::First);
        }
        for number in 0..flooders * each {
            let mallory = of("i", &format!("m-{}", number % flooders), 100 + number);
            let first = used.take(&mallory, 100 + number, 3_600_000);
            assert_eq!(first, Use::First);
        }
        let now = 100 + flooders * each;
        for context in taken {
            let again = used.take(&context, now, 3_600_000);
            assert_eq!(
                again,
                if now > 10_006 {
                    Use::Replay
                } else {
                    Use::Again
                }
            );
        }
        for context in slow {
            assert_eq!(used.take(&context, now, 3_600_000), Use::First);
            assert_eq!(used.take(&context, now, 3_600_000), Use::Again);
        }
        // What is forgotten of the flood has no effect again.
        let first = of("i", "m-0", 100);
        assert_eq!(used.take(&first, now, 3_600_000), Use::Again);
    }
}

#[test]
fn a_flood_of_subjects_repeats_nothing_of_whom_it_is_not() {
    let mut used = UsedContexts::new(200);
    assert_eq!(
        used.take(&of("other", "bob", 50), 50, 3_600_000),
        Use::First
    );
    for number in 0..1_000 {
        let mallory = of("i", &format!("m-{number}"), 100 + number);
        let first = used.take(&mallory, 100 + number, 3_600_000);
        assert_eq!(first, Use::First);
    }
    for slow in [of("other", "bob", 10), of("other", "carol", 10)] {
        assert_eq!(used.take(&slow, 2_000, 3_600_000), Use::First);
    }
    let again = used.take(&of("other", "bob", 50), 2_000, 3_600_000);
    assert_eq!(again, Use::Again);
    for number in 0..1_000 {
        let mallory = of("i", &format!("m-{number}"), 100 + number);
        let again = used.take(&mallory, 2_000, 3_600_000);
        assert_eq!(again, Use::Again, "{number}");
    }
}

#[test]
fn who_is_alone_in_an_issuer_finds_room_where_all_have_as_little() {
    let mut used = UsedContexts::new(2);
    for (at, issuer) in [(1, "a"), (2, "b"), (3, "c"), (4, "d")] {
        assert_eq!(used.take(&of(issuer, "s", at), at, 1000), Use::First);
        assert!(used.first.len() <= 2);
    }
    assert_eq!(used.take(&of("a", "s", 1), 5, 1000), Use::Again);
    assert_eq!(used.take(&of("a", "s", 2), 5, 1000), Use::First);
}
