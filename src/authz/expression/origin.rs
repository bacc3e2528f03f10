//! The origin of an expression's values, as far as it determines how they may be compared.

/// The origins of a node's value. If all are unset, the value is the author's or ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a possible source of a value"
)]
pub(super) struct Origin {
    /// Arguments, claims or facts about the device: servers may convert the value.
    pub(super) outside: bool,
    /// Arguments, whose keys servers may read differently.
    pub(super) sent: bool,
    /// An element of a loop, which may be a key of an object.
    pub(super) element: bool,
    /// A text that was built from several.
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
    /// Claims, or facts about the device.
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
    /// Values of the author, or ours.
    pub(super) const PLAIN: Origin = Origin {
        uri: false,
        ..Origin::URI
    };

    /// Whether nobody reads the value differently.
    pub(super) fn is_plain(self) -> bool {
        self == Origin::PLAIN
    }

    /// The origins of a value that is built from two.
    pub(super) fn and(self, other: Origin) -> Origin {
        Origin {
            outside: self.outside || other.outside,
            sent: self.sent || other.sent,
            element: self.element || other.element,
            made: self.made || other.made,
            uri: self.uri || other.uri,
        }
    }

    /// The origins of a value's elements in a loop.
    pub(super) fn elements(self) -> Origin {
        Origin {
            element: self.outside,
            ..self
        }
    }
}
