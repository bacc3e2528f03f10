//! The service of one table: everything real but the clock, the sockets and the audit's sink.

use std::io::Write;
use std::num::NonZero;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::Timestamp;
use mcp_authz::app;
use mcp_authz::audit::Audit;
use mcp_authz::authn::{Authenticator, KeySourceSettings, Peers};
use mcp_authz::authz::{LimitDemand, Readings, Taken, WindowDemand};
use mcp_authz::catalog::Catalog;
use mcp_authz::check::{Handoffs, LongBodies, Pipeline, Servers};
use mcp_authz::config::{self, Config};
use mcp_authz::envoy::proto::envoy::service::auth::v3::{CheckRequest, CheckResponse};
use mcp_authz::envoy::{ExtAuthz, ServeSettings};
use mcp_authz::geoip::Countries;
use mcp_authz::json;
use mcp_authz::policy::PolicyStore;
use mcp_authz::response::{ListReader, observe_tool};
use mcp_authz::state::{
    Bind, BindingKey, BindingStore, InFlight, LimitStore, Memory, Owner, Reply, State,
    StateUnavailable, Whose, WindowStore,
};
use mcp_authz::telemetry::metrics::Metrics;
use mcp_authz::telemetry::notices::Notices;
use prost::Message;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::expectation;
use super::issuer::{self, NOW};
use super::peers;
use super::recipe;
use super::response::Returned;
use super::table::{Issued, Table};

/// What the rows of a table share: none of them changes it for another.
pub(super) struct Setup {
    table: Table,
    config: Config,
    policy: Arc<PolicyStore>,
    candidate: Option<Arc<PolicyStore>>,
    authenticator: Arc<Authenticator>,
    countries: Option<Arc<Countries>>,
    peers: Arc<Peers>,
    runtime: Runtime,
    /// Where the issuers publish their keys.
    _directory: TempDir,
}

pub(super) struct Service {
    setup: Arc<Setup>,
    pipeline: Arc<Pipeline>,
    ext_authz: ExtAuthz<Pipeline>,
    written: Sink,
    writer: JoinHandle<()>,
}

impl Setup {
    /// Reads the table's configuration and policy, as `app::run` does, and waits until the keys of
    /// every issuer were looked for once.
    pub(super) fn new(table: Table) -> Self {
        let directory = tempfile::tempdir().unwrap();
        write_files(&table, directory.path());
        let config = decode(&table, directory.path());
        let context = app::compile_context(&config, Some(&catalog(&config)));
        let open = |path| {
            let store = PolicyStore::open(path, context.clone(), clock())
                .unwrap_or_else(|error| panic!("{}: {:#?}", table.file, error.lines()));
            Arc::new(store)
        };
        let countries = config.country_db_file.clone();
        let countries = countries.map(|path| Arc::new(Countries::open(path).unwrap()));
        let (authenticator, refreshers) =
            Authenticator::new(&config.authn, Arc::default()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        for refresher in refreshers {
            runtime
                .handle()
                .spawn(refresher.run(std::future::pending()));
        }
        runtime.block_on(async {
            while authenticator.issuers().any(|one| one.keys.fetches == 0) {
                tokio::task::yield_now().await;
            }
        });
        Setup {
            policy: open(config.policy.clone()),
            candidate: config.candidate_policy.clone().map(open),
            authenticator: Arc::new(authenticator),
            countries,
            peers: Arc::new(Peers::open(config.peers_ca_file.clone()).unwrap()),
            runtime,
            _directory: directory,
            config,
            table,
        }
    }
}

impl Service {
    /// A service of a table for itself.
    pub(super) fn start(table: Table) -> Self {
        Service::of(&Arc::new(Setup::new(table)))
    }

    /// A service that has seen nothing but what the table says was issued.
    pub(super) fn of(setup: &Arc<Setup>) -> Self {
        let Setup { table, config, .. } = &**setup;
        let written = Sink::default();
        let (audit, writer) = Audit::start(written.clone(), config.limits.audit_queue).unwrap();
        let state: Arc<dyn State> = if table.state_is_away {
            Arc::new(Away)
        } else {
            Arc::new(Memory::new(config.limits.state))
        };
        for issued in &table.issued {
            setup.runtime.block_on(issue(issued, &*state));
        }
        let pipeline = Pipeline {
            servers: Arc::new(Servers::new(&config.servers).unwrap()),
            authenticator: Arc::clone(&setup.authenticator),
            policy: Arc::clone(&setup.policy),
            candidate: setup.candidate.clone(),
            catalog: Arc::new(catalog(config)),
            state,
            in_flight: Arc::new(InFlight::new(config.limits.state.bindings_max)),
            purpose: config.purpose.clone(),
            device_header: config.device_header.clone(),
            facts: config.facts.clone(),
            peers: Arc::clone(&setup.peers),
            countries: setup.countries.clone(),
            audit,
            audit_settings: config.audit,
            metrics: Metrics::new(),
            notices: Notices::default(),
            handoffs: Arc::new(Handoffs::new(&config.handoff).unwrap()),
            limits: config.limits.check,
            long_bodies: Arc::new(LongBodies::new(NonZero::<usize>::MIN)),
            clock,
        };
        let pipeline = Arc::new(pipeline);
        let mut settings = ServeSettings::default().request;
        settings.headers_max = config.limits.check.headers_max;
        settings.source = config.client_address;
        Service {
            setup: Arc::clone(setup),
            ext_authz: ExtAuthz::new(Arc::clone(&pipeline), settings),
            pipeline,
            written,
            writer,
        }
    }

