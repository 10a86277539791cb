//! Types of records, by name and number.

use std::borrow::Cow;
use std::net::IpAddr;
use std::str::FromStr;

/// A type of records by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kind(pub(super) u16);

/// From the registry of the IANA, those that people ask for.
const NAMES: &[(u16, &str)] = &[
    (1, "A"),
    (2, "NS"),
    (5, "CNAME"),
    (6, "SOA"),
    (12, "PTR"),
    (13, "HINFO"),
    (15, "MX"),
    (16, "TXT"),
    (28, "AAAA"),
    (33, "SRV"),
    (35, "NAPTR"),
    (39, "DNAME"),
    (43, "DS"),
    (44, "SSHFP"),
    (46, "RRSIG"),
    (47, "NSEC"),
    (48, "DNSKEY"),
    (52, "TLSA"),
    (64, "SVCB"),
    (65, "HTTPS"),
    (255, "ANY"),
    (257, "CAA"),
];

impl Kind {
    pub(super) const PTR: Self = Self(12);

    /// `MX`, or `TYPE4711` as RFC 3597 writes it.
    pub(super) fn name(number: u32) -> Cow<'static, str> {
        let known = NAMES.iter().find(|(known, _)| u32::from(*known) == number);
        known.map_or_else(|| format!("TYPE{number}").into(), |(_, name)| (*name).into())
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let upper = text.to_ascii_uppercase();
        let by_name = NAMES.iter().find(|(_, name)| *name == upper).map(|(number, _)| *number);
        let number = by_name.or_else(|| upper.strip_prefix("TYPE").unwrap_or(&upper).parse().ok());
        number
            .filter(|&number| number > 0)
            .map(Self)
            .ok_or_else(|| "expected a type of records such as a, aaaa, mx, srv, or its number".to_owned())
    }
}

/// The name of an address in the tree of addresses: RFC 1035 3.5, RFC 3596 2.5.
pub(super) fn reverse(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa.")
        }
        IpAddr::V6(address) => {
            let digits = address.octets().into_iter().rev().flat_map(|byte| [byte & 0xf, byte >> 4]);
            let labels: String = digits.map(|digit| format!("{digit:x}.")).collect();
            format!("{labels}ip6.arpa.")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_names_and_numbers() {
        assert_eq!(["mx", "TYPE257", "65"].map(|text| text.parse::<Kind>().unwrap().0), [15, 257, 65]);
        assert_eq!([15, 4711].map(Kind::name), ["MX", "TYPE4711"]);
        assert!(["", "0", "65536", "x"].iter().all(|text| text.parse::<Kind>().is_err()));
    }

    #[test]
    fn an_address_has_a_name_backwards() {
        assert_eq!(reverse([10, 0, 0, 7].into()), "7.0.0.10.in-addr.arpa.");
        let name = reverse("fd00::12".parse().unwrap());
        assert!(name.starts_with("2.1.0.0.") && name.ends_with("0.0.d.f.ip6.arpa."), "{name}");
    }
}
