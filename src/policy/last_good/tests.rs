use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::AtomicBool;

use tempfile::TempDir;

use super::*;
use crate::policy::{CompileContext, LoadPolicyError, PolicyPlaces, PolicyStore, TeamSettings};
use crate::policy::{FoundPolicy, TeamState};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// What somebody does to the file.
type Spoil = fn(&Home);

/// A directory with a policy, that of a team, and the last good one.
struct Home(TempDir);

const GOOD: &str = "rules: [{id: good, effect: deny}]";

impl Home {
    fn new() -> Self {
        let home = Home(tempfile::tempdir().unwrap());
        home.write("policy.yaml", GOOD);
        home.write("a.yaml", GOOD);
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn kept(&self) -> PathBuf {
        self.path("state").join(NAME)
    }

    fn places(&self) -> PolicyPlaces {
        PolicyPlaces {
            path: self.path("policy.yaml"),
            teams: vec![TeamSettings::new("a", &self.path("a.yaml"), &["a"])],
            last_good: Some(LastGoodSettings {
                dir: self.path("state"),
                max_age: Duration::from_secs(100),
            }),
            is_candidate: false,
        }
    }

    fn open(&self, now: i64) -> Result<PolicyStore, LoadPolicyError> {
        PolicyStore::open(self.places(), CompileContext::default(), at(now))
    }

    /// Starts once with the good policy, and breaks it.
    fn broken(&self) {
        self.open(1).unwrap();
        self.write("policy.yaml", "rules: [");
    }
}

fn ids(store: &PolicyStore) -> Vec<String> {
    let policy = store.snapshot();
    let rules = policy.rules().iter();
    rules.map(|rule| rule.id.to_string()).collect()
}

#[test]
fn a_start_with_a_broken_policy_uses_the_last_good_one_and_says_so() {
    let home = Home::new();
    home.broken();
    home.write("a.yaml", "rules: [");
    let store = home.open(50).unwrap();
    assert_eq!(ids(&store), ["good", "a/good"]);
    let status = store.status();
    assert_eq!(status.failing.unwrap().since, at(50));
    assert_eq!(status.failures, 1);
    assert!(status.last_good.is_in_force);
    assert_eq!(status.last_good.confirmed, Some(at(1)));
    assert_eq!(status.teams[0].state, TeamState::LastGood);
    // It is not made any younger by being used.
    store.confirm(at(60));
    drop(store);
    assert!(home.open(90).is_ok());
    assert!(home.open(102).is_err(), "beyond its age");
    home.write("policy.yaml", "rules: [{id: new, effect: deny}]");
    let store = home.open(110).unwrap();
    assert!(!store.status().last_good.is_in_force);
    assert_eq!(
        ids(&store),
        ["new", "a/no-usable-policy"],
        "the team's is too old"
    );
}

#[test]
fn what_is_in_force_and_unchanged_is_confirmed() {
    let home = Home::new();
    let store = home.open(1).unwrap();
    store.confirm(at(1000));
    home.write("policy.yaml", "rules: [");
    store.reload(at(1001)).unwrap_err();
    store.confirm(at(2000));
    let store = home.open(1050).unwrap();
    assert_eq!(store.status().last_good.confirmed, Some(at(1000)));
    assert!(home.open(1101).is_err());
}

#[test]
fn a_reload_is_kept_and_a_repair_ends_it() {
    let home = Home::new();
    let store = home.open(1).unwrap();
    home.write("policy.yaml", "rules: [{id: second, effect: deny}]");
    store.reload(at(2)).unwrap();
    home.write("policy.yaml", "rules: [{id: third, effect: dney}]");
    store.reload(at(3)).unwrap_err();
    let store = home.open(4).unwrap();
    assert_eq!(ids(&store), ["second", "a/good"]);
    home.write("policy.yaml", GOOD);
    store.reload(at(5)).unwrap();
    assert!(!store.status().last_good.is_in_force);
    assert_eq!(store.status().failing, None);
}

#[test]
fn nobody_else_may_read_it() {
    let home = Home::new();
    home.open(1).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&home.kept()), 0o600);
    assert_eq!(mode(&home.path("state")), 0o700);
    let names = fs::read_dir(home.path("state")).unwrap().count();
    assert_eq!(names, 1, "nothing is left behind");
}

