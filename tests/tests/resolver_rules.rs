//! Whether `dns` asks what real resolvers ask: the questions on the wire of the GNU C library, of musl and of Go, and of
//! `dbgctl dns` with the rules of each, for many kinds of resolv.conf.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::net::{IpAddr, Ipv4Addr, ToSocketAddrs as _, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;

use dbgctl_tests::dns::{self, Capture, Question, Scripted};
use dbgctl_tests::network::{Network, can_make_networks};
use dbgctl_tests::running::Running;
use dbgctl_tests::{Ran, Target, dbgctl, run, skipped};

/// In all of them .1 is a server that knows, .2 one that says REFUSED, .3 one that says SERVFAIL, .4 one that is silent,
/// .6 one that is silent about AAAA, .7 one that is lame, and nothing listens on .8 and .9.
const VARIANTS: &[(&str, &str, &str)] = &[
    ("one server", "nameserver 127.0.0.1\n", "db.prod.test"),
    ("a search path", "nameserver 127.0.0.1\nsearch a.test prod.test\n", "db"),
    ("ndots:2", "nameserver 127.0.0.1\nsearch a.test test\noptions ndots:2\n", "db.prod"),
    ("ndots:5", "nameserver 127.0.0.1\nsearch a.test b.test c.test\noptions ndots:5\n", "db.prod.test"),
    ("ndots:0", "nameserver 127.0.0.1\nsearch prod.test\noptions ndots:0\n", "db"),
    (
        "ndots beyond all bounds",
        "nameserver 127.0.0.1\nsearch prod.test\noptions ndots:99\n",
        "a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.test",
    ),
    ("a dot at the end", "nameserver 127.0.0.1\nsearch a.test prod.test\noptions ndots:5\n", "db.prod.test."),
    ("no such name", "nameserver 127.0.0.1\nsearch a.test prod.test\n", "nope"),
    ("no such name with dots", "nameserver 127.0.0.1\nsearch a.test prod.test\n", "nope.test"),
    ("a domain", "nameserver 127.0.0.1\ndomain prod.test\n", "db"),
    ("search twice", "search a.test\nnameserver 127.0.0.1\nsearch b.test prod.test\n", "db"),
    ("an empty search line", "search prod.test\nnameserver 127.0.0.1\nsearch\n", "db"),
    ("search with the root", "nameserver 127.0.0.1\nsearch . prod.test\n", "db"),
    ("search with dots at the end", "nameserver 127.0.0.1\nsearch a.test. prod.test.\n", "db"),
    ("no server", "search a.test\n", "db.prod.test"),
    ("an empty file", "", "db"),
    (
        "comments and junk",
        "; x\n# y\nnonsense\nnameserver 127.0.0.1 # z\n\n nameserver 127.0.0.2\nnameserver\nnameserver 1.2\r\nsearch prod.test\r\n",
        "db",
    ),
    ("the first server is closed", "nameserver 127.0.0.9\nnameserver 127.0.0.1\n", "db.prod.test"),
    ("the first server refuses", "nameserver 127.0.0.2\nnameserver 127.0.0.1\n", "db.prod.test"),
    ("only a server that refuses", "nameserver 127.0.0.2\nsearch a.test\noptions timeout:1\n", "db.prod"),
    ("only a server that fails", "nameserver 127.0.0.3\nsearch a.test\noptions timeout:1\n", "db.prod"),
    // musl counts whole milliseconds: a time that the attempts do not divide ends in one more of them, or not.
    ("failures again and again", "nameserver 127.0.0.3\noptions timeout:3 attempts:3\n", "db.prod.test"),
    (
        "failures in the search path",
        "nameserver 127.0.0.3\nsearch a.test b.test\noptions timeout:1 attempts:1\n",
        "db",
    ),
    (
        "the first server is silent",
        "nameserver 127.0.0.4\nnameserver 127.0.0.1\noptions timeout:1\n",
        "db.prod.test",
    ),
    (
        "all servers are silent",
        "nameserver 127.0.0.4\noptions timeout:1 attempts:2\nsearch a.test b.test\n",
        "db",
    ),
    (
        "all servers are closed",
        "nameserver 127.0.0.8\nnameserver 127.0.0.9\nsearch a.test b.test\noptions timeout:1\n",
        "db",
    ),
    (
        "a fourth server",
        "nameserver 127.0.0.8\nnameserver 127.0.0.9\nnameserver 127.0.0.8\nnameserver 127.0.0.1\noptions timeout:1\n",
        "db.prod.test",
    ),
    ("use-vc", "nameserver 127.0.0.1\nsearch a.test prod.test\noptions use-vc\n", "db"),
    (
        "use-vc, the first server is closed",
        "nameserver 127.0.0.9\nnameserver 127.0.0.1\noptions use-vc\n",
        "db.prod.test",
    ),
    (
        "rotate",
        "nameserver 127.0.0.1\nnameserver 127.0.0.11\nnameserver 127.0.0.12\nsearch a.test b.test prod.test\noptions rotate\n",
        "db",
    ),
    ("single-request", "nameserver 127.0.0.1\nsearch a.test prod.test\noptions single-request\n", "db"),
    ("single-request-reopen", "nameserver 127.0.0.1\noptions single-request-reopen\n", "db.prod.test"),
    ("edns0 and trust-ad", "nameserver 127.0.0.1\noptions edns0 trust-ad\n", "db.prod.test"),
    ("an answer that does not fit", "nameserver 127.0.0.1\nsearch test\n", "big.test"),
    (
        "silence about AAAA",
        "nameserver 127.0.0.6\nsearch a.test\noptions timeout:1 attempts:2\n",
        "db.prod.test",
    ),
    ("attempts:0", "nameserver 127.0.0.1\noptions attempts:0\n", "db.prod.test"),
    ("timeout:0", "nameserver 127.0.0.1\noptions timeout:0\n", "db.prod.test"),
    (
        "options on two lines",
        "options ndots:3\nnameserver 127.0.0.1\noptions attempts:1 timeout:1\nsearch test\n",
        "db.prod",
    ),
    (
        "options that are no numbers",
        "nameserver 127.0.0.1\nsearch prod.test\noptions ndots:x attempts: timeout:-1 ndots\n",
        "db",
    ),
    ("a lame server", "nameserver 127.0.0.7\nnameserver 127.0.0.1\noptions timeout:1\n", "db.prod.test"),
    ("an alias", "nameserver 127.0.0.1\nsearch a.test prod.test\n", "alias.test"),
    ("only an IPv4 address", "nameserver 127.0.0.1\nsearch a.test\n", "four.test"),
    (
        "a name without addresses",
        "nameserver 127.0.0.1\nsearch a.test prod.test\noptions ndots:2\n",
        "text.test",
    ),
    ("a name without addresses in the path", "nameserver 127.0.0.1\nsearch test prod.test\n", "text"),
    ("a server of IPv6 that is not there", "nameserver fd00::53\nnameserver 127.0.0.1\n", "db.prod.test"),
    ("an address of the old form", "nameserver 127.1\nnameserver 127.0.0.9\n", "db.prod.test"),
    ("no-tld-query", "nameserver 127.0.0.1\nsearch a.test\noptions no-tld-query\n", "db"),
    ("an underscore", "nameserver 127.0.0.1\n", "_db._tcp.prod.test"),
    ("an empty label", "nameserver 127.0.0.1\nsearch prod.test\n", "db..test"),
    (
        "a label that is too long",
        "nameserver 127.0.0.1\nsearch prod.test\n",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.test",
    ),
    ("a name that ends in a hyphen", "nameserver 127.0.0.1\nsearch prod.test\n", "db-"),
    ("a name of digits", "nameserver 127.0.0.1\nsearch prod.test\n", "1.2.3.4.5"),
    ("letters beyond ASCII", "nameserver 127.0.0.1\nsearch prod.test\n", "bücher.test"),
];

