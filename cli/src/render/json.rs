//! Rows as JSON: one object per line, under the field names of the contract.
//!
//! Bytes that are valid UTF-8 become strings, others `{"base64": "…"}`: what the target wrote can be had
//! back exactly. Characters that could mislead a terminal are written as `\uXXXX`, which any JSON reader
//! turns back. Absent is `null`, unlimited is `"max"`, and an enum's value is its name in lower case,
//! without the enum's prefix.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::escape::misleads;

/// A JSON object being written.
pub(crate) struct Object<'a> {
    out: &'a mut String,
    first: bool,
}

/// Appends an object with the fields that `fields` writes.
pub(super) fn object(out: &mut String, fields: impl FnOnce(&mut Object<'_>)) {
    out.push('{');
    fields(&mut Object { out, first: true });
    out.push('}');
}

impl Object<'_> {
    /// Our own names need no escaping.
    fn name(&mut self, name: &str) -> &mut String {
        if !self.first {
            self.out.push(',');
        }
        self.first = false;
        self.out.push('"');
        self.out.push_str(name);
        self.out.push_str("\":");
        self.out
    }

    /// A field that is absent, unreadable or does not apply.
    pub(crate) fn null(&mut self, name: &str) {
        self.name(name).push_str("null");
    }

    /// A whole number, or `null`.
    pub(crate) fn number(&mut self, name: &str, value: impl Into<Option<u64>>) {
        match value.into() {
            Some(value) => {
                let _ = write!(self.name(name), "{value}");
            }
            None => self.null(name),
        }
    }

    /// A whole number that may be negative, or `null`.
    pub(crate) fn signed(&mut self, name: &str, value: impl Into<Option<i64>>) {
        match value.into() {
            Some(value) => {
                let _ = write!(self.name(name), "{value}");
            }
            None => self.null(name),
        }
    }

    /// A number with two decimals, or `null`, also for what JSON has no number for.
    pub(crate) fn decimal(&mut self, name: &str, value: impl Into<Option<f64>>) {
        match value.into() {
            Some(value) if value.is_finite() => {
                let _ = write!(self.name(name), "{value:.2}");
            }
            _ => self.null(name),
        }
    }

    /// True or false.
    pub(crate) fn flag(&mut self, name: &str, value: bool) {
        self.name(name).push_str(if value { "true" } else { "false" });
    }

    /// Text, or `null`.
    pub(crate) fn text<'t>(&mut self, name: &str, value: impl Into<Option<&'t str>>) {
        match value.into() {
            Some(value) => quote(value, Astral::Surrogates, self.name(name)),
            None => self.null(name),
        }
    }

    /// Bytes that came from the target, or `null`.
    pub(crate) fn raw<'t>(&mut self, name: &str, value: impl Into<Option<&'t [u8]>>) {
        match value.into() {
            Some(value) => raw(value, self.name(name)),
            None => self.null(name),
        }
    }

    /// A list of bytes that came from the target.
    pub(crate) fn raws<'t>(&mut self, name: &str, values: impl IntoIterator<Item = &'t [u8]>) {
        let out = self.name(name);
        list(out, values, raw);
    }

    /// A list of whole numbers.
    pub(crate) fn numbers(&mut self, name: &str, values: impl IntoIterator<Item = u64>) {
        let out = self.name(name);
        list(out, values, |value, out| {
            let _ = write!(out, "{value}");
        });
    }

    /// A list of texts.
    pub(crate) fn texts<'t>(&mut self, name: &str, values: impl IntoIterator<Item = &'t str>) {
        let out = self.name(name);
        list(out, values, |value, out| quote(value, Astral::Surrogates, out));
    }

    /// An object within.
    pub(crate) fn object(&mut self, name: &str, fields: impl FnOnce(&mut Object<'_>)) {
        object(self.name(name), fields);
    }

    /// A list of objects, one for each of `values`.
    pub(crate) fn objects<T>(
        &mut self,
        name: &str,
        values: impl IntoIterator<Item = T>,
        mut fields: impl FnMut(T, &mut Object<'_>),
    ) {
        let out = self.name(name);
        list(out, values, |value, out| object(out, |inner| fields(value, inner)));
    }
}

fn list<T>(out: &mut String, values: impl IntoIterator<Item = T>, mut write: impl FnMut(T, &mut String)) {
    out.push('[');
    for (nth, value) in values.into_iter().enumerate() {
        if nth > 0 {
            out.push(',');
        }
        write(value, out);
    }
    out.push(']');
}

fn raw(bytes: &[u8], out: &mut String) {
    match str::from_utf8(bytes) {
        Ok(text) => quote(text, Astral::Surrogates, out),
        Err(_) => {
            out.push_str("{\"base64\":\"");
            STANDARD.encode_string(bytes, out);
            out.push_str("\"}");
        }
    }
}

/// How an escape names a character beyond U+FFFF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Astral {
    /// As two halves: JSON knows no other way.
    Surrogates,
    /// As `\UXXXXXXXX`: the only way in YAML.
    Long,
}

