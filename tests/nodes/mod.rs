//! Many machines, on one: two of the program, Kamailio with the configuration that is shipped, and PostgreSQL, on loopback.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use firstline::edge::sip::SipEdge;
use firstline::edge::{Leg, Signal};

use crate::ports::free_port;
use crate::sip::real::have;
use crate::sip::{edge, tone};
use crate::speech::there;

#[path = "../support/postgres.rs"]
pub(crate) mod postgres;

/// A folder that goes away with the test.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        let dir = std::env::temp_dir().join(format!(
            "firstline-nodes-{}-{}",
            std::process::id(),
            free_port()
        ));
        std::fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A program that ends with the test, whatever becomes of that.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Kamailio, asked to end rather than killed: only then does it end the processes that it started itself.
struct Asked(Child);

impl Drop for Asked {
    fn drop(&mut self) {
        let asked = Command::new("kill").arg(self.0.id().to_string()).status();
        if !asked.is_ok_and(|status| status.success()) {
            let _ = self.0.kill();
        }
        let _ = self.0.wait();
    }
}

/// One machine.
struct Node {
    name: &'static str,
    sip: u16,
    http: u16,
    folder: PathBuf,
    program: Running,
}

fn command(folder: &Path, name: &str, sip: u16, http: u16, database: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_firstline"));
    let rtp = 26_000 + (sip % 20) * 100;
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("FIRSTLINE_NODE__NAME", name)
        .env("FIRSTLINE_SIP__LISTEN", format!("udp:127.0.0.1:{sip}"))
        .env("FIRSTLINE_SIP__ADVERTISE", "127.0.0.1")
        .env("FIRSTLINE_SIP__RTP_PORTS", format!("{rtp}-{}", rtp + 99))
        .env("FIRSTLINE_HTTP__LISTEN", format!("127.0.0.1:{http}"))
        .env("FIRSTLINE_STORAGE__URL", database)
        .env("FIRSTLINE_STORAGE__RECORDINGS", folder)
        .env("FIRSTLINE_LIMITS__CALLS", "4")
        .env("NO_COLOR", "1");
    command
}

fn start(dir: &Path, name: &'static str, database: &str) -> Node {
    let (sip, http) = (free_port(), free_port());
    let folder = dir.join(name);
    std::fs::create_dir_all(&folder).unwrap();
    let program = up(command(&folder, name, sip, http, database), &folder);
    Node {
        name,
        sip,
        http,
        folder,
        program,
    }
}

/// Starts `serve` and waits until it is ready.
pub(crate) fn up(mut serve: Command, folder: &Path) -> Running {
    let log = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(folder.with_extension("log"))
        .unwrap();
    let mut child = Running(
        serve
            .arg("serve")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap(),
    );
    let mut ready = String::new();
    BufReader::new(child.0.stdout.take().unwrap())
        .read_line(&mut ready)
        .unwrap();
    let said = std::fs::read_to_string(folder.with_extension("log")).unwrap_or_default();
    assert!(ready.starts_with("ready "), "{ready}{said}");
    child
}

/// Kamailio as it is shipped, on another port and with these machines.
fn kamailio(dir: &Path, port: u16, nodes: &[&Node]) -> Asked {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("sip-config");
    let own = format!("{}/", dir.display());
    for name in ["kamailio.cfg", "kamailio-route.cfg"] {
        let text = std::fs::read_to_string(shipped.join(name)).unwrap();
        let text = text
            .replace("/etc/kamailio/", &own)
            .replace("include_file \"", &format!("include_file \"{own}"))
            .replace(
                "listen=udp:0.0.0.0:5060",
                &format!("listen=udp:127.0.0.1:{port}"),
            )
            .replace("listen=tcp:0.0.0.0:5060\n", "");
        assert!(
            !text
                .lines()
                .any(|l| l.starts_with("listen=") && l.ends_with(":5060")),
            "the shipped listeners have changed"
        );
        std::fs::write(dir.join(name), text).unwrap();
    }
    let list: String = nodes
        .iter()
        .map(|n| format!("1 sip:127.0.0.1:{} 0 0 duid={};maxload=4\n", n.sip, n.name))
        .collect();
    std::fs::write(dir.join("dispatcher.list"), list).unwrap();
    let log = std::fs::File::create(dir.join("kamailio.log")).unwrap();
    let program = Command::new("kamailio")
        .args(["-DD", "-E", "-m", "64", "-M", "8", "-n", "1"])
        .arg("-f")
        .arg(dir.join("kamailio.cfg"))
        .arg("-Y")
        .arg(dir)
        .arg("-P")
        .arg(dir.join("kamailio.pid"))
        .stdin(Stdio::null())
        .stderr(log.try_clone().unwrap())
        .stdout(log)
        .spawn()
        .unwrap();
    Asked(program)
}

