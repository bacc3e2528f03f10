//! How one caller fares beside a crowd: the caller sends ordinary calls at half the rate that it
//! could, alone and while many connections repeat a body of 1 MiB, with no token, with one that is
//! badly signed, and with a good one. In every round everything is started anew, and each crowd
//! comes once. A no-op shows what the crowd of good tokens costs whatever the authorizer does.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use tokio::task::JoinSet;

use crate::Arguments;
use crate::call::{Call, Outcome};
use crate::connection::Connection;
use crate::envoy::Base;
use crate::plan::Pace;
use crate::processes::Processes;
use crate::report::float;
use crate::slice::{self, Order, Sample};
use crate::stage::{self, Runner};
use crate::tokens::{Algorithm, Issuer};
use crate::upstream;
use crate::variant::Variant;

/// How many connections a crowd has.
const CROWD: usize = 24;
/// How long its bodies are, with a little room for what is around the arguments.
const ARGUMENT_BYTES: usize = (1 << 20) - 512;
/// How many values a body of a caller may have, a little below `limits.json_values_max`.
const VALUES: usize = 19_000;
/// Not measured at the beginning of each slice.
const WARMUP: Duration = Duration::from_millis(500);

/// Who is there beside the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Crowd {
    Nobody,
    Anonymous,
    BadlySigned,
    Callers,
}

impl Crowd {
    const ALL: [Self; 4] = [
        Self::Nobody,
        Self::Anonymous,
        Self::BadlySigned,
        Self::Callers,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Nobody => "alone",
            Self::Anonymous => "beside requests without a token, as many keys as fit",
            Self::BadlySigned => "beside badly signed tokens, as many keys as fit",
            Self::Callers => "beside callers, as many values as are read",
        }
    }

    /// The request that it repeats.
    fn request(self, token: &str) -> Option<Vec<u8>> {
        let mut request = Vec::new();
        match self {
            Self::Nobody => return None,
            Self::Anonymous => keys().render("", &mut request),
            Self::BadlySigned => keys().render(&badly_signed(token), &mut request),
            Self::Callers => values().render(token, &mut request),
        }
        Some(request)
    }

    /// Whether an authorizer can be asked by it: a no-op allows everything.
    fn suits(self, variant: Variant) -> bool {
        match self {
            Self::Nobody | Self::Callers => true,
            Self::Anonymous | Self::BadlySigned => variant != Variant::NoopLean,
        }
    }

    fn status(self) -> u16 {
        match self {
            Self::Nobody | Self::Callers => 200,
            Self::Anonymous | Self::BadlySigned => 401,
        }
    }
}

/// Keys that are costly to compare, as many as fit into a body.
fn keys() -> Call {
    let mut arguments = String::from("{");
    for number in 0.. {
        let member = format!("\"ẞİ{number:x}\":0,");
        if arguments.len() + member.len() > ARGUMENT_BYTES {
            break;
        }
        arguments.push_str(&member);
    }
    arguments.pop();
    arguments.push('}');
    Call::of(&arguments)
}

/// As many values as are read, of such a length that the body is as long as it can be.
fn values() -> Call {
    let text = format!("\"{}\"", "x".repeat(ARGUMENT_BYTES / VALUES - 3));
    let list = vec![text; VALUES].join(",");
    let rest = r#""folder":"projects/roadmap","title":"Quarterly planning""#;
    Call::of(&format!("{{{rest},\"items\":[{list}]}}"))
}

/// A token whose signature is of the right form and wrong.
fn badly_signed(token: &str) -> String {
    let (message, signature) = token.rsplit_once('.').unwrap_or_default();
    // The last characters do not stand for whole bytes.
    let (first, rest) = signature.split_at(signature.len() / 4);
    let (second, rest) = rest.split_at(first.len());
    format!("{message}.{second}{first}{rest}")
}