    /// Asks as Envoy does. A denial is never a gRPC error.
    pub(super) fn check(&self, check: &CheckRequest) -> CheckResponse {
        let message = check.encode_to_vec();
        let headers = http::HeaderMap::new();
        let answer = self.ext_authz.check(&message, &headers);
        let answer = self.setup.runtime.block_on(answer);
        CheckResponse::decode(answer.as_slice()).unwrap()
    }

    /// Gives the answer back that the upstream has for a request; says what is not as written.
    pub(super) fn give_back(&self, answer: &Returned, check: &CheckResponse) -> Vec<String> {
        let facts = expectation::facts(check);
        let run = answer.run(&self.pipeline, facts);
        self.setup.runtime.block_on(run)
    }

    /// Lets a tool of a list pass by.
    pub(super) fn observe(&self, server: &str, tool: &serde_json::Value) {
        let reader = ListReader {
            now: clock(),
            decision_id: None,
            subject: None,
            is_told_enough: false,
        };
        let name = tool["name"].as_str().unwrap();
        let value = json::decode(tool.to_string().as_bytes(), 64).unwrap();
        let server = self.pipeline.servers.by_name(server).unwrap();
        let policy = self.pipeline.policy.snapshot();
        let pipeline = &self.pipeline;
        let _seen = observe_tool(pipeline, server, &policy, name, &value, &reader);
    }

    /// Ends the service; the lines of its audit in their order, one for each check among them.
    pub(super) fn stop(self) -> Vec<String> {
        drop(self.ext_authz);
        drop(self.pipeline);
        self.writer.join().unwrap();
        let written = self.written.0.lock().unwrap();
        let text = String::from_utf8(written.clone()).unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

/// The configuration of a table.
fn decode(table: &Table, directory: &Path) -> Config {
    let name = format!("{}: config", table.file);
    let recipe = table.recipe.as_deref().map(recipe::text);
    let text = recipe.unwrap_or_default() + &table.config;
    let mut config = config::decode(name, text, directory)
        .unwrap_or_else(|findings| panic!("{}", findings.render(false)));
    if table.recipe.is_some() {
        for issuer in &mut config.authn.issuers {
            issuer.source = KeySourceSettings::File(directory.join(recipe::KEYS));
        }
    }
    // A row does not depend on how busy the machine is.
    config.authn.fetch_wait = Duration::from_mins(1);
    config
}

fn catalog(config: &Config) -> Catalog {
    Catalog::open(config.watched_servers(), config.catalog_limits(), clock()).unwrap()
}

/// The files that the configuration names.
fn write_files(table: &Table, directory: &Path) {
    issuer::publish(directory);
    let keys = issuer::key_set(&table.key, &table.jwk, &table.more_keys);
    std::fs::write(directory.join(recipe::KEYS), keys).unwrap();
    std::fs::write(directory.join("peers.pem"), peers::authorities()).unwrap();
    std::fs::write(directory.join("policy.yaml"), &table.policy).unwrap();
    let countries = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/countries.mmdb");
    std::fs::copy(countries, directory.join("countries.mmdb")).unwrap();
    for (name, text) in [
        ("candidate.yaml", &table.candidate),
        ("tools.json", &table.tools),
    ] {
        if let Some(text) = text {
            std::fs::write(directory.join(name), text).unwrap();
        }
    }
}

/// Does what is done when a server issues an id.
async fn issue(issued: &Issued, state: &dyn State) {
    let server = &issued.server;
    let session = issued
        .session
        .iter()
        .map(|id| BindingKey::session(server, id));
    let task = issued.task.iter().map(|id| BindingKey::task(server, id));
    let keys: Vec<BindingKey> = session.chain(task).collect();
    let owner = Owner::new("https://es256.idp.test", &issued.subject);
    let bound = state.bind(&keys, owner, Bind::Anew, clock()).await.unwrap();
    assert_eq!(bound.len(), 1, "one id in each");
}

fn clock() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

/// A store that cannot be asked.
#[derive(Debug)]
struct Away;

fn away<'a, T: Send + 'a>() -> Reply<'a, T> {
    Reply::Later(Box::pin(std::future::ready(Err(StateUnavailable))))
}

impl WindowStore for Away {
    fn read<'a>(&'a self, _: &'a [WindowDemand], _: Timestamp) -> Reply<'a, Readings> {
        away()
    }

    fn record<'a>(&'a self, _: &'a [WindowDemand], _: Timestamp) -> Reply<'a, ()> {
        away()
    }
}

impl LimitStore for Away {
    fn take<'a>(&'a self, _: &'a [LimitDemand], _: Timestamp) -> Reply<'a, Taken> {
        away()
    }
}

impl BindingStore for Away {
    fn bindings<'a>(
        &'a self,
        _: &'a [BindingKey],
        _: Owner,
        _: Timestamp,
    ) -> Reply<'a, Vec<Whose>> {
        away()
    }

    fn bind<'a>(
        &'a self,
        _: &'a [BindingKey],
        _: Owner,
        _: Bind,
        _: Timestamp,
    ) -> Reply<'a, Vec<Whose>> {
        away()
    }
}

/// What the audit wrote.
#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
