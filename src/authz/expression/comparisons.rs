//! Finds what an expression compares: the values that it reads, each with the literals beside it.
//!
//! A literal is beside a value also where a loop, a list, an object or a choice stands between:
//! `["interns"].exists(g, g in subject.groups)` compares `subject.groups` with `"interns"`.

mod place;

use cel::IdedExpr;
use cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, MapExpr, SelectExpr, operators,
};

use super::constant::{GLOB, MATCHES};
use super::lookup::{field_of, text_of};
use super::remarks::Sense;
use super::vocabulary::fields_of;
pub use place::PathStep;
pub(super) use place::Place;
use place::{position_of, weight};

/// Comparisons with a whole text.
pub(super) const WHOLE: [&str; 3] = [operators::EQUALS, operators::NOT_EQUALS, operators::IN];

/// How many values a part may be one of. Loops in loops could make them grow without end.
const PLACES_MAX: usize = 4096;

/// A value that an expression compares with a literal.
#[derive(Debug)]
pub(super) struct Comparison<'p> {
    /// The value.
    pub(super) place: Place<'p>,
    /// The literal.
    pub(super) literal: &'p IdedExpr,
    /// The operator or function.
    pub(super) function: &'p str,
    /// Whether nothing else stands where the value does, so that the comparison can hold for it
    /// alone.
    pub(super) is_sole: bool,
    /// The effect on the expression.
    pub(super) sense: Sense,
}

impl Comparison<'_> {
    /// Whether the whole value is compared.
    pub(super) fn is_whole(&self) -> bool {
        WHOLE.contains(&self.function)
    }
}

/// A member that an expression reads, or whose presence it tests.
#[derive(Debug)]
pub(super) struct Read<'p> {
    /// The member.
    pub(super) place: Place<'p>,
    /// The part of the expression that reads it.
    pub(super) node: &'p IdedExpr,
}

/// What an expression compares and reads.
#[derive(Debug, Default)]
pub(super) struct Comparisons<'p> {
    pub(super) all: Vec<Comparison<'p>>,
    pub(super) reads: Vec<Read<'p>>,
}

/// The comparisons in a checked expression, as its author wrote it.
pub(super) fn comparisons(root: &IdedExpr) -> Comparisons<'_> {
    let mut walker = Walker {
        bound: Vec::new(),
        found: Comparisons::default(),
    };
    walker.visit(root, Sense::Holds);
    walker.found
}

/// What a part may be: one of these.
type Places<'p> = Vec<Place<'p>>;

struct Walker<'p> {
    /// The variables of the loops around the node.
    bound: Vec<(&'p str, Places<'p>)>,
    found: Comparisons<'p>,
}

