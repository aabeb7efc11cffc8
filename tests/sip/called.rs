//! Calls that we make, answered by hand: session timers (RFC 4028), changes that cross (RFC 3311), reliable provisional answers (RFC 3262),
//! keys by INFO, and what RTCP says of the line.

use firstline::wire::rtp::{Header, build};
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

use super::by_hand::SDP;
use super::*;

const TYPE: &str = "Content-Type: application/sdp\r\n";

/// Whoever is called.
struct Callee {
    socket: UdpSocket,
    here: SocketAddr,
    /// Where the call comes from, once it has.
    caller: Option<SocketAddr>,
    invite: String,
    branch: u32,
}

impl Callee {
    async fn new() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let here = socket.local_addr().unwrap();
        Self {
            socket,
            here,
            caller: None,
            invite: String::new(),
            branch: 0,
        }
    }

    /// The next message that begins so; what is repeated, and what else comes, is passed over.
    async fn next(&mut self, wanted: &str, seconds: u64) -> String {
        let mut buffer = [0; 8_192];
        let mut others = Vec::new();
        let read = async {
            loop {
                let (len, from) = self.socket.recv_from(&mut buffer).await.unwrap();
                self.caller = Some(from);
                let text = String::from_utf8_lossy(&buffer[..len]).to_string();
                if text.starts_with(wanted) {
                    return text;
                }
                others.push(text.lines().next().unwrap_or_default().to_owned());
            }
        };
        match tokio::time::timeout(Duration::from_secs(seconds), read).await {
            Ok(text) => text,
            Err(_) => panic!("{wanted} did not come within {seconds} s, but {others:?}"),
        }
    }

    async fn send(&self, text: &str) {
        let to = self.caller.expect("somebody called");
        self.socket.send_to(text.as_bytes(), to).await.unwrap();
    }

    async fn invited(&mut self) -> String {
        self.invite = self.next("INVITE ", 5).await;
        self.invite.clone()
    }

    async fn respond(&self, request: &str, status: &str, headers: &str, body: &str) {
        let copied: String = request
            .lines()
            .filter_map(|l| {
                let name = ["Via:", "From:", "To:", "Call-ID:", "CSeq:"]
                    .into_iter()
                    .find(|name| l.starts_with(name))?;
                let tagged = name == "To:" && !l.contains("tag=");
                Some(format!("{l}{}\r\n", if tagged { ";tag=hand" } else { "" }))
            })
            .collect();
        self.send(&format!(
            "SIP/2.0 {status}\r\n{copied}Contact: <sip:hand@{}>\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            self.here,
            body.len()
        ))
        .await;
    }

    /// A request of the callee's within the dialog.
    async fn request(&mut self, method: &str, cseq: u32, headers: &str, body: &str) {
        self.branch += 1;
        let line = |name: &str| -> String {
            let found = self.invite.lines().find(|l| l.starts_with(name));
            found.unwrap_or_default()[name.len()..].trim().to_owned()
        };
        let target = line("Contact:");
        let target = target.trim_matches(['<', '>']);
        self.send(&format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bKcallee{n};rport\r\nMax-Forwards: 70\r\n\
             From: {to};tag=hand\r\nTo: {from}\r\nCall-ID: {id}\r\nCSeq: {cseq} {method}\r\nContact: <sip:hand@{here}>\r\n\
             {headers}Content-Length: {len}\r\n\r\n{body}",
            here = self.here,
            n = self.branch,
            to = line("To:"),
            from = line("From:"),
            id = line("Call-ID:"),
            len = body.len(),
        ))
        .await;
    }

    async fn answered(&mut self, cseq: &str) -> String {
        loop {
            let answer = self.next("SIP/2.0 ", 5).await;
            if answer.contains(&format!("CSeq: {cseq}\r\n")) && !answer.starts_with("SIP/2.0 100") {
                return answer;
            }
        }
    }
}

