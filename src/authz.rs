//! The decision: who may do what, as a pure function of policy and request.

mod request;

pub use request::{AccessRequest, Action, ActionKind, Http, Resource, Subject, Value};
