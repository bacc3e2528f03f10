//! The commands that operators give through the admin endpoint. A new one is a row of [`all`] and a
//! file below `commands/`; who may give them is in `src/admin/guard.rs`.

mod clear;

use std::sync::Arc;

use super::parts::ServiceParts;
use crate::admin::{Command, CommandFault, CommandRequest};
use serde_json::Value;

/// Every command.
pub(super) fn all(parts: &ServiceParts) -> Vec<Command> {
    vec![command("clear", parts, clear::run)]
}

/// A command that runs on the parts of the service.
fn command<F>(
    name: &'static str,
    parts: &ServiceParts,
    run: fn(Arc<ServiceParts>, CommandRequest) -> F,
) -> Command
where
    F: Future<Output = Result<Value, CommandFault>> + Send + 'static,
{
    let parts = Arc::new(parts.clone());
    Command {
        name,
        run: Box::new(move |request| Box::pin(run(Arc::clone(&parts), request))),
    }
}
