//! What can be asked without sending anything, as it is typed after the container's name.

/// Each verb that observes, with what it needs to be asked.
#[rustfmt::skip]
pub const OBSERVING: &[&[&str]] = &[
    &["ps"],
    &["ps", "--threads", "--sort", "wait"],
    &["mem"],
    &["cpu", "--threads", "--sample", "100ms"],
    &["io", "--sample", "100ms"],
    &["fds"],
    &["env"],
    &["pids"],
    &["limits", "--all"],
    &["stack"],
    &["ls"],
    &["stat", "/etc/hosts"],
    &["cat", "/etc/hosts"],
    &["find", "/etc"],
    &["df"],
    &["du", "/etc"],
    &["access", "/etc/hosts"],
    &["sockets"],
    &["net", "--sample", "100ms"],
];

/// The words of a question about `container`.
pub fn about<'a>(container: &'a str, question: &[&'a str]) -> Vec<&'a str> {
    let (verb, options) = question.split_first().unwrap();
    [&[*verb, container], options].concat()
}
