//! Where a value of an expression comes from.

use cel::IdedExpr;
use cel::common::ast::LiteralValue;

use super::super::lookup::text_of;
use super::super::shown::literal_of;

/// One of the values that a part of an expression may have.
#[derive(Debug, Clone)]
pub(crate) enum Place<'p> {
    /// A literal.
    Literal(&'p IdedExpr),
    /// A field of one of our records, or the facts about the device (`device`, without a field).
    Field(&'p str, &'p str),
    /// A member of an object from outside.
    Member(Box<Place<'p>>, &'p str),
    /// An item of a list, or a key of an object.
    Item(Box<Place<'p>>),
    /// The text of a value, as a function of ours folds it.
    Folded(&'p str, Box<Place<'p>>),
    /// A list that the author wrote, with what each of its items may be.
    List(Vec<Vec<Place<'p>>>),
    /// An object that the author wrote: what each key may be, with its value.
    Map(Vec<(Vec<Place<'p>>, Vec<Place<'p>>)>),
    /// Anything else.
    Unknown,
}

/// One step on the way to a value in an object from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathStep {
    /// A member.
    Name(String),
    /// An item of a list, or a key of an object.
    Item,
}

impl<'p> Place<'p> {
    /// The text of a literal.
    pub(crate) fn text(&self) -> Option<&'p str> {
        match self {
            Place::Literal(node) => text_of(node),
            Place::Field(..)
            | Place::Member(..)
            | Place::Item(_)
            | Place::Folded(..)
            | Place::List(_)
            | Place::Map(_)
            | Place::Unknown => None,
        }
    }

    /// Whether it is an object whose members someone else chose.
    fn is_object(&self) -> bool {
        matches!(
            self,
            Place::Field("mcp", "arguments" | "input" | "meta")
                | Place::Field("subject", "claims")
                | Place::Field("request", "headers")
                | Place::Field("device", _)
        )
    }

    /// Whether it may be any JSON value.
    fn is_open(&self) -> bool {
        match self {
            Place::Member(of, _) => !matches!(&**of, Place::Field("request", _)),
            Place::Item(of) => of.is_open(),
            Place::Literal(_)
            | Place::Field(..)
            | Place::Folded(..)
            | Place::List(_)
            | Place::Map(_)
            | Place::Unknown => false,
        }
    }

    fn is_list_of_texts(&self) -> bool {
        matches!(self, Place::Field("subject", "groups" | "roles" | "scopes"))
    }

    /// Whether it is a list for sure, or may be one.
    pub(super) fn may_be_list(&self) -> bool {
        self.is_open() || self.is_list_of_texts() || matches!(self, Place::List(_) | Place::Unknown)
    }

    /// What `in` compares with, and what a loop goes through: items, or the keys of an object.
    pub(super) fn elements(&self) -> Vec<Place<'p>> {
        match self {
            Place::List(slots) => slots.iter().flatten().cloned().collect(),
            Place::Map(entries) => entries.iter().flat_map(|(key, _)| key).cloned().collect(),
            own if own.is_open() || own.is_list_of_texts() || own.is_object() => {
                vec![Place::Item(Box::new(own.clone()))]
            }
            Place::Literal(_)
            | Place::Field(..)
            | Place::Member(..)
            | Place::Item(_)
            | Place::Folded(..)
            | Place::Unknown => vec![Place::Unknown],
        }
    }

    /// The values of an object, or the items of a list, as the second variable of a loop.
    pub(super) fn values(&self) -> Vec<Place<'p>> {
        match self {
            Place::Map(entries) => entries.iter().flat_map(|(_, own)| own).cloned().collect(),
            own if own.is_object() => vec![Place::Unknown],
            Place::Literal(_)
            | Place::Field(..)
            | Place::Member(..)
            | Place::Item(_)
            | Place::Folded(..)
            | Place::List(_)
            | Place::Unknown => self.elements(),
        }
    }

    /// The member of a name.
    pub(super) fn member(&self, name: &'p str) -> Vec<Place<'p>> {
        match self {
            Place::Map(entries) => {
                let may_be = |key: &Place<'_>| key.text().is_none_or(|own| own == name);
                let entries = entries.iter().filter(|(keys, _)| keys.iter().any(may_be));
                entries.flat_map(|(_, values)| values).cloned().collect()
            }
            own if own.is_object() || own.is_open() => {
                vec![Place::Member(Box::new(own.clone()), name)]
            }
            Place::Literal(_)
            | Place::Field(..)
            | Place::Member(..)
            | Place::Item(_)
            | Place::Folded(..)
            | Place::List(_)
            | Place::Unknown => vec![Place::Unknown],
        }
    }

    /// The item at a position.
    pub(super) fn at(&self, position: i64) -> Vec<Place<'p>> {
        if let Place::List(slots) = self {
            let slot = usize::try_from(position).ok().and_then(|at| slots.get(at));
            return slot.cloned().unwrap_or_else(|| self.elements());
        }
        if self.is_open() || self.is_list_of_texts() {
            return self.elements();
        }
        vec![Place::Unknown]
    }

    /// The same as a text. What is from outside may be written differently as one.
    pub(super) fn into_text(self) -> Place<'p> {
        let is_text = match &self {
            Place::Literal(_) => self.text().is_some(),
            Place::Field(..) => !self.is_object() && !self.is_list_of_texts(),
            Place::Item(of) => of.is_list_of_texts(),
            Place::Folded(..) => true,
            Place::Member(..) | Place::List(_) | Place::Map(_) | Place::Unknown => false,
        };
        if is_text { self } else { Place::Unknown }
    }

    /// Whether two are the same value.
    pub(crate) fn is(&self, other: &Place<'_>) -> bool {
        match (self, other) {
            (Place::Literal(one), Place::Literal(other)) => literal_of(one) == literal_of(other),
            (Place::Field(record, field), Place::Field(other, own)) => {
                record == other && field == own
            }
            (Place::Member(of, name), Place::Member(other, own)) => name == own && of.is(other),
            (Place::Item(of), Place::Item(other)) => of.is(other),
            (Place::Folded(by, of), Place::Folded(other_by, other)) => {
                by == other_by && of.is(other)
            }
            _ => false,
        }
    }

    /// The field of a record at which the value begins, with the steps from there.
    pub(crate) fn path(&self) -> Option<(&'p str, &'p str, Vec<PathStep>)> {
        match self {
            Place::Field(record, field) => Some((record, field, Vec::new())),
            Place::Member(of, name) => {
                let (record, field, mut steps) = of.path()?;
                steps.push(PathStep::Name((*name).to_owned()));
                Some((record, field, steps))
            }
            Place::Item(of) => {
                let (record, field, mut steps) = of.path()?;
                steps.push(PathStep::Item);
                Some((record, field, steps))
            }
            Place::Folded(_, of) => of.path(),
            Place::Literal(_) | Place::List(_) | Place::Map(_) | Place::Unknown => None,
        }
    }

    /// As an author could have written it. An item is shown as its list.
    pub(crate) fn shown(&self) -> String {
        match self {
            Place::Field("mcp", "arguments") => "args".to_owned(),
            Place::Field("device", _) => "device".to_owned(),
            Place::Field(record, field) => format!("{record}.{field}"),
            Place::Member(of, name) => format!("{}.{name}", of.shown()),
            Place::Item(of) => of.shown(),
            Place::Folded(function, of) => format!("{function}({})", of.shown()),
            Place::Literal(_) | Place::List(_) | Place::Map(_) | Place::Unknown => "…".to_owned(),
        }
    }
}

