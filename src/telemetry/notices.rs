//! Mistakes in the process's surroundings, noticed while it runs. Each is counted, logged at most
//! once an hour, and shown to operators with what to change. None of them makes the process
//! unready.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

/// What can be noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Noticed {
    /// Envoy does not send all headers of a request.
    HeadersHeldBack,
    /// Responses that were to be filtered never arrived.
    ResponsesNotShown,
    /// One of several servers is chosen by the host that the client sends.
    ServerByHost,
    /// Envoy only shows responses and ignores the verdict on them.
    ResponsesOnlyObserved,
    /// A response arrived without the context that its check attached.
    ResponseWithoutCheck,
    /// A response arrived in a mode in which it cannot be filtered.
    BodyNotStreamed,
    /// Another process made the context of a response.
    ContextOfAnotherProcess,
    /// No check made the context of a response.
    ContextForged,
    /// A context arrived too late, or from the future.
    ContextTooOld,
    /// A context arrived a second time.
    ContextReplayed,
    /// Envoy does not send the client's address.
    NoExternalAddress,
    /// A route names a server that the configuration does not have.
    UnknownServerNamed,
}

impl Noticed {
    /// All of them, in order.
    pub const ALL: [Noticed; 12] = [
        Noticed::HeadersHeldBack,
        Noticed::ResponsesNotShown,
        Noticed::ServerByHost,
        Noticed::ResponsesOnlyObserved,
        Noticed::ResponseWithoutCheck,
        Noticed::BodyNotStreamed,
        Noticed::ContextOfAnotherProcess,
        Noticed::ContextForged,
        Noticed::ContextTooOld,
        Noticed::ContextReplayed,
        Noticed::NoExternalAddress,
        Noticed::UnknownServerNamed,
    ];

    /// The stable name, in metrics, log and `/readyz`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Noticed::HeadersHeldBack => "headers_held_back",
            Noticed::ResponsesNotShown => "responses_not_shown",
            Noticed::ServerByHost => "server_by_host",
            Noticed::ResponsesOnlyObserved => "responses_only_observed",
            Noticed::ResponseWithoutCheck => "response_without_check",
            Noticed::BodyNotStreamed => "body_not_streamed",
            Noticed::ContextOfAnotherProcess => "context_of_another_process",
            Noticed::ContextForged => "context_forged",
            Noticed::ContextTooOld => "context_too_old",
            Noticed::ContextReplayed => "context_replayed",
            Noticed::NoExternalAddress => "no_external_address",
            Noticed::UnknownServerNamed => "unknown_server_named",
        }
    }

    /// What is wrong and what to change, in one line.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Noticed::HeadersHeldBack => {
                "checks arrive without the headers that Envoy always sends: remove `allowed_headers` \
                 and `disallowed_headers` from its `ext_authz` filter, or sessions may not be seen"
            }
            Noticed::ResponsesNotShown => {
                "ten or more responses were to be filtered and none arrived, so lists may pass \
                 unfiltered: Envoy needs the `composite` filter with `ext_proc` behind `ext_authz`, \
                 and `enable_dynamic_metadata_ingestion` on; or else the server does not answer"
            }
            Noticed::ServerByHost => {
                "several servers are configured and a route names none, so the host that the \
                 client sends chooses: set the context extension `mcp_server` on each route"
            }
            Noticed::ResponsesOnlyObserved => {
                "an `ext_proc` filter is in `observability_mode`: responses pass unfiltered, \
                 whatever is said; remove it"
            }
            Noticed::ResponseWithoutCheck => {
                "a response arrived without the context of its check; set `forwarding_namespaces` on \
                 Envoy's `ext_proc` filter, and `ext_authz` before it"
            }
            Noticed::BodyNotStreamed => {
                "Envoy's `ext_proc` filter has to send the body of responses with \
                 `response_body_mode: FULL_DUPLEX_STREAMED`"
            }
            Noticed::ContextOfAnotherProcess => {
                "a response arrived with a context made by another process: set `handoff.key_file` on \
                 all replicas, with the same keys; until then its lists come out empty"
            }
            Noticed::ContextForged => {
                "a response arrived with a context that no check made or that was altered: see who \
                 else reaches the gRPC port, and that nothing else writes to the metadata \
                 `envoy.filters.http.ext_authz`"
            }
            Noticed::ContextTooOld => {
                "a response arrived with a context older than `handoff.max_age`, or from the future: \
                 raise it if responses begin so late, and see that the clocks of replicas agree"
            }
            Noticed::ContextReplayed => {
                "a context arrived a second time: see who else reaches the gRPC port"
            }
            Noticed::NoExternalAddress => {
                "`client_address` is `x-envoy-external-address` and a client with a public address \
                 arrived without that header: set `use_remote_address: true` on Envoy's connection \
                 manager, or clients write the header themselves"
            }
            Noticed::UnknownServerNamed => {
                "a route's context extension `mcp_server` names a server that the configuration does \
                 not have, so all of its requests are denied (`unknown_server`): the audit record's \
                 `detail` has the name; correct it, or add the server to `servers`"
            }
        }
    }
}

