//! Whatever a parser is given, it answers or refuses, and never panics.

use dbgctl_linux::cgroupfs::{cpu, io, keyed, memory, memory_events, memory_stat, pressure};
use dbgctl_linux::etc::resolv_conf::Resolver;
use dbgctl_linux::etc::{group, hosts, nsswitch, passwd, resolv_conf};
use dbgctl_linux::netlink::address::Address;
use dbgctl_linux::netlink::inet_diag::InetSocket;
use dbgctl_linux::netlink::link::Link;
use dbgctl_linux::netlink::neighbour::Neighbour;
use dbgctl_linux::netlink::netlink_diag::NetlinkSocket;
use dbgctl_linux::netlink::packet_diag::PacketSocket;
use dbgctl_linux::netlink::route::Route;
use dbgctl_linux::netlink::rule::Rule;
use dbgctl_linux::netlink::tcp_info::{Field, TcpInfo};
use dbgctl_linux::netlink::unix_diag::UnixSocket;
use dbgctl_linux::procfs::{
    cgroup, cmdline, environ, exe, fd, fdinfo, identity, if_inet6, limits, loadavg, meminfo, mountinfo,
    net_counters, net_dev, netstat, oom_score, oom_score_adj, partitions, schedstat, smaps, smaps_rollup,
    sockets, stat, status, syscall, system_stat, wchan,
};
use dbgctl_linux::target::ContainerId;
use dbgctl_linux::{acl, cpu_list, entries, glob, netlink, scene};
use proptest::prelude::*;

