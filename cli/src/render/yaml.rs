//! Values as YAML: the same as JSON, laid out for reading.
//!
//! Strings are always quoted, as in JSON, so that no name can turn into a number, a date or a "no".

use std::fmt::Write as _;

use serde_json::Value;

use super::json::{Astral, quote};

/// Appends `value` as one element of a list at the outermost level.
pub(super) fn element(value: &Value, out: &mut String) {
    out.push_str("- ");
    block(value, 2, out);
}

/// Appends `value`, whose first line has been indented already, and ends the line.
fn block(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (nth, (name, value)) in fields.iter().enumerate() {
                if nth > 0 {
                    spaces(indent, out);
                }
                let _ = write!(out, "{name}:");
                nested(value, indent + 2, out);
            }
        }
        Value::Array(values) if !values.is_empty() => {
            for (nth, value) in values.iter().enumerate() {
                if nth > 0 {
                    spaces(indent, out);
                }
                out.push_str("- ");
                block(value, indent + 2, out);
            }
        }
        Value::String(text) => {
            quote(text, Astral::Long, out);
            out.push('\n');
        }
        // Numbers, booleans, null, `{}` and `[]` are written alike in both.
        other => {
            let _ = writeln!(out, "{other}");
        }
    }
}

/// Appends `value` after a name: on the same line if it is one, else below.
fn nested(value: &Value, indent: usize, out: &mut String) {
    let below = match value {
        Value::Object(fields) => !fields.is_empty(),
        Value::Array(values) => !values.is_empty(),
        _ => false,
    };
    if below {
        out.push('\n');
        spaces(indent, out);
    } else {
        out.push(' ');
    }
    block(value, indent, out);
}

fn spaces(count: usize, out: &mut String) {
    out.extend(std::iter::repeat_n(' ', count));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nesting_is_indented_and_strings_are_quoted() {
        let mut out = String::new();
        element(
            &json!({
                "pid": 1,
                "command": "no",
                "arguments": ["a\nb", {"base64": "/w=="}],
                "details": {"swap_bytes": null, "wait_channel": "\u{e0041}"},
                "gaps": [],
            }),
            &mut out,
        );
        assert_eq!(
            out,
            concat!(
                "- pid: 1\n",
                "  command: \"no\"\n",
                "  arguments:\n",
                "    - \"a\\nb\"\n",
                "    - base64: \"/w==\"\n",
                "  details:\n",
                "    swap_bytes: null\n",
                "    wait_channel: \"\\U000e0041\"\n",
                "  gaps: []\n",
            )
        );
    }
}
