//! Tokens to subjects: new ones, where the signature is what costs, and known ones.

use std::sync::Arc;

use divan::Bencher;
use jiff::Timestamp;
use jsonwebtoken::Algorithm;
use mcp_authz::authn::{Audience, Authenticator, Credentials};
use mcp_authz::authz::Subject;

use super::service::{Service, finish};
use super::{check, issuer};

const SAMPLES: u32 = 50;
const SAMPLE_SIZE: u32 = 10;

fn audience() -> Audience {
    Audience {
        accepted: vec![issuer::AUDIENCE.to_owned()],
        issuers: None,
    }
}

/// A service, and so many values of `Authorization` with a token each.
fn setting(algorithm: Algorithm, count: u32) -> (Service, Vec<String>) {
    let value = |number| {
        let token = issuer::token(algorithm, &format!("user-{number}"), "team-1");
        format!("Bearer {token}")
    };
    let values = (0..count).map(value).collect();
    (Service::start(&check::policy()), values)
}

fn authenticate(authenticator: &Authenticator, value: &str, audience: &Audience) -> Arc<Subject> {
    let credentials = Credentials::new("/mcp", [value]);
    let authenticated = authenticator.authenticate(&credentials, audience, Timestamp::now());
    finish(authenticated).unwrap().subject
}

/// Each token is seen once.
fn verify(bencher: Bencher<'_, '_>, algorithm: Algorithm) {
    let (service, values) = setting(algorithm, SAMPLES * SAMPLE_SIZE);
    let authenticator = &service.pipeline.authenticator;
    let audience = audience();
    let mut values = values.iter();
    bencher
        .with_inputs(|| values.next().unwrap())
        .bench_local_refs(|value| authenticate(authenticator, value, &audience));
}

/// Budget: 50 µs, 100 allocations.
#[divan::bench(sample_count = SAMPLES, sample_size = SAMPLE_SIZE)]
fn new_rs256(bencher: Bencher<'_, '_>) {
    verify(bencher, Algorithm::RS256);
}

/// Budget: 50 µs, 100 allocations.
#[divan::bench(sample_count = SAMPLES, sample_size = SAMPLE_SIZE)]
fn new_ps256(bencher: Bencher<'_, '_>) {
    verify(bencher, Algorithm::PS256);
}

/// Budget: 100 µs, 100 allocations.
#[divan::bench(sample_count = SAMPLES, sample_size = SAMPLE_SIZE)]
fn new_es256(bencher: Bencher<'_, '_>) {
    verify(bencher, Algorithm::ES256);
}

/// Budget: 300 µs, 100 allocations.
#[divan::bench(sample_count = SAMPLES, sample_size = SAMPLE_SIZE)]
fn new_es384(bencher: Bencher<'_, '_>) {
    verify(bencher, Algorithm::ES384);
}

/// Budget: 70 µs, 100 allocations.
#[divan::bench(sample_count = SAMPLES, sample_size = SAMPLE_SIZE)]
fn new_eddsa(bencher: Bencher<'_, '_>) {
    verify(bencher, Algorithm::EdDSA);
}

/// Budget: 2 µs, 0 allocations.
#[divan::bench(args = [1, 10_000])]
fn known(bencher: Bencher<'_, '_>, count: u32) {
    let (service, values) = setting(Algorithm::ES256, count);
    let authenticator = &service.pipeline.authenticator;
    let audience = audience();
    let ask = |value: &str| authenticate(authenticator, value, &audience);
    for value in &values {
        ask(value);
    }
    let mut values = values.iter().cycle();
    bencher
        .with_inputs(|| values.next().unwrap())
        .bench_local_refs(|value| ask(value));
}
