//! What the parts of a condition leave of a value together, and whether that is nothing.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::net::IpAddr;

use cel::IdedExpr;
use ipnet::IpNet;

use super::super::proposals::is_within;
use super::facts::{Says, facts};
use super::term::{Constant, Value};
use super::texts::TextTest;

/// Why parts of a condition cannot come out as they should together.
#[derive(Debug, Clone)]
pub(super) enum Clash {
    /// The values that they name have none in common.
    Named(String, Vec<String>),
    /// One part takes what another one leaves out.
    Opposite(String),
    /// The value that one part names is not what the others take.
    Excluded(String, String),
    /// There is nothing between the bounds.
    Bounds(String, &'static str),
    /// No text passes both tests.
    Texts(String),
    /// No address is in both networks.
    Networks(String),
    /// Two values compare in two ways.
    Order,
    /// A path is read where it is absent.
    Absent(String),
    /// A literal decides.
    Literal,
}

/// What some parts leave of a value.
#[derive(Debug, Default)]
struct Left {
    shown: String,
    /// The values that it may have, if they are named.
    named: Option<Vec<Constant>>,
    /// Every value that was named.
    mentioned: Vec<String>,
    not: Vec<Constant>,
    least: Option<(Constant, bool)>,
    most: Option<(Constant, bool)>,
    whole: bool,
    texts: Vec<(TextTest, bool)>,
    networks: Vec<(IpNet, bool)>,
    orders: Option<[bool; 4]>,
}

/// Why these parts cannot come out like this together. `needs` says whether a part without a
/// result has not come out at all.
pub(super) fn clash(case: &[(&IdedExpr, bool)], needs: bool) -> Option<Clash> {
    let mut all: BTreeMap<String, Left> = BTreeMap::new();
    let (mut needed, mut absent) = (Vec::new(), Vec::new());
    for fact in case.iter().flat_map(|(node, truth)| facts(node, *truth)) {
        match fact.says {
            Says::Never => return Some(Clash::Literal),
            Says::Needed => needed.push(fact.of),
            Says::Absent => absent.push(fact.of),
            says @ (Says::Named(_)
            | Says::Not(_)
            | Says::Least(..)
            | Says::Most(..)
            | Says::Whole
            | Says::Text(..)
            | Says::Within(..)
            | Says::Order(_)) => {
                let left = all.entry(fact.of).or_default();
                if left.shown.is_empty() {
                    left.shown = fact.shown;
                }
                left.add(says);
            }
        }
    }
    if let Some(clash) = all.values().find_map(Left::clash) {
        return Some(clash);
    }
    let mut needed = needed.iter().filter(|_| needs);
    let found = needed.find_map(|path| absent.iter().find(|absent| is_within(path, absent)))?;
    Some(Clash::Absent(found.clone()))
}

impl Left {
    fn add(&mut self, says: Says) {
        match says {
            Says::Named(values) => {
                let shown = values.iter().map(|value| &value.shown);
                for shown in shown {
                    if !self.mentioned.contains(shown) {
                        self.mentioned.push(shown.clone());
                    }
                }
                self.named = Some(match self.named.take() {
                    None => values,
                    Some(before) => {
                        let both = before.into_iter().filter(|one| {
                            let mut others = values.iter();
                            others.any(|other| one.value.equals(&other.value) != Some(false))
                        });
                        both.collect()
                    }
                });
            }
            Says::Not(values) => self.not.extend(values),
            Says::Least(bound, strict) => {
                tighten(&mut self.least, bound, strict, Ordering::Greater);
            }
            Says::Most(bound, strict) => tighten(&mut self.most, bound, strict, Ordering::Less),
            Says::Whole => self.whole = true,
            Says::Text(test, truth) => self.texts.push((test, truth)),
            Says::Within(network, truth) => self.networks.push((network, truth)),
            Says::Order(orders) => {
                let mut own = self.orders.unwrap_or([true; 4]);
                for (own, other) in own.iter_mut().zip(orders) {
                    *own = *own && other;
                }
                self.orders = Some(own);
            }
            Says::Needed | Says::Absent | Says::Never => {}
        }
    }

    fn clash(&self) -> Option<Clash> {
        let of = || self.shown.clone();
        if self.orders == Some([false; 4]) {
            return Some(Clash::Order);
        }
        self.clash_of_named()
            .or_else(|| self.clash_of_bounds())
            .or_else(|| self.has_clashing_texts().then(|| Clash::Texts(of())))
            .or_else(|| self.has_clashing_networks().then(|| Clash::Networks(of())))
    }

