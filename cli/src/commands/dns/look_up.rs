//! A look-up that another question began with: how it was made, and what was wrong with it.

use dbgctl_proto::v1::{LookUpVerdict, NameLookUp, Resolver};

use super::row::QuestionRow;
use super::{asked_as, findings, header_fields, verdict_fields};
use crate::render::Object;

/// The contract's own bound.
const MOST_QUESTIONS: usize = 32;

/// `as musl does it`
pub(crate) fn rules(look_up: Option<&NameLookUp>) -> Option<String> {
    let header = look_up?.header.as_ref()?;
    let is_known = Resolver::try_from(header.resolver).is_ok_and(|it| it != Resolver::Unspecified);
    is_known.then(|| format!("as {} does it", super::resolver_name(header.resolver)))
}

/// Why there is no address, in the sentences of `dns`, and how it was asked for. Nothing, if there is one.
pub(crate) fn sentences(host: &str, look_up: Option<&NameLookUp>) -> Vec<String> {
    let Some(NameLookUp { header: Some(header), verdict, questions }) = look_up else { return Vec::new() };
    if verdict.as_ref().is_some_and(|verdict| !verdict.addresses.is_empty()) {
        return Vec::new();
    }
    let rows: Vec<_> =
        questions.iter().take(MOST_QUESTIONS).map(|row| QuestionRow::new(row.clone())).collect();
    let verdicts: &[LookUpVerdict] = verdict.as_slice();
    let mut sentences = findings::of(host, header, &rows, verdicts);
    sentences.push(asked_as(header));
    sentences.extend(header.remarks.iter().take(findings::MOST).cloned());
    sentences
}

/// `look_up`: null, if the host is an address.
pub(crate) fn fields(look_up: Option<&NameLookUp>, object: &mut Object<'_>) {
    let Some(look_up) = look_up else { return object.null("look_up") };
    object.object("look_up", |object| {
        header_fields(&look_up.header.clone().unwrap_or_default(), object);
        match &look_up.verdict {
            Some(verdict) => object.object("verdict", |object| verdict_fields(verdict, object)),
            None => object.null("verdict"),
        }
    });
}
