//! From tokens to a tree, by the grammar of pcap-filter(7).
//!
//! What is peculiar to it: `and` and `or` bind alike; a value without qualifiers takes those of the term before it
//! (`port 80 or 81`); a parenthesis may hold terms, values, or a calculation, which is known only when it is read.

use crate::error::{Error, Fault, Span};
use crate::lexer::{Spanned, Token, tokens};
use crate::primitive::Found;
use crate::tree::{Body, Chain, Expression, Identity, Junction, Primitive, Qualifiers, Relation, Term};

/// How deep parentheses may be nested. The parser calls itself for each of them.
const DEEPEST: usize = 100;

/// Parses an expression. One that is empty wants every packet.
pub fn parse(expression: &str) -> Result<Expression, Error> {
    let mut parser = Parser { text: expression, tokens: tokens(expression)?, at: 0, depth: 0 };
    let chain = match parser.tokens.is_empty() {
        true => None,
        false => Some(parser.chain(Context::Start)?.0),
    };
    match parser.peek() {
        None => Ok(Expression { text: expression.to_owned(), chain }),
        Some(Token::Sign(")")) => Err(parser.fault_here(Fault::new("there is no `(` to this `)`"))),
        Some(_) => Err(parser.surplus()),
    }
}

pub(crate) struct Parser<'t> {
    pub(crate) text: &'t str,
    pub(crate) tokens: Vec<Spanned>,
    pub(crate) at: usize,
    depth: usize,
}

/// What stands before a term, and whether a value may stand in its place.
#[derive(Clone, Copy)]
pub(crate) enum Context {
    /// Nothing that a value could take its qualifiers from.
    Start,
    /// A term or qualifiers: `None` if that term has none.
    After(Option<Qualifiers>),
}

/// What a term turned out to be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Term,
    /// A value, which took its qualifiers from what is before it.
    Value,
    /// Several values in parentheses.
    Values,
}

struct Parsed {
    term: Term,
    form: Form,
    /// What a value behind it takes.
    qualifiers: Option<Qualifiers>,
}

