//! Merges lists that several targets of a request contribute to.

/// Adds what is not there yet. Neither list repeats anything.
pub(super) fn add_new<T: PartialEq>(all: &mut Vec<T>, more: Vec<T>) {
    if all.is_empty() {
        *all = more;
        return;
    }
    for one in more {
        if !all.contains(&one) {
            all.push(one);
        }
    }
}
