//! A request with the risk class of its tool, which is what selectors look at.

use super::request::AccessRequest;
use super::uri::UriCell;

/// What is known of the class of what is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class<'a> {
    /// It is no tool.
    Absent,
    /// It could only be told by hints, and they are not known.
    Unknown,
    /// This one.
    Of(&'a str),
}

impl<'a> Class<'a> {
    /// Its name, if it is known.
    pub(crate) fn known(self) -> Option<&'a str> {
        match self {
            Class::Of(class) => Some(class),
            Class::Absent | Class::Unknown => None,
        }
    }
}

/// A request with what the policy knows about its target.
pub(crate) struct ClassifiedRequest<'a> {
    pub(crate) request: &'a AccessRequest<'a>,
    /// The class of the tool, if the request is for one.
    pub(crate) class: Class<'a>,
    /// Whether the arguments are those of some later call.
    pub(crate) arguments_open: bool,
    /// The URI of the resource, if it is one.
    pub(crate) uri: UriCell<'a>,
}