/// The notices so far. Clones are handles to the same notices.
#[derive(Debug, Clone, Default)]
pub struct Notices(Arc<SharedNotices>);

#[derive(Debug)]
struct SharedNotices {
    each: [NoticeTally; Noticed::ALL.len()],
    responses: Mutex<AwaitedResponses>,
    refusals: Mutex<LoggedRefusals>,
    /// The servers of which a stream was not resumed.
    resumptions: Mutex<HashSet<Arc<str>>>,
}

/// The count of one notice; times in Unix milliseconds.
#[derive(Debug)]
struct NoticeTally {
    count: AtomicU64,
    first: AtomicI64,
    last: AtomicI64,
    logged: AtomicI64,
    stands: AtomicBool,
}

/// Stands for the time of a notice that was never raised.
const NEVER: i64 = i64::MIN;
/// How long a notice is not logged again.
const LOG_INTERVAL_MS: i64 = 60 * 60 * 1000;

impl Default for SharedNotices {
    fn default() -> Self {
        let tally = || NoticeTally {
            count: AtomicU64::new(0),
            first: AtomicI64::new(NEVER),
            last: AtomicI64::new(NEVER),
            logged: AtomicI64::new(NEVER),
            stands: AtomicBool::new(false),
        };
        SharedNotices {
            each: Noticed::ALL.map(|_| tally()),
            responses: Mutex::default(),
            refusals: Mutex::default(),
            resumptions: Mutex::default(),
        }
    }
}

/// A notice that still stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StandingNotice {
    /// The mistake.
    pub noticed: Noticed,
    /// How often it was noticed.
    pub count: u64,
    /// When it was first noticed; `None` if the time cannot be represented.
    pub first: Option<Timestamp>,
    /// When it was last noticed.
    pub last: Option<Timestamp>,
}

