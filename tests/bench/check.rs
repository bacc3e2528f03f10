//! A whole check whose token was seen before: 100 rules, CEL on the path, audit and metrics on. It
//! begins with Envoy's message, since what it is about is not copied out of there.

use bytes::Bytes;
use divan::{Bencher, black_box};
use jsonwebtoken::Algorithm;
use mcp_authz::envoy::ServeSettings;
use mcp_authz::envoy::check_request::http_request;
use mcp_authz::envoy::proto::envoy::service::auth::v3::CheckResponse;
use prost::Message;

use super::policy::{Cel, Matching, rules};
use super::service::Service;
use super::{body, envoy, issuer};

/// The owner that a call names decides about it.
pub(super) const DECISIONS: [&str; 2] = ["acme", "evil"];
pub(super) const SESSION: &str = "8a5f6f3e-54c8-4f1c-b8a5-2b1a1c5c2e11";
/// One caller, and as many that neither their tokens nor their sessions stay in the core's caches.
const CALLERS: [usize; 2] = [1, 10_000];

/// Rules of which two are about the call, each with an expression that is evaluated.
pub(super) fn policy() -> String {
    rules(100, Matching::One, Cel::Used)
}

/// Calls of 600 bytes by so many callers, in turns.
pub(super) struct Callers {
    messages: Vec<Bytes>,
    next: usize,
}

impl Callers {
    pub(super) fn new(count: usize, owner: &str) -> Self {
        let body = body::call(owner, 600);
        let message = |number: usize| {
            let token = issuer::token(Algorithm::ES256, &format!("user-{number}"), "team-1");
            envoy::message(&token, &format!("{SESSION}-{number}"), &body)
        };
        Callers {
            messages: (0..count).map(message).collect(),
            next: 0,
        }
    }

    pub(super) fn next(&mut self) -> Bytes {
        let message = self.messages[self.next].clone();
        self.next = (self.next + 1) % self.messages.len();
        message
    }
}

/// The service, warm: each caller has asked once and got the answer that is wanted.
fn warm(callers: &mut Callers, owner: &str) -> Service {
    let service = Service::start(&policy());
    for _ in 0..callers.messages.len() {
        let answer = service.check(&callers.next());
        let answer = CheckResponse::decode(answer.as_slice()).unwrap();
        let expected = if owner == "evil" { 7 } else { 0 };
        assert_eq!(answer.status.as_ref().unwrap().code, expected, "{answer:?}");
    }
    service
}

fn bench(bencher: Bencher<'_, '_>, count: usize, owner: &str) {
    let mut callers = Callers::new(count, owner);
    let service = warm(&mut callers, owner);
    let settings = ServeSettings::default().request;
    bencher
        .with_inputs(|| callers.next())
        .bench_local_refs(|message| {
            let request = http_request(black_box(message), settings).unwrap();
            drop(black_box(service.decide(&request)));
        });
    service.assert_nothing_lost();
}

/// Budget: 10 µs, 60 allocations.
#[divan::bench(args = CALLERS, sample_count = 100, sample_size = 100)]
fn allow(bencher: Bencher<'_, '_>, callers: usize) {
    bench(bencher, callers, "acme");
}

/// Budget: 10 µs, 60 allocations.
#[divan::bench(args = CALLERS, sample_count = 100, sample_size = 100)]
fn deny(bencher: Bencher<'_, '_>, callers: usize) {
    bench(bencher, callers, "evil");
}

/// From the bytes of Envoy's message to those of the answer.
///
/// Budget: 15 µs, 60 allocations.
#[divan::bench(args = CALLERS, sample_count = 100, sample_size = 100)]
fn allow_from_bytes_to_bytes(bencher: Bencher<'_, '_>, callers: usize) {
    let mut callers = Callers::new(callers, "acme");
    let service = warm(&mut callers, "acme");
    bencher
        .with_inputs(|| callers.next())
        .bench_local_refs(|message| service.check(message));
    service.assert_nothing_lost();
}