/// Which one looks up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Resolver {
    Glibc,
    Musl,
    Go,
}

impl Resolver {
    fn name(self) -> &'static str {
        match self {
            Self::Glibc => "glibc",
            Self::Musl => "musl",
            Self::Go => "go",
        }
    }
}

/// A container with servers in its network, and a resolv.conf that is written anew again and again.
struct Place {
    target: Target,
    host_pid: u32,
    resolv_conf: PathBuf,
    capture: Capture,
    work: tempfile::TempDir,
    _real: Vec<Running>,
    _scripted: Vec<Scripted>,
}

impl Place {
    fn new() -> Option<Self> {
        let target = Target::run(&[], &["serve"]).ready();
        let host_pid = dns::first_process(&target);
        let records = [
            "--local=/test/".to_owned(),
            "--host-record=db.prod.test,10.0.0.7,fd00::7".to_owned(),
            "--host-record=four.test,10.0.0.4".to_owned(),
            "--cname=alias.test,db.prod.test".to_owned(),
            "--txt-record=text.test,words".to_owned(),
        ];
        let big = (1..=100).map(|nth| format!("--host-record=big.test,10.1.0.{nth}"));
        let records: Vec<_> = records.into_iter().chain(big).collect();
        let records: Vec<_> = records.iter().map(String::as_str).collect();
        let mut real = Vec::new();
        for address in ["127.0.0.1", "127.0.0.11", "127.0.0.12"] {
            real.push(dns::dnsmasq(host_pid, address, &records)?);
        }
        real.push(dns::dnsmasq(host_pid, "127.0.0.2", &[])?);
        let scripted = vec![
            Scripted::udp(host_pid, "127.0.0.3", |question| vec![dns::answer(question, 2)]),
            Scripted::udp(host_pid, "127.0.0.4", |_| vec![]),
            Scripted::udp(host_pid, "127.0.0.6", |question| match dns::kind_of(question) {
                28 => vec![],
                _ => vec![dns::answer_with(question, b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\x0a\0\0\x07")],
            }),
            Scripted::udp(host_pid, "127.0.0.7", |question| {
                let mut lame = dns::answer(question, 0);
                lame[3] &= 0x7f;
                vec![lame]
            }),
        ];
        // So that the many questions need no sidecar each.
        dbgctl(&["attach", &target.id, "--detach"]).expect(0);
        Some(Self {
            resolv_conf: target.inspect("{{.ResolvConfPath}}").trim().into(),
            capture: Capture::start(host_pid),
            work: tempfile::tempdir().unwrap(),
            target,
            host_pid,
            _real: real,
            _scripted: scripted,
        })
    }

    /// What a program of the real resolver asks.
    fn real(&self, resolver: Resolver, go: &Path, name: &str) -> Vec<Question> {
        self.capture.clear();
        match resolver {
            Resolver::Musl => drop(self.target.exec(&["look-up", name])),
            Resolver::Glibc => drop(self.with_gnu_c_library(name)),
            Resolver::Go => drop(self.with_files(Command::new(go).arg(name))),
        }
        self.capture.questions()
    }

    /// Which addresses a program of the real resolver gets, in order.
    fn real_addresses(&self, resolver: Resolver, go: &Path, name: &str) -> Vec<IpAddr> {
        let ran = match resolver {
            Resolver::Musl => self.target.exec(&["look-up", name]),
            Resolver::Glibc => self.with_gnu_c_library(name),
            Resolver::Go => self.with_files(Command::new(go).arg(name)),
        };
        let addresses: Vec<_> = ran.stdout().lines().filter_map(|line| line.trim().parse().ok()).collect();
        assert!(!addresses.is_empty(), "{resolver:?}: {ran:?}");
        addresses
    }

    fn with_gnu_c_library(&self, name: &str) -> Ran {
        let this = std::env::current_exe().unwrap();
        let looks_up = ["--exact", "this_program_looks_up_a_name", "--ignored", "--nocapture"];
        self.with_files(Command::new(this).args(looks_up).env("LOOK_UP", name))
    }

    /// Runs a program of the host in the container's network, with the container's files of names.
    fn with_files(&self, program: &Command) -> Ran {
        let nsswitch = self.work.path().join("nsswitch.conf");
        fs::write(&nsswitch, "hosts: files dns\n").unwrap();
        let script = "mount --bind \"$0\" /etc/resolv.conf && mount --bind \"$1\" /etc/nsswitch.conf && shift && exec \"$@\"";
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{}/ns/net", self.host_pid));
        command.arg(format!("--uts=/proc/{}/ns/uts", self.host_pid));
        command.args(["unshare", "--mount", "sh", "-c", script]).args([&self.resolv_conf, &nsswitch]);
        command.arg(program.get_program()).args(program.get_args());
        command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let ran = run(&mut command);
        assert!(!ran.stderr().contains("mount:") && !ran.stderr().contains("nsenter:"), "{ran:?}");
        ran
    }

    /// What dbgctl asks, and what it says that it asked.
    fn ours(&self, resolver: Resolver, name: &str) -> (Vec<Question>, Vec<Question>) {
        self.capture.clear();
        let ran =
            dbgctl(&["dns", &self.target.id, name, "--raw", "--resolver", resolver.name(), "-o", "json"]);
        assert!(ran.code.is_some_and(|code| code < 3), "{ran:?}");
        let questions = self.capture.questions();
        let mut told: Vec<_> =
            ran.json().into_iter().filter(|line| line.get("sent_nanos").is_some()).collect();
        told.retain(|line| line["outcome"] != "unreachable" && !is_refused_by_tcp(line));
        told.sort_by_key(|line| line["sent_nanos"].as_u64());
        let told = told.iter().map(|line| Question {
            server: line["server"].as_str().unwrap().strip_suffix(":53").unwrap().parse().unwrap(),
            transport: if line["transport"] == "tcp" { "tcp" } else { "udp" },
            name: line["name"].as_str().unwrap().to_owned(),
            kind: line["record_type"].as_u64().unwrap().try_into().unwrap(),
            edns_bytes: None,
        });
        (questions, told.collect())
    }
}

/// By TCP the question follows the handshake, and there was none.
fn is_refused_by_tcp(line: &serde_json::Value) -> bool {
    line["transport"] == "tcp" && line["outcome"] == "refused"
}

/// Go asks for A and AAAA at the same time, in any order: each is compared for itself. With `rotate` the GNU C library begins
/// with a random server, and Go with one that is random for each of the two.
fn comparable(resolver: Resolver, conf: &str, questions: &[Question]) -> Vec<Question> {
    let mut questions = questions.to_vec();
    if resolver == Resolver::Go {
        questions.sort_by_key(|question| question.kind);
    }
    if conf.contains("rotate") && resolver != Resolver::Musl {
        let servers: Vec<Ipv4Addr> =
            conf.lines().filter_map(|line| line.strip_prefix("nameserver ")?.parse().ok()).collect();
        let place = |server: Ipv4Addr| servers.iter().position(|known| *known == server).unwrap();
        let mut firsts: Vec<(u16, usize)> = Vec::new();
        for question in &mut questions {
            let kind = if resolver == Resolver::Go { question.kind } else { 0 };
            let at = place(question.server);
            if !firsts.iter().any(|(known, _)| *known == kind) {
                firsts.push((kind, at));
            }
            let first = firsts.iter().find(|(known, _)| *known == kind).unwrap().1;
            question.server = servers[(at + servers.len() - first) % servers.len()];
        }
        if resolver == Resolver::Go {
            // Which of the two takes which turn differs from one run to the next.
            questions.iter_mut().for_each(|question| question.server = Ipv4Addr::UNSPECIFIED);
        }
    }
    questions
}

fn compare(resolver: Resolver) {
    let Some(place) = Place::new() else { return skipped("there is no dnsmasq") };
    let go = match resolver {
        Resolver::Go => match dns::go_program(place.work.path()) {
            Some(go) => go,
            None => return skipped("there is no Go"),
        },
        Resolver::Glibc if cfg!(not(target_env = "gnu")) => return skipped("there is no GNU C library"),
        _ => PathBuf::new(),
    };
    let only = std::env::var("VARIANT").ok();
    let (mut wrong, mut asked) = (Vec::new(), 0);
    for (what, conf, name) in VARIANTS {
        if only.as_ref().is_some_and(|only| only != what) {
            continue;
        }
        fs::write(&place.resolv_conf, conf).unwrap();
        let real = place.real(resolver, &go, name);
        asked += real.len();
        let (ours, told) = place.ours(resolver, name);
        let shown = |questions: &[Question]| {
            let line = |question: &Question| format!("    {question:?}\n");
            questions.iter().map(line).collect::<String>()
        };
        let same = comparable(resolver, conf, &real) == comparable(resolver, conf, &ours);
        let unnamed: Vec<_> =
            ours.iter().map(|question| Question { edns_bytes: None, ..question.clone() }).collect();
        if !same {
            wrong.push(format!("{what}: real\n{}  ours\n{}", shown(&real), shown(&ours)));
        } else if told != unnamed {
            wrong.push(format!("{what}: sent\n{}  told\n{}", shown(&unnamed), shown(&told)));
        }
    }
    assert!(asked > 100 || only.is_some(), "the program asked next to nothing: {asked} questions");
    assert!(wrong.is_empty(), "{} of {}\n{}", wrong.len(), VARIANTS.len(), wrong.join("\n"));
}

#[test]
fn the_gnu_c_library_asks_the_same() {
    compare(Resolver::Glibc);
}

#[test]
fn musl_asks_the_same() {
    compare(Resolver::Musl);
}

#[test]
fn go_asks_the_same() {
    compare(Resolver::Go);
}

/// Addresses of both families: in networks that the target is in, beyond its routers, and beyond all it can reach.
fn many(question: &[u8]) -> Vec<Vec<u8>> {
    let addresses: &[&str] = match (dns::kind_of(question), question[13]) {
        (1, b'a') => &["203.0.113.9", "192.0.2.130", "192.0.2.3", "10.1.1.1", "127.0.0.9", "169.254.1.1"],
        (28, b'a') => &["2001:db8::9", "fd00:2::8000:9", "fd00:2::3", "::1", "2002:c000:201::9", "fec0::9"],
        (1, b'b') => &["203.0.113.9"],
        (28, b'b') => &["fd00:2::9"],
        (1, b'c') => &["192.0.2.130", "203.0.113.9", "192.0.2.3", "198.51.100.1"],
        (28, b'd') => &["2001:db8::9", "fd00:2::9", "fd00:3::9", "2001:0:1::9"],
        _ => &[],
    };
    let mut message = dns::answer(question, 0);
    for address in addresses {
        let (kind, bytes) = match address.parse().unwrap() {
            IpAddr::V4(address) => (1, address.octets().to_vec()),
            IpAddr::V6(address) => (28, address.octets().to_vec()),
        };
        message[7] += 1;
        message.extend([0xc0, 0x0c, 0, kind, 0, 1, 0, 0, 0, 60, 0, u8::try_from(bytes.len()).unwrap()]);
        message.extend(bytes);
    }
    vec![message]
}

/// What can be reached, in its order, and the rest by family: to Go it is all alike, and comes as the answers came.
fn without_luck(here: &Network, addresses: &[IpAddr]) -> (Vec<IpAddr>, Vec<IpAddr>) {
    let is_reached = |to: &IpAddr| {
        let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        here.inside(|| UdpSocket::bind(any).is_ok_and(|socket| socket.connect((*to, 9)).is_ok()))
    };
    let (reached, mut others): (Vec<_>, Vec<_>) = addresses.iter().partition(|to| is_reached(to));
    others.sort_by_key(IpAddr::is_ipv4);
    (reached, others)
}

#[test]
fn addresses_come_in_the_order_of_the_real_resolvers() {
    if !can_make_networks() {
        return;
    }
    let Some(place) = Place::new() else { return skipped("there is no dnsmasq") };
    let _beside = Network::beside(&place.target);
    let here = Network::of(&place.target);
    here.configure(&[
        "ip -6 route add 2001:db8::/32 via fd00:2::1",
        "ip route replace unreachable 198.51.100.0/24",
    ]);
    let _server = Scripted::udp(place.host_pid, "127.0.0.5", many);
    fs::write(&place.resolv_conf, "nameserver 127.0.0.5\noptions timeout:20 attempts:1\n").unwrap();
    let go = dns::go_program(place.work.path());
    if go.is_none() {
        skipped("there is no Go");
    }
    for resolver in [Resolver::Glibc, Resolver::Musl, Resolver::Go] {
        let is_here = match resolver {
            Resolver::Glibc => cfg!(target_env = "gnu"),
            Resolver::Musl => true,
            Resolver::Go => go.is_some(),
        };
        for name in ["a.test", "b.test", "c.test", "d.test"].into_iter().filter(|_| is_here) {
            let real = place.real_addresses(resolver, go.as_deref().unwrap_or(Path::new("")), name);
            let ran = dbgctl(&["dns", &place.target.id, name, "--resolver", resolver.name(), "-o", "json"]);
            let verdict =
                ran.expect(0).json().into_iter().find_map(|line| line.get("verdict").cloned()).unwrap();
            let ours: Vec<IpAddr> = serde_json::from_value(verdict["addresses"].clone()).unwrap();
            if resolver == Resolver::Go {
                assert_eq!(without_luck(&here, &ours), without_luck(&here, &real), "{resolver:?}, {name}");
            } else {
                assert_eq!(ours, real, "{resolver:?}, {name}");
            }
        }
    }
}

#[test]
#[ignore = "it is the program with the GNU C library that the test above runs in a container's network"]
#[expect(clippy::print_stdout, reason = "that is how a program tells what it was told")]
fn this_program_looks_up_a_name() {
    let name = std::env::var("LOOK_UP").unwrap();
    // That there is none is an answer, too.
    for address in (name.as_str(), 80).to_socket_addrs().into_iter().flatten() {
        println!("\n{}", address.ip());
    }
}