const SAMPLES: &[&[u8]] = &[
    b"41 (nginx: w) (x) S 7 41 41 0 -1 4194560 1 2 3 4 50 60 0 0 20 -5 3 0 2400 8192 17 18446744073709551615 0\n",
    b"nginx: worker process\0\0\0-g\0daemon off;\0",
    b"12:memory:/docker/aa\n4:cpu,cpuacct:/docker/aa\n1:name=systemd:/docker/aa\n0::/../docker-bb.scope\n",
    b"Name:\tcat\nState:\tR (running)\nUid:\t0\t65533\t0\t0\nVmSwap:\t      12 kB\nThreads:\t1\n\
      CapEff:\t0000000000080000\nSeccomp_filters:\t2\n",
    b"561a-7ffe ---p 00000000 00:00 0    [rollup]\nRss:  1668 kB\nPss:   323 kB\nPss_Anon:  112 kB\nPss_File: 211 kB\n\
      Pss_Shmem:   0 kB\nPrivate_Clean:    60 kB\nPrivate_Dirty:  112 kB\nSwapPss:    0 kB\n",
    b"561a00000000-561a00001000 r--p 00000000 00:27 795386    /bin/a b\nSize: 4 kB\nRss: 4 kB\nPss: 2 kB\nSwap: 1 kB\n",
    b"do_epoll_wait",
    b"130 0x7ffeff9f6d00 0x8 0x5 0x2 0x56315a816b80 0x7 0x7ffeff9f6c68 0x7f7e8dc392d5\n",
    b"-1 0x7ffeff9f6c68 0x7f7e8dc392d5\n",
    b"nginx: worker\0\0\0WORD=hunter2\0A=b\0",
    b"/var/log/a (deleted)",
    b"anon_inode:[eventpoll]",
    b"socket:[4242]",
    b"pos:\t0\nflags:\t02004002\nmnt_id:\t24\nino:\t3\nclockid: 1\nticks: 0\nit_value: (49, 406829417)\nlock:\t1: FLOCK\n\
      tfd:        5 events:       19 data:                5\nsigmask:\t0000000000000201\nPid:\t-1\n",
    b"Limit                     Soft Limit           Hard Limit           Units     \n\
      Max open files            1024                 524288               files     \n",
    b"   0: 0100007F:1F90 0100007F:D431 01 00000000:00000000 00:00000000 00000000 0 0 7 1 0",
    b"00000000fa9bd5f9: 00000002 00000000 00010000 0001 01  3888 /run/a b.sock",
    b"  eth0: 8675309 1234 0 0 0 0 0 0 99 7 0 0 0 0 0 0",
    b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:\n",
    b"MemTotal: 24684092 kB\nMemAvailable: 22071064 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n",
    b"cache 524288\nhierarchical_memory_limit 9223372036854771712\ntotal_cache 524288\ntotal_rss 21016576\n",
    b"-1000\n",
    b"www:x:33:ann,bob\nadm:x:4:\n",
    b"36 35 98:0 /mnt1 /mnt\\0402 rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n",
    b"\x02\0\0\0\x01\0\x07\0\xff\xff\xff\xff\x02\0\x06\0\xe8\x03\0\0",
    b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x18\0\x04name\0",
    b"*[!a-z]?\\*",
    b"9223372036854771712\n",
    b"max\n",
    b"50000 100000\n",
    b"254:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n254:0 rbps=1048576 wbps=max riops=max wiops=120\n",
    b"254:0 Read 1\n254:0 Write 2\n254:0 Total 8\nTotal 8\n",
    b"rchar: 1\nwchar: 2\nsyscr: 3\nsyscw: 4\nread_bytes: 5\nwrite_bytes: 6\ncancelled_write_bytes: 7\n",
    b"major minor  #blocks  name\n\n 254        0   52428800 vda\n",
    b"0-3,8\n",
    b"0.93 12.20 0.00 1/121 23931\n",
    b"1200000 0 7\n",
    b"cpu  10 20 30 400 50 6 7 8 9 0\ncpu0 1 2 3 4 5 6 7 8 9 0\nintr 5 0\n",
    b"Cpus_allowed_list:\t0-2,5\nvoluntary_ctxt_switches:\t12\nnonvoluntary_ctxt_switches:\t3\n",
    b"nr_periods 7\nnr_throttled 1\nthrottled_time 9000\n",
    b"some avg10=0.07 avg60=12.34 avg300=100.00 total=21031\n",
    // A netlink message with an inet_diag_msg and two attributes, on a machine that is little-endian.
    b"\x6c\0\0\0\x14\0\x02\0\x01\0\0\0\0\0\0\0\
      \x02\x01\x02\0\x1f\x90\xd4\x31\x7f\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\x7f\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\
      \0\0\0\0\x05\0\0\0\0\0\0\0\xe8\x03\0\0\0\0\0\0\0\0\0\0\xe8\x03\0\0\x92\x10\0\0\
      \x0a\0\x04\0cubic\0\0\0\x05\0\x08\0\x02\0\0\0",
    b"\x20\0\0\0\x14\0\x02\0\x01\0\0\0\0\0\0\0\x01\x01\x0a\0\x92\x10\0\0\x05\0\0\0\0\0\0\0\x0a\0\0\0/run/a\0\0",
    b"nameserver 127.1\nsearch a.test b.test\noptions ndots:5 timeout:2 attempts:1 rotate\nnameserver fe80::1%eth0\n",
    b"127.0.0.1 localhost # me\n::1 localhost ip6-localhost\nhosts: files [NOTFOUND=return] dns\n",
    b"fe800000000000000042acfffe110002 1a 40 20 80     eth0\n",
    b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0\x01\0\0\0\0\0\0\0\0\0\0\0\x40\0\0\0\0\0\0\0\
      \0\0\0\0\0\0\0\0\0\0\0\0\x40\0\x38\0\x01\0\0\0\0\0\0\0\
      \x04\0\0\0\0\0\0\0\x78\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x14\0\0\0\0\0\0\0\
      \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x04\0\0\0\x04\0\0\0\x04\0\0\0Go\0\0abcd",
    // A multipath route to 10.0.0.0/8 with metrics.
    b"\x60\0\0\0\x18\0\x02\0\x01\0\0\0\0\0\0\0\x02\x08\0\0\xfe\x03\0\x01\0\0\0\0\
      \x08\0\x01\0\x0a\0\0\0\x0c\0\x08\0\x08\0\x02\0\xdc\x05\0\0\
      \x24\0\x09\0\x10\0\0\0\x02\0\0\0\x08\0\x05\0\x0a\0\0\x01\x10\0\0\x01\x03\0\0\0\x08\0\x05\0\x0a\0\0\x02",
    // An interface with a name, an MTU, a kind and what it has carried, cut short.
    b"\x4c\0\0\0\x10\0\x02\0\x01\0\0\0\0\0\0\0\0\0\x01\0\x02\0\0\0\x43\x10\x01\0\0\0\0\0\
      \x09\0\x03\0eth0\0\0\0\0\x08\0\x04\0\xdc\x05\0\0\x10\0\x12\0\x09\0\x01\0veth\0\0\0\0\x08\0\x17\0\x01\0\0\0",
    b"entries drop early_drop\n0000000c 00000001 00000002\n",
    b"sockets: used 9\nTCP: inuse 1 orphan 0 tw 2 alloc 3 mem 4\n",
    b"TcpExt: ListenOverflows ListenDrops\nTcpExt: 1 2\nIpExt: InOctets\nIpExt: 3\n",
    b"target aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\nboottime_nanos 1\nunix_nanos 1\n\
      ticks_per_second 100\npage_bytes 4096\n",
];

