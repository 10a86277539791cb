//! The agent's command line. Written by the CLI, never by a person.

use dbgctl_linux::capability::CapabilitySet;
use dbgctl_proto::Effect;

/// What the agent is told to be.
#[derive(Debug, PartialEq, Eq)]
pub enum Arguments {
    /// `serve`: answer probes.
    Serve(Serve),
    /// `bridge`: join standard input and output to the serving agent.
    Bridge,
    /// `--version`.
    Version,
}

/// How to serve.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Serve {
    /// Id of the target container, 64 hexadecimal digits.
    pub target: String,
    /// Capabilities to keep when giving up root.
    pub hold: CapabilitySet,
    /// Effects that the guard lets pass.
    pub effects: Vec<Effect>,
    /// Whether to listen on the private socket.
    pub socket: bool,
}

/// What is wrong with the command line.
#[derive(Debug, thiserror::Error)]
pub enum ArgumentError {
    /// There is no such command or option.
    #[error("unexpected argument {0:?}; known: serve, bridge, --version")]
    Unexpected(String),
    /// An option's value is missing.
    #[error("{0} needs a value")]
    NoValue(String),
    /// An option's value is not one of those known.
    #[error("{option} does not know {value:?}")]
    BadValue {
        /// The option.
        option: String,
        /// What was given.
        value: String,
    },
}

impl Arguments {
    /// Understands the arguments that follow the program's name.
    pub fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, ArgumentError> {
        match arguments.next().as_deref() {
            Some("serve") => Ok(Self::Serve(Serve::parse(arguments)?)),
            Some("bridge") => Ok(Self::Bridge),
            Some("--version") => Ok(Self::Version),
            other => Err(ArgumentError::Unexpected(other.unwrap_or_default().to_owned())),
        }
    }
}

impl Serve {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, ArgumentError> {
        let mut serve = Self::default();
        while let Some(option) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| ArgumentError::NoValue(option.clone()));
            match option.as_str() {
                "--target" => serve.target = value()?,
                "--hold" => {
                    let value = value()?;
                    serve.hold = value.parse().map_err(|_| bad(&option, &value))?;
                }
                "--allow" => {
                    let value = value()?;
                    let effect = Effect::from_name(&value).ok_or_else(|| bad(&option, &value))?;
                    serve.effects.push(effect);
                }
                "--socket" => serve.socket = true,
                _ => return Err(ArgumentError::Unexpected(option)),
            }
        }
        Ok(serve)
    }
}

fn bad(option: &str, value: &str) -> ArgumentError {
    ArgumentError::BadValue { option: option.to_owned(), value: value.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments, ArgumentError> {
        Arguments::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn everything_that_serving_needs_is_understood() {
        let expected = Serve {
            target: "ab12".to_owned(),
            hold: "CAP_SYS_PTRACE".parse().unwrap(),
            effects: vec![Effect::Observes, Effect::SendsTraffic],
            socket: true,
        };
        let line =
            "serve --target ab12 --hold CAP_SYS_PTRACE --allow observes --allow sends-traffic --socket";
        assert_eq!(parse(line).unwrap(), Arguments::Serve(expected));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for line in ["", "serve --hold", "serve --hold CAP_ALL", "serve --allow changes-all", "sh -c id"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
