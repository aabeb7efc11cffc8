//! Two of our own edges on loopback: what one says, the other does.

use super::*;

const LONG: Duration = Duration::from_secs(15);

/// A call that talks for a second, sends keys, and hangs up.
async fn call(tcp: bool) -> (Saw, Saw) {
    let (callee, calls) = edge().await;
    let (caller, _none) = edge().await;
    let mut seen = answer(calls, Way::Echo);
    let mut leg = caller.dial(
        &uri(&callee, tcp),
        "+15550100",
        10,
        &[("X-Test".into(), "yes".into())],
    );
    let mut up_at = None;
    let here = drive(&mut *leg, LONG, |turn, leg, saw, _| {
        if saw.has(&Signal::Answered) && up_at.is_none() {
            up_at = Some(turn);
        }
        if let Some(up) = up_at {
            if turn == up + 30 {
                for key in "12#".chars() {
                    leg.send_digit(key);
                }
            }
            if turn == up + 100 {
                leg.hangup(200, "done");
            }
        }
        tone(turn)
    })
    .await;
    let there = tokio::time::timeout(LONG, seen.recv())
        .await
        .unwrap()
        .unwrap();
    (here, there)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_rings_is_answered_speaks_and_ends() {
    for tcp in [false, true] {
        let (here, there) = call(tcp).await;
        assert!(here.has(&Signal::Ringing), "{here:?}");
        assert!(here.has(&Signal::Answered));
        assert!(here.has(&Signal::Media));
        assert_eq!(here.end(), Some(EndCause::Ours));
        assert!(there.has(&Signal::Answered), "{there:?}");
        assert_eq!(there.end(), Some(EndCause::Remote));
        assert_eq!(there.keys, "12#");
        assert_eq!(here.codec, firstline::audio::codec::Codec::ALL[0].name());
        // Two seconds of tone there and back, less the keys and the way.
        assert!(there.loud > 50, "{there:?}");
        assert!(here.loud > 40, "{here:?}");
        assert!(there.packets_in >= 90, "{there:?}");
        assert!(here.packets_out >= 90);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hanging_up_before_an_answer_cancels() {
    let (callee, calls) = edge().await;
    let (caller, _none) = edge().await;
    let mut seen = answer(calls, Way::Ring);
    let mut leg = caller.dial(&uri(&callee, false), "anna", 10, &[]);
    let mut rang_at = None;
    let here = drive(&mut *leg, LONG, |turn, leg, saw, _| {
        if saw.has(&Signal::Ringing) {
            let rang = *rang_at.get_or_insert(turn);
            if turn == rang + 10 {
                leg.hangup(487, "changed my mind");
            }
        }
        [0; FRAME]
    })
    .await;
    assert_eq!(here.end(), Some(EndCause::Ours));
    let there = tokio::time::timeout(LONG, seen.recv())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(there.end(), Some(EndCause::Cancelled), "{there:?}");
    assert!(!there.has(&Signal::Answered));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_have_the_words_of_a_transfer() {
    for (code, cause) in [
        (486, EndCause::Busy),
        (603, EndCause::Declined),
        (404, EndCause::Unreachable),
        (480, EndCause::NoAnswer),
    ] {
        let (callee, calls) = edge().await;
        let (caller, _none) = edge().await;
        let _seen = answer(calls, Way::Refuse(code));
        let mut leg = caller.dial(&uri(&callee, false), "anna", 10, &[]);
        let here = drive(&mut *leg, LONG, |_, _, _, _| [0; FRAME]).await;
        assert_eq!(here.end(), Some(cause), "{code}: {here:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_that_only_rings_is_no_answer() {
    let (callee, calls) = edge().await;
    let (caller, _none) = edge().await;
    let mut seen = answer(calls, Way::Ring);
    let started = Instant::now();
    let mut leg = caller.dial(
        &format!("{};ring_s=2", uri(&callee, false)),
        "anna",
        60,
        &[],
    );
    let here = drive(&mut *leg, LONG, |_, _, _, _| [0; FRAME]).await;
    assert_eq!(here.end(), Some(EndCause::NoAnswer), "{here:?}");
    assert!(started.elapsed() < Duration::from_secs(4));
    let there = tokio::time::timeout(LONG, seen.recv())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(there.end(), Some(EndCause::Cancelled));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_there_is_unreachable() {
    let (caller, _none) = edge().await;
    let hole = SocketAddr::from(([127, 0, 0, 1], free_port()));
    // TCP is refused at once; over UDP nothing comes back, and six seconds are enough to know.
    for (uri, limit) in [
        (format!("sip:x@{hole};transport=tcp"), 2),
        (format!("sip:x@{hole}"), 8),
    ] {
        let started = Instant::now();
        let mut leg = caller.dial(&uri, "anna", 20, &[]);
        let here = drive(&mut *leg, LONG, |_, _, _, _| [0; FRAME]).await;
        assert_eq!(here.end(), Some(EndCause::Unreachable), "{uri}: {here:?}");
        assert!(
            started.elapsed() < Duration::from_secs(limit),
            "{uri}: {:?}",
            started.elapsed()
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_called_side_hangs_up_too() {
    let (callee, calls) = edge().await;
    let (caller, _none) = edge().await;
    let mut seen = answer(calls, Way::HangUpAfter(500));
    let mut leg = caller.dial(&uri(&callee, false), "anna", 10, &[]);
    let here = drive(&mut *leg, LONG, |turn, _, _, _| tone(turn)).await;
    assert_eq!(here.end(), Some(EndCause::Remote), "{here:?}");
    let there = tokio::time::timeout(LONG, seen.recv())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(there.end(), Some(EndCause::Ours));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_an_address_is_said() {
    let (caller, _none) = edge().await;
    let mut leg = caller.dial("human@host", "anna", 10, &[]);
    let here = drive(&mut *leg, LONG, |_, _, _, _| [0; FRAME]).await;
    assert!(
        matches!(&here.signals[..], [Signal::Ended(e)] if e.detail.contains("sip:user@host:port")),
        "{here:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_in_use_is_one_clear_sentence() {
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let tcp_taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    for listen in [
        format!("udp:{}", taken.local_addr().unwrap()),
        format!("tcp:{}", tcp_taken.local_addr().unwrap()),
    ] {
        let wrong = SipEdge::start(SipConfig {
            listen: vec![listen],
            ..config()
        })
        .await;
        let error = wrong.err().expect("the port is taken").to_string();
        assert!(
            error.contains("is taken by another program: stop it, or choose another port"),
            "{error}"
        );
    }
    let wrong = SipEdge::start(SipConfig {
        listen: vec!["5060".into()],
        ..config()
    })
    .await;
    assert!(
        wrong
            .err()
            .unwrap()
            .to_string()
            .contains("write it as udp:0.0.0.0:5060")
    );
}
