use std::net::SocketAddr;

use super::digest::{Algorithm, Credentials, Fresh, Nonces, challenge};
use super::frame::{Framer, Piece};
use super::*;

const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK";

fn source() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 40_000))
}

fn judge(bytes: &[u8], stream: bool) -> Verdict {
    screen(
        bytes,
        &Rules {
            allow: ALLOW,
            supported: "timer, 100rel, replaces",
            ours: &|host| host == "192.0.2.200",
            sent_by: &|host, port| host == "192.0.2.200" && port == Some(5060),
            source: source(),
            stream,
        },
    )
}

/// An OPTIONS with one line put in or, with an empty replacement, taken out.
fn options(change: &[(&str, &str)]) -> Vec<u8> {
    let mut lines = vec![
        "OPTIONS sip:line@192.0.2.200 SIP/2.0".to_owned(),
        "Via: SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bKa1;rport".to_owned(),
        "Max-Forwards: 70".to_owned(),
        "From: <sip:anna@192.0.2.1>;tag=f1".to_owned(),
        "To: <sip:line@192.0.2.200>".to_owned(),
        "Call-ID: one@192.0.2.1".to_owned(),
        "CSeq: 4 OPTIONS".to_owned(),
        "Content-Length: 0".to_owned(),
    ];
    for (name, line) in change {
        match lines.iter().position(|l| l.starts_with(name)) {
            Some(at) if line.is_empty() => drop(lines.remove(at)),
            Some(at) => (*line).clone_into(&mut lines[at]),
            None => lines.push((*line).to_owned()),
        }
    }
    (lines.join("\r\n") + "\r\n\r\n").into_bytes()
}

fn code(bytes: &[u8]) -> u16 {
    match judge(bytes, false) {
        Verdict::Pass(_) => 0,
        Verdict::Answer { code, .. } => code,
        Verdict::Drop(_) => 1,
    }
}

#[test]
fn plain_requests_pass_unharmed() {
    let Verdict::Pass(message) = judge(&options(&[]), false) else {
        panic!("refused");
    };
    assert_eq!(message.header("call-id"), Some("one@192.0.2.1"));
    assert_eq!(judge(&message.to_bytes(), false), Verdict::Pass(message));
}

#[test]
fn each_mistake_has_its_answer() {
    let table: [(&str, &str, u16); 26] = [
        ("OPTIONS", "OPTIONS  sip:line@192.0.2.200 SIP/2.0", 400),
        ("OPTIONS", "OPTIONS <sip:line@192.0.2.200> SIP/2.0", 400),
        ("OPTIONS", "OPTIONS sip:line@192.0.2.200; lr SIP/2.0", 400),
        (
            "OPTIONS",
            "OPTIONS sip:line@192.0.2.200?Route=x SIP/2.0",
            400,
        ),
        ("OPTIONS", "OPTIONS sip:line@192.0.2.200 SIP/3.0", 505),
        ("OPTIONS", "OPTIONS gopher:line SIP/2.0", 416),
        ("CSeq", "CSeq: 4 INVITE", 400),
        ("CSeq", "CSeq: 99999999999 OPTIONS", 400),
        ("CSeq", "CSeq: OPTIONS", 400),
        ("CSeq", "", 400),
        ("Max-Forwards", "Max-Forwards: 256", 400),
        ("Max-Forwards", "Max-Forwards: many", 400),
        ("From", "From: \"Anna <sip:anna@192.0.2.1>;tag=f1", 400),
        ("From", "From: <sip:anna@192.0.2.1>;;tag=f1", 400),
        ("From", "", 400),
        ("To", "To: nobody", 400),
        ("To", "", 400),
        ("Call-ID", "", 400),
        ("Content-Length", "Content-Length: -1", 400),
        ("Content-Length", "Content-Length: 5", 400),
        ("X-Second", "Call-ID: two@192.0.2.1", 400),
        ("X-No", "no header at all", 400),
        ("Contact", "Contact: sip:a@b?Route=x", 400),
        ("Via", "Via: SIP/2.0/UDP 192.0.2.1;;branch=z9hG4bKa", 400),
        ("Via", "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK", 400),
        ("Require", "Require: timer, telepathy", 420),
    ];
    for (name, line, expected) in table {
        let bytes = options(&[(name, line)]);
        assert_eq!(code(&bytes), expected, "{line:?} in place of {name}");
    }
    assert_eq!(code(&options(&[("Via", "")])), 1, "nobody to answer");
    let gone = options(&[
        ("OPTIONS", "OPTIONS sip:line@elsewhere.example SIP/2.0"),
        ("Max-Forwards", "Max-Forwards: 0"),
    ]);
    assert_eq!(code(&gone), 483);
    assert_eq!(code(&options(&[("Max-Forwards", "Max-Forwards: 0")])), 0);
    let ours = options(&[("X", "Via: SIP/2.0/UDP 192.0.2.200:5060;branch=z9hG4bKb")]);
    assert_eq!(code(&ours), 482);
    let unknown = options(&[
        ("OPTIONS", "DANCE sip:line@192.0.2.200 SIP/2.0"),
        ("CSeq", "CSeq: 4 DANCE"),
    ]);
    assert_eq!(code(&unknown), 501);
    let message = options(&[
        ("OPTIONS", "MESSAGE sip:line@192.0.2.200 SIP/2.0"),
        ("CSeq", "CSeq: 4 MESSAGE"),
    ]);
    assert_eq!(code(&message), 405);
    let ack = options(&[
        ("OPTIONS", "ACK <sip:line@192.0.2.200> SIP/2.0"),
        ("CSeq", "CSeq: 4 ACK"),
    ]);
    assert_eq!(code(&ack), 1, "an ACK is never answered");
}

