//! `dns` in real containers: every way in which a look-up fails is made for real, and named.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::time::Duration;

use dbgctl_tests::dns::{self, Capture, Scripted};
use dbgctl_tests::running::Running;
use dbgctl_tests::{Ran, Target, dbgctl, docker, docker_ok, eventually, skipped};

/// A record for the name of the question: 10.0.0.7 for a minute.
const RECORD: &[u8] = b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\x0a\0\0\x07";

struct Place {
    target: Target,
    host_pid: u32,
    _server: Running,
}

impl Place {
    /// A container with a real server on 127.0.0.1 in its network.
    fn new() -> Option<Self> {
        let target = Target::run(&[], &["serve"]).ready();
        let host_pid = dns::first_process(&target);
        let big: Vec<_> = (1..=100).map(|nth| format!("--host-record=big.test,10.1.0.{nth}")).collect();
        let mut options =
            vec!["--local=/test/", "--cname=alias.test,db.prod.test", "--txt-record=text.test,words"];
        options.extend([
            "--host-record=db.prod.test,10.0.0.7,fd00::7,300",
            "--mx-host=prod.test,mail.prod.test,10",
            "--host-record=xn--bcher-kva.test,10.0.0.8",
            "--host-record=here.prod.test,127.0.0.1",
        ]);
        options.extend(big.iter().map(String::as_str));
        let Some(server) = dns::dnsmasq(host_pid, "127.0.0.1", &options) else {
            skipped("there is no dnsmasq");
            return None;
        };
        Some(Self { target, host_pid, _server: server })
    }

    fn look_up(&self, conf: &str, arguments: &[&str]) -> Ran {
        fs::write(self.target.inspect("{{.ResolvConfPath}}").trim(), conf).unwrap();
        dbgctl(&[&["dns", &self.target.id], arguments].concat())
    }
}

#[test]
fn names_are_found_with_their_aliases_times_and_lives() {
    let Some(place) = Place::new() else { return };
    let conf = "nameserver 127.0.0.1\nsearch a.test prod.test\n";
    let ran = place.look_up(conf, &["alias.test.", "-o", "json"]).expect(0);
    let header = ran.header();
    assert_eq!(header["servers"], serde_json::json!(["127.0.0.1:53"]));
    assert_eq!(header["resolver"], "musl", "{header}");
    let rows: Vec<_> = ran.json().into_iter().filter(|line| line.get("outcome").is_some()).collect();
    assert_eq!(rows.len(), 2, "{ran:?}");
    let records = rows[0]["answer"]["records"].as_array().unwrap();
    assert_eq!((&records[0]["value"], &records[1]["value"]), (&"db.prod.test.".into(), &"10.0.0.7".into()));
    assert_eq!(records[1]["ttl_seconds"], 300);
    assert!(rows[0]["nanos"].as_u64().unwrap() > 0 && rows[0]["answer"]["authoritative"] == true, "{ran:?}");

    let ran = place.look_up(conf, &["db"]).expect(0);
    assert!(ran.stdout().contains("\ndb: 10.0.0.7, fd00::7 (4 questions, "), "{ran:?}");
    assert!(ran.stdout().contains("2 of 4 questions were wasted on names that do not exist"), "{ran:?}");
    assert!(ran.stderr().contains("asked as musl does (/target-program is static"), "{ran:?}");

    let ran = place.look_up(conf, &["prod.test", "--type", "mx"]).expect(0);
    assert!(ran.stdout().contains("10 mail.prod.test."), "{ran:?}");
    let ran = place.look_up(conf, &["10.0.0.7", "--type", "ptr"]).expect(0);
    assert!(
        ran.stdout().contains("7.0.0.10.in-addr.arpa.") && ran.stdout().contains("db.prod.test."),
        "{ran:?}"
    );
}

