//! What must hold of the readers in this layer for any bytes at all: no panic, no more memory than the input accounts for, and what is written
//! again reads the same. Each check panics where it does not hold. Unit tests, `scripts/fuzz` and the fuzz package run them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::providers::{ALL, plivo_string_to_sign};
use super::rtp::Packet;
use super::sdp::{Codec, Local, Srtp};
use super::sip::frame::{Framer, Piece};
use super::sip::identity::Passport;
use super::sip::refer::{ReferTo, Replaces, sipfrag};
use super::sip::{
    Message, NameAddr, Rules, Start, Verdict, Via, digest, nat, plain_out, screen, split_list,
};
use super::twilio::{
    FromTwilio, ToTwilio, build_as_twilio, other_port_form, parse, string_to_sign,
};
use super::{rtcp, sdp};

/// A check, by the name it goes by.
pub type Check = (&'static str, fn(&[u8]), fn() -> Vec<Vec<u8>>);

/// Every check, with inputs that are valid, to be spoilt.
pub const CHECKS: [Check; 4] = [
    ("sip", sip, sip_seeds),
    ("sdp", sdp, sdp_seeds),
    ("rtp", rtp, rtp_seeds),
    ("stream", stream, stream_seeds),
];

fn bounded(out: usize, input: usize) {
    // Long names for short ones, one line a Via, headers of our own: a small multiple and a little.
    assert!(out <= 12 * input + 4_096, "{out} bytes of {input}");
}

fn rules<'a>(
    stream: bool,
    no: &'a dyn Fn(&str) -> bool,
    nor: &'a dyn Fn(&str, Option<u16>) -> bool,
) -> Rules<'a> {
    Rules {
        allow: "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK, REFER, NOTIFY",
        supported: "timer, 100rel, replaces",
        ours: no,
        sent_by: nor,
        source: SocketAddr::from(([203, 0, 113, 9], 5060)),
        stream,
    }
}

/// A datagram, and the same bytes as they come on a stream, in pieces.
pub fn sip(bytes: &[u8]) {
    let (no, nor) = (|_: &str| false, |_: &str, _: Option<u16>| false);
    for stream in [false, true] {
        match screen(bytes, &rules(stream, &no, &nor)) {
            Verdict::Pass(message) => passed(message, bytes.len(), stream),
            Verdict::Answer {
                bytes: answer,
                code,
                ..
            } => {
                assert!((400..700).contains(&code), "{code}");
                bounded(answer.len(), bytes.len());
                assert!(answer.starts_with(b"SIP/2.0 ") && answer.ends_with(b"\r\n\r\n"));
            }
            Verdict::Drop(_) => {}
        }
    }
    if let Some(out) = plain_out(bytes) {
        bounded(out.len(), bytes.len());
    }
    let step = 1 + bytes.len() % 97;
    let mut framer = Framer::new();
    let mut given = 0;
    for chunk in bytes.chunks(step) {
        framer.push(chunk);
        while let Some(piece) = framer.next_piece() {
            given += size(&piece);
        }
    }
    while let Some(piece) = framer.give_up() {
        given += size(&piece);
    }
    assert!(given <= bytes.len(), "{given} of {} bytes", bytes.len());
    let text = String::from_utf8_lossy(bytes);
    for line in text.lines().take(64) {
        let value = line.split_once(':').map_or(line, |(_, v)| v).trim();
        drop(split_list(value));
        drop(Via::parse(value));
        if let Some(address) = NameAddr::parse(value) {
            let again = NameAddr::parse(&address.to_string());
            assert_eq!(again.as_ref(), Some(&address), "{value}");
        }
        let _ = digest::Credentials::parse(value).map(|c| c.prove("INVITE", "x"));
        drop(Replaces::parse(value).map(|r| r.to_string()));
        drop(ReferTo::parse(value).map(|r| r.to_string()));
        if let Some(passport) = Passport::parse(value) {
            bounded(passport.said().len(), value.len());
        }
    }
    let _ = sipfrag(bytes);
}

