//! `/etc/hosts` of the target: addresses of names, without a server.
//!
//! Format: hosts(5).

use std::net::IpAddr;

use super::resolv_conf::Resolver;

/// What is read of the file.
pub const BOUND_BYTES: usize = 1 << 20;

/// As many addresses of one name as are taken.
const MOST_ADDRESSES: usize = 64;

/// musl takes no more of a line.
const MUSL_LINE_BYTES: usize = 511;

/// The addresses of `name` in the order of the lines, as `resolver` finds them.
///
/// Upper and lower case are the same, but not to musl; a dot at the end is nothing to Go, and part of the name to others.
pub fn addresses(text: &[u8], name: &[u8], resolver: Resolver) -> Vec<IpAddr> {
    let is_it = |field: &[u8]| match resolver {
        Resolver::Glibc => field.eq_ignore_ascii_case(name),
        Resolver::Musl => field == name,
        Resolver::Go => unrooted(field).eq_ignore_ascii_case(unrooted(name)),
    };
    let mut found = Vec::new();
    for line in text.split(|&byte| byte == b'\n') {
        let line = if resolver == Resolver::Musl { &line[..line.len().min(MUSL_LINE_BYTES)] } else { line };
        let line = line.split(|&byte| byte == b'#').next().unwrap_or_default();
        let mut fields = line.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty());
        let Some(address) = fields.next().and_then(|field| str::from_utf8(field).ok()?.parse().ok()) else {
            continue;
        };
        if fields.any(is_it) && found.len() < MOST_ADDRESSES && !found.contains(&address) {
            found.push(address);
        }
    }
    found
}

fn unrooted(name: &[u8]) -> &[u8] {
    name.strip_suffix(b".").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_resolver_compares_names_in_its_own_way() {
        let text = b"127.0.0.1 localhost\n::1 localhost # web\n10.0.0.7\tDB db.example.com # db2\nnonsense db\n10.0.0.8 db";
        let found = |name: &[u8], resolver| {
            addresses(text, name, resolver).iter().map(IpAddr::to_string).collect::<Vec<_>>()
        };
        assert_eq!(found(b"localhost", Resolver::Glibc), ["127.0.0.1", "::1"]);
        assert_eq!(found(b"db", Resolver::Glibc), ["10.0.0.7", "10.0.0.8"]);
        assert_eq!(found(b"db", Resolver::Musl), ["10.0.0.8"]);
        assert_eq!(found(b"db.", Resolver::Go), ["10.0.0.7", "10.0.0.8"]);
        assert!(found(b"db2", Resolver::Glibc).is_empty() && found(b"db.", Resolver::Glibc).is_empty());
    }
}
