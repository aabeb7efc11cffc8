//! What peers may ask for beyond RFC 3261's core: reliable provisional answers, session timers, changes that cross, other packet
//! lengths, keys as tones, IPv6.

use tokio::net::UdpSocket;

use firstline::audio::dtmf::tone as key_tone;
use firstline::audio::g711::Law;

use super::by_hand::{Hand, SDP};
use super::*;

const TYPE: &str = "Content-Type: application/sdp\r\n";

/// The next answer to a CSeq, provisional ones but 100 included.
async fn any_answer(hand: &mut Hand, cseq: &str) -> String {
    loop {
        let message = hand.next().await;
        if message.contains(&format!("CSeq: {cseq}\r\n")) && !message.starts_with("SIP/2.0 100") {
            if let Some(tag) = message
                .lines()
                .find(|l| l.starts_with("To:"))
                .and_then(|l| l.split("tag=").nth(1))
            {
                hand.to_tag = tag.trim().to_owned();
            }
            return message;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_180_is_repeated_until_its_prack() {
    let (callee, calls) = edge().await;
    let _seen = answer(calls, Way::Ring);
    let mut hand = Hand::new(&callee, false).await;
    hand.request("INVITE", 1, &format!("{TYPE}Require: 100rel\r\n"), SDP)
        .await;
    let first = any_answer(&mut hand, "1 INVITE").await;
    assert!(
        first.starts_with("SIP/2.0 180") && first.contains("Require: 100rel"),
        "{first}"
    );
    let number = first
        .lines()
        .find_map(|l| l.strip_prefix("RSeq:"))
        .expect("an RSeq")
        .trim()
        .to_owned();
    let again = any_answer(&mut hand, "1 INVITE").await;
    assert!(again.contains(&format!("RSeq: {number}")), "{again}");
    hand.request("PRACK", 2, "RAck: 999 1 INVITE\r\n", "").await;
    assert!(hand.answer_to("2 PRACK").await.starts_with("SIP/2.0 481"));
    hand.request("PRACK", 3, &format!("RAck: {number} 1 INVITE\r\n"), "")
        .await;
    assert!(hand.answer_to("3 PRACK").await.starts_with("SIP/2.0 200"));
    let more = tokio::time::timeout(Duration::from_secs(3), any_answer(&mut hand, "1 INVITE"));
    assert!(more.await.is_err(), "nothing is repeated after its PRACK");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn session_timers() {
    let (callee, calls) = edge().await;
    let _seen = answer(calls, Way::Tone);
    let mut hand = Hand::new(&callee, false).await;
    let short = format!("{TYPE}Supported: timer\r\nSession-Expires: 30\r\n");
    hand.request("INVITE", 1, &short, SDP).await;
    let refused = hand.answer_to("1 INVITE").await;
    assert!(
        refused.starts_with("SIP/2.0 422") && refused.contains("Min-SE: 90"),
        "{refused}"
    );
    hand.request("ACK", 1, "", "").await;

    let mut hand = Hand::new(&callee, false).await;
    let asked = format!("{TYPE}Supported: timer\r\nSession-Expires: 120;refresher=uac\r\n");
    hand.request("INVITE", 1, &asked, SDP).await;
    let taken = hand.answer_to("1 INVITE").await;
    assert!(
        taken.contains("Session-Expires: 120;refresher=uac") && taken.contains("Require: timer"),
        "{taken}"
    );
    hand.request("ACK", 1, "", "").await;
    hand.request(
        "UPDATE",
        2,
        "Supported: timer\r\nSession-Expires: 120;refresher=uac\r\n",
        "",
    )
    .await;
    let refreshed = hand.answer_to("2 UPDATE").await;
    assert!(
        refreshed.starts_with("SIP/2.0 200") && refreshed.contains("Session-Expires: 120"),
        "{refreshed}"
    );
    hand.request("BYE", 3, "", "").await;
    hand.answer_to("3 BYE").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_that_cross_are_told_to_wait() {
    let (callee, calls) = edge().await;
    let _seen = answer(calls, Way::Tone);
    let mut hand = Hand::new(&callee, false).await;
    hand.set_up().await;
    hand.request("ACK", 1, "", "").await;
    // A re-INVITE without an offer is answered with ours; until its ACK brings the answer nothing else can be offered.
    hand.request("INVITE", 2, "", "").await;
    let offer = hand.answer_to("2 INVITE").await;
    assert!(offer.contains("m=audio"), "{offer}");
    hand.request("UPDATE", 3, TYPE, SDP).await;
    assert!(hand.answer_to("3 UPDATE").await.starts_with("SIP/2.0 491"));
    hand.request("ACK", 2, TYPE, SDP).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    hand.request("UPDATE", 4, TYPE, SDP).await;
    assert!(hand.answer_to("4 UPDATE").await.starts_with("SIP/2.0 200"));
    hand.request("BYE", 5, "", "").await;
    hand.answer_to("5 BYE").await;
}

/// Sends G.711 in packets of so many samples, 20 ms of sound every 20 ms, and counts what comes. At sample `stall` it stands still
/// for 150 ms, as a busy sender does; what it then sends carries on where it stopped.
async fn media(
    socket: &UdpSocket,
    to: SocketAddr,
    pcm: &[i16],
    packet: usize,
    stall: usize,
) -> Vec<Vec<u8>> {
    let mut heard = Vec::new();
    let (mut seq, mut timestamp) = (7u16, 1_000u32);
    for (nth, chunk) in pcm.chunks(packet).enumerate() {
        if nth == stall / packet {
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
        let mut bytes = vec![0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4];
        bytes[2..4].copy_from_slice(&seq.to_be_bytes());
        bytes[4..8].copy_from_slice(&timestamp.to_be_bytes());
        Law::Mu.encode_into(chunk, &mut bytes);
        socket.send_to(&bytes, to).await.unwrap();
        seq += 1;
        timestamp += u32::try_from(chunk.len()).unwrap();
        tokio::time::sleep(Duration::from_millis(chunk.len() as u64 / 8)).await;
        let mut buffer = [0; 2048];
        while let Ok(len) = socket.try_recv(&mut buffer) {
            heard.push(buffer[..len].to_vec());
        }
    }
    heard
}

fn media_address(sdp: &str) -> SocketAddr {
    let port = sdp
        .lines()
        .find_map(|l| l.strip_prefix("m=audio ")?.split(' ').next()?.parse().ok());
    SocketAddr::from(([127, 0, 0, 1], port.expect("a port")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn packets_of_every_length_and_keys_as_tones() {
    for ptime in [10usize, 20, 30, 40, 60] {
        let (callee, calls) = edge().await;
        let mut seen = answer(calls, Way::Tone);
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        // No telephone-event in the offer: keys can only come as sound.
        let sdp = SDP
            .replace("29000", &socket.local_addr().unwrap().port().to_string())
            .replace("AVP 0 101", "AVP 0")
            .replace(
                "a=rtpmap:101 telephone-event/8000\r\n",
                &format!("a=ptime:{ptime}\r\n"),
            );
        let mut hand = Hand::new(&callee, false).await;
        hand.request("INVITE", 1, TYPE, &sdp).await;
        let answer = hand.answer_to("1 INVITE").await;
        hand.request("ACK", 1, "", "").await;
        let mut pcm = vec![0; 4_000];
        for key in "159".chars() {
            pcm.extend(key_tone(key, 120, 8_000, -12.0));
            pcm.extend([0; 1_000]);
        }
        pcm.extend([0; 4_000]);
        // In the middle of the last key.
        let stall = 4_000 + 2 * 1_960 + 500;
        let heard = media(&socket, media_address(&answer), &pcm, ptime * 8, stall).await;
        hand.request("BYE", 2, "", "").await;
        hand.answer_to("2 BYE").await;
        let there = seen.recv().await.unwrap();
        assert_eq!(there.keys, "159", "{ptime} ms");
        let lengths: Vec<usize> = heard.iter().map(|p| p.len() - 12).collect();
        assert!(heard.len() > 10, "{ptime} ms: {lengths:?}");
        assert!(
            lengths.iter().all(|l| *l == ptime * 8),
            "{ptime} ms: {lengths:?}"
        );
        let stamps: Vec<u32> = heard
            .iter()
            .map(|p| u32::from_be_bytes([p[4], p[5], p[6], p[7]]))
            .collect();
        let even = stamps
            .windows(2)
            .all(|w| w[1].wrapping_sub(w[0]) as usize == ptime * 8);
        assert!(even, "{ptime} ms: {stamps:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_ipv6() {
    if std::net::UdpSocket::bind("[::1]:0").is_err() {
        println!("skipped: this computer has no IPv6");
        return;
    }
    for transport in ["udp", "tcp"] {
        let settings = SipConfig {
            listen: vec![format!("{transport}:[::1]:0")],
            ..config()
        };
        let (callee, calls) = SipEdge::start(settings.clone()).await.unwrap();
        let mut seen = answer(calls, Way::Echo);
        let (caller, _none) = SipEdge::start(settings).await.unwrap();
        let port = callee.listeners()[0].addr.port();
        let to = format!("sip:line@[::1]:{port};transport={transport}");
        let mut leg = caller.dial(&to, "+15550100", 10, &[]);
        let here = drive(&mut *leg, Duration::from_secs(15), |turn, leg, saw, _| {
            if saw.has(&Signal::Answered) && turn > 100 {
                leg.hangup(200, "done");
            }
            tone(turn)
        })
        .await;
        let there = seen.recv().await.unwrap();
        assert!(here.loud > 40, "{transport} {here:?}");
        assert_eq!(there.end(), Some(EndCause::Remote), "{transport}");
    }
}

/// What the carrier says of where a call comes from is in its record, and a number that it found to be a lie proves nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_a_call_comes_from_is_noted_and_lies_are_not_believed() {
    // {"alg":"ES256","ppt":"shaken"} . {"attest":"A","dest":{"tn":["15550199"]},"iat":1795000000,"orig":{"tn":"15550100"}} . sig
    let token = "eyJhbGciOiJFUzI1NiIsInBwdCI6InNoYWtlbiJ9.eyJhdHRlc3QiOiJBIiwiZGVzdCI6eyJ0biI6WyIxNTU1MDE5OSJdfSwiaWF0IjoxNzk1MDAwMDAwLCJvcmlnIjp7InRuIjoiMTU1NTAxMDAifX0.c2ln";
    for (asserted, from, vouched) in [
        ("<sip:+15550100@carrier;user=phone>", "+15550100", true),
        (
            "<sip:+15550100@carrier;verstat=TN-Validation-Passed>",
            "+15550100",
            true,
        ),
        (
            "<sip:+15550100@carrier;verstat=TN-Validation-Failed-C>",
            "+15550100",
            false,
        ),
        ("<tel:+15550777>", "+15550777", false),
    ] {
        let (callee, mut calls) = edge().await;
        let mut hand = Hand::new(&callee, false).await;
        let headers = format!(
            "{TYPE}P-Asserted-Identity: {asserted}\r\nDiversion: <sip:+15550142@carrier>;reason=no-answer\r\n\
             History-Info: <sip:+15550142@carrier>;index=1\r\nX-Account: 7\r\nIdentity: {token};info=<https://c.example>;alg=ES256;ppt=shaken\r\n"
        );
        hand.request("INVITE", 1, &headers, SDP).await;
        let call = calls.recv().await.unwrap();
        let info = call.leg.info();
        assert_eq!(
            (info.from.as_deref(), info.vouched),
            (Some(from), vouched),
            "{asserted}"
        );
        let has = |name: &str| {
            info.headers
                .iter()
                .find(|(n, _)| n == name)
                .map(|(_, v)| v.as_str())
                .unwrap_or_default()
        };
        assert!(
            has("Identity-Claims").contains("attest=A; orig=15550100"),
            "{info:?}"
        );
        assert!(has("Diversion").contains("+15550142") && has("X-Account") == "7");
        assert!(has("History-Info").contains("index=1"));
    }
}
