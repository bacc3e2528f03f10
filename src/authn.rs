//! Credentials to a subject.
