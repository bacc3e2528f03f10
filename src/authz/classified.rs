//! A request with the risk class of its tool: the input of selectors.

use super::request::AccessRequest;
use super::uri::UriCell;

/// The risk class of the called tool, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class<'a> {
    /// The call is not to a tool.
    Absent,
    /// Only annotations could determine the class, and they are unknown.
    Unknown,
    /// The class of the tool.
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
    /// Whether the arguments belong to a later call and are not known yet.
    pub(crate) arguments_open: bool,
    /// The URI, if the resource is one.
    pub(crate) uri: UriCell<'a>,
}
