//! An agent to ask, and how long an answer may take.

use std::time::Duration;

use tonic::transport::Channel;
use tonic::{Request, Status};

use super::Failure;

/// What an answer that is cut short by the agent itself needs to arrive.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Whom an agent looks at, and with how much privilege, as far as that is known without asking it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Subject {
    /// Of the container.
    pub(crate) name: String,
    /// As it was asked for when the container was made.
    pub(crate) image: String,
    /// Name of the sidecar's level.
    pub(crate) level: &'static str,
}

/// The agent at the other end of a channel.
#[derive(Debug, Clone)]
pub(crate) struct Agent {
    channel: Channel,
    subject: Subject,
    limit: Duration,
}

impl Agent {
    pub(crate) fn new(channel: Channel, subject: Subject, limit: Duration) -> Self {
        Self { channel, subject, limit }
    }

    pub(crate) fn subject(&self) -> &Subject {
        &self.subject
    }

    pub(crate) fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// The same agent, for an answer that takes so much longer.
    pub(crate) fn with_more_time(&self, more: Duration) -> Self {
        Self { limit: self.limit.saturating_add(more), ..self.clone() }
    }

    /// A request that tells the agent when to end its list, so that what it has by then still arrives.
    pub(crate) fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(self.limit);
        request
    }

    /// Waits for an answer no longer than it may take: reading of a process can hang in the kernel.
    pub(crate) async fn within_limit<T>(
        &self,
        answer: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let limit = self.limit.saturating_add(LAST_WORDS);
        tokio::time::timeout(limit, answer).await.unwrap_or_else(|_| {
            let limit = humantime::format_duration(self.limit);
            Err(Failure::Rpc(Status::deadline_exceeded(format!("there was no whole answer within {limit}"))))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tonic::Code;
    use tonic::transport::Endpoint;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_does_not_come_ends_with_the_time_limit() {
        let channel = Endpoint::from_static("http://agent.invalid").connect_lazy();
        let agent = Agent::new(channel, Subject::default(), Duration::from_secs(5));
        let answer = agent.within_limit(pending::<Result<(), _>>()).await;
        let Err(Failure::Rpc(status)) = answer else { panic!("{answer:?}") };
        assert_eq!(
            (status.code(), status.message()),
            (Code::DeadlineExceeded, "there was no whole answer within 5s")
        );
    }
}