/// When each cause of refusals was last logged, by server, reason and detail; in Unix milliseconds.
type LoggedRefusals = HashMap<(Arc<str>, &'static str, Box<str>), i64>;

/// How long a cause of refusals is not logged again.
const REFUSAL_INTERVAL_MS: i64 = 10 * 60 * 1000;
/// The most causes that are told apart. Each is made of names of the configuration, so there are
/// fewer; what comes after them is not logged.
const REFUSALS_MAX: usize = 4096;

impl Notices {
    /// Whether a cause of refusals is to be logged now: at once, and then at most once in ten minutes.
    #[must_use]
    pub fn is_refusal_due(
        &self,
        server: &Arc<str>,
        reason: &'static str,
        detail: &str,
        now: Timestamp,
    ) -> bool {
        let now = now.as_millisecond();
        // It is whole after every step, so a panic elsewhere did not spoil it.
        let mut logged = self
            .0
            .refusals
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let has_room = logged.len() < REFUSALS_MAX;
        match logged.entry((Arc::clone(server), reason, detail.into())) {
            Entry::Occupied(mut last) => {
                let is_due = now.saturating_sub(*last.get()) >= REFUSAL_INTERVAL_MS;
                if is_due {
                    last.insert(now);
                }
                is_due
            }
            Entry::Vacant(first) => {
                if has_room {
                    first.insert(now);
                }
                has_room
            }
        }
    }

    /// Whether a client asks a server for the first time to resume a stream.
    #[must_use]
    pub fn is_first_resumption(&self, server: &Arc<str>) -> bool {
        let asked = self.0.resumptions.lock();
        let mut asked = asked.unwrap_or_else(PoisonError::into_inner);
        !asked.contains(server) && asked.insert(Arc::clone(server))
    }

    /// Records a mistake. It is logged at once, and then at most once per hour.
    pub fn raise(&self, noticed: Noticed, now: Timestamp) {
        let Some(tally) = self.0.each.get(noticed as usize) else {
            return;
        };
        let now = now.as_millisecond();
        tally.count.fetch_add(1, Ordering::Relaxed);
        let relaxed = Ordering::Relaxed;
        // Only the first raise sets this.
        let _kept = tally.first.compare_exchange(NEVER, now, relaxed, relaxed);
        tally.last.fetch_max(now, relaxed);
        tally.stands.store(true, relaxed);
        let logged = tally.logged.load(relaxed);
        let is_due = logged == NEVER || now.saturating_sub(logged) >= LOG_INTERVAL_MS;
        let logs = is_due && {
            let swapped = tally.logged.compare_exchange(logged, now, relaxed, relaxed);
            swapped.is_ok()
        };
        if logs {
            tracing::warn!(notice = noticed.name(), "{}", noticed.text());
        }
    }

    /// Records that a mistake no longer exists.
    fn clear(&self, noticed: Noticed) {
        if let Some(tally) = self.0.each.get(noticed as usize) {
            tally.stands.store(false, Ordering::Relaxed);
        }
    }

    /// How often each was noticed, whether or not it still stands.
    pub fn totals(&self) -> impl Iterator<Item = (Noticed, u64)> {
        let counts = self.0.each.iter();
        let counts = counts.map(|tally| tally.count.load(Ordering::Relaxed));
        Noticed::ALL.into_iter().zip(counts)
    }

    /// The notices that stand now.
    #[must_use]
    pub fn standing(&self) -> Vec<StandingNotice> {
        let time = |of: &AtomicI64| Timestamp::from_millisecond(of.load(Ordering::Relaxed)).ok();
        let each = Noticed::ALL.into_iter().zip(&self.0.each);
        each.filter(|(_, tally)| tally.stands.load(Ordering::Relaxed))
            .map(|(noticed, tally)| StandingNotice {
                noticed,
                count: tally.count.load(Ordering::Relaxed),
                first: time(&tally.first),
                last: time(&tally.last),
            })
            .collect()
    }

    /// Records an allowed request whose response Envoy is to send for inspection, to this replica
    /// or another: each replica receives as many responses as it expects.
    pub fn response_expected(&self, now: Timestamp) {
        let now_ms = now.as_millisecond();
        let mut awaited = self
            .0
            .responses
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if awaited.count == 0 {
            awaited.since_ms = now_ms;
        }
        awaited.count = awaited.count.saturating_add(1);
        let waited = now_ms.saturating_sub(awaited.since_ms);
        let is_missing = awaited.count >= EXPECTED_MIN && waited > WAITED_MIN_MS;
        drop(awaited);
        if is_missing {
            self.raise(Noticed::ResponsesNotShown, now);
        }
    }

    /// Records that such a response has begun here.
    pub fn response_begun(&self) {
        let mut awaited = self
            .0
            .responses
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *awaited = AwaitedResponses::default();
        drop(awaited);
        self.clear(Noticed::ResponsesNotShown);
    }
}

/// Responses expected since the last one began.
#[derive(Debug, Default)]
struct AwaitedResponses {
    count: u64,
    /// When the first of them was expected.
    since_ms: i64,
}

/// How many responses have to be missing. Each replica receives its share of the responses: the
/// chance that ten in a row go to others is 1 in 20 000.
const EXPECTED_MIN: u64 = 10;
/// How long ago the first of them must have been expected, because a server may take its time.
const WAITED_MIN_MS: i64 = 30 * 1000;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + seconds).unwrap()
    }

    #[test]
    fn each_notice_has_a_unique_name_and_its_place() {
        for (index, noticed) in Noticed::ALL.into_iter().enumerate() {
            assert_eq!(noticed as usize, index, "{}", noticed.name());
            let same = Noticed::ALL
                .iter()
                .filter(|other| other.name() == noticed.name());
            assert_eq!(same.count(), 1, "{}", noticed.name());
            assert!(!noticed.text().contains('\n'), "{}", noticed.text());
            assert!(!noticed.text().contains("  "), "{}", noticed.text());
        }
    }

    #[test]
    fn a_raised_notice_stands_with_its_times() {
        let notices = Notices::default();
        assert_eq!(notices.standing(), []);
        for seconds in [5, 1, 9] {
            notices.raise(Noticed::ServerByHost, at(seconds));
        }
        let standing = StandingNotice {
            noticed: Noticed::ServerByHost,
            count: 3,
            first: Some(at(5)),
            last: Some(at(9)),
        };
        assert_eq!(notices.clone().standing(), [standing]);
        let raised = notices.totals().filter(|(_, count)| *count > 0);
        assert!(raised.eq([(Noticed::ServerByHost, 3)]));
    }

    #[test]
    fn responses_are_missing_once_many_are_long_overdue_and_none_came() {
        let notices = Notices::default();
        let stands = || !notices.standing().is_empty();
        for _ in 0..100 {
            notices.response_expected(at(0));
        }
        notices.response_expected(at(30));
        assert!(!stands(), "not for long");
        notices.response_expected(at(31));
        assert!(stands());
        notices.response_begun();
        assert!(!stands(), "cleared");
        for seconds in [100, 200, 300, 400, 500, 600, 700, 800, 900] {
            notices.response_expected(at(seconds));
        }
        assert!(!stands(), "not many");
        notices.response_expected(at(901));
        assert!(stands());
        let count = notices.totals().map(|(_, count)| count).sum::<u64>();
        assert_eq!(count, 2);
    }

    #[test]
    fn responses_that_come_now_and_then_are_not_missing() {
        let notices = Notices::default();
        for round in 0..100 {
            for _ in 0..9 {
                notices.response_expected(at(round * 60));
            }
            notices.response_expected(at(round * 60 + 20));
            notices.response_begun();
        }
        assert_eq!(notices.totals().map(|(_, count)| count).sum::<u64>(), 0);
    }
}
