//! What the environment of the target's program says to the GNU C library's resolver: `RES_OPTIONS`, `LOCALDOMAIN` and
//! `HOSTALIASES`, resolv.conf(5) and hostname(7). musl and Go heed none of them.
//!
//! It belongs to the program's own user. Another may not read it without CAP_DAC_READ_SEARCH; nobody can tell then whether
//! there is anything in it, and mostly there is not.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use dbgctl_linux::etc::resolv_conf::{ResolvConf, Resolver};
use dbgctl_linux::procfs::environ;
use dbgctl_linux::{Buffer, Pid, ReadError};

use crate::sources::Sources;

/// Nobody has so many aliases.
const ALIASES_BYTES: usize = 64 << 10;
const LONGEST_SHOWN_BYTES: usize = 100;

/// Another name for one without dots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Alias {
    pub(super) of: Vec<u8>,
    pub(super) name: Vec<u8>,
}

/// Heeds what `init` was started with. Its aliases.
///
/// # Errors
///
/// If the environment can not be read: what is in it is not heeded then.
pub(super) fn heed(
    sources: &Sources,
    init: Pid,
    conf: &mut ResolvConf,
    resolver: Resolver,
    remarks: &mut Vec<String>,
) -> Result<Vec<Alias>, ReadError> {
    let mut buffer = Buffer::default();
    let environment = environ::read(sources.root(), init, &mut buffer)?;
    let mut aliases = Vec::new();
    for variable in environment.variables() {
        let name = match variable.name {
            Some(name @ (b"RES_OPTIONS" | b"LOCALDOMAIN" | b"HOSTALIASES")) => String::from_utf8_lossy(name),
            _ => continue,
        };
        let shown = &variable.value[..variable.value.len().min(LONGEST_SHOWN_BYTES)];
        let shown = format!("the program was started with {name}={}", String::from_utf8_lossy(shown));
        if resolver != Resolver::Glibc {
            remarks.push(format!("{shown}, which its resolver does not heed"));
            continue;
        }
        remarks.push(shown);
        match variable.name {
            Some(b"RES_OPTIONS") => conf.heed_options(variable.value),
            Some(b"LOCALDOMAIN") => conf.heed_domains(variable.value),
            _ => match file(sources, init, variable.value) {
                Ok(text) => aliases = parse(&text),
                Err(error) => {
                    remarks.push(format!("the file of HOSTALIASES is not heeded: {}", error.reason()))
                }
            },
        }
    }
    Ok(aliases)
}

fn file(sources: &Sources, init: Pid, path: &[u8]) -> Result<Vec<u8>, ReadError> {
    let file = sources.root().open_in(init, Path::new(OsStr::from_bytes(path)))?;
    Ok(file.read(ALIASES_BYTES, &mut Buffer::default())?.to_vec())
}

/// Lines of an alias and a name, as `res_hostalias` reads them: one without a blank is the last.
fn parse(text: &[u8]) -> Vec<Alias> {
    let lines = text.split(|&byte| byte == b'\n').map(|line| {
        let at = line.iter().position(u8::is_ascii_whitespace)?;
        let name = line[at..].trim_ascii().split(u8::is_ascii_whitespace).next().unwrap_or_default();
        Some(Alias { of: line[..at].to_vec(), name: name.to_vec() })
    });
    lines.map_while(|line| line).filter(|alias| !alias.name.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_end_with_a_line_that_has_none() {
        let aliases = parse(b"db db.prod.test x\nweb\t web.prod.test\nend\nnot read.test\n");
        let told: Vec<_> = aliases.iter().map(|it| (it.of.as_slice(), it.name.as_slice())).collect();
        assert_eq!(told, [(&b"db"[..], &b"db.prod.test"[..]), (b"web", b"web.prod.test")]);
        assert!(parse(b"").is_empty());
    }
}