/// What is told of the caller in one slice.
#[derive(Debug, Clone, Copy)]
struct Figures {
    p50: f64,
    p99: f64,
    /// Answers that were not the ones to be had, for each thousand.
    wrong: f64,
    /// Cores.
    envoy: f64,
    authorizer: f64,
    /// Requests of the crowd per second.
    crowd: f64,
}

/// Runs the comparison of crowds.
pub(crate) async fn compare(arguments: &Arguments) -> Result<ExitCode> {
    let mut variants = vec![Variant::NoopLean, Variant::McpAuthz];
    variants.extend(arguments.candidate.as_ref().map(|_| Variant::Candidate));
    let mut issuer = Issuer::generate()?;
    let jwks = issuer.jwks();
    let base = Base::read(jwks.clone(), upstream::start()?, !arguments.no_access_log)?;
    let tokens = issuer.tokens(Algorithm::Es256, 2)?;
    let mut crowds = Crowd::ALL;
    let mut rows: Vec<(Variant, Crowd, Vec<Figures>)> = Vec::new();
    for round in 0..arguments.rounds {
        eprintln!("round {} of {}", round.saturating_add(1), arguments.rounds);
        for &variant in &variants {
            let mut processes = Processes::default();
            let runners = stage::start(arguments, &[variant], &base, &jwks, &mut processes)?;
            let runner = runners.first().context("nothing was started")?;
            let suiting = crowds.into_iter().filter(|crowd| crowd.suits(variant));
            let suiting: Vec<Crowd> = suiting.collect();
            let measure = measure_all(arguments, runner, &tokens, &suiting);
            let measured = tokio::select! {
                biased;
                error = processes.ended() => return Err(error),
                measured = measure => measured?,
            };
            for (crowd, figures) in measured {
                let known = rows
                    .iter_mut()
                    .find(|row| (row.0, row.1) == (variant, crowd));
                match known {
                    Some(row) => row.2.push(figures),
                    None => rows.push((variant, crowd, vec![figures])),
                }
            }
            processes.stop().await;
        }
        crowds.rotate_left(1);
    }
    report(&variants, &rows);
    Ok(ExitCode::SUCCESS)
}

async fn measure_all(
    arguments: &Arguments,
    runner: &Runner,
    tokens: &Rc<[String]>,
    crowds: &[Crowd],
) -> Result<Vec<(Crowd, Figures)>> {
    let [caller, other] = &**tokens else {
        bail!("two tokens are needed");
    };
    for token in &**tokens {
        stage::check(runner, token).await?;
    }
    let order = |pace, rate| Order {
        pace,
        call: Rc::new(Call::with(Outcome::Allowed)),
        tokens: Rc::from([caller.clone()]),
        once: false,
        rate,
        warmup: WARMUP,
        measured: Duration::from_secs_f64(arguments.seconds),
    };
    let most = slice::run(runner, order(Pace::Closed(1), 0)).await?;
    let millis = u64::try_from(most.elapsed.as_millis())?.max(1);
    let half = u64::try_from(most.latencies.len())?.saturating_mul(500) / millis;
    let rate = arguments.rate.unwrap_or(u32::try_from(half.max(1))?);
    let mut measured = Vec::new();
    for &crowd in crowds {
        let running = crowd.request(other).map(|request| {
            let status = crowd.status();
            Running::start(runner.address, request, status)
        });
        let sample = slice::run(runner, order(Pace::Open, rate)).await?;
        let sent = running.transpose()?.map(Running::stop).transpose()?;
        runner.truncate_outputs()?;
        measured.push((crowd, figures(&sample, sent.unwrap_or(0))));
    }
    Ok(measured)
}

