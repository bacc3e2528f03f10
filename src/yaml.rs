//! YAML text to located values, with every finding at once.
