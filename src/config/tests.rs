//! Tables: what is typed, and what is said about it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::*;

fn env(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect()
}

fn read(text: &str) -> Result<Config, Vec<String>> {
    Config::from_parts(Some(("f.toml", text)), &env(&[]))
}

#[test]
fn no_file_at_all_is_a_working_line() {
    let config = Config::from_parts(None, &env(&[])).unwrap();
    assert_eq!(
        config
            .sip
            .listen
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>(),
        ["udp:0.0.0.0:5060", "tcp:0.0.0.0:5060"]
    );
    assert_eq!(config.http.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.desk, PathBuf::from("examples/larchpay"));
    assert_eq!(config.sip.rtp_ports, 16384..=32767);
    assert!(config.twilio.is_none() && config.not_yet().is_empty());
    assert_eq!(config.transfer.targets[0].uri(), "sip:human@127.0.0.1:5090");
}

#[test]
fn the_file_that_ships_says_what_the_defaults_say() {
    let text = include_str!("../../sip-config/firstline.toml");
    let shipped = Config::from_parts(Some(("firstline.toml", text)), &env(&[])).unwrap();
    let default = Config::from_parts(None, &env(&[])).unwrap();
    assert_eq!(format!("{shipped:?}"), format!("{default:?}"));
}

#[test]
fn every_mistake_is_named_with_its_line() {
    // (file, what each message must contain, in order)
    let table: &[(&str, &[&str])] = &[
        (
            "[sip]\nlisten_on = []",
            &["f.toml:2: unknown key `sip.listen_on`; did you mean `listen`?"],
        ),
        (
            "[spi]\nlisten = []",
            &["f.toml:1: unknown section `spi`; did you mean `sip`?"],
        ),
        (
            "[sip]\nzzz = 1",
            &["f.toml:2: unknown key `sip.zzz`; known here: listen, advertise, rtp_ports, accept"],
        ),
        (
            "[sip]\nlisten = \"udp:0.0.0.0:5060\"",
            &["f.toml:2: `sip.listen` must be a list"],
        ),
        (
            "[sip]\nlisten = [\n \"udp:0.0.0.0:5060\",\n \"upd:0.0.0.0:1\"]",
            &["f.toml:4: `sip.listen`: `upd` is not a transport"],
        ),
        (
            "[sip]\nlisten = [\"udp:host:5060\"]",
            &["write it like udp:0.0.0.0:5060"],
        ),
        ("[sip]\nlisten = []", &["`sip.listen` is empty"]),
        (
            "[sip]\nrtp_ports = \"20000\"",
            &["f.toml:2: `sip.rtp_ports` must be two port numbers"],
        ),
        ("[sip]\nrtp_ports = \"30000-20000\"", &["must run upwards"]),
        ("[sip]\naccept = \"trunk\"", &["did you mean \"trunks\"?"]),
        (
            "[sip]\nlisten = [\"udp:0.0.0.0:5060\", \"tcp:0.0.0.0:8080\"]",
            &["sip.listen tcp:0.0.0.0:8080 and http.listen 127.0.0.1:8080 want the same port"],
        ),
        (
            "[sip]\nlisten = [\"udp:127.0.0.1:5060\", \"udp:0.0.0.0:5060\"]",
            &["want the same port; give each its own"],
        ),
        (
            "[callback]\nvia = \"trunk:other:{number}\"\n[[trunk]]\nname = \"a\"\nhost = \"h\"",
            &["goes over a [[trunk]] that is not configured"],
        ),
        (
            "[transfer]\nwebhook = \"example.com/hook\"",
            &["f.toml:2: `transfer.webhook` must be a web address beginning with https://"],
        ),
        (
            "[sip]\nadvertise = \"a b\"",
            &["is not an address or a host's name"],
        ),
        (
            "[http]\nlisten = \"0.0.0.0:8080\"",
            &["FIRSTLINE_TOKEN is not set"],
        ),
        (
            "[http]\nlisten = 8080",
            &["`8080` is not an address and port"],
        ),
        ("[trunk]\nname = \"a\"", &["write `trunk` as [[trunk]]"]),
        (
            "[[trunk]]\nname = \"a\"",
            &["f.toml:1: `trunk.host` is missing"],
        ),
        (
            "[[trunk]]\nname=\"a\"\nhost=\"h\"\nregister = \"yes\"",
            &["f.toml:4: `trunk.register` must be true or false"],
        ),
        (
            "[[trunk]]\nname=\"a\"\nhost=\"h\"\nregister = true",
            &["needs `user` and `password_env`"],
        ),
        (
            "[[trunk]]\nname=\"a\"\nhost=\"h\"\npassword_env = \"PW\"",
            &["names the environment variable PW, which is not set"],
        ),
        (
            "[[trunk]]\nname=\"a\"\nhost=\"h\"\nallow = [\"192.0.2.0/33\"]",
            &["is not a network"],
        ),
        (
            "[[trunk]]\nname=\"a\"\nhost=\"h\"\n[[trunk]]\nname=\"a\"\nhost=\"g\"",
            &["two trunks are called `a`"],
        ),
        (
            "[[trunk]]\nname=\"a\"\nhost=\"h\"\ncaller_id = \"0800\"",
            &["not a number in international form"],
        ),
        (
            "[twilio]\nlisten = \"0.0.0.0:8081\"",
            &[
                "`twilio.account_sid` is missing",
                "TWILIO_AUTH_TOKEN is not set",
            ],
        ),
        (
            "[transfer]\ntargets = [\"twilio:+15550122\"]",
            &["needs [twilio]"],
        ),
        (
            "[transfer]\ntargets = [\"human\"]",
            &["`human` is not a target"],
        ),
        (
            "[transfer]\ntargets = [\"sip:h@x;ring_s=1\"]",
            &["from 3 to 180"],
        ),
        ("[transfer]\ntargets = [\"sip:\"]", &["has no host"]),
        (
            "[transfer]\ntargets = [\"sip:h@x;refer=attended\"]",
            &["refer=blind"],
        ),
        (
            "[transfer]\nnotes = true\nrelease = true",
            &["set one of the two"],
        ),
        (
            "[transfer]\ntargets = [\"trunk:+15550100\"]",
            &["needs a [[trunk]]"],
        ),
        (
            "[sip]\nlisten = [\"tcp:0.0.0.0:5060\"]\n[[trunk]]\nname = \"c\"\nhost = \"h\"\nregister = true",
            &["no UDP address to be called at"],
        ),
        (
            "[transfer]\ntargets = [\"trunk:other:+15550100\"]",
            &["names no [[trunk]]", "name = \"other\""],
        ),
        (
            "[transfer]\naccept = \"answer\"",
            &["must be like \"press 1\""],
        ),
        ("[transfer]\naccept = \"press 2\"", &["key 2 declines"]),
        ("[transfer]\naccept = \"press 5\"", &["keys 4 to 6"]),
        ("[transfer]\nwebhook_shape = \"zendisk\"", &["zendesk"]),
        (
            "[transfer]\nwebhook_shape = \"intercom\"",
            &["webhook_ticket_type"],
        ),
        ("[callback]\nvia = \"sip:x@h\"", &["{number}"]),
        ("[callback]\nquiet = \"late\"", &["20:00-08:00"]),
        ("[callback]\nattempts = \"0\"", &["from 1 to 20"]),
        (
            "[transfer]\nwebhook = \"example.com\"",
            &["must be a web address"],
        ),
        ("[stt]\nengine = \"wisper\"", &["did you mean \"whisper\"?"]),
        ("[stt]\nmodel = \"../x\"", &["not a model's name"]),
        (
            "[tts]\nengine = \"elevenlabs\"",
            &["needs `api_key_env`", "needs `voice`"],
        ),
        ("[stt]\nengine = \"openai\"", &["needs `api_key_env`"]),
        (
            "[stt]\nengine = \"openai\"\nbase_url = \"http://127.0.0.1:9/v1\"\ntimeout_ms = 5",
            &["stt.timeout_ms", "100 to 30000"],
        ),
        (
            "[tts]\nengine = \"kokoro\"\nvoice = \"en_US-joe-medium\"",
            &["is no voice of tts.engine = \"kokoro\""],
        ),
        (
            "[llm]\nengine = \"openai\"",
            &["needs `base_url` and `model`"],
        ),
        ("[llm]\nengine = \"anthropic\"", &["needs `model`"]),
        ("[llm]\nfirst_sentence_ms = 5", &["must be milliseconds"]),
        (
            "[llm]\nfirst_sentence_ms = 900\nbudget_ms = 800",
            &["must not be less than"],
        ),
        (
            "[llm.second]\nengine = \"anthropic\"\nmodel = \"m\"",
            &["a second language model and no first"],
        ),
        ("[storage]\nurl = \"mysql:x\"", &["must be like \"sqlite:"]),
        ("[limits]\ncalls = 0", &["must be \"auto\" or a number"]),
        ("[limits]\ncalls = 1.5", &["must be text in quotes"]),
        ("[desk]\npath = \"\"", &["is empty; write a path"]),
        ("[sip\nx = 1", &["f.toml:1:"]),
        ("a = \"\n", &["f.toml:1:"]),
        (
            "[sip]\naccept = \"all\"\nport = 1\n[stt]\nvoice = \"x\"",
            &["f.toml:2:", "f.toml:3: unknown key `sip.port`", "f.toml:5:"],
        ),
    ];
    for (text, wanted) in table {
        let problems = read(text)
            .err()
            .unwrap_or_else(|| panic!("accepted: {text}"));
        for want in *wanted {
            assert!(
                problems.iter().any(|p| p.contains(want)),
                "{text}\nwanted {want}\ngot {problems:#?}"
            );
        }
    }
}

