//! Where the values of an expression come from, as far as it says how they may be compared.

/// What may be in the value of a node. All unset: it is the author's own, or ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a source that a value may come from"
)]
pub(super) struct Origin {
    /// Arguments, claims or what is known of the device: servers may convert it.
    pub(super) outside: bool,
    /// Arguments, whose keys servers may read otherwise.
    pub(super) sent: bool,
    /// What a loop found, which may be a key of an object.
    pub(super) element: bool,
    /// A text that was made of several.
    pub(super) made: bool,
    /// The URI of the resource.
    pub(super) uri: bool,
}

impl Origin {
    /// Arguments of a call.
    pub(super) const ARGUMENTS: Origin = Origin {
        outside: true,
        sent: true,
        element: false,
        made: false,
        uri: false,
    };
    /// Claims, or what is known of the device.
    pub(super) const PROVEN: Origin = Origin {
        sent: false,
        ..Origin::ARGUMENTS
    };
    /// The URI.
    pub(super) const URI: Origin = Origin {
        outside: false,
        sent: false,
        element: false,
        made: false,
        uri: true,
    };
    /// The author's, or ours.
    pub(super) const PLAIN: Origin = Origin {
        uri: false,
        ..Origin::URI
    };

    /// Whether nobody reads the value otherwise.
    pub(super) fn is_plain(self) -> bool {
        self == Origin::PLAIN
    }

    /// What may be in a value that is made of two.
    pub(super) fn and(self, other: Origin) -> Origin {
        Origin {
            outside: self.outside || other.outside,
            sent: self.sent || other.sent,
            element: self.element || other.element,
            made: self.made || other.made,
            uri: self.uri || other.uri,
        }
    }

    /// What a loop finds in a value.
    pub(super) fn elements(self) -> Origin {
        Origin {
            element: self.outside,
            ..self
        }
    }
}