fn size(piece: &Piece) -> usize {
    match piece {
        Piece::Message(bytes) => bytes.len(),
        Piece::KeepAlive | Piece::Hopeless => 0,
    }
}

/// What passes is plain: written out it passes again, as it is.
fn passed(mut message: Message, length: usize, stream: bool) {
    let (no, nor) = (|_: &str| false, |_: &str, _: Option<u16>| false);
    let written = message.to_bytes();
    bounded(written.len(), length);
    assert!(!matches!(message.start, Start::Response { code, .. } if !(100..700).contains(&code)));
    match screen(&written, &rules(stream, &no, &nor)) {
        Verdict::Pass(again) => {
            assert_eq!(again.start, message.start);
            assert_eq!(again.body, message.body);
        }
        other => panic!(
            "what passed does not pass again: {other:?}\n{}",
            String::from_utf8_lossy(&written)
        ),
    }
    nat::reachable(&mut message, SocketAddr::from(([203, 0, 113, 9], 5060)));
    bounded(message.to_bytes().len(), length);
}

/// A session description, as an offer and as an answer.
pub fn sdp(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let Ok(session) = sdp::parse(&text) else {
        return;
    };
    assert!(session.media.len() <= 32);
    for srtp in [Srtp::Off, Srtp::Accepted, Srtp::Required] {
        let mut local = Local::new(1, IpAddr::V4(Ipv4Addr::new(192, 0, 2, 10)), 20_000);
        local.codecs = Codec::ALL.to_vec();
        local.srtp = srtp;
        if let Ok(answer) = local.answer(&session) {
            bounded(answer.sdp.len(), bytes.len());
            let read = sdp::parse(&answer.sdp).expect("our own answer can be read");
            // RFC 3264 section 6: as many lines as the offer, and one of them taken.
            assert_eq!(read.media.len(), session.media.len());
            assert_eq!(read.media.iter().filter(|m| m.port != 0).count(), 1);
            assert!(answer.agreed.ptime_ms >= 5 && answer.agreed.ptime_ms <= 120);
            drop(local.answer(&session));
        }
        let mut local = Local::new(1, IpAddr::V4(Ipv4Addr::new(192, 0, 2, 10)), 20_000);
        local.srtp = srtp;
        drop(local.offer());
        drop(local.accept(&session));
    }
}

/// A datagram of media or of its reports.
pub fn rtp(bytes: &[u8]) {
    if let Ok(packet) = Packet::parse(bytes) {
        assert!(packet.payload.len() <= bytes.len() && packet.header.csrc.len() <= 15);
        let mut out = Vec::new();
        super::rtp::build(&packet.header, packet.extension, packet.payload, &mut out);
        assert!(out.len() <= bytes.len());
        let again = Packet::parse(&out).expect("our own packet can be read");
        assert_eq!(again, packet);
    }
    let _ = super::rtp::is_rtcp(bytes);
    if let Ok(packets) = rtcp::parse(bytes) {
        assert!(packets.len() <= bytes.len() / 4 + 1);
        let written = rtcp::build(&packets);
        bounded(written.len(), bytes.len());
        let again = rtcp::parse(&written).expect("our own reports can be read");
        // Kinds that are not acted upon are not written, and text that is none does not come back as it was.
        let report = |p: &&rtcp::Rtcp| {
            matches!(
                p,
                rtcp::Rtcp::SenderReport { .. } | rtcp::Rtcp::ReceiverReport { .. }
            )
        };
        assert!(
            again
                .iter()
                .filter(report)
                .eq(packets.iter().filter(report))
        );
    }
}

