//! A run: rounds in each of which everything is started, checked and measured in slices, then the
//! report.

use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::signal::unix::{SignalKind, signal};

use crate::Arguments;
use crate::call::{Call, Outcome};
use crate::envoy::Base;
use crate::plan::{self, Load, Pace, Variety};
use crate::processes::Processes;
use crate::report::{End, Report};
use crate::slice::{self, Order, Sample};
use crate::stage::{self, Runner};
use crate::tokens::{Algorithm, Issuer};
use crate::variant::Variant;
use crate::{crowd, upstream, usage};

/// Not measured at the beginning of each slice.
const WARMUP: Duration = Duration::from_millis(300);
/// The same where tokens are used up meanwhile.
const SHORT_WARMUP: Duration = Duration::from_millis(50);
/// How long all tokens may take to be shown to a variant.
const INTRODUCTION: Duration = Duration::from_mins(2);
/// Connections that show them.
const INTRODUCTION_CONNECTIONS: usize = 16;

/// Runs the comparison. The exit status is 1 if an answer was not the one to be had.
pub(crate) async fn run(mut arguments: Arguments) -> Result<ExitCode> {
    if arguments.quick {
        arguments.rounds = 2;
        arguments.seconds = 0.5;
    }
    ensure!(
        (0.1..=60.0).contains(&arguments.seconds),
        "--seconds is from 0.1 to 60"
    );
    let counts = (1..=1024).contains(&arguments.connections.iter().copied().max().unwrap_or(0));
    ensure!(
        counts && !arguments.connections.contains(&0),
        "--connections are from 1 to 1024"
    );
    let _alone = stage::claim_home()?;
    usage::move_to(&arguments.load_core)?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        biased;
        _ = interrupt.recv() => Ok(ExitCode::from(130)),
        _ = terminate.recv() => Ok(ExitCode::from(143)),
        done = measured(&arguments) => done,
    }
}

async fn measured(arguments: &Arguments) -> Result<ExitCode> {
    if arguments.crowd {
        crowd::compare(arguments).await
    } else {
        compare(arguments).await
    }
}

async fn compare(arguments: &Arguments) -> Result<ExitCode> {
    let mut variants = variants(arguments)?;
    let mut loads = plan::loads(&arguments.connections);
    loads.retain(|load| load.name().contains(&arguments.load));
    ensure!(!loads.is_empty(), "no load has `{}`", arguments.load);

    let mut issuer = Issuer::generate()?;
    let jwks = issuer.jwks();
    let base = Base::read(jwks.clone(), upstream::start()?, !arguments.no_access_log)?;
    let known = Tokens::generate(&mut issuer, &loads)?;
    let mut run = Run {
        arguments,
        loads,
        issuer,
        known,
        rate: arguments.rate,
    };
    let mut report = Report::new(arguments)?;
    for round in 0..arguments.rounds {
        let number = round.saturating_add(1);
        eprintln!("round {number} of {}", arguments.rounds);
        // How fast a process is depends on where its memory happens to lie, by a tenth, for as long
        // as it runs, and who starts first has another choice. So each round has processes of its
        // own, in an order of its own.
        variants.rotate_left(1);
        let mut processes = Processes::default();
        let runners = stage::start(arguments, &variants, &base, &jwks, &mut processes)?;
        tokio::select! {
            biased;
            error = processes.ended() => return Err(error),
            measured = run.round(&runners, &mut report) => measured?,
        }
        processes.stop().await;
    }
    report.rate = run.rate;
    report.publish(&arguments.json)
}

/// The variants that are asked for.
fn variants(arguments: &Arguments) -> Result<Vec<Variant>> {
    let known = |letter: &char| Variant::ALL.iter().any(|one| one.letter() == *letter);
    if let Some(unknown) = arguments.only.iter().find(|letter| !known(letter)) {
        bail!("there is no variant `{unknown}`");
    }
    let mut all = Variant::ALL.to_vec();
    all.retain(|one| {
        let asked = arguments.only.contains(&one.letter())
            || (arguments.only.is_empty() && *one != Variant::McpAuthzUnix);
        asked && (*one != Variant::Candidate || arguments.candidate.is_some())
    });
    ensure!(!all.is_empty(), "there is nothing to compare");
    Ok(all)
}

/// The tokens that every variant has seen before.
struct Tokens {
    es: Rc<[String]>,
    rs: Rc<[String]>,
}

impl Tokens {
    /// Makes as many of each kind as the loads need.
    fn generate(issuer: &mut Issuer, loads: &[Load]) -> Result<Self> {
        let count = |algorithm| {
            let many = |load: &&Load| load.variety == Variety::Many && load.algorithm == algorithm;
            if loads.iter().any(|load| many(&load)) {
                plan::MANY
            } else {
                1
            }
        };
        Ok(Self {
            es: issuer.tokens(Algorithm::Es256, count(Algorithm::Es256))?,
            rs: issuer.tokens(Algorithm::Rs256, count(Algorithm::Rs256))?,
        })
    }

