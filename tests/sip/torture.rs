//! Messages that are wrong, odd, or both, over UDP and TCP, with a call in progress that must not notice (RFC 4475).
//!
//! The table is ours, with one message of each kind that the RFC has (and a few more), under the RFC's name for it. `FIRSTLINE_RFC4475` names
//! a folder with the RFC's own 49 messages as `.dat` files: they are sent too, then.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use super::by_hand::SDP;
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
        // Another word than the branch, so that it is found.
        ("call-id", format!("Call-ID: id-{unique}")),
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

/// Reached whoever answers calls here, who is busy.
const TAKEN: Wanted = &[Some(486)];
const INVITE: &str = "INVITE sip:line@127.0.0.1 SIP/2.0";

/// Every character a method may have, and the headers that go with it.
fn odd_method() -> Vec<u8> {
    let method = "!odd-Method0123456789_*+`.%indeed'~";
    let mut bytes = request(
        &format!(
            "{method} sip:1_odd.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it=1,weird!*pas$wo~d@127.0.0.1 SIP/2.0"
        ),
        "To: \"BEL DEL\" <sip:1_odd.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@127.0.0.1>\r\nFrom: token1~` token2'+_ <sip:torture@192.0.2.9>;odd''~+*_!.-%=\"v\";tag=_t~1'+`*%!-.\r\nMax-Forwards: 255\r\nodd-!.%*+_`'~: \u{feff}\u{5927}",
        "",
    );
    // What no text can hold goes in as bytes.
    let at = bytes.windows(4).position(|w| w == b"BEL ").unwrap_or(0) + 3;
    bytes.splice(at..at, [b'\\', 7, b'\\', 0, b'\\', 0x7F]);
    bytes
}

fn long_invite() -> Vec<u8> {
    let long = "long".repeat(20);
    let mut headers = format!(
        "To: \"{long}\"<sip:line@127.0.0.1:6000;unknown={long};{long}=short;{long}>\r\nFrom: <sip:{long}@192.0.2.9>;tag={};{long};a={long}\r\nUnknown-{long}: {long}; {long}={long}\r\nContent-Type: application/sdp",
        "12".repeat(100)
    );
    for n in 0..33 {
        headers += &format!("\r\nVia: SIP/2.0/TCP hop{n}.example;branch=z9hG4bK{long}{n}");
    }
    // The first Via is where the answer goes.
    let headers = headers.replacen(
        "Content-Type",
        "Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKlong0\r\nContent-Type",
        1,
    );
    request("INVITE sip:line@127.0.0.1 SIP/2.0", &headers, SDP)
}