#[test]
fn the_environment_lies_over_the_file() {
    let over = env(&[
        (
            "FIRSTLINE_SIP__LISTEN",
            "udp:127.0.0.1:5070, tcp:127.0.0.1:5070",
        ),
        ("FIRSTLINE_HTTP__LISTEN", "127.0.0.1:0"),
        ("FIRSTLINE_LIMITS__CALLS", "3"),
        ("FIRSTLINE_TRUNK__0__NAME", "lab"),
        ("FIRSTLINE_TRUNK__0__HOST", "192.0.2.1:5080"),
        ("FIRSTLINE_TRUNK__0__TRUSTED_CALLER_ID", "true"),
        ("FIRSTLINE_CLOCK", "2026-11-23T10:00:00Z"),
        ("FIRSTLINE_TOKEN", "0123456789abcdef"),
    ]);
    let config = Config::from_parts(
        Some((
            "f.toml",
            "[sip]\nlisten = [\"udp:0.0.0.0:5060\"]\naccept = \"any\"",
        )),
        &over,
    )
    .unwrap();
    assert_eq!(config.sip.listen.len(), 2);
    assert_eq!(config.sip.listen[0].addr.port(), 5070);
    assert_eq!(config.sip.accept, Accept::Any);
    assert_eq!(config.limits.calls, Some(3));
    assert_eq!(
        (config.trunks[0].host.as_str(), config.trunks[0].port),
        ("192.0.2.1", Some(5080))
    );
    assert!(config.trunks[0].trusted_caller_id);
    assert_eq!(
        config.http.token.as_ref().map(Secret::reveal),
        Some("0123456789abcdef")
    );
    assert!(
        !format!("{config:?}").contains("0123456789abcdef"),
        "a secret must not show in Debug"
    );
}

