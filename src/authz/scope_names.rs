//! Two names of one scope: the one in a token, and the one that a client asks the authorization
//! server for.
//!
//! Some authorization servers want `api://notes/notes.read` in a request and put `notes.read` into
//! the token. Rules may use either name: the subject of such a token has both.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::subject::Subject;

/// The place of the scope in a template.
pub const SCOPE_VARIABLE: &str = "{scope}";

/// The scopes that `OpenID` Connect defines (Core §3.1.2.1, §5.4 and §11). No resource names them,
/// so no template applies to them.
const STANDARD: [&str; 6] = [
    "openid",
    "profile",
    "email",
    "address",
    "phone",
    "offline_access",
];

/// How the scopes of one authorization server are advertised to clients.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScopeNames {
    /// What stands before and behind the token's name in the advertised one.
    pub around: Option<(String, String)>,
    /// Advertised names by those in the token, in place of the template.
    pub map: BTreeMap<String, String>,
}

impl ScopeNames {
    /// Names from a template with one [`SCOPE_VARIABLE`] in it, and exceptions from it. `None` if
    /// the template has not exactly one, or nothing else.
    #[must_use]
    pub fn new(template: Option<&str>, map: BTreeMap<String, String>) -> Option<Self> {
        let around = match template.map(|template| template.split_once(SCOPE_VARIABLE)) {
            None => None,
            Some(None | Some(("", ""))) => return None,
            Some(Some((_, rest))) if rest.contains(SCOPE_VARIABLE) => return None,
            Some(Some((before, behind))) => Some((before.to_owned(), behind.to_owned())),
        };
        Some(ScopeNames { around, map })
    }

    /// The template.
    #[must_use]
    pub fn template(&self) -> Option<String> {
        let around = self.around.as_ref();
        around.map(|(before, behind)| format!("{before}{SCOPE_VARIABLE}{behind}"))
    }

    /// The advertised name of a scope, which may be called by that name already.
    #[must_use]
    pub fn advertised<'s>(&'s self, scope: &'s str) -> Cow<'s, str> {
        if let Some(name) = self.map.get(scope) {
            return Cow::Borrowed(name);
        }
        let is_advertised = |(before, behind): &(String, String)| {
            let rest = scope.strip_prefix(before.as_str());
            rest.is_some_and(|rest| rest.len() > behind.len() && rest.ends_with(behind.as_str()))
        };
        let known = self.map.values().any(|name| name == scope);
        match &self.around {
            Some(around) if !known && !STANDARD.contains(&scope) && !is_advertised(around) => {
                let name = format!("{}{scope}{}", around.0, around.1);
                // `map` has given this name to another scope.
                if self.map.values().any(|other| *other == name) {
                    Cow::Borrowed(scope)
                } else {
                    Cow::Owned(name)
                }
            }
            Some(_) | None => Cow::Borrowed(scope),
        }
    }

    /// The scopes whose names by the template the map has given to others, and which have no
    /// advertised name of their own, each with that other scope.
    #[must_use]
    pub fn unadvertised(&self) -> Vec<(&str, &str)> {
        let Some((before, behind)) = &self.around else {
            return Vec::new();
        };
        let unadvertised = self.map.iter().filter_map(|(scope, advertised)| {
            let inner = advertised.strip_prefix(before.as_str())?;
            let inner = inner.strip_suffix(behind.as_str())?;
            let is_named = self.map.contains_key(inner) || STANDARD.contains(&inner);
            (!inner.is_empty() && !is_named).then_some((inner, scope.as_str()))
        });
        unadvertised.collect()
    }

    /// The subject with the advertised names of its scopes beside their own; `None` if there are
    /// none to add.
    #[must_use]
    pub fn with_advertised(&self, subject: &Subject) -> Option<Subject> {
        let mut scopes = subject.scopes.clone();
        for scope in &subject.scopes {
            let advertised = self.advertised(scope);
            if !scopes.iter().any(|known| **known == *advertised) {
                scopes.push(Arc::from(advertised));
            }
        }
        if scopes.len() == subject.scopes.len() {
            return None;
        }
        let mut named = subject.clone();
        named.scopes = scopes;
        Some(named)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_advertised_by_the_map_and_else_by_the_template() {
        let map = BTreeMap::from([
            ("notes.read".to_owned(), "api://other/read".to_owned()),
            ("email".to_owned(), "api://notes/email".to_owned()),
        ]);
        let names = ScopeNames::new(Some("api://notes/{scope}"), map).unwrap();
        for (scope, advertised) in [
            ("Notes.Delete", "api://notes/Notes.Delete"),
            ("notes.read", "api://other/read"),
            ("api://other/read", "api://other/read"),
            ("api://notes/Notes.Delete", "api://notes/Notes.Delete"),
            ("api://notes/", "api://notes/api://notes/"),
            ("offline_access", "offline_access"),
            ("email", "api://notes/email"),
        ] {
            assert_eq!(names.advertised(scope), advertised, "{scope}");
        }
        assert_eq!(ScopeNames::default().advertised("a"), "a");
    }

    #[test]
    fn a_scope_may_lose_its_name_to_another() {
        let map = [
            ("a", "api://n/b"),
            ("c", "api://n/c"),
            ("d", "api://n/e"),
            ("e", "api://n/d"),
            ("f", "other"),
            ("g", "api://n/"),
            ("h", "api://n/email"),
        ];
        let map = map.map(|(scope, name)| (scope.to_owned(), name.to_owned()));
        let names = ScopeNames::new(Some("api://n/{scope}"), BTreeMap::from(map)).unwrap();
        assert_eq!(names.unadvertised(), [("b", "a")]);
        let unruled = ScopeNames::new(None, names.map).unwrap();
        assert_eq!(unruled.unadvertised(), []);
    }

    #[test]
    fn a_template_has_one_place_for_the_scope_and_something_around_it() {
        for template in [
            "",
            "{scope}",
            "api://notes/",
            "{scope}/{scope}",
            "a/{Scope}",
        ] {
            let names = ScopeNames::new(Some(template), BTreeMap::new());
            assert_eq!(names, None, "{template}");
        }
        for template in ["a/{scope}", "{scope}.a"] {
            let names = ScopeNames::new(Some(template), BTreeMap::new()).unwrap();
            assert_eq!(names.template().as_deref(), Some(template));
        }
    }
}