#[test]
fn a_refusal_goes_back_the_way_it_came() {
    let bytes = options(&[("CSeq", "CSeq: 4 INVITE")]);
    let Verdict::Answer { bytes, .. } = judge(&bytes, false) else {
        panic!("not refused");
    };
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.starts_with("SIP/2.0 400 Bad Request\r\n"), "{text}");
    assert!(
        text.contains(
            "Via: SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bKa1;rport=40000;received=127.0.0.1\r\n"
        ),
        "{text}"
    );
    assert!(text.contains("To: <sip:line@192.0.2.200>;tag="), "{text}");
}

#[test]
fn untidy_is_not_wrong() {
    let bytes = options(&[
        ("To", "tO :\r\n \"A \\\"B\\\"\"\r\n\t<sip:line@192.0.2.200>"),
        (
            "Via",
            "v:  SIP  / 2.0 /\r\n UDP  192.0.2.1 : 5062 ; branch = z9hG4bKa1 ,SIP/2.0/SCTP t2.example;branch=z9hG4bK2",
        ),
        ("From", "f: Bell, Anna<sip:anna@192.0.2.1> ; tag = f1"),
        ("CSeq", "cseq: 0004\r\n OPTIONS"),
        ("Max-Forwards", "MAX-forwards: 0068"),
        ("Odd", "Odd: ;;,,"),
    ]);
    let Verdict::Pass(message) = judge(&bytes, false) else {
        panic!("{:?}", judge(&bytes, false));
    };
    let vias: Vec<_> = message.all("Via").collect();
    assert_eq!(vias[0], "SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bKa1");
    assert_eq!(vias.len(), 2);
    assert_eq!(
        message.header("To"),
        Some("\"A \\\"B\\\"\" <sip:line@192.0.2.200>")
    );
    assert_eq!(
        message.header("From"),
        Some("\"Bell, Anna\" <sip:anna@192.0.2.1>;tag=f1")
    );
    assert_eq!(message.header("CSeq"), Some("4 OPTIONS"));
}

#[test]
fn callers_from_before_tags_are_given_one_that_stays_here() {
    let bytes = options(&[("From", "From: sip:anna@192.0.2.1")]);
    let Verdict::Pass(message) = judge(&bytes, false) else {
        panic!("refused");
    };
    let from = message.header("From").unwrap().to_owned();
    assert!(from.contains(";tag=rfc2543-"), "{from}");
    let mut out = message;
    out.headers.push((
        "Authorization".into(),
        "Digest algorithm=SHA256, x=\"SHA256\"".into(),
    ));
    let sent = String::from_utf8(super::plain_out(&out.to_bytes()).unwrap().to_vec()).unwrap();
    assert!(sent.contains("From: <sip:anna@192.0.2.1>\r\n"), "{sent}");
    assert!(sent.contains("algorithm=SHA-256, x=\"SHA256\""), "{sent}");
}

