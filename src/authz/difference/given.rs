//! What is known of one caller, for differences that concern it alone.

use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;

use super::fact::{Fact, Unclear};
use crate::authz::matching::Match;
use crate::authz::peer::{Peer, PeerNames};
use crate::authz::selectors::ClaimSelector;
use crate::authz::subject::Subject;
use crate::authz::value::Value;

/// What is known of a caller and a call. Whatever is not known stays open.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// The whole subject.
    pub subject: Option<Subject>,
    /// Parts of a subject of which no more is known: each fact of these kinds holds as told.
    pub issuer: Option<String>,
    /// The id of the subject.
    pub id: Option<String>,
    /// The client; `Some(None)` if there is none.
    pub agent: Option<Option<String>>,
    /// The tenant; `Some(None)` if there is none.
    pub tenant: Option<Option<String>>,
    /// All groups.
    pub groups: Option<Vec<String>>,
    /// All roles.
    pub roles: Option<Vec<String>>,
    /// All scopes.
    pub scopes: Option<Vec<String>>,
    /// The TLS peer.
    pub peer: Option<PeerNames>,
    /// Whether the peer may have more names than these.
    pub peer_is_partial: bool,
    /// The arguments, if they are known to the last one.
    pub arguments: Option<GivenArguments>,
    /// The address.
    pub source: Option<IpAddr>,
    /// When.
    pub at: Option<Timestamp>,
    /// Whether it is in a session.
    pub in_session: Option<bool>,
}

/// The arguments of a call, all of them.
#[derive(Debug, Clone, PartialEq)]
pub struct GivenArguments {
    /// The arguments; `None` if the call has none.
    pub arguments: Option<Value<'static>>,
    /// The defaults that the recorded schema of the tool declares.
    pub defaults: Option<Value<'static>>,
}

impl Given {
    /// Whether a fact holds, if that is known.
    #[must_use]
    pub fn fact(&self, fact: &Fact) -> Option<bool> {
        let in_list = |list: &Option<Vec<String>>, name: &str| {
            list.as_ref().map(|list| list.iter().any(|one| one == name))
        };
        let own = |value: &Option<Option<String>>, name: &str| {
            value.as_ref().map(|value| value.as_deref() == Some(name))
        };
        let known = |value: &Option<Option<String>>| {
            let value = value.as_ref().and_then(Option::as_ref);
            value.map(|_| false)
        };
        let found = match fact {
            Fact::Issuer(name) => self.issuer.as_ref().map(|own| *own == **name),
            Fact::Subject(name) => self.id.as_ref().map(|own| *own == **name),
            Fact::Group(name) => in_list(&self.groups, name),
            Fact::Role(name) => in_list(&self.roles, name),
            Fact::Scope(name) => in_list(&self.scopes, name),
            Fact::Tenant(name) => own(&self.tenant, name),
            Fact::AnyTenant => self.tenant.as_ref().map(Option::is_some),
            Fact::Agent(name) => own(&self.agent, name),
            Fact::AnyAgent => self.agent.as_ref().map(Option::is_some),
            Fact::Peer(name) => self.peer.as_ref().and_then(|peer| self.is_peer(peer, name)),
            Fact::Unclear(Unclear::Peer) => {
                let is_whole = self.peer.is_some() && !self.peer_is_partial;
                is_whole.then_some(false)
            }
            // A list that is not wholly known is not given.
            Fact::Unclear(Unclear::Groups) => self.groups.as_ref().map(|_| false),
            Fact::Unclear(Unclear::Roles) => self.roles.as_ref().map(|_| false),
            Fact::Unclear(Unclear::Scopes) => self.scopes.as_ref().map(|_| false),
            // Nor is a value; that there is none may be because it cannot be told.
            Fact::Unclear(Unclear::Tenant) => known(&self.tenant),
            Fact::Unclear(Unclear::Agent) => known(&self.agent),
            Fact::Network(network) => self
                .source
                .map(|source| network.contains(&source.to_canonical())),
            Fact::Unclear(Unclear::Source) => self.source.map(|_| false),
            Fact::Since(moment) => self.at.map(|at| at >= *moment),
            Fact::Clock(clock) => self.at.map(|at| clock.shows(at)),
            Fact::InSession => self.in_session,
            Fact::Claim(_)
            | Fact::Acr(_)
            | Fact::LoginWithin(_)
            | Fact::SessionWithin(_)
            | Fact::Country(_)
            | Fact::Device(_)
            | Fact::Purpose(_)
            | Fact::MoreThan(_, _)
            | Fact::Argument(_)
            | Fact::Uri(_)
            | Fact::Expression(_)
            | Fact::Unclear(_) => None,
        };
        found.or_else(|| of_subject(self.subject.as_ref()?, fact))
    }

