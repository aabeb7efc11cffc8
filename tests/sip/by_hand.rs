//! Messages written out by hand: what two of our own edges would never send each other.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use super::*;

/// A caller that speaks SIP by hand, over UDP or TCP.
pub struct Hand {
    udp: Option<UdpSocket>,
    tcp: Option<TcpStream>,
    peer: SocketAddr,
    here: SocketAddr,
    buffer: Vec<u8>,
    call_id: String,
    pub to_tag: String,
    branch: u32,
}

pub const SDP: &str = "v=0\r\no=hand 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 29000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n";

impl Hand {
    pub async fn new(edge: &SipEdge, over_tcp: bool) -> Self {
        Self::at(address(edge, over_tcp), over_tcp).await
    }

    /// To this listener of a line's.
    pub async fn at(peer: SocketAddr, over_tcp: bool) -> Self {
        let (udp, tcp) = if over_tcp {
            (None, Some(TcpStream::connect(peer).await.unwrap()))
        } else {
            let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            socket.connect(peer).await.unwrap();
            (Some(socket), None)
        };
        let here = match (&udp, &tcp) {
            (Some(u), _) => u.local_addr().unwrap(),
            (_, Some(t)) => t.local_addr().unwrap(),
            _ => unreachable!(),
        };
        Self {
            udp,
            tcp,
            peer,
            here,
            buffer: Vec::new(),
            call_id: format!("by-hand-{}-{:?}", here.port(), Instant::now())
                .replace(|c: char| !c.is_alphanumeric(), "-"),
            to_tag: String::new(),
            branch: 0,
        }
    }

    pub fn message(&mut self, method: &str, cseq: u32, headers: &str, body: &str) -> String {
        self.branch += 1;
        let transport = if self.tcp.is_some() { "TCP" } else { "UDP" };
        let tag = if self.to_tag.is_empty() {
            String::new()
        } else {
            format!(";tag={}", self.to_tag)
        };
        let branch = if method == "CANCEL" {
            self.branch - 1
        } else {
            self.branch
        };
        format!(
            "{method} sip:line@{peer} SIP/2.0\r\nVia: SIP/2.0/{transport} {here};branch=z9hG4bK{id}{branch};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:hand@{here}>;tag=hand\r\nTo: <sip:line@{peer}>{tag}\r\nCall-ID: {id}\r\n\
             CSeq: {cseq} {method}\r\nContact: <sip:hand@{here}>\r\n{headers}Content-Length: {len}\r\n\r\n{body}",
            peer = self.peer,
            here = self.here,
            id = self.call_id,
            len = body.len(),
        )
    }

    pub async fn send(&mut self, text: &str) {
        match (&self.udp, &mut self.tcp) {
            (Some(u), _) => drop(u.send(text.as_bytes()).await.unwrap()),
            (_, Some(t)) => t.write_all(text.as_bytes()).await.unwrap(),
            _ => unreachable!(),
        }
    }

    pub async fn request(&mut self, method: &str, cseq: u32, headers: &str, body: &str) {
        let text = self.message(method, cseq, headers, body);
        self.send(&text).await;
    }

    pub async fn next(&mut self) -> String {
        let read = async {
            loop {
                if let Some(end) = self.buffer.windows(4).position(|w| w == b"\r\n\r\n") {
                    let head = String::from_utf8_lossy(&self.buffer[..end]).to_string();
                    let length: usize = head
                        .lines()
                        .find_map(|l| l.strip_prefix("Content-Length:"))
                        .map_or(0, |v| v.trim().parse().unwrap());
                    if self.buffer.len() >= end + 4 + length {
                        let rest = self.buffer.split_off(end + 4 + length);
                        let message = std::mem::replace(&mut self.buffer, rest);
                        return String::from_utf8_lossy(&message).to_string();
                    }
                }
                let mut chunk = [0; 4096];
                let len = match (&self.udp, &mut self.tcp) {
                    (Some(u), _) => u.recv(&mut chunk).await.unwrap(),
                    (_, Some(t)) => t.read(&mut chunk).await.unwrap(),
                    _ => unreachable!(),
                };
                assert!(len > 0, "the connection was closed");
                self.buffer.extend_from_slice(&chunk[..len]);
            }
        };
        tokio::time::timeout(Duration::from_secs(8), read)
            .await
            .expect("an answer")
    }

