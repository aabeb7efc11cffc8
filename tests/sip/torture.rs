//! Messages that are wrong, odd, or both, over UDP and TCP, with a call in progress that must not notice (RFC 4475).
//!
//! The table is ours. `FIRSTLINE_RFC4475` names a folder with the RFC's own 49 messages as `.dat` files: they are sent too, then.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use super::*;

/// What may come back: one of these, `None` for nothing at all.
type Wanted = &'static [Option<u16>];

const REFUSED: Wanted = &[Some(400)];
const SILENCE: Wanted = &[None];

/// An OPTIONS or another request with its parts written out.
fn request(first: &str, headers: &str, body: &str) -> Vec<u8> {
    let method = first.split(' ').next().unwrap_or_default();
    let unique = format!("{:?}", Instant::now()).replace(|c: char| !c.is_ascii_alphanumeric(), "");
    let mut text = format!("{first}\r\n");
    let has = |name: &str| headers.to_ascii_lowercase().contains(&format!("{name}:"));
    let absent = |name: &str| headers.contains(&format!("no {name}"));
    for (name, line) in [
        (
            "via",
            format!("Via: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK{unique}"),
        ),
        ("max-forwards", "Max-Forwards: 20".into()),
        ("from", "From: <sip:torture@192.0.2.9>;tag=t1".into()),
        ("to", "To: <sip:line@127.0.0.1>".into()),
        ("call-id", format!("Call-ID: {unique}")),
        ("cseq", format!("CSeq: 9 {method}")),
        ("content-length", format!("Content-Length: {}", body.len())),
    ] {
        if !has(name) && !absent(name) {
            text += &line;
            text += "\r\n";
        }
    }
    for line in headers.lines().filter(|l| !l.starts_with("no ")) {
        text += line;
        text += "\r\n";
    }
    (text + "\r\n" + body).into_bytes()
}

fn table() -> Vec<(&'static str, Vec<u8>, Wanted)> {
    let options = "OPTIONS sip:line@127.0.0.1 SIP/2.0";
    let ok: Wanted = &[Some(200)];
    vec![
        ("plain", request(options, "", ""), ok),
        ("two spaces", request("OPTIONS  sip:line@127.0.0.1 SIP/2.0", "", ""), REFUSED),
        ("brackets", request("OPTIONS <sip:line@127.0.0.1> SIP/2.0", "", ""), REFUSED),
        ("version", request("OPTIONS sip:line@127.0.0.1 SIP/7.0", "", ""), &[Some(505)]),
        ("scheme", request("OPTIONS xmpp:line@127.0.0.1 SIP/2.0", "", ""), &[Some(416)]),
        ("method", request("JUGGLE sip:line@127.0.0.1 SIP/2.0", "", ""), &[Some(501)]),
        ("not for us", request("SUBSCRIBE sip:line@127.0.0.1 SIP/2.0", "", ""), &[Some(405)]),
        ("extension", request(options, "Require: levitation", ""), &[Some(420)]),
        ("no call-id", request(options, "no call-id", ""), REFUSED),
        ("no from", request(options, "no from", ""), REFUSED),
        ("no via", request(options, "no via", ""), SILENCE),
        ("open quote", request(options, "To: \"Line <sip:line@127.0.0.1>", ""), REFUSED),
        ("odd separators", request(options, "Via: SIP/2.0/UDP 192.0.2.9;;,;,,", ""), REFUSED),
        ("two call-ids", request(options, "Call-ID: twice-1\r\nCall-ID: twice-2", ""), REFUSED),
        ("huge cseq", request(options, "CSeq: 36893488147419103232 OPTIONS", ""), REFUSED),
        ("other cseq", request(options, "CSeq: 4 INVITE", ""), REFUSED),
        ("used up", request("OPTIONS sip:line@elsewhere.example SIP/2.0", "Max-Forwards: 0", ""), &[Some(483)]),
        ("negative length", request(options, "Content-Length: -999", ""), REFUSED),
        ("folded", request(options, "no via\r\nno from\r\nv: SIP / 2.0 /\r\n UDP 192.0.2.9 ;branch=z9hG4bKfold\r\nf :\r\n  <sip:x@192.0.2.9>;  tag = 1", ""), ok),
        ("old caller", request(options, "From: sip:old@192.0.2.9\r\nVia: SIP/2.0/UDP 192.0.2.9", ""), ok),
        ("no body kind", request("INVITE sip:line@127.0.0.1 SIP/2.0", "Content-Type: text/poem", "roses"), &[Some(415)]),
        ("no answer taken", request("INVITE sip:line@127.0.0.1 SIP/2.0", "Accept: text/poem", ""), &[Some(406)]),
        ("who are you", request("REGISTER sip:127.0.0.1 SIP/2.0", "Authorization: Nobody knows=\"this\"", ""), &[Some(401)]),
        ("an answer to nothing", b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKnone\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: none\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n".to_vec(), SILENCE),
        ("an impossible answer", b"SIP/2.0 4294967301 Better\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKnone\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: none\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n".to_vec(), SILENCE),
        ("noise", vec![0xFF, 0xFE, 0, 1, 2, 3, b'\r', b'\n', b'\r', b'\n'], SILENCE),
    ]
}

/// How RFC 4475 wants each of its messages treated by whoever is called.
fn rfc(name: &str) -> Wanted {
    match name {
        "intmeth" | "esc02" | "mismatch02" => &[Some(400), Some(405), Some(501)],
        "esc01" | "longreq" | "inv2543" => &[Some(180), Some(200)],
        // It claims to belong to a dialog, and there is none.
        "wsinv" => &[Some(481)],
        "baddate" => &[Some(180), Some(200), Some(400)],
        "lwsdisp" | "semiuri" | "transports" | "trws" | "badaspec" | "baddn" => {
            &[Some(200), Some(400)]
        }
        "mpart01" => &[Some(405), Some(501)],
        "escnull" | "dblreq" | "cparam01" | "cparam02" | "regescrt" | "regaut01" => &[Some(401)],
        "unreason" | "noreason" | "scalarlg" | "bigcode" | "bcast" | "test" => SILENCE,
        "badvers" => &[Some(505)],
        "unkscm" | "novelsc" => &[Some(416)],
        "unksm2" => &[Some(400), Some(404)],
        "bext01" => &[Some(420)],
        "invut" => &[Some(415)],
        "sdp01" => &[Some(406)],
        "zeromf" => &[Some(200), Some(483)],
        _ => REFUSED,
    }
}

/// The Call-ID that a message bears.
fn call_id(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let name = name.trim();
        let right = name.eq_ignore_ascii_case("call-id") || name.eq_ignore_ascii_case("i");
        right.then(|| value.trim().to_owned())
    })
}

