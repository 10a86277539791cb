//! Asking what may never answer: a network file system whose server is gone holds whoever asks it, and can not be
//! interrupted.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

/// How long one answer may take.
const LONGEST: Duration = Duration::from_secs(2);
/// Threads that may be held for ever. The sidecar's limit is 64 of them.
const MOST_HELD: usize = 4;

/// What came of a question.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer<A> {
    /// The answer.
    Came(A),
    /// There was none in time.
    Late,
    /// Too many others did not answer.
    NotAsked,
}

/// Something that answers, or not.
type Answering<A> = dyn Fn(&[u8]) -> A + Send + Sync;

/// Asks one question after the other on a thread of its own, and leaves that to itself if an answer does not come.
pub(super) struct Patience<A> {
    answer: Arc<Answering<A>>,
    worker: Option<(Sender<Vec<u8>>, Receiver<A>)>,
    longest: Duration,
    held: usize,
}

impl<A: Send + 'static> Patience<A> {
    pub(super) fn new(answer: impl Fn(&[u8]) -> A + Send + Sync + 'static) -> Self {
        Self { answer: Arc::new(answer), worker: None, longest: LONGEST, held: 0 }
    }

    pub(super) fn ask(&mut self, question: &[u8]) -> Answer<A> {
        if self.held >= MOST_HELD {
            return Answer::NotAsked;
        }
        let (questions, answers) = self.worker.get_or_insert_with(|| start(Arc::clone(&self.answer)));
        if questions.send(question.to_vec()).is_ok()
            && let Ok(answer) = answers.recv_timeout(self.longest)
        {
            return Answer::Came(answer);
        }
        // The thread ends when its answer comes and nobody waits for it any more.
        self.worker = None;
        self.held += 1;
        Answer::Late
    }
}

fn start<A: Send + 'static>(answer: Arc<Answering<A>>) -> (Sender<Vec<u8>>, Receiver<A>) {
    let (questions, asked) = mpsc::channel::<Vec<u8>>();
    let (answers, answered) = mpsc::channel();
    // Where no thread can be had, there is no answer either.
    let _ = thread::Builder::new().spawn(move || {
        while let Ok(question) = asked.recv() {
            if answers.send(answer(&question)).is_err() {
                return;
            }
        }
    });
    (questions, answered)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_does_not_answer_holds_up_no_other_and_many_are_not_asked() {
        let mut patience = Patience::new(|path: &[u8]| {
            if path.starts_with(b"/hangs") {
                thread::park();
            }
            path.len()
        });
        patience.longest = Duration::from_millis(50);
        assert_eq!(patience.ask(b"/hangs"), Answer::Late);
        patience.longest = LONGEST;
        assert_eq!(patience.ask(b"/data"), Answer::Came(5));
        patience.longest = Duration::from_millis(50);
        for _ in 1..MOST_HELD {
            assert_eq!(patience.ask(b"/hangs"), Answer::Late);
        }
        assert_eq!(patience.ask(b"/data"), Answer::NotAsked);
    }
}
