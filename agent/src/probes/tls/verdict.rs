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
    // What is expired or not yet valid is judged once more, at a time when it was.
    let mut when = now;
    for _ in 0..=MOST_CERTIFICATES {
        let Err(error) = verify(&own, others, anchors, when) else { break };
        let seconds = |time: UnixTime| time.as_secs();
        let (found, then) = match error {
            Error::CertExpired { not_after, .. } => (Kind::Expired, seconds(not_after).saturating_sub(1)),
            Error::CertNotValidYet { not_before, .. } => (Kind::NotYetValid, seconds(not_before) + 1),
            other => {
                problems.push(chain_problem(&other, &own, others));
                break;
            }
        };
        // Two of which one ends before the other begins are never valid at the same time.
        if problems.iter().any(|known| known.kind() == found) {
            break;
        }
        problems.push(problem(found, ""));
        when = UnixTime::since_unix_epoch(Duration::from_secs(then));
    }
    problems
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
        Error::UnknownIssuer if leads_to_a_root(own, others) => Kind::UnknownIssuer,
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

/// Whether the certificates that were sent lead to one that has signed itself.
fn leads_to_a_root(own: &EndEntityCert<'_>, others: &[CertificateDer<'_>]) -> bool {
    let others: Vec<_> = others.iter().filter_map(|it| EndEntityCert::try_from(it).ok()).collect();
    let mut issuer = own.issuer();
    for _ in 0..others.len() {
        let Some(next) = others.iter().find(|it| it.subject() == issuer) else { return false };
        if next.issuer() == next.subject() {
            return true;
        }
        issuer = next.issuer();
    }
    false
}