impl Parser<'_> {
    fn chain(&mut self, context: Context) -> Result<(Chain, Form), Error> {
        let Parsed { term: first, form, mut qualifiers } = self.term(context)?;
        let mut rest = Vec::new();
        loop {
            let junction = match self.peek() {
                Some(Token::Word("and")) => Junction::And,
                Some(Token::Word("or")) => Junction::Or,
                _ => return Ok((Chain { first, rest }, form)),
            };
            self.advance();
            let start = self.here();
            let next = self.term(Context::After(qualifiers))?;
            if form != Form::Term && next.form == Form::Term {
                let fault = Fault::new("parentheses that start with a value hold values only");
                return Err(self.fault(start.start..self.end_of_last(), fault));
            }
            qualifiers = next.qualifiers;
            rest.push((junction, next.term));
        }
    }

    fn term(&mut self, context: Context) -> Result<Parsed, Error> {
        let mut negated = false;
        let mut negations = 0;
        while self.take_word("not") {
            negated = !negated;
            negations += 1;
        }
        let mut parsed = self.positive_term(context)?;
        parsed.term.negated ^= negated;
        if negations > 0 && parsed.form == Form::Values {
            parsed.form = Form::Value;
        }
        Ok(parsed)
    }

    fn positive_term(&mut self, context: Context) -> Result<Parsed, Error> {
        let start = self.here();
        match self.peek() {
            Some(Token::Number(_) | Token::Sign("(" | "-")) => {
                if let Some(relation) = self.attempt_relation(context)? {
                    return Ok(self.primitive_since(start, relation, None));
                }
                match (self.peek(), context) {
                    (Some(Token::Sign("(")), _) => self.group(context),
                    (_, Context::After(qualifiers)) => self.value(qualifiers),
                    (_, Context::Start) => Err(self.unqualified()),
                }
            }
            Some(Token::Dotted(..) | Token::Ipv6(_) | Token::Mac(_) | Token::Name(_)) => match context {
                Context::After(qualifiers) => self.value(qualifiers),
                Context::Start => Err(self.unqualified()),
            },
            Some(Token::Word(word)) => {
                let word = *word;
                if word == "len" || self.is_sign(1, "[") {
                    let relation = self.relation()?;
                    return Ok(self.primitive_since(start, relation, None));
                }
                self.word(word)
            }
            _ => Err(self.expected("what to look for")),
        }
    }

    /// `( … )`: terms, or values.
    fn group(&mut self, context: Context) -> Result<Parsed, Error> {
        if let Some(number) = self.number_in_parentheses() {
            let Context::After(qualifiers) = context else { return Err(self.unqualified()) };
            return self.identity(qualifiers, Identity::Number(number.0), number.1);
        }
        self.nested(|parser| {
            let open = parser.here();
            parser.advance();
            let (chain, form) = parser.chain(context)?;
            if form == Form::Values {
                let fault = Fault::new("values need one pair of parentheses only");
                return Err(parser.fault(open, fault.suggest("remove this one and its end")));
            }
            if !parser.take_sign(")") {
                return Err(parser.unclosed(open));
            }
            let before = match context {
                Context::Start => None,
                Context::After(qualifiers) => qualifiers,
            };
            let form = if form == Form::Term { Form::Term } else { Form::Values };
            let term = Term { negated: false, body: Body::Group(Box::new(chain)) };
            Ok(Parsed { term, form, qualifiers: before })
        })
    }

    /// `80`, `(80)`, `((80))` as a value: the number, and how many tokens.
    fn number_in_parentheses(&self) -> Option<(u32, usize)> {
        let opening = (0..).take_while(|ahead| self.is_sign(*ahead, "(")).count();
        let Some(Token::Number(number)) = self.peek_at(opening) else { return None };
        let closed = (0..opening).all(|ahead| self.is_sign(opening + 1 + ahead, ")"));
        closed.then_some((*number, 2 * opening + 1))
    }

    /// What qualifiers apply to: a value, `not` and a value, or several in parentheses.
    pub(crate) fn qualified(&mut self, qualifiers: Qualifiers, start: usize) -> Result<Term, Error> {
        let ahead = (0..).find(|ahead| !self.is_sign(*ahead, "(") && !self.is_word(*ahead, "not"));
        let is_value = matches!(
            ahead.and_then(|ahead| self.peek_at(ahead)),
            Some(Token::Number(_) | Token::Dotted(..) | Token::Ipv6(_) | Token::Mac(_) | Token::Name(_))
        );
        if !is_value {
            return Err(self.value_expected(qualifiers));
        }
        let mut negated = false;
        while self.take_word("not") {
            negated = !negated;
        }
        let mut parsed = match self.peek() {
            Some(Token::Sign("(")) => self.group(Context::After(Some(qualifiers)))?,
            _ => self.value(Some(qualifiers))?,
        };
        if parsed.form == Form::Term {
            return Err(
                self.fault(start..self.end_of_last(), Fault::new("only values can stand behind a qualifier"))
            );
        }
        parsed.term.negated ^= negated;
        Ok(parsed.term)
    }

    fn value(&mut self, qualifiers: Option<Qualifiers>) -> Result<Parsed, Error> {
        if let Some((number, length)) = self.number_in_parentheses() {
            return self.identity(qualifiers, Identity::Number(number), length);
        }
        let (identity, length) = self.address()?;
        self.identity(qualifiers, identity, length)
    }

    fn identity(
        &mut self,
        qualifiers: Option<Qualifiers>,
        identity: Identity,
        length: usize,
    ) -> Result<Parsed, Error> {
        let start = self.here();
        let Some(qualifiers) = qualifiers else { return Err(self.unqualified()) };
        self.at += length;
        let primitive = Primitive::Identity(qualifiers, identity);
        Ok(Parsed { form: Form::Value, ..self.primitive_since(start, primitive, Some(qualifiers)) })
    }

    /// A comparison, if what stands here is one. What is none may still be a value or a group.
    fn attempt_relation(&mut self, context: Context) -> Result<Option<Primitive>, Error> {
        let start = self.at;
        match self.arithmetic() {
            Ok(_) if self.peek_relation().is_some() => {
                self.at = start;
                self.relation().map(Some)
            }
            result => {
                let lone_calculation = result.is_ok() && !matches!(context, Context::After(_));
                let error = self.expected("a comparison");
                let is_number = self.tokens[start..self.at]
                    .iter()
                    .all(|token| matches!(token.token, Token::Number(_) | Token::Sign("(" | ")")));
                self.at = start;
                match lone_calculation && !is_number {
                    true => Err(error),
                    false => Ok(None),
                }
            }
        }
    }

    fn relation(&mut self) -> Result<Primitive, Error> {
        let left = self.arithmetic()?;
        let Some(relation) = self.peek_relation() else { return Err(self.expected("a comparison")) };
        self.advance();
        let right = self.arithmetic()?;
        Ok(Primitive::Relation { left, relation, right })
    }

    fn peek_relation(&self) -> Option<Relation> {
        let Some(Token::Sign(sign)) = self.peek() else { return None };
        match *sign {
            ">" => Some(Relation::Greater),
            ">=" => Some(Relation::GreaterOrEqual),
            "==" => Some(Relation::Equal),
            "<=" => Some(Relation::LessOrEqual),
            "<" => Some(Relation::Less),
            "!=" => Some(Relation::NotEqual),
            _ => None,
        }
    }
}

