//! Those who send too much, guess, scan, or want a call made at our expense.

use std::net::IpAddr;

use tokio::net::UdpSocket;

use super::*;

/// An edge that trusts nobody's address, this computer's neither.
async fn wary(accept: Accept) -> (SipEdge, Receiver<IncomingCall>) {
    let settings = SipConfig {
        trusted: Vec::new(),
        accept,
        listen: vec!["udp:0.0.0.0:0".into(), "tcp:127.0.0.1:0".into()],
        ..config()
    };
    SipEdge::start(settings).await.unwrap()
}

fn request(method: &str, n: usize, more: &str) -> String {
    format!(
        "{method} sip:10{n}@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKflood{n};rport\r\nMax-Forwards: 70\r\n\
         From: <sip:10{n}@127.0.0.1>;tag=f{n}\r\nTo: <sip:10{n}@127.0.0.1>\r\nCall-ID: flood-{n}\r\nCSeq: 1 {method}\r\n\
         Contact: <sip:x@127.0.0.1>\r\n{more}Content-Length: 0\r\n\r\n"
    )
}

/// Sends so many from this address and counts final answers.
async fn send(from: &str, to: u16, how_many: usize, text: impl Fn(usize) -> String) -> usize {
    let socket = UdpSocket::bind(from).await.unwrap();
    let mut answers = 0;
    let mut buffer = [0; 4096];
    for n in 0..how_many {
        socket
            .send_to(text(n).as_bytes(), ("127.0.0.1", to))
            .await
            .unwrap();
        if n % 10 == 9 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        while let Ok(len) = socket.try_recv(&mut buffer) {
            answers += usize::from(!buffer[..len].starts_with(b"SIP/2.0 100"));
        }
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    while let Ok(len) = socket.try_recv(&mut buffer) {
        answers += usize::from(!buffer[..len].starts_with(b"SIP/2.0 100"));
    }
    answers
}

fn udp_port(edge: &SipEdge) -> u16 {
    address(edge, false).port()
}

fn banned(edge: &SipEdge) -> Vec<(IpAddr, &'static str)> {
    edge.bans().into_iter().map(|b| (b.source, b.why)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_is_cut_off_and_other_callers_do_not_notice() {
    let (line, calls) = wary(Accept::Any).await;
    let mut seen = answer(calls, Way::Tone);
    let (caller, _none) = edge().await;
    // A call that is up while it comes. It is from another address than the flood.
    let to = format!("sip:line@127.0.0.1:{}", udp_port(&line));
    let mut leg = caller.dial(&to, "+15550100", 10, &[]);
    let talk = tokio::spawn(async move {
        drive(&mut *leg, Duration::from_secs(15), |turn, leg, saw, _| {
            if saw.has(&Signal::Answered) && turn > 150 {
                leg.hangup(200, "done");
            }
            tone(turn)
        })
        .await
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let answers = send("127.0.0.9:0", udp_port(&line), 3_000, |n| {
        request("OPTIONS", n, "")
    })
    .await;
    assert!(
        (50..300).contains(&answers),
        "{answers} of 3000 were answered"
    );
    let flood: IpAddr = "127.0.0.9".parse().unwrap();
    assert_eq!(banned(&line), [(flood, "it sends too much")]);
    let again = send("127.0.0.9:0", udp_port(&line), 5, |n| {
        request("OPTIONS", n, "")
    })
    .await;
    assert_eq!(again, 0, "it is not heard any more");
    let other = send("127.0.0.8:0", udp_port(&line), 5, |n| {
        request("OPTIONS", n, "")
    })
    .await;
    assert_eq!(other, 5);
    let here = talk.await.unwrap();
    assert_eq!(here.end(), Some(EndCause::Ours), "{here:?}");
    assert!(here.loud > 100, "{here:?}");
    assert_eq!(seen.recv().await.unwrap().end(), Some(EndCause::Remote));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_guesses_passwords_or_scans_is_not_heard_for_a_while() {
    let mut settings = SipConfig {
        trusted: Vec::new(),
        ..config()
    };
    settings.phones = vec![firstline::edge::sip::Account {
        user: "maria".into(),
        password: "right".into(),
    }];
    let (line, _calls) = SipEdge::start(settings).await.unwrap();
    let port = udp_port(&line);
    // Extensions are tried out: each is asked for a password, and none comes.
    let answers = send("127.0.0.21:0", port, 100, |n| request("REGISTER", n, "")).await;
    assert!((30..70).contains(&answers), "{answers}");
    // Passwords are.
    let wrong = "Authorization: Digest username=\"maria\", realm=\"firstline\", nonce=\"x\", uri=\"sip:x\", response=\"00000000000000000000000000000000\"\r\n";
    // Other transactions than before: what was answered once is answered again, whoever asks.
    let answers = send("127.0.0.22:0", port, 100, |n| {
        request("REGISTER", 1_000 + n, wrong)
    })
    .await;
    assert!((30..=45).contains(&answers), "{answers}");
    let all = banned(&line);
    assert_eq!(all.len(), 2, "{all:?}");
    assert!(
        all.iter().any(|(_, why)| why.contains("password")),
        "{all:?}"
    );
    // This computer's own addresses are always let in, so calls that are not are tried from another.
    let Some(here) = super::secure::own_address() else {
        return;
    };
    let settings = SipConfig {
        trusted: Vec::new(),
        listen: vec![format!("udp:{here}:0")],
        ..config()
    };
    let (line, _calls) = SipEdge::start(settings).await.unwrap();
    let socket = UdpSocket::bind((here, 0)).await.unwrap();
    let mut refused = 0;
    for n in 0..40 {
        let to = line.listeners()[0].addr;
        socket
            .send_to(request("INVITE", n, "").as_bytes(), to)
            .await
            .unwrap();
        let mut buffer = [0; 4096];
        let answer = tokio::time::timeout(Duration::from_millis(100), async {
            loop {
                let len = socket.recv(&mut buffer).await.unwrap();
                if buffer[..len].starts_with(b"SIP/2.0 403") {
                    return;
                }
            }
        });
        refused += usize::from(answer.await.is_ok());
    }
    assert!(
        (9..=12).contains(&refused),
        "{refused} of 40 scans were answered"
    );
    assert!(
        banned(&line)[0].1.contains("is no trunk"),
        "{:?}",
        banned(&line)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trusted_addresses_are_held_to_nothing() {
    let (line, _calls) = edge().await;
    let answers = send("127.0.0.30:0", udp_port(&line), 1_500, |n| {
        request("OPTIONS", n, "")
    })
    .await;
    assert!(answers > 1_000, "{answers}");
    assert!(line.bans().is_empty());
}
