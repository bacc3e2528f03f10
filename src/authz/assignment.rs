//! `set`: headers for the upstream and metadata for Envoy that an allow rule sets.

use std::sync::Arc;

use super::classified::ClassifiedRequest;
use super::request::Resource;

/// The assignments of one rule, in the order in which they are written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Assignments {
    /// Request headers for the upstream, names in lower case.
    pub headers: Box<[(Arc<str>, Template)]>,
    /// Facts for Envoy's dynamic metadata.
    pub metadata: Box<[(Arc<str>, Template)]>,
}

/// A text with references such as `${subject.tenant}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Box<[Piece]>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(Arc<str>),
    Reference(usize),
}

/// The names that references may use.
pub const REFERENCES: [&str; 10] = [
    "subject.id",
    "subject.issuer",
    "subject.agent",
    "subject.tenant",
    "mcp.server",
    "mcp.method",
    "mcp.name",
    "mcp.class",
    "source.ip",
    "source.country",
];

/// The references whose values an issuer names.
const OF_AN_ISSUER: [&str; 3] = ["subject.id", "subject.agent", "subject.tenant"];

/// Why a text is not a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTemplate {
    /// A reference without an end.
    #[error("a `${{` without its `}}`")]
    Open,
    /// An unknown reference.
    #[error("unknown reference `{0}`")]
    Reference(String),
}

/// The assignments for one request. A value is `None` if something in its template is unknown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Assigned {
    /// Request headers for the upstream.
    pub headers: Vec<(Arc<str>, Option<String>)>,
    /// Facts for Envoy's dynamic metadata.
    pub metadata: Vec<(Arc<str>, Option<String>)>,
}

impl Assignments {
    /// Whether some template refers to the class of the tool.
    pub(super) fn read_class(&self) -> bool {
        let mut all = self.headers.iter().chain(&self.metadata);
        all.any(|(_, template)| template.reads_class())
    }

    /// Whether the assignments identify the caller without the issuer that names the caller.
    #[must_use]
    pub fn leaves_the_issuer_out(&self) -> bool {
        // Headers go to the server and metadata to Envoy: neither sees the other's.
        [&self.headers, &self.metadata].iter().any(|told| {
            let refers = |names: &[&str]| told.iter().any(|(_, text)| text.refers_to(names));
            refers(&OF_AN_ISSUER) && !refers(&["subject.issuer"])
        })
    }
}

impl Template {
    fn refers_to(&self, names: &[&str]) -> bool {
        self.0.iter().any(|piece| match piece {
            Piece::Text(_) => false,
            Piece::Reference(at) => REFERENCES.get(*at).is_some_and(|name| names.contains(name)),
        })
    }

    /// Whether it refers to the class of the tool.
    pub(super) fn reads_class(&self) -> bool {
        self.refers_to(&["mcp.class"])
    }

    /// The template for tools of a class.
    #[must_use]
    pub(super) fn of_class(&self, class: &str) -> Self {
        let mut pieces: Vec<Piece> = Vec::new();
        for piece in &self.0 {
            let own = match piece {
                Piece::Reference(at) if REFERENCES.get(*at) == Some(&"mcp.class") => {
                    Piece::Text(class.into())
                }
                Piece::Text(_) | Piece::Reference(_) => piece.clone(),
            };
            match (pieces.last_mut(), own) {
                (Some(Piece::Text(before)), Piece::Text(own)) => {
                    *before = format!("{before}{own}").into();
                }
                (_, own) => pieces.push(own),
            }
        }
        Template(pieces.into())
    }

    /// Parses a template.
    ///
    /// # Errors
    /// A reference that is not one of [`REFERENCES`], or has no end.
    pub fn parse(text: &str) -> Result<Self, InvalidTemplate> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after.split_once('}').ok_or(InvalidTemplate::Open)?;
            let known = REFERENCES.iter().position(|known| *known == name);
            let known = known.ok_or_else(|| InvalidTemplate::Reference(name.to_owned()))?;
            if !before.is_empty() {
                pieces.push(Piece::Text(before.into()));
            }
            pieces.push(Piece::Reference(known));
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.into()));
        }
        Ok(Template(pieces.into()))
    }

    /// The text for one request, if everything that it refers to is known.
    fn expand(&self, target: &ClassifiedRequest<'_>) -> Option<String> {
        let mut text = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(own) => text.push_str(own),
                Piece::Reference(index) => text.push_str(&value(REFERENCES.get(*index)?, target)?),
            }
        }
        Some(text)
    }
}

fn value(reference: &str, target: &ClassifiedRequest<'_>) -> Option<String> {
    let request = target.request;
    let subject = request.subject;
    match reference {
        "subject.id" => Some(subject.id.to_string()),
        "subject.issuer" => Some(subject.issuer.to_string()),
        "subject.agent" => subject.agent.as_deref().map(str::to_owned),
        "subject.tenant" => subject.tenant.as_deref().map(str::to_owned),
        "mcp.server" => Some(request.server.to_owned()),
        "mcp.method" => Some(request.action.method.to_owned()),
        "mcp.name" => match request.resource {
            Resource::Tool(name) | Resource::Prompt(name) => Some(name.to_owned()),
            Resource::Server | Resource::Uri(_) | Resource::Template(_) | Resource::Task(_) => None,
        },
        "mcp.class" => target.class.known().map(str::to_owned),
        "source.ip" => request.source.map(|ip| ip.to_canonical().to_string()),
        "source.country" => request.context.country.map(str::to_owned),
        _ => None,
    }
}

impl Assigned {
    /// Adds the assignments of a rule. If several rules set the same name, the last one wins.
    pub(super) fn add(&mut self, rule: &Assignments, target: &ClassifiedRequest<'_>) {
        for (all, own) in [
            (&mut self.headers, &rule.headers),
            (&mut self.metadata, &rule.metadata),
        ] {
            for (name, template) in own {
                all.retain(|(known, _)| known != name);
                all.push((Arc::clone(name), template.expand(target)));
            }
        }
    }

    /// Joins the assignments of two requests that travel as one. Where they disagree, the value is
    /// `None`.
    pub fn join(&mut self, other: Assigned) {
        for (all, more) in [
            (&mut self.headers, other.headers),
            (&mut self.metadata, other.metadata),
        ] {
            for (name, value) in all.iter_mut() {
                let same = more
                    .iter()
                    .any(|(known, more)| known == name && more == value);
                if !same {
                    *value = None;
                }
            }
            for (name, _) in more {
                if !all.iter().any(|(known, _)| *known == name) {
                    all.push((name, None));
                }
            }
        }
    }
}