#[test]
fn a_mistake_in_the_environment_names_the_variable() {
    for (name, value, want) in [
        (
            "FIRSTLINE_SIP__LISTN",
            "x",
            "environment variable FIRSTLINE_SIP__LISTN: unknown key `sip.listn`; did you mean `listen`?",
        ),
        (
            "FIRSTLINE_LIMITS__CALLS",
            "many",
            "environment variable FIRSTLINE_LIMITS__CALLS: `limits.calls` must be",
        ),
        (
            "FIRSTLINE_TRUNK__99999999999__HOST",
            "h",
            "FIRSTLINE_TRUNK__99999999999__HOST",
        ),
    ] {
        let problems = Config::from_parts(None, &env(&[(name, value)])).unwrap_err();
        assert!(
            problems.iter().any(|p| p.contains(want)),
            "{name}: {problems:?}"
        );
    }
}

#[test]
fn a_secret_typed_in_place_of_its_variable_is_not_repeated() {
    let problems =
        read("[[trunk]]\nname=\"a\"\nhost=\"h\"\npassword_env = \"hunter2!\"").unwrap_err();
    assert!(
        problems.iter().all(|p| !p.contains("hunter2")),
        "{problems:?}"
    );
}

#[test]
fn many_nodes_name_themselves_and_share_a_database() {
    let config = Config::from_parts(
        Some((
            "f",
            "[node]\nname = \"a\"\n[storage]\nurl = \"postgres://line@db/line\"",
        )),
        &env(&[]),
    )
    .unwrap();
    assert_eq!(config.node.as_deref(), Some("a"));
    assert!(config.not_yet().is_empty());
}

#[test]
fn networks_hold_their_addresses_and_no_others() {
    let ip = |s: &str| s.parse::<IpAddr>().unwrap();
    for (net, inside, outside) in [
        ("192.0.2.0/24", "192.0.2.255", "192.0.3.0"),
        ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
        ("0.0.0.0/0", "8.8.8.8", "::1"),
        ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
        ("127.0.0.0/8", "::ffff:127.0.0.1", "::1"),
    ] {
        let parsed = Net::read(net).unwrap();
        assert!(parsed.contains(ip(inside)), "{net} should hold {inside}");
        assert!(
            !parsed.contains(ip(outside)),
            "{net} should not hold {outside}"
        );
    }
}

