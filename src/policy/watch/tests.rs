use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;

use super::super::CompileContext;
use super::super::files::PolicyFiles;
use super::*;
use crate::file::ReadError;
use crate::yaml::Source;

fn now() -> jiff::Timestamp {
    jiff::Timestamp::UNIX_EPOCH
}

fn rule(id: &str) -> String {
    format!("rules: [{{id: {id}, effect: deny, what: {{servers: [notes]}}}}]\n")
}

/// A store of a policy in a directory of its own.
fn store(directory: &tempfile::TempDir) -> Arc<PolicyStore> {
    let path = directory.path().join("policy.yaml");
    std::fs::write(&path, rule("first")).unwrap();
    let context = CompileContext {
        servers: Some(vec!["notes".to_owned()]),
        rules_max: 10,
        ..CompileContext::default()
    };
    Arc::new(PolicyStore::open(path, context, now()).unwrap())
}

/// A file system: what reading gives, or nothing, ever, as long as it hangs.
#[derive(Clone, Default)]
struct FakeFiles {
    content: Arc<Mutex<Vec<Source>>>,
    tests: Arc<Mutex<Vec<Source>>>,
    hangs: Arc<AtomicBool>,
    /// The same, and what was begun meanwhile never ends.
    is_gone: Arc<AtomicBool>,
    begun: Arc<AtomicUsize>,
}

impl FakeFiles {
    fn of(text: &str) -> Self {
        let files = Self::default();
        files.put(text);
        files
    }

    fn put(&self, text: &str) {
        *self.content.lock().unwrap() = vec![source("p", text)];
    }

    /// Threads that hang end with the process of the tests.
    #[expect(clippy::unnecessary_wraps, reason = "as files are read")]
    fn read(&self) -> Sources {
        self.begun.fetch_add(1, Ordering::SeqCst);
        if self.is_gone.load(Ordering::SeqCst) {
            never();
        }
        let hung_at_first = self.hangs.load(Ordering::SeqCst);
        let policy = self.content.lock().unwrap().clone();
        while hung_at_first && self.hangs.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
        let tests = self.tests.lock().unwrap().clone();
        Ok(PolicyFiles { policy, tests })
    }

    fn reader(&self) -> impl Fn(&Path) -> Sources + Clone + Send + 'static {
        let files = self.clone();
        move |_| files.read()
    }
}

/// Ends with the process.
fn never() -> ! {
    loop {
        std::thread::park();
    }
}

fn source(name: &str, text: &str) -> Source {
    Source {
        name: name.to_owned(),
        text: text.to_owned(),
    }
}

/// Waits until it is so, for an hour; on a paused clock, which goes on whenever the runtime has
/// nothing to do.
async fn until(what: impl Fn() -> bool) {
    let start = Instant::now();
    while !what() {
        assert!(start.elapsed() < Duration::from_hours(1), "it never is");
        tokio::time::sleep(Duration::from_millis(50)).await;
        // Threads of ours are no business of the runtime's: give them real time too.
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn ids(store: &PolicyStore) -> Vec<String> {
    let policy = store.snapshot();
    policy
        .rules()
        .iter()
        .map(|rule| rule.id.to_string())
        .collect()
}

fn failing(store: &PolicyStore) -> Option<String> {
    store
        .status()
        .failing
        .map(|failing| failing.lines.join("\n"))
}

/// A file system that hangs is told of, and does not keep a later policy out: the reads that were
/// begun give an old content when they end, and it is not taken.
#[tokio::test(start_paused = true)]
async fn a_read_that_does_not_return_is_told_of_and_holds_nothing_up() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory);
    let files = FakeFiles::of(&rule("first"));
    let (ask, asked) = mpsc::channel(1);
    let watching = watch_by(Arc::clone(&store), asked, now, files.reader());
    let steps = async {
        files.put(&rule("second"));
        until(|| ids(&store) == ["second"]).await;
        // It hangs with an old content in its hands.
        files.put(&rule("old"));
        files.hangs.store(true, Ordering::SeqCst);
        until(|| failing(&store).is_some()).await;
        let told = failing(&store).unwrap();
        assert!(told.contains("gave no answer within 5 s"), "{told}");
        let failures = store.status().failures;
        let begun = files.begun.load(Ordering::SeqCst);
        until(|| files.begun.load(Ordering::SeqCst) >= begun + 2).await;
        assert_eq!(store.status().failures, failures, "told of once");
        assert_eq!(ids(&store), ["second"]);
        // The next look is beside those that hang.
        files.put(&rule("third"));
        files.hangs.store(false, Ordering::SeqCst);
        until(|| ids(&store) == ["third"]).await;
        assert_eq!(failing(&store), None);
        drop(ask);
    };
    tokio::join!(watching, steps);
    assert_eq!(ids(&store), ["third"]);
}

/// A volume that is mounted anew: what waits for the old one waits for ever.
#[tokio::test(start_paused = true)]
async fn a_policy_is_taken_up_though_earlier_looks_still_hang() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory);
    let files = FakeFiles::of(&rule("first"));
    let (ask, asked) = mpsc::channel(1);
    let watching = watch_by(Arc::clone(&store), asked, now, files.reader());
    let steps = async {
        for name in ["second", "third", "fourth"] {
            let begun = files.begun.load(Ordering::SeqCst);
            files.is_gone.store(true, Ordering::SeqCst);
            until(|| files.begun.load(Ordering::SeqCst) >= begun + 3).await;
            until(|| failing(&store).is_some()).await;
            files.put(&rule(name));
            files.is_gone.store(false, Ordering::SeqCst);
            until(|| ids(&store) == [name]).await;
            assert_eq!(failing(&store), None);
        }
        drop(ask);
    };
    tokio::join!(watching, steps);
}

