//! `tls`: what does a TLS server say, and would the target trust it?

pub(super) mod certificate;
pub(super) mod words;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dbgctl_proto::MAX_MESSAGE_BYTES;
use dbgctl_proto::bounds::{LONGEST_ALPN_BYTES, MOST_ALPN, MOST_CERTIFICATES, MOST_CONNECT_ATTEMPTS};
use dbgctl_proto::v1::tls_service_client::TlsServiceClient;
use dbgctl_proto::v1::{self, TlsHandshake, TlsOutcome, TlsResponse};

use self::certificate::Certificate;
use super::agent::Agent;
use super::connect::peer::Peer;
use super::{Failure, Question, connect, dns, unless_pipe_closed};
use crate::exit::Exit;
use crate::render::human::Took;
use crate::render::{Object, Output, Row as _, Talk};

const EXAMPLES: &str = "\
Examples:
  dbgctl tls web api:443                     version, cipher, certificates, and whether web would trust them
  dbgctl tls web 10.0.0.7:443 --sni api.example.org
                                             the address is asked for that name
  dbgctl tls web api:443 --alpn h2,http/1.1  what would be spoken
  dbgctl tls web api:443 --max-version 1.2   whether it still works
  dbgctl tls web api:443 --trust /etc/my-ca.pem
                                             judged with that file in the container

All that is wrong is named: expired, not yet valid, for another name, self-signed, issued by somebody whom the container \
does not trust, an intermediate certificate that is missing, wrong signatures. The trust store is the container's own: \
--trust, SSL_CERT_FILE of its first process, or where distributions have it; Mozilla's if it has none. At --level 0 the \
container's files can not be read, and Mozilla's is used.

Exit status: 0 it would be trusted, 1 it would not, or there was no handshake.";

/// Shake hands with a TLS server from the target's network, and judge its certificates
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Name or address, and port; IPv6 addresses in brackets
    #[arg(value_name = "HOST:PORT")]
    peer: Peer,

    #[command(flatten)]
    options: Options,

    /// Protocols to offer, the best first, such as h2,http/1.1
    #[arg(long, value_name = "PROTOCOL", value_delimiter = ',', value_parser = protocol, num_args = 1..=MOST_ALPN)]
    alpn: Vec<String>,

    /// Time for the look-up, for each address, and for the handshake; at most 60s
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = connect::timeout)]
    timeout: Duration,
}

/// How to shake hands.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Options {
    /// Ask for this name, and judge by it [default: the host]
    #[arg(long, value_name = "NAME")]
    pub(super) sni: Option<String>,

    /// Offer no older version of TLS
    #[arg(long, value_name = "VERSION", value_parser = version)]
    min_version: Option<v1::TlsVersion>,

    /// Offer no newer version of TLS
    #[arg(long, value_name = "VERSION", value_parser = version)]
    max_version: Option<v1::TlsVersion>,

    /// Judge with the certificates in this file of the container
    #[arg(long, value_name = "PATH")]
    trust: Option<String>,
}

impl Options {
    pub(super) fn request(&self, alpn: &[String]) -> v1::TlsOptions {
        let version = |version: Option<v1::TlsVersion>| version.unwrap_or_default().into();
        v1::TlsOptions {
            server_name: self.sni.clone().unwrap_or_default(),
            alpn: alpn.iter().map(|protocol| protocol.clone().into_bytes()).collect(),
            min_version: version(self.min_version),
            max_version: version(self.max_version),
            trust_path: self.trust.clone().unwrap_or_default().into_bytes(),
        }
    }
}

fn version(text: &str) -> Result<v1::TlsVersion, String> {
    match text {
        "1.2" => Ok(v1::TlsVersion::V12),
        "1.3" => Ok(v1::TlsVersion::V13),
        _ => Err("expected 1.2 or 1.3; older versions are not spoken by anyone who cares".to_owned()),
    }
}

fn protocol(text: &str) -> Result<String, String> {
    if (1..=LONGEST_ALPN_BYTES).contains(&text.len()) {
        Ok(text.to_owned())
    } else {
        Err(format!("a protocol has 1 to {LONGEST_ALPN_BYTES} bytes"))
    }
}

impl Question for Args {
    fn rpc(&self) -> &'static str {
        "/dbgctl.v1.TlsService/Handshake"
    }

    async fn ask(&self, agent: &Agent, output: &mut Output, talk: &mut Talk) -> Result<Exit, Failure> {
        let mut client = TlsServiceClient::new(agent.channel()).max_decoding_message_size(MAX_MESSAGE_BYTES);
        let request = v1::TlsRequest {
            host: self.peer.host.clone(),
            port: self.peer.port.get().into(),
            timeout: prost_types::Duration::try_from(self.timeout).ok(),
            options: Some(self.options.request(&self.alpn)),
        };
        let response =
            agent.within_limit(async { Ok(client.handshake(request).await?.into_inner()) }).await?;
        unless_pipe_closed(self.show(&response, output, talk))
    }
}

