//! The policies that a check evaluates: the one in force, and a candidate beside it.

use super::merge::add_new;
use crate::authz::{self, AccessRequest, Count, Policy, Window, WindowDemand};

/// The policies of one decision.
#[derive(Clone, Copy)]
pub(super) struct Policies<'p> {
    pub(super) enforced: &'p Policy,
    /// Evaluated beside it.
    pub(super) candidate: Option<&'p Policy>,
}

impl Policies<'_> {
    pub(super) fn each(&self) -> impl Iterator<Item = &Policy> {
        std::iter::once(self.enforced).chain(self.candidate)
    }

    pub(super) fn demands(&self, request: &AccessRequest<'_>) -> Vec<WindowDemand> {
        let mut demands = authz::demands(self.enforced, request);
        if let Some(candidate) = self.candidate {
            add_new(&mut demands, authz::demands(candidate, request));
        }
        demands
    }

    /// Whether some rule looks at what was counted, so that requests are recorded.
    pub(super) fn have_windows(&self) -> bool {
        self.each().any(|policy| !policy.windows().is_empty())
    }

    /// Whether some rule asks how old a session is.
    pub(super) fn have_ages(&self) -> bool {
        self.each().any(Policy::has_session_ages)
    }

    /// What is recorded of a request. If it is denied, `denied` are the windows that do not count
    /// that.
    pub(super) fn events(
        &self,
        request: &AccessRequest<'_>,
        denied: Option<&[Window]>,
    ) -> Vec<WindowDemand> {
        let mut events = authz::events(self.enforced, request, denied.is_some());
        if let Some(candidate) = self.candidate {
            add_new(
                &mut events,
                authz::events(candidate, request, denied.is_some()),
            );
        }
        events.retain(|event| denied.is_none_or(|not| !not.contains(&event.window)));
        events
    }

    /// What is recorded of a request that was recorded already and is denied after all.
    pub(super) fn late_denial(&self, request: &AccessRequest<'_>) -> Vec<WindowDemand> {
        let mut events = self.events(request, Some(&[]));
        events.retain(|event| event.window.count == Count::Denials);
        events
    }
}