/// Calls the callee, and hangs up after so many seconds.
async fn call(edge: &SipEdge, callee: &Callee, seconds: u64) -> JoinHandle<Saw> {
    let mut leg = edge.dial(&format!("sip:hand@{}", callee.here), "+15550100", 20, &[]);
    tokio::spawn(async move {
        drive(&mut *leg, Duration::from_secs(60), |turn, leg, _, _| {
            if turn == seconds * 50 {
                leg.hangup(200, "done");
            }
            tone(turn)
        })
        .await
    })
}

async fn line(session_s: u32) -> SipEdge {
    let settings = SipConfig {
        session_s,
        ..config()
    };
    SipEdge::start(settings).await.unwrap().0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn we_ask_for_a_session_timer_refresh_it_and_hold_our_ground_meanwhile() {
    let mut callee = Callee::new().await;
    let edge = line(4).await;
    let call = call(&edge, &callee, 9).await;
    let invite = callee.invited().await;
    for header in ["Session-Expires: 4\r\n", "Min-SE: 4\r\n"] {
        assert!(invite.contains(header), "{header} in {invite}");
    }
    assert!(
        invite
            .lines()
            .any(|l| l.starts_with("Supported:") && l.contains("timer"))
    );
    // It leaves refreshing to us, and does not know UPDATE: a re-INVITE with an offer comes at half the time.
    let terms = format!(
        "{TYPE}Supported: timer\r\nRequire: timer\r\nSession-Expires: 4;refresher=uac\r\nAllow: INVITE, ACK, BYE, CANCEL\r\n"
    );
    callee.respond(&invite, "200 OK", &terms, SDP).await;
    callee.next("ACK ", 3).await;
    let refresh = callee.next("INVITE ", 4).await;
    assert!(
        refresh.contains("Session-Expires: 4;refresher=uac") && refresh.contains("m=audio"),
        "{refresh}"
    );
    // Our offer is not answered: theirs, in either kind of request, has to wait; what offers nothing need not.
    callee.request("UPDATE", 2, TYPE, SDP).await;
    assert!(callee.answered("2 UPDATE").await.starts_with("SIP/2.0 491"));
    callee.request("INVITE", 3, TYPE, SDP).await;
    assert!(callee.answered("3 INVITE").await.starts_with("SIP/2.0 491"));
    callee.request("ACK", 3, "", "").await;
    callee.request("UPDATE", 4, "", "").await;
    assert!(callee.answered("4 UPDATE").await.starts_with("SIP/2.0 200"));
    callee.respond(&refresh, "200 OK", &terms, SDP).await;
    callee.next("ACK ", 3).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    callee.request("UPDATE", 5, TYPE, SDP).await;
    assert!(callee.answered("5 UPDATE").await.starts_with("SIP/2.0 200"));
    // Theirs was under way at the other end: ours comes again a little later.
    let crossed = callee.next("INVITE ", 4).await;
    callee
        .respond(&crossed, "491 Request Pending", "", "")
        .await;
    let again = callee.next("INVITE ", 5).await;
    assert_ne!(
        again.lines().find(|l| l.starts_with("CSeq:")),
        crossed.lines().find(|l| l.starts_with("CSeq:"))
    );
    callee.respond(&again, "200 OK", &terms, SDP).await;
    let bye = callee.next("BYE ", 12).await;
    callee.respond(&bye, "200 OK", "", "").await;
    let saw = call.await.unwrap();
    assert_eq!(saw.end(), Some(EndCause::Ours), "{:?}", saw.signals);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_far_end_that_was_to_refresh_and_does_not_is_gone() {
    let mut callee = Callee::new().await;
    let edge = line(4).await;
    let call = call(&edge, &callee, 50).await;
    let invite = callee.invited().await;
    let terms =
        format!("{TYPE}Supported: timer\r\nRequire: timer\r\nSession-Expires: 4;refresher=uas\r\n");
    callee.respond(&invite, "200 OK", &terms, SDP).await;
    callee.next("ACK ", 3).await;
    callee
        .request(
            "UPDATE",
            2,
            "Supported: timer\r\nSession-Expires: 4;refresher=uac\r\n",
            "",
        )
        .await;
    let refreshed = callee.answered("2 UPDATE").await;
    assert!(refreshed.contains("Session-Expires: "), "{refreshed}");
    let saw = tokio::time::timeout(Duration::from_secs(20), call);
    let bye = callee.next("BYE ", 10).await;
    callee.respond(&bye, "200 OK", "", "").await;
    let saw = saw.await.unwrap().unwrap();
    assert_eq!(saw.end(), Some(EndCause::Remote), "{:?}", saw.signals);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_runs_no_timer_is_asked_by_update_whether_it_is_there() {
    let mut callee = Callee::new().await;
    let edge = line(4).await;
    let call = call(&edge, &callee, 50).await;
    let invite = callee.invited().await;
    let terms = format!("{TYPE}Allow: INVITE, ACK, BYE, UPDATE\r\n");
    callee.respond(&invite, "200 OK", &terms, SDP).await;
    callee.next("ACK ", 3).await;
    let update = callee.next("UPDATE ", 4).await;
    assert!(!update.contains("m=audio"), "{update}");
    callee.respond(&update, "200 OK", "", "").await;
    // Next time it knows nothing of the call any more.
    let update = callee.next("UPDATE ", 4).await;
    callee
        .respond(&update, "481 Call/Transaction Does Not Exist", "", "")
        .await;
    let saw = call.await.unwrap();
    assert_eq!(saw.end(), Some(EndCause::Remote), "{:?}", saw.signals);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn early_media_is_acknowledged_and_heard_and_keys_come_by_info() {
    let mut callee = Callee::new().await;
    let edge = line(1_800).await;
    let call = call(&edge, &callee, 6).await;
    let invite = callee.invited().await;
    assert!(
        invite
            .lines()
            .any(|l| l.starts_with("Supported:") && l.contains("100rel"))
    );
    assert!(invite.contains("Session-Expires: 1800\r\n") && invite.contains("Min-SE: 90\r\n"));
    let sound = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let sdp = SDP.replace("29000", &sound.local_addr().unwrap().port().to_string());
    let reliable = format!("{TYPE}Require: 100rel\r\nRSeq: 1\r\n");
    callee
        .respond(&invite, "183 Session Progress", &reliable, &sdp)
        .await;
    let prack = callee.next("PRACK ", 3).await;
    assert!(prack.contains("RAck: 1 1 INVITE"), "{prack}");
    callee.respond(&prack, "200 OK", "", "").await;
    // An announcement before the answer.
    let port: u16 = invite
        .lines()
        .find_map(|l| l.strip_prefix("m=audio "))
        .and_then(|l| l.split(' ').next()?.parse().ok())
        .unwrap();
    for n in 0..75u16 {
        let header = Header {
            marker: n == 0,
            payload_type: 0,
            seq: n,
            timestamp: u32::from(n) * 160,
            ssrc: 7,
            csrc: Vec::new(),
        };
        let payload: Vec<u8> = (0..160)
            .map(|i| if i % 8 < 4 { 0x90 } else { 0x10 })
            .collect();
        let mut packet = Vec::new();
        build(&header, None, &payload, &mut packet);
        sound.send_to(&packet, ("127.0.0.1", port)).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    callee.respond(&invite, "200 OK", TYPE, &sdp).await;
    callee.next("ACK ", 3).await;
    for (cseq, kind, body) in [
        (2, "application/dtmf-relay", "Signal=5\r\nDuration=160\r\n"),
        (3, "application/dtmf", "7"),
        (4, "application/dtmf-relay", "Signal=#\r\n"),
    ] {
        callee
            .request("INFO", cseq, &format!("Content-Type: {kind}\r\n"), body)
            .await;
        let answer = callee.answered(&format!("{cseq} INFO")).await;
        assert!(answer.starts_with("SIP/2.0 200"), "{answer}");
    }
    let bye = callee.next("BYE ", 12).await;
    callee.respond(&bye, "200 OK", "", "").await;
    let saw = call.await.unwrap();
    assert_eq!(saw.keys, "57#");
    assert!(saw.loud > 40, "the announcement was heard: {saw:?}");
    let at = |wanted: &Signal| saw.signals.iter().position(|s| s == wanted);
    assert!(
        at(&Signal::Media) < at(&Signal::Answered),
        "{:?}",
        saw.signals
    );
}

/// Reports go both ways every five seconds: there and back, and what was lost, are known at both ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rtcp_says_how_the_line_is() {
    let (callee, calls) = edge().await;
    let _seen = answer(calls, Way::Echo);
    let (caller, _none) = edge().await;
    let mut leg = caller.dial(&uri(&callee, false), "+15550100", 10, &[]);
    let mut info = None;
    drive(&mut *leg, Duration::from_secs(14), |turn, leg, _, _| {
        if turn == 640 {
            info = Some(leg.info());
            leg.hangup(200, "done");
        }
        tone(turn)
    })
    .await;
    let info = info.expect("the call lasted");
    let kept = firstline::runtime::leg::quality(&info);
    assert!(kept.rtt_ms.is_some_and(|ms| ms < 100.0), "{kept:?}");
    assert!(kept.far_loss.is_some_and(|share| share < 0.05), "{kept:?}");
    assert!(kept.mos.is_some_and(|mos| mos > 4.0), "{kept:?}");
    assert!(kept.packets_in > 500 && kept.packets_out > 500, "{kept:?}");
}

/// What is refused for how it was asked for is asked for again: a longer session, another address of the same host. Nobody is followed elsewhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_longer_session_and_another_address_are_asked_for_and_no_other_host() {
    let mut callee = Callee::new().await;
    let edge = line(1_800).await;
    let call_one = call(&edge, &callee, 3).await;
    let first = callee.invited().await;
    callee
        .respond(
            &first,
            "422 Session Interval Too Small",
            "Min-SE: 3600\r\n",
            "",
        )
        .await;
    let second = callee.invited().await;
    for header in ["Session-Expires: 3600\r\n", "Min-SE: 3600\r\n"] {
        assert!(second.contains(header), "{header} in {second}");
    }
    assert!(second.contains("m=audio"), "{second}");
    let moved = format!("Contact: <sip:desk2@{}>;q=0.8\r\n", callee.here);
    callee
        .respond(&second, "302 Moved Temporarily", &moved, "")
        .await;
    let third = callee.invited().await;
    assert!(
        third.starts_with(&format!("INVITE sip:desk2@{}", callee.here)),
        "{third}"
    );
    assert!(third.contains("Session-Expires: 3600\r\n"), "{third}");
    callee.respond(&third, "200 OK", TYPE, SDP).await;
    callee.next("ACK ", 3).await;
    let bye = callee.next("BYE ", 5).await;
    callee.respond(&bye, "200 OK", "", "").await;
    let saw = call_one.await.unwrap();
    assert!(saw.has(&Signal::Answered), "{saw:?}");
    assert_eq!(saw.end(), Some(EndCause::Ours), "{saw:?}");

    // Elsewhere in the world.
    let call_two = call(&edge, &callee, 3).await;
    let invite = callee.invited().await;
    let away = "Contact: <sip:+19005550100@192.0.2.99>\r\n";
    callee
        .respond(&invite, "302 Moved Temporarily", away, "")
        .await;
    let saw = call_two.await.unwrap();
    assert_eq!(saw.end(), Some(EndCause::Failed), "{saw:?}");
    until_left(&edge).await;
}

async fn until_left(edge: &SipEdge) {
    for _ in 0..1_000 {
        if edge.census().dialogs == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("a dialog is left");
}
