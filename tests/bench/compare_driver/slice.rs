//! One slice: one load on one variant for a short while.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::sync::{Notify, mpsc};
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{Instant, sleep, timeout};

use crate::call::Call;
use crate::connection::Connection;
use crate::plan::{OPEN_CONNECTIONS, Pace};
use crate::stage::Runner;
use crate::usage::{busy_nanos, cpu_nanos};

/// How long requests in flight may take when a slice is over.
const LAST_ANSWERS: Duration = Duration::from_secs(10);
/// How many wrong answers are described.
const DESCRIBED_MAX: usize = 3;
/// How much of a wrong answer is shown, in bytes.
const SHOWN_BYTES: usize = 300;

/// What a slice is made of.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) pace: Pace,
    pub(crate) call: Rc<Call>,
    pub(crate) tokens: Rc<[String]>,
    /// Whether the slice ends with the tokens, instead of using them again.
    pub(crate) once: bool,
    /// Requests per second, for the open loop.
    pub(crate) rate: u32,
    /// Not measured, at the beginning.
    pub(crate) warmup: Duration,
    pub(crate) measured: Duration,
}

/// What was measured.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sample {
    /// How long it was measured.
    pub(crate) elapsed: Duration,
    /// How long each answer took, in nanoseconds; sorted.
    pub(crate) latencies: Vec<u64>,
    /// The time of cores that was spent meanwhile, in nanoseconds.
    pub(crate) envoy: u64,
    pub(crate) authorizer: u64,
    /// The load generator and the upstream.
    pub(crate) driver: u64,
    /// What others had of the core of which they had more.
    pub(crate) others: u64,
    /// How many answers were not the ones to be had.
    pub(crate) wrong: u64,
    /// The first of them.
    pub(crate) described: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Warmup,
    Measured,
    Over,
}

/// What the connections of a slice share; all of them are on one thread.
#[derive(Debug)]
struct Shared {
    order: Order,
    phase: Cell<Phase>,
    next_token: Cell<usize>,
    /// Told when there is no token left.
    exhausted: Notify,
    latencies: RefCell<Vec<u64>>,
    wrong: Cell<u64>,
    described: RefCell<Vec<String>>,
}

/// Runs one slice.
pub(crate) async fn run(runner: &Runner, order: Order) -> Result<Sample> {
    let shared = Rc::new(Shared {
        phase: Cell::new(Phase::Warmup),
        next_token: Cell::new(0),
        exhausted: Notify::new(),
        latencies: RefCell::default(),
        wrong: Cell::new(0),
        described: RefCell::default(),
        order,
    });
    let local = LocalSet::new();
    local.run_until(drive(runner, shared)).await
}

async fn drive(runner: &Runner, shared: Rc<Shared>) -> Result<Sample> {
    let mut tasks = JoinSet::new();
    let mut clock = None;
    match shared.order.pace {
        Pace::Closed(count) => {
            for _ in 0..count {
                let connection = Connection::open(runner.address).await?;
                tasks.spawn_local(Rc::clone(&shared).closed(connection));
            }
        }
        Pace::Open => {
            let mut queues = Vec::new();
            for _ in 0..OPEN_CONNECTIONS {
                let connection = Connection::open(runner.address).await?;
                let (queue, arrivals) = mpsc::unbounded_channel();
                queues.push(queue);
                tasks.spawn_local(Rc::clone(&shared).open(connection, arrivals));
            }
            let rate = shared.order.rate;
            clock = Some(thread::spawn(move || arrive(rate, &queues)));
        }
    }
    sleep(shared.order.warmup).await;
    shared.phase.set(Phase::Measured);
    let (before, began) = (runner.costs()?, Instant::now());
    tokio::select! {
        () = sleep(shared.order.measured) => {}
        () = shared.exhausted.notified() => {}
    }
    shared.phase.set(Phase::Over);
    let (elapsed, after) = (began.elapsed(), runner.costs()?);
    let join = async { while tasks.join_next().await.is_some() {} };
    if timeout(LAST_ANSWERS, join).await.is_err() {
        shared.describe("requests without an answer".to_owned());
    }
    match clock.map(JoinHandle::join) {
        None => {}
        Some(Ok(ended)) => ended?,
        Some(Err(_)) => bail!("the clock of the open loop has panicked"),
    }
    let mut latencies = shared.latencies.take();
    latencies.sort_unstable();
    let spent = after.since(before);
    Ok(Sample {
        elapsed,
        latencies,
        envoy: spent.envoy,
        authorizer: spent.authorizer,
        driver: spent.driver,
        others: spent.others(),
        wrong: shared.wrong.get(),
        described: shared.described.take(),
    })
}

/// The time of cores that the processes of a runner have had, in nanoseconds.
#[derive(Debug, Clone, Copy)]
struct Costs {
    envoy: u64,
    authorizer: u64,
    driver: u64,
    /// Of everything on the two cores.
    measured_core: u64,
    load_core: u64,
}

