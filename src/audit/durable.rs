//! Receipts, which tell a waiting check whether its record is in the sink.

use tokio::sync::oneshot;

/// Why a record is not known to be in the sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotDurable {
    /// Too many records wait to be written, so this one was dropped.
    #[error("too many audit records wait to be written")]
    QueueFull,
    /// The sink refused all or part of it, or could not be flushed.
    #[error("the audit record could not be written")]
    SinkFailed,
    /// The writer has ended.
    #[error("the audit is closed")]
    Closed,
}

/// What the writer sends; if it ends, the channel closes.
#[derive(Debug)]
pub(super) struct Receipt(oneshot::Sender<Result<(), NotDurable>>);

/// The waiting side.
#[derive(Debug)]
pub(super) struct Written(oneshot::Receiver<Result<(), NotDurable>>);

/// The two sides for one record.
pub(super) fn receipt() -> (Receipt, Written) {
    let (sender, receiver) = oneshot::channel();
    (Receipt(sender), Written(receiver))
}

impl Receipt {
    /// Sends the outcome. A check that has stopped waiting gets nothing.
    pub(super) fn say(self, outcome: Result<(), NotDurable>) {
        let _heard = self.0.send(outcome);
    }
}

impl Written {
    /// The outcome, once the writer sends it or ends.
    pub(super) async fn wait(self) -> Result<(), NotDurable> {
        self.0.await.unwrap_or(Err(NotDurable::Closed))
    }
}