/// A response to nothing that was asked.
fn an_answer(status: &str, headers: &str) -> Vec<u8> {
    let text = String::from_utf8(request("INVITE sip:x@x SIP/2.0", headers, "")).unwrap();
    let (_, rest) = text.split_once("\r\n").unwrap();
    format!("SIP/2.0 {status}\r\n{rest}").into_bytes()
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
        ("wsinv", request("INVITE sip:line@127.0.0.1;oddparam SIP/2.0", "no to\r\nno via\r\nno cseq\r\nTO :\r\n  <sip:line@127.0.0.1> ;  tag =  17n\r\ncSeQ:  0012\r\n   INVITE\r\nVIA  : SIP / 2.0\r\n  /UDP\r\n  192.0.2.2;branch=z9hG4bKws1\r\ns :\r\nBrandNewHeader:  new\r\n  and folded\r\nOdd: ;;,,;;,;\r\nv:  SIP  / 2.0  / TCP   other.example ;\r\n  branch  =  z9hG4bKws2 , SIP / 2.0 / UDP 192.0.2.7 ; branch= z9hG4bKws3\r\nm:\"Quoted \\\"\\\"\" <sip:torture@192.0.2.9> ; p =\r\n   v ;  q = 0.3", ""), &[Some(481)]),
        ("intmeth", odd_method(), &[Some(501)]),
        ("esc01", request("INVITE sip:sips%3Aline%40here.example@127.0.0.1 SIP/2.0", "From: <sip:with%20spaces@192.0.2.9>;tag=e1\r\nContact: <sip:%74orture@192.0.2.9;%6c%72;n%61me=v%25>\r\nC: application/sdp", SDP), TAKEN),
        ("escnull", request("REGISTER sip:127.0.0.1 SIP/2.0", "To: <sip:nul-%00-nul@127.0.0.1>\r\nContact: <sip:%00@192.0.2.9>\r\nContact: <sip:%00%00@192.0.2.9>", ""), &[Some(401)]),
        ("esc02", request("RE%47ISTER sip:127.0.0.1 SIP/2.0", "From: \"%Z%45\" <sip:torture@192.0.2.9>;tag=e2\r\nC%6Fntact: <sip:two@192.0.2.9>", ""), &[Some(501)]),
        ("lwsdisp", request(options, "From: torture<sip:torture@192.0.2.9>;tag=l1", ""), ok),
        ("longreq", long_invite(), TAKEN),
        ("dblreq", [request(options, "", ""), b"\r\n".to_vec(), request(options, "", "")].concat(), ok),
        ("semiuri", request("OPTIONS sip:line;par=u%40example.net@127.0.0.1 SIP/2.0", "Accept: application/sdp, message/sip,\r\n   multipart/mixed", ""), ok),
        ("transports", request(options, "no via\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKtr1\r\nVia: SIP/2.0/SCTP t2.example;branch=z9hG4bKtr2\r\nVia: SIP/2.0/CARRIER-PIGEON t3.example;branch=z9hG4bKtr3\r\nVia: SIP/2.0/TLS t4.example;branch=z9hG4bKtr4", ""), ok),
        ("mpart01", request("MESSAGE sip:line@127.0.0.1 SIP/2.0", "Content-Type: multipart/mixed;boundary=b1", "--b1\r\nContent-Type: text/plain\r\n\r\nhi\r\n--b1\r\nContent-Type: application/octet-stream\r\n\r\n0\u{1}\u{2}\r\n--b1--"), &[Some(405)]),
        ("unreason", an_answer("200 = 2**3 * 5**2 \u{43d}\u{43e}", ""), SILENCE),
        ("noreason", an_answer("100 ", ""), SILENCE),
        ("trws", request("OPTIONS sip:line@127.0.0.1 SIP/2.0  ", "", ""), &[Some(200), Some(400)]),
        ("clerr", request(INVITE, "Content-Type: application/sdp\r\nContent-Length: 9999", SDP), REFUSED),
        ("scalarlg", an_answer("503 Later", "no cseq\r\nCSeq: 9292394834772304023312 OPTIONS\r\nRetry-After: 949302838503028349304023988\r\nWarning: 1812 here \"odd\""), SILENCE),
        ("lwsruri", request("INVITE sip:line@127.0.0.1; lr SIP/2.0", "Content-Type: application/sdp", SDP), REFUSED),
        ("escruri", request("INVITE sip:line@127.0.0.1?Route=%3Csip:192.0.2.9%3E SIP/2.0", "Content-Type: application/sdp", SDP), REFUSED),
        ("baddate", request(INVITE, "Date: Fri, 01 Jan 2027 16:00:00 PST\r\nContent-Type: application/sdp", SDP), &[Some(486), Some(400)]),
        ("regbadct", request("REGISTER sip:127.0.0.1 SIP/2.0", "Contact: sip:torture@192.0.2.9?Route=%3Csip:192.0.2.1%3E", ""), REFUSED),
        ("badaspec", request(options, "To: \"Line, The\" < sip:line@127.0.0.1 >", ""), &[Some(200), Some(400)]),
        ("baddn", request(options, "From:    Line, The <sip:torture@192.0.2.9>;tag=43", ""), &[Some(200), Some(400)]),
        ("mismatch02", request("NEWMETHOD sip:line@127.0.0.1 SIP/2.0", "CSeq: 8 INVITE", ""), &[Some(400), Some(501)]),
        ("badbranch", request(options, "Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK", ""), REFUSED),
        ("novelsc", request("OPTIONS soap.beep://192.0.2.103:3002 SIP/2.0", "", ""), &[Some(416)]),
        ("unksm2", request("REGISTER sip:127.0.0.1 SIP/2.0", "To: isbn:2983792873\r\nFrom: <http://www.example.com>;tag=u1\r\nContact: <name:Somebody>", ""), &[Some(400), Some(404)]),
        ("multi01", request(INVITE, "CSeq: 5 INVITE\r\nCSeq: 59 INVITE\r\nTo: <sip:a@127.0.0.1>\r\nTo: <sip:b@127.0.0.1>\r\nFrom: <sip:c@192.0.2.9>;tag=1\r\nFrom: <sip:d@192.0.2.9>;tag=2\r\nContent-Type: application/sdp", SDP), REFUSED),
        ("mcl01", request(options, "Content-Length: 13\r\nContent-Length: 5\r\nContent-Type: text/plain", "how many octets are supposed to be here"), REFUSED),
        ("bcast", an_answer("200 OK", "Via: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bKbc"), SILENCE),
        ("cparam01", request("REGISTER sip:127.0.0.1 SIP/2.0", "Contact: sip:+15550100@192.0.2.9;oddparam", ""), &[Some(401)]),
        ("cparam02", request("REGISTER sip:127.0.0.1 SIP/2.0", "Contact: <sip:+15550100@192.0.2.9;oddparam>", ""), &[Some(401)]),
        ("regescrt", request("REGISTER sip:127.0.0.1 SIP/2.0", "m: <sip:torture@192.0.2.9?Route=%3Csip:192.0.2.1%3E>", ""), &[Some(401)]),
        ("inv2543", request(INVITE, "no max-forwards\r\nno content-length\r\nFrom: <sip:+15550100@192.0.2.9;user=phone>\r\nVia: SIP/2.0/UDP 192.0.2.9\r\nRecord-Route: <sip:line@127.0.0.1;maddr=192.0.2.9>\r\nContent-Type: application/sdp", SDP), TAKEN),
        ("too large", request(options, &format!("Subject: {}", "x".repeat(9_000)), ""), &[Some(513), Some(200)]),
        ("no version", b"INVITE sip:line@127.0.0.1\r\nTO : line@127.0.0.1\r\nFrom: x@192.0.2.9\r\nCall-ID: nothing.1\r\nFoobar roobar\r\nContent-Length: 18\r\n\r\nv=0\r\ntesting=123\r\n".to_vec(), SILENCE),
        ("noise", vec![0xFF, 0xFE, 0, 1, 2, 3, b'\r', b'\n', b'\r', b'\n'], SILENCE),
    ]
}