impl Costs {
    fn since(self, before: Self) -> Self {
        Self {
            envoy: self.envoy.saturating_sub(before.envoy),
            authorizer: self.authorizer.saturating_sub(before.authorizer),
            driver: self.driver.saturating_sub(before.driver),
            measured_core: self.measured_core.saturating_sub(before.measured_core),
            load_core: self.load_core.saturating_sub(before.load_core),
        }
    }

    /// What others had of the core of which they had more.
    fn others(self) -> u64 {
        let measured = self.envoy.saturating_add(self.authorizer);
        let on_measured = self.measured_core.saturating_sub(measured);
        on_measured.max(self.load_core.saturating_sub(self.driver))
    }
}

impl Runner {
    fn costs(&self) -> Result<Costs> {
        Ok(Costs {
            envoy: cpu_nanos(self.envoy)?,
            authorizer: self.authorizer.map(cpu_nanos).transpose()?.unwrap_or(0),
            driver: cpu_nanos(std::process::id())?,
            measured_core: busy_nanos(&self.core)?.unwrap_or(0),
            load_core: busy_nanos(&self.load_core)?.unwrap_or(0),
        })
    }
}

impl Shared {
    /// One connection of the closed loop.
    async fn closed(self: Rc<Self>, mut connection: Connection) {
        let mut buffer = Vec::new();
        while self.phase.get() != Phase::Over {
            if !self.exchange(&mut connection, &mut buffer, None).await {
                break;
            }
        }
    }

    /// One connection of the open loop: it answers for the requests that arrive at it.
    async fn open(
        self: Rc<Self>,
        mut connection: Connection,
        mut arrivals: mpsc::UnboundedReceiver<Instant>,
    ) {
        let mut buffer = Vec::new();
        while let Some(due) = arrivals.recv().await {
            if self.phase.get() == Phase::Over
                || !self.exchange(&mut connection, &mut buffer, Some(due)).await
            {
                break;
            }
        }
    }

    /// Sends the next request and takes note of its answer. What counts is the time since `due`, the
    /// instant at which it should have been sent. Returns whether the connection goes on.
    async fn exchange(
        &self,
        connection: &mut Connection,
        buffer: &mut Vec<u8>,
        due: Option<Instant>,
    ) -> bool {
        let Some(token) = self.token() else {
            self.exhausted.notify_one();
            return false;
        };
        self.order.call.render(token, buffer);
        let since = due.unwrap_or_else(Instant::now);
        match connection.exchange(buffer).await {
            Ok(answer) => {
                let took = since.elapsed();
                if !self.order.call.outcome.is(answer.status, answer.body) {
                    let shown = answer.body.get(..SHOWN_BYTES).unwrap_or(answer.body);
                    let shown = String::from_utf8_lossy(shown);
                    self.describe(format!("{}: {shown}", answer.status));
                } else if self.phase.get() == Phase::Measured {
                    let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
                    self.latencies.borrow_mut().push(nanos);
                }
                true
            }
            Err(error) => {
                self.describe(format!("{error:#}"));
                false
            }
        }
    }

    fn token(&self) -> Option<&str> {
        let tokens = &self.order.tokens;
        let next = self.next_token.get();
        self.next_token.set(next.wrapping_add(1));
        let index = if self.order.once {
            next
        } else {
            next.checked_rem(tokens.len())?
        };
        tokens.get(index).map(String::as_str)
    }

    fn describe(&self, what: String) {
        self.wrong.set(self.wrong.get().saturating_add(1));
        let mut described = self.described.borrow_mut();
        if described.len() < DESCRIBED_MAX {
            described.push(what);
        }
    }
}

/// Lets requests arrive at the connections in turn, at a constant rate, until one of them takes no
/// more. It blocks, and waits for a timer of the kernel: the runtime's has steps of a millisecond.
fn arrive(rate: u32, queues: &[mpsc::UnboundedSender<Instant>]) -> Result<()> {
    let every = Duration::from_secs(1)
        .checked_div(rate)
        .context("a rate of nothing")?;
    let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC)?;
    let spec = Timespec {
        tv_sec: every.as_secs().try_into()?,
        tv_nsec: every.subsec_nanos().into(),
    };
    let spec = Itimerspec {
        it_interval: spec,
        it_value: spec,
    };
    timerfd_settime(&timer, TimerfdTimerFlags::empty(), &spec)?;
    let mut due = Instant::now();
    let mut queues = queues.iter().cycle();
    loop {
        let mut count = [0; 8];
        rustix::io::read(&timer, &mut count)?;
        for _ in 0..u64::from_ne_bytes(count) {
            due += every;
            if queues.next().is_none_or(|queue| queue.send(due).is_err()) {
                return Ok(());
            }
        }
    }
}