/// One change of a text: kernels truncate, hostile processes do the rest.
#[derive(Debug, Clone)]
enum Change {
    Truncate(prop::sample::Index),
    Byte(prop::sample::Index, u8),
    Rotate(prop::sample::Index),
    Swap(prop::sample::Index, prop::sample::Index),
    Insert(prop::sample::Index, Vec<u8>),
}

impl Change {
    fn apply(self, text: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        match self {
            Self::Truncate(at) => text.truncate(at.index(text.len())),
            Self::Byte(at, byte) => {
                let at = at.index(text.len());
                text[at] = byte;
            }
            Self::Rotate(at) => {
                let at = at.index(text.len());
                text.rotate_left(at);
            }
            Self::Swap(a, b) => {
                let (a, b) = (a.index(text.len()), b.index(text.len()));
                text.swap(a, b);
            }
            Self::Insert(at, bytes) => {
                let at = at.index(text.len());
                text.splice(at..at, bytes);
            }
        }
    }
}

fn change() -> impl Strategy<Value = Change> {
    let telling = prop::sample::select(b"()\0\n\t :-09kB\xff".to_vec());
    prop_oneof![
        any::<prop::sample::Index>().prop_map(Change::Truncate),
        (any::<prop::sample::Index>(), telling).prop_map(|(at, byte)| Change::Byte(at, byte)),
        any::<prop::sample::Index>().prop_map(Change::Rotate),
        any::<(prop::sample::Index, prop::sample::Index)>().prop_map(|(a, b)| Change::Swap(a, b)),
        (any::<prop::sample::Index>(), prop::collection::vec(any::<u8>(), 0..40))
            .prop_map(|(at, bytes)| Change::Insert(at, bytes)),
    ]
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    let changed = (prop::sample::select(SAMPLES), prop::collection::vec(change(), 0..6));
    changed.prop_map(|(sample, changes)| {
        let mut text = sample.to_vec();
        changes.into_iter().for_each(|change| change.apply(&mut text));
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_a_parser_panic(text in text()) {
        let _ = stat::parse(&text);
        let _ = cmdline::parse(&text).arguments().count();
        let _ = cgroup::parse(&text);
        let _ = status::parse(&text);
        let _ = identity::parse(&text);
        let _ = smaps_rollup::parse(&text);
        let _ = smaps::parse(&text);
        let _ = scene::parse(&text);
        let _ = wchan::parse(&text);
        let _ = fd::parse(&text);
        let _ = fdinfo::parse(&text);
        let _ = limits::parse(&text);
        let _ = schedstat::parse(&text);
        let _ = syscall::parse(&text);
        let _ = environ::parse(&text, true).variables().count();
        let _ = environ::parse(&text, false).variables().count();
        let _ = net_dev::parse(&text);
        let _ = fdinfo::parse_file(&text);
        let _ = netstat::parse_listening(&text);
        for payload in netlink::messages(&text).flatten().map(|message| message.payload).chain([&text[..]]) {
            let _ = netlink::attributes(payload).count();
            let info = InetSocket::parse(payload).and_then(|socket| socket.tcp_info);
            for info in info.into_iter().chain([TcpInfo::new(payload)]) {
                let _ = [Field::CA_STATE, Field::RCV_WSCALE, Field::PACING_RATE, Field::TOTAL_RTO].map(|it| info.get(it));
            }
            let _ = UnixSocket::parse(payload);
            let _ = PacketSocket::parse(payload);
            let _ = NetlinkSocket::parse(payload);
            let _ = Link::parse(payload);
            let _ = Address::parse(payload);
            let _ = Route::parse(payload);
            let _ = Rule::parse(payload);
            let _ = Neighbour::parse(payload);
        }
        for file in net_counters::COUNTERS.iter().chain(&net_counters::GAUGES) {
            let _ = (file.parse)(&text);
        }
        for protocol in ["tcp", "udp6", "unix", "packet", "netlink"] {
            let _ = sockets::parse(protocol, &text);
        }
        let _ = passwd::parse(&text).name(0);
        for resolver in [Resolver::Glibc, Resolver::Musl, Resolver::Go] {
            let conf = resolv_conf::parse(&text, resolver);
            prop_assert!((1..=3).contains(&conf.servers.len()));
            let _ = hosts::addresses(&text, b"localhost", resolver);
        }
        let _ = (nsswitch::parse(&text), resolv_conf::address(&text), if_inet6::parse(&text, b"eth0"));
        let _ = exe::parse(&text);
        let _ = group::parse(&text).name(0);
        let _ = mountinfo::parse(&text);
        let _ = acl::parse(&text);
        let _ = entries::parse(&text);
        let _ = glob::matches(&text, b"name-7.log");
        let _ = glob::matches(b"*[!a-c]?[0-9]*", &text);
        let _ = memory::parse_limit_in_bytes(&text, 4096);
        let _ = memory_stat::parse_v1(&text, 4096);
        let _ = memory_stat::parse_v2(&text);
        let _ = memory_events::parse(&text);
        let _ = meminfo::parse(&text);
        let _ = oom_score::parse(&text);
        let _ = oom_score_adj::parse(&text);
        let _ = keyed::parse(&text);
        let _ = keyed::parse_limit(&text);
        let _ = pressure::parse(&text);
        let _ = cpu::parse_max(&text);
        let _ = io::parse_stat(&text);
        let _ = io::parse_operations(&text);
        let _ = io::parse_max(&text);
        let _ = io::parse_ceiling(&text);
        let _ = dbgctl_linux::procfs::io::parse(&text);
        let _ = partitions::parse(&text);
        let _ = cpu::parse_cfs_quota(&text);
        let _ = cpu_list::parse_count(&text);
        let _ = loadavg::parse(&text);
        let _ = schedstat::parse(&text);
        let _ = system_stat::parse(&text);
        let _ = stat::parse(&text).map(|stat| stat.scheduling());
        let _ = status::parse_held(&text);
        let _ = status::parse_switches(&text);
        let _ = status::parse_allowed_cpus(&text);
        let id: ContainerId = "a".repeat(64).parse().unwrap();
        let _ = id.is_in(&String::from_utf8_lossy(&text));
    }

    #[test]
    fn any_name_at_all_is_read_back_from_stat(name in prop::collection::vec(any::<u8>(), 0..64)) {
        let tail = b") S 7 0 0 0 -1 64 1 2 3 4 50 60 0 0 20 -5 3 0 2400 8192 17 1844 0\n";
        let text = [b"41 (", name.as_slice(), tail].concat();
        prop_assert_eq!(stat::parse(&text).unwrap().command, name.as_slice());
    }

    #[test]
    fn any_arguments_are_read_back_from_cmdline(
        arguments in prop::collection::vec(prop::collection::vec(1..=u8::MAX, 0..20), 2..20)
    ) {
        // A title that ends in NULs is told apart by having one string only.
        prop_assume!(arguments[1..].iter().any(|argument| !argument.is_empty()));
        let bytes: Vec<u8> = arguments.iter().flat_map(|argument| [argument.as_slice(), b"\0"].concat()).collect();
        prop_assert_eq!(cmdline::parse(&bytes).arguments().collect::<Vec<_>>(), arguments);
    }
}
