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

impl Fact {
    /// The kind and the name, if it is about one.
    fn name(&self) -> Option<(&'static str, &Arc<str>)> {
        Some(match self {
            Fact::Issuer(name) => ("issuer", name),
            Fact::Subject(name) => ("subject", name),
            Fact::Group(name) => ("group", name),
            Fact::Role(name) => ("role", name),
            Fact::Scope(name) => ("scope", name),
            Fact::Tenant(name) => ("tenant", name),
            Fact::Agent(name) => ("agent", name),
            Fact::Peer(name) => ("peer", name),
            Fact::Acr(name) => ("acr", name),
            Fact::Country(code) => ("country", code),
            Fact::Purpose(name) => ("purpose", name),
            Fact::Uri(pattern) => ("uri", pattern),
            Fact::Expression(asked) if asked.class.is_none() => ("if", &asked.text),
            Fact::Unclear(Unclear::Expression(asked)) if asked.class.is_none() => {
                ("unclear if", &asked.text)
            }
            Fact::Expression(_)
            | Fact::AnyTenant
            | Fact::AnyAgent
            | Fact::Claim(_)
            | Fact::LoginWithin(_)
            | Fact::SessionWithin(_)
            | Fact::InSession
            | Fact::Clock(_)
            | Fact::Since(_)
            | Fact::Network(_)
            | Fact::Device(_)
            | Fact::MoreThan(_, _)
            | Fact::Argument(_)
            | Fact::Unclear(_) => return None,
        })
    }
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
    /// Of facts about a name, which are asked for most, by their kind and the name.
    names: HashMap<(&'static str, Arc<str>), FactId>,
    numbers: HashMap<String, FactId>,
    pub(super) diagrams: Diagrams,
}

impl Facts {
    pub(super) fn new(nodes_max: usize) -> Self {
        Facts {
            all: Vec::new(),
            names: HashMap::new(),
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
        let next = FactId::try_from(self.all.len()).unwrap_or(FactId::MAX);
        let name = fact.name().map(|(kind, name)| (kind, Arc::clone(name)));
        let id = if let Some(name) = name {
            self.names.entry(name).or_insert(next)
        } else {
            // Other facts have no hash, because clocks have none; how they are written is as good.
            self.numbers.entry(format!("{fact:?}")).or_insert(next)
        };
        let id = *id;
        if id == next {
            self.all.push(fact);
        }
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
