//! The environment of real containers, checked against the host's own view of the same processes.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use dbgctl_tests::{Ran, Target, dbgctl, dbgctl_command, host, run};
use serde_json::Value;

/// What must not be shown, and under which name it is planted.
const SECRETS: [(&str, &str, &str); 6] = [
    ("DB_PASSWORD", "hunter2-hunter2", "hunter2-hunter2"),
    ("DATABASE_URL", "postgres://shop:s3cr3t-w0rd@db:5432/shop", "s3cr3t-w0rd"),
    ("PLAIN", "ghp_16C7e42F292c6912E7710c838347Ae178B4a", "ghp_16C7e42F292c6912E7710c838347Ae178B4a"),
    ("TLS", "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\n-----END PRIVATE KEY-----", "MIIEvQIBADANBg"),
    ("JAVA_OPTS", "-Xmx1g -Djavax.net.ssl.trustStorePassword=changeit-please", "changeit-please"),
    ("SOME_HEADER", "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "eyJhbGciOiJIUzI1NiJ9"),
];
const HOSTILE: &str = "a\n1 root\u{1b}[31m\u{202e}b";

fn shop(user: &str) -> Target {
    let mut options = vec!["--user".to_owned(), user.to_owned()];
    let mut plant = |name: &str, value: &str| options.extend(["-e".to_owned(), format!("{name}={value}")]);
    SECRETS.iter().for_each(|(name, value, _)| plant(name, value));
    plant("HOSTILE", HOSTILE);
    plant("EMPTY_TOKEN", "");
    let options: Vec<_> = options.iter().map(String::as_str).collect();
    Target::run(&options, &["serve", "--workers", "3"]).ready()
}

fn env(target: &Target, options: &[&str]) -> Ran {
    dbgctl(&[&["env", &target.id], options].concat()).expect(0)
}

/// `dbgctl env`, with its audit file below `state`.
fn env_recorded_in(state: &Path, target: &Target, options: &[&str]) -> Ran {
    let mut command = dbgctl_command(&[&["env", &target.id], options].concat());
    run(command.env("XDG_STATE_HOME", state))
}

fn value<'a>(row: &'a Value, name: &str) -> &'a Value {
    let variables = row["variables"].as_array().unwrap();
    variables.iter().find(|variable| variable["name"] == name).unwrap_or_else(|| panic!("no {name} in {row}"))
}

#[test]
fn no_planted_secret_is_in_any_answer_unless_asked_for() {
    let target = shop("1000:1000");
    for format in ["table", "wide", "json", "yaml"] {
        let ran = env(&target, &["-o", format]);
        for (name, _, secret) in SECRETS {
            assert!(!ran.stdout().contains(secret) && !ran.stderr().contains(secret), "{name}: {ran:?}");
            assert!(ran.stdout().contains(name), "{name}: {ran:?}");
        }
    }
    let table = env(&target, &[]).stdout();
    assert!(table.contains("DB_PASSWORD   [redacted: name looks like a secret, 15 B]\n"), "{table}");
    assert!(table.contains("postgres://shop:[redacted]@db:5432/shop\n"), "{table}");
    let ran = env(&target, &["-o", "json"]);
    let rows = ran.rows();
    let password = value(&rows[0], "DB_PASSWORD");
    assert_eq!((&password["value"], &password["redacted"]), (&Value::Null, &"name".into()));
    assert_eq!(password["value_bytes"], 15);
    let empty = value(&rows[0], "EMPTY_TOKEN");
    assert_eq!((&empty["value"], &empty["redacted"]), (&"".into(), &Value::Null), "empty is no secret");
}

#[test]
fn revealed_it_is_what_the_host_sees_and_who_did_it_is_recorded() {
    let state = tempfile::tempdir().unwrap();
    for user in ["0:0", "1000:1000"] {
        let target = shop(user);

        let options = ["--reveal", "--reason", "ticket 4711", "-o", "json"];
        let ran = env_recorded_in(state.path(), &target, &options).expect(0);

        let rows = ran.rows();
        let on_host = host::processes_of(&target.id);
        assert_eq!(rows.len(), on_host.len(), "{ran:?}");
        for (row, process) in rows.iter().zip(&on_host) {
            assert_eq!(row["pid"], process.pid, "{row}");
            let first = match row["same_as_pid"].as_u64() {
                Some(first) => rows.iter().find(|row| row["pid"] == first).unwrap(),
                None => row,
            };
            let joined: String = first["variables"]
                .as_array()
                .unwrap()
                .iter()
                .map(|it| format!("{}={}\0", it["name"].as_str().unwrap(), it["value"].as_str().unwrap()))
                .collect();
            assert_eq!(joined.as_bytes(), process.read("environ"), "{row}");
        }
        assert_eq!(value(&rows[0], "HOSTILE")["value"], HOSTILE);
        assert!(rows[1..].iter().all(|row| row["same_as_pid"] == 1), "workers share it: {ran:?}");
        assert_eq!(ran.summary()["gaps"].as_array().unwrap().len(), 0, "{ran:?}");
        target.expect_nothing_left();

        let file = state.path().join("dbgctl/audit.jsonl");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let text = fs::read_to_string(&file).unwrap();
        let line: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        assert_eq!((&line["probe"], &line["reason"]), (&"env".into(), &"ticket 4711".into()));
        assert_eq!(
            (line["target_id"].as_str(), line["target_name"].as_str()),
            (Some(&*target.id), Some(&*target.name))
        );
        assert!(line["when"].as_str().unwrap().ends_with('Z') && line["uid"].is_u64(), "{line}");
        assert!(!text.contains("hunter2"), "{text}");
    }
    assert_eq!(fs::read_to_string(state.path().join("dbgctl/audit.jsonl")).unwrap().lines().count(), 2);
}

#[test]
fn what_can_not_be_recorded_is_not_revealed() {
    let target = shop("1000:1000");
    let state = tempfile::tempdir().unwrap();
    // Not even root can make a directory where a file is.
    fs::write(state.path().join("dbgctl"), "").unwrap();

    let refused = env_recorded_in(state.path(), &target, &["--reveal"]).expect_error("audit.jsonl");

    assert!(refused.stdout.is_empty(), "{refused:?}");
    target.expect_nothing_left();
}

#[test]
fn a_table_shows_once_what_the_processes_share_and_no_hostile_value_as_it_is() {
    let target = shop("1000:1000");

    let table = env(&target, &[]).stdout();
    let some = env(&target, &["--name", "hostile"]).stdout();

    assert_eq!(table.matches("HOSTILE").count(), 1, "{table}");
    assert!(table.contains("all 4  HOSTILE"), "{table}");
    assert!(table.contains(r"a\n1 root\x1b[31m\u{202e}b"), "{table}");
    let odd = table.chars().find(|&odd| odd != '\n' && (odd.is_control() || odd == '\u{202e}'));
    assert_eq!(odd, None, "{table:?}");
    assert_eq!(some.lines().count(), 3, "heading, variable, closing: {some}");
}

#[test]
fn without_the_capability_to_search_there_are_gaps_that_name_it() {
    for user in ["0:0", "1000:1000"] {
        let target = shop(user);

        let ran = env(&target, &["--level", "1", "-o", "json"]);

        assert!(ran.rows().is_empty(), "{ran:?}");
        let gap = &ran.summary()["gaps"][0];
        assert_eq!((&gap["subject"], &gap["count"]), (&"environments".into(), &4.into()), "{ran:?}");
        assert!(gap["reason"].as_str().unwrap().contains("needs CAP_DAC_READ_SEARCH"), "{ran:?}");
    }
}
