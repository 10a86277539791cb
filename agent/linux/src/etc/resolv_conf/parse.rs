//! The file as each of the resolvers takes it.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::{MOST_DOMAINS, MOST_SERVERS, ResolvConf, Resolver, Server};

/// No resolver tries more often than musl's 10 times, but for Go, which has no bound of its own.
const MOST_ATTEMPTS: u32 = 100;

/// musl ignores longer lines.
const MUSL_LINE_BYTES: usize = 255;

/// What is said about a file at most.
const MOST_REMARKS: usize = 8;

/// Reads the text of the file as `resolver` does. Empty text stands for a missing file.
pub fn parse(text: &[u8], resolver: Resolver) -> ResolvConf {
    let mut conf = ResolvConf::new();
    let mut lines = text.split_inclusive(|&byte| byte == b'\n');
    let take = match resolver {
        Resolver::Glibc => glibc_line,
        Resolver::Musl => musl_line,
        Resolver::Go => go_line,
    };
    lines.by_ref().for_each(|line| take(line, &mut conf));
    if conf.servers.is_empty() {
        conf.servers = ResolvConf::defaults(resolver);
        conf.remark(|| "resolv.conf names no server: the resolver asks one on localhost".to_owned());
    }
    if resolver == Resolver::Musl && conf.attempts == 0 {
        conf.remark(|| {
            "`attempts:0` makes musl divide by zero: a program that looks up a name crashes".to_owned()
        });
    }
    conf.search.truncate(MOST_DOMAINS);
    conf
}

impl ResolvConf {
    /// Heeds more options behind those of the file, as the GNU C library does those of `RES_OPTIONS`.
    pub fn heed_options(&mut self, options: &[u8]) {
        words(options, |byte| matches!(byte, b' ' | b'\t' | b'\n'))
            .for_each(|option| glibc_option(option, self));
    }

    /// Takes another search path than that of the file, as the GNU C library does that of `LOCALDOMAIN`. Empty: none.
    pub fn heed_domains(&mut self, domains: &[u8]) {
        let line = domains.split(|&byte| byte == b'\n').next().unwrap_or_default();
        let domains = words(line, |byte| matches!(byte, b' ' | b'\t'));
        self.search = domains.take(MOST_DOMAINS).map(<[u8]>::to_vec).collect();
    }

    fn remark(&mut self, words: impl FnOnce() -> String) {
        if self.remarks.len() < MOST_REMARKS {
            self.remarks.push(words());
        }
    }

    fn server(&mut self, server: Option<Server>, word: &[u8]) {
        match server {
            Some(_) if self.servers.len() == MOST_SERVERS => {
                self.remark(|| format!("server {} is never asked: three come before it", shown(word)));
            }
            Some(server) => self.servers.push(server),
            None => self.remark(|| format!("`nameserver {}` is no address, and is ignored", shown(word))),
        }
    }
}

/// `keyword`, then a blank: what follows. The GNU C library and musl take no blanks ahead of it.
fn after<'l>(line: &'l [u8], keyword: &str, is_blank: fn(&u8) -> bool) -> Option<&'l [u8]> {
    let rest = line.strip_prefix(keyword.as_bytes())?;
    is_blank(rest.first()?).then_some(rest)
}

fn words(line: &[u8], is_blank: fn(&u8) -> bool) -> impl Iterator<Item = &[u8]> {
    line.split(is_blank).filter(|word| !word.is_empty())
}

fn glibc_line(line: &[u8], conf: &mut ResolvConf) {
    let is_blank: fn(&u8) -> bool = |byte| matches!(byte, b' ' | b'\t');
    let is_end: fn(&u8) -> bool = |byte| matches!(byte, b' ' | b'\t' | b'\n');
    if let Some(rest) = after(line, "domain", is_blank) {
        if let Some(domain) = words(rest, is_end).next() {
            conf.search = vec![domain.to_vec()];
        }
    } else if let Some(rest) = after(line, "search", is_blank) {
        let domains: Vec<_> = words(rest, is_end).map(<[u8]>::to_vec).collect();
        if !domains.is_empty() {
            conf.search = domains;
        }
    } else if let Some(rest) = after(line, "nameserver", is_blank) {
        let word = words(rest, is_end).next().unwrap_or_default();
        conf.server(server(word, address(word)), word);
    } else if let Some(rest) = after(line, "options", is_blank) {
        words(rest, is_end).for_each(|option| glibc_option(option, conf));
    }
}

