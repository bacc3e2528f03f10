use std::path::Path;

use super::super::keys;
use uuid::Uuid;

use super::*;

const A: &str = "0a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223242526272829";
const B: &str = "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";

fn at(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(1_795_000_000_000 + milliseconds).unwrap()
}

/// The context of a `tools/list` of Alice's.
fn context(decision: u128) -> String {
    let decision = Uuid::from_u128(decision);
    let text = format!(
        r#"{{"decision_id":"{decision}","server":"notes","lists":["tools"],"task":false,"session_opens":false,"modern":false,"id":"1.5","subject":{{"issuer":"https://idp.test","id":"alice","agent":null,"groups":["a.b"],"roles":[],"scopes":[],"tenant":null,"device":null,"claims":{{"sub":"alice"}},"unknown":[]}},"peer":{{"is_absent":true,"is_known":false,"uris":[],"dns":[],"subject":null}},"source":null,"country":null,"device":null,"purpose":"nothing","protocol_version":null,"session":null,"session_started":null,"host":"mcp.test","path":"/mcp","headers":[]}}"#
    );
    assert!(ResponseContext::parse(&text).is_some(), "{text}");
    text
}

fn own() -> Handoffs {
    Handoffs::new(&HandoffSettings::default()).unwrap()
}

fn shared(keys: &[&str]) -> Handoffs {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("handoff.keys");
    std::fs::write(&path, keys.join("\n")).unwrap();
    Handoffs::new(&HandoffSettings {
        key_file: Some(path),
        ..HandoffSettings::default()
    })
    .unwrap()
}

fn opened(
    handoffs: &Handoffs,
    text: &str,
    now: Timestamp,
) -> Result<ResponseContext, ContextRefusal> {
    handoffs.open(text, now).map(|opened| *opened.context)
}

#[test]
fn what_was_sealed_is_opened() {
    for handoffs in [own(), shared(&[A]), shared(&[B, A])] {
        let sealed = handoffs.seal(&context(1), at(0));
        let expected = ResponseContext::parse(&context(1)).unwrap();
        assert_eq!(opened(&handoffs, &sealed, at(0)), Ok(expected));
        assert!(sealed.len() <= context(1).len() + ENVELOPE_BYTES_MAX);
    }
}

#[test]
fn no_bit_can_be_changed_and_no_byte_left_out_or_added() {
    let handoffs = shared(&[A]);
    let sealed = handoffs.seal(&context(1), at(0));
    let mut refused = 0;
    let mut refuse = |bytes: Vec<u8>| {
        let Ok(text) = String::from_utf8(bytes) else {
            return;
        };
        let result = opened(&handoffs, &text, at(0));
        assert!(
            matches!(
                result,
                Err(ContextRefusal::Forged
                    | ContextRefusal::Unreadable
                    | ContextRefusal::UnknownKey
                    | ContextRefusal::OtherProcess)
            ),
            "{result:?} {text}"
        );
        refused += 1;
    };
    let bytes = sealed.as_bytes();
    for index in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.to_vec();
            changed[index] ^= 1 << bit;
            refuse(changed);
        }
        refuse(bytes[..index].to_vec());
        refuse(bytes[index + 1..].to_vec());
        for added in [b"0", b".", b" ", b"="] {
            refuse([&bytes[..index], added, &bytes[index..]].concat());
        }
    }
    refuse([bytes, b"="].concat());
    refuse([bytes, b"."].concat());
    refuse([bytes, bytes].concat());
    assert!(refused > 10 * bytes.len(), "{refused}");
}

#[test]
fn a_key_of_another_is_told_from_a_forgery() {
    let (one, other, file) = (own(), own(), shared(&[A]));
    let sealed = one.seal(&context(1), at(0));
    assert_eq!(
        opened(&other, &sealed, at(0)),
        Err(ContextRefusal::OtherProcess)
    );
    assert_eq!(
        opened(&file, &sealed, at(0)),
        Err(ContextRefusal::OtherProcess)
    );
    let sealed = file.seal(&context(1), at(0));
    assert_eq!(
        opened(&one, &sealed, at(0)),
        Err(ContextRefusal::UnknownKey)
    );
    assert_eq!(
        opened(&shared(&[B]), &sealed, at(0)),
        Err(ContextRefusal::UnknownKey)
    );
    // Under the name of a key that is here.
    let forged = shared(&[B]).seal(&context(1), at(0));
    let name = |handoffs: &Handoffs| handoffs.status().keys.remove(0);
    let forged = forged.replace(&name(&shared(&[B])), &name(&file));
    assert_eq!(opened(&file, &forged, at(0)), Err(ContextRefusal::Forged));
}

#[test]
fn keys_can_be_rotated() {
    let (old, both, new) = (shared(&[A]), shared(&[B, A]), shared(&[B]));
    let by_old = old.seal(&context(1), at(0));
    let by_both = both.seal(&context(2), at(0));
    assert!(opened(&both, &by_old, at(0)).is_ok());
    assert!(opened(&new, &by_both, at(0)).is_ok());
    assert_eq!(
        opened(&old, &by_both, at(0)),
        Err(ContextRefusal::UnknownKey)
    );
    assert!(keys::parse(Path::new("x"), A).unwrap().named("").is_none());
}