/// How RFC 4475 wants each of its messages treated by whoever is called.
fn rfc(name: &str) -> Wanted {
    match name {
        "intmeth" | "esc02" | "mismatch02" => &[Some(400), Some(405), Some(501)],
        "esc01" | "longreq" | "inv2543" => TAKEN,
        // It claims to belong to a dialog, and there is none.
        "wsinv" => &[Some(481)],
        "baddate" => &[Some(486), Some(400)],
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

/// Who is on the line while the messages come.
const TALKING: &str = "+15550177";

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
    // The calls in progress are answered; whoever gets as far as them with a message of the table is told that they are busy.
    let mut seen = {
        let (tx, seen) = tokio::sync::mpsc::channel(1024);
        let mut calls = calls;
        tokio::spawn(async move {
            while let Some(call) = calls.recv().await {
                let way = match call.from.as_deref() == Some(TALKING) {
                    true => Way::Echo,
                    false => Way::Refuse(486),
                };
                let (tx, mut leg) = (tx.clone(), call.leg);
                tokio::spawn(async move { tx.send(take(&mut *leg, way).await).await });
            }
        });
        seen
    };
    // A call over each transport that lasts until all is sent.
    let over = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let mut talking = Vec::new();
    for tcp in [false, true] {
        let mut leg = caller.dial(&uri(&callee, tcp), TALKING, 10, &[]);
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
