//! Filters responses by the pipeline in force.

use std::sync::Arc;

use super::edge::{Attendance, Carried, FilterOutput, FilterResponses};
use super::head::ResponseHead;
use super::stream::ResponseStream;
use crate::check::LivePipeline;
use crate::telemetry::notices::Noticed;

/// A response is filtered to its end by the pipeline that is in force when its head comes. What its
/// request has meanwhile is in the state, which all pipelines share.
impl FilterResponses for LivePipeline {
    type Filter = ResponseStream;

    fn attend(self: &Arc<Self>, carried: &Carried) -> Attendance {
        self.current().attend(carried)
    }

    async fn begin(
        self: &Arc<Self>,
        carried: Carried,
        head: ResponseHead,
    ) -> (ResponseStream, Vec<FilterOutput>) {
        let pipeline = self.current();
        pipeline.begin(carried, head).await
    }

    fn notice(&self, noticed: Noticed) {
        self.current().notice(noticed);
    }
}