    fn clash_of_named(&self) -> Option<Clash> {
        let named = self.named.as_ref()?;
        let of = self.shown.clone();
        if named.is_empty() {
            let is_test = self
                .mentioned
                .iter()
                .all(|one| one == "true" || one == "false");
            return Some(if is_test {
                Clash::Opposite(of)
            } else {
                Clash::Named(of, self.mentioned.clone())
            });
        }
        let is_left_out = |value: &Constant| {
            let mut not = self.not.iter();
            not.any(|not| value.value.equals(&not.value) == Some(true))
        };
        if named.iter().all(is_left_out) {
            return Some(Clash::Opposite(of));
        }
        if named.iter().any(|value| self.takes(&value.value)) {
            return None;
        }
        let shown = named.iter().map(|value| value.shown.as_str());
        Some(Clash::Excluded(of, shown.collect::<Vec<_>>().join(", ")))
    }

    /// Whether a value passes the bounds and the tests.
    fn takes(&self, value: &Value) -> bool {
        if matches!(value, Value::Other(_)) {
            return true;
        }
        let is_at_least = self.least.as_ref().is_none_or(|(bound, strict)| {
            let order = value.order(&bound.value);
            order.is_some_and(|order| order.is_gt() || (order.is_eq() && !strict))
        });
        let is_at_most = self.most.as_ref().is_none_or(|(bound, strict)| {
            let order = value.order(&bound.value);
            order.is_some_and(|order| order.is_lt() || (order.is_eq() && !strict))
        });
        let is_whole = match value {
            Value::Number(number) => !self.whole || number.fract() == 0.0,
            Value::Null
            | Value::Bool(_)
            | Value::Text(_)
            | Value::Moment(_)
            | Value::Duration(_)
            | Value::Kind(_)
            | Value::Other(_) => true,
        };
        let passes = |(test, truth): &(TextTest, bool)| match value {
            Value::Text(text) => test.accepts(text) == *truth,
            // What is no text has no result.
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Moment(_)
            | Value::Duration(_)
            | Value::Kind(_)
            | Value::Other(_) => !truth,
        };
        let is_within = |(network, truth): &(IpNet, bool)| match value {
            Value::Text(text) => {
                let address = text.parse::<IpAddr>().map(|address| address.to_canonical());
                address.map_or(!truth, |address| network.contains(&address) == *truth)
            }
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Moment(_)
            | Value::Duration(_)
            | Value::Kind(_)
            | Value::Other(_) => !truth,
        };
        is_at_least
            && is_at_most
            && is_whole
            && self.texts.iter().all(passes)
            && self.networks.iter().all(is_within)
    }

    fn clash_of_bounds(&self) -> Option<Clash> {
        let ((least, above), (most, below)) = (self.least.as_ref()?, self.most.as_ref()?);
        let is_empty = match (&least.value, &most.value) {
            (Value::Number(least), Value::Number(most)) if self.whole => {
                let lowest = if *above {
                    least.floor() + 1.0
                } else {
                    least.ceil()
                };
                let highest = if *below {
                    most.ceil() - 1.0
                } else {
                    most.floor()
                };
                lowest > highest
            }
            (Value::Other(_), _) | (_, Value::Other(_)) => false,
            (least, most) => match least.order(most) {
                Some(order) => order.is_gt() || (order.is_eq() && (*above || *below)),
                None => true,
            },
        };
        let kind = match &least.value {
            Value::Moment(_) => "moment",
            Value::Duration(_) => "duration",
            Value::Text(_) => "text",
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Kind(_) | Value::Other(_) => {
                "number"
            }
        };
        is_empty.then(|| Clash::Bounds(self.shown.clone(), kind))
    }

    fn has_clashing_texts(&self) -> bool {
        let passed = || self.texts.iter().filter(|(_, truth)| *truth);
        let failed = || self.texts.iter().filter(|(_, truth)| !truth);
        let mut tests = passed().enumerate();
        tests.any(|(at, (test, _))| {
            passed()
                .skip(at.saturating_add(1))
                .any(|(other, _)| test.excludes(other))
                || failed().any(|(other, _)| test.implies(other))
        })
    }

    fn has_clashing_networks(&self) -> bool {
        let within = || self.networks.iter().filter(|(_, truth)| *truth);
        let outside = || self.networks.iter().filter(|(_, truth)| !truth);
        within().any(|(one, _)| {
            within().any(|(other, _)| !one.contains(other) && !other.contains(one))
                || outside().any(|(other, _)| other.contains(one))
        })
    }
}

/// Keeps the narrower of two bounds.
fn tighten(own: &mut Option<(Constant, bool)>, bound: Constant, strict: bool, narrower: Ordering) {
    let is_narrower = match own {
        None => true,
        Some((before, was_strict)) => match bound.value.order(&before.value) {
            Some(Ordering::Equal) => strict && !*was_strict,
            Some(order) => order == narrower,
            None => false,
        },
    };
    if is_narrower {
        *own = Some((bound, strict));
    }
}