/// The whole number that a node is.
pub(super) fn position_of(node: &IdedExpr) -> Option<i64> {
    match literal_of(node)? {
        LiteralValue::Int(number) => Some(*number.inner()),
        LiteralValue::Boolean(_)
        | LiteralValue::Bytes(_)
        | LiteralValue::Double(_)
        | LiteralValue::Null
        | LiteralValue::String(_)
        | LiteralValue::UInt(_) => None,
    }
}

/// How many values there are, with those in lists and objects. Stops counting beyond `most`.
pub(super) fn weight(places: &[Place<'_>], most: usize) -> usize {
    let mut total: usize = 0;
    for place in places {
        let own = match place {
            Place::List(slots) => slots
                .iter()
                .fold(0, |sum: usize, slot| sum.saturating_add(weight(slot, most))),
            Place::Map(entries) => entries.iter().fold(0, |sum: usize, (keys, values)| {
                let own = weight(keys, most).saturating_add(weight(values, most));
                sum.saturating_add(own)
            }),
            Place::Literal(_)
            | Place::Field(..)
            | Place::Member(..)
            | Place::Item(_)
            | Place::Folded(..)
            | Place::Unknown => 0,
        };
        total = total.saturating_add(own).saturating_add(1);
        if total > most {
            break;
        }
    }
    total
}
