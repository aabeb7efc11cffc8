//! What networks do to calls that are up. Loss, jitter and reordering are tried in virtual time beside the code (`edge/rtp/tests.rs`).

use std::net::UdpSocket;

use firstline::audio::g711::Law;

use super::by_hand::{Hand, SDP};
use super::*;

/// One G.711 packet of a loud tone.
fn packet(n: u16) -> Vec<u8> {
    let mut bytes = vec![0x80, 0, 0, 0, 0, 0, 0, 0, 7, 7, 7, 7];
    bytes[2..4].copy_from_slice(&n.to_be_bytes());
    bytes[4..8].copy_from_slice(&(u32::from(n) * 160).to_be_bytes());
    let pcm: Vec<i16> = tone(u64::from(n)).iter().step_by(2).copied().collect();
    Law::Mu.encode_into(&pcm, &mut bytes);
    bytes
}

/// The caller's NAT gives their phone another port in the middle of the call, as it does after a restart of the router: both go on hearing.
/// Where the answer wants its sound.
fn audio_port(answer: &str) -> u16 {
    answer
        .split("m=audio ")
        .nth(1)
        .and_then(|r| r.split(' ').next()?.parse().ok())
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_nat_that_changes_its_mind_costs_a_moment() {
    let (line, calls) = edge().await;
    let mut seen = answer(calls, Way::Tone);
    let mut hand = Hand::new(&line, false).await;
    let first = UdpSocket::bind("127.0.0.1:0").unwrap();
    let second = UdpSocket::bind("127.0.0.1:0").unwrap();
    for socket in [&first, &second] {
        socket.set_nonblocking(true).unwrap();
    }
    // The description says another port than either, as behind a NAT.
    hand.request("INVITE", 1, "Content-Type: application/sdp\r\n", SDP)
        .await;
    let answer = hand.answer_to("1 INVITE").await;
    hand.request("ACK", 1, "", "").await;
    let port = audio_port(&answer);
    let mut came = [0; 2];
    let mut buffer = [0; 2_048];
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    for n in 0..150u16 {
        ticks.tick().await;
        let socket = if n < 75 { &first } else { &second };
        socket.send_to(&packet(n), ("127.0.0.1", port)).unwrap();
        while first.recv_from(&mut buffer).is_ok() {
            came[0] += usize::from(n < 75);
        }
        while second.recv_from(&mut buffer).is_ok() {
            came[1] += 1;
        }
    }
    hand.request("BYE", 2, "", "").await;
    let there = tokio::time::timeout(Duration::from_secs(5), seen.recv())
        .await
        .unwrap()
        .unwrap();
    // A second and a half each; a little is lost until the new port is believed.
    assert!(there.loud > 110, "{} of 150 frames were heard", there.loud);
    assert!(came[0] > 50 && came[1] > 40, "{came:?} packets came back");
    assert_eq!(there.end(), Some(EndCause::Remote));
}

/// IPv4 and IPv6 beside each other on one port, and calls to either.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_families_at_once() {
    if UdpSocket::bind("[::1]:0").is_err() {
        println!("skipped: this computer has no IPv6");
        return;
    }
    let port = free_port();
    let settings = |port: u16| SipConfig {
        listen: ["udp:127.0.0.1", "udp:[::1]", "tcp:127.0.0.1", "tcp:[::1]"]
            .iter()
            .map(|l| format!("{l}:{port}"))
            .collect(),
        ..config()
    };
    let (line, calls) = SipEdge::start(settings(port)).await.unwrap();
    let mut seen = answer(calls, Way::Echo);
    let (caller, _none) = SipEdge::start(settings(free_port())).await.unwrap();
    assert_eq!(line.listeners().len(), 4);
    for to in [
        format!("sip:line@127.0.0.1:{port}"),
        format!("sip:line@[::1]:{port}"),
        format!("sip:line@[::1]:{port};transport=tcp"),
    ] {
        let mut leg = caller.dial(&to, "+15550100", 10, &[]);
        let here = drive(&mut *leg, Duration::from_secs(15), |turn, leg, saw, _| {
            if saw.has(&Signal::Answered) && turn > 75 {
                leg.hangup(200, "done");
            }
            tone(turn)
        })
        .await;
        assert!(here.has(&Signal::Answered), "{to} {here:?}");
        assert!(here.loud > 30, "{to} {here:?}");
        let there = tokio::time::timeout(Duration::from_secs(5), seen.recv()).await;
        assert_eq!(
            there.unwrap().unwrap().end(),
            Some(EndCause::Remote),
            "{to}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_never_came_and_what_came_too_late_are_told_apart() {
    let (line, mut calls) = edge().await;
    let taken = tokio::spawn(async move {
        let mut leg = calls.recv().await.unwrap().leg;
        leg.answer();
        drive(&mut *leg, Duration::from_secs(20), |_, _, _, _| [0; FRAME]).await;
        leg.info()
    });
    let mut hand = Hand::new(&line, false).await;
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let own = socket.local_addr().unwrap().port().to_string();
    let sdp = SDP.replace("29000", &own);
    hand.request("INVITE", 1, "Content-Type: application/sdp\r\n", &sdp)
        .await;
    let answer = hand.answer_to("1 INVITE").await;
    hand.request("ACK", 1, "", "").await;
    let port = audio_port(&answer);
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    for n in 0..150u16 {
        ticks.tick().await;
        // Three never come; two come when their time was over.
        if ![30, 31, 32, 60, 61].contains(&n) {
            socket.send_to(&packet(n), ("127.0.0.1", port)).unwrap();
        }
        if n == 80 {
            socket.send_to(&packet(60), ("127.0.0.1", port)).unwrap();
            socket.send_to(&packet(61), ("127.0.0.1", port)).unwrap();
        }
    }
    hand.request("BYE", 2, "", "").await;
    let info = taken.await.unwrap();
    assert_eq!(
        (info.packets_in, info.packets_lost, info.packets_late),
        (147, 3, 2)
    );
}
