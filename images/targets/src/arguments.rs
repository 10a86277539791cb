//! The command line of a subcommand: words in order, and `--name value` anywhere.

use std::str::FromStr;

use crate::Result;

/// What has not been taken from the command line yet.
pub(crate) struct Arguments(Vec<String>);

impl Arguments {
    /// Everything after the program's own name.
    pub(crate) fn of_this_process() -> Self {
        Self(std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect())
    }

    /// The next word.
    pub(crate) fn next(&mut self) -> Option<String> {
        if self.0.is_empty() { None } else { Some(self.0.remove(0)) }
    }

    /// The next word, which must be there; `name` is what the usage calls it.
    pub(crate) fn required<T: FromStr>(&mut self, name: &str) -> Result<T> {
        let word = self.next().ok_or_else(|| format!("{name} is missing"))?;
        word.parse().map_err(|_| format!("{word:?} is no {name}").into())
    }

    /// The word after `option`, if the option is there.
    pub(crate) fn option<T: FromStr>(&mut self, option: &str) -> Result<Option<T>> {
        let Some(at) = self.0.iter().position(|word| word == option) else { return Ok(None) };
        self.0.remove(at);
        if at == self.0.len() {
            return Err(format!("{option} has no value").into());
        }
        let word = self.0.remove(at);
        word.parse().map(Some).map_err(|_| format!("{word:?} is no value for {option}").into())
    }
}