#[test]
fn what_was_never_a_context_is_unreadable() {
    let handoffs = own();
    let long = "x".repeat(CONTEXT_BYTES_MAX * 2);
    for text in ["", ".", "{}", "....", "a.b.c.d.e", &context(1), &long] {
        assert_eq!(
            opened(&handoffs, text, at(0)),
            Err(ContextRefusal::Unreadable),
            "{text:.99}"
        );
    }
    let sealed = handoffs.seal("{}", at(0));
    assert_eq!(
        opened(&handoffs, &sealed, at(0)),
        Err(ContextRefusal::Unreadable)
    );
}

#[test]
fn a_context_is_neither_old_nor_from_the_future() {
    let handoffs = own();
    let hour = 3_600_000;
    let sealed = handoffs.seal(&context(1), at(0));
    for (now, expected) in [
        (-60_001, Some(ContextRefusal::FromTheFuture)),
        (-60_000, None),
        (0, None),
        (hour, None),
        (hour + 1, Some(ContextRefusal::TooOld)),
        (100 * hour, Some(ContextRefusal::TooOld)),
    ] {
        assert_eq!(opened(&handoffs, &sealed, at(now)).err(), expected, "{now}");
    }
}

#[test]
fn a_context_is_for_one_exchange_and_a_retry() {
    let handoffs = own();
    let sealed = handoffs.seal(&context(1), at(0));
    let take = |now| handoffs.take(&handoffs.open(&sealed, at(now)).unwrap(), at(now));
    assert_eq!(take(5_000), Ok(false));
    assert_eq!(take(5_000), Ok(true));
    assert_eq!(take(15_000), Ok(true));
    assert_eq!(take(15_001), Err(ContextRefusal::Replayed));
    assert_eq!(take(3_000_000), Err(ContextRefusal::Replayed));
    let other = handoffs.seal(&context(2), at(0));
    let other = handoffs.open(&other, at(15_001)).unwrap();
    assert_eq!(handoffs.take(&other, at(15_001)), Ok(false));
}

fn with_file(text: &str) -> (tempfile::TempDir, HandoffSettings) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("handoff.keys");
    std::fs::write(&path, text).unwrap();
    let settings = HandoffSettings {
        key_file: Some(path),
        ..HandoffSettings::default()
    };
    (directory, settings)
}

/// What was sealed before other keys are configured is believed for as long as it is not too old, once;
/// what their holder makes later is not.
#[test]
fn contexts_outlive_the_keys_that_they_were_sealed_with() {
    let (_directory, settings) = with_file(A);
    let before = own();
    let sealed = before.seal(&context(1), at(0));
    let used = before.open(&sealed, at(0)).unwrap();
    assert_eq!(before.take(&used, at(0)), Ok(false));
    let after = before.next(&settings, at(1000)).unwrap();
    assert!(!after.shares_keys(&before) && !after.is_by(&HandoffSettings::default()));

    let known = after.open(&sealed, at(2000)).unwrap();
    let long_after = at(2000 + 60_000);
    let again = after.take(&known, long_after);
    assert_eq!(
        again,
        Err(ContextRefusal::Replayed),
        "it is known to be used"
    );
    let late = before.seal(&context(2), at(1000 + 61_000));
    let refused = opened(&after, &late, at(1000 + 61_000));
    assert_eq!(refused, Err(ContextRefusal::OtherProcess));
    let minute = 60_000;
    let early = before.seal(&context(3), at(500));
    assert!(opened(&after, &early, at(59 * minute)).is_ok());
    let too_old = opened(&after, &early, at(61 * minute));
    assert_eq!(too_old, Err(ContextRefusal::TooOld));
    // Only what the first keys of the new file sign is new.
    let new = after.seal(&context(4), at(2000));
    assert!(opened(&after, &new, at(2000)).is_ok());
    assert!(opened(&before, &new, at(2000)).is_err());
}

#[test]
fn keys_of_earlier_files_are_forgotten_in_time() {
    let (_one, first) = with_file(A);
    let (_two, second) = with_file(B);
    let mut handoffs = Handoffs::new(&first).unwrap();
    for change in 1..20 {
        let settings = if change % 2 == 0 { &first } else { &second };
        handoffs = handoffs.next(settings, at(change)).unwrap();
        assert!(handoffs.retired.len() <= RETIRED_MAX);
    }
    let shorter = HandoffSettings {
        max_age: Duration::from_secs(1),
        ..second
    };
    let last = handoffs.next(&shorter, at(5000)).unwrap();
    assert!(last.shares_keys(&handoffs) && last.retired.is_empty());
    let missing = HandoffSettings {
        key_file: Some("/nowhere/at/all".into()),
        ..shorter
    };
    assert!(last.next(&missing, at(6000)).is_err());
}
