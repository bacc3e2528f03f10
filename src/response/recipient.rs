//! Finds out whom a response is for, from the context that came with it.

use std::sync::Arc;

use jiff::Timestamp;

use super::edge::Carried;
use crate::check::response_context::{CONTEXT_FACT, ContextRefusal, FILTER_FACT, ResponseContext};
use crate::check::{Fact, Pipeline};
use crate::telemetry::notices::Noticed;

/// Whom a response is for.
pub(super) enum Recipient {
    /// Anybody: its request was checked, and the response is not to be filtered.
    Anybody,
    /// Nobody is known.
    Nobody,
    /// The caller of this request.
    Caller {
        context: Box<ResponseContext>,
        /// Whether a stream with this context has begun before: then it may have no effect.
        is_repeated: bool,
    },
}

/// Finds the recipient, and reports what shows that the PEP is not configured as it should be.
pub(super) fn recipient(pipeline: &Arc<Pipeline>, carried: Carried, now: Timestamp) -> Recipient {
    // Every check says its reason.
    let Some(facts) = carried.filter(|facts| facts.contains_key(Fact::Reason.name())) else {
        pipeline.notices.raise(Noticed::ResponseWithoutCheck, now);
        return Recipient::Nobody;
    };
    let Some(filter) = facts.get(FILTER_FACT) else {
        return Recipient::Anybody;
    };
    let context = facts.get(CONTEXT_FACT).map(String::as_str);
    let server = facts.get(Fact::Server.name()).map(String::as_str);
    match opened(pipeline, filter, context, server, now) {
        Ok((context, is_repeated)) => Recipient::Caller {
            context,
            is_repeated,
        },
        Err(refusal) => {
            let reason = refusal.code();
            tracing::debug!(reason, "the context of a response is refused");
            pipeline.metrics.handoff.record_refusal(reason);
            // Of a server that was removed while its responses were under way, nothing is wrong.
            let is_removed = server.is_some_and(|server| pipeline.servers.is_removed(server));
            if refusal != ContextRefusal::OtherServer || !is_removed {
                pipeline.notices.raise(noticed(refusal), now);
            }
            Recipient::Nobody
        }
    }
}

/// The context, if it is believed and is that of a response to filter as `filter` says.
fn opened(
    pipeline: &Pipeline,
    filter: &str,
    context: Option<&str>,
    server: Option<&str>,
    now: Timestamp,
) -> Result<(Box<ResponseContext>, bool), ContextRefusal> {
    let opened = pipeline
        .handoffs
        .open(context.ok_or(ContextRefusal::Missing)?, now)?;
    let of_request = &opened.context;
    if of_request.code().as_deref() != Some(filter) {
        return Err(ContextRefusal::OtherResponse);
    }
    let is_other = server.is_some_and(|server| *server != **of_request.server());
    if is_other || pipeline.servers.by_name(of_request.server()).is_none() {
        return Err(ContextRefusal::OtherServer);
    }
    let is_repeated = pipeline.handoffs.take(&opened, now)?;
    Ok((opened.context, is_repeated))
}

fn noticed(refusal: ContextRefusal) -> Noticed {
    match refusal {
        ContextRefusal::OtherProcess | ContextRefusal::UnknownKey => {
            Noticed::ContextOfAnotherProcess
        }
        ContextRefusal::Missing
        | ContextRefusal::Unreadable
        | ContextRefusal::Forged
        | ContextRefusal::OtherResponse
        | ContextRefusal::OtherServer => Noticed::ContextForged,
        ContextRefusal::TooOld | ContextRefusal::FromTheFuture => Noticed::ContextTooOld,
        ContextRefusal::Replayed => Noticed::ContextReplayed,
    }
}