fn glibc_option(option: &[u8], conf: &mut ResolvConf) {
    // The library compares the beginnings of options only, in this order.
    let number = |name: &str, most: i64| {
        let number = leading_number(option.strip_prefix(name.as_bytes())?);
        Some(number.min(most))
    };
    let at_least_0 = |number: i64| u32::try_from(number).unwrap_or(0);
    if let Some(ndots) = number("ndots:", 15) {
        // It has four bits for the number.
        conf.ndots = at_least_0(ndots & 15);
    } else if let Some(seconds) = number("timeout:", 30) {
        conf.timeout = Duration::from_secs(at_least_0(seconds).into());
    } else if let Some(attempts) = number("attempts:", 5) {
        conf.attempts = at_least_0(attempts);
    } else if option.starts_with(b"rotate") {
        conf.rotate = true;
    } else if option.starts_with(b"edns0") {
        conf.edns0 = true;
    } else if option.starts_with(b"single-request-reopen") {
        conf.single_request_reopen = true;
    } else if option.starts_with(b"single-request") {
        conf.single_request = true;
    } else if option.starts_with(b"no_tld_query") || option.starts_with(b"no-tld-query") {
        conf.no_tld_query = true;
    } else if option.starts_with(b"use-vc") {
        conf.use_vc = true;
    } else if option.starts_with(b"trust-ad") {
        conf.trust_ad = true;
    } else if option.starts_with(b"no-aaaa") {
        conf.no_aaaa = true;
    }
}

fn musl_line(line: &[u8], conf: &mut ResolvConf) {
    if line.len() > MUSL_LINE_BYTES {
        conf.remark(|| format!("musl ignores a line of {} bytes that begins `{}`", line.len(), shown(line)));
        return;
    }
    let is_space: fn(&u8) -> bool = |byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c);
    if after(line, "options", is_space).is_some() {
        let number = |name: &str, most: u32| {
            let at = line.windows(name.len()).position(|window| window == name.as_bytes())?;
            let digits = &line[at + name.len()..];
            let is_number = digits.first().is_some_and(u8::is_ascii_digit);
            is_number.then(|| u32::try_from(leading_number(digits)).unwrap_or(u32::MAX).min(most))
        };
        conf.ndots = number("ndots:", 15).unwrap_or(conf.ndots);
        conf.attempts = number("attempts:", 10).unwrap_or(conf.attempts);
        conf.timeout =
            number("timeout:", 60).map_or(conf.timeout, |seconds| Duration::from_secs(seconds.into()));
    } else if let Some(rest) = after(line, "nameserver", is_space) {
        let word = words(rest, is_space).next().unwrap_or_default();
        conf.server(server(word, address(word)), word);
    } else if let Some(rest) = after(line, "domain", is_space).or_else(|| after(line, "search", is_space)) {
        conf.search = words(rest, is_space).map(<[u8]>::to_vec).collect();
    }
}

fn go_line(line: &[u8], conf: &mut ResolvConf) {
    if matches!(line.first(), Some(b';' | b'#')) {
        return;
    }
    let is_blank: fn(&u8) -> bool = |byte| matches!(byte, b' ' | b'\r' | b'\t' | b'\n');
    let mut words = words(line, is_blank);
    match words.next() {
        Some(b"nameserver") => {
            let Some(word) = words.next() else { return };
            let strict = |word: &[u8]| str::from_utf8(word).ok()?.parse().ok();
            conf.server(server(word, strict(word)), word);
        }
        Some(b"domain") => {
            if let Some(domain) = words.next() {
                conf.search = vec![domain.to_vec()];
            }
        }
        Some(b"search") => conf.search = words.map(<[u8]>::to_vec).filter(|domain| domain != b".").collect(),
        Some(b"options") => words.for_each(|option| go_option(option, conf)),
        _ => {}
    }
}

fn go_option(option: &[u8], conf: &mut ResolvConf) {
    let number = |name: &str| {
        let digits = option.strip_prefix(name.as_bytes())?;
        let is_number = digits.first().is_some_and(u8::is_ascii_digit);
        Some(if is_number { u32::try_from(leading_number(digits)).unwrap_or(u32::MAX) } else { 0 })
    };
    if let Some(ndots) = number("ndots:") {
        conf.ndots = ndots.min(15);
    } else if let Some(seconds) = number("timeout:") {
        conf.timeout = Duration::from_secs(seconds.max(1).into());
    } else if let Some(attempts) = number("attempts:") {
        conf.attempts = attempts.clamp(1, MOST_ATTEMPTS);
    } else {
        match option {
            b"rotate" => conf.rotate = true,
            b"single-request" | b"single-request-reopen" => conf.single_request = true,
            b"use-vc" | b"usevc" | b"tcp" => conf.use_vc = true,
            b"trust-ad" => conf.trust_ad = true,
            _ => {}
        }
    }
}

/// A server by its word: an address that was understood already, or one of IPv6 with a zone.
fn server(word: &[u8], address: Option<IpAddr>) -> Option<Server> {
    if let Some(address) = address {
        return Some(address.into());
    }
    let at = word.iter().position(|&byte| byte == b'%')?;
    let address: std::net::Ipv6Addr = str::from_utf8(&word[..at]).ok()?.parse().ok()?;
    Some(Server { address: address.into(), zone: Some(word[at + 1..].to_vec()) })
}