    /// The final answer to a CSeq such as `2 INFO`; provisional ones and repetitions of others are passed over.
    pub async fn answer_to(&mut self, cseq: &str) -> String {
        loop {
            let message = self.next().await;
            if message.starts_with("SIP/2.0 1") || !message.contains(&format!("CSeq: {cseq}\r\n")) {
                continue;
            }
            if let Some(tag) = message
                .lines()
                .find(|l| l.starts_with("To:"))
                .and_then(|l| l.split("tag=").nth(1))
            {
                self.to_tag = tag.trim().to_owned();
            }
            return message;
        }
    }

    /// The next request of this method that comes.
    pub async fn asked(&mut self, method: &str) -> String {
        loop {
            let message = self.next().await;
            if message.starts_with(&format!("{method} ")) {
                return message;
            }
        }
    }

    /// Answers a request that came.
    pub async fn respond(&mut self, request: &str, status: &str) {
        let copied: String = request
            .lines()
            .filter(|l| {
                ["Via:", "From:", "To:", "Call-ID:", "CSeq:"]
                    .iter()
                    .any(|name| l.starts_with(name))
            })
            .map(|l| format!("{l}\r\n"))
            .collect();
        let here = self.here;
        let text = format!(
            "SIP/2.0 {status}\r\n{copied}Contact: <sip:hand@{here}>\r\nContent-Length: 0\r\n\r\n"
        );
        self.send(&text).await;
    }

    /// Call-ID and tag of this side.
    pub fn names(&self) -> (String, String) {
        (self.call_id.clone(), "hand".to_owned())
    }

    pub async fn set_up(&mut self) -> String {
        self.request("INVITE", 1, "Content-Type: application/sdp\r\n", SDP)
            .await;
        let answer = self.answer_to("1 INVITE").await;
        assert!(answer.starts_with("SIP/2.0 200"), "{answer}");
        answer
    }
}

fn version(sdp: &str) -> u64 {
    let line = sdp.lines().find(|l| l.starts_with("o=")).unwrap();
    line.split(' ').nth(2).unwrap().parse().unwrap()
}