    fn all(&self, algorithm: Algorithm) -> &Rc<[String]> {
        match algorithm {
            Algorithm::Es256 => &self.es,
            Algorithm::Rs256 => &self.rs,
        }
    }
}

/// What the rounds of a run have in common.
struct Run<'r> {
    arguments: &'r Arguments,
    loads: Vec<Load>,
    issuer: Issuer,
    known: Tokens,
    /// Of the open loop, once it is known.
    rate: Option<u32>,
}

impl Run<'_> {
    /// Measures every load on every variant, beginning with another one for each load.
    async fn round(&mut self, runners: &[Runner], report: &mut Report) -> Result<()> {
        let token = self.known.es.first().context("no token")?;
        for runner in runners {
            stage::check(runner, token).await?;
        }
        for runner in runners {
            self.introduce(runner).await?;
        }
        let is_open = |load: &Load| load.pace == Pace::Open;
        if self.rate.is_none() && self.loads.iter().any(is_open) {
            self.rate = Some(self.half_load(runners).await?);
        }
        for (number, load) in self.loads.clone().into_iter().enumerate() {
            let order = self.order(load)?;
            let first = number % runners.len();
            let (after, before) = runners.split_at(first);
            for runner in before.iter().chain(after) {
                if load.outcome == Outcome::Denied && !runner.variant.can_deny() {
                    continue;
                }
                let sample = measure(runner, order.clone()).await?;
                report.add(load, runner.variant, &sample);
            }
        }
        for runner in runners {
            report.add_end(End {
                variant: runner.variant,
                envoy_kib: usage::resident_kib(runner.envoy)?,
                authorizer_kib: runner.authorizer.map(usage::resident_kib).transpose()?,
                audit_lost: runner.audit_lost().await?,
            });
        }
        Ok(())
    }

    /// Shows every known token to a variant once.
    async fn introduce(&self, runner: &Runner) -> Result<()> {
        for tokens in [&self.known.es, &self.known.rs] {
            let order = Order {
                pace: Pace::Closed(INTRODUCTION_CONNECTIONS),
                call: Rc::new(Call::with(Outcome::Allowed)),
                tokens: Rc::clone(tokens),
                once: true,
                rate: 0,
                warmup: Duration::ZERO,
                measured: INTRODUCTION,
            };
            let sample = measure(runner, order).await?;
            if let Some(wrong) = sample.described.first() {
                bail!(
                    "`{}` did not take every token: {wrong}",
                    runner.variant.name()
                );
            }
        }
        Ok(())
    }

    /// So many requests per second, each by itself, that the core of the stock no-op and its Envoy is
    /// half busy; without it, that of the first variant. Half of what a closed loop of many
    /// connections gets would be more than all of it: there, whatever comes together is answered
    /// together, at a fraction of the cost.
    async fn half_load(&mut self, runners: &[Runner]) -> Result<u32> {
        let stock = |runner: &&Runner| runner.variant == Variant::NoopStock;
        let runner = runners.iter().find(stock).or(runners.first());
        let runner = runner.context("there is nothing to compare")?;
        let order = self.order(Load {
            pace: Pace::Closed(1),
            algorithm: Algorithm::Es256,
            variety: Variety::One,
            outcome: Outcome::Allowed,
        })?;
        let sample = measure(runner, order).await?;
        let nanos = sample.envoy.saturating_add(sample.authorizer).max(1);
        let rate = u64::try_from(sample.latencies.len())?
            .saturating_mul(500_000_000)
            .checked_div(nanos)
            .unwrap_or(0);
        let rate = u32::try_from(rate)?;
        ensure!(rate > 0, "`{}` takes no load", runner.variant.name());
        Ok(rate)
    }

    fn order(&mut self, load: Load) -> Result<Order> {
        let tokens = match load.variety {
            Variety::One => self
                .known
                .all(load.algorithm)
                .iter()
                .take(1)
                .cloned()
                .collect(),
            Variety::Many => Rc::clone(self.known.all(load.algorithm)),
            Variety::New => self.issuer.tokens(load.algorithm, plan::FRESH)?,
        };
        let once = load.variety == Variety::New;
        Ok(Order {
            pace: load.pace,
            call: Rc::new(Call::with(load.outcome)),
            tokens,
            once,
            rate: self.rate.unwrap_or_default(),
            warmup: if once { SHORT_WARMUP } else { WARMUP },
            measured: Duration::from_secs_f64(self.arguments.seconds),
        })
    }
}

async fn measure(runner: &Runner, order: Order) -> Result<Sample> {
    let sample = slice::run(runner, order).await;
    let sample = sample.with_context(|| format!("cannot measure `{}`", runner.variant.name()))?;
    runner.truncate_outputs()?;
    Ok(sample)
}
