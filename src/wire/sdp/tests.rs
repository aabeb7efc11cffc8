use super::*;
use proptest::prelude::*;

fn local() -> Local {
    Local::new(1000, "192.0.2.1".parse().unwrap(), 20_000)
}

/// A description with the given lines behind the usual head.
fn sdp(lines: &[&str]) -> Session {
    let text = format!(
        "v=0\r\no=u 1 2 IN IP4 198.51.100.7\r\ns=x\r\n{}\r\nt=0 0\r\n",
        lines.join("\r\n")
    );
    parse(&text).unwrap()
}

const C: &str = "c=IN IP4 198.51.100.7";

#[test]
fn answers_a_phones_offer() {
    let offer = sdp(&[
        C,
        "m=audio 4000 RTP/AVP 96 9 8 0 97 101",
        "a=rtpmap:96 opus/48000/2",
        "a=rtpmap:97 telephone-event/48000",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-16",
        "a=ptime:30",
        "a=rtcp-mux",
        "a=rtcp:4005 IN IP4 198.51.100.8",
        "m=video 4002 RTP/AVP 98 99",
        "m=application 9 UDP/BFCP *",
    ]);
    let mut local = local();
    let a = local.answer(&offer).unwrap();
    assert_eq!(
        a.sdp,
        "v=0\r\no=- 1000 1000 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
         m=audio 20000 RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n\
         a=ptime:20\r\na=sendrecv\r\nm=video 0 RTP/AVP 98 99\r\nm=application 0 UDP/BFCP *\r\n"
    );
    assert_eq!((a.agreed.codec, a.agreed.payload_type), (Codec::Pcma, 8));
    assert_eq!(a.agreed.remote, "198.51.100.7:4000".parse().unwrap());
    assert_eq!(a.agreed.remote_rtcp, "198.51.100.8:4005".parse().unwrap());
    assert_eq!(a.agreed.ptime_ms, 30);
    // What is recognised is agreed on once it is enabled, with events on its own clock.
    local.codecs = vec![Codec::Opus, Codec::Pcmu];
    let a = local.answer(&offer).unwrap();
    assert_eq!(
        (
            a.agreed.codec,
            a.agreed.payload_type,
            a.agreed.telephone_event_pt
        ),
        (Codec::Opus, 96, Some(97))
    );
    assert!(a.sdp.contains("a=rtpmap:97 telephone-event/48000\r\n"));
    // A later offer of ours keeps the refused lines.
    let again = parse(&local.offer()).unwrap();
    assert_eq!(
        again.media.iter().map(|m| m.port).collect::<Vec<_>>(),
        [20_000, 0, 0]
    );
}

#[test]
fn hold_and_resume() {
    let mut local = local();
    let audio = "m=audio 4000 RTP/AVP 0";
    let version = |sdp: &str| parse(sdp).unwrap().version;
    let first = local.answer(&sdp(&[C, audio])).unwrap();
    let same = local.answer(&sdp(&[C, audio])).unwrap();
    assert_eq!(
        (version(&first.sdp), version(&same.sdp)),
        ("1000".into(), "1000".into()),
        "unchanged: same version"
    );
    for (lines, ours) in [
        (vec![C, audio, "a=sendonly"], Direction::RecvOnly),
        (vec![C, audio, "a=inactive"], Direction::Inactive),
        (vec![C, audio, "a=recvonly"], Direction::SendOnly),
        (vec!["c=IN IP4 0.0.0.0", audio], Direction::RecvOnly),
        (
            vec!["c=IN IP4 0.0.0.0", audio, "a=recvonly"],
            Direction::Inactive,
        ),
        (
            vec![C, "a=inactive", audio, "a=sendrecv"],
            Direction::SendRecv,
        ),
        (vec![C, "a=sendonly", audio], Direction::RecvOnly),
    ] {
        let before = local.version;
        let a = local.answer(&sdp(&lines)).unwrap();
        assert_eq!(a.agreed.direction, ours, "{lines:?}");
        assert_eq!(a.agreed.is_held(), ours != Direction::SendRecv);
        assert!(a.sdp.contains(&format!("a={}\r\n", ours.name())));
        assert!(local.version <= before + 1);
    }
    let resumed = local.answer(&sdp(&[C, audio])).unwrap();
    assert_eq!(resumed.agreed.direction, Direction::SendRecv);
    assert_eq!(version(&resumed.sdp), "1008", "one on for each change");
}

#[test]
fn addresses_at_either_level_and_of_either_family() {
    let mut l = local();
    let a = l
        .answer(&sdp(&["m=audio 4000 RTP/AVP 0", "c=IN IP6 2001:db8::1"]))
        .unwrap();
    assert_eq!(a.agreed.remote, "[2001:db8::1]:4000".parse().unwrap());
    let a = l
        .answer(&sdp(&[
            C,
            "m=audio 4000/2 RTP/AVP 0",
            "c=IN IP4 203.0.113.9/127",
        ]))
        .unwrap();
    assert_eq!(a.agreed.remote, "203.0.113.9:4000".parse().unwrap());
    let mut six = Local::new(1, "2001:db8::5".parse().unwrap(), 30_000);
    assert!(six.offer().contains("c=IN IP6 2001:db8::5\r\n"));
    for lines in [
        vec!["m=audio 4000 RTP/AVP 0"],
        vec!["c=IN IP4 phone.example", "m=audio 4000 RTP/AVP 0"],
    ] {
        assert!(matches!(
            l.answer(&sdp(&lines)),
            Err(SdpError::NotAcceptable(_))
        ));
    }
}

