//! Warns of claims that no token has, as far as is known before one comes.

use super::arguments::joined;
use super::context::Lint;
use super::samples::{ClaimSample, nearly};
use crate::authz::{ClaimSelector, Expression, MemberRead, Rule};
use crate::policy::silence::UNKNOWN_CLAIM;

impl Lint<'_> {
    /// Claims that the tokens of no issuer of the rule have.
    pub(super) fn look_at_claims(&mut self, rule: &Rule) {
        self.look_at_read_claims(rule);
        let Some(who) = rule.who.as_ref() else {
            return;
        };
        let not = who.not.as_deref();
        let not = not.map_or(&[][..], |not| &*not.claims);
        let places: [(&[ClaimSelector], &[&str]); 2] = [
            (&who.claims, &["who", "claims"]),
            (not, &["who", "not", "claims"]),
        ];
        for (claims, way) in places {
            let paths = claims.iter().map(|claim| claim.path.as_str());
            for path in paths {
                if let Some((message, help)) = self.unknown_claim(rule, path) {
                    self.warn(rule, way, UNKNOWN_CLAIM, &message, &help);
                }
            }
        }
    }

    /// The same for the claims that a condition reads.
    fn look_at_read_claims(&mut self, rule: &Rule) {
        let reads = rule.expression.as_ref().map(Expression::member_reads);
        let reads = reads.into_iter().flatten().filter(|read| read.is_claim);
        let mut said: Vec<&MemberRead> = Vec::new();
        for read in reads {
            // What is below an unknown claim is unknown with it.
            if said
                .iter()
                .any(|above| read.steps.starts_with(&above.steps))
            {
                continue;
            }
            if let Some(found) = self.unknown_claim(rule, &joined(&read.steps)) {
                self.warn_in_condition(rule, read.column, UNKNOWN_CLAIM, found);
                said.push(read);
            }
        }
    }

    fn unknown_claim(&self, rule: &Rule, path: &str) -> Option<(String, String)> {
        let issuers = self.issuers_of(rule);
        let known = issuers.iter().map(|name| self.context.claims.get(*name));
        let samples: Option<Vec<&ClaimSample>> =
            known.map(|claims| claims?.sample.as_ref()).collect();
        if let Some([first, rest @ ..]) = samples.as_deref() {
            let is_there = first.has(path) || rest.iter().any(|sample| sample.has(path));
            let message = format!("no sample of the issuers' tokens has the claim `{path}`");
            return (!is_there).then(|| (message, first.help(path)));
        }
        let near = nearly(path)?;
        let message = format!("the claim `{path}` is nearly `{near}`");
        let help = format!(
            "did you mean `{near}`? A `sample_claims_file` of the issuer says which there are"
        );
        Some((message, help))
    }
}
