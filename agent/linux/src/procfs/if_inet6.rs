//! `/proc/self/net/if_inet6`: the IPv6 addresses of the network namespace, of which only the numbers of interfaces are
//! read.
//!
//! Format: proc_pid_net(5). Address, number of the interface, length of the prefix, scope, flags, all in hexadecimal, and the
//! name of the interface.

use crate::{Buffer, ProcName, ReadError, Root};

const BOUND_BYTES: usize = 1 << 20;

/// The number of the interface `name`. `None`: it has no IPv6 address, or is not there.
///
/// # Errors
///
/// [`ReadError::Io`]: not there where the kernel has no IPv6.
pub fn index(root: &Root, name: &[u8], buffer: &mut Buffer) -> Result<Option<u32>, ReadError> {
    Ok(parse(root.read(&ProcName::own("net/if_inet6"), BOUND_BYTES, buffer)?.bytes, name))
}

/// Parses the text of the file.
pub fn parse(text: &[u8], name: &[u8]) -> Option<u32> {
    text.split(|&byte| byte == b'\n').find_map(|line| {
        let mut fields = line.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty());
        let number = fields.nth(1)?;
        let is_it = fields.nth(3)? == name;
        is_it.then(|| u32::from_str_radix(str::from_utf8(number).ok()?, 16).ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn an_interface_has_a_number() {
        let text = b"00000000000000000000000000000001 01 80 10 80       lo\nfe800000000000000042acfffe110002 1a 40 20 80     eth0\n";
        assert_eq!(
            [b"lo".as_slice(), b"eth0", b"eth"].map(|name| parse(text, name)),
            [Some(1), Some(26), None]
        );
    }
}
