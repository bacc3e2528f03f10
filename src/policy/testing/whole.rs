//! The decision about a whole request: about a call and the calls inside it, as the service combines
//! them.

use super::request::{SampleRequest, Unasked};
use crate::authz::{self, Assigned, Decision, Denial, DenialReason, Evaluation, Policy};
use crate::mcp::InnerFault;

impl SampleRequest {
    /// Decides the request, with limits settled. A denial of any part outweighs a challenge, and that
    /// an allow.
    ///
    /// # Errors
    /// When no policy would be asked.
    pub fn decide(&self, policy: &Policy) -> Result<Evaluation, Unasked> {
        let whole = self.ask_all(policy, |all, fault| {
            let parts = all.iter().map(|request| {
                let evaluation = authz::evaluate(policy, request);
                let decision = self.settle(evaluation.decision);
                let settled = Evaluation {
                    decision,
                    ..evaluation
                };
                objected(settled, fault)
            });
            parts.reduce(joined)
        })?;
        whole.ok_or(Unasked::Several(0))
    }
}

/// Denies a call whose inner calls cannot be told, unless the policy denies it anyway.
fn objected(mut evaluation: Evaluation, fault: Option<&InnerFault>) -> Evaluation {
    let stands = match &evaluation.decision {
        Decision::Deny(denial) => denial.reason != DenialReason::Indeterminate,
        Decision::Allow(_) | Decision::Limit(_) | Decision::Challenge(_) => false,
    };
    if fault.is_some() && !stands {
        evaluation.decision = Decision::Deny(Denial {
            reason: DenialReason::InnerCallInvalid,
            rule: None,
            message: None,
            retry_after: None,
        });
        evaluation.rules.clear();
        evaluation.assigned = Assigned::default();
    }
    evaluation
}

fn joined(mut all: Evaluation, more: Evaluation) -> Evaluation {
    add_new(&mut all.rules, more.rules);
    add_new(&mut all.indeterminate, more.indeterminate);
    all.assigned.join(more.assigned);
    all.decision = match (all.decision, more.decision) {
        (Decision::Challenge(mut all), Decision::Challenge(more)) => {
            add_new(&mut all.scopes, more.scopes);
            add_new(&mut all.missing, more.missing);
            Decision::Challenge(all)
        }
        (all, more) if weight(&more) > weight(&all) => more,
        (all, _) => all,
    };
    all
}

fn weight(decision: &Decision) -> u8 {
    match decision {
        Decision::Allow(_) => 0,
        Decision::Limit(_) => 1,
        Decision::Challenge(_) => 2,
        Decision::Deny(_) => 3,
    }
}

fn add_new<T: PartialEq>(all: &mut Vec<T>, more: Vec<T>) {
    for one in more {
        if !all.contains(&one) {
            all.push(one);
        }
    }
}
