//! The pipeline in force, which another one may replace at any time.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::invalid_check::InvalidCheck;
use super::pipeline::Pipeline;
use super::request::HttpRequest;
use super::verdict::{Decide, Verdict};

/// The pipeline in force. A check takes the one of its beginning and keeps it to its end, so no
/// request sees the servers of one configuration and the policy of another.
#[derive(Debug)]
pub struct LivePipeline {
    current: ArcSwap<Pipeline>,
}

impl LivePipeline {
    /// Begins with a pipeline.
    #[must_use]
    pub fn new(first: Pipeline) -> Self {
        LivePipeline {
            current: ArcSwap::from_pointee(first),
        }
    }

    /// The one in force at this moment.
    #[must_use]
    pub fn current(&self) -> Arc<Pipeline> {
        self.current.load_full()
    }

    /// Puts another one in force, for what begins from now on.
    pub fn replace(&self, next: Pipeline) {
        self.current.store(Arc::new(next));
    }
}

impl Decide for LivePipeline {
    async fn decide(&self, request: &HttpRequest<'_>) -> Verdict {
        let pipeline = self.current();
        pipeline.decide(request).await
    }

    async fn refuse(&self, fault: InvalidCheck) -> Verdict {
        let pipeline = self.current();
        pipeline.refuse(fault).await
    }
}