/// An address as inet_aton(3) and inet_pton(3) take it: `127.1` and `0x7f000001` are addresses, too.
pub fn address(word: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(word).ok()?;
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    let mut parts = Vec::new();
    for part in text.split('.') {
        let (digits, radix) = match part.strip_prefix("0x").or_else(|| part.strip_prefix("0X")) {
            Some(digits) => (digits, 16),
            None if part.len() > 1 && part.starts_with('0') => (&part[1..], 8),
            None => (part, 10),
        };
        if digits.is_empty() || !digits.bytes().all(|digit| char::from(digit).is_digit(radix)) {
            return None;
        }
        parts.push(u32::from_str_radix(digits, radix).ok()?);
    }
    let (last, before) = parts.split_last()?;
    if before.len() > 3 || before.iter().any(|&part| part > 255) {
        return None;
    }
    let free_bits = 8 * (4 - u32::try_from(before.len()).ok()?);
    if u64::from(*last) >= 1_u64 << free_bits {
        return None;
    }
    let high = before.iter().zip([24, 16, 8]).fold(0, |sum, (part, shift)| sum | part << shift);
    Some(Ipv4Addr::from_bits(high | last).into())
}

/// As strtol(3): a sign, then digits, whatever follows. 0 if there are none.
fn leading_number(text: &[u8]) -> i64 {
    let text = text.trim_ascii_start();
    let (is_negative, digits) = match text.first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let digits = digits.iter().take_while(|byte| byte.is_ascii_digit());
    let number =
        digits.fold(0_i64, |number, digit| number.saturating_mul(10).saturating_add(i64::from(digit - b'0')));
    if is_negative { -number } else { number }
}

fn shown(word: &[u8]) -> String {
    const MOST_BYTES: usize = 60;
    String::from_utf8_lossy(&word[..word.len().min(MOST_BYTES)]).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Resolver; 3] = [Resolver::Glibc, Resolver::Musl, Resolver::Go];

    fn search(text: &str, resolver: Resolver) -> Vec<String> {
        let conf = parse(text.as_bytes(), resolver);
        conf.search.into_iter().map(|domain| String::from_utf8(domain).unwrap()).collect()
    }

    #[test]
    fn the_last_search_line_counts_and_an_empty_one_only_to_some() {
        for resolver in ALL {
            assert_eq!(search("search a b\ndomain c\nsearch d  e\n", resolver), ["d", "e"]);
        }
        let emptied = ALL.map(|resolver| search("search a\nsearch\n", resolver).len());
        assert_eq!(emptied, [1, 0, 0]);
        let indented = ALL.map(|resolver| search(" search a\n", resolver).len());
        assert_eq!(indented, [0, 0, 1]);
    }

    #[test]
    fn bounds_of_options_differ() {
        let conf = |resolver| {
            let conf = parse(b"options ndots:99 timeout:99 attempts:99 rotate use-vc edns0", resolver);
            (conf.ndots, conf.timeout.as_secs(), conf.attempts, conf.options())
        };
        assert_eq!(conf(Resolver::Glibc), (15, 30, 5, vec!["rotate", "use-vc", "edns0"]));
        assert_eq!(conf(Resolver::Musl), (15, 60, 10, vec![]));
        assert_eq!(conf(Resolver::Go), (15, 99, 99, vec!["rotate", "use-vc"]));
    }

    #[test]
    fn three_servers_count_and_a_missing_one_is_localhost() {
        for resolver in ALL {
            let text = b"nameserver 10.0.0.1\nnameserver x\nnameserver fe80::1%eth0\nnameserver ::1\nnameserver 10.0.0.4";
            let conf = parse(text, resolver);
            assert_eq!(conf.servers.len(), 3);
            assert_eq!(conf.servers[1].zone.as_deref(), Some(&b"eth0"[..]));
            assert_eq!(conf.remarks.len(), 2);
        }
        assert_eq!(ALL.map(|resolver| parse(b"", resolver).servers.len()), [1, 1, 2]);
    }

    #[test]
    fn what_the_environment_says_comes_after_the_file() {
        let mut conf = parse(b"search a b\noptions ndots:3 rotate\n", Resolver::Glibc);
        conf.heed_options(b"ndots:5\tuse-vc nonsense");
        conf.heed_domains(b"c  d\te\nf");
        assert_eq!((conf.ndots, conf.options()), (5, vec!["rotate", "use-vc"]));
        assert_eq!(conf.search, [b"c", b"d", b"e"]);
        conf.heed_domains(b"");
        assert!(conf.search.is_empty());
    }

    #[test]
    fn addresses_have_old_forms() {
        let shown = |text: &str| address(text.as_bytes()).map(|address| address.to_string());
        assert_eq!(shown("127.1").as_deref(), Some("127.0.0.1"));
        assert_eq!(shown("0x7f000001").as_deref(), Some("127.0.0.1"));
        assert_eq!(shown("010.0.0.1").as_deref(), Some("8.0.0.1"));
        assert_eq!(["1.2.3.4.5", "256.1.1.1", "1.2.3.256", "", "1.", "08.1"].map(shown), [const { None }; 6]);
    }
}