fn figures(sample: &Sample, crowd: u64) -> Figures {
    let quantile = |percent: usize| {
        let last = sample.latencies.len().saturating_sub(1);
        let at = sample.latencies.get(last.saturating_mul(percent) / 100);
        at.map_or(f64::NAN, |nanos| float(*nanos) / 1e6)
    };
    let elapsed = sample.elapsed.as_secs_f64();
    let right = u64::try_from(sample.latencies.len()).unwrap_or(u64::MAX);
    let all = right.saturating_add(sample.wrong).max(1);
    Figures {
        p50: quantile(50),
        p99: quantile(99),
        wrong: float(sample.wrong) * 1000.0 / float(all),
        envoy: float(sample.envoy) / 1e9 / elapsed,
        authorizer: float(sample.authorizer) / 1e9 / elapsed,
        crowd: float(crowd) / (elapsed + WARMUP.as_secs_f64()),
    }
}

/// A crowd, on a thread of its own: it must not be what the caller waits for in this process.
struct Running {
    over: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    thread: JoinHandle<Result<()>>,
}

impl Running {
    fn start(address: SocketAddr, request: Vec<u8>, status: u16) -> Result<Self> {
        let (over, sent) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let (is_over, count) = (Arc::clone(&over), Arc::clone(&sent));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let request: Arc<[u8]> = request.into();
        let work = async move {
            let mut tasks = JoinSet::new();
            for _ in 0..CROWD {
                let (over, sent) = (Arc::clone(&is_over), Arc::clone(&count));
                tasks.spawn(repeat(address, Arc::clone(&request), status, over, sent));
            }
            while let Some(ended) = tasks.join_next().await {
                ended??;
            }
            Ok(())
        };
        let thread = thread::Builder::new()
            .name("crowd".to_owned())
            .spawn(move || runtime.block_on(work))?;
        Ok(Self { over, sent, thread })
    }

    /// How many answers it has had.
    fn stop(self) -> Result<u64> {
        let sent = self.sent.load(Ordering::Relaxed);
        self.over.store(true, Ordering::Relaxed);
        let ended = self.thread.join();
        ended.map_err(|_| anyhow!("the crowd has panicked"))??;
        Ok(sent)
    }
}

/// One of the crowd. What is overloaded answers 503; anything else but the expected is a mistake.
async fn repeat(
    address: SocketAddr,
    request: Arc<[u8]>,
    status: u16,
    over: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
) -> Result<()> {
    let mut connection = Connection::open(address).await?;
    while !over.load(Ordering::Relaxed) {
        let answer = connection.exchange(&request).await?;
        if answer.status != status && answer.status != 503 {
            let text = String::from_utf8_lossy(answer.body);
            bail!("the crowd was answered {}: {text}", answer.status);
        }
        sent.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

fn report(variants: &[Variant], rows: &[(Variant, Crowd, Vec<Figures>)]) {
    println!(
        "| who asks | crowd/s | p50 ms | p99 ms | p50, p99 to alone | wrong ‰ | cores of Envoy + authorizer |"
    );
    println!("|---|---|---|---|---|---|---|");
    for &variant in variants {
        let of = |crowd: Crowd, figure: fn(&Figures) -> f64| {
            let row = rows.iter().find(|row| (row.0, row.1) == (variant, crowd));
            median(
                row.map_or(&[][..], |row| row.2.as_slice())
                    .iter()
                    .map(figure),
            )
        };
        for crowd in Crowd::ALL.into_iter().filter(|crowd| crowd.suits(variant)) {
            let ratio = |figure: fn(&Figures) -> f64| of(crowd, figure) / of(Crowd::Nobody, figure);
            println!(
                "| {}, {} | {:.0} | {:.2} | {:.2} | {:.2}, {:.2} | {:.1} | {:.2} + {:.2} |",
                variant.name(),
                crowd.name(),
                of(crowd, |one| one.crowd),
                of(crowd, |one| one.p50),
                of(crowd, |one| one.p99),
                ratio(|one| one.p50),
                ratio(|one| one.p99),
                of(crowd, |one| one.wrong),
                of(crowd, |one| one.envoy),
                of(crowd, |one| one.authorizer),
            );
        }
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