/// A message of a media stream, and what a webhook's signature is made of.
pub fn stream(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(message) = parse(&text) {
        match &message {
            FromTwilio::Media { payload, .. } => assert!(payload.len() <= text.len()),
            FromTwilio::Start(start) => assert!(start.parameters.len() <= 64),
            _ => {}
        }
        if !matches!(message, FromTwilio::Other(_) | FromTwilio::Start(_)) {
            let again =
                parse(&build_as_twilio("MZ1", 1, &message)).expect("our own message can be read");
            assert_eq!(again, message);
        }
    }
    for names in ALL {
        bounded(
            names.build(&text, &ToTwilio::Mark(&text)).len(),
            bytes.len(),
        );
    }
    let pairs: Vec<(String, String)> = text
        .split('&')
        .filter_map(|p| p.split_once('='))
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .collect();
    bounded(string_to_sign(&text, &pairs).len(), bytes.len());
    bounded(plivo_string_to_sign(&text, &pairs, "n").len(), bytes.len());
    drop(other_port_form(&text));
}

fn lines(texts: &[&str]) -> Vec<Vec<u8>> {
    texts
        .iter()
        .map(|t| t.replace('\n', "\r\n").into_bytes())
        .collect()
}

const OFFER: &str = "v=0\no=- 1 1 IN IP4 192.0.2.9\ns=-\nc=IN IP4 192.0.2.9\nt=0 0\nm=audio 29000 RTP/SAVP 111 9 0 8 101 110\na=rtpmap:111 opus/48000/2\na=fmtp:111 useinbandfec=1\na=rtpmap:101 telephone-event/8000\na=rtpmap:110 telephone-event/48000\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20|1:32\na=ptime:20\na=sendrecv\na=rtcp:29001 IN IP4 192.0.2.9\na=mid:0\nm=video 0 RTP/AVP 96\n";