    /// Whether the peer has a name. Of a peer whose other names are not known that is open, unless it
    /// has a URI and is asked for another one: a peer with several is not given.
    fn is_peer(&self, peer: &PeerNames, name: &Arc<str>) -> Option<bool> {
        match Peer::Known(peer).is_any_of(std::slice::from_ref(name)) {
            Match::Yes => Some(true),
            found @ (Match::No | Match::Indeterminate | Match::Unknown) => {
                let is_other_uri = found == Match::No
                    && !peer.uris.is_empty()
                    && !PeerNames::called(name).uris.is_empty();
                (!self.peer_is_partial || is_other_uri).then_some(false)
            }
        }
    }
}

/// Whether a fact holds for a subject.
fn of_subject(subject: &Subject, fact: &Fact) -> Option<bool> {
    let has = |list: &[Arc<str>], name: &Arc<str>| list.contains(name);
    let claim = |selector: &ClaimSelector| selector.matches_in(&subject.claims);
    Some(match fact {
        Fact::Issuer(name) => subject.issuer == *name,
        Fact::Subject(name) => subject.id == *name,
        Fact::Group(name) => has(&subject.groups, name),
        Fact::Role(name) => has(&subject.roles, name),
        Fact::Scope(name) => has(&subject.scopes, name),
        Fact::Tenant(name) => subject.tenant.as_ref() == Some(name),
        Fact::AnyTenant => subject.tenant.is_some(),
        Fact::Agent(name) => subject.agent.as_ref() == Some(name),
        Fact::AnyAgent => subject.agent.is_some(),
        Fact::Claim(selector) => claim(selector) == Match::Yes,
        Fact::Unclear(Unclear::Claim(selector)) => claim(selector) == Match::Indeterminate,
        Fact::Acr(name) => {
            let acr = subject.claims.member("acr").and_then(Value::as_str);
            acr? == &**name
        }
        Fact::Unclear(Unclear::Groups) => subject.unknown.groups,
        Fact::Unclear(Unclear::Roles) => subject.unknown.roles,
        Fact::Unclear(Unclear::Scopes) => subject.unknown.scopes,
        Fact::Unclear(Unclear::Tenant) => subject.unknown.tenant,
        Fact::Unclear(Unclear::Agent) => subject.unknown.agent,
        Fact::Peer(_)
        | Fact::LoginWithin(_)
        | Fact::SessionWithin(_)
        | Fact::InSession
        | Fact::Clock(_)
        | Fact::Since(_)
        | Fact::Network(_)
        | Fact::Country(_)
        | Fact::Device(_)
        | Fact::Purpose(_)
        | Fact::MoreThan(_, _)
        | Fact::Argument(_)
        | Fact::Uri(_)
        | Fact::Expression(_)
        | Fact::Unclear(
            Unclear::Peer
            | Unclear::Login
            | Unclear::Session
            | Unclear::Source
            | Unclear::Country
            | Unclear::Device
            | Unclear::DeviceFact(_)
            | Unclear::Purpose
            | Unclear::Window(_)
            | Unclear::Argument(_)
            | Unclear::Uri(_)
            | Unclear::Expression(_),
        ) => return None,
    })
}
