//! Where the lines of a session come from: an editor on a terminal, or standard input as it is.

use std::io::{self, BufRead as _, IsTerminal as _};
use std::path::PathBuf;
use std::thread;

use clap::CommandFactory as _;
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::Validator;
use rustyline::{Config, Context, Editor, ExternalPrinter, Helper};
use tokio::sync::mpsc;

use crate::args::Line;
use crate::error::Error;
use crate::render::{one_line, talk};
use crate::state;

/// What came from the user.
pub(crate) enum Input {
    Line(String),
    /// End of file, or Ctrl-D.
    End,
}

/// Reads lines on a thread of its own, one at a time: the next one only when it is asked for, so that an answer
/// is never mixed with a prompt.
pub(crate) struct Prompt {
    lines: mpsc::Receiver<Input>,
    wanted: mpsc::Sender<()>,
    /// Whether a line was asked for and has not come yet.
    waiting: bool,
    /// Prints above the line that is being edited.
    printer: Option<Box<dyn FnMut(String) + Send>>,
}

impl Prompt {
    /// Starts to read. `name` is shown in the prompt.
    pub(crate) fn start(name: &str) -> Result<Self, Error> {
        let (line, lines) = mpsc::channel(1);
        let (wanted, wishes) = mpsc::channel(1);
        let mut printer = None;
        if io::stdin().is_terminal() && io::stdout().is_terminal() {
            let (editor, print) = editor().map_err(|error| {
                Error::new(
                    "use this terminal",
                    error.to_string(),
                    "pipe the questions in: echo ps | dbgctl attach …",
                )
            })?;
            printer = print;
            let prompt = format!("{}> ", one_line(name));
            thread::spawn(move || edit(editor, &prompt, &line, wishes));
        } else {
            thread::spawn(move || read(&line, wishes));
        }
        Ok(Self { lines, wanted, waiting: false, printer })
    }

    /// Whether a person is typing.
    pub(crate) fn is_terminal(&self) -> bool {
        self.printer.is_some()
    }

    /// The next line. May be abandoned and called again: no line is lost.
    pub(crate) async fn next(&mut self) -> Input {
        if !self.waiting {
            self.waiting = true;
            let _reader_ended = self.wanted.send(()).await;
        }
        let input = self.lines.recv().await;
        self.waiting = false;
        input.unwrap_or(Input::End)
    }

    /// Says something while a line is being edited.
    pub(crate) fn interject(&mut self, error: &Error) {
        match &mut self.printer {
            Some(print) => print(talk::error_text(error)),
            None => talk::error(error),
        }
    }
}

fn read(lines: &mpsc::Sender<Input>, mut wishes: mpsc::Receiver<()>) {
    let mut from = io::stdin().lock().lines();
    while wishes.blocking_recv().is_some() {
        let Some(Ok(line)) = from.next() else { break };
        if lines.blocking_send(Input::Line(line)).is_err() {
            return;
        }
    }
    let _no_one_listens = lines.blocking_send(Input::End);
}

type Print = Option<Box<dyn FnMut(String) + Send>>;

fn editor() -> rustyline::Result<(Editor<Words, FileHistory>, Print)> {
    let config = Config::builder().history_ignore_space(true).auto_add_history(true).build();
    let mut editor = Editor::with_config(config)?;
    editor.set_helper(Some(Words::of_the_prompt()));
    if let Some(path) = history_path() {
        // The first session has none.
        let _none_yet = editor.load_history(&path);
    }
    let mut printer = editor.create_external_printer()?;
    let print: Box<dyn FnMut(String) + Send> = Box::new(move |text| {
        let _terminal_gone = printer.print(text);
    });
    Ok((editor, Some(print)))
}

fn edit(
    mut editor: Editor<Words, FileHistory>,
    prompt: &str,
    lines: &mpsc::Sender<Input>,
    mut wishes: mpsc::Receiver<()>,
) {
    while wishes.blocking_recv().is_some() {
        let line = loop {
            match editor.readline(prompt) {
                // As in a shell: Ctrl-C forgets the line.
                Err(ReadlineError::Interrupted) => {}
                other => break other,
            }
        };
        let input = line.map_or(Input::End, Input::Line);
        let at_end = matches!(input, Input::End);
        save(&mut editor);
        if lines.blocking_send(input).is_err() || at_end {
            return;
        }
    }
}

/// A history that can not be kept is not worth a word.
fn save(editor: &mut Editor<Words, FileHistory>) {
    let Some(path) = history_path() else { return };
    let _kept = path.parent().map(std::fs::create_dir_all);
    let _kept = editor.save_history(&path);
}

fn history_path() -> Option<PathBuf> {
    state::path("history")
}

/// Completes the words of the prompt and their options, from the same definition that parses them.
struct Words {
    /// Each word with its options.
    words: Vec<(String, Vec<String>)>,
}

impl Words {
    fn of_the_prompt() -> Self {
        let mut command = Line::command();
        command.build();
        let words = command.get_subcommands().map(|word| {
            let options =
                word.get_arguments().filter_map(|option| option.get_long()).map(|long| format!("--{long}"));
            (word.get_name().to_owned(), options.collect())
        });
        Self { words: words.collect() }
    }

    fn candidates(&self, line: &str) -> (usize, Vec<String>) {
        let start = line.rfind(' ').map_or(0, |space| space + 1);
        let (before, begun) = line.split_at(start);
        let fits = |candidate: &String| candidate.starts_with(begun);
        let candidates = match before.split_whitespace().next() {
            None => self.words.iter().map(|(word, _)| format!("{word} ")).filter(fits).collect(),
            Some(word) => {
                let options =
                    self.words.iter().find(|(known, _)| known == word).map(|(_, options)| options.as_slice());
                options.unwrap_or_default().iter().filter(|option| fits(option)).cloned().collect()
            }
        };
        (start, candidates)
    }
}

impl Completer for Words {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(self.candidates(line.get(..position).unwrap_or(line)))
    }
}

impl Hinter for Words {
    type Hint = String;
}

impl Highlighter for Words {}

impl Validator for Words {}

impl Helper for Words {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_options_are_completed() {
        let words = Words::of_the_prompt();
        assert_eq!(words.candidates("con"), (0, vec!["connect ".to_owned()]));
        let (start, options) = words.candidates("ps --tr");
        assert_eq!((start, options), (3, vec!["--tree".to_owned()]));
        assert!(words.candidates("nothing --x").1.is_empty());
    }
}
