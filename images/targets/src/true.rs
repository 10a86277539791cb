//! Writes one byte and exits.

use std::io::Write as _;

fn main() -> std::io::Result<()> {
    std::io::stdout().write_all(b"1")
}