#[test]
fn what_was_not_written_by_this_process_for_this_policy_is_never_used() {
    let spoil: [(&str, Spoil); 9] = [
        ("cut short", |home| {
            let text = fs::read(home.kept()).unwrap();
            fs::write(home.kept(), &text[..text.len() - 9]).unwrap();
        }),
        ("changed", |home| {
            let text = fs::read_to_string(home.kept()).unwrap();
            fs::write(home.kept(), text.replace("id: good", "id: goof")).unwrap();
        }),
        ("of another version", |home| {
            let text = fs::read_to_string(home.kept()).unwrap();
            fs::write(home.kept(), text.replace("policy 2 ", "policy 1 ")).unwrap();
        }),
        ("not its form", |home| {
            let body = "{}";
            let text = format!("{HEAD}{}\n{body}\n", digest_of(body));
            fs::write(home.kept(), text).unwrap();
        }),
        ("not text", |home| {
            fs::write(home.kept(), [0xff; 9]).unwrap();
        }),
        ("empty", |home| fs::write(home.kept(), "").unwrap()),
        ("open to others", |home| {
            let mode = fs::Permissions::from_mode(0o620);
            fs::set_permissions(home.kept(), mode).unwrap();
        }),
        ("a link", |home| {
            fs::rename(home.kept(), home.path("elsewhere")).unwrap();
            std::os::unix::fs::symlink(home.path("elsewhere"), home.kept()).unwrap();
        }),
        ("of another policy", |home| {
            let text = fs::read_to_string(home.kept()).unwrap();
            let body = text.split_once('\n').unwrap().1.trim_end();
            let mut kept: Kept = serde_json::from_str(body).unwrap();
            kept.policy = "/etc/other/policy.yaml".to_owned();
            fs::write(home.kept(), encode(&kept).unwrap()).unwrap();
        }),
    ];
    for (what, spoil) in spoil {
        let home = Home::new();
        home.broken();
        assert!(home.open(2).is_ok(), "{what}: it would be used");
        spoil(&home);
        let last_good = LastGood::at(home.places().last_good.unwrap(), &home.places().path);
        assert!(last_good.read().is_err(), "{what}");
        assert!(home.open(3).is_err(), "{what}");
        // A good start replaces it.
        home.write("policy.yaml", GOOD);
        home.open(4).unwrap();
        home.write("policy.yaml", "rules: [");
        assert!(home.open(5).is_ok(), "{what}");
    }
}

#[test]
fn a_last_good_policy_that_does_not_compile_any_more_is_broken() {
    let home = Home::new();
    home.write(
        "policy.yaml",
        "rules: [{id: r, effect: deny, what: {servers: [notes]}}]",
    );
    home.broken();
    let context = CompileContext {
        servers: Some(vec!["a".to_owned()]),
        ..CompileContext::default()
    };
    assert!(PolicyStore::open(home.places(), context, at(2)).is_err());
    assert!(home.open(3).is_ok());
}

#[test]
fn a_moment_to_come_is_not_believed() {
    let home = Home::new();
    home.open(1000).unwrap();
    home.write("policy.yaml", "rules: [");
    assert!(home.open(900).is_ok(), "clocks differ a little");
    assert!(home.open(600).is_err());
}

#[test]
fn a_directory_that_cannot_be_written_is_reported_and_stops_nothing() {
    let home = Home::new();
    home.write("state", "a file");
    let store = home.open(1).unwrap();
    assert!(
        store
            .status()
            .last_good
            .failing
            .unwrap()
            .contains("cannot write")
    );
}

/// The candidate is never enforced, so there is nothing to keep.
#[test]
fn nothing_is_kept_without_a_place() {
    let home = Home::new();
    let places = PolicyPlaces {
        last_good: None,
        ..home.places()
    };
    let store = PolicyStore::open(places.clone(), CompileContext::default(), at(1)).unwrap();
    assert!(!store.is_kept());
    assert!(!home.kept().exists());
    let kept = AtomicBool::new(false);
    let found = FoundPolicy::read(&home.places());
    let context = CompileContext::default();
    let next = store.next(home.places(), context, found, at(2), &kept);
    let next = next.unwrap();
    assert!(next.is_kept());
    assert!(!home.kept().exists(), "it may still be refused");
    next.keep();
    assert!(home.kept().exists(), "the configuration may say so later");
}