#[test]
fn what_does_not_exist_is_a_no_and_what_is_not_found_out_is_none() {
    let Some(place) = Place::new() else { return };
    let conf = "nameserver 127.0.0.1\n";
    let ran = place.look_up(conf, &["nope.test"]).expect(1);
    assert!(ran.stdout().contains("nope.test: no such name (2 questions, "), "{ran:?}");
    assert!(ran.stdout().contains("nope.test. itself does not exist, says server 127.0.0.1"), "{ran:?}");
    let ran = place.look_up(conf, &["text.test"]).expect(1);
    assert!(ran.stdout().contains("the name exists, and has no such records"), "{ran:?}");
    let ran = place.look_up("nameserver 127.0.0.9\n", &["db.prod.test", "--resolver", "glibc"]).expect(2);
    assert!(ran.stdout().contains("server 127.0.0.9 refused 4 of 4"), "{ran:?}");
    let ran = place.look_up(conf, &["bücher.test", "--raw", "--resolver", "glibc"]).expect(1);
    assert!(ran.stdout().contains("begins with xn--"), "{ran:?}");
    let ran = place.look_up(conf, &["Bücher.test", "--resolver", "glibc"]).expect(0);
    assert!(ran.stdout().contains("\nBücher.test: 10.0.0.8 ("), "{ran:?}");
    assert!(ran.stderr().contains("Bücher.test is xn--bcher-kva.test in the DNS"), "{ran:?}");
    // An address, and a name of /etc/hosts: there is nothing to ask.
    let ran = place.look_up(conf, &["10.1"]).expect(0);
    assert!(ran.stdout().contains("10.1: 10.0.0.1 (the name is an address; nothing is asked)"), "{ran:?}");
    let ran = place.look_up(conf, &["localhost"]).expect(0);
    assert!(ran.stdout().contains("(from /etc/hosts; nothing is asked)"), "{ran:?}");
}

#[test]
fn each_way_in_which_a_server_fails_is_named() {
    let Some(place) = Place::new() else { return };
    let pid = place.host_pid;
    let real = dns::dnsmasq(pid, "127.0.0.2", &[]).unwrap();
    let _servers = [
        Scripted::udp(pid, "127.0.0.3", |question| vec![dns::answer(question, 2)]),
        Scripted::udp(pid, "127.0.0.4", |_| vec![]),
        Scripted::udp(pid, "127.0.0.5", |question| {
            let good = dns::answer_with(question, RECORD);
            let mut forged = good.clone();
            forged[0] ^= 0xff;
            vec![forged.clone(), forged, b"GARBAGE".to_vec(), good]
        }),
        Scripted::udp(pid, "127.0.0.6", |question| {
            let good = dns::answer_with(question, RECORD);
            vec![good[..good.len() - 6].to_vec()]
        }),
        Scripted::udp(pid, "127.0.0.7", |question| {
            let mut lame = dns::answer(question, 0);
            lame[3] = 0;
            vec![lame]
        }),
        Scripted::udp(pid, "127.0.0.8", |question| {
            let mut cut = dns::answer(question, 0);
            cut[2] |= 2;
            vec![cut]
        }),
    ];
    let one = |server: &str, options: &[&str], exit| {
        // Who is silent is waited for, and by musl whoever fails or refuses.
        let is_musl = options.contains(&"musl");
        let seconds = match server {
            "127.0.0.4" => 1,
            "127.0.0.5" => 20,
            _ if is_musl => 4,
            _ => 20,
        };
        let conf = format!("nameserver {server}\noptions timeout:{seconds} attempts:1\n");
        place.look_up(&conf, &[&["db.prod.test", "--type", "a"], options].concat()).expect(exit).stdout()
    };
    for resolver in ["glibc", "musl", "go"] {
        let named = |server: &str, exit: i32, words: &str| {
            let said = one(server, &["--resolver", resolver], exit);
            assert!(said.contains(words), "{resolver}, {server}: no word of {words:?} in\n{said}");
        };
        named("127.0.0.2", 2, "server 127.0.0.2 said REFUSED");
        named("127.0.0.3", 2, "server 127.0.0.3 said SERVFAIL");
        named("127.0.0.4", 2, "it is down, or a firewall drops what is sent");
        named("127.0.0.5", 0, "2 packets from 127.0.0.5 carried another id or answered another question");
        named("127.0.0.5", 0, "1 packet from 127.0.0.5 was no DNS");
        named("127.0.0.9", 2, "server 127.0.0.9 refused");
    }
    let said = one("127.0.0.6", &["--resolver", "glibc"], 1);
    assert!(said.contains("server 127.0.0.6 sent 1 damaged answer: the message is damaged"), "{said}");
    let said = one("127.0.0.7", &["--resolver", "go"], 2);
    assert!(said.contains("(a lame server)"), "{said}");
    let said = one("127.0.0.8", &["--resolver", "go"], 2);
    assert!(said.contains("does not fit a datagram, and it does not answer by TCP"), "{said}");
    let said = one("127.0.0.1", &["--server", "fd00::53"], 2);
    assert!(said.contains("server [fd00::53] can not be reached from the container"), "{said}");
    drop(real);
}