/// First status that answers this message, 100 passed over.
fn status(bytes: &[u8], sent: &[u8]) -> Option<u16> {
    let text = String::from_utf8_lossy(bytes);
    // An earlier INVITE's 200 may still be repeated.
    if call_id(bytes).is_some_and(|id| Some(id) != call_id(sent)) {
        return None;
    }
    let code: u16 = text.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()?;
    (code > 100).then_some(code)
}

/// The same message with another Call-ID.
fn with_call_id(bytes: &[u8]) -> Vec<u8> {
    let Some(id) = call_id(bytes) else {
        return bytes.to_vec();
    };
    let id = id.as_bytes();
    let at = bytes.windows(id.len()).position(|w| w == id).unwrap_or(0);
    let mut again = bytes[..at].to_vec();
    again.push(b't');
    again.extend_from_slice(&bytes[at..]);
    again
}

async fn over_udp(to: SocketAddr, message: &[u8], quiet: bool) -> Option<u16> {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.send_to(message, to).await.unwrap();
    let wait = Duration::from_millis(if quiet { 300 } else { 4_000 });
    let answer = async {
        let mut buffer = vec![0; 65_536];
        loop {
            let len = socket.recv(&mut buffer).await.unwrap();
            if let Some(code) = status(&buffer[..len], message) {
                return code;
            }
        }
    };
    tokio::time::timeout(wait, answer).await.ok()
}

