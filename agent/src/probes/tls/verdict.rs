//! Whether a client in the target would go on, and why not. All that is wrong is found, not only the first of it.

use std::sync::Arc;
use std::time::Duration;

use dbgctl_proto::bounds::{LONGEST_CHAIN_BYTES, MOST_CERTIFICATES};
use dbgctl_proto::v1;
use dbgctl_proto::v1::TlsProblemKind as Kind;
use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, Error, KeyUsage};

use super::session::{Presented, provider};
use super::{Options, trust};
use crate::sources::Sources;

/// Judges what was presented, and puts it into the handshake.
pub(in crate::probes) async fn judge(
    handshake: &mut v1::TlsHandshake,
    presented: Presented,
    options: &Options,
    sources: &Arc<Sources>,
    lacks_ptrace: bool,
) {
    let Presented { chain, bad_signature } = presented;
    if chain.is_empty() {
        return;
    }
    let store = trust::read(sources.clone(), options.trust_path.clone(), lacks_ptrace).await;
    if let Some(why) = bad_signature {
        handshake.problems.push(problem(Kind::BadHandshakeSignature, why));
    }
    handshake.problems.extend(problems(&chain, options, &store.anchors, UnixTime::now()));
    handshake.trust = Some(store.told);
    let mut room = LONGEST_CHAIN_BYTES;
    for certificate in &chain {
        room = room.saturating_sub(certificate.len());
        if room == 0 || handshake.certificates.len() == MOST_CERTIFICATES {
            break;
        }
        handshake.certificates.push(certificate.to_vec());
    }
    let left_out = chain.len() - handshake.certificates.len();
    handshake.certificates_left_out = u32::try_from(left_out).unwrap_or(u32::MAX);
}

fn problem(kind: Kind, detail: impl Into<String>) -> v1::TlsProblem {
    v1::TlsProblem { kind: kind.into(), detail: detail.into() }
}

fn problems(
    chain: &[CertificateDer<'_>],
    options: &Options,
    anchors: &[TrustAnchor<'_>],
    now: UnixTime,
) -> Vec<v1::TlsProblem> {
    let Some((own, others)) = chain.split_first() else { return Vec::new() };
    let own = match EndEntityCert::try_from(own) {
        Ok(own) => own,
        Err(error) => return vec![problem(Kind::Malformed, error.to_string())],
    };
    let mut problems = Vec::new();
    if let Err(error) = own.verify_is_valid_for_subject_name(&options.server_name) {
        let kind =
            if let Error::CertNotValidForName(_) = error { Kind::NameMismatch } else { Kind::Malformed };
        problems.push(problem(kind, format!("it is not for {}", options.server_name.to_str())));
    }
    match verify(&own, others, anchors, now) {
        Ok(()) => {}
        Err(Error::CertExpired { not_after, .. }) => {
            problems.push(problem(Kind::Expired, ""));
            let then = not_after.as_secs().saturating_sub(1);
            problems.extend(beside_time(&own, others, anchors, then));
        }
        Err(Error::CertNotValidYet { not_before, .. }) => {
            problems.push(problem(Kind::NotYetValid, ""));
            problems.extend(beside_time(&own, others, anchors, not_before.as_secs().saturating_add(1)));
        }
        Err(error) => problems.push(chain_problem(&error, &own, others)),
    }
    problems
}

/// What is wrong beside the time, as it was when the one at fault was valid.
fn beside_time(
    own: &EndEntityCert<'_>,
    others: &[CertificateDer<'_>],
    anchors: &[TrustAnchor<'_>],
    then_unix_seconds: u64,
) -> Option<v1::TlsProblem> {
    let then = UnixTime::since_unix_epoch(Duration::from_secs(then_unix_seconds));
    match verify(own, others, anchors, then) {
        Ok(()) => None,
        // The others in the chain were not valid then, which says nothing about today. At least it is known whom it leads to.
        Err(Error::CertExpired { .. } | Error::CertNotValidYet { .. }) => {
            let is_known =
                leads_to(own, others, |name, _| anchors.iter().any(|it| it.subject.as_ref() == name));
            (!is_known).then(|| chain_problem(&Error::UnknownIssuer, own, others))
        }
        Err(error) => Some(chain_problem(&error, own, others)),
    }
}

fn verify(
    own: &EndEntityCert<'_>,
    others: &[CertificateDer<'_>],
    anchors: &[TrustAnchor<'_>],
    when: UnixTime,
) -> Result<(), Error> {
    let algorithms = provider().signature_verification_algorithms;
    own.verify_for_usage(algorithms.all, anchors, others, when, KeyUsage::server_auth(), None, None).map(drop)
}

fn chain_problem(error: &Error, own: &EndEntityCert<'_>, others: &[CertificateDer<'_>]) -> v1::TlsProblem {
    let is_self_signed = own.issuer() == own.subject();
    let kind = match error {
        // As such it may well say that it is an authority.
        Error::UnknownIssuer | Error::CaUsedAsEndEntity if is_self_signed => Kind::SelfSigned,
        Error::UnknownIssuer if leads_to(own, others, |_, is_root| is_root) => Kind::UnknownIssuer,
        Error::UnknownIssuer => Kind::IssuerNotSent,
        Error::InvalidSignatureForPublicKey => Kind::BadSignature,
        Error::CaUsedAsEndEntity | Error::RequiredEkuNotFoundContext(_) => Kind::WrongPurpose,
        Error::BadDer | Error::BadDerTime | Error::TrailingData(_) | Error::UnsupportedCertVersion => {
            Kind::Malformed
        }
        _ => Kind::Other,
    };
    problem(kind, error.to_string())
}

/// Whether the certificates that were sent lead to a name of which that holds; it is told whether who has it signed itself.
fn leads_to(
    own: &EndEntityCert<'_>,
    others: &[CertificateDer<'_>],
    is_wanted: impl Fn(&[u8], bool) -> bool,
) -> bool {
    let others: Vec<_> = others.iter().filter_map(|it| EndEntityCert::try_from(it).ok()).collect();
    let mut issuer = own.issuer();
    // As often as there are certificates: they may lead in a circle.
    for _ in 0..=others.len() {
        let next = others.iter().find(|it| it.subject() == issuer);
        if is_wanted(issuer, next.is_some_and(|next| next.issuer() == next.subject())) {
            return true;
        }
        let Some(next) = next else { return false };
        issuer = next.issuer();
    }
    false
}
