//! Transfers by SIP: sent by us, asked of us, and dialogs that take another's place (RFC 3515, RFC 3891).

use std::time::Duration;

use firstline::edge::Signal;

use super::by_hand::{Hand, SDP};
use super::{Way, answer, edge, tone, uri};

const TYPE: &str = "Content-Type: application/sdp\r\n";

/// A line with a caller and a human on it, as two legs of two other edges.
async fn turn(leg: &mut dyn firstline::edge::Leg, sound: bool, n: u64) -> Vec<Signal> {
    let inbound = leg.pull();
    leg.push(&if sound {
        tone(n)
    } else {
        [0; firstline::audio::FRAME]
    });
    inbound.signals
}

async fn until(
    legs: &mut [&mut Box<dyn firstline::edge::Leg>],
    seconds: u64,
    mut done: impl FnMut(usize, &Signal) -> bool,
) -> bool {
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    for n in 0..seconds * 50 {
        ticks.tick().await;
        for (index, leg) in legs.iter_mut().enumerate() {
            for signal in turn(&mut ***leg, true, n).await {
                if done(index, &signal) {
                    return true;
                }
            }
        }
    }
    false
}

/// The caller's phone is told to call the human in our place; it does, and both of our legs end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_is_sent_to_the_human_in_our_place() {
    let (line, mut calls) = edge().await;
    let (caller_edge, _) = edge().await;
    let (human_edge, mut human_calls) = edge().await;
    let mut caller = caller_edge.dial(&uri(&line, false), "+15550100", 10, &[]);
    let mut ours = calls.recv().await.expect("a call").leg;
    ours.ring();
    ours.answer();
    assert!(
        until(&mut [&mut caller, &mut ours], 5, |i, s| i == 0
            && *s == Signal::Answered)
        .await
    );
    let mut to_human = line.dial(&uri(&human_edge, false), "+15550100", 10, &[]);
    let mut human = human_calls.recv().await.expect("a call").leg;
    human.answer();
    assert!(
        until(&mut [&mut to_human, &mut human], 5, |i, s| i == 0
            && *s == Signal::Answered)
        .await
    );
    let place = to_human.in_our_place().expect("it can be taken");
    assert!(ours.refer(&place));
    let mut asked = None;
    until(&mut [&mut caller], 5, |_, s| {
        if let Signal::Refer(to) = s {
            asked = Some(to.clone());
        }
        asked.is_some()
    })
    .await;
    let asked = firstline::wire::sip::refer::ReferTo::parse(&asked.expect("a REFER")).unwrap();
    let replaces = asked.replaces.expect("in whose place").to_string();
    let headers = [
        ("Replaces".to_owned(), replaces),
        ("Require".to_owned(), "replaces".to_owned()),
    ];
    let mut direct = caller_edge.dial(&asked.uri, "+15550100", 10, &headers);
    // The human's leg with us ends, and the human does not notice.
    let (mut up, mut gone) = (false, false);
    until(&mut [&mut direct, &mut to_human, &mut human], 8, |i, s| {
        up |= i == 0 && *s == Signal::Answered;
        gone |= i == 1 && matches!(s, Signal::Ended(_));
        assert!(i != 2 || !matches!(s, Signal::Ended(_)), "{s:?}");
        up && gone
    })
    .await;
    assert!(up && gone, "{up} {gone}");
    caller.referred(200);
    assert!(
        until(&mut [&mut caller, &mut ours], 5, |i, s| i == 1
            && *s == Signal::Referred(200))
        .await
    );
    // They hear each other.
    let before = human.info().packets_in;
    until(&mut [&mut direct, &mut human], 1, |_, _| false).await;
    let after = human.info().packets_in;
    assert!(after > before + 30, "{before} {after} {:?}", direct.info());
    direct.hangup(200, "bye");
    assert!(until(&mut [&mut human], 5, |_, s| matches!(s, Signal::Ended(_))).await);
}

/// What a phone says that will not or cannot, and one that goes without a word.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_became_of_a_transfer_is_told() {
    for (answer, notify, want) in [
        ("405 Method Not Allowed", None, 405),
        ("202 Accepted", Some("SIP/2.0 486 Busy Here"), 486),
        ("202 Accepted", Some("SIP/2.0 200 OK"), 200),
        ("202 Accepted", None, 200),
    ] {
        let (line, mut calls) = edge().await;
        let mut hand = Hand::new(&line, false).await;
        hand.request("INVITE", 1, TYPE, SDP).await;
        let mut ours = calls.recv().await.expect("a call").leg;
        ours.answer();
        hand.answer_to("1 INVITE").await;
        hand.request("ACK", 1, "", "").await;
        assert!(until(&mut [&mut ours], 5, |_, s| *s == Signal::Answered).await);
        assert!(ours.refer("sip:human@127.0.0.1:9"));
        let refer = hand.asked("REFER").await;
        assert!(
            refer.contains("Refer-To: <sip:human@127.0.0.1:9>"),
            "{refer}"
        );
        assert!(refer.contains("Referred-By: <sip:"), "{refer}");
        hand.respond(&refer, answer).await;
        if answer.starts_with("202") {
            let notify = notify.map(|body| {
                (
                    "Event: refer\r\nSubscription-State: terminated\r\nContent-Type: message/sipfrag\r\n",
                    body,
                )
            });
            match notify {
                Some((headers, body)) => {
                    hand.request("NOTIFY", 2, headers, "SIP/2.0 100 Trying")
                        .await;
                    assert!(hand.answer_to("2 NOTIFY").await.starts_with("SIP/2.0 200"));
                    hand.request("NOTIFY", 3, headers, body).await;
                    assert!(hand.answer_to("3 NOTIFY").await.starts_with("SIP/2.0 200"));
                }
                None => hand.request("BYE", 2, "", "").await,
            }
        }
        let mut told = None;
        until(&mut [&mut ours], 5, |_, s| {
            if let Signal::Referred(code) = s {
                told = Some(*code);
            }
            told.is_some()
        })
        .await;
        assert_eq!(told, Some(want), "{answer} {notify:?}");
    }
}