#[test]
fn nothing_in_common_is_not_acceptable() {
    for audio in [
        "m=audio 4000 RTP/AVP 3 18",
        "m=audio 0 RTP/AVP 0",
        "m=audio 4000 RTP/SAVP 0",
        "m=video 4000 RTP/AVP 0",
        "m=audio 4000 RTP/AVP 9",
    ] {
        let got = local().answer(&sdp(&[C, audio]));
        assert!(
            matches!(got, Err(SdpError::NotAcceptable(_))),
            "{audio}: {got:?}"
        );
    }
    // A dynamic number for a plain codec, and a static one given away to another.
    let a = local()
        .answer(&sdp(&[
            C,
            "m=audio 4 RTP/AVP 0 97",
            "a=rtpmap:0 GSM/8000",
            "a=rtpmap:97 pcmu/8000/1",
        ]))
        .unwrap();
    assert_eq!(
        (
            a.agreed.codec,
            a.agreed.payload_type,
            a.agreed.telephone_event_pt
        ),
        (Codec::Pcmu, 97, None)
    );
}

#[test]
fn the_answer_to_our_offer() {
    let mut l = local();
    l.offer();
    let a = l
        .accept(&sdp(&[
            C,
            "m=audio 5000 RTP/AVP 8 96",
            "a=rtpmap:96 telephone-event/8000",
            "a=recvonly",
        ]))
        .unwrap();
    assert_eq!(
        (a.codec, a.telephone_event_pt, a.recv_telephone_event_pt),
        (Codec::Pcma, Some(96), Some(101))
    );
    assert_eq!(a.direction, Direction::SendOnly);
    assert!(matches!(
        l.accept(&sdp(&[C, "m=audio 0 RTP/AVP 0"])),
        Err(SdpError::NotAcceptable(_))
    ));
    assert!(matches!(l.accept(&sdp(&[C])), Err(SdpError::Malformed(_))));
}

#[test]
fn malformed_descriptions_are_errors() {
    let head = "v=0\no=a 1 1 IN IP4 1.2.3.4\n";
    for text in [
        "".into(),
        "v=1\n".into(),
        "v=0\ns=-\n".into(),
        "v=0\no=a b\n".into(),
        format!("{head}nonsense"),
        format!("{head}xx=1"),
        format!("{head}c=IN IP6 1.2.3.4"),
        format!("{head}c=ATM 1"),
        format!("{head}m=audio"),
        format!("{head}m=audio x RTP/AVP 0"),
        format!("{head}m=audio 70000 RTP/AVP 0"),
        format!("{head}m=audio 4 RTP/AVP"),
        format!("{head}{}", "m=audio 4 RTP/AVP 0\n".repeat(33)),
        format!("{head}{}", "a=x\n".repeat(20_000)),
    ] {
        assert!(
            matches!(parse(&text), Err(SdpError::Malformed(_))),
            "{text:.80}"
        );
    }
}

fn any_direction() -> impl Strategy<Value = Direction> {
    (any::<bool>(), any::<bool>()).prop_map(|(s, r)| Direction::of(s, r))
}

fn any_local() -> impl Strategy<Value = Local> {
    let codecs = proptest::sample::subsequence(
        vec![Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus],
        1..=4,
    );
    (
        any::<u32>(),
        any::<IpAddr>(),
        1u16..65_535,
        codecs.prop_shuffle(),
        any::<bool>(),
        any_direction(),
    )
        .prop_map(
            |(id, address, port, codecs, telephone_event, direction)| Local {
                codecs,
                telephone_event,
                direction,
                ..Local::new(id.into(), address, port)
            },
        )
}

proptest! {
    #[test]
    fn both_sides_agree(mut a in any_local(), mut b in any_local()) {
        let offer = parse(&a.offer()).unwrap();
        prop_assert_eq!(offer.media[0].direction, a.direction);
        match b.answer(&offer) {
            Ok(answer) => {
                let back = a.accept(&parse(&answer.sdp).unwrap()).unwrap();
                let there = answer.agreed;
                prop_assert_eq!((back.codec, back.payload_type, back.telephone_event_pt), (there.codec, there.payload_type, there.telephone_event_pt));
                prop_assert_eq!(there.remote, SocketAddr::new(a.address, a.port));
                prop_assert_eq!(back.remote, SocketAddr::new(b.address, b.port));
                // Nobody sends what the other side will not take.
                prop_assert!(!back.direction.sends() || there.direction.receives() || a.address.is_unspecified() || b.address.is_unspecified());
                prop_assert!(!there.direction.sends() || back.direction.receives());
            }
            Err(SdpError::NotAcceptable(_)) => prop_assert!(!a.codecs.iter().any(|c| b.codecs.contains(c))),
            Err(other) => prop_assert!(false, "{}", other),
        }
    }

    #[test]
    fn never_panics(text in ".{0,200}", lines in proptest::collection::vec("[vocmtas]=[ -~]{0,40}|m=audio [0-9]{1,6} RTP/AVP( [0-9]{1,4}){0,4}|a=(rtpmap|rtcp|ptime):[0-9 a-zé/.]{0,20}|c=IN IP[46] [0-9a-f.:/]{0,16}", 0..12)) {
        let _ = parse(&text);
        let text = format!("v=0\no=a 1 1 IN IP4 1.2.3.4\n{}", lines.join("\n"));
        if let Ok(session) = parse(&text) {
            let _ = local().answer(&session);
            let _ = local().accept(&session);
        }
    }
}