/// Appends `text` as a quoted string that is safe to show on a terminal.
pub(super) fn quote(text: &str, astral: Astral, out: &mut String) {
    out.push('"');
    let plain = |byte: u8| matches!(byte, b' '..=b'~') & (byte != b'"') & (byte != b'\\');
    if text.bytes().fold(true, |all, byte| all & plain(byte)) {
        out.push_str(text);
    } else {
        text.chars().for_each(|character| quote_char(character, astral, out));
    }
    out.push('"');
}

fn quote_char(character: char, astral: Astral, out: &mut String) {
    match character {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        _ if !misleads(character) => out.push(character),
        '\u{10000}'.. if astral == Astral::Long => {
            let _ = write!(out, "\\U{:08x}", u32::from(character));
        }
        _ => {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn written(fields: impl FnOnce(&mut Object<'_>)) -> String {
        let mut out = String::new();
        object(&mut out, fields);
        out
    }

    #[test]
    fn fields_keep_their_order_and_absent_is_null() {
        let text = written(|object| {
            object.number("pid", 7);
            object.signed("nice", -20);
            object.number("swap_bytes", None);
            object.decimal("cpu_percent", 1.0);
            object.decimal("odd", f64::NAN);
            object.flag("cut", true);
            object.raws("arguments", [b"a b".as_slice(), b"\xff"]);
            object.objects("gaps", [1, 2], |n, gap| gap.number("count", n));
        });
        assert_eq!(
            text,
            r#"{"pid":7,"nice":-20,"swap_bytes":null,"cpu_percent":1.00,"odd":null,"cut":true,"arguments":["a b",{"base64":"/w=="}],"gaps":[{"count":1},{"count":2}]}"#
        );
    }

    #[test]
    fn a_terminal_that_shows_json_is_not_misled() {
        let text = written(|object| object.text("name", "\u{9b}\u{7f}\u{202e}\u{e0041}\x1b\"\\"));
        assert_eq!(text, r#"{"name":"\u009b\u007f\u202e\udb40\udc41\u001b\"\\"}"#);
    }

    proptest! {
        #[test]
        fn any_bytes_come_back_exactly(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let text = written(|object| object.raw("command", bytes.as_slice()));

            prop_assert!(!text.chars().any(misleads));
            let value: Value = serde_json::from_str(&text).unwrap();
            let back = match &value["command"] {
                Value::String(text) => text.clone().into_bytes(),
                other => STANDARD.decode(other["base64"].as_str().unwrap()).unwrap(),
            };
            prop_assert_eq!(back, bytes);
        }

        #[test]
        fn any_text_comes_back_exactly(name in any::<String>()) {
            let text = written(|object| object.text("name", name.as_str()));

            prop_assert!(!text.chars().any(misleads));
            let value: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(value["name"].as_str(), Some(name.as_str()));
        }
    }
}