const INFO: &str = "Content-Type: application/dtmf-relay\r\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_right_behind_the_ack_is_not_lost() {
    let (callee, calls) = edge().await;
    let mut seen = answer(calls, Way::Tone);
    for round in 0..30 {
        let mut hand = Hand::new(&callee, true).await;
        hand.set_up().await;
        let mut both = hand.message("ACK", 1, "", "");
        both += &hand.message("INFO", 2, INFO, "Signal=7\r\nDuration=160\r\n");
        hand.send(&both).await;
        let answer = hand.answer_to("2 INFO").await;
        assert!(answer.starts_with("SIP/2.0 200"), "round {round}: {answer}");
        hand.request("BYE", 3, "", "").await;
        assert!(hand.answer_to("3 BYE").await.starts_with("SIP/2.0 200"));
        let there = seen.recv().await.unwrap();
        assert_eq!(there.keys, "7", "round {round}");
        assert_eq!(there.end(), Some(EndCause::Remote));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hold_and_resume() {
    let (callee, calls) = edge().await;
    let mut seen = answer(calls, Way::Tone);
    let mut hand = Hand::new(&callee, false).await;
    let first = hand.set_up().await;
    assert!(first.contains("Allow: INVITE"), "{first}");
    hand.request("ACK", 1, "", "").await;
    let sdp = "Content-Type: application/sdp\r\n";
    hand.request("INVITE", 2, sdp, &format!("{SDP}a=sendonly\r\n"))
        .await;
    let held = hand.answer_to("2 INVITE").await;
    assert!(held.contains("a=recvonly"), "{held}");
    assert!(held.contains("Contact: <sip:"), "{held}");
    assert_eq!(version(&held), version(&first) + 1);
    hand.request("ACK", 2, "", "").await;
    hand.request("UPDATE", 3, sdp, SDP).await;
    let resumed = hand.answer_to("3 UPDATE").await;
    assert!(resumed.contains("a=sendrecv"), "{resumed}");
    assert_eq!(version(&resumed), version(&first) + 2);
    // An old number, an unknown method, a stranger's tag: each costs itself only.
    hand.request("OPTIONS", 2, "", "").await;
    assert!(hand.answer_to("2 OPTIONS").await.starts_with("SIP/2.0 500"));
    hand.request("MESSAGE", 4, "", "").await;
    assert!(hand.answer_to("4 MESSAGE").await.starts_with("SIP/2.0 405"));
    hand.request(
        "INVITE",
        5,
        sdp,
        &SDP.replace("RTP/AVP 0 101", "RTP/AVP 18"),
    )
    .await;
    assert!(hand.answer_to("5 INVITE").await.starts_with("SIP/2.0 488"));
    hand.request("ACK", 5, "", "").await;
    hand.request("OPTIONS", 6, "", "").await;
    let options = hand.answer_to("6 OPTIONS").await;
    assert!(
        options.starts_with("SIP/2.0 200") && options.contains("Allow:"),
        "{options}"
    );
    hand.request("BYE", 7, "", "").await;
    hand.answer_to("7 BYE").await;
    let there = seen.recv().await.unwrap();
    let order: Vec<_> = there
        .signals
        .iter()
        .filter(|s| matches!(s, Signal::Held | Signal::Resumed))
        .collect();
    assert_eq!(order, [&Signal::Held, &Signal::Resumed]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invite_without_an_offer_is_answered_with_one() {
    let (callee, calls) = edge().await;
    let mut seen = answer(calls, Way::Tone);
    let media = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut hand = Hand::new(&callee, false).await;
    hand.request("INVITE", 1, "", "").await;
    let offer = hand.answer_to("1 INVITE").await;
    assert!(
        offer.contains("m=audio") && offer.contains("PCMA/8000"),
        "{offer}"
    );
    let sdp = SDP
        .replace("29000", &media.local_addr().unwrap().port().to_string())
        .replace("AVP 0 101", "AVP 8");
    hand.request("ACK", 1, "Content-Type: application/sdp\r\n", &sdp)
        .await;
    let mut packet = [0; 400];
    let heard = tokio::time::timeout(Duration::from_secs(3), media.recv(&mut packet)).await;
    assert_eq!(
        heard.expect("sound comes where the answer said").unwrap(),
        172
    );
    assert_eq!(packet[1] & 0x7f, 8);
    hand.request("BYE", 2, "", "").await;
    hand.answer_to("2 BYE").await;
    assert!(seen.recv().await.unwrap().has(&Signal::Answered));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_fit_is_refused_before_anything_is_made() {
    let full = SipConfig {
        admit: Arc::new(|| Err(7)),
        ..config()
    };
    let (callee, calls) = SipEdge::start(full).await.unwrap();
    let _seen = answer(calls, Way::Tone);
    let mut hand = Hand::new(&callee, false).await;
    hand.request("INVITE", 1, "Content-Type: application/sdp\r\n", SDP)
        .await;
    let refused = hand.answer_to("1 INVITE").await;
    assert!(
        refused.starts_with("SIP/2.0 503") && refused.contains("Retry-After: 7"),
        "{refused}"
    );
    assert_eq!(callee.census().dialogs, 0);

    let (callee, calls) = edge().await;
    let _seen = answer(calls, Way::Tone);
    let mut hand = Hand::new(&callee, false).await;
    hand.request(
        "INVITE",
        1,
        "Content-Type: application/sdp\r\n",
        &SDP.replace("AVP 0 101", "AVP 18"),
    )
    .await;
    assert!(hand.answer_to("1 INVITE").await.starts_with("SIP/2.0 488"));
    let mut hand = Hand::new(&callee, false).await;
    hand.request("OPTIONS", 1, "", "").await;
    assert!(hand.answer_to("1 OPTIONS").await.contains("Allow: INVITE"));
    let mut hand = Hand::new(&callee, false).await;
    hand.to_tag = "nobody".into();
    hand.request("BYE", 1, "", "").await;
    assert!(hand.answer_to("1 BYE").await.starts_with("SIP/2.0 481"));
    let mut hand = Hand::new(&callee, false).await;
    hand.request("REGISTER", 1, "", "").await;
    assert!(
        hand.answer_to("1 REGISTER")
            .await
            .starts_with("SIP/2.0 401")
    );
    assert_eq!(callee.census().dialogs, 0);
}