#[test]
fn servers_that_differ_are_told_apart_only_when_asked_for() {
    let Some(place) = Place::new() else { return };
    let _other = dns::dnsmasq(place.host_pid, "127.0.0.2", &["--local=/test/"]).unwrap();
    let conf = "nameserver 127.0.0.1\nnameserver 127.0.0.2\n";
    let capture = Capture::start(place.host_pid);
    place.look_up(conf, &["db.prod.test", "--resolver", "glibc"]).expect(0);
    let asked = capture.questions();
    assert!(asked.len() == 2 && asked.iter().all(|question| question.server.octets()[3] == 1), "{asked:?}");
    let ran = place.look_up(conf, &["db.prod.test", "--resolver", "glibc", "--every-server"]).expect(0);
    assert!(
        ran.stdout().contains(
            "servers differ about db.prod.test. A: 127.0.0.1 says 10.0.0.7; 127.0.0.2 says no such name"
        ),
        "{ran:?}"
    );
    assert_eq!(capture.questions().len(), 6);
}

#[test]
fn a_long_answer_comes_by_tcp_and_a_slow_one_not_at_all() {
    let Some(place) = Place::new() else { return };
    let ran =
        place.look_up("nameserver 127.0.0.1\n", &["big.test", "--type", "a", "--resolver", "go"]).expect(0);
    assert!(ran.stdout().contains(" udp  cut ") && ran.stdout().contains(" tcp  NOERROR "), "{ran:?}");
    assert!(ran.stdout().contains("and 96 more"), "{ran:?}");

    let _servers = [
        Scripted::tcp(
            place.host_pid,
            "127.0.0.3",
            |question| vec![framed(&dns::answer_with(question, RECORD))],
            true,
        ),
        Scripted::tcp(place.host_pid, "127.0.0.4", |_| vec![b"\0\x04HTTP".to_vec()], false),
        Scripted::tcp(place.host_pid, "127.0.0.5", |_| vec![b"\xff\xffend".to_vec()], false),
    ];
    let ask = |server: &str, seconds: u32| {
        let conf = &format!("nameserver 127.0.0.1\noptions timeout:{seconds} attempts:1\n");
        let options = ["db.prod.test", "--type", "a", "--tcp", "--resolver", "go", "--server", server];
        place.look_up(conf, &options).expect(2).stdout()
    };
    let said = ask("127.0.0.3", 1);
    assert!(said.contains("timed out"), "{said}");
    let said = ask("127.0.0.4", 20);
    assert!(said.contains("what the server sent is no answer of the DNS"), "{said}");
    let said = ask("127.0.0.5", 20);
    assert!(said.contains("the server ended the connection in the middle of its answer"), "{said}");
}

fn framed(message: &[u8]) -> Vec<u8> {
    let length = u16::try_from(message.len()).unwrap();
    [&length.to_be_bytes(), message].concat()
}

