//! Body bytes to a message, or the reason it is refused.
