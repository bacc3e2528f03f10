use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::authz::HintedClass;

const LIMITS: CatalogLimits = CatalogLimits {
    tools_max: 3,
    name_bytes_max: 8,
};

fn now() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

fn tool(name: &str, description: &str, annotations: &str) -> RecordedTool {
    let text =
        format!(r#"{{"name":"{name}","description":"{description}","annotations":{annotations}}}"#);
    parse_record(&text).unwrap().remove(0)
}

fn write(path: &Path, tools: &[(&str, &str, &str)]) {
    let tools = tools.iter().map(|(name, description, annotations)| {
        format!(r#"{{"name":"{name}","description":"{description}","annotations":{annotations}}}"#)
    });
    let text = format!("[{}]", tools.collect::<Vec<_>>().join(","));
    std::fs::write(path, text).unwrap();
}

fn open(trust: Trust, snapshot: Option<&Path>) -> Catalog {
    let server = WatchedServer {
        name: "s".into(),
        trust,
        check_arguments: false,
        snapshot: snapshot.map(Path::to_owned),
    };
    Catalog::open(vec![server], LIMITS, now()).unwrap()
}

const DENY: Trust = Trust {
    on_change: OnChange::Deny,
    on_unknown: OnUnknown::Policy,
    hints: false,
};

/// What a list showed, and what came of it: (new, reported, refused in the list, refused to calls).
fn look(catalog: &Catalog, name: &str, description: &str) -> (bool, bool, bool, bool) {
    let observed = catalog.observe("s", name, &tool(name, description, "{}").definition, now());
    assert!(observed.is_tracked);
    (
        observed.is_new,
        observed.change.is_some(),
        observed.refusal.is_some(),
        catalog.standing("s", name).refusal.is_some(),
    )
}

#[test]
fn a_tool_is_unlisted_where_others_are_known_and_it_is_not() {
    let is_unlisted = |catalog: &Catalog, name| catalog.standing("s", name).is_unlisted;
    let catalog = open(DENY, None);
    assert!(!is_unlisted(&catalog, "t"));
    look(&catalog, "t", "a");
    look(&catalog, "u", "a");
    assert_eq!(
        ["t", "u", "v"].map(|name| is_unlisted(&catalog, name)),
        [false, false, true]
    );
    // There is no room for more, so there may be more.
    look(&catalog, "v", "a");
    assert!(!is_unlisted(&catalog, "w"));

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tools.json");
    write(&path, &[("t", "a", "{}")]);
    let catalog = open(DENY, Some(&path));
    assert_eq!(
        ["t", "u"].map(|name| is_unlisted(&catalog, name)),
        [false, true]
    );
    look(&catalog, "u", "a");
    assert!(!is_unlisted(&catalog, "u"));
    assert!(!catalog.standing("other", "t").is_unlisted);
}

#[test]
fn the_first_definition_is_accepted_where_nothing_is_recorded() {
    let catalog = open(DENY, None);
    assert!(catalog.standing("s", "t").refusal.is_none());
    assert_eq!(look(&catalog, "t", "a"), (true, false, false, false));
    assert_eq!(look(&catalog, "t", "a"), (false, false, false, false));
    assert_eq!(look(&catalog, "t", "b"), (false, true, true, true));
    assert_eq!(look(&catalog, "t", "b"), (false, false, true, true));
    // It goes back, and comes again.
    assert_eq!(look(&catalog, "t", "a"), (false, false, false, false));
    assert_eq!(look(&catalog, "t", "b"), (false, false, true, true));
    assert_eq!(look(&catalog, "t", "c"), (false, true, true, true));
    let overview = catalog.overview();
    assert_eq!((overview[0].seen, overview[0].changed), (1, 1));
}

#[test]
fn changes_are_reported_and_not_refused_by_default() {
    let catalog = open(Trust::default(), None);
    assert_eq!(look(&catalog, "t", "a"), (true, false, false, false));
    let changed = catalog.observe("s", "t", &tool("t", "b", "{}").definition, now());
    assert_eq!(
        changed.change,
        Some(ToolChange {
            digest: tool("t", "b", "{}").digest().into(),
            accepted: tool("t", "a", "{}").digest().into(),
        })
    );
    assert!(changed.refusal.is_none() && catalog.standing("s", "t").refusal.is_none());
}

#[test]
fn a_record_says_what_is_accepted_and_can_be_refreshed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tools.json");
    write(&path, &[("t", "a", "{}")]);
    let catalog = open(DENY, Some(&path));
    assert_eq!(look(&catalog, "t", "b"), (true, true, true, true));
    // What is not recorded is as it was seen first.
    assert_eq!(look(&catalog, "u", "a"), (true, false, false, false));
    write(&path, &[("t", "b", "{}"), ("u", "x", "{}")]);
    catalog.reload(now());
    assert!(catalog.standing("s", "t").refusal.is_none());
    assert!(catalog.standing("s", "u").refusal.is_some());
    assert_eq!(look(&catalog, "t", "b"), (false, false, false, false));
    // What was accepted before is a change now.
    assert_eq!(look(&catalog, "t", "a"), (false, true, true, true));
}

#[test]
fn a_record_that_cannot_be_used_changes_nothing_and_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tools.json");
    write(&path, &[("t", "a", "{}")]);
    let catalog = open(DENY, Some(&path));
    assert_eq!(catalog.overview()[0].recorded, Some(1));
    std::fs::write(&path, "{").unwrap();
    catalog.reload(now());
    let failing = catalog.overview()[0].failing.clone().unwrap();
    assert!(
        failing.error.contains("it is not JSON"),
        "{}",
        failing.error
    );
    assert_eq!(look(&catalog, "t", "b"), (true, true, true, true));
    write(&path, &[("t", "b", "{}")]);
    catalog.reload(now());
    assert_eq!(catalog.overview()[0].failing, None);
    assert!(catalog.standing("s", "t").refusal.is_none());
    // At the start it is an error where something depends on it.
    let hints = Trust {
        hints: true,
        ..Trust::default()
    };
    for (trust, check_arguments, is_error) in [
        (Trust::default(), false, false),
        (Trust::default(), true, true),
        (DENY, false, true),
        (hints, false, true),
    ] {
        let server = WatchedServer {
            name: "s".into(),
            trust,
            check_arguments,
            snapshot: Some(directory.path().join("none.json")),
        };
        let opened = Catalog::open(vec![server], LIMITS, now());
        assert_eq!(opened.is_err(), is_error, "{trust:?}");
    }
}

