//! The limits on requests and their bodies.

/// The limits on requests and their bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestLimits {
    /// The largest body, in bytes.
    pub body_bytes_max: usize,
    /// How deep a body may nest.
    pub json_depth_max: usize,
    /// How many values and keys a body may have.
    pub json_values_max: usize,
    /// The longest method, tool, prompt or task name, in bytes.
    pub name_bytes_max: usize,
    /// The longest resource URI, in bytes.
    pub uri_bytes_max: usize,
    /// How many resources and tasks one subscription may name.
    pub subscriptions_max: usize,
    /// The largest item of a list in a response, in bytes. A larger one is hidden.
    pub list_item_bytes_max: usize,
    /// The most header fields that a request may have once those that the server is told are
    /// added, pseudo-headers not counted.
    pub headers_max: usize,
    /// The most bytes of their names and values, with the pseudo-headers.
    pub header_bytes_max: usize,
}

impl Default for RequestLimits {
    fn default() -> Self {
        RequestLimits {
            body_bytes_max: 1 << 20,
            json_depth_max: 64,
            json_values_max: 20_000,
            name_bytes_max: 256,
            uri_bytes_max: 8 << 10,
            subscriptions_max: 256,
            list_item_bytes_max: 256 << 10,
            // Envoy takes 100 unless told otherwise, and counts four pseudo-headers.
            headers_max: 96,
            // What Envoy takes unless told otherwise.
            header_bytes_max: 60 << 10,
        }
    }
}
