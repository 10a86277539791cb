//! One handshake, with a verifier that takes whatever comes and remembers it.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use dbgctl_proto::v1;
use dbgctl_proto::v1::TlsOutcome;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, InvalidMessage, PeerIncompatible, ProtocolVersion,
    SignatureScheme,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::Options;
use crate::probes::connect::nanos;

/// What is kept of the first bytes that a server sends.
const FIRST_BYTES: usize = 64;

/// What came of a handshake.
pub(in crate::probes) struct Shaken<S> {
    pub(in crate::probes) handshake: v1::TlsHandshake,
    pub(in crate::probes) presented: Presented,
    /// If it was finished.
    pub(in crate::probes) stream: Option<TlsStream<Tap<S>>>,
}

/// What the server presented itself with.
#[derive(Debug, Default)]
pub(in crate::probes) struct Presented {
    /// Its own first.
    pub(super) chain: Vec<CertificateDer<'static>>,
    /// The signature that shows that it has the key is wrong: why.
    pub(super) bad_signature: Option<String>,
}

/// Shakes hands within `limit`.
pub(in crate::probes) async fn shake<S: AsyncRead + AsyncWrite + Unpin>(
    connection: S,
    options: &Options,
    limit: Duration,
) -> Shaken<S> {
    let witness = Arc::new(Witness::default());
    let started = Instant::now();
    let mut handshake = v1::TlsHandshake::default();
    let first = First::default();
    let tap = Tap::new(connection, first.clone());
    let connecting = async {
        let connector = TlsConnector::from(Arc::new(config(options, witness.clone())?));
        connector.connect(options.server_name.clone(), tap).await
    };
    let finished = timeout(limit, connecting).await;
    handshake.nanos = nanos(started.elapsed());
    let first = first.take();
    let stream = match finished {
        Ok(Ok(stream)) => {
            agreed(&stream, &mut handshake);
            Some(stream)
        }
        Ok(Err(error)) => {
            let (outcome, error) = explain(&error, &first);
            if outcome == TlsOutcome::NotTls {
                handshake.first_bytes = first;
            }
            (handshake.outcome, handshake.error) = (outcome.into(), error);
            None
        }
        Err(_) => {
            let so_far = if first.is_empty() { "it said nothing" } else { "it began and did not go on" };
            handshake.outcome = TlsOutcome::TimedOut.into();
            handshake.error = format!("the server did not finish within {limit:?}: {so_far}");
            None
        }
    };
    Shaken { handshake, presented: witness.take(), stream }
}

fn agreed<S>(stream: &TlsStream<S>, handshake: &mut v1::TlsHandshake) {
    let (_, session) = stream.get_ref();
    handshake.outcome = TlsOutcome::Finished.into();
    handshake.version = match session.protocol_version() {
        Some(ProtocolVersion::TLSv1_2) => v1::TlsVersion::V12.into(),
        Some(ProtocolVersion::TLSv1_3) => v1::TlsVersion::V13.into(),
        _ => v1::TlsVersion::Unspecified.into(),
    };
    let cipher = session.negotiated_cipher_suite().map(|suite| format!("{:?}", suite.suite()));
    handshake.cipher = cipher.unwrap_or_default();
    let group = session.negotiated_key_exchange_group().map(|group| format!("{:?}", group.name()));
    handshake.group = group.unwrap_or_default();
    handshake.alpn = session.alpn_protocol().unwrap_or_default().to_vec();
}

/// What went wrong, and in words.
fn explain(error: &io::Error, first: &[u8]) -> (TlsOutcome, String) {
    let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) else {
        let when = if first.is_empty() { "without a word" } else { "in the middle of the handshake" };
        return match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                (TlsOutcome::Closed, format!("the server closed the connection {when}"))
            }
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
                (TlsOutcome::Closed, format!("the server cut the connection {when}"))
            }
            _ => (TlsOutcome::Failed, error.to_string()),
        };
    };
    match tls {
        Error::AlertReceived(alert) => (TlsOutcome::Alert, format!("the server refuses: {alert:?}")),
        // Content types of TLS: RFC 8446 5.1.
        Error::InvalidMessage(_) if !matches!(first.first(), Some(20..=24)) => {
            (TlsOutcome::NotTls, "what the server sent is not TLS".to_owned())
        }
        Error::InvalidMessage(InvalidMessage::HandshakePayloadTooLarge) => (
            TlsOutcome::Failed,
            "the server sent a message of more than 64 KiB: a gigantic chain?".to_owned(),
        ),
        Error::PeerIncompatible(PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig) => {
            (TlsOutcome::Failed, "the server wants a version of TLS that was not offered".to_owned())
        }
        Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13 | PeerIncompatible::Tls12NotOfferedOrEnabled,
        ) => (TlsOutcome::Failed, "the server speaks neither TLS 1.2 nor 1.3, only what is older".to_owned()),
        other => (TlsOutcome::Failed, other.to_string()),
    }
}

fn config(options: &Options, witness: Arc<Witness>) -> io::Result<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(options.versions)
        .map_err(io::Error::other)?;
    let mut config = builder.dangerous().with_custom_certificate_verifier(witness).with_no_client_auth();
    config.alpn_protocols = options.alpn.clone();
    // Each handshake is a whole one.
    config.resumption = rustls::client::Resumption::disabled();
    Ok(config)
}

/// The one provider of cryptography.
pub(super) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    PROVIDER.get_or_init(|| Arc::new(ring::default_provider())).clone()
}

/// Takes whatever certificates come. Nothing that is secret is ever sent to whoever they belong to.
#[derive(Debug, Default)]
struct Witness(Mutex<Presented>);

impl Witness {
    fn take(&self) -> Presented {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn signature(&self, verified: Result<HandshakeSignatureValid, Error>) -> HandshakeSignatureValid {
        if let Err(error) = verified {
            let mut presented = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            presented.bad_signature = Some(error.to_string());
        }
        HandshakeSignatureValid::assertion()
    }
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chain = std::iter::once(own).chain(others).map(|it| it.clone().into_owned()).collect();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).chain = chain;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &provider().signature_verification_algorithms;
        Ok(self.signature(verify_tls12_signature(message, certificate, signed, algorithms)))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &provider().signature_verification_algorithms;
        Ok(self.signature(verify_tls13_signature(message, certificate, signed, algorithms)))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

/// The first bytes that have come.
#[derive(Debug, Clone, Default)]
pub(in crate::probes) struct First(Arc<Mutex<Vec<u8>>>);

impl First {
    /// Those so far.
    pub(in crate::probes) fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.bytes())
    }

    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stream of which the first bytes that come are kept.
#[derive(Debug)]
pub(in crate::probes) struct Tap<S> {
    stream: S,
    first: First,
}

impl<S> Tap<S> {
    pub(in crate::probes) fn new(stream: S, first: First) -> Self {
        Self { stream, first }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Tap<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        let mut first = self.first.bytes();
        let room = FIRST_BYTES.saturating_sub(first.len());
        let came = &buffer.filled()[before..];
        first.extend(&came[..came.len().min(room)]);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tap<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