impl<'p> Walker<'p> {
    fn visit(&mut self, node: &'p IdedExpr, sense: Sense) -> Places<'p> {
        let places = self.visit_inside(node, sense);
        if weight(&places, PLACES_MAX) > PLACES_MAX {
            return vec![Place::Unknown];
        }
        places
    }

    fn visit_inside(&mut self, node: &'p IdedExpr, sense: Sense) -> Places<'p> {
        match &node.expr {
            Expr::Literal(_) => vec![Place::Literal(node)],
            Expr::Ident(name) => self.named(name),
            Expr::Select(select) => self.visit_select(node, select),
            Expr::Call(call) => self.visit_call(node, call, sense),
            Expr::Comprehension(inner) => self.visit_loop(inner, sense),
            Expr::List(list) => {
                let items = list.elements.iter();
                let slots = items.map(|item| self.visit(item, Sense::Either)).collect();
                vec![Place::List(slots)]
            }
            Expr::Map(map) => self.visit_map(map),
            Expr::Struct(_) | Expr::Unspecified => vec![Place::Unknown],
        }
    }

    fn named(&self, name: &str) -> Places<'p> {
        let mut bound = self.bound.iter().rev();
        match bound.find(|(own, _)| *own == name) {
            Some((_, places)) => places.clone(),
            None if name == "args" => vec![Place::Field("mcp", "arguments")],
            None if name == "device" => vec![Place::Field("device", "")],
            None => vec![Place::Unknown],
        }
    }

    fn visit_map(&mut self, map: &'p MapExpr) -> Places<'p> {
        let mut entries = Vec::new();
        for entry in &map.entries {
            if let EntryExpr::MapEntry(entry) = &entry.expr {
                let key = self.visit(&entry.key, Sense::Either);
                entries.push((key, self.visit(&entry.value, Sense::Either)));
            }
        }
        vec![Place::Map(entries)]
    }

    /// A field of one of our records, if the node is nothing else.
    fn own_field(node: &'p IdedExpr) -> Option<Place<'p>> {
        let (record, field, _) = field_of(&node.expr)?;
        let is_own = fields_of(record)?.contains(&field);
        is_own.then_some(Place::Field(record, field))
    }

    fn visit_select(&mut self, node: &'p IdedExpr, select: &'p SelectExpr) -> Places<'p> {
        if let Some(field) = Self::own_field(node) {
            let place = if select.test { Place::Unknown } else { field };
            return vec![place];
        }
        let operand = self.visit(&select.operand, Sense::Either);
        let members = self.members(node, &operand, &select.field);
        if select.test {
            return vec![Place::Unknown];
        }
        members
    }

    /// The members of a name, which the expression reads at a node.
    fn members(&mut self, node: &'p IdedExpr, operand: &[Place<'p>], name: &'p str) -> Places<'p> {
        let members: Places<'p> = operand.iter().flat_map(|own| own.member(name)).collect();
        for place in &members {
            if matches!(place, Place::Member(..)) {
                let place = place.clone();
                self.found.reads.push(Read { place, node });
            }
        }
        members
    }

    fn visit_call(&mut self, node: &'p IdedExpr, call: &'p CallExpr, sense: Sense) -> Places<'p> {
        let function = call.func_name.as_str();
        match (function, call.args.as_slice()) {
            (operators::INDEX, [operand, key]) => return self.visit_index(node, operand, key),
            (operators::CONDITIONAL, [test, yes, no]) => {
                self.visit(test, Sense::Either);
                let mut places = self.visit(yes, sense);
                places.extend(self.visit(no, sense));
                return places;
            }
            _ => {}
        }
        let inner = match function {
            operators::LOGICAL_AND | operators::LOGICAL_OR => sense,
            operators::LOGICAL_NOT => sense.flipped(),
            _ => Sense::Either,
        };
        let operands = call.target.as_deref().into_iter().chain(&call.args);
        let places: Vec<Places<'p>> = operands.map(|part| self.visit(part, inner)).collect();
        match (function, places.as_slice()) {
            (operators::EQUALS, [left, right]) => self.compare(function, left, right, sense),
            (operators::NOT_EQUALS, [left, right]) => {
                self.compare(function, left, right, sense.flipped());
            }
            (operators::IN, [item, within]) => {
                let elements: Places<'p> = within.iter().flat_map(Place::elements).collect();
                self.compare(function, item, &elements, sense);
            }
            ("startsWith" | "endsWith" | "contains" | MATCHES | GLOB, [text, part]) => {
                self.compare_one_way(function, text, part, sense);
            }
            (
                operators::LESS
                | operators::LESS_EQUALS
                | operators::GREATER
                | operators::GREATER_EQUALS,
                [left, right],
            ) => self.compare(function, left, right, Sense::Either),
            (operators::ADD, [left, right]) => return joined(left, right),
            ("dyn", [_]) => return places.into_iter().flatten().collect(),
            ("string" | "text", [_]) => {
                return places.into_iter().flatten().map(Place::into_text).collect();
            }
            ("fold" | "plain", [_]) => {
                let folded = |place| Place::Folded(function, Box::new(place));
                return places.into_iter().flatten().map(folded).collect();
            }
            ("list", [own]) => {
                let items = own.iter().flat_map(Place::elements).collect();
                return vec![Place::List(vec![items])];
            }
            _ => {}
        }
        vec![Place::Unknown]
    }

    fn visit_index(
        &mut self,
        node: &'p IdedExpr,
        operand: &'p IdedExpr,
        key: &'p IdedExpr,
    ) -> Places<'p> {
        if let Some(field) = Self::own_field(node) {
            return vec![field];
        }
        let of = self.visit(operand, Sense::Either);
        if let Some(name) = text_of(key) {
            return self.members(node, &of, name);
        }
        if let Some(position) = position_of(key) {
            return of.iter().flat_map(|own| own.at(position)).collect();
        }
        let keys = self.visit(key, Sense::Either);
        let mut found = Vec::new();
        for own in &of {
            if let Place::Map(_) = own {
                self.compare(operators::IN, &keys, &own.elements(), Sense::Either);
                found.extend(own.values());
            }
        }
        for name in keys.iter().filter_map(Place::text) {
            found.extend(self.members(node, &of, name));
        }
        if found.is_empty() || !keys.iter().all(|key| key.text().is_some()) {
            found.push(Place::Unknown);
        }
        found
    }

