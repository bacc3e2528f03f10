//! A candidate that cannot be used.

use std::sync::{Arc, Mutex};

use arc_swap::{ArcSwap, ArcSwapOption};
use jiff::Timestamp;

use super::{LastGoodStatus, PolicyStore, ReloadStatus};
use crate::file::ReadError;
use crate::policy::context::CompileContext;
use crate::policy::files::ReadPolicyError;
use crate::policy::found::FoundPolicy;
use crate::policy::load_error::LoadPolicyError;
use crate::policy::teams::PolicyPlaces;

impl PolicyStore {
    /// A store of a candidate that cannot be used: it has no policy until its files are mended.
    #[must_use]
    pub fn without_policy(
        places: PolicyPlaces,
        context: CompileContext,
        error: &LoadPolicyError,
        now: Timestamp,
    ) -> Self {
        let nothing_read = ReadError::Other(std::io::Error::other("it cannot be used"));
        let unread = ReadPolicyError::of(&places.path, nothing_read);
        let opened = FoundPolicy::unread(&places, unread);
        let store = PolicyStore {
            hints: ArcSwap::new(Arc::clone(&context.hints)),
            defaults: ArcSwap::new(Arc::clone(&context.defaults)),
            places,
            context,
            in_force: ArcSwap::from_pointee(opened.state()),
            opened,
            current: ArcSwapOption::empty(),
            good: Mutex::default(),
            last_good: None,
            status: Mutex::new(ReloadStatus {
                revision: "none".into(),
                applied: now,
                successes: 0,
                failures: 0,
                failing: None,
                teams: Vec::new(),
                last_good: LastGoodStatus::default(),
            }),
        };
        store.fail(error, now);
        store
    }
}