/// Valid inputs.
pub fn sip_seeds() -> Vec<Vec<u8>> {
    let mut seeds = lines(&[
        "OPTIONS sip:line@127.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKa;rport\nMax-Forwards: 70\nFrom: \"A\" <sip:a@192.0.2.9>;tag=1\nTo: <sip:line@127.0.0.1>\nCall-ID: a1\nCSeq: 1 OPTIONS\nContent-Length: 0\n\n",
        "SIP/2.0 401 Unauthorized\nVia: SIP/2.0/TCP 192.0.2.9;branch=z9hG4bKb\nFrom: <sip:a@b>;tag=1\nTo: <sip:c@d>;tag=2\nCall-ID: b1\nCSeq: 2 REGISTER\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n\", algorithm=SHA-256, qop=\"auth\"\nContent-Length: 0\n\n",
        "REFER sip:line@127.0.0.1 SIP/2.0\nv: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKc , SIP/2.0/TCP h.example\nMax-Forwards: 9\nf: sip:a@b;tag=3\nt: <sip:c@d>;tag=4\ni: c1\nCSeq: 3 REFER\nr: <sip:x@y?Replaces=q%3Bto-tag%3D1%3Bfrom-tag%3D2>\nm: <sip:a@10.0.0.5:5061;ob>\nReplaces: q;to-tag=1;from-tag=2;early-only\nAuthorization: Digest username=\"u\", realm=\"firstline\", nonce=\"n\", uri=\"sip:x\", response=\"00000000000000000000000000000000\", qop=auth, nc=00000001, cnonce=\"c\"\nIdentity: e30.eyJhdHRlc3QiOiJBIn0.x;info=<https://c>;alg=ES256\nl: 0\n\n",
        "NOTIFY sip:line@127.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKd\nMax-Forwards: 70\nFrom: <sip:a@b>;tag=5\nTo: <sip:c@d>;tag=6\nCall-ID: d1\nCSeq: 4 NOTIFY\nEvent: refer\nSubscription-State: terminated\nContent-Type: message/sipfrag\nContent-Length: 16\n\nSIP/2.0 200 OK\n\n",
    ]);
    let sdp = OFFER.replace('\n', "\r\n");
    for kind in ["application/sdp", "multipart/mixed;boundary=b1"] {
        let body = match kind.starts_with("multi") {
            true => format!("--b1\r\nContent-Type: application/sdp\r\n\r\n{sdp}\r\n--b1--\r\n"),
            false => sdp.clone(),
        };
        seeds.push(format!("INVITE sip:line@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TLS [2001:db8::9]:5061;branch=z9hG4bKe\r\nMax-Forwards: 70\r\nFrom: <sip:+15550100@b;user=phone>;tag=7\r\nTo: \"Line, \\\"the\\\"\" <sip:line@127.0.0.1>\r\nCall-ID: e1\r\nCSeq: 5 INVITE\r\nContact: <sip:a@192.0.2.9;transport=tls>\r\nSupported: timer, 100rel\r\nSession-Expires: 1800;refresher=uac\r\nP-Asserted-Identity: <tel:+15550100>\r\nSubject:\r\n folded\r\n over\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes());
    }
    let both = [seeds[0].clone(), b"\r\n\r\n".to_vec(), seeds[4].clone()].concat();
    seeds.push(both);
    seeds
}

pub fn sdp_seeds() -> Vec<Vec<u8>> {
    lines(&[
        OFFER,
        &OFFER
            .replace("RTP/SAVP", "RTP/AVP")
            .replace("sendrecv", "sendonly"),
        "v=0\no=x 1 2 IN IP6 ::1\ns=-\nc=IN IP6 2001:db8::1\nt=0 0\na=inactive\nm=audio 4000/2 RTP/AVP 18 0\na=ptime:60.0\n",
        "v=0\no=hold 1 1 IN IP4 0.0.0.0\ns=-\nc=IN IP4 0.0.0.0\nt=0 0\nm=audio 9 RTP/AVP 0 101\na=rtpmap:101 telephone-event/8000\nm=image 0 udptl t38\n",
    ])
}

pub fn rtp_seeds() -> Vec<Vec<u8>> {
    let mut plain = vec![0x80, 0x00, 0x12, 0x34, 0, 0, 0, 160, 1, 2, 3, 4];
    plain.extend([0xFF; 160]);
    let mut odd = vec![
        0xB2, 0xE5, 0xFF, 0xFF, 0, 0, 0, 0, 9, 9, 9, 9, 0, 0, 0, 1, 0, 0, 0, 2, 0xBE, 0xDE, 0, 1,
        1, 2, 3, 4,
    ];
    odd.extend([1, 2, 3, 4, 0, 0, 0, 4]);
    let report = vec![
        0x81, 200, 0, 12, 1, 2, 3, 4, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5,
        9, 9, 9, 9, 12, 0, 0, 3, 0, 0, 1, 0, 0, 0, 0, 7, 0, 0, 0, 8, 0, 0, 0, 9,
    ];
    let bye = [
        report.clone(),
        vec![0x81, 202, 0, 3, 1, 2, 3, 4, 1, 2, b'h', b'i', 0, 0, 0, 0],
        vec![0x81, 203, 0, 1, 1, 2, 3, 4],
    ]
    .concat();
    vec![plain, odd, report, bye]
}

pub fn stream_seeds() -> Vec<Vec<u8>> {
    [
        r#"{"event":"start","sequenceNumber":"1","start":{"accountSid":"AC1","streamSid":"MZ1","callSid":"CA1","tracks":["inbound"],"mediaFormat":{"encoding":"audio/x-mulaw","sampleRate":8000,"channels":1},"customParameters":{"token":"x"}},"streamSid":"MZ1"}"#,
        r#"{"event":"start","stream_id":"1","start":{"call_control_id":"v3:1","custom_parameters":{"token":"t"},"media_format":{"encoding":"PCMU","sample_rate":8000,"channels":1}}}"#,
        r#"{"event":"start","start":{"callId":"c","streamId":"s","mediaFormat":{"encoding":"audio/x-mulaw","sampleRate":8000}},"extra_headers":"token=t,a=b"}"#,
        r#"{"event":"media","media":{"track":"inbound","chunk":"2","timestamp":"40","payload":"/39/"},"streamSid":"MZ1"}"#,
        r##"{"event":"dtmf","dtmf":{"track":"inbound_track","digit":"#"}}"##,
        r#"{"event":"playedStream","streamId":"s","name":"7"}"#,
        r#"{"event":"stop","stop":{"callSid":"CA1"}}"#,
        "https://line.example.com:443/twilio/voice?again=1&b=2",
    ]
    .map(|t| t.as_bytes().to_vec())
    .to_vec()
}

/// A stream of spoilt inputs that is the same for the same seed: bits turned, bytes and pieces put in, taken out, doubled, swapped between inputs.
#[derive(Debug, Clone)]
pub struct Spoiler(u64);

impl Spoiler {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 11) % n.max(1) as u64) as usize
    }

    /// One of the inputs, spoilt.
    pub fn next(&mut self, inputs: &[Vec<u8>]) -> Vec<u8> {
        const WORDS: [&[u8]; 26] = [
            b"\r\n",
            b"\r\n\r\n",
            b":",
            b";",
            b",",
            b"<",
            b">",
            b"\"",
            b"\\",
            b"=",
            b"0",
            b"-1",
            b"4294967296",
            b"18446744073709551616",
            b"\x00",
            b"\xFF\xFE",
            b"%00",
            b"{",
            b"}",
            b"[",
            b"null",
            b"\"\\ud800\"",
            b"SIP/2.0 ",
            b"Via: ",
            b"Content-Length: ",
            b"m=audio ",
        ];
        let pick = self.below(inputs.len());
        let mut out = inputs.get(pick).cloned().unwrap_or_default();
        for _ in 0..1 + self.below(6) {
            let at = self.below(out.len() + 1);
            let end = (at + 1 + self.below(24)).min(out.len());
            match self.below(8) {
                0 => {
                    let bit = self.below(8);
                    if let Some(byte) = out.get_mut(at) {
                        *byte ^= 1 << bit;
                    }
                }
                1 => drop(out.splice(at..at, [self.below(256) as u8])),
                2 | 3 => {
                    let word = WORDS
                        .get(self.below(WORDS.len()))
                        .copied()
                        .unwrap_or_default();
                    drop(out.splice(at..at, word.iter().copied()));
                }
                4 => drop(out.drain(at..end)),
                5 => {
                    let piece = out.get(at..end).unwrap_or_default().to_vec();
                    let times = 1 + self.below(40);
                    drop(out.splice(at..at, piece.repeat(times)));
                }
                6 => {
                    let other = inputs
                        .get(self.below(inputs.len()))
                        .cloned()
                        .unwrap_or_default();
                    let from = self.below(other.len());
                    let piece = other
                        .get(from..(from + 40).min(other.len()))
                        .unwrap_or_default();
                    drop(out.splice(at..at, piece.iter().copied()));
                }
                _ => out.truncate(at),
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Inputs for each check; `FIRSTLINE_FUZZ` asks for more.
    fn rounds() -> u64 {
        option_env!("FIRSTLINE_FUZZ")
            .and_then(|n| n.parse().ok())
            .unwrap_or(20_000)
    }

    #[test]
    fn valid_inputs_are_read() {
        for (name, check, seeds) in CHECKS {
            for seed in seeds() {
                assert!(!seed.is_empty(), "{name}");
                check(&seed);
            }
        }
        let (no, nor) = (|_: &str| false, |_: &str, _: Option<u16>| false);
        let passing = sip_seeds()
            .iter()
            .filter(|s| matches!(screen(s, &rules(false, &no, &nor)), Verdict::Pass(_)))
            .count();
        assert!(passing >= 5, "{passing}");
        assert!(
            sdp_seeds()
                .iter()
                .all(|s| sdp::parse(&String::from_utf8_lossy(s)).is_ok())
        );
    }

    #[test]
    fn spoilt_inputs_do_no_harm() {
        for (name, check, seeds) in CHECKS {
            let seeds = seeds();
            let mut spoiler = Spoiler::new(name.len() as u64);
            for _ in 0..rounds() {
                check(&spoiler.next(&seeds));
            }
        }
    }
}
