#![expect(clippy::string_slice, reason = "the texts are ASCII")]
use super::*;

const PATH: &str = "handoff.keys";
const A: &str = "0a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223242526272829";
/// The bytes of [`A`].
const A_BASE64: &str = "CgsMDQ4PEBESExQVFhcYGRobHB0eHyAhIiMkJSYnKCk";
const B: &str = "_-7_-7_-7_-7_-7_-7_-7_-7_-7_-7_-7_-7_-7_-78";

fn ids(text: &str) -> Vec<String> {
    parse(Path::new(PATH), text).unwrap().ids()
}

fn fault(text: &str) -> String {
    parse(Path::new(PATH), text).unwrap_err().to_string()
}

#[test]
fn a_key_is_the_same_in_either_encoding() {
    let id = ids(A);
    assert!(id[0].starts_with('k') && id[0].len() == 17, "{id:?}");
    for same in [
        A.to_uppercase(),
        format!("  {A}\r\n"),
        format!("# comment\n\n{A}\n"),
        A_BASE64.to_owned(),
        format!("{A_BASE64}="),
    ] {
        assert_eq!(ids(&same), id, "{same}");
    }
    assert_eq!(ids(B), ids(&B.replace('_', "/").replace('-', "+")));
    assert_eq!(ids(&format!("{B}\n{A}")), [ids(B), ids(A)].concat());
    assert!(!id[0].contains(&A[..8]), "a name tells nothing of its key");
}

#[test]
fn what_is_no_key_is_told_by_its_line_and_not_shown() {
    let rows = [
        ("", "`handoff.key_file` `handoff.keys` has no key"),
        ("\n# x\n", "`handoff.key_file` `handoff.keys` has no key"),
        (&A[2..], "line 1 has a key of less than 32 bytes"),
        ("c2hvcnQ", "line 1 has a key of less than 32 bytes"),
        // A digit is lost: it must not be taken for the other encoding.
        (&A[1..], "line 1 is neither hexadecimal nor base64url"),
        ("!!", "line 1 is neither hexadecimal nor base64url"),
        (
            "not a key at all, though long enough to be one",
            "line 1 is neither",
        ),
    ];
    for (text, expected) in rows {
        let told = fault(text);
        assert!(
            told.ends_with(expected) || told.contains(expected),
            "{told}"
        );
        assert!(
            text.is_empty() || !told.contains(text.trim()) || text.trim().len() < 3,
            "{told}"
        );
    }
    let twice = format!("{A}\n\n{A_BASE64}\n");
    assert!(fault(&twice).ends_with("line 3 has a key that is there already"));
    let many: Vec<String> = (0..17).map(|number| format!("{number:064x}")).collect();
    assert!(fault(&many.join("\n")).ends_with("has more than 16 keys"));
    assert_eq!(ids(&many[..16].join("\n")).len(), 16);
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + seconds).unwrap()
}

/// The number of the look that is made.
static LOOK: std::sync::atomic::AtomicI64 = std::sync::atomic::AtomicI64::new(0);

#[tokio::test]
async fn new_keys_are_taken_once_two_looks_agree_and_broken_ones_change_nothing() {
    use std::sync::atomic::Ordering;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(PATH);
    std::fs::write(&path, A).unwrap();
    let keys = Arc::new(SealingKeys::open(Some(path.clone()), None).unwrap());
    let watcher = Arc::clone(&keys).watcher(|| at(LOOK.load(Ordering::SeqCst)));
    let mut watcher = watcher.unwrap();
    let mut look = async |text: Option<&str>, seconds| {
        match text {
            Some(text) => std::fs::write(&path, text).unwrap(),
            None => std::fs::remove_file(&path).unwrap_or_default(),
        }
        LOOK.store(seconds, Ordering::SeqCst);
        watcher.look().await;
        let status = keys.status();
        let since = status.failing.map(|failing| failing.since);
        (status.keys, status.successes, status.failures, since)
    };
    let two = format!("{B}\n{A}");
    let new = [ids(B), ids(A)].concat();
    for (text, seconds, expected) in [
        (Some(A), 0, (ids(A), 0, 0, None)),
        (Some(A), 1, (ids(A), 0, 0, None)),
        (Some(&two[..]), 2, (ids(A), 0, 0, None)),
        (Some(&two), 3, (new.clone(), 1, 0, None)),
        (Some("short"), 4, (new.clone(), 1, 0, None)),
        (Some("short"), 5, (new.clone(), 1, 1, Some(at(5)))),
        (Some("short"), 6, (new.clone(), 1, 1, Some(at(5)))),
        (None, 7, (new.clone(), 1, 1, Some(at(5)))),
        (None, 8, (new.clone(), 1, 2, Some(at(5)))),
        (Some(""), 9, (new.clone(), 1, 2, Some(at(5)))),
        (Some(""), 10, (new.clone(), 1, 3, Some(at(5)))),
        (Some(&two), 11, (new.clone(), 1, 3, Some(at(5)))),
        (Some(&two), 12, (new, 1, 3, None)),
        (Some(B), 13, ([ids(B), ids(A)].concat(), 1, 3, None)),
        (Some(B), 14, (ids(B), 2, 3, None)),
    ] {
        assert_eq!(look(text, seconds).await, expected, "look {seconds}");
    }
}

#[test]
fn what_cannot_be_read_is_no_start() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    std::fs::write(path("large"), "\n".repeat(65 << 10)).unwrap();
    std::fs::write(path("bytes"), [0xff, 0xfe]).unwrap();
    for name in ["absent", "large", "bytes", "."] {
        let error = SealingKeys::open(Some(path(name)), None).unwrap_err();
        assert!(
            matches!(error, InvalidHandoffKeys::Read { .. }),
            "{name}: {error}"
        );
    }
}

#[test]
fn a_process_without_a_file_has_a_key_of_its_own() {
    let (one, other) = (
        SealingKeys::open(None, None).unwrap(),
        SealingKeys::open(None, None).unwrap(),
    );
    let [one, other] = [one.status(), other.status()];
    assert!(Key::is_own(&one.keys[0]) && !one.is_shared);
    assert_ne!(one.keys, other.keys);
}
