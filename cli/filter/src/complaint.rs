//! What the parser says of an expression that it does not understand.

use crate::error::{Error, Fault, Span, nearest};
use crate::lexer::Token;
use crate::parser::Parser;
use crate::tree::{Kind, Qualifiers};
use crate::words;

impl Parser<'_> {
    /// The next token, or the end of the expression.
    pub(crate) fn here(&self) -> Span {
        match self.tokens.get(self.at) {
            Some(token) => token.span.clone(),
            None => self.text.len()..self.text.len(),
        }
    }

    pub(crate) fn end_of_last(&self) -> usize {
        self.at.checked_sub(1).and_then(|last| self.tokens.get(last)).map_or(0, |token| token.span.end)
    }

    pub(crate) fn fault(&self, span: Span, fault: Fault) -> Error {
        Error::new(self.text, span, fault)
    }

    pub(crate) fn fault_here(&self, fault: Fault) -> Error {
        self.fault(self.here(), fault)
    }

    pub(crate) fn written(&self) -> &str {
        self.text.get(self.here()).unwrap_or_default()
    }

    pub(crate) fn expected(&self, what: &str) -> Error {
        let fault = match self.peek() {
            None => Fault::new(format!("the expression ends where {what} should follow")),
            Some(_) => Fault::new(format!("{what} should stand in place of `{}`", self.written())),
        };
        self.fault_here(fault)
    }

    pub(crate) fn unclosed(&self, open: Span) -> Error {
        match self.peek() {
            None => self.fault(open, Fault::new("there is no `)` to this `(`")),
            Some(_) => self.surplus(),
        }
    }

    /// A value where none may stand.
    pub(crate) fn unqualified(&self) -> Error {
        let written = self.written();
        let fault = Fault::new(format!("`{written}` could be anything: nothing says what it is"));
        let suggestion = match self.peek() {
            Some(Token::Name(name)) => match nearest(name, words::all()) {
                Some(word) => format!("did you mean `{word}`?"),
                None => format!("write `host {written}` or `port {written}`"),
            },
            Some(Token::Number(_)) => format!("write `port {written}`, or compare it with something"),
            Some(Token::Mac(_)) => format!("write `ether host {written}`"),
            _ => format!("write `host {written}`"),
        };
        self.fault_here(fault.suggest(suggestion))
    }

    /// Qualifiers with nothing that they qualify.
    pub(crate) fn value_expected(&self, qualifiers: Qualifiers) -> Error {
        let what = match qualifiers.kind {
            Kind::Any | Kind::Host => "an address or the name of a host",
            Kind::Network => "a network",
            Kind::Port => "a port",
            Kind::PortRange => "a range of ports such as 8000-8010",
            Kind::Protocol | Kind::ProtocolChain => "a protocol, by name or number",
        };
        match self.peek() {
            Some(Token::Word(_)) => {
                let written = self.written();
                let fault = Fault::new(format!(
                    "{what} should stand in place of `{written}`, which is a word of the language"
                ));
                self.fault_here(fault.suggest(format!("write `\\{written}` for something of that name")))
            }
            _ => self.expected(what),
        }
    }

    /// Something stands behind a term that is complete.
    pub(crate) fn surplus(&self) -> Error {
        let written = self.written();
        let fault = Fault::new(format!("`and` or `or` should stand before `{written}`"));
        if let Some(fault) = self.short_network() {
            return self.fault_here(fault);
        }
        self.fault_here(match self.peek() {
            Some(Token::Name(name)) => fault.suggest_nearest(name, words::all()),
            Some(Token::Number(_)) => fault.suggest(format!("or did you mean `port {written}`?")),
            Some(Token::Dotted(..) | Token::Ipv6(_)) => {
                fault.suggest(format!("or did you mean `host {written}`?"))
            }
            Some(Token::Sign(_)) => Fault::new(format!("`{written}` makes no sense here")),
            _ => fault,
        })
    }

    /// `net 10/8`: what is a network elsewhere is a number and a division here.
    fn short_network(&self) -> Option<Fault> {
        let before = self.at.checked_sub(1).and_then(|last| self.tokens.get(last));
        match (before.map(|before| &before.token), self.peek(), self.peek_at(1)) {
            (Some(Token::Number(first @ 0..=255)), Some(Token::Sign("/")), Some(Token::Number(prefix))) => {
                let fault = Fault::new(
                    "before the length of a prefix, a network needs at least two bytes of its address",
                );
                Some(fault.suggest(format!("did you mean `{first}.0.0.0/{prefix}`?")))
            }
            _ => None,
        }
    }
}
