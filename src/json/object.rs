//! Writes objects member by member, without a type for the whole.

use serde::Serialize;

use super::text::{scalar, string};

/// An object under construction, for records that are written with every request. Its names are
/// constants that need no escaping.
#[derive(Debug)]
pub struct Object<'t> {
    to: &'t mut Vec<u8>,
    is_empty: bool,
}

impl<'t> Object<'t> {
    /// Appends the beginning of an object.
    pub fn begin(to: &'t mut Vec<u8>) -> Self {
        to.push(b'{');
        Object { to, is_empty: true }
    }

    /// Appends the end.
    pub fn end(self) {
        self.to.push(b'}');
    }

    fn name(&mut self, name: &'static str) {
        let before: &[u8] = if self.is_empty { b"\"" } else { b",\"" };
        self.is_empty = false;
        self.to.extend_from_slice(before);
        self.to.extend_from_slice(name.as_bytes());
        self.to.extend_from_slice(b"\":");
    }

    /// A string.
    pub fn text(&mut self, name: &'static str, text: &str) {
        self.name(name);
        string(text, |piece| self.to.extend_from_slice(piece));
    }

    /// A string, if there is one.
    pub fn text_if(&mut self, name: &'static str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(name, text);
        }
    }

    /// An array of strings.
    pub fn texts<'a>(&mut self, name: &'static str, texts: impl Iterator<Item = &'a str>) {
        self.name(name);
        self.to.push(b'[');
        for (index, text) in texts.enumerate() {
            if index > 0 {
                self.to.push(b',');
            }
            string(text, |piece| self.to.extend_from_slice(piece));
        }
        self.to.push(b']');
    }

    /// An object whose members `write` adds, if its source is present.
    pub fn object_if<T>(
        &mut self,
        name: &'static str,
        of: Option<&T>,
        write: impl FnOnce(&T, &mut Object<'_>),
    ) {
        if let Some(of) = of {
            self.name(name);
            let mut object = Object::begin(self.to);
            write(of, &mut object);
            object.end();
        }
    }

    /// Anything else.
    pub fn value(&mut self, name: &'static str, value: &impl Serialize) {
        self.name(name);
        scalar(value, |piece| self.to.extend_from_slice(piece));
    }

    /// Anything else, if there is one.
    pub fn value_if(&mut self, name: &'static str, value: Option<&impl Serialize>) {
        if let Some(value) = value {
            self.value(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_its_members_in_their_order() {
        let mut text = b"before ".to_vec();
        let mut object = Object::begin(&mut text);
        object.text("b", "a\"\né");
        object.text_if("absent", None);
        object.text_if("a", Some(""));
        object.texts("none", [].into_iter());
        object.texts("two", ["x", "\\"].into_iter());
        object.object_if("inner", Some(&-1.5), |of, object| {
            object.value("number", of);
        });
        object.object_if("empty", Some(&()), |(), _| {});
        object.object_if("absent", None::<&()>, |(), _| {});
        object.value_if("absent", None::<&u8>);
        object.value_if("flag", Some(&true));
        object.end();
        let expected = concat!(
            r#"before {"b":"a\"\né","a":"","none":[],"two":["x","\\"],"#,
            r#""inner":{"number":-1.5},"empty":{},"flag":true}"#,
        );
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }
}