/// A phone that we called asks for a transfer, and is told how it went.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_asks_for_a_transfer() {
    let (line, mut calls) = edge().await;
    let mut hand = Hand::new(&line, false).await;
    hand.request("REFER", 1, "Refer-To: <sip:a@b>\r\n", "")
        .await;
    assert!(hand.answer_to("1 REFER").await.starts_with("SIP/2.0 403"));
    let mut hand = Hand::new(&line, false).await;
    hand.request("INVITE", 1, TYPE, SDP).await;
    let mut ours = calls.recv().await.expect("a call").leg;
    ours.answer();
    hand.answer_to("1 INVITE").await;
    hand.request("ACK", 1, "", "").await;
    hand.request("REFER", 2, "Refer-To: nonsense\r\n", "").await;
    assert!(hand.answer_to("2 REFER").await.starts_with("SIP/2.0 400"));
    hand.request("REFER", 3, "Refer-To: <sip:other@127.0.0.1:9>\r\n", "")
        .await;
    assert!(hand.answer_to("3 REFER").await.starts_with("SIP/2.0 202"));
    let trying = hand.asked("NOTIFY").await;
    assert!(trying.contains("SIP/2.0 100 Trying"), "{trying}");
    assert!(
        trying.to_ascii_lowercase().contains("event: refer"),
        "{trying}"
    );
    hand.respond(&trying, "200 OK").await;
    let wanted = Signal::Refer("<sip:other@127.0.0.1:9>".into());
    assert!(until(&mut [&mut ours], 5, |_, s| *s == wanted).await);
    ours.referred(603);
    let done = hand.asked("NOTIFY").await;
    assert!(done.contains("SIP/2.0 603 Decline"), "{done}");
    assert!(done.contains("terminated"), "{done}");
    hand.respond(&done, "200 OK").await;
}

/// Another phone takes the place of the caller: the call goes on, the first phone is told goodbye.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_dialog_takes_the_place_of_one() {
    let (line, calls) = edge().await;
    let mut seen = answer(calls, Way::Tone);
    let mut first = Hand::new(&line, false).await;
    first.set_up().await;
    first.request("ACK", 1, "", "").await;
    let tag = first.to_tag.clone();
    let mut other = Hand::new(&line, false).await;
    let (call_id, from_tag) = first.names();
    // Not that dialog, a broken header, and an early one that is none.
    for (replaces, code) in [
        (format!("nobody;to-tag={tag};from-tag={from_tag}"), "481"),
        (format!("{call_id};to-tag={tag};from-tag=wrong"), "481"),
        (format!("{call_id};to-tag={tag}"), "400"),
        (
            format!("{call_id};to-tag={tag};from-tag={from_tag};early-only"),
            "486",
        ),
    ] {
        let mut wrong = Hand::new(&line, false).await;
        let headers = format!("Replaces: {replaces}\r\n{TYPE}");
        wrong.request("INVITE", 1, &headers, SDP).await;
        let answer = wrong.answer_to("1 INVITE").await;
        assert!(
            answer.starts_with(&format!("SIP/2.0 {code}")),
            "{replaces}: {answer}"
        );
        wrong.request("ACK", 1, "", "").await;
    }
    let headers = format!(
        "Require: replaces\r\nReplaces: {call_id};to-tag={tag};from-tag={from_tag}\r\n{TYPE}"
    );
    let media = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let sdp = SDP.replace("29000", &media.local_addr().unwrap().port().to_string());
    other.request("INVITE", 1, &headers, &sdp).await;
    let answer = other.answer_to("1 INVITE").await;
    assert!(answer.starts_with("SIP/2.0 200"), "{answer}");
    other.request("ACK", 1, "", "").await;
    let bye = first.asked("BYE").await;
    first.respond(&bye, "200 OK").await;
    // The call's sound goes to the new one.
    let mut buffer = [0; 2048];
    for _ in 0..20 {
        let got = tokio::time::timeout(Duration::from_secs(3), media.recv(&mut buffer)).await;
        assert!(got.is_ok(), "no sound at the new phone");
    }
    assert!(seen.try_recv().is_err(), "the call goes on");
    other.request("BYE", 2, "", "").await;
    other.answer_to("2 BYE").await;
    let saw = seen.recv().await.unwrap();
    assert_eq!(saw.end(), Some(firstline::edge::EndCause::Remote));
    for _ in 0..100 {
        if line.census().dialogs == 0 && line.census().tasks == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{:?}", line.census());
}