/// What was taken back since must not come back with a restart.
#[test]
fn an_older_one_is_removed_where_the_newer_cannot_be_written() {
    let home = Home::new();
    let store = home.open(1).unwrap();
    // As on a full disk, nothing can be written beside it.
    let full = home
        .path("state")
        .join(format!(".{NAME}.{}", std::process::id()));
    fs::create_dir(&full).unwrap();
    store.confirm(at(2));
    assert!(home.kept().exists(), "only its age is another");
    assert!(store.status().last_good.failing.is_some());
    home.write("policy.yaml", "rules: [{id: stricter, effect: deny}]");
    store.reload(at(3)).unwrap();
    assert!(!home.kept().exists());
    let failing = store.status().last_good.failing.unwrap();
    assert!(!failing.contains("still there"), "{failing}");
    fs::remove_dir(&full).unwrap();
    store.confirm(at(4));
    home.write("policy.yaml", "rules: [");
    assert_eq!(ids(&home.open(5).unwrap()), ["stricter", "a/good"]);
    // The same for the rules of a team.
    home.write("policy.yaml", GOOD);
    let store = home.open(6).unwrap();
    fs::create_dir(&full).unwrap();
    home.write("a.yaml", "rules: [{id: stricter, effect: deny}]");
    store.reload(at(7)).unwrap();
    assert!(!home.kept().exists());
}

#[test]
fn what_is_kept_of_a_team_counts_under_the_same_name_and_grant_alone() {
    type Change = fn(&Home, &mut PolicyPlaces);
    let changes: [(&str, Change); 6] = [
        ("name", |_, places| places.teams[0].name = "z".to_owned()),
        ("files", |home, places| {
            home.write("z.yaml", "rules: [");
            places.teams[0].files = home.path("z.yaml");
        }),
        ("servers", |_, places| {
            places.teams[0].servers = vec!["b".to_owned()];
        }),
        ("effects", |_, places| {
            places.teams[0].effects = vec![crate::policy::TeamEffect::Deny];
        }),
        ("classes", |_, places| {
            places.teams[0].classes = Some(vec!["read".to_owned()]);
        }),
        ("nothing", |_, _| {}),
    ];
    for (what, change) in changes {
        let home = Home::new();
        let first = home.open(1).unwrap();
        home.write("a.yaml", "rules: [");
        let mut places = home.places();
        change(&home, &mut places);
        let expected = if what == "nothing" {
            TeamState::LastGood
        } else {
            TeamState::Denied
        };
        let context = CompileContext::default;
        let kept = AtomicBool::new(false);
        let found = FoundPolicy::read(&places);
        let live = first.next(places.clone(), context(), found, at(2), &kept);
        assert_eq!(live.unwrap().status().teams[0].state, expected, "{what}");
        let restarted = PolicyStore::open(places, context(), at(2)).unwrap();
        assert_eq!(restarted.status().teams[0].state, expected, "{what}");
        drop(restarted);
        // A mistake in the configuration that is mended at once loses nothing.
        if what != "name" {
            let again = home.open(3).unwrap();
            assert_eq!(again.status().teams[0].state, TeamState::LastGood, "{what}");
        }
    }
}

#[test]
fn renamed_teams_do_not_claim_the_files_of_each_other() {
    let home = Home::new();
    home.write("b.yaml", GOOD);
    let places = |names: [&str; 2]| PolicyPlaces {
        teams: vec![
            TeamSettings::new(names[0], &home.path("a.yaml"), &["a"]),
            TeamSettings::new(names[1], &home.path("b.yaml"), &["b"]),
        ],
        ..home.places()
    };
    let open = |names, now| PolicyStore::open(places(names), CompileContext::default(), at(now));
    open(["a", "b"], 1).unwrap();
    home.write("a.yaml", "rules: [");
    for names in [["b", "a"], ["c", "a"], ["b", "c"]] {
        let store = open(names, 2).unwrap();
        let teams = store.status().teams;
        assert_eq!(
            teams[0].state,
            TeamState::Denied,
            "{names:?}: its file is broken"
        );
        assert_eq!(teams[1].state, TeamState::InForce, "{names:?}: healthy");
    }
}

#[test]
fn it_is_told_what_is_wrong_with_a_file() {
    let home = Home::new();
    home.open(1).unwrap();
    let whole = fs::read_to_string(home.kept()).unwrap();
    for length in [10, HEAD.len() + 5, HEAD.len() + 80, whole.len() - 1] {
        let error = decode(whole.get(..length).unwrap()).unwrap_err();
        assert!(error.contains("cut short"), "{length}: {error}");
    }
    assert!(decode("").unwrap_err().contains("empty"));
    assert!(decode("rules: []\n").unwrap_err().contains("no last good"));
    let older = whole.replace("policy 2 ", "policy 1 ");
    assert!(decode(&older).unwrap_err().contains("another version"));
    assert!(decode(&whole).is_ok());
}