#[test]
fn many_look_ups_are_counted_and_their_losses_told() {
    let Some(place) = Place::new() else { return };
    let conf = "nameserver 127.0.0.1\n";
    let ran = place.look_up(conf, &["db.prod.test", "--repeat", "20"]).expect(0);
    let counted = |kind: &str| {
        let line = ran.stdout().lines().find(|line| line.contains(&format!("  {kind} "))).unwrap().to_owned();
        line.split_whitespace().skip(4).take(3).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(
        (counted("A"), counted("AAAA")),
        (vec!["20".into(), "0".into(), "0.0".into()], vec!["20".into(), "0".into(), "0.0".into()])
    );
    assert!(ran.stdout().contains("found in 20 of 20 look-ups"), "{ran:?}");
    let ran = place.look_up(conf, &["db.prod.test", "--repeat", "3", "-o", "json"]).expect(0);
    assert_eq!(ran.json().iter().filter(|line| line.get("verdict").is_some()).count(), 3);
}

#[test]
fn a_configuration_that_makes_no_sense_is_told() {
    let Some(place) = Place::new() else { return };
    let ran = place.look_up("", &["db.prod.test"]).expect(0);
    assert!(
        ran.stderr().contains("resolv.conf names no server: the resolver asks one on localhost"),
        "{ran:?}"
    );
    let hostile = format!("nameserver \x1b[2J\n{}\nnameserver 127.0.0.1\n", "search x\n".repeat(200_000));
    place.look_up(&hostile, &["db.prod.test."]).expect_error("/etc/resolv.conf: ");
    let hostile =
        format!("nameserver \x1b[2J\n{}\nnameserver 127.0.0.1\n", "search \u{1b}]0;x\x07\n".repeat(50));
    let ran = place.look_up(&hostile, &["db.prod.test.", "--resolver", "glibc"]).expect(0);
    assert!(!ran.stdout().contains('\x1b') && !ran.stderr().contains('\x1b'), "{ran:?}");
    assert!(ran.stderr().contains("is no address, and is ignored"), "{ran:?}");
    let ran =
        place.look_up("nameserver 127.0.0.1\noptions attempts:0\n", &["db.prod.test", "--resolver", "musl"]);
    assert!(ran.expect(2).stderr().contains("musl divide by zero"), "a crash");
}

#[test]
fn at_level_0_the_engine_s_file_is_read_and_nothing_stays_behind() {
    let Some(place) = Place::new() else { return };
    let ran = place.look_up("nameserver 127.0.0.1\nsearch prod.test\n", &["db", "--level", "0"]).expect(0);
    // Which one comes first depends on what can be reached.
    let found = ["\ndb: 10.0.0.7, fd00::7", "\ndb: fd00::7, 10.0.0.7"];
    assert!(found.iter().any(|found| ran.stdout().contains(found)), "{ran:?}");
    assert!(ran.stderr().contains("the GNU C library's is assumed"), "{ran:?}");
    place.target.expect_nothing_left();
}

#[test]
fn at_level_0_too_a_file_that_is_mounted_over_the_engine_s_counts() {
    let work = tempfile::tempdir().unwrap();
    let file = work.path().join("resolv.conf");
    fs::write(&file, "nameserver 127.0.0.77\n").unwrap();
    let mount = format!("{}:/etc/resolv.conf:ro", file.display());
    let target = Target::run(&["-v", &mount], &["serve"]).ready();
    // The engine mounts it into the sidecar as well, which shares the target's network.
    for level in ["0", "1"] {
        let ran = dbgctl(&["dns", &target.id, "127.0.0.1", "--level", level, "-o", "json"]).expect(0);
        assert_eq!(ran.header()["servers"], serde_json::json!(["127.0.0.77:53"]), "level {level}");
    }
}

#[test]
fn the_resolver_is_that_of_the_program() {
    let resolver = |target: &Target| {
        let ran = dbgctl(&["dns", &target.id, "127.0.0.1", "-o", "json"]).expect(0);
        let header = ran.header();
        (
            header["resolver"].as_str().unwrap().to_owned(),
            header["resolver_reason"].as_str().unwrap().to_owned(),
        )
    };
    let (name, why) = resolver(&Target::web());
    assert!(name == "musl" && why.starts_with("/target-program is static"), "{name}: {why}");
    if let Some(redis) = Target::of_debian("redis") {
        let (name, why) = resolver(&redis);
        assert!(name == "glibc" && why.ends_with("is linked with the GNU C library"), "{name}: {why}");
    }
    let work = tempfile::tempdir().unwrap();
    let Some(program) = dns::go_program(work.path()) else { return skipped("there is no Go") };
    let mount = format!("{}:/go-program:ro", program.display());
    let (name, why) = resolver(&Target::run(&["-v", &mount, "--entrypoint", "/go-program"], &[]));
    assert_eq!((name.as_str(), why.as_str()), ("go", "/go-program is a Go program"));
}

#[test]
fn the_engine_s_own_server_is_asked_in_a_network_of_the_user_s() {
    let network = dbgctl_tests::unique("net");
    docker_ok(&["network", "create", &network]);
    let target = Target::run(&["--network", &network], &["serve"]).ready();
    let ran = dbgctl(&["dns", &target.id, &target.name, "--resolver", "glibc", "-o", "json"]);
    drop(target);
    assert!(eventually(Duration::from_secs(30), || docker(&["network", "rm", &network]).code == Some(0)));
    let ran = ran.expect(0);
    assert_eq!(ran.header()["servers"][0], "127.0.0.11:53", "{ran:?}");
}

/// What is asked for a name, whoever asks: server, name and type, in order.
fn asked(capture: &Capture, target: &Target, arguments: &[&str], exit: i32) -> Vec<String> {
    capture.clear();
    dbgctl(&[&arguments[..1], &[&target.id], &arguments[1..]].concat()).expect(exit);
    let questions = capture.questions();
    questions.iter().map(|it| format!("{} {} {}", it.server, it.name, it.kind)).collect()
}

#[test]
fn whoever_needs_an_address_asks_as_dns_does() {
    let Some(place) = Place::new() else { return };
    let knows = ["--local=/test/", "--host-record=here.prod.test,127.0.0.1"];
    let _second = dns::dnsmasq(place.host_pid, "127.0.0.2", &knows).unwrap();
    let conf = "nameserver 127.0.0.1\nnameserver 127.0.0.2\nsearch a.test prod.test\noptions timeout:20\n";
    fs::write(place.target.inspect("{{.ResolvConfPath}}").trim(), conf).unwrap();
    let capture = Capture::start(place.host_pid);
    let mut counts = Vec::new();
    // What the program is can be seen at level 1: musl asks both servers, the GNU C library the first.
    for (level, options) in [("0", &["--level", "0"][..]), ("1", &[])] {
        dbgctl(&["attach", "--detach", "--quiet", "--level", level, &place.target.id]).expect(0);
        let asks = |arguments: &[&str], exit| {
            let mut asked = asked(&capture, &place.target, &[arguments, options].concat(), exit);
            // musl asks all servers at the same time.
            asked.sort();
            asked
        };
        let by_dns = asks(&["dns", "here"], 0);
        counts.push(by_dns.len());
        for verb in [
            &["connect", "here:1"][..],
            &["tls", "here:1"],
            &["http", "http://here:1/"],
            &["ping", "here", "--tcp", "1", "--count", "1"],
        ] {
            // That it is refused answers a ping.
            let exit = i32::from(verb[0] != "ping");
            assert_eq!(asks(verb, exit), by_dns, "level {level}, {verb:?}");
        }
        dbgctl(&["detach", "--quiet", &place.target.id]).expect(0);
    }
    assert_eq!(counts, [4, 8]);
    place.target.expect_nothing_left();
}

#[test]
fn whoever_gets_no_address_says_why_in_the_words_of_dns() {
    let Some(place) = Place::new() else { return };
    let _servers = [
        Scripted::udp(place.host_pid, "127.0.0.3", |question| vec![dns::answer(question, 2)]),
        Scripted::udp(place.host_pid, "127.0.0.4", |_| vec![]),
    ];
    let rows = [
        ("127.0.0.1", "no such name", "nope.test. itself does not exist, says server 127.0.0.1"),
        ("127.0.0.3", "no server gave an answer that counts", "server 127.0.0.3 said SERVFAIL"),
        ("127.0.0.4", "no answer from the resolver within 2s", "server 127.0.0.4 left 2 of 2 unanswered"),
        ("127.0.0.9", "no server gave an answer that counts", "server 127.0.0.9 refused"),
    ];
    for (server, outcome, finding) in rows {
        let seconds = if server == "127.0.0.4" { 20 } else { 1 };
        let timeout = if server == "127.0.0.4" { "2s" } else { "30s" };
        let conf = format!("nameserver {server}\noptions timeout:{seconds}\n");
        fs::write(place.target.inspect("{{.ResolvConfPath}}").trim(), conf).unwrap();
        for verb in ["connect", "tls"] {
            let ran = dbgctl(&[verb, &place.target.id, "nope.test:80", "--timeout", timeout]).expect(1);
            let said = ran.stdout() + &ran.stderr();
            for words in [outcome, finding, "asked as "] {
                assert!(said.contains(words), "{verb}, {server}: no word of {words:?} in {ran:?}");
            }
        }
        let ran = dbgctl(&["ping", &place.target.id, "nope.test", "--timeout", timeout]).expect(2);
        assert!(ran.stderr().contains(outcome) && ran.stderr().contains(finding), "{server}: {ran:?}");
    }
}

#[test]
fn sources_of_names_end_the_look_up_where_nsswitch_conf_says_so() {
    let Some(place) = Place::new() else { return };
    let work = tempfile::tempdir().unwrap();
    let rows = [
        ("files", 1, "no server is asked"),
        ("dns files", 0, ""),
        ("files [NOTFOUND=return] dns", 1, ""),
        ("files mdns4_minimal [NOTFOUND=return] dns", 0, "counts as not available"),
        ("resolve [!UNAVAIL=return] dns", 0, "counts as not available"),
        ("resolve [UNAVAIL=return] dns", 1, "counts as not available"),
    ];
    for (hosts, exit, remark) in rows {
        let etc = work.path().join("etc");
        fs::create_dir_all(&etc).unwrap();
        fs::write(etc.join("nsswitch.conf"), format!("hosts: {hosts}\n")).unwrap();
        docker_ok(&["cp", &format!("{}/.", work.path().display()), &format!("{}:/", place.target.id)]);
        let ran =
            place.look_up("nameserver 127.0.0.1\n", &["db.prod.test", "--resolver", "glibc"]).expect(exit);
        assert!(ran.stderr().contains(remark), "{hosts}: {ran:?}");
        // musl has no such file.
        place.look_up("nameserver 127.0.0.1\n", &["db.prod.test", "--resolver", "musl"]).expect(0);
    }
}

#[test]
fn the_environment_of_the_program_is_heeded_when_asked_for() {
    let work = tempfile::tempdir().unwrap();
    fs::write(work.path().join("aliases"), "here db.prod.test\n").unwrap();
    let mount = format!("{}:/aliases:ro", work.path().join("aliases").display());
    let options = [
        "-e",
        "RES_OPTIONS=ndots:3 attempts:1",
        "-e",
        "LOCALDOMAIN=b.test prod.test",
        "-e",
        "HOSTALIASES=/aliases",
        "-v",
        &mount,
        "--user",
        "1000",
    ];
    let target = Target::run(&options, &["serve"]).ready();
    let host_pid = dns::first_process(&target);
    let Some(_server) = dns::dnsmasq(
        host_pid,
        "127.0.0.1",
        &["--local=/test/", "--local=/here/", "--host-record=db.prod.test,10.0.0.7"],
    ) else {
        return skipped("there is no dnsmasq");
    };
    fs::write(target.inspect("{{.ResolvConfPath}}").trim(), "nameserver 127.0.0.1\nsearch a.test\n").unwrap();
    let ask = |arguments: &[&str]| dbgctl(&[&["dns", &target.id, "-o", "json"], arguments].concat());
    let ran = ask(&["db.test", "--resolver", "glibc"]).expect(1);
    let header = ran.header();
    assert_eq!(
        (&header["ndots"], &header["search"]),
        (&1.into(), &serde_json::json!(["a.test"])),
        "{header}"
    );
    let ran = ask(&["db", "--resolver", "glibc", "--environment"]).expect(0);
    let header = ran.header();
    assert_eq!((&header["ndots"], &header["attempts"]), (&3.into(), &1.into()), "{header}");
    assert_eq!(header["search"], serde_json::json!(["b.test", "prod.test"]), "{header}");
    let names = |ran: &Ran| -> Vec<String> {
        let rows = ran.json().into_iter().filter(|line| line.get("sent_nanos").is_some());
        rows.map(|row| row["name"].as_str().unwrap().to_owned()).collect()
    };
    let ran = ask(&["here", "--resolver", "glibc", "--environment", "--type", "a"]).expect(0);
    assert_eq!(names(&ran), ["db.prod.test."], "{ran:?}");
    let ran = ask(&["here", "--resolver", "musl", "--environment", "--type", "a"]).expect(1);
    assert_eq!(names(&ran), ["here.a.test.", "here."], "{ran:?}");
    let remarks = ran.header()["remarks"].to_string();
    assert!(
        remarks.contains("RES_OPTIONS=ndots:3 attempts:1, which its resolver does not heed"),
        "{remarks}"
    );
    target.expect_nothing_left();
}
