//! Programs that are measured from outside: how long until they have answered, and until they end.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Result;

/// How long a program took.
pub(super) struct Took {
    /// Until the last byte of its answer.
    pub(super) answered: Duration,
    /// Until its end.
    pub(super) ended: Duration,
}

/// Runs a program that answers on its standard output.
pub(super) fn run(command: &mut Command) -> Result<Took> {
    let start = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let mut stdout = child.stdout.take().ok_or("no standard output")?;
    let mut buffer = vec![0; 1 << 18];
    let mut answered = None;
    while stdout.read(&mut buffer)? > 0 {
        answered = Some(start.elapsed());
    }
    let status = child.wait()?;
    let ended = start.elapsed();
    match answered {
        Some(answered) if status.success() => Ok(Took { answered, ended }),
        _ => Err(format!("{command:?}: {status}, answered after {answered:?}").into()),
    }
}

/// `dbgctl attach` with questions written to its standard input.
pub(super) struct Session {
    child: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    line: Vec<u8>,
}

impl Session {
    /// Attaches; the first question waits until the session is open.
    pub(super) fn attach(command: &mut Command) -> Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let questions = child.stdin.take();
        let stdout = child.stdout.take().ok_or("no standard output")?;
        Ok(Self { child, questions, answers: BufReader::with_capacity(1 << 18, stdout), line: Vec::new() })
    }

    /// Asks for JSON and returns the number of its lines, header and summary included.
    pub(super) fn count(&mut self, question: &str) -> Result<usize> {
        self.write(&format!("{question} -o json"))?;
        let mut lines = 0;
        while !self.line.starts_with(b"{\"summary\"") {
            self.read_line()?;
            lines += 1;
        }
        self.line.clear();
        Ok(lines)
    }

    /// Asks, and waits for an answer of that many lines.
    pub(super) fn ask(&mut self, question: &str, lines: usize) -> Result<Duration> {
        let start = Instant::now();
        self.write(question)?;
        for _ in 0..lines {
            self.read_line()?;
        }
        Ok(start.elapsed())
    }

    /// The same, with the answer.
    pub(super) fn ask_for(&mut self, question: &str, lines: usize) -> Result<(Duration, Vec<String>)> {
        let start = Instant::now();
        self.write(question)?;
        let mut answer = Vec::new();
        for _ in 0..lines {
            self.read_line()?;
            answer.push(String::from_utf8_lossy(&self.line).into_owned());
        }
        Ok((start.elapsed(), answer))
    }

    /// Closes standard input and waits for the end.
    pub(super) fn end(mut self) -> Result {
        self.questions = None;
        let status = self.child.wait()?;
        if status.success() { Ok(()) } else { Err(format!("the session ended with {status}").into()) }
    }

    fn write(&mut self, question: &str) -> Result {
        let questions = self.questions.as_mut().ok_or("the session is closed")?;
        Ok(questions.write_all(format!("{question}\n").as_bytes())?)
    }

    fn read_line(&mut self) -> Result {
        self.line.clear();
        match self.answers.read_until(b'\n', &mut self.line)? {
            0 => Err("the session ended before its answer did".into()),
            _ => Ok(()),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Ends a session that an error has interrupted; one that has ended already is not affected.
        self.questions = None;
        let _ended = self.child.wait();
    }
}