#[test]
fn hints_are_those_of_the_accepted_definition() {
    let trust = Trust {
        hints: true,
        ..Trust::default()
    };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tools.json");
    write(&path, &[("t", "a", r#"{"readOnlyHint":true}"#)]);
    let catalog = open(trust, Some(&path));
    let of = |name| catalog.standing("s", name).hints;
    assert_eq!(of("t"), Hints::Trusted(Some(HintedClass::Read)));
    assert_eq!(of("u"), Hints::Trusted(None));
    for (name, description, annotations, hinted) in [
        ("t", "a", "{}", HintedClass::Read),
        ("u", "a", r#"{"destructiveHint":false}"#, HintedClass::Write),
        ("u", "a", r#"{"readOnlyHint":true}"#, HintedClass::Write),
    ] {
        let tool = tool(name, description, annotations);
        let observed = catalog.observe("s", name, &tool.definition, now());
        assert_eq!(observed.hints, Hints::Trusted(Some(hinted)));
        assert_eq!(of(name), observed.hints);
    }
    assert_eq!(
        catalog.trusted_hints().of("s", "t"),
        Hints::Trusted(Some(HintedClass::Read))
    );
    assert_eq!(catalog.hints("s"), Hints::Trusted(None));
    assert_eq!(open(DENY, None).standing("s", "t").hints, Hints::Untrusted);
}

#[test]
fn memory_is_bounded() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tools.json");
    write(&path, &[("recorded", "a", "{}")]);
    let catalog = open(DENY, Some(&path));
    for name in ["a", "b", "c"] {
        look(&catalog, name, "x");
    }
    for name in ["d", "longer than eight"] {
        let observed = catalog.observe("s", name, &tool(name, "x", "{}").definition, now());
        assert!(!observed.is_tracked && !observed.is_new && observed.refusal.is_none());
    }
    // There is always room for what is recorded, and what is remembered stays.
    assert_eq!(look(&catalog, "recorded", "x"), (true, true, true, true));
    assert_eq!(look(&catalog, "a", "y"), (false, true, true, true));
    for round in 0..20 {
        let description = format!("y{round}");
        assert_eq!(look(&catalog, "a", &description), (false, true, true, true));
    }
    let remembered = catalog.servers["s"].remembered("a");
    assert_eq!(remembered, (4, server::REPORTED_MAX));
}

#[tokio::test]
async fn changed_records_are_taken_up_when_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tools.json");
    write(&path, &[("t", "a", "{}")]);
    let catalog = Arc::new(open(DENY, Some(&path)));
    look(&catalog, "t", "b");
    let (ask, asked) = tokio::sync::mpsc::channel(1);
    write(&path, &[("t", "b", "{}")]);
    let asking = async {
        ask.send(()).await.unwrap();
        drop(ask);
    };
    // It ends once it has done what it was asked for and nobody can ask any more.
    let watching = catalog.watch("s", asked, now, || ());
    tokio::join!(watching, asking);
    assert!(catalog.standing("s", "t").refusal.is_none());
}

/// What a record says of arguments is taken over from the record before where it is the same.
#[test]
fn input_schemas_are_those_of_the_record_in_force() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tools.json");
    let record = |kind: &str| {
        let text = format!(
            r#"[{{"name":"same","inputSchema":{{"properties":{{"a":{{"default":1}}}}}}}},
                {{"name":"t","inputSchema":{{"properties":{{"a":{{"type":"{kind}"}}}}}}}}]"#
        );
        std::fs::write(&path, text).unwrap();
    };
    record("string");
    let catalog = open(Trust::default(), Some(&path));
    let input = |name: &str| catalog.standing("s", name).input;
    let arguments = crate::json::decode(br#"{"a": 1}"#, 9).unwrap();
    let fits = || input("t").unwrap().check(Some(&arguments)).is_ok();
    let same = input("same").unwrap();
    assert!(!fits());
    record("integer");
    catalog.reload(now());
    assert!(fits());
    assert!(Arc::ptr_eq(&same, &input("same").unwrap()));
    assert!(input("other").is_none() && catalog.standing("x", "t").input.is_none());

    let defaults = catalog.recorded_defaults();
    let expected = crate::json::decode(br#"{"a": 1}"#, 9).unwrap();
    assert_eq!(
        defaults["s"],
        HashMap::from([("same".to_owned(), expected)])
    );
}

/// A pipe is told of without being opened, and what comes after it is taken up.
#[tokio::test]
async fn a_record_that_is_no_file_is_told_of_and_holds_nothing_up() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tools.json");
    write(&path, &[("t", "a", "{}")]);
    let catalog = Arc::new(open(DENY, Some(&path)));
    let failing = |catalog: &Catalog| {
        let failing = catalog.overview().remove(0).failing;
        failing.map(|failing| failing.error).unwrap_or_default()
    };
    assert_eq!(catalog.recorded_servers(), ["s"]);
    let (ask, asked) = tokio::sync::mpsc::channel(1);
    let (told, mut reloads) = tokio::sync::mpsc::unbounded_channel();
    let watching = catalog.watch("s", asked, now, move || told.send(()).unwrap());
    let steps = async {
        std::fs::remove_file(&path).unwrap();
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.unwrap().success());
        for (spoilt, expected) in [(true, "it is a pipe"), (false, "it is not JSON")] {
            if !spoilt {
                std::fs::remove_file(&path).unwrap();
                std::fs::write(&path, "[").unwrap();
            }
            ask.send(()).await.unwrap();
            reloads.recv().await.unwrap();
            assert!(
                failing(&catalog).contains(expected),
                "{}",
                failing(&catalog)
            );
        }
        write(&path, &[("t", "a", "{}"), ("u", "b", "{}")]);
        ask.send(()).await.unwrap();
        reloads.recv().await.unwrap();
        assert_eq!(failing(&catalog), "");
        assert_eq!(catalog.overview().remove(0).recorded, Some(2));
        drop(ask);
    };
    tokio::join!(watching, steps);
}

/// Looks that hang for good keep a new record out only until one succeeds.
#[tokio::test]
async fn a_record_is_taken_up_though_earlier_looks_still_hang() {
    use crate::file::LOOK_TIME_MAX;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tools.json");
    write(&path, &[("t", "a", "{}")]);
    let catalog = open(DENY, Some(&path));
    let mut watcher = catalog.watcher("s", now, || ()).unwrap();
    tokio::time::pause();
    let ends = watcher.looks().hang(3).await;
    // It is asked for, and the urgent look for it was one of those.
    watcher.ask();
    watcher.is_urgent(false);
    assert!(!watcher.look().await, "not begun");
    tokio::time::advance(LOOK_TIME_MAX * 2).await;
    tokio::time::resume();
    assert!(watcher.look().await);
    assert!(catalog.overview().remove(0).failing.is_none());
    write(&path, &[("t", "b", "{}")]);
    assert!(!watcher.look().await);
    assert!(watcher.look().await);
    look(&catalog, "t", "b");
    assert!(catalog.standing("s", "t").refusal.is_none());
    drop(ends);
}
