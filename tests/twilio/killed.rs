//! The program is killed in the middle of a call. A stand-in of Twilio does with the caller what the TwiML says that it was left with.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use firstline::runtime::models;

use super::*;

use crate::ports::free_port;

struct Line {
    child: Child,
    addr: SocketAddr,
}

impl Drop for Line {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free() -> SocketAddr {
    ([127, 0, 0, 1], free_port()).into()
}

/// `firstline serve` with a Twilio listener at `addr`, and these people.
fn serve(dir: &Path, addr: SocketAddr, people: &str) -> Line {
    let desk = dir.join("desk");
    std::fs::create_dir_all(desk.join("knowledge")).unwrap();
    std::fs::write(desk.join("desk.toml"), "company = \"Killed\"\n").unwrap();
    std::fs::write(
        desk.join("knowledge/hours.md"),
        "---\nid: hours\ntitle: Opening hours\n---\nWe are open from nine to five.\n",
    )
    .unwrap();
    let http = free();
    let sip_addr = free();
    let mut child = Command::new(env!("CARGO_BIN_EXE_firstline"))
        .arg("serve")
        .current_dir(dir)
        .env("FIRSTLINE_SIP__LISTEN", format!("udp:{sip_addr}"))
        .env("FIRSTLINE_HTTP__LISTEN", http.to_string())
        .env("FIRSTLINE_TWILIO__LISTEN", addr.to_string())
        .env("FIRSTLINE_TWILIO__ACCOUNT_SID", "AC0123")
        .env("FIRSTLINE_TWILIO__CALLER_ID", "+15550111")
        // Nobody is there.
        .env("FIRSTLINE_TWILIO__API_URL", "http://127.0.0.1:9")
        .env("TWILIO_AUTH_TOKEN", TOKEN)
        .env("FIRSTLINE_TRANSFER__TARGETS", people)
        .env("FIRSTLINE_DESK__PATH", &desk)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the line starts");
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let ready = lines
        .by_ref()
        .map_while(Result::ok)
        .any(|l| l.starts_with("ready "));
    assert!(ready, "the line did not start");
    std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
    Line { child, addr }
}

/// A caller who hears the line; what the TwiML says is to come after the stream.
async fn caller(line: &Line, path: &str, sid: &str) -> (Wire, String) {
    let (status, twiml) = post(line.addr, path, &form(sid)).await;
    assert_eq!(status, 200, "{twiml}");
    let mut wire = Wire::open(line.addr).await;
    wire.start(sid, &token_in(&twiml)).await;
    wire.media(0xFF).await;
    let first = wire.next().await.expect("the line speaks");
    assert_eq!(first["event"], "media");
    let after = twiml.split("</Connect>").nth(1).unwrap_or_default();
    (wire, after.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_caller_is_kept_when_the_program_is_killed() {
    let voice = models::path("piper-en_US-joe-medium", "en_US-joe-medium.onnx");
    if crate::speech::there(voice).is_none() {
        return;
    }
    let dir = std::env::temp_dir().join(format!("firstline-killed-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    // A person whom Twilio can reach by itself is rung.
    let mut line = serve(&dir, free(), "twilio:+15550122;ring_s=20");
    let (mut wire, after) = caller(&line, "/twilio/voice", "CA1").await;
    line.child.kill().unwrap();
    while wire.next().await.is_some() {}
    assert_eq!(after, "<Dial><Number>+15550122</Number></Dial></Response>");
    // Nobody whom Twilio can reach: it asks again. While the program is gone nothing answers; when it is back the caller goes on.
    let mut line = serve(&dir, free(), "sip:human@127.0.0.1:5090");
    let (mut wire, after) = caller(&line, "/twilio/voice", "CA2").await;
    line.child.kill().unwrap();
    line.child.wait().unwrap();
    while wire.next().await.is_some() {}
    let url = after
        .strip_prefix("<Redirect method=\"POST\">")
        .and_then(|r| r.split("</Redirect>").next())
        .unwrap_or_else(|| panic!("{after}"))
        .to_owned();
    assert!(TcpStream::connect(line.addr).await.is_err(), "it is gone");
    let addr = line.addr;
    drop(line);
    let line = serve(&dir, addr, "sip:human@127.0.0.1:5090");
    let path = url.split_once(&addr.to_string()).unwrap().1;
    let (_wire, after) = caller(&line, path, "CA2").await;
    assert!(after.contains("again=2"), "{after}");
    drop(line);
    let _ = std::fs::remove_dir_all(&dir);
}