/// Being asked makes one look urgent, not all until one succeeds.
#[tokio::test(start_paused = true)]
async fn being_asked_while_it_hangs_begins_one_more_look_and_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory);
    let files = FakeFiles::of(&rule("first"));
    let (ask, asked) = mpsc::channel(1);
    let watching = watch_by(Arc::clone(&store), asked, now, files.reader());
    let begun = || files.begun.load(Ordering::SeqCst);
    let steps = async {
        files.is_gone.store(true, Ordering::SeqCst);
        let before = begun();
        until(|| begun() >= before + 3).await;
        until(|| failing(&store).is_some()).await;
        tokio::time::sleep(LOOK_TIME_MAX).await;
        let (before, successes) = (begun(), store.status().successes);
        ask.send(()).await.unwrap();
        until(|| begun() > before).await;
        // It hangs 5 s; then the pauses are 10 s, 20 s and 40 s, each after 5 s.
        tokio::time::sleep(Duration::from_secs(70)).await;
        assert!(begun() <= before + 4, "{} more looks", begun() - before);
        assert_eq!(store.status().successes, successes);
        files.is_gone.store(false, Ordering::SeqCst);
        // The same policy, as it was asked for: at the first look.
        until(|| store.status().successes > successes).await;
        drop(ask);
    };
    tokio::join!(watching, steps);
}

/// Where nothing is otherwise than before it hung, only the report goes.
#[tokio::test(start_paused = true)]
async fn the_report_goes_when_the_same_files_can_be_read_again() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory);
    let files = FakeFiles::of(&rule("first"));
    let (ask, asked) = mpsc::channel(1);
    let watching = watch_by(Arc::clone(&store), asked, now, files.reader());
    let steps = async {
        files.hangs.store(true, Ordering::SeqCst);
        until(|| failing(&store).is_some()).await;
        files.hangs.store(false, Ordering::SeqCst);
        until(|| failing(&store).is_none()).await;
        assert_eq!(ids(&store), ["first"]);
        drop(ask);
    };
    tokio::join!(watching, steps);
}

/// Tests that no policy of these passes.
fn failing_tests(count: usize) -> Vec<Source> {
    let test = |index: usize| {
        format!(
            "- {{name: t{index}, request: {{server: notes, method: tools/call, name: x, \
             subject: {{id: a}}}}, expect: {{decision: allow}}}}\n"
        )
    };
    let tests: String = (0..count).map(test).collect();
    vec![source("t", &format!("tests:\n{tests}"))]
}

/// In real time: a paused clock waits for the tests too.
#[tokio::test]
async fn a_newer_policy_does_not_wait_for_the_tests_of_the_one_before() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory);
    let files = FakeFiles::of(&rule("first"));
    let (ask, asked) = mpsc::channel(1);
    let watching = watch_by(Arc::clone(&store), asked, now, files.reader());
    let steps = async {
        *files.tests.lock().unwrap() = failing_tests(20_000);
        files.put(&rule("second"));
        // Two looks to find it settled, and one to be sure that it was taken up.
        let begun = files.begun.load(Ordering::SeqCst);
        until(|| files.begun.load(Ordering::SeqCst) >= begun + 4).await;
        files.tests.lock().unwrap().clear();
        files.put(&rule("third"));
        until(|| ids(&store) == ["third"]).await;
        let status = store.status();
        assert_eq!((status.failures, status.successes), (0, 2), "given up");
        drop(ask);
    };
    tokio::join!(watching, steps);
}

/// A policy whose tests run is given up between two of them for a newer one.
#[test]
fn a_test_suite_ends_where_a_newer_policy_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory);
    let tests = failing_tests(50);
    let sample = super::super::testing::SampleContext::default();
    let suite = super::super::testing::Suite::read(&tests, &sample).unwrap();
    let policy = store.snapshot();
    let asked = std::cell::Cell::new(0);
    let report = suite.run_while(&policy, || {
        asked.set(asked.get() + 1);
        asked.get() <= 3
    });
    assert!(report.is_none());
    assert_eq!(asked.get(), 4, "asked before each test");
    assert_eq!(suite.run_while(&policy, || true).unwrap().cases.len(), 50);

    let before = store.status();
    let files = || {
        Ok(PolicyFiles {
            policy: vec![source("p", &rule("new"))],
            tests: tests.clone(),
        })
    };
    let error = store
        .take(files(), now(), &AtomicBool::new(true))
        .unwrap_err();
    assert!(matches!(error, LoadPolicyError::Replaced), "{error}");
    assert_eq!(store.status(), before, "nothing is told of it");
    let error = store
        .take(files(), now(), &AtomicBool::new(false))
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the policy fails its tests in 50 place(s)"
    );
}

#[test]
fn files_that_hang_at_the_start_are_an_error() {
    let error = ReadPolicyError::of(
        Path::new("p"),
        ReadError::Hangs(crate::file::START_TIME_MAX),
    );
    let expected = "cannot read the policy `p`: the file system gave no answer within 10 s";
    assert_eq!(error.to_string(), expected);
}
