//! The types of functions.

use cel::common::ast::CallExpr;

use super::super::constant::{GIVEN, GLOB, IP_IN, MATCHES};
use super::super::shown::shown;
use super::super::types::Type;
use super::Typer;

/// What a function accepts.
#[derive(Clone, Copy)]
enum Accepts {
    /// A text.
    Text,
    /// A text, bytes, a list or an object.
    Sized,
    /// A time or a duration.
    Clock,
    /// A time.
    Calendar,
    /// A value that has one spelling.
    Plain,
    /// A text, or a list.
    List,
    /// Anything.
    Anything,
}

impl Accepts {
    fn is(self, found: &Type) -> bool {
        if found.is_open() || matches!(self, Accepts::Anything) {
            return true;
        }
        let is_clock = matches!(found, Type::Time | Type::Duration);
        match self {
            Accepts::Text => *found == Type::Text,
            Accepts::Sized => matches!(
                found,
                Type::Text | Type::Bytes | Type::List(_) | Type::Map(..)
            ),
            Accepts::Clock => is_clock,
            Accepts::Calendar => *found == Type::Time,
            Accepts::Plain => !matches!(
                found,
                Type::List(_) | Type::Map(..) | Type::Null | Type::Kind
            ),
            Accepts::List => matches!(found, Type::Text | Type::List(_)),
            Accepts::Anything => true,
        }
    }

    fn shown(self) -> &'static str {
        match self {
            Accepts::Text => "a text",
            Accepts::Sized => "a text, a list or an object",
            Accepts::Clock => "a time or a duration",
            Accepts::Calendar => "a time",
            Accepts::Plain => "a single value",
            Accepts::List => "a list or the JSON text of one",
            Accepts::Anything => "anything",
        }
    }
}

/// What a function accepts first and then, and what it gives.
fn signature(name: &str) -> (Accepts, Accepts, Type) {
    match name {
        "size" => (Accepts::Sized, Accepts::Anything, Type::Int),
        "contains" | "startsWith" | "endsWith" | MATCHES | GLOB | IP_IN => {
            (Accepts::Text, Accepts::Text, Type::Bool)
        }
        GIVEN => (Accepts::Anything, Accepts::Anything, Type::Bool),
        "bool" => (Accepts::Plain, Accepts::Anything, Type::Bool),
        "bytes" => (Accepts::Plain, Accepts::Anything, Type::Bytes),
        "double" | "num" => (Accepts::Plain, Accepts::Anything, Type::Double),
        "duration" => (Accepts::Plain, Accepts::Anything, Type::Duration),
        "int" => (Accepts::Plain, Accepts::Anything, Type::Int),
        "uint" => (Accepts::Plain, Accepts::Anything, Type::Uint),
        "string" => (Accepts::Plain, Accepts::Anything, Type::Text),
        "text" | "fold" | "plain" => (Accepts::Text, Accepts::Anything, Type::Text),
        "timestamp" | "time" => (Accepts::Plain, Accepts::Anything, Type::Time),
        "type" => (Accepts::Anything, Accepts::Anything, Type::Kind),
        // The items of what is from outside are, too.
        "list" => (
            Accepts::List,
            Accepts::Anything,
            Type::List(Box::new(Type::Json)),
        ),
        "getHours" | "getMinutes" | "getSeconds" | "getMilliseconds" => {
            (Accepts::Clock, Accepts::Text, Type::Int)
        }
        _ if name.starts_with("get") => (Accepts::Calendar, Accepts::Text, Type::Int),
        _ => (Accepts::Anything, Accepts::Anything, Type::Any),
    }
}

impl<'p> Typer<'p> {
    /// A call of a function, which the check has found to exist and to take so many arguments.
    pub(super) fn infer_function(&mut self, call: &'p CallExpr) -> Type {
        let name = call.func_name.as_str();
        let (first, then, result) = signature(name);
        let operands = call.target.as_deref().into_iter().chain(&call.args);
        for (position, operand) in operands.enumerate() {
            let found = self.infer(operand);
            let accepts = if position == 0 { first } else { then };
            if !accepts.is(&found) {
                let text = shown(operand);
                let message = format!(
                    "`{name}` needs {}, and `{text}` is {found}",
                    accepts.shown()
                );
                let help = help(name, call, &found);
                self.error(operand, message, help);
            }
        }
        result
    }
}

/// What to write instead.
fn help(name: &str, call: &CallExpr, found: &Type) -> String {
    let mut operands = call.target.as_deref().into_iter().chain(&call.args);
    let (Some(of), part) = (operands.next(), operands.next()) else {
        return String::new();
    };
    let list = shown(of);
    let Type::List(items) = found else {
        if *found == Type::Text && name.starts_with("get") {
            return format!("`time({list})` makes a time of a text");
        }
        return String::new();
    };
    match (name, part) {
        ("contains", Some(part)) => format!("`{} in {list}`", shown(part)),
        ("startsWith" | "endsWith" | MATCHES, Some(part)) => {
            format!("`{list}.exists(item, item.{name}({}))`", shown(part))
        }
        (GLOB | IP_IN, Some(part)) => {
            format!("`{list}.exists(item, {name}(item, {}))`", shown(part))
        }
        ("string" | "text" | "fold" | "plain", _) if **items == Type::Text => {
            format!("each of its items: `{list}.exists(item, {name}(item) == \"…\")`")
        }
        _ => String::new(),
    }
}