impl Args {
    fn show(&self, response: &TlsResponse, output: &mut Output, talk: &mut Talk) -> Result<Exit, Failure> {
        let certificates = response.handshake.as_ref().map(certificates).unwrap_or_default();
        let verdicts = self.verdicts(response, &certificates);
        if !certificates.is_empty() {
            output.rows(&certificates)?;
        }
        if output.is_table() {
            output.sentences(&verdicts)?;
            output.beside(talk, self.closing(response))?;
        } else {
            output.object(|object| {
                object.object("summary", |object| {
                    object.number("resolve_nanos", response.resolve_nanos);
                    object.text("resolve_error", response.resolve_error.as_str());
                    dns::look_up::fields(response.look_up.as_deref(), object);
                    let attempts = response.attempts.iter().take(MOST_CONNECT_ATTEMPTS);
                    object.objects("attempts", attempts, |attempt, object| {
                        connect::AttemptRow::new(attempt.clone(), self.peer.port).fields(object);
                    });
                    match &response.handshake {
                        None => object.null("handshake"),
                        Some(handshake) => object.object("handshake", |object| fields(handshake, object)),
                    }
                    object.raws("verdicts", verdicts.iter().map(String::as_bytes));
                });
            })?;
        }
        output.flush()?;
        let handshake = response.handshake.as_ref();
        let is_trusted =
            handshake.is_some_and(|it| it.outcome() == TlsOutcome::Finished && it.problems.is_empty());
        Ok(if is_trusted { Exit::Answered } else { Exit::No })
    }

    fn verdicts(&self, response: &TlsResponse, certificates: &[Certificate]) -> Vec<String> {
        match &response.handshake {
            Some(handshake) => words::verdicts(handshake, certificates),
            None => {
                let resolved = (response.resolve_error.as_str(), response.look_up.as_deref());
                connect::not_reached(&self.peer, resolved, &response.attempts)
            }
        }
    }

    fn closing(&self, response: &TlsResponse) -> Vec<String> {
        let peer = &self.peer;
        let Some(handshake) = &response.handshake else { return vec![format!("{peer}: not connected")] };
        let took = Took(Duration::from_nanos(handshake.nanos));
        let mut lines = vec![if handshake.outcome() == TlsOutcome::Finished {
            format!("{peer}: {}, {took} for the handshake", agreed(handshake))
        } else {
            format!("{peer}: no handshake, given up after {took}")
        }];
        if let Some(store) = &handshake.trust {
            let would = if handshake.problems.is_empty() { "would be trusted" } else { "would be rejected" };
            lines.push(format!("{would}, judged {}", words::by(store)));
            if store.unusable > 0 {
                lines.push(format!("{} certificates in it can not be used", store.unusable));
            }
        }
        if handshake.certificates_left_out > 0 {
            lines.push(format!("{} more certificates were sent", handshake.certificates_left_out));
        }
        lines
    }
}

/// What was agreed on, in a few words.
pub(super) fn agreed(handshake: &TlsHandshake) -> String {
    let mut text = format!("{}, {}", words::version(handshake.version()), handshake.cipher);
    if !handshake.group.is_empty() {
        text.push_str(", ");
        text.push_str(&handshake.group);
    }
    if !handshake.alpn.is_empty() {
        text.push_str(", ALPN ");
        text.push_str(&String::from_utf8_lossy(&handshake.alpn));
    }
    text
}

/// The certificates, and never more than an agent of ours would send.
pub(super) fn certificates(handshake: &TlsHandshake) -> Vec<Certificate> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let sent = (0..).zip(handshake.certificates.iter().take(MOST_CERTIFICATES));
    sent.map(|(place, der)| Certificate::parse(place, der, now)).collect()
}

/// A handshake as fields, without its certificates.
pub(super) fn fields(handshake: &TlsHandshake, object: &mut Object<'_>) {
    object.number("nanos", handshake.nanos);
    object.text("outcome", &*words::outcome(handshake.outcome()).replace(' ', "_"));
    object.text("error", handshake.error.as_str());
    object.raw("first_bytes", handshake.first_bytes.as_slice());
    let is_finished = handshake.outcome() == TlsOutcome::Finished;
    object.text("version", is_finished.then(|| words::version(handshake.version())));
    object.text("cipher", handshake.cipher.as_str());
    object.text("group", handshake.group.as_str());
    object.raw("alpn", handshake.alpn.as_slice());
    object.number("certificates_left_out", u64::from(handshake.certificates_left_out));
    match &handshake.trust {
        None => object.null("trust"),
        Some(store) => object.object("trust", |object| {
            object.text(
                "source",
                store.source().as_str_name().trim_start_matches("TRUST_SOURCE_").to_lowercase().as_str(),
            );
            object.raw("path", store.path.as_slice());
            object.number("certificates", u64::from(store.certificates));
            object.number("unusable", u64::from(store.unusable));
            object.text("reason", store.reason.as_str());
        }),
    }
    object.objects("problems", &handshake.problems, |problem, object| {
        object.text("kind", &*words::kind(problem.kind()).replace([' ', '-'], "_"));
        object.text("detail", problem.detail.as_str());
    });
}