async fn over_tcp(stream: &mut TcpStream, message: &[u8], quiet: bool) -> Option<u16> {
    stream.write_all(message).await.unwrap();
    // A length that promises more than comes is waited for a while.
    let wait = Duration::from_millis(if quiet { 300 } else { 7_000 });
    let mut held = Vec::new();
    let answer = async {
        loop {
            if let Some(end) = held.windows(4).position(|w: &[u8]| w == b"\r\n\r\n") {
                let head: Vec<u8> = held.drain(..end + 4).collect();
                let length: usize = String::from_utf8_lossy(&head)
                    .lines()
                    .find_map(|l| l.strip_prefix("Content-Length:")?.trim().parse().ok())
                    .unwrap_or(0);
                held.drain(..length.min(held.len()));
                if let Some(code) = status(&head, message) {
                    return code;
                }
                continue;
            }
            let mut chunk = [0; 4096];
            let len = stream.read(&mut chunk).await.unwrap();
            assert!(len > 0, "the connection was closed");
            held.extend_from_slice(&chunk[..len]);
        }
    };
    tokio::time::timeout(wait, answer).await.ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_messages_are_answered_and_calls_go_on() {
    let mut messages: Vec<(String, Vec<u8>, Wanted)> = table()
        .into_iter()
        .map(|(name, bytes, wanted)| (name.to_owned(), bytes, wanted))
        .collect();
    if let Some(folder) = std::env::var_os("FIRSTLINE_RFC4475") {
        for entry in std::fs::read_dir(folder).expect("the folder is there") {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_string_lossy().to_string();
            if path.extension().is_some_and(|e| e == "dat") {
                let wanted = rfc(&name);
                messages.push((name, std::fs::read(&path).unwrap(), wanted));
            }
        }
        messages.sort_by(|a, b| a.0.cmp(&b.0));
    }
    let (callee, calls) = edge().await;
    let (caller, _none) = edge().await;
    let mut seen = answer(calls, Way::Echo);
    // A call over each transport that lasts until all is sent.
    let over = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let mut talking = Vec::new();
    for tcp in [false, true] {
        let mut leg = caller.dial(&uri(&callee, tcp), "+15550100", 10, &[]);
        let over = over.clone();
        talking.push(tokio::spawn(async move {
            drive(
                &mut *leg,
                Duration::from_secs(120),
                move |turn, leg, _, _| {
                    if over.load(std::sync::atomic::Ordering::Relaxed) {
                        leg.hangup(200, "done");
                    }
                    tone(turn)
                },
            )
            .await
        }));
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut wrong = Vec::new();
    let mut stream = TcpStream::connect(address(&callee, true)).await.unwrap();
    for (name, bytes, wanted) in &messages {
        let begun = Instant::now();
        let quiet = wanted == &SILENCE;
        let code = over_udp(address(&callee, false), bytes, quiet).await;
        if !wanted.contains(&code) {
            wrong.push(format!("{name} over UDP: {code:?}, not {wanted:?}"));
        }
        // All of them on one connection: what is wrong with one must not harm the next. Another identity, so that it is no copy of
        // the first.
        let again = with_call_id(bytes);
        let length = again.len();
        let code = over_tcp(&mut stream, &again, quiet).await;
        let fits = wanted.contains(&code);
        if !fits {
            wrong.push(format!(
                "{name} over TCP ({length} bytes): {code:?}, not {wanted:?}"
            ));
        }
        if begun.elapsed() > Duration::from_secs(2) {
            println!("{name} took {:?}", begun.elapsed());
        }
        if quiet && code.is_none() {
            // Nothing of it may be left in the way.
            stream = TcpStream::connect(address(&callee, true)).await.unwrap();
        }
    }
    over.store(true, std::sync::atomic::Ordering::Relaxed);
    for call in talking {
        let here = call.await.unwrap();
        assert_eq!(here.end(), Some(EndCause::Ours), "{here:?}");
        assert!(here.loud > 40, "{here:?}");
    }
    println!("{} messages over UDP and TCP", messages.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // Calls that nobody acknowledged are given up, and leave nothing behind.
    let give_up = Instant::now() + Duration::from_secs(100);
    while callee.census().tasks > 0 {
        assert!(
            Instant::now() < give_up,
            "left behind: {:?}",
            callee.census()
        );
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    while seen.try_recv().is_ok() {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_of_a_request_are_refused_as_such() {
    let (callee, calls) = edge().await;
    let _seen = answer(calls, Way::Ring);
    let first = String::from_utf8(request("INVITE sip:line@127.0.0.1 SIP/2.0", "", "")).unwrap();
    let second = first.replace("z9hG4bK", "z9hG4bKfork");
    let to = address(&callee, false);
    assert_eq!(over_udp(to, first.as_bytes(), false).await, Some(180));
    assert_eq!(over_udp(to, second.as_bytes(), false).await, Some(482));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_line_sends_callers_on() {
    let mut full = config();
    full.admit = Arc::new(|| Err(7));
    let (callee, _calls) = SipEdge::start(full.clone()).await.unwrap();
    let invite = request("INVITE sip:line@127.0.0.1 SIP/2.0", "", "");
    assert_eq!(
        over_udp(address(&callee, false), &invite, false).await,
        Some(503)
    );
    full.overflow = Some("+1 555 0199".into());
    let (callee, _calls) = SipEdge::start(full).await.unwrap();
    assert_eq!(
        over_udp(address(&callee, false), &invite, false).await,
        Some(302)
    );
}
