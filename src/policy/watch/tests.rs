use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;

use tokio::time::Instant;

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

/// A store of a policy in its own directory.
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

/// A fake file system: the content that reading returns. While it hangs, reads do not return.
#[derive(Clone, Default)]
struct FakeFiles {
    content: Arc<Mutex<Vec<Source>>>,
    tests: Arc<Mutex<Vec<Source>>>,
    hangs: Arc<AtomicBool>,
    /// The same, but reads that started meanwhile never end.
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

    /// Threads that hang end with the test process.
    #[expect(clippy::unnecessary_wraps, reason = "the signature of a file reader")]
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

    fn reader(&self) -> impl Fn(Owner, &Path) -> Sources + Clone + Send + 'static {
        let files = self.clone();
        move |_, _| files.read()
    }
}

/// Blocks until the process ends.
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

/// Waits until it is so, for up to an hour of paused time, which advances whenever the runtime is
/// idle.
async fn until(what: impl Fn() -> bool) {
    let start = Instant::now();
    while !what() {
        assert!(start.elapsed() < Duration::from_hours(1), "it never is");
        tokio::time::sleep(Duration::from_millis(50)).await;
        // The runtime does not wait for our threads: give them real time too.
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A watched policy in fake files, `first` at the beginning, with a handle to request reloads.
struct Watched {
    store: Arc<PolicyStore>,
    files: FakeFiles,
    ask: mpsc::Sender<()>,
}

/// The ids of the rules in force.
fn ids(store: &PolicyStore) -> Vec<String> {
    let policy = store.snapshot();
    let rules = policy.rules().iter();
    rules.map(|rule| rule.id.to_string()).collect()
}

impl Watched {
    fn ids(&self) -> Vec<String> {
        ids(&self.store)
    }

    fn failing(&self) -> Option<String> {
        let failing = self.store.status().failing;
        failing.map(|failing| failing.lines.join("\n"))
    }

    fn begun(&self) -> usize {
        self.files.begun.load(Ordering::SeqCst)
    }

    fn hang(&self, hangs: bool) {
        self.files.hangs.store(hangs, Ordering::SeqCst);
    }

    fn go(&self, is_gone: bool) {
        self.files.is_gone.store(is_gone, Ordering::SeqCst);
    }

    async fn begins(&self, more: usize) {
        let begun = self.begun();
        until(|| self.begun() >= begun + more).await;
    }

    async fn fails(&self) {
        until(|| self.failing().is_some()).await;
    }

    async fn has(&self, id: &str) {
        until(|| self.ids() == [id]).await;
    }
}

/// Watches until the steps have finished.
async fn watched(steps: impl AsyncFnOnce(&Watched)) {
    let directory = tempfile::tempdir().unwrap();
    let (ask, asked) = mpsc::channel(1);
    let policy = Watched {
        store: store(&directory),
        files: FakeFiles::of(&rule("first")),
        ask,
    };
    let (store, read) = (Arc::clone(&policy.store), policy.files.reader());
    let last = async {
        steps(&policy).await;
        let in_force = policy.ids();
        drop(policy);
        in_force
    };
    let watching = watch_by(Arc::clone(&store), asked, now, read);
    let ((), in_force) = tokio::join!(watching, last);
    assert_eq!(ids(&store), in_force, "the end changes nothing");
}

/// A hanging file system is reported, and does not block a later policy: the reads that started
/// return an old content when they end, which is not applied.
#[tokio::test(start_paused = true)]
async fn a_hanging_read_is_reported_and_blocks_nothing() {
    watched(async |policy| {
        policy.files.put(&rule("second"));
        policy.has("second").await;
        // The hanging read has an old content.
        policy.files.put(&rule("old"));
        policy.hang(true);
        policy.fails().await;
        let told = policy.failing().unwrap();
        assert!(told.contains("gave no answer within 5 s"), "{told}");
        let failures = policy.store.status().failures;
        policy.begins(2).await;
        assert_eq!(policy.store.status().failures, failures, "told of once");
        assert_eq!(policy.ids(), ["second"]);
        // The next read starts beside those that hang.
        policy.files.put(&rule("third"));
        policy.hang(false);
        policy.has("third").await;
        assert_eq!(policy.failing(), None);
    })
    .await;
}

/// A volume is mounted again: reads of the old one wait for ever.
#[tokio::test(start_paused = true)]
async fn a_policy_is_loaded_though_earlier_reads_still_hang() {
    watched(async |policy| {
        for name in ["second", "third", "fourth"] {
            let begun = policy.begun();
            policy.go(true);
            until(|| policy.begun() >= begun + 3).await;
            policy.fails().await;
            policy.files.put(&rule(name));
            policy.go(false);
            policy.has(name).await;
            assert_eq!(policy.failing(), None);
        }
    })
    .await;
}

/// A request makes one read urgent, not all of them until one succeeds.
#[tokio::test(start_paused = true)]
async fn a_request_during_a_hang_starts_one_more_read_and_is_kept() {
    watched(async |policy| {
        policy.go(true);
        policy.begins(3).await;
        policy.fails().await;
        tokio::time::sleep(LOOK_TIME_MAX).await;
        let (before, successes) = (policy.begun(), policy.store.status().successes);
        policy.ask.send(()).await.unwrap();
        until(|| policy.begun() > before).await;
        // A read is given up after 5 s; then the pauses are 10 s, 20 s and 40 s, each followed by 5
        // s.
        tokio::time::sleep(Duration::from_secs(70)).await;
        let more = policy.begun() - before;
        assert!(more <= 4, "{more} more looks");
        assert_eq!(policy.store.status().successes, successes);
        policy.go(false);
        // The first read loads the same policy again, because it was requested.
        until(|| policy.store.status().successes > successes).await;
    })
    .await;
}

/// If nothing has changed since before the hang, only the report disappears.
#[tokio::test(start_paused = true)]
async fn the_report_disappears_when_the_same_files_are_readable_again() {
    watched(async |policy| {
        policy.hang(true);
        policy.fails().await;
        policy.hang(false);
        until(|| policy.failing().is_none()).await;
        assert_eq!(policy.ids(), ["first"]);
    })
    .await;
}

/// Tests that none of these policies passes.
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

/// In real time: a paused clock would wait for the tests too.
#[tokio::test]
async fn a_newer_policy_does_not_wait_for_the_tests_of_the_one_before() {
    watched(async |policy| {
        *policy.files.tests.lock().unwrap() = failing_tests(20_000);
        policy.files.put(&rule("second"));
        // Two reads to find it settled, and one to be sure that it is loading.
        policy.begins(4).await;
        policy.files.tests.lock().unwrap().clear();
        policy.files.put(&rule("third"));
        policy.has("third").await;
        let status = policy.store.status();
        assert_eq!((status.failures, status.successes), (0, 2), "given up");
    })
    .await;
}

/// A policy whose tests are running is abandoned between two of them for a newer one.
#[test]
fn a_test_suite_ends_early_for_a_newer_policy() {
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
    let files = FoundPolicy::read_by(&"p".into(), |_, _| {
        Ok(PolicyFiles {
            policy: vec![source("p", &rule("new"))],
            tests: tests.clone(),
        })
    });
    let error = store
        .take(&files, now(), &AtomicBool::new(true))
        .unwrap_err();
    assert!(matches!(error, LoadPolicyError::Replaced), "{error}");
    assert_eq!(store.status(), before, "it is not reported");
    let error = store
        .take(&files, now(), &AtomicBool::new(false))
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

/// The task that watches ends with its part of the configuration.
#[tokio::test]
async fn a_policy_that_is_tested_for_nobody_is_given_up() {
    let is_replaced = Arc::new(AtomicBool::new(false));
    let reload = Reload {
        is_replaced: Arc::clone(&is_replaced),
        work: tokio::task::spawn_blocking(|| ()),
    };
    assert!(!is_replaced.load(Ordering::Relaxed));
    drop(reload);
    assert!(is_replaced.load(Ordering::Relaxed));
}
