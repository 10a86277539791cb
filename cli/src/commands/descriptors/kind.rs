//! The kinds of descriptors, in words.

use std::borrow::Cow;

use dbgctl_proto::v1::DescriptorKind as Kind;

/// Word, and the nouns of one and of several of them.
const WORDS: [(Kind, &str, &str, &str); 22] = [
    (Kind::File, "file", "file", "files"),
    (Kind::Regular, "regular", "regular file", "regular files"),
    (Kind::Directory, "directory", "directory", "directories"),
    (Kind::CharacterDevice, "char", "character device", "character devices"),
    (Kind::BlockDevice, "block", "block device", "block devices"),
    (Kind::Fifo, "fifo", "fifo", "fifos"),
    (Kind::Pipe, "pipe", "pipe end", "pipe ends"),
    (Kind::Socket, "socket", "socket", "sockets"),
    (Kind::Memfd, "memfd", "memfd", "memfds"),
    (Kind::Eventfd, "eventfd", "eventfd", "eventfds"),
    (Kind::Epoll, "epoll", "epoll instance", "epoll instances"),
    (Kind::Inotify, "inotify", "inotify instance", "inotify instances"),
    (Kind::Fanotify, "fanotify", "fanotify group", "fanotify groups"),
    (Kind::Timerfd, "timerfd", "timerfd", "timerfds"),
    (Kind::Signalfd, "signalfd", "signalfd", "signalfds"),
    (Kind::Pidfd, "pidfd", "pidfd", "pidfds"),
    (Kind::IoUring, "io_uring", "io_uring", "io_urings"),
    (Kind::Bpf, "bpf", "BPF object", "BPF objects"),
    (Kind::PerfEvent, "perf_event", "perf event", "perf events"),
    (Kind::Userfaultfd, "userfaultfd", "userfaultfd", "userfaultfds"),
    (Kind::Namespace, "namespace", "namespace", "namespaces"),
    (Kind::Other, "other", "other", "others"),
];

/// The kind in a word.
pub(super) fn word(number: i32) -> Cow<'static, str> {
    let known = Kind::try_from(number).ok();
    match WORDS.iter().find(|(kind, ..)| Some(*kind) == known) {
        Some((_, word, ..)) => Cow::Borrowed(word),
        None if known.is_some() => Cow::Borrowed("unknown"),
        None => Cow::Owned(format!("unknown({number})")),
    }
}

/// The kind as the contract names it.
pub(super) fn name(number: i32) -> Cow<'static, str> {
    match Kind::try_from(number) {
        Ok(Kind::CharacterDevice) => Cow::Borrowed("character_device"),
        Ok(Kind::BlockDevice) => Cow::Borrowed("block_device"),
        _ => word(number),
    }
}

/// `1 socket`, `3 pipe ends`; kinds that this version does not know are others.
pub(super) fn counted(number: i32, count: usize) -> String {
    let known = Kind::try_from(number).ok();
    let (_, _, noun, nouns) = WORDS.iter().find(|(kind, ..)| Some(*kind) == known).unwrap_or(&WORDS[21]);
    if count == 1 { format!("1 {noun}") } else { format!("{count} {nouns}") }
}

/// What a user may write.
pub(super) fn parse(text: &str) -> Result<Kind, String> {
    let found = WORDS.iter().find(|(_, word, ..)| *word == text);
    found.map(|(kind, ..)| *kind).ok_or_else(|| {
        let words: Vec<_> = WORDS.iter().map(|(_, word, ..)| *word).collect();
        format!("the types are {}", words.join(", "))
    })
}

/// Whether the agent has to look at the file itself to tell this kind.
pub(super) fn is_detail(kind: Kind) -> bool {
    has_path(kind) && kind != Kind::File
}

/// Whether a descriptor is of the wanted kind. Whatever has a path is a file.
pub(super) fn is(number: i32, wanted: Kind) -> bool {
    Kind::try_from(number).is_ok_and(|kind| kind == wanted || (wanted == Kind::File && has_path(kind)))
}

fn has_path(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::File | Kind::Regular | Kind::Directory | Kind::CharacterDevice | Kind::BlockDevice | Kind::Fifo
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_the_contract_has_a_word() {
        for number in 1.. {
            let Ok(kind) = Kind::try_from(number) else {
                assert_eq!(number, 23);
                break;
            };
            assert_eq!(parse(&word(number)), Ok(kind));
            assert!(kind.as_str_name().to_lowercase().ends_with(&*name(number)), "{kind:?}");
        }
        assert!(parse("sockets").unwrap_err().starts_with("the types are file, "));
        assert_eq!(word(99), "unknown(99)");
    }

    #[test]
    fn whatever_has_a_path_is_a_file() {
        assert!(is(Kind::Directory.into(), Kind::File) && is(Kind::File.into(), Kind::File));
        assert!(!is(Kind::Pipe.into(), Kind::File) && !is(Kind::File.into(), Kind::Regular));
    }
}
