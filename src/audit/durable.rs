//! Receipts: word for whoever waits that a record is in the sink, or is not.

use tokio::sync::oneshot;

/// Why a record is not known to be in the sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotDurable {
    /// Too many records wait to be written, so this one was dropped.
    #[error("too many audit records wait to be written")]
    QueueFull,
    /// The sink refused it, in whole or in part, or could not be flushed.
    #[error("the audit record could not be written")]
    SinkFailed,
    /// The writer has ended.
    #[error("the audit is closed")]
    Closed,
}

/// The writer's side: what it says, or that it is gone.
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
    /// Says what became of the record. Who gave up waiting is gone, and hears nothing.
    pub(super) fn say(self, outcome: Result<(), NotDurable>) {
        let _heard = self.0.send(outcome);
    }
}

impl Written {
    /// What became of the record, once the writer says it or ends.
    pub(super) async fn wait(self) -> Result<(), NotDurable> {
        self.0.await.unwrap_or(Err(NotDurable::Closed))
    }
}
