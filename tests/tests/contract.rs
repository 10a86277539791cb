//! What must hold of the contract and of the sources, whatever is added to them.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use dbgctl_proto::{Effect, NEEDS};
use dbgctl_tests::{dbgctl, tree};
use prost_reflect::{DescriptorPool, Kind, MethodDescriptor};

/// The contract, from its sources.
fn contract() -> DescriptorPool {
    let include = tree().join("proto");
    let mut files: Vec<_> = files(&include.join("dbgctl/v1"), "proto");
    files.sort();
    let mut compiler = protox::Compiler::new([&include]).unwrap();
    compiler.include_imports(true).open_files(&files).unwrap();
    DescriptorPool::decode(compiler.encode_file_descriptor_set().as_slice()).unwrap()
}

fn methods(contract: &DescriptorPool) -> Vec<MethodDescriptor> {
    contract.services().flat_map(|service| service.methods().collect::<Vec<_>>()).collect()
}

fn path(method: &MethodDescriptor) -> String {
    format!("/{}/{}", method.parent_service().full_name(), method.name())
}

/// Those that answer with a list. What takes a stream as well carries something, and ends when its user wants it to.
fn lists(contract: &DescriptorPool) -> Vec<MethodDescriptor> {
    let is_list = |method: &MethodDescriptor| method.is_server_streaming() && !method.is_client_streaming();
    methods(contract).into_iter().filter(is_list).collect()
}

/// The files below `directory` with that extension.
fn files(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    found
}

/// Where the sources of the product have `pattern` in code: path below the tree, and line.
fn uses(rooms: &[&str], pattern: &str) -> Vec<(String, String)> {
    let tree = tree();
    let mut found = Vec::new();
    for file in rooms.iter().flat_map(|room| files(&tree.join(room), "rs")) {
        let name = file.strip_prefix(&tree).unwrap().to_str().unwrap().to_owned();
        for line in fs::read_to_string(&file).unwrap().lines() {
            let code = line.split("//").next().unwrap_or_default();
            if code.contains(pattern) {
                found.push((name.clone(), line.trim().to_owned()));
            }
        }
    }
    found
}

#[test]
fn every_rpc_has_needs_and_nothing_else_has() {
    let declared: BTreeSet<_> = methods(&contract()).iter().map(path).collect();
    let in_the_table: BTreeSet<_> = NEEDS.iter().map(|needs| needs.path.to_owned()).collect();
    assert_eq!(in_the_table, declared);
}

#[test]
fn no_rpc_changes_the_target_or_wants_what_no_sidecar_gets() {
    for needs in NEEDS {
        assert_ne!(needs.effect, Effect::Changes, "{}", needs.path);
        for capability in needs.capabilities {
            let known = ["CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH", "CAP_NET_RAW"];
            assert!(known.contains(&capability.name), "{}: {}", needs.path, capability.name);
            assert!(capability.reason.starts_with("to "), "{}: {:?}", needs.path, capability.reason);
        }
    }
}

#[test]
fn every_stream_can_be_limited_and_ends_in_a_summary() {
    let contract = contract();
    let streams = lists(&contract);
    assert!(!streams.is_empty());
    for stream in streams {
        let path = path(&stream);
        let limit = stream.input().get_field_by_name("limit").map(|field| field.kind());
        assert_eq!(limit, Some(Kind::Uint32), "{path}: a request without a limit");
        let summary =
            stream.output().get_field_by_name("summary").unwrap_or_else(|| panic!("{path}: no summary"));
        assert_eq!(
            summary.kind().as_message().map(|message| message.full_name()),
            Some("dbgctl.v1.Summary"),
            "{path}"
        );
        let part =
            summary.containing_oneof().unwrap_or_else(|| panic!("{path}: a summary beside other parts"));
        let last = part.fields().map(|field| field.number()).max();
        assert_eq!(last, Some(summary.number()), "{path}: the summary is the last part");
    }
}

