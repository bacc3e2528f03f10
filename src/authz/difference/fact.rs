//! What a rule may ask of a caller and a call, each a question with yes or no for an answer.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use jiff::Timestamp;

use super::diagram::{Diagram, Diagrams, FactId};
use crate::authz::selectors::{ClaimSelector, Clock, ValueSelector};
use crate::authz::window::Window;

/// One question about a caller or a call. That something cannot be told is a fact of its own.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    /// Its token is of this issuer.
    Issuer(Arc<str>),
    /// It is this subject.
    Subject(Arc<str>),
    /// It is in this group.
    Group(Arc<str>),
    /// It has this role.
    Role(Arc<str>),
    /// Its token has this scope.
    Scope(Arc<str>),
    /// It is of this tenant.
    Tenant(Arc<str>),
    /// It is of some tenant.
    AnyTenant,
    /// It comes through this client.
    Agent(Arc<str>),
    /// It comes through some client.
    AnyAgent,
    /// The TLS peer has this name.
    Peer(Arc<str>),
    /// A claim of the token has this one value, or fits this pattern.
    Claim(ClaimSelector),
    /// The claim `acr` has this value.
    Acr(Arc<str>),
    /// The login is at most this old.
    LoginWithin(Duration),
    /// The session is at most this old.
    SessionWithin(Duration),
    /// The call is in a session.
    InSession,
    /// A clock shows one of its times.
    Clock(Clock),
    /// It is this moment or later.
    Since(Timestamp),
    /// It comes from this network.
    Network(IpNet),
    /// It comes from this country.
    Country(Arc<str>),
    /// The device has this one value, or fits this pattern.
    Device(ClaimSelector),
    /// The client declares this purpose.
    Purpose(Arc<str>),
    /// The caller did more than this in a window.
    MoreThan(Window, u32),
    /// An argument has one of these values.
    Argument(ValueSelector),
    /// The URI fits this pattern.
    Uri(Arc<str>),
    /// This expression is true.
    Expression(AskedExpression),
    /// Whether one of these holds cannot be told.
    Unclear(Unclear),
}

/// What cannot be told of a caller or a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Unclear {
    /// The token leaves its groups out, or has them in a form that says nothing.
    Groups,
    /// Likewise its roles.
    Roles,
    /// Likewise its scopes.
    Scopes,
    /// Likewise its tenant.
    Tenant,
    /// Likewise its client.
    Agent,
    /// The names of the TLS peer.
    Peer,
    /// A claim.
    Claim(ClaimSelector),
    /// When the caller logged in.
    Login,
    /// When the session began.
    Session,
    /// The address.
    Source,
    /// The country.
    Country,
    /// Everything about the device.
    Device,
    /// One fact about the device.
    DeviceFact(ClaimSelector),
    /// The purpose.
    Purpose,
    /// What the caller did in a window.
    Window(Window),
    /// An argument.
    Argument(ValueSelector),
    /// Whether the URI fits a pattern.
    Uri(Arc<str>),
    /// The result of an expression.
    Expression(AskedExpression),
}

/// An expression, which is the same wherever it is written alike and reads the same class.
#[derive(Debug, Clone, PartialEq)]
pub struct AskedExpression {
    /// The text.
    pub text: Arc<str>,
    /// The class of the tool, if the old tables and the new ones give it two, on which the result
    /// depends.
    pub class: Option<Arc<str>>,
}

/// Whether something holds, where that may be unclear: where it certainly does, and where it
/// certainly does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Answer {
    pub(super) yes: Diagram,
    pub(super) no: Diagram,
}

impl Answer {
    pub(super) const YES: Answer = Answer {
        yes: Diagram::ALWAYS,
        no: Diagram::NEVER,
    };
    pub(super) const NO: Answer = Answer {
        yes: Diagram::NEVER,
        no: Diagram::ALWAYS,
    };
    pub(super) const UNCLEAR: Answer = Answer {
        yes: Diagram::NEVER,
        no: Diagram::NEVER,
    };

