//! A certificate as a row.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::net::IpAddr;

use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use crate::render::{Column, Emphasis, Object, Row};

/// Names of a certificate in a table; all of them are in JSON.
const NAMES_SHOWN: usize = 4;
/// The most names that are kept. Whoever sends more wants to flood.
const MOST_NAMES: usize = 1024;
/// The longest name that is kept. Of a longer one the rest is left out.
const LONGEST_NAME_BYTES: usize = 512;

const DAY_SECONDS: i64 = 24 * 60 * 60;

/// A certificate that a server sent.
#[derive(Debug)]
pub(in crate::commands) struct Certificate {
    /// 0: the server's own.
    place: u32,
    /// `None`: it can not be understood.
    known: Option<Known>,
    now_unix_seconds: i64,
}

#[derive(Debug)]
struct Known {
    subject: String,
    issuer: String,
    /// Names and addresses that it is for.
    names: Vec<String>,
    not_before_unix_seconds: i64,
    not_after_unix_seconds: i64,
}

impl Certificate {
    pub(super) fn parse(place: u32, der: &[u8], now_unix_seconds: i64) -> Self {
        let known = X509Certificate::from_der(der).ok().map(|(_, certificate)| {
            let validity = certificate.validity();
            Known {
                subject: cut(certificate.subject().to_string()),
                issuer: cut(certificate.issuer().to_string()),
                names: names(&certificate),
                not_before_unix_seconds: validity.not_before.timestamp(),
                not_after_unix_seconds: validity.not_after.timestamp(),
            }
        });
        Self { place, known, now_unix_seconds }
    }

    /// What is wrong with it today, if it is, or will be soon. For a sentence.
    pub(super) fn trouble(&self) -> Option<String> {
        let known = self.known.as_ref()?;
        let days = |seconds: i64| seconds / DAY_SECONDS;
        let left = known.not_after_unix_seconds.saturating_sub(self.now_unix_seconds);
        let until = known.not_before_unix_seconds.saturating_sub(self.now_unix_seconds);
        let subject = &known.subject;
        if left < 0 {
            Some(format!(
                "`{subject}` expired {} days ago, on {}",
                days(-left),
                date(known.not_after_unix_seconds)
            ))
        } else if until > 0 {
            Some(format!("`{subject}` is valid only from {} on", date(known.not_before_unix_seconds)))
        } else if left < 14 * DAY_SECONDS {
            Some(format!(
                "`{subject}` expires in {} days, on {}",
                days(left),
                date(known.not_after_unix_seconds)
            ))
        } else {
            None
        }
    }

    /// What it is for, in a few words.
    pub(super) fn is_for(&self) -> Option<String> {
        let known = self.known.as_ref()?;
        Some(if known.names.is_empty() { "no name at all".to_owned() } else { some(&known.names) })
    }

    pub(super) fn issuer(&self) -> Option<&str> {
        Some(&self.known.as_ref()?.issuer)
    }

    fn is_valid_now(&self) -> bool {
        self.known.as_ref().is_some_and(|known| {
            (known.not_before_unix_seconds..=known.not_after_unix_seconds).contains(&self.now_unix_seconds)
        })
    }
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(alternatives)) = certificate.subject_alternative_name() else { return Vec::new() };
    let names = alternatives.value.general_names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(cut((*name).to_owned())),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            let ip = v4.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from));
            ip.ok().map(|ip| ip.to_string())
        }
        _ => None,
    });
    names.take(MOST_NAMES).collect()
}

fn cut(mut text: String) -> String {
    if text.len() > LONGEST_NAME_BYTES {
        text.truncate(text.floor_char_boundary(LONGEST_NAME_BYTES));
        text.push('…');
    }
    text
}

fn some(names: &[String]) -> String {
    let mut text = names.iter().take(NAMES_SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > NAMES_SHOWN {
        let _infallible = write!(text, " and {} more", names.len() - NAMES_SHOWN);
    }
    text
}

fn date(unix_seconds: i64) -> String {
    jiff::Timestamp::from_second(unix_seconds)
        .map_or_else(|_| "a day beyond the calendar".to_owned(), |time| time.strftime("%Y-%m-%d").to_string())
}

impl Row for Certificate {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::written("#", |row: &Self, cell| cell.show(row.place)).right(),
        Column::text("SUBJECT", |row| {
            row.known
                .as_ref()
                .map_or(Cow::Borrowed("(can not be understood)"), |it| it.subject.as_str().into())
        }),
        Column::maybe("ISSUER", |row: &Self| row.issuer().map(Cow::Borrowed)),
        Column::maybe("NAMES", |row: &Self| {
            let names = &row.known.as_ref()?.names;
            (!names.is_empty()).then(|| some(names).into())
        })
        .if_any(),
        Column::maybe("EXPIRES", |row: &Self| {
            row.known.as_ref().map(|it| date(it.not_after_unix_seconds).into())
        }),
    ];

    fn fields(&self, object: &mut Object<'_>) {
        let known = self.known.as_ref();
        object.number("place", u64::from(self.place));
        object.text("subject", known.map(|it| it.subject.as_str()));
        object.text("issuer", known.map(|it| it.issuer.as_str()));
        object.texts("names", known.map_or(&[][..], |it| &it.names).iter().map(String::as_str));
        object.signed("not_before_unix_seconds", known.map(|it| it.not_before_unix_seconds));
        object.signed("not_after_unix_seconds", known.map(|it| it.not_after_unix_seconds));
    }

    fn emphasis(&self) -> Emphasis {
        if self.is_valid_now() { Emphasis::None } else { Emphasis::Alarming }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn whatever_a_server_sends_is_a_row(der in prop::collection::vec(any::<u8>(), 0..2000)) {
            let certificate = Certificate::parse(0, &der, 0);
            prop_assert!(certificate.known.is_none() && certificate.trouble().is_none());
        }
    }

    #[test]
    fn floods_of_names_are_cut() {
        let names: Vec<_> = (0..9).map(|number| format!("n{number}")).collect();
        assert_eq!(some(&names), "n0, n1, n2, n3 and 5 more");
        assert_eq!(cut("ä".repeat(1000)).len(), LONGEST_NAME_BYTES + '…'.len_utf8());
        assert_eq!(date(i64::MAX), "a day beyond the calendar");
    }
}