#[test]
fn every_stream_is_a_list_under_its_own_path_with_its_own_messages() {
    let sources = fs::read_to_string(tree().join("proto/src/list.rs")).unwrap();
    let streams = lists(&contract());
    for stream in &streams {
        let (service, input, output) = (stream.parent_service(), stream.input(), stream.output());
        let (request, response) = (input.name(), output.name());
        let line = format!("list!({}.{}({request}) -> {response},", service.name(), stream.name());
        let by_hand = format!("impl List for v1::{response} {{\n    type Request = v1::{request};\n");
        let under = format!("const RPC: &'static str = \"{}\";", path(stream));
        // What differs in its needs alone may answer with the list of another of its service.
        let is_the_same = |other: &&MethodDescriptor| {
            other.name() != stream.name()
                && stream.name().starts_with(other.name())
                && (other.parent_service(), other.input(), other.output())
                    == (service, input.clone(), output.clone())
        };
        let is_there = sources.contains(&line)
            || (sources.contains(&by_hand) && sources.contains(&under))
            || streams.iter().any(|other| is_the_same(&other));
        assert!(is_there, "{line} … is not in proto/src/list.rs");
    }
}

#[test]
fn every_question_of_the_command_line_is_an_rpc_and_every_rpc_can_be_asked() {
    let named = uses(&["cli/src/commands"], "\"/dbgctl.v1.");
    let named = named.into_iter().map(|(_, line)| line.split('"').nth(1).unwrap().to_owned());
    // A list is named by what answers: `v1::ListCpuResponse::RPC`.
    let methods = methods(&contract());
    let listed = uses(&["cli/src/commands"], "Response::RPC").into_iter().map(|(_, line)| {
        let response = line.split("::RPC").next().unwrap().rsplit("::").next().unwrap();
        path(methods.iter().find(|method| method.output().name() == response).unwrap())
    });
    let asked: BTreeSet<_> = named.chain(listed).collect();
    // Who the agent is and how long it stays are no questions of the user.
    let of_probes = |needs: &&dbgctl_proto::Needs| !needs.path.starts_with("/dbgctl.v1.AgentService/");
    let offered: BTreeSet<_> = NEEDS.iter().filter(of_probes).map(|needs| needs.path.to_owned()).collect();
    assert_eq!(asked, offered);

    // The README has a row for each, which begins with the verb.
    let readme = fs::read_to_string(tree().join("README.md")).unwrap();
    let verbs: BTreeSet<_> =
        readme.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let help = dbgctl(&["--help"]).expect(0).stdout();
    for verb in verbs.iter().filter(|verb| !verb.contains(' ')) {
        assert!(help.lines().any(|line| line.split_whitespace().next() == Some(verb)), "{verb}\n{help}");
    }
}

#[test]
fn a_status_is_made_in_one_place_and_by_the_guard() {
    let doors = ["agent/src/error.rs", "agent/src/guard.rs"];
    // Each constructor but the conversion that goes through the door.
    let made =
        uses(&["agent/src"], "Status::").into_iter().filter(|(_, line)| !line.contains("Status::from("));
    let elsewhere: Vec<_> = made.filter(|(file, _)| !doors.contains(&file.as_str())).collect();
    assert_eq!(elsewhere, []);
}

#[test]
fn unsafe_code_lives_in_files_called_sys_alone() {
    let rooms = [
        "proto/src",
        "agent/src",
        "agent/linux/src",
        "cli/src",
        "images/targets/src",
        "tests/src",
        "xtask/src",
    ];
    for pattern in ["unsafe ", "unsafe{", "allow(unsafe_code", "expect(unsafe_code"] {
        let elsewhere: Vec<_> =
            uses(&rooms, pattern).into_iter().filter(|(file, _)| !file.ends_with("/sys.rs")).collect();
        assert_eq!(elsewhere, [], "{pattern}");
    }
}

#[test]
fn files_of_the_target_are_opened_in_one_way() {
    let rooms = ["agent/src", "agent/linux/src"];
    let openat2: BTreeSet<_> = uses(&rooms, "libc::SYS_openat2").into_iter().map(|(file, _)| file).collect();
    assert_eq!(
        openat2,
        BTreeSet::from(["agent/linux/src/sys.rs".to_owned(), "agent/src/seccomp.rs".to_owned()])
    );
    // Nothing in the agent can start a program.
    for pattern in ["process::Command", "execv(", "execve(", "fork("] {
        assert_eq!(
            uses(&rooms, pattern).iter().filter(|(file, _)| file != "agent/src/seccomp.rs").count(),
            0,
            "{pattern}"
        );
    }
}