#[test]
fn targets_keep_the_uris_own_parameters() {
    let target = Target::read("sip:desk@[2001:db8::1]:5090;transport=tcp;ring_s=45").unwrap();
    assert_eq!(target.uri(), "sip:desk@[2001:db8::1]:5090;transport=tcp");
    assert_eq!(target.ring.as_secs(), 45);
    assert!(!target.blind);
    let target = Target::read("sip:desk@192.0.2.1;refer=blind;ring_s=9").unwrap();
    assert!(target.blind);
    assert_eq!(target.uri(), "sip:desk@192.0.2.1");
    assert!(Target::read("twilio:+15550100;refer=blind").is_err());
    assert_eq!(
        Target::read("twilio:+1 (555) 010-0123").unwrap().uri(),
        "twilio:+15550100123"
    );
}

#[test]
fn a_twilio_number() {
    let read = |more: &str| {
        let text = format!("[twilio]\naccount_sid = \"AC1\"\n{more}");
        let env = env(&[("TWILIO_AUTH_TOKEN", "t")]);
        Config::from_parts(Some(("f.toml", &text)), &env)
    };
    let twilio = read("").unwrap().twilio.unwrap();
    assert_eq!(twilio.listen.to_string(), "0.0.0.0:8081");
    assert_eq!(twilio.api_url.as_str(), "https://api.twilio.com/");
    assert!(format!("{twilio:?}").contains("[secret]"));
    let other = read("api_url = \"http://127.0.0.1:9000/stand-in\"").unwrap();
    assert_eq!(other.twilio.unwrap().api_url.port(), Some(9000));
    let target = "[transfer]\ntargets = [\"twilio:+15550122\"]";
    assert!(read(&format!("caller_id = \"+15550111\"\n{target}")).is_ok());
    for (more, says) in [
        ("public_url = \"http://line.example.com\"", "https://"),
        ("api_url = \"api.twilio.com\"", "must be a web address"),
        (target, "needs twilio.caller_id"),
    ] {
        let wrong = read(more).unwrap_err().join("\n");
        assert!(wrong.contains(says), "{wrong}");
    }
}

#[test]
fn a_link_that_leads_to_this_computer_alone_is_told() {
    let at = |text: &str, env: &[(&str, &str)]| {
        let config = Config::from_parts(
            Some(("f.toml", text)),
            &env.iter()
                .map(|(k, v)| ((*k).into(), (*v).into()))
                .collect(),
        )
        .unwrap();
        (config.recordings_at(), config.doubts())
    };
    let away = "[transfer]\nwebhook = \"https://desk.example.com/in\"\n";
    let (link, doubts) = at(away, &[]);
    assert_eq!(link, "http://127.0.0.1:8080");
    assert!(
        doubts.len() == 1 && doubts[0].contains("set transfer.recording_url"),
        "{doubts:?}"
    );
    let url = format!("{away}recording_url = \"https://line.example.com/\"\n");
    assert_eq!(
        at(&url, &[]),
        ("https://line.example.com".to_owned(), Vec::new())
    );
    let here = away.replace("desk.example.com", "localhost:9000");
    assert!(at(&here, &[]).1.is_empty(), "both are here");
    // Everywhere is no address to go to.
    let everywhere =
        format!("{away}[sip]\nadvertise = \"203.0.113.7\"\n[http]\nlisten = \"0.0.0.0:8080\"\n");
    let token = [("FIRSTLINE_TOKEN", "long enough to be a token")];
    assert_eq!(
        at(&everywhere, &token),
        ("http://203.0.113.7:8080".to_owned(), Vec::new())
    );
}

#[test]
fn callbacks_that_nothing_can_make_are_told() {
    let doubts = |text: &str| {
        let env = env(&[("TWILIO_AUTH_TOKEN", "t")]);
        Config::from_parts(Some(("f.toml", text)), &env)
            .unwrap()
            .doubts()
    };
    let twilio = "[twilio]\naccount_sid = \"AC1\"\n";
    assert!(doubts(twilio)[0].contains("caller_id is not set"));
    for fine in [
        "[twilio]\naccount_sid = \"AC1\"\ncaller_id = \"+15550100\"\n".to_owned(),
        format!("{twilio}[callback]\nvia = \"off\"\n"),
        format!("{twilio}[[trunk]]\nname = \"a\"\nhost = \"h\"\n"),
    ] {
        assert!(doubts(&fine).is_empty(), "{fine}");
    }
}
