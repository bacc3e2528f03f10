//! The child processes: started with their output in files, watched, and ended by their own id.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Error, Result, anyhow};
use tokio::time::{Instant, sleep};

/// How often a child is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How long a child may take to end by itself before it is killed.
const GRACE: Duration = Duration::from_secs(8);

/// How many lines of a dead child's log are shown.
const LAST_LINES: usize = 12;

/// A running child.
struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

/// All children. Dropping it kills those that still run.
#[derive(Default)]
pub(crate) struct Processes(Vec<Process>);

impl Processes {
    /// Starts `command` with its standard output in `output` and its standard error in `log`, and
    /// returns its process id.
    pub(crate) fn start(
        &mut self,
        name: &'static str,
        command: &mut Command,
        output: &Path,
        log: &Path,
    ) -> Result<u32> {
        let create = |path: &Path| {
            File::create(path).with_context(|| format!("cannot write `{}`", path.display()))
        };
        let child = command
            .stdin(Stdio::null())
            .stdout(create(output)?)
            .stderr(create(log)?)
            // Ctrl-C is for this program, which then ends its children in order.
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let id = child.id();
        self.0.push(Process {
            name,
            child,
            log: log.to_owned(),
        });
        Ok(id)
    }

    /// Waits until a child has ended, which none should, and says which.
    pub(crate) async fn ended(&mut self) -> Error {
        loop {
            for process in &mut self.0 {
                match process.child.try_wait() {
                    Ok(None) => {}
                    Ok(Some(status)) => {
                        let Process { name, log, .. } = process;
                        return anyhow!("{name} ended early: {status}{}", last_lines(log));
                    }
                    Err(error) => return Error::new(error).context("cannot watch a child"),
                }
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Ends every child, the last started first, and waits for it.
    pub(crate) async fn stop(mut self) {
        while let Some(mut process) = self.0.pop() {
            terminate(&process.child);
            let deadline = Instant::now() + GRACE;
            while matches!(process.child.try_wait(), Ok(None)) && Instant::now() < deadline {
                sleep(LOOK_EVERY).await;
            }
            kill(&mut process.child);
        }
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        for process in self.0.iter_mut().rev() {
            kill(&mut process.child);
        }
    }
}

/// Asks a child to end. The shell has `kill` built in; the standard library has no SIGTERM.
fn terminate(child: &Child) {
    let asked = Command::new("sh")
        .args(["-c", "kill -TERM \"$1\"", "sh", &child.id().to_string()])
        .stderr(Stdio::null())
        .status();
    // A child that is gone already is as good as one that was told; `kill` below sees to the rest.
    drop(asked);
}

/// Kills a child that still runs, and reaps it.
fn kill(child: &mut Child) {
    // Both fail only for a child that has been reaped.
    drop(child.kill());
    drop(child.wait());
}

/// The end of a log, for the message that its process has died.
fn last_lines(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().collect();
    let from = lines.len().saturating_sub(LAST_LINES);
    let last = lines.get(from..).unwrap_or_default();
    last.iter()
        .fold(String::new(), |text, line| text + "\n    " + line)
}