    fn visit_loop(&mut self, inner: &'p ComprehensionExpr, sense: Sense) -> Places<'p> {
        let range = self.visit(&inner.iter_range, Sense::Either);
        let start = self.visit(&inner.accu_init, Sense::Either);
        let outer = self.bound.len();
        let elements = range.iter().flat_map(Place::elements).collect();
        self.bound.push((&inner.iter_var, elements));
        if let Some(name) = &inner.iter_var2 {
            let values = range.iter().flat_map(Place::values).collect();
            // The first variable is then a position or a key.
            if let Some((_, first)) = self.bound.last_mut() {
                first.push(Place::Unknown);
            }
            self.bound.push((name, values));
        }
        self.bound.push((&inner.accu_var, start.clone()));
        let step = self.visit(&inner.loop_step, sense);
        if let Some((_, gathered)) = self.bound.last_mut() {
            *gathered = start.into_iter().chain(step).collect();
        }
        let result = self.visit(&inner.result, sense);
        self.bound.truncate(outer);
        result
    }

    /// Each literal of one side with each value of the other.
    fn compare(
        &mut self,
        function: &'p str,
        left: &[Place<'p>],
        right: &[Place<'p>],
        sense: Sense,
    ) {
        self.compare_one_way(function, left, right, sense);
        self.compare_one_way(function, right, left, sense);
    }

    fn compare_one_way(
        &mut self,
        function: &'p str,
        values: &[Place<'p>],
        literals: &[Place<'p>],
        sense: Sense,
    ) {
        let mut places: Vec<&Place<'p>> = Vec::new();
        for place in values {
            let is_literal = matches!(place, Place::Literal(_));
            if !is_literal && !places.iter().any(|own| own.is(place)) {
                places.push(place);
            }
        }
        if places.is_empty() {
            return;
        }
        for literal in literals {
            let Place::Literal(node) = literal else {
                continue;
            };
            let is_own = values.iter().any(|own| own.is(literal));
            let is_sole = places.len() == 1 && !is_own;
            for place in &places {
                self.push(Comparison {
                    place: (*place).clone(),
                    literal: node,
                    function,
                    is_sole,
                    sense,
                });
            }
        }
    }

    /// A key of an object that is compared with a text is a member that the expression reads.
    fn push(&mut self, found: Comparison<'p>) {
        if let Place::Item(of) = &found.place
            && matches!(
                **of,
                Place::Field("mcp", "arguments") | Place::Field("subject", "claims")
            )
        {
            if let Some(name) = text_of(found.literal).filter(|_| found.is_whole()) {
                let place = Place::Member(of.clone(), name);
                let node = found.literal;
                self.found.reads.push(Read { place, node });
            }
        } else if !matches!(found.place, Place::Unknown | Place::List(_) | Place::Map(_)) {
            self.found.all.push(found);
        }
    }
}

/// Two lists as one. What is no list is a text, or a number.
fn joined<'p>(left: &[Place<'p>], right: &[Place<'p>]) -> Places<'p> {
    if let ([Place::List(one)], [Place::List(other)]) = (left, right) {
        return vec![Place::List(one.iter().chain(other).cloned().collect())];
    }
    let both = || left.iter().chain(right);
    let is_list = both().any(|place| matches!(place, Place::List(_)))
        || both().all(|place| matches!(place, Place::Field(..)) && place.may_be_list());
    if !is_list {
        return vec![Place::Unknown];
    }
    let lists = both().map(|place| {
        if place.may_be_list() {
            place.clone()
        } else {
            Place::Unknown
        }
    });
    lists.collect()
}
