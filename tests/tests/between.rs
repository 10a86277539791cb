//! Where connections from one container to another end: each fault is made for real, at one of the ends or between them.

use std::net::TcpListener;

use dbgctl_tests::network::{EngineNetwork, Network, can_make_networks, full_listener};
use dbgctl_tests::{Ran, Target, dbgctl};

fn target_in(network: &EngineNetwork) -> Target {
    Target::run(&["--network", &network.0], &["serve", "--workers", "1"]).ready()
}

fn asked(from: &Target, to: &Target, port: u16) -> Ran {
    let to = format!("{}:{port}", to.name);
    dbgctl(&["between", &from.name, &to, "--timeout", "2s", "-o", "json"])
}

#[test]
fn the_verdict_names_the_end_that_is_at_fault() {
    if !can_make_networks() {
        return;
    }
    let network = EngineNetwork::make();
    let (web, db) = (target_in(&network), target_in(&network));
    let (here, there) = (Network::of(&web), Network::of(&db));
    let ip = db.inspect("{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}");
    let ip = ip.trim();
    let _sockets = there.inside(|| {
        let ports = [81, 84, 85, 86].map(|port| TcpListener::bind(("0.0.0.0", port)).unwrap());
        (ports, TcpListener::bind("127.0.0.1:82").unwrap(), full_listener(&format!("{ip}:83")))
    });
    here.filter("chain out { type filter hook output priority 0; tcp dport 84 drop; }");
    there.filter("chain in { type filter hook input priority 0; tcp dport 85 drop; }");
    // Ahead of all that is counted, where nothing else sees it any more.
    let lost = |which: &str| {
        format!(
            "table netdev lost {{\nchain in {{\ntype filter hook ingress device eth0 priority 0;\ntcp {which} drop;\n}}\n}}"
        )
    };
    there.command("nft", &[&lost("dport 81")]);
    here.command("nft", &[&lost("sport 86")]);

    for target in [&web, &db] {
        dbgctl(&["attach", "--detach", "--quiet", "--level", "1", &target.name]).expect(0);
    }
    let rows: [(u16, Option<&str>, &[&str]); 7] = [
        (
            80,
            Some("to"),
            &["nothing in DB listens on port 80, but on 0.0.0.0:81", ":8080 (target-program, pid "],
        ),
        (81, Some("between"), &["lost on the way"]),
        (82, Some("to"), &["127.0.0.1:82", "only", "bind to 0.0.0.0"]),
        (83, Some("to"), &["the accept queue of DB is full", "1 connections wait", "0 may"]),
        (84, Some("from"), &["it never left WEB", "firewall"]),
        (85, Some("to"), &["firewall in DB"]),
        (86, Some("between"), &["it arrives at DB and is answered, but the answer does not get back to WEB"]),
    ];
    for (port, broken_in, words) in rows {
        let ran = asked(&web, &db, port).expect(1);
        let summary = ran.summary();
        assert_eq!(summary["broken_in"].as_str(), broken_in, "{port}: {ran:?}");
        let verdict = summary["verdict"].as_str().unwrap();
        for words in words {
            let words = words.replace("WEB", &web.name).replace("DB", &db.name);
            assert!(verdict.contains(&words), "{port}: {words}: {ran:?}");
        }
    }
    let ran = asked(&web, &db, 8080).expect(0);
    assert_eq!(ran.summary()["broken_in"].as_str(), None, "{ran:?}");
    let named: Vec<_> = ran.json().into_iter().filter(|row| row["layer"] == "name").collect();
    assert!(named[0]["what"].as_str().unwrap().contains(ip), "the name leads to it: {ran:?}");

    here.ip(&format!("route add blackhole {ip}"));
    let ran = asked(&web, &db, 8080).expect(1);
    assert_eq!(
        (&ran.summary()["broken_in"], &ran.summary()["broken_layer"]),
        (&"from".into(), &"route".into())
    );
    here.ip(&format!("route del blackhole {ip}"));
    there.ip("link set eth0 down");
    let ran = asked(&web, &db, 8080).expect(1);
    assert!(ran.summary()["verdict"].as_str().unwrap().contains("not one packet arrived"), "{ran:?}");
    for target in [&web, &db] {
        dbgctl(&["detach", "--quiet", &target.name]).expect(0);
        target.expect_nothing_left();
    }
}

#[test]
fn containers_that_share_no_network_are_told_so_and_nothing_is_started() {
    let network = EngineNetwork::make();
    let (web, db) = (target_in(&network), Target::web());
    let ran = asked(&web, &db, 8080).expect(1);
    let summary = ran.summary();
    assert_eq!((&summary["broken_in"], &summary["broken_layer"]), (&"between".into(), &"networks".into()));
    let verdict = summary["verdict"].as_str().unwrap();
    let both = [format!("{} is in {}", web.name, network.0), format!("{} in none", db.name)];
    assert!(both.iter().all(|words| verdict.contains(words)), "{ran:?}");
    dbgctl(&["between", &web.name, "no-such-container:80"]).expect_error("no container has that name");
    dbgctl(&["between", &web.name, "db"]).expect(2);
    for target in [&web, &db] {
        target.expect_nothing_left();
    }
}

#[test]
fn containers_in_one_namespace_meet_on_its_loopback() {
    let web = Target::web();
    let joined =
        Target::run(&["--network", &format!("container:{}", web.name)], &["serve", "--port", "8081"]);
    let ran = dbgctl(&["between", &joined.name, &format!("{}:8080", web.name)]).expect(0);
    assert!(ran.stdout().starts_with(&format!("{} reaches {}:8080\n", joined.name, web.name)), "{ran:?}");
    for target in [&web, &joined] {
        target.expect_nothing_left();
    }
}
