//! Which claims of a token say what: plain data with the defaults, decoded elsewhere.

use crate::authz::{InvalidPath, ValuePath};

/// Which claims say what about the subject.
///
/// A claim is named by its path ([`ValuePath::of_claim`]): a name as it is, or names joined by
/// dots, with positions of lists. A list on the way stands for its items. Of several claims the
/// first that is there and not `null` is taken. A claim of a type that it must not have is unknown:
/// a rule over it cannot be evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimSettings {
    /// Who the subject is: a text that is not empty. The token needs one.
    pub subject: Vec<String>,
    /// Groups: texts (each one group, blanks included), or the members of an object.
    pub groups: ListedClaims,
    /// Roles: as groups.
    pub roles: ListedClaims,
    /// The tenant: a text.
    pub tenant: Vec<String>,
    /// The OAuth client: a text.
    pub agent: Vec<String>,
    /// Scopes: a text with blanks between them (RFC 9068 §2.2.3), or texts.
    pub scopes: ListedClaims,
    /// What is known of the device: an object. None unless configured.
    pub device: Vec<String>,
}

/// The claims that together say one list of names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListedClaims {
    /// The first that is there.
    First(Vec<String>),
    /// All that are there, united.
    Any(Vec<String>),
}

/// A claim that every token of an issuer has to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequiredClaim {
    /// Its path.
    pub path: String,
    /// The accepted values. A list has to have one of them.
    pub values: Vec<RequiredValue>,
}

/// A value of a [`RequiredClaim`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequiredValue {
    /// Exactly this text.
    Text(String),
    /// This truth value.
    Truth(bool),
    /// Any value but an empty text.
    Present,
}

impl ListedClaims {
    /// The paths, in order.
    #[must_use]
    pub fn paths(&self) -> &[String] {
        match self {
            ListedClaims::First(paths) | ListedClaims::Any(paths) => paths,
        }
    }
}

impl ClaimSettings {
    /// The paths that lead to no claim of any token.
    pub(super) fn invalid_paths(&self) -> Vec<(&str, InvalidPath)> {
        let ClaimSettings {
            subject,
            groups,
            roles,
            tenant,
            agent,
            scopes,
            device,
        } = self;
        let listed = [groups, roles, scopes].map(ListedClaims::paths);
        let all = [subject, tenant, agent, device].map(Vec::as_slice);
        let paths = all.into_iter().chain(listed).flatten().map(String::as_str);
        paths
            .filter_map(|path| Some((path, ValuePath::of_claim(path).err()?)))
            .collect()
    }
}

/// Whether a claim of some token can be at a path.
///
/// # Errors
/// Why none can.
pub fn check_claim_path(path: &str) -> Result<(), InvalidPath> {
    ValuePath::of_claim(path).map(|_| ())
}

/// Paths, as settings have them.
pub(super) fn paths(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

impl Default for ClaimSettings {
    fn default() -> Self {
        let first = |names: &[&str]| ListedClaims::First(paths(names));
        Self {
            subject: paths(&["sub"]),
            groups: first(&["groups"]),
            roles: first(&["realm_access.roles"]),
            tenant: paths(&["org_id"]),
            agent: paths(&["client_id", "azp", "appid", "cid"]),
            scopes: first(&["scope", "scp"]),
            device: Vec::new(),
        }
    }
}