/// Calls in progress on a machine, and whether it takes more.
fn status(node: &Node) -> Option<serde_json::Value> {
    let text = get(node, "/api/status")?;
    serde_json::from_str(&text).ok()
}

fn get(node: &Node, path: &str) -> Option<String> {
    fetched(node.http, path)
}

pub(crate) fn fetched(http: u16, path: &str) -> Option<String> {
    use std::io::{Read, Write};
    let mut socket = std::net::TcpStream::connect(("127.0.0.1", http)).ok()?;
    socket
        .set_read_timeout(Some(Duration::from_secs(3)))
        .unwrap();
    write!(
        socket,
        "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    )
    .ok()?;
    let mut text = String::new();
    socket.read_to_string(&mut text).ok()?;
    Some(text.split_once("\r\n\r\n")?.1.to_owned())
}

/// Places a call and waits for its answer: the leg and how long it took. None: it was not taken.
pub(crate) async fn call(caller: &SipEdge, port: u16) -> Option<(Box<dyn Leg>, Duration)> {
    let mut leg = caller.dial(
        &format!("sip:line@127.0.0.1:{port}"),
        "+12025550163",
        10,
        &[],
    );
    let begun = Instant::now();
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    while begun.elapsed() < Duration::from_secs(10) {
        ticks.tick().await;
        for signal in leg.pull().signals {
            match signal {
                Signal::Answered => return Some((leg, begun.elapsed())),
                Signal::Ended(_) => return None,
                _ => {}
            }
        }
    }
    None
}

/// Keeps a call going: sound out, sound in; false: it has ended.
pub(crate) async fn talk(leg: &mut dyn Leg, time: Duration) -> bool {
    let begun = Instant::now();
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    let mut turn = 0;
    while begun.elapsed() < time {
        ticks.tick().await;
        let ended = leg
            .pull()
            .signals
            .iter()
            .any(|s| matches!(s, Signal::Ended(_)));
        if ended {
            return false;
        }
        leg.push(&tone(turn).map(|s| s / 200));
        turn += 1;
    }
    true
}

pub(crate) async fn until(what: &str, limit: Duration, mut good: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !good() {
        assert!(begun.elapsed() < limit, "{what}: not within {limit:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn active(node: &Node) -> u64 {
    status(node)
        .and_then(|s| s["active"].as_u64())
        .unwrap_or(u64::MAX)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_machines_share_the_calls_and_one_may_leave_or_die() {
    let models = [
        "minilm",
        "silero-vad",
        "whisper-tiny.en",
        "piper-en_US-joe-medium",
    ];
    let all_there = models
        .iter()
        .all(|m| there(firstline::runtime::models::model_dir(m)).is_some());
    if !have("kamailio") || !all_there {
        return;
    }
    let Some(database) = postgres::Postgres::start() else {
        return;
    };
    let url = database.database("line");
    let place = Folder::new();
    let dir = place.0.as_path();
    let mut a = start(dir, "a", &url);
    let mut b = start(dir, "b", &url);
    let port = free_port();
    let _kamailio = kamailio(dir, port, &[&a, &b]);
    let (caller, _calls) = edge().await;

    // Spread: two calls, one each.
    let mut first = None;
    let begun = Instant::now();
    while first.is_none() {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "Kamailio finds nobody"
        );
        first = call(&caller, port).await;
    }
    let (mut one, _) = first.unwrap();
    let (mut two, _) = call(&caller, port).await.expect("the second is taken");
    assert_eq!((active(&a), active(&b)), (1, 1), "by load");
    assert!(talk(&mut *one, Duration::from_millis(500)).await);
    assert!(talk(&mut *two, Duration::from_millis(500)).await);

    // Drained: a's call goes on, new ones go to b, and a ends when its call has.
    let drained = command(&a.folder, a.name, a.sip, a.http, &url)
        .arg("drain")
        .output()
        .unwrap();
    assert!(drained.status.success());
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut more = Vec::new();
    for _ in 0..2 {
        let (leg, took) = call(&caller, port).await.expect("the other one takes it");
        assert!(took < Duration::from_secs(2), "{took:?}");
        more.push(leg);
    }
    assert_eq!((active(&a), active(&b)), (1, 3));
    assert!(
        talk(&mut *one, Duration::from_secs(2)).await,
        "no call is lost"
    );
    for leg in &mut more {
        leg.hangup(200, "done");
    }
    // Whose call is on a ends it; whichever of the two that is.
    one.hangup(200, "done");
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let on_b = active(&b);
    let mut left = if on_b == 0 {
        two.hangup(200, "done");
        None
    } else {
        Some(two)
    };
    if a.program.0.try_wait().unwrap().is_none() {
        if let Some(mut leg) = left.take() {
            leg.hangup(200, "done");
        }
        until(
            "a ends after its last call",
            Duration::from_secs(20),
            || a.program.0.try_wait().unwrap().is_some(),
        )
        .await;
    }
    assert!(a.program.0.wait().unwrap().success());
    if let Some(mut leg) = left {
        leg.hangup(200, "done");
    }
    until("b is free", Duration::from_secs(10), || active(&b) == 0).await;

    // Back, on the same ports.
    a.program = up(command(&a.folder, a.name, a.sip, a.http, &url), &a.folder);
    let known = |name: &str| {
        database.sql(
            "line",
            &format!("select count(*) from nodes where name = '{name}'"),
        )
    };
    assert_eq!((known("a").as_str(), known("b").as_str()), ("1", "1"));
    tokio::time::sleep(Duration::from_millis(2_500)).await;

    // Killed in the middle of a call: new calls are answered by the other within two seconds.
    let mut living = Vec::new();
    for _ in 0..2 {
        living.push(call(&caller, port).await.expect("taken").0);
    }
    assert_eq!((active(&a), active(&b)), (1, 1));
    for leg in &mut living {
        assert!(talk(&mut **leg, Duration::from_millis(1_500)).await);
    }
    b.program.0.kill().unwrap();
    b.program.0.wait().unwrap();
    let (mut next, took) = call(&caller, port).await.expect("a takes it");
    assert!(took < Duration::from_secs(2), "after {took:?}");
    assert!(talk(&mut *next, Duration::from_millis(300)).await);

    // What b had up is closed by a, and its recording can be read.
    let died = |outcome: &str| {
        database
            .sql(
                "line",
                &format!("select id from calls where outcome = '{outcome}' and record like '%the program ended during the call%'"),
            )
            .lines()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    until("a closes b's call", Duration::from_secs(25), || {
        died("failed").len() == 1
    })
    .await;
    let id = died("failed").remove(0);
    let wav = std::fs::read(b.folder.join(&id).join("audio.wav")).unwrap();
    let wav = firstline::audio::wav::read(&wav).unwrap();
    assert_eq!(wav.channels, 2);
    assert!(wav.channel(0).len() > 16_000, "{}", wav.channel(0).len());

    // b comes back: the trail of that call is closed and verifies.
    b.program = up(command(&b.folder, b.name, b.sip, b.http, &url), &b.folder);
    let verified = command(&b.folder, b.name, b.sip, b.http, &url)
        .args(["audit", "verify", &id])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&verified.stdout).into_owned()
        + &String::from_utf8_lossy(&verified.stderr);
    assert!(verified.status.success(), "{said}");

    // The database is gone: calls are taken, and what is owed to it comes in when it is back.
    database.down();
    let (mut without, took) = call(&caller, port).await.expect("calls go on");
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert!(talk(&mut *without, Duration::from_millis(1_500)).await);
    without.hangup(200, "done");
    let owed = |node: &Node| {
        let text = get(node, "/metrics").unwrap_or_default();
        text.lines()
            .find_map(|l| l.strip_prefix("firstline_store_owed ")?.parse::<f64>().ok())
            .unwrap_or(0.)
    };
    until("it is said in metrics", Duration::from_secs(15), || {
        owed(&a) + owed(&b) > 0.
    })
    .await;
    database.up();
    until("what was owed comes in", Duration::from_secs(15), || {
        owed(&a) + owed(&b) == 0.
    })
    .await;
    for mut leg in living.into_iter().chain([next]) {
        leg.hangup(200, "done");
    }
    until(
        "every call is in the database",
        Duration::from_secs(15),
        || {
            database.sql(
                "line",
                "select count(*) from calls where ended_ms is not null",
            ) == "8"
        },
    )
    .await;
    // A call's row and the note that it is up go one after the other.
    until("no call is under way", Duration::from_secs(5), || {
        database.sql("line", "select count(*) from under_way") == "0"
    })
    .await;
}