/// Looking at tokens, and taking them.
impl Parser<'_> {
    pub(crate) fn peek(&self) -> Option<&Token> {
        self.peek_at(0)
    }

    pub(crate) fn peek_at(&self, ahead: usize) -> Option<&Token> {
        self.tokens.get(self.at + ahead).map(|spanned| &spanned.token)
    }

    pub(crate) fn is_sign(&self, ahead: usize, sign: &str) -> bool {
        matches!(self.peek_at(ahead), Some(Token::Sign(found)) if *found == sign)
    }

    pub(crate) fn is_word(&self, ahead: usize, word: &str) -> bool {
        matches!(self.peek_at(ahead), Some(Token::Word(found)) if *found == word)
    }

    pub(crate) fn advance(&mut self) {
        self.at += 1;
    }

    pub(crate) fn take_sign(&mut self, sign: &str) -> bool {
        let found = self.is_sign(0, sign);
        self.at += usize::from(found);
        found
    }

    pub(crate) fn take_word(&mut self, word: &str) -> bool {
        let found = self.is_word(0, word);
        self.at += usize::from(found);
        found
    }

    pub(crate) fn close(&mut self) -> Result<(), Error> {
        match self.take_sign(")") {
            true => Ok(()),
            false => Err(self.expected("`)`")),
        }
    }

    /// Runs what calls the parser again, unless that would go too deep.
    pub(crate) fn nested<T>(
        &mut self,
        inner: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if self.depth == DEEPEST {
            return Err(self.fault_here(Fault::new(format!(
                "more than {DEEPEST} parentheses or brackets inside each other"
            ))));
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    fn primitive_since(&self, start: Span, primitive: Primitive, qualifiers: Option<Qualifiers>) -> Parsed {
        let span = start.start..self.end_of_last();
        let term = Term { negated: false, body: Body::Primitive(primitive, span) };
        Parsed { term, form: Form::Term, qualifiers }
    }

    fn word(&mut self, word: &'static str) -> Result<Parsed, Error> {
        let start = self.here();
        Ok(match self.primitive(word)? {
            Found::Primitive(primitive) => self.primitive_since(start, primitive, None),
            Found::Qualified(term, qualifiers) => {
                Parsed { term, form: Form::Term, qualifiers: Some(qualifiers) }
            }
        })
    }
}
