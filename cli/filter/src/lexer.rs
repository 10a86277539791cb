//! From text to tokens, by the rules of pcap-filter(7): the longest that fits, and of equal ones a reserved word first.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::error::{Error, Fault, Span};
use crate::literal;
use crate::words;

/// What the expression is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Token {
    /// A reserved word, by its one name.
    Word(&'static str),
    /// An operator or a bracket. `=` is `==`, `&&` is the word `and`, `!` is `not`.
    Sign(&'static str),
    Number(u32),
    /// The address, and how many bits of it were given.
    Dotted(Ipv4Addr, u32),
    Ipv6(Ipv6Addr),
    Mac([u8; 6]),
    /// What may be the name of a host, a port or a protocol.
    Name(String),
}

/// A token, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spanned {
    pub(crate) token: Token,
    pub(crate) span: Span,
}

/// Longer ones before those that they start with.
const SIGNS: &[(&str, Token)] = &[
    ("&&", Token::Word("and")),
    ("||", Token::Word("or")),
    (">=", Token::Sign(">=")),
    ("<=", Token::Sign("<=")),
    ("!=", Token::Sign("!=")),
    ("==", Token::Sign("==")),
    ("<<", Token::Sign("<<")),
    (">>", Token::Sign(">>")),
    ("=", Token::Sign("==")),
    ("!", Token::Word("not")),
    ("+", Token::Sign("+")),
    ("-", Token::Sign("-")),
    ("*", Token::Sign("*")),
    ("/", Token::Sign("/")),
    ("%", Token::Sign("%")),
    (":", Token::Sign(":")),
    ("[", Token::Sign("[")),
    ("]", Token::Sign("]")),
    ("<", Token::Sign("<")),
    (">", Token::Sign(">")),
    ("(", Token::Sign("(")),
    (")", Token::Sign(")")),
    ("&", Token::Sign("&")),
    ("|", Token::Sign("|")),
    ("^", Token::Sign("^")),
];

/// Takes an expression apart.
pub(crate) fn tokens(expression: &str) -> Result<Vec<Spanned>, Error> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(next) = expression[at..].chars().next() {
        if matches!(next, ' ' | '\r' | '\n' | '\t') {
            at += 1;
            continue;
        }
        let (length, token) = first(&expression[at..]);
        let span = at..at + length;
        at = span.end;
        let token = token.map_err(|fault| Error::new(expression, span.clone(), fault))?;
        tokens.push(Spanned { token, span });
    }
    Ok(tokens)
}

/// The token that a text starts with, and its length. The text is not empty, and neither is the token.
fn first(text: &str) -> (usize, Result<Token, Fault>) {
    if let Some((sign, token)) = SIGNS.iter().find(|(sign, _)| text.starts_with(sign)) {
        let ipv6 = literal::ipv6_length(text);
        if ipv6 <= sign.len() {
            return (sign.len(), Ok(token.clone()));
        }
    }
    if let Some(quoted) = text.strip_prefix('\\') {
        let length = literal::quoted_length(quoted);
        if length > 0 {
            return (1 + length, Ok(Token::Name(quoted[..length].to_owned())));
        }
    }
    // Of equally long ones the first.
    let forms: [(usize, Form); 6] = [
        (literal::mac_length(text), |text| Ok(Token::Mac(literal::mac(text)))),
        (literal::number_length(text), |text| literal::number(text).map(Token::Number)),
        (literal::dotted_length(text), |text| {
            literal::dotted(text).map(|(address, bits)| Token::Dotted(address, bits))
        }),
        (literal::ipv6_length(text), |text| literal::ipv6(text).map(Token::Ipv6)),
        (literal::broken_mac_length(text), |text| {
            Err(Fault::new(format!("`{text}` is no MAC address: six bytes, colons between them")))
        }),
        (literal::name_length(text), |text| Ok(named(text))),
    ];
    let longest = forms.iter().rev().max_by_key(|(length, _)| *length);
    match longest {
        Some((length, form)) if *length > 0 => {
            let token = match words::reserved(&text[..*length]) {
                Some(word) => Ok(Token::Word(word)),
                None => form(&text[..*length]),
            };
            (*length, token)
        }
        _ => {
            let stray = text.chars().next().unwrap_or_default();
            let fault = Fault::new(format!("`{}` has no meaning in a filter", stray.escape_default()));
            (stray.len_utf8(), Err(fault))
        }
    }
}

type Form = fn(&str) -> Result<Token, Fault>;

fn named(text: &str) -> Token {
    match words::number(text) {
        Some(value) => Token::Number(value),
        None => Token::Name(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<Token> {
        tokens(text).unwrap().into_iter().map(|spanned| spanned.token).collect()
    }

    #[test]
    fn the_longest_form_wins() {
        assert_eq!(kinds("tcp-syn"), [Token::Number(2)]);
        assert_eq!(kinds("tcp-"), [Token::Word("tcp"), Token::Sign("-")]);
        assert_eq!(kinds("80-90"), [Token::Name("80-90".to_owned())]);
        assert_eq!(kinds("6:2]"), [Token::Number(6), Token::Sign(":"), Token::Number(2), Token::Sign("]")]);
        assert_eq!(kinds("::1"), [Token::Ipv6("::1".parse().unwrap())]);
        assert_eq!(kinds("1.2.3.4.5"), [Token::Name("1.2.3.4.5".to_owned())]);
        assert_eq!(kinds("123456789012"), [Token::Mac([0x12, 0x34, 0x56, 0x78, 0x90, 0x12])]);
        assert_eq!(kinds("\\port!"), [Token::Name("port".to_owned()), Token::Word("not")]);
    }

    #[test]
    fn what_is_no_token_is_pointed_at() {
        let error = tokens("tcp ; udp").unwrap_err();
        assert_eq!(error.span(), 4..5);
        let error = tokens("host 1.2.3.400").unwrap_err();
        assert_eq!(
            (error.span(), error.message()),
            (5..14, "`1.2.3.400` is no IPv4 address: `400` is not a number from 0 to 255")
        );
        let error = tokens("ether host 0:1:2:3:4:5:6").unwrap_err();
        assert_eq!(error.span(), 11..23);
    }
}
