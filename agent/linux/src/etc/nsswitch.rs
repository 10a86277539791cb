//! `/etc/nsswitch.conf` of the target: where the GNU C library looks for the addresses of a name, in order.
//!
//! Format: nsswitch.conf(5). Go's resolver heeds the file, too; musl does not.

/// What is read of the file.
pub const BOUND_BYTES: usize = 64 << 10;

/// More sources than anyone has.
const MOST_SOURCES: usize = 16;

/// The sources of the database `hosts` in order, for example `files`, `dns`; what to do after each is left out. `None`:
/// the file does not say. Of two lines the last one counts.
pub fn parse(text: &[u8]) -> Option<Vec<String>> {
    text.split(|&byte| byte == b'\n').rev().find_map(hosts)
}

fn hosts(line: &[u8]) -> Option<Vec<String>> {
    let line = line.split(|&byte| byte == b'#').next()?.trim_ascii();
    let sources = line.strip_prefix(b"hosts")?.trim_ascii_start().strip_prefix(b":")?;
    let mut is_action = false;
    let names = sources.split(u8::is_ascii_whitespace).filter(|word| {
        let begins = word.starts_with(b"[");
        let is_name = !is_action && !begins && !word.is_empty();
        is_action = (is_action || begins) && !word.ends_with(b"]");
        is_name
    });
    Some(names.take(MOST_SOURCES).map(|name| String::from_utf8_lossy(name).into_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn sources_come_in_order_and_without_actions() {
        let text = b"passwd: files\nhosts:  files mdns4_minimal [NOTFOUND=return !UNAVAIL=continue] dns # myhostname\n";
        assert_eq!(parse(text).unwrap(), ["files", "mdns4_minimal", "dns"]);
        assert_eq!(parse(b"hosts:\n"), Some(vec![]));
        assert_eq!(parse(b"#hosts: files\nhostsx: dns\n"), None);
    }
}
