//! What processes cost, and where they run.

use std::fs;
use std::io;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// Moves this process, which has one thread yet, to a core.
pub(crate) fn move_to(core: &str) -> Result<()> {
    let mut command = Command::new("taskset");
    command.args(["--pid", "--cpu-list", core, &std::process::id().to_string()]);
    let moved = command.stdout(Stdio::null()).status();
    let moved = moved.context("cannot run taskset, which util-linux has")?;
    ensure!(moved.success(), "taskset cannot move to core `{core}`");
    Ok(())
}

/// What the machine calls its cores, and how many it has.
pub(crate) fn machine() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or("unknown", |(_, model)| model.trim());
    // Asked of the runtime, it would be those that this process may have.
    let cores = text.lines().filter(|line| line.starts_with("processor"));
    let cores = cores.count();
    format!("{model}, {cores} cores")
}

/// The time that all threads of a process have had a core, in nanoseconds.
pub(crate) fn cpu_nanos(pid: u32) -> Result<u64> {
    let tasks = format!("/proc/{pid}/task");
    let listed = fs::read_dir(&tasks).with_context(|| format!("cannot read `{tasks}`"))?;
    let mut sum = 0u64;
    for task in listed {
        let nanos = match fs::read_to_string(task?.path().join("schedstat")) {
            Ok(text) => first_number(&text).context("`schedstat` has no number")?,
            // The thread has ended since it was listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error).context("cannot read `schedstat`"),
        };
        sum = sum.saturating_add(nanos);
    }
    Ok(sum)
}

/// The length of the ticks that `/proc/stat` counts in (`USER_HZ`), in nanoseconds.
const TICK: u64 = 10_000_000;

/// The time that anything has had a core, or has taken it from this machine, in nanoseconds; by
/// ticks. None where `core` is not the number of one.
pub(crate) fn busy_nanos(core: &str) -> Result<Option<u64>> {
    let text = fs::read_to_string("/proc/stat").context("cannot read `/proc/stat`")?;
    let name = format!("cpu{core}");
    let named = |line: &&str| line.split_whitespace().next() == Some(&name);
    let Some(line) = text.lines().find(named) else {
        return Ok(None);
    };
    let ticks = line.split_whitespace().skip(1).map(str::parse::<u64>);
    let ticks: Vec<_> = ticks.collect::<Result<_, _>>()?;
    // user, nice, system, idle, iowait, irq, softirq, steal; then what is in user already.
    let [user, nice, system, _, _, _, _, steal, ..] = ticks.as_slice() else {
        return Ok(None);
    };
    let busy: u64 = [user, nice, system, steal].into_iter().sum();
    Ok(Some(busy.saturating_mul(TICK)))
}

/// The resident memory of a process, in KiB.
pub(crate) fn resident_kib(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(first_number)
        .context("`status` has no VmRSS")
}

fn first_number(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse().ok()
}
