//! The search path: under which full names a name is looked for, in order.

use dbgctl_linux::etc::resolv_conf::Resolver;

use super::Setup;

/// As text, the longest name of the DNS with the dot at its end.
const LONGEST_BYTES: usize = 254;
/// What the GNU C library and musl have room for.
const GLIBC_BYTES: usize = 1024;
const MUSL_BYTES: usize = 255;

/// The candidates for `name`. Where a resolver looks on depends on the answers.
pub(super) fn of(setup: &Setup, name: &[u8]) -> Vec<Vec<u8>> {
    match setup.resolver {
        Resolver::Glibc => glibc(setup, name),
        Resolver::Musl => musl(setup, name),
        Resolver::Go => go(setup, name),
    }
}

fn dots(name: &[u8]) -> u32 {
    u32::try_from(name.iter().filter(|&&byte| byte == b'.').count()).unwrap_or(u32::MAX)
}

fn join(name: &[u8], domain: &[u8]) -> Vec<u8> {
    [name, b".", domain].concat()
}

/// An alias, if it has no dots. First as it is, if it has enough of them; then in each domain; then as it is, if it was not that yet.
fn glibc(setup: &Setup, name: &[u8]) -> Vec<Vec<u8>> {
    let as_it_is = || vec![name.to_vec()];
    if name.ends_with(b".") {
        return as_it_is();
    }
    let alias = setup.aliases.iter().find(|alias| dots(name) == 0 && alias.of.eq_ignore_ascii_case(name));
    if let Some(alias) = alias {
        return vec![alias.name.clone()];
    }
    let (dots, is_first) = (dots(name), dots(name) >= setup.conf.ndots);
    let mut names = if is_first { as_it_is() } else { Vec::new() };
    let mut root_is_listed = false;
    for domain in &setup.search {
        // "." in the search path is the name as it is.
        let domain = domain.strip_prefix(b".").unwrap_or(domain);
        root_is_listed |= domain.is_empty();
        if name.len() + domain.len() < GLIBC_BYTES {
            names.push(join(name, domain));
        }
    }
    let may_be_top_level = dots > 0 || setup.search.is_empty() || !setup.conf.no_tld_query;
    if !is_first && !root_is_listed && may_be_top_level {
        names.extend(as_it_is());
    }
    names
}

/// With enough dots only as it is; else in each domain, then as it is.
fn musl(setup: &Setup, name: &[u8]) -> Vec<Vec<u8>> {
    let is_only = dots(name) >= setup.conf.ndots || name.ends_with(b".");
    let search = if is_only { &[] } else { setup.search.as_slice() };
    let fits = |domain: &&Vec<u8>| name.len() + 1 + domain.len() < MUSL_BYTES + 1;
    let in_domains = search.iter().filter(fits).map(|domain| join(name, domain));
    in_domains.chain([name.to_vec()]).collect()
}

/// As the GNU C library, but that a root in the search path is nothing special, and that names of the Tor network are left out.
fn go(setup: &Setup, name: &[u8]) -> Vec<Vec<u8>> {
    let is_dns = |name: &Vec<u8>| {
        let ends = name.strip_suffix(b".").unwrap_or(name);
        let onion = ends.len().checked_sub(6).map(|at| &ends[at..]);
        name.len() <= LONGEST_BYTES && !onion.is_some_and(|end| end.eq_ignore_ascii_case(b".onion"))
    };
    if name.ends_with(b".") {
        return Some(name.to_vec()).filter(is_dns).into_iter().collect();
    }
    let as_it_is = [name, b"."].concat();
    let is_first = dots(name) >= setup.conf.ndots;
    let in_domains = setup.search.iter().map(|domain| {
        let rooted = if domain.ends_with(b".") { &b""[..] } else { b"." };
        [name, b".", domain, rooted].concat()
    });
    let (first, last) = if is_first { (Some(as_it_is), None) } else { (None, Some(as_it_is)) };
    first.into_iter().chain(in_domains).chain(last).filter(is_dns).collect()
}

/// Whether the GNU C library asks a server for a name at all: letters, digits, `-`, `_` and dots.
pub(super) fn is_glibc_host_name(name: &[u8]) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !name.starts_with(b"-") && name.iter().all(is_plain) && super::message::name(name).is_some()
}

/// Whether Go takes a name for one of the DNS.
pub(super) fn is_go_domain_name(name: &[u8]) -> bool {
    if name == b"." {
        return true;
    }
    let unrooted = name.strip_suffix(b".").unwrap_or(name);
    let is_label = |label: &[u8]| {
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        (1..=63).contains(&label.len())
            && !label.starts_with(b"-")
            && !label.ends_with(b"-")
            && label.iter().all(is_plain)
    };
    unrooted.len() < LONGEST_BYTES
        && unrooted.split(|&byte| byte == b'.').all(is_label)
        && !unrooted.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(resolver: Resolver, conf: &str, name: &str) -> Vec<String> {
        let setup = Setup::for_test(resolver, conf);
        of(&setup, name.as_bytes()).into_iter().map(|name| String::from_utf8(name).unwrap()).collect()
    }

    #[test]
    fn too_few_dots_ask_the_domains_first() {
        let conf = "search a.test b.test.\noptions ndots:2\n";
        for resolver in [Resolver::Glibc, Resolver::Musl, Resolver::Go] {
            let trimmed: Vec<_> = candidates(resolver, conf, "db.x")
                .iter()
                .map(|name| name.strip_suffix('.').unwrap_or(name).to_owned())
                .collect();
            assert_eq!(trimmed, ["db.x.a.test", "db.x.b.test", "db.x"], "{resolver:?}");
            assert_eq!(candidates(resolver, conf, "db.").len(), 1);
        }
    }

    #[test]
    fn enough_dots_end_the_search_of_musl_only() {
        let count = |resolver| candidates(resolver, "search a.test b.test\n", "db.x").len();
        assert_eq!([Resolver::Glibc, Resolver::Musl, Resolver::Go].map(count), [3, 1, 3]);
    }

    #[test]
    fn the_root_in_the_search_path_is_the_name_as_it_is() {
        assert_eq!(candidates(Resolver::Glibc, "search . a.test\n", "db"), ["db.", "db.a.test"]);
    }

    #[test]
    fn names_that_are_never_asked_for_are_known() {
        assert!(is_glibc_host_name(b"_x.example-1.") && !is_glibc_host_name("é".as_bytes()));
        assert!(!is_glibc_host_name(b"-x") && !is_glibc_host_name(b"a..b") && !is_glibc_host_name(b"a b"));
        assert!(is_go_domain_name(b"a.b.") && !is_go_domain_name(b"1.2") && !is_go_domain_name(b"a-.b"));
        assert!(candidates(Resolver::Go, "", "x.ONION").is_empty());
    }
}
