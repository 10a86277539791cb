//! A handshake in sentences: what was agreed on, and why a client would not go on.

use dbgctl_proto::v1::{
    TlsHandshake, TlsOutcome, TlsProblem, TlsProblemKind, TlsVersion, TrustSource, TrustStore,
};

use super::certificate::Certificate;
use crate::render::one_line;

/// A version as people write it.
pub(in crate::commands) fn version(version: TlsVersion) -> &'static str {
    match version {
        TlsVersion::V12 => "TLS 1.2",
        TlsVersion::V13 => "TLS 1.3",
        TlsVersion::Unspecified => "an unknown version",
    }
}

/// An outcome in a word or two.
pub(in crate::commands) fn outcome(outcome: TlsOutcome) -> &'static str {
    match outcome {
        TlsOutcome::Unspecified => "unknown",
        TlsOutcome::Finished => "finished",
        TlsOutcome::TimedOut => "timed out",
        TlsOutcome::Closed => "closed",
        TlsOutcome::Alert => "alert",
        TlsOutcome::NotTls => "not tls",
        TlsOutcome::Failed => "failed",
    }
}

/// A kind of problem in a word or two.
pub(in crate::commands) fn kind(kind: TlsProblemKind) -> &'static str {
    match kind {
        TlsProblemKind::Unspecified => "unknown",
        TlsProblemKind::Expired => "expired",
        TlsProblemKind::NotYetValid => "not yet valid",
        TlsProblemKind::NameMismatch => "name mismatch",
        TlsProblemKind::UnknownIssuer => "unknown issuer",
        TlsProblemKind::SelfSigned => "self-signed",
        TlsProblemKind::IssuerNotSent => "issuer not sent",
        TlsProblemKind::BadSignature => "bad signature",
        TlsProblemKind::BadHandshakeSignature => "bad handshake signature",
        TlsProblemKind::WrongPurpose => "wrong purpose",
        TlsProblemKind::Malformed => "malformed",
        TlsProblemKind::Other => "other",
    }
}

/// What went wrong with the handshake, and what is wrong with the certificates, most telling first.
pub(in crate::commands) fn verdicts(handshake: &TlsHandshake, certificates: &[Certificate]) -> Vec<String> {
    let mut lines = Vec::new();
    if handshake.outcome() != TlsOutcome::Finished {
        lines.push(unfinished(handshake));
    }
    for problem in &handshake.problems {
        lines.push(sentence(problem, handshake.trust.as_ref(), certificates));
    }
    let is_known = |of| handshake.problems.iter().any(|problem| problem.kind() == of);
    let dated = is_known(TlsProblemKind::Expired) || is_known(TlsProblemKind::NotYetValid);
    lines.extend(
        certificates
            .iter()
            .filter(|_| !dated)
            .filter_map(Certificate::trouble)
            .map(|it| format!("TLS: {it}")),
    );
    if handshake.trust.as_ref().is_some_and(|store| store.source() == TrustSource::NoneInTarget) {
        lines.push(
            "TLS: the target has no trust store where programs look for one: most clients in it would trust nobody; judged \
             with Mozilla's instead"
                .to_owned(),
        );
    }
    lines
}

/// Why a handshake was not finished.
fn unfinished(handshake: &TlsHandshake) -> String {
    let why = &handshake.error;
    match handshake.outcome() {
        TlsOutcome::NotTls => {
            let first = String::from_utf8_lossy(&handshake.first_bytes);
            let first = first.lines().next().unwrap_or_default();
            format!("TLS: {why}, it begins with `{}`: is this the port for plain text?", one_line(first))
        }
        TlsOutcome::Alert if why.contains("CertificateRequired") || why.contains("BadCertificate") => {
            format!("TLS: {why}: it wants a certificate of the client's")
        }
        TlsOutcome::Alert if why.contains("UnrecognizedName") => {
            format!("TLS: {why}: it does not serve that name, see --sni")
        }
        TlsOutcome::Alert if why.contains("ProtocolVersion") => {
            format!("TLS: {why}: it speaks none of the versions that were offered")
        }
        TlsOutcome::Alert if why.contains("NoApplicationProtocol") => {
            format!("TLS: {why}: it speaks none of the protocols of --alpn")
        }
        _ => format!("TLS: {why}"),
    }
}

fn sentence(problem: &TlsProblem, store: Option<&TrustStore>, certificates: &[Certificate]) -> String {
    let own = certificates.first();
    let TlsProblem { detail, .. } = problem;
    let trusted = store.map_or_else(String::new, |store| format!(" ({})", by(store)));
    match problem.kind() {
        kind @ (TlsProblemKind::Expired | TlsProblemKind::NotYetValid) => {
            let which = certificates.iter().find_map(Certificate::trouble);
            let which = which.unwrap_or_else(|| "a certificate that leads to the trusted one".to_owned());
            let what = if kind == TlsProblemKind::Expired { "expired" } else { "not yet valid" };
            format!("TLS: {what}: {which}; or the target's clock is wrong")
        }
        TlsProblemKind::NameMismatch => {
            let names = own.and_then(Certificate::is_for).unwrap_or_default();
            format!("TLS: wrong name: {detail}, but for {names}")
        }
        TlsProblemKind::UnknownIssuer => {
            format!("TLS: unknown issuer: it leads to a root that the target does not trust{trusted}")
        }
        TlsProblemKind::SelfSigned => {
            format!("TLS: self-signed: it was issued by itself, and the target does not trust it{trusted}")
        }
        TlsProblemKind::IssuerNotSent => {
            let issuer = certificates.last().and_then(Certificate::issuer).unwrap_or_default();
            format!(
                "TLS: unknown issuer: `{issuer}` is neither sent by the server nor trusted by the target{trusted}: an \
                 intermediate certificate is missing on the server, or it is a private authority"
            )
        }
        TlsProblemKind::BadSignature => {
            "TLS: bad signature: a certificate was not signed by the one it names".to_owned()
        }
        TlsProblemKind::BadHandshakeSignature => {
            "TLS: bad signature: the server does not have the key of its certificate".to_owned()
        }
        TlsProblemKind::WrongPurpose => {
            format!("TLS: wrong purpose: the certificate is not for servers ({detail})")
        }
        TlsProblemKind::Malformed => {
            format!("TLS: malformed: the certificate can not be understood ({detail})")
        }
        TlsProblemKind::Other | TlsProblemKind::Unspecified => format!("TLS: it would be rejected: {detail}"),
    }
}

/// By what certificates were judged.
pub(in crate::commands) fn by(store: &TrustStore) -> String {
    let path = String::from_utf8_lossy(&store.path);
    let certificates = match store.certificates {
        1 => "the one certificate".to_owned(),
        count => format!("the {count} certificates"),
    };
    match store.source() {
        TrustSource::Request | TrustSource::System if store.reason.is_empty() => {
            format!("by {certificates} of {path} in the target")
        }
        TrustSource::Request | TrustSource::System => format!("{path} in the target: {}", store.reason),
        TrustSource::Environment => {
            format!("by {certificates} of {path}, which SSL_CERT_FILE of the target names")
        }
        _ => format!("by Mozilla's {}, built in: {}", store.certificates, store.reason),
    }
}