    pub(super) fn negate(self) -> Self {
        Answer {
            yes: self.no,
            no: self.yes,
        }
    }
}

/// Every fact that the rules of a comparison ask for, in the order of the diagrams, and the
/// diagrams.
#[derive(Debug)]
pub(super) struct Facts {
    all: Vec<Fact>,
    numbers: HashMap<String, FactId>,
    pub(super) diagrams: Diagrams,
}

impl Facts {
    pub(super) fn new(nodes_max: usize) -> Self {
        Facts {
            all: Vec::new(),
            numbers: HashMap::new(),
            diagrams: Diagrams::new(nodes_max),
        }
    }

    /// Every fact with its number.
    pub(super) fn iter(&self) -> impl Iterator<Item = (FactId, &Fact)> {
        (0..).zip(&self.all)
    }

    pub(super) fn get(&self, id: FactId) -> Option<&Fact> {
        self.all.get(usize::try_from(id).ok()?)
    }

    pub(super) fn count(&self) -> usize {
        self.all.len()
    }

    /// Where the fact holds.
    pub(super) fn holds(&mut self, fact: Fact) -> Diagram {
        // Facts have no hash, because clocks have none; how they are written is as good.
        let written = format!("{fact:?}");
        let next = FactId::try_from(self.all.len()).unwrap_or(FactId::MAX);
        let id = *self.numbers.entry(written).or_insert_with(|| {
            self.all.push(fact);
            next
        });
        self.diagrams.fact(id)
    }

    /// A fact that may be unclear.
    pub(super) fn asks(&mut self, fact: Fact, unclear: Unclear) -> Answer {
        let yes = self.holds(fact);
        let unclear = self.holds(Fact::Unclear(unclear));
        let yes = self.diagrams.minus(yes, unclear);
        let some = self.diagrams.or(yes, unclear);
        Answer {
            yes,
            no: self.diagrams.not(some),
        }
    }

    /// A fact that is always clear.
    pub(super) fn knows(&mut self, fact: Fact) -> Answer {
        let yes = self.holds(fact);
        Answer {
            yes,
            no: self.diagrams.not(yes),
        }
    }

    /// One of some facts. Where none holds, it is unclear if `unclear` holds.
    pub(super) fn asks_any(
        &mut self,
        facts: impl IntoIterator<Item = Fact>,
        unclear: Unclear,
    ) -> Answer {
        let facts: Vec<Diagram> = facts.into_iter().map(|fact| self.holds(fact)).collect();
        let yes = self.diagrams.any(facts);
        let unclear = self.holds(Fact::Unclear(unclear));
        let some = self.diagrams.or(yes, unclear);
        Answer {
            yes,
            no: self.diagrams.not(some),
        }
    }

    /// One of some facts that are always clear.
    pub(super) fn knows_any(&mut self, facts: impl IntoIterator<Item = Fact>) -> Answer {
        let facts: Vec<Diagram> = facts.into_iter().map(|fact| self.holds(fact)).collect();
        let yes = self.diagrams.any(facts);
        Answer {
            yes,
            no: self.diagrams.not(yes),
        }
    }

    pub(super) fn and(&mut self, one: Answer, other: Answer) -> Answer {
        Answer {
            yes: self.diagrams.and(one.yes, other.yes),
            no: self.diagrams.or(one.no, other.no),
        }
    }

    pub(super) fn or(&mut self, one: Answer, other: Answer) -> Answer {
        self.and(one.negate(), other.negate()).negate()
    }

    pub(super) fn any(&mut self, all: impl IntoIterator<Item = Answer>) -> Answer {
        all.into_iter()
            .fold(Answer::NO, |found, one| self.or(found, one))
    }

    /// Where it is unclear.
    pub(super) fn unclear(&mut self, answer: Answer) -> Diagram {
        let clear = self.diagrams.or(answer.yes, answer.no);
        self.diagrams.not(clear)
    }
}
