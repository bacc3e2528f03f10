//! What is wanted with an answer: whose it is and what it may have, by the context that came with it.

use std::sync::Arc;

use jiff::Timestamp;

use super::{CONTEXT_FACT, Carried, FILTER_FACT, Fact, Handoff, Pipeline};
use crate::check::handoff::Refused;
use crate::telemetry::notices::Noticed;

/// What is wanted with an answer.
pub(super) enum Wanted {
    /// Its request was checked, and nothing is.
    Nothing,
    /// Nobody said whose it is.
    ForNobody,
    /// This.
    For {
        handoff: Box<Handoff>,
        /// Whether it has begun before: then it may have no effect.
        is_repeated: bool,
    },
}

pub(super) fn wanted(pipeline: &Arc<Pipeline>, carried: Carried, now: Timestamp) -> Wanted {
    // Every check says its reason.
    let Some(facts) = carried.filter(|facts| facts.contains_key(Fact::Reason.name())) else {
        pipeline.notices.raise(Noticed::AnswerWithoutCheck, now);
        return Wanted::ForNobody;
    };
    let Some(filter) = facts.get(FILTER_FACT) else {
        return Wanted::Nothing;
    };
    let context = facts.get(CONTEXT_FACT).map(String::as_str);
    let server = facts.get(Fact::Server.name()).map(String::as_str);
    match opened(pipeline, filter, context, server, now) {
        Ok((handoff, is_repeated)) => Wanted::For {
            handoff,
            is_repeated,
        },
        Err(refused) => {
            let reason = refused.code();
            tracing::debug!(reason, "the context of an answer is refused");
            pipeline.metrics.record_handoff_refusal(reason);
            pipeline.notices.raise(noticed(refused), now);
            Wanted::ForNobody
        }
    }
}

/// The context, if it is believed and is that of an answer to `filter` for.
fn opened(
    pipeline: &Pipeline,
    filter: &str,
    context: Option<&str>,
    server: Option<&str>,
    now: Timestamp,
) -> Result<(Box<Handoff>, bool), Refused> {
    let opened = pipeline
        .handoffs
        .open(context.ok_or(Refused::Missing)?, now)?;
    let handoff = &opened.handoff;
    if handoff.code().as_deref() != Some(filter) {
        return Err(Refused::OtherAnswer);
    }
    let is_other = server.is_some_and(|server| *server != **handoff.server());
    if is_other || pipeline.servers.by_name(handoff.server()).is_none() {
        return Err(Refused::OtherServer);
    }
    let is_repeated = pipeline.handoffs.take(&opened, now)?;
    Ok((opened.handoff, is_repeated))
}

fn noticed(refused: Refused) -> Noticed {
    match refused {
        Refused::OtherProcess | Refused::UnknownKey => Noticed::ContextOfAnotherProcess,
        Refused::Missing
        | Refused::Unreadable
        | Refused::Forged
        | Refused::OtherAnswer
        | Refused::OtherServer => Noticed::ContextForged,
        Refused::TooOld | Refused::FromTheFuture => Noticed::ContextTooOld,
        Refused::Replayed => Noticed::ContextReplayed,
    }
}
