//! The policy: read, compiled, kept and replaced as a whole.
