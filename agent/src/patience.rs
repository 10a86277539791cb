//! Asking what may never answer: a network file system whose server is gone holds whoever asks it, and can not be
//! interrupted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

/// How long one answer may take.
pub(crate) const LONGEST: Duration = Duration::from_secs(2);
/// Threads that may be held for ever, by all answers together. The sidecar's limit is 64 of them.
const MOST_HELD: usize = 4;

/// How many threads are held now.
pub(crate) type Held = Arc<AtomicUsize>;

/// What came of a question.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer<A> {
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
pub(crate) struct Patience<A> {
    answer: Arc<Answering<A>>,
    worker: Option<Worker<A>>,
    longest: Duration,
    held: Held,
}

struct Worker<A> {
    questions: Sender<Vec<u8>>,
    answers: Receiver<A>,
    is_given_up: Arc<AtomicBool>,
}

impl<A: Send + 'static> Patience<A> {
    pub(crate) fn new(held: Held, answer: impl Fn(&[u8]) -> A + Send + Sync + 'static) -> Self {
        Self { answer: Arc::new(answer), worker: None, longest: LONGEST, held }
    }

    pub(crate) fn ask(&mut self, question: &[u8]) -> Answer<A> {
        if self.held.load(Ordering::SeqCst) >= MOST_HELD {
            return Answer::NotAsked;
        }
        if self.worker.is_none() {
            self.worker = start(Arc::clone(&self.answer), Arc::clone(&self.held));
        }
        // Where no thread can be had, there is no answer either.
        let Some(worker) = &self.worker else { return Answer::NotAsked };
        if worker.questions.send(question.to_vec()).is_ok()
            && let Ok(answer) = worker.answers.recv_timeout(self.longest)
        {
            return Answer::Came(answer);
        }
        // The thread ends when its answer comes and nobody waits for it any more.
        self.held.fetch_add(1, Ordering::SeqCst);
        worker.is_given_up.store(true, Ordering::SeqCst);
        self.worker = None;
        Answer::Late
    }
}

fn start<A: Send + 'static>(answer: Arc<Answering<A>>, held: Held) -> Option<Worker<A>> {
    let (questions, asked) = mpsc::channel::<Vec<u8>>();
    let (to_answer, answers) = mpsc::channel();
    let is_given_up = Arc::new(AtomicBool::new(false));
    let end = Ended { is_given_up: Arc::clone(&is_given_up), held };
    let started = thread::Builder::new().spawn(move || {
        let _end = end;
        while let Ok(question) = asked.recv() {
            if to_answer.send(answer(&question)).is_err() {
                return;
            }
        }
    });
    started.ok().map(|_| Worker { questions, answers, is_given_up })
}

/// Of a thread that had been given up, nothing is held any more.
struct Ended {
    is_given_up: Arc<AtomicBool>,
    held: Held,
}

impl Drop for Ended {
    fn drop(&mut self) {
        if self.is_given_up.load(Ordering::SeqCst) {
            self.held.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_does_not_answer_holds_up_no_other_and_many_are_not_asked() {
        let held = Held::default();
        let mut patience = Patience::new(Arc::clone(&held), |path: &[u8]| {
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
        // Also the next answer leaves it at that: a list that is asked for every second must not use up all threads.
        let mut next = Patience::new(held, <[u8]>::len);
        assert_eq!(next.ask(b"/data"), Answer::NotAsked);
    }
}
