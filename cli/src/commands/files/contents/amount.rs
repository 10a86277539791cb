//! How much of a file: lines, or bytes with a unit.

use std::str::FromStr;

/// Lines or bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Amount {
    Lines(u64),
    Bytes(u64),
}

impl FromStr for Amount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(lines) = text.parse() {
            return Ok(Self::Lines(lines));
        }
        let bytes = super::super::size(text).map(Self::Bytes);
        bytes.map_err(|_| "expected a number of lines such as 20, or of bytes such as 20K".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::Amount::{self, Bytes, Lines};

    #[test]
    fn a_unit_makes_lines_bytes() {
        let amount = |text: &str| text.parse::<Amount>();
        assert_eq!(
            (amount("20"), amount("20K"), amount("7b")),
            (Ok(Lines(20)), Ok(Bytes(20_480)), Ok(Bytes(7)))
        );
        assert!(amount("-1").is_err() && amount("x").is_err());
    }
}