fn invite(headers: &str, body: &str) -> Vec<u8> {
    format!(
        "INVITE sip:line@192.0.2.200 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa1\r\nMax-Forwards: 70\r\n\
         From: <sip:a@192.0.2.1>;tag=1\r\nTo: <sip:line@192.0.2.200>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n{headers}\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

#[test]
fn bodies() {
    assert_eq!(
        code(&invite("Content-Type: application/sdp\r\n", "v=0\r\n")),
        0
    );
    assert_eq!(code(&invite("c: application/xml\r\n", "<x/>")), 415);
    assert_eq!(
        code(&invite(
            "Content-Encoding: gzip\r\nc: application/sdp\r\n",
            "v=0"
        )),
        415
    );
    assert_eq!(
        code(&invite(
            "Accept: text/plain\r\nc: application/sdp\r\n",
            "v=0"
        )),
        406
    );
    let parts = "--b1\r\nContent-Type: text/plain\r\n\r\nhi\r\n--b1\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--b1--";
    let bytes = invite("Content-Type: multipart/mixed;boundary=\"b1\"\r\n", parts);
    let Verdict::Pass(message) = judge(&bytes, false) else {
        panic!("refused");
    };
    assert_eq!(message.body, b"v=0\r\n");
    assert_eq!(message.header("Content-Type"), Some("application/sdp"));
}

fn pieces(framer: &mut Framer) -> Vec<Piece> {
    std::iter::from_fn(|| framer.next_piece()).collect()
}

#[test]
fn a_stream_is_cut_at_any_byte() {
    let mut stream = Vec::new();
    for n in 0..3 {
        stream.extend(invite(&format!("X-N: {n}\r\n"), "v=0\r\n"));
        stream.extend(b"\r\n\r\n");
    }
    for step in [1, 7, 64, 4096] {
        let mut framer = Framer::new();
        let mut found = Vec::new();
        for chunk in stream.chunks(step) {
            framer.push(chunk);
            found.extend(pieces(&mut framer));
        }
        let messages = found
            .iter()
            .filter(|p| matches!(p, Piece::Message(_)))
            .count();
        assert_eq!(messages, 3, "in steps of {step}");
    }
}

#[test]
fn a_broken_message_costs_itself_only() {
    let good = options(&[]);
    for wrong in ["-7", "99999", "5\r\nContent-Length: 9", "x"] {
        let broken = String::from_utf8(invite("", "v=0\r\nm=audio 1 RTP/AVP 0\r\n"))
            .unwrap()
            .replace("Content-Length: 26", &format!("Content-Length: {wrong}"));
        let mut framer = Framer::new();
        framer.push(&good);
        framer.push(broken.as_bytes());
        framer.push(&good);
        let found = pieces(&mut framer);
        assert_eq!(found.len(), 3, "{wrong}: {found:?}");
        assert_eq!(found[2], Piece::Message(good.clone()), "{wrong}");
        let Piece::Message(middle) = &found[1] else {
            panic!("{wrong}");
        };
        assert!(
            matches!(judge(middle, true), Verdict::Answer { code: 400, .. }),
            "{wrong}"
        );
        // The same at the end of what has come: the answer waits no longer than the reader's patience.
        let mut framer = Framer::new();
        framer.push(broken.as_bytes());
        let first = framer.next_piece().or_else(|| framer.give_up());
        assert!(matches!(first, Some(Piece::Message(_))), "{wrong}");
        framer.push(&good);
        assert_eq!(
            framer.next_piece(),
            Some(Piece::Message(good.clone())),
            "{wrong}"
        );
    }
}

proptest::proptest! {
    #[test]
    fn hostile_bytes_are_judged(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..600), at in 0usize..400) {
        let _ = judge(&bytes, true);
        let mut bent = invite("Contact: <sip:x@y>\r\n", "v=0\r\n");
        for (n, b) in bytes.iter().take(3).enumerate() {
            let place = (at + n * 37) % bent.len();
            bent[place] = *b;
        }
        let _ = judge(&bent, false);
        let mut framer = Framer::new();
        framer.push(&bytes);
        framer.push(&bent);
        while framer.next_piece().is_some() {}
        let _ = framer.give_up();
    }
}

#[test]
fn digests_as_in_rfc_7616() {
    // Section 3.9.1 of the RFC.
    let answer = |algorithm: &str, response: &str| {
        format!(
            "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", uri=\"/dir/index.html\", algorithm={algorithm}, \
             nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", nc=00000001, cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", \
             qop=auth, response=\"{response}\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
        )
    };
    for (algorithm, response) in [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        (
            "SHA-256",
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
        ),
    ] {
        let credentials = Credentials::parse(&answer(algorithm, response)).unwrap();
        assert!(credentials.prove("GET", "Circle of Life"), "{algorithm}");
        assert!(!credentials.prove("GET", "circle of life"));
        assert!(!credentials.prove("PUT", "Circle of Life"));
        assert_eq!(credentials.count(), Some(1));
    }
    assert_eq!(Credentials::parse("NoOneKnowsThis realm=\"x\""), None);
}

#[test]
fn nonces_age_and_cannot_be_made_up() {
    let nonces = Nonces::new("s3cret".into());
    let nonce = nonces.make(1_000);
    assert_eq!(nonces.check(&nonce, 1_010), Fresh::Yes);
    assert_eq!(nonces.check(&nonce, 2_000), Fresh::Stale);
    assert_eq!(nonces.check(&nonce, 900), Fresh::No);
    assert_eq!(Nonces::new("other".into()).check(&nonce, 1_010), Fresh::No);
    assert_eq!(nonces.check("0", 1_010), Fresh::No);
    let text = challenge("line", &nonce, Algorithm::Sha256, true);
    assert!(text.contains("algorithm=SHA-256") && text.contains("stale=true"));
}
