//! Names with letters beyond ASCII, and the form in which the DNS has them: UTS 46, RFC 3492.

use icu_normalizer::uts46::Uts46MapperBorrowed;

/// What a label begins with that stands for letters beyond ASCII.
const PREFIX: &str = "xn--";
/// RFC 1035 2.3.4
const LONGEST_LABEL_BYTES: usize = 63;

/// The form in which the DNS has `name`; as it is, if it is ASCII.
///
/// Letters are mapped as UTS 46 has it, without the transition of 2003: `ß` stays one. What it would check besides, as
/// the direction of writing, is left to who registers names.
///
/// # Errors
///
/// What stands in the way, in words.
pub(super) fn to_ascii(name: &str) -> Result<String, String> {
    if name.is_ascii() {
        return Ok(name.to_owned());
    }
    let mapped: String = Uts46MapperBorrowed::new().map_normalize(name.chars()).collect();
    if let Some(bad) = mapped.chars().find(|&char| char == char::REPLACEMENT_CHARACTER || char.is_control()) {
        return Err(if bad == char::REPLACEMENT_CHARACTER {
            "it has a character that no name may have".to_owned()
        } else {
            format!("it has the character {}, which no name may have", bad.escape_default())
        });
    }
    let labels: Result<Vec<_>, _> = mapped.split('.').map(label).collect();
    Ok(labels?.join("."))
}

fn label(label: &str) -> Result<String, String> {
    if label.is_ascii() {
        return Ok(label.to_owned());
    }
    let long =
        || format!("in the form of the DNS the part `{label}` has more than {LONGEST_LABEL_BYTES} bytes");
    let encoded = idna::punycode::encode_str(label).ok_or_else(long)?;
    if PREFIX.len() + encoded.len() > LONGEST_LABEL_BYTES {
        return Err(long());
    }
    Ok(format!("{PREFIX}{encoded}"))
}

#[cfg(test)]
mod tests {
    use super::to_ascii;

    #[test]
    fn letters_are_mapped_and_encoded() {
        for (name, ascii) in [
            ("db_1.Example.", "db_1.Example."),
            ("münchen.example", "xn--mnchen-3ya.example"),
            ("MÜNCHEN.example.", "xn--mnchen-3ya.example."),
            // In two characters, the second of which is put on the first.
            ("mu\u{308}nchen.example", "xn--mnchen-3ya.example"),
            ("straße.example", "xn--strae-oqa.example"),
            ("例え。テスト", "xn--r8jz45g.xn--zckzah"),
            ("ｄｂ.example", "db.example"),
        ] {
            assert_eq!(to_ascii(name).as_deref(), Ok(ascii));
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        assert!(to_ascii(&"ü".repeat(70)).unwrap_err().contains("63 bytes"));
        assert!(to_ascii("ü\u{fffd}.example").is_err() && to_ascii("\u{e000}.example").is_err());
        assert!(to_ascii("ü\u{7}.example").is_err());
    }
}
