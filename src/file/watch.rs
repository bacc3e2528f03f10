//! The one loop that reads files again when they change.
//!
//! Every watched part says through [`Watch`] how it looks at its files and what it does with what was
//! found; when it looks, and when a change is due, is decided here.

use std::mem;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};

use super::error::ReadError;
use super::looks::Looks;
use super::settled::Settled;

/// Says whether what a look saw is to be taken up. To be asked once in each look.
pub type IsDue<'d, S> = &'d mut dyn FnMut(S) -> bool;

/// The work of one look: sees, asks whether that is due, and returns what is to be taken up.
pub type Look<S, F> = Box<dyn FnOnce(IsDue<'_, S>) -> Option<F> + Send>;

/// Files that are read again when they change.
pub trait Watch: Send {
    /// What tells one state of the files from another: their content, a stamp, or why they cannot be
    /// read.
    type Seen: Clone + PartialEq + Send + 'static;
    /// What is taken up.
    type Found: Send + 'static;

    /// The work of the next look. It is done on another thread, which may be given up.
    fn look(&self) -> Look<Self::Seen, Self::Found>;

    /// The state of files of which a look gave no answer.
    fn unanswered(&self, error: &ReadError) -> Self::Seen;

    /// Takes up what a look found. The next look comes after it.
    fn take(&mut self, found: Self::Found) -> impl Future<Output = ()> + Send;

    /// A look gave no answer. Comes once for each failure.
    fn fail(&mut self, error: ReadError) -> impl Future<Output = ()> + Send;

    /// Whether what was taken up last is still being worked on, so that a reload that is asked for
    /// has to wait. A change does not.
    fn is_busy(&self) -> bool {
        false
    }

    /// Nobody can ask any more: finishes what is being worked on.
    fn end(self) -> impl Future<Output = ()> + Send
    where
        Self: Sized,
    {
        async {}
    }
}

/// Looks at files again and again. Two looks in a row that found the same settle a change
/// ([`Settled`]).
#[derive(Debug)]
pub struct Watcher<W: Watch> {
    watched: W,
    looks: Looks,
    settled: Settled<W::Seen>,
    /// A reload was asked for and not yet begun.
    is_asked: bool,
    /// The same, for the next look alone: what is asked for waits as others do where that one hangs.
    is_urgent: bool,
}

impl<W: Watch> Watcher<W> {
    /// Watches from a state on: [`Settled::at`] what was taken up at the start, or
    /// [`Settled::new`] where that is not known.
    #[must_use]
    pub fn new(watched: W, looks: Looks, settled: Settled<W::Seen>) -> Self {
        Watcher {
            watched,
            looks,
            settled,
            is_asked: false,
            is_urgent: false,
        }
    }

    /// The next look is to take up what it finds, changed or not.
    pub fn ask(&mut self) {
        self.is_asked = true;
        self.is_urgent = true;
    }

    /// Looks after each interval, and at once when asked to, until nobody can ask any more. Who asks
    /// does not wait for a look that may hang: the next one begins beside it.
    pub async fn run(mut self, interval: Duration, mut asked: mpsc::Receiver<()>) {
        let mut ticks = tokio::time::interval_at(Instant::now() + interval, interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                again = asked.recv() => match again {
                    Some(()) => self.ask(),
                    None => break,
                },
            }
            let looked = tokio::select! {
                looked = self.begin() => looked,
                Some(()) = asked.recv() => {
                    self.ask();
                    continue;
                }
            };
            self.conclude(looked).await;
        }
        self.watched.end().await;
    }

    /// Looks once, and whether something was taken up or failed anew.
    pub async fn look(&mut self) -> bool {
        let looked = self.begin().await;
        self.conclude(looked).await
    }

    /// One look; none if it was not begun.
    async fn begin(&mut self) -> Result<Option<Looked<W>>, ReadError> {
        let is_asked = self.is_asked && !self.watched.is_busy();
        let mut settled = self.settled.clone();
        let look = self.watched.look();
        self.looks
            .look(mem::take(&mut self.is_urgent), move || {
                let found = look(&mut |seen| settled.is_due(seen, is_asked));
                (settled, found)
            })
            .await
    }

    async fn conclude(&mut self, looked: Result<Option<Looked<W>>, ReadError>) -> bool {
        match looked {
            Ok(None) => false,
            Ok(Some((settled, found))) => {
                self.settled = settled;
                let Some(found) = found else {
                    return false;
                };
                self.is_asked = false;
                self.watched.take(found).await;
                true
            }
            Err(error) => {
                let is_news = self.settled.is_news(self.watched.unanswered(&error));
                if is_news {
                    self.watched.fail(error).await;
                }
                is_news
            }
        }
    }
}

/// What a look found, and what was seen up to it.
type Looked<W> = (Settled<<W as Watch>::Seen>, Option<<W as Watch>::Found>);

#[cfg(test)]
impl<W: Watch> Watcher<W> {
    /// The looks, to have some of them hang.
    pub(crate) fn looks(&self) -> &Looks {
        &self.looks
    }

    /// Whether the next look is urgent.
    pub(crate) fn is_urgent(&mut self, is_urgent: bool) {
        self.is_urgent = is_urgent;
    }
}
