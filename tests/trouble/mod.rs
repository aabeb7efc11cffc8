//! What goes wrong around a line while a call is up: calls go on, nothing owed is lost, and the metrics say it. The database that is gone
//! is in `nodes` and in the store's own tests, the webhook and the model's server in theirs.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::nodes::{Folder, Running, call, fetched, talk, until, up};
use crate::ports::free_port;
use crate::sip::edge;
use crate::speech::there;

/// A line of its own: where it listens, and the program.
pub(crate) struct Line {
    pub(crate) sip: u16,
    http: u16,
    folder: PathBuf,
    program: Running,
}

pub(crate) fn models_there() -> bool {
    let models = [
        "minilm",
        "silero-vad",
        "whisper-tiny.en",
        "piper-en_US-joe-medium",
    ];
    models
        .iter()
        .all(|m| there(firstline::runtime::models::model_dir(m)).is_some())
}

/// `command` is what starts the program: itself, or something that prepares its place.
pub(crate) fn line(place: &Folder, folder: &Path, command: Command, more: &[(&str, &str)]) -> Line {
    let (sip, http) = (free_port(), free_port());
    let desk = place.0.join("desk");
    std::fs::create_dir_all(desk.join("knowledge")).unwrap();
    std::fs::write(desk.join("desk.toml"), "company = \"Trouble\"\n").unwrap();
    std::fs::write(
        desk.join("knowledge/hours.md"),
        "---\nid: hours\ntitle: Opening hours\n---\nWe are open from nine to five.\n",
    )
    .unwrap();
    let mut command = command;
    surroundings(&mut command, folder, more)
        .env("FIRSTLINE_SIP__LISTEN", format!("udp:127.0.0.1:{sip}"))
        .env("FIRSTLINE_HTTP__LISTEN", format!("127.0.0.1:{http}"))
        .env("FIRSTLINE_DESK__PATH", &desk);
    let program = up(command, &place.0.join("line"));
    Line {
        sip,
        http,
        folder: folder.to_path_buf(),
        program,
    }
}

fn surroundings<'a>(
    command: &'a mut Command,
    folder: &Path,
    more: &[(&str, &str)],
) -> &'a mut Command {
    let url = format!("sqlite:{}", folder.join("line.db").display());
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("FIRSTLINE_SIP__ADVERTISE", "127.0.0.1")
        .env("FIRSTLINE_SIP__RTP_PORTS", "28000-28199")
        .env("FIRSTLINE_STORAGE__URL", url)
        .env("FIRSTLINE_STORAGE__RECORDINGS", folder)
        .env("FIRSTLINE_LIMITS__CALLS", "4")
        .env("FIRSTLINE_CALLBACK__VIA", "off")
        .env("NO_COLOR", "1")
        .envs(more.iter().copied())
}

impl Line {
    fn metric(&self, name: &str) -> f64 {
        let text = fetched(self.http, "/metrics").unwrap_or_default();
        let found = text
            .lines()
            .find_map(|l| l.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
        found.unwrap_or_else(|| panic!("no {name} in {text}"))
    }

    pub(crate) fn json(&self, path: &str) -> Value {
        // A disk that is busy with something else can keep the database, and the page with it, for some seconds.
        let asked = (0..5).find_map(|_| fetched(self.http, path));
        serde_json::from_str(&asked.expect("an answer")).unwrap()
    }

    /// Records of calls that are over, newest first.
    fn ended(&self) -> Vec<Value> {
        let list = self.json("/api/calls");
        let ids = list.as_array().unwrap().iter().map(|c| &c["id"]);
        ids.map(|id| self.json(&format!("/api/calls/{}", id.as_str().unwrap())))
            .filter(|record| !record["ended_at"].is_null())
            .collect()
    }
}

fn lasted(record: &Value) -> f64 {
    let time = |key: &str| {
        let text = record[key].as_str().unwrap();
        text.parse::<jiff::Timestamp>().unwrap().as_millisecond() as f64
    };
    (time("ended_at") - time("started_at")) / 1_000.
}

/// The wall clock as the program is told it, moved by the seconds in a file; every other clock goes on as it is.
const STEP: &str = r#"
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static long moved(void) {
    long by = 0;
    FILE *file = fopen(getenv("STEP_FILE"), "r");
    if (file) { if (fscanf(file, "%ld", &by) != 1) by = 0; fclose(file); }
    return by;
}
int clock_gettime(clockid_t id, struct timespec *at) {
    int done = syscall(SYS_clock_gettime, id, at);
    if (id == CLOCK_REALTIME) at->tv_sec += moved();
    return done;
}
int gettimeofday(struct timeval *restrict at, void *restrict zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return 0;
}
time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_wall_clock_jumps_by_an_hour_and_the_call_does_not_notice() {
    if !models_there() {
        return;
    }
    let place = Folder::new();
    let (source, object) = (place.0.join("step.c"), place.0.join("step.so"));
    std::fs::write(&source, STEP).unwrap();
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .args([&object, &source])
        .status()
        .expect("a C compiler, which building the line needs, too");
    assert!(built.success());
    let step = place.0.join("step");
    let jump = |by: &str| {
        std::fs::write(place.0.join("next"), by).unwrap();
        std::fs::rename(place.0.join("next"), &step).unwrap();
    };
    jump("0");
    let more = [
        ("LD_PRELOAD", object.to_str().unwrap()),
        ("STEP_FILE", step.to_str().unwrap()),
    ];
    let folder = place.0.join("recordings");
    let program = Command::new(env!("CARGO_BIN_EXE_firstline"));
    let line = line(&place, &folder, program, &more);
    let (caller, _calls) = edge().await;
    let (mut leg, _) = call(&caller, line.sip).await.expect("answered");
    let begun = std::time::Instant::now();
    assert!(talk(&mut *leg, Duration::from_secs(3)).await);
    jump("3600");
    assert!(talk(&mut *leg, Duration::from_secs(4)).await);
    let on_line = line.json("/api/status")["active"].as_u64();
    assert_eq!(on_line, Some(1), "nobody took it for dead");
    jump("-3600");
    assert!(talk(&mut *leg, Duration::from_secs(4)).await);
    leg.hangup(200, "done");
    let took = begun.elapsed().as_secs_f64();
    until("the call is over", Duration::from_secs(15), || {
        line.ended().len() == 1
    })
    .await;
    let record = line.ended().remove(0);
    // As long as it took, and the greeting where it was said.
    assert!((lasted(&record) - took).abs() < 2., "{took}: {record}");
    assert_eq!(record["termination"]["cause"], "caller", "{record}");
    let greeting = &record["turns"][0]["agent"];
    let (from, to) = (&greeting["start_ms"], &greeting["end_ms"]);
    assert!(from.as_u64().unwrap() <= to.as_u64().unwrap(), "{record}");
    assert!(to.as_u64().unwrap() < 15_000, "{record}");
    assert_eq!(line.metric("firstline_clock_steps_total"), 2.);
    // What comes over the wire is counted where it comes.
    assert!(line.metric("firstline_rtp_packets_in_total") > 100.);
    assert_eq!(line.metric("firstline_panics_total"), 0.);

    // Its trail is whole, and goes forward.
    let id = record["id"].as_str().unwrap();
    let trail = std::fs::read_to_string(line.folder.join(id).join("events.jsonl")).unwrap();
    let mut last = 0;
    for event in trail.lines() {
        let event: Value = serde_json::from_str(event).unwrap();
        if let Some(at) = event["at_ms"].as_u64() {
            assert!(at >= last, "{event}");
            last = at;
        }
    }
    assert!(last > 9_000 && last < 25_000, "{last}");
    let mut audit = Command::new(env!("CARGO_BIN_EXE_firstline"));
    surroundings(&mut audit, &line.folder, &[]).args(["audit", "verify", id]);
    assert!(audit.output().unwrap().status.success());
}

/// The line on a disk of 24 MB that is its own: a mount which only this process sees, and which goes with it.
fn small_disk(folder: &Path) -> Option<Command> {
    let mount = format!("mount -t tmpfs -o size=24m none '{}'", folder.display());
    let may = Command::new("unshare")
        .args(["-m", "sh", "-c", &mount])
        .output();
    if !may.is_ok_and(|o| o.status.success()) {
        eprintln!("skipped: a small disk cannot be made here (needs root and unshare)");
        return None;
    }
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", &format!("{mount} && exec \"$0\" \"$@\"")]);
    command.arg(env!("CARGO_BIN_EXE_firstline"));
    Some(command)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_disk_is_full_and_a_promise_made_meanwhile_is_kept() {
    if !models_there() {
        return;
    }
    let place = Folder::new();
    let folder = place.0.join("recordings");
    std::fs::create_dir_all(&folder).unwrap();
    let Some(program) = small_disk(&folder) else {
        return;
    };
    // Nobody is there to take the call: the caller is promised one.
    let nobody = format!("sip:nobody@127.0.0.1:{};ring_s=3", free_port());
    let line = line(
        &place,
        &folder,
        program,
        &[("FIRSTLINE_TRANSFER__TARGETS", &nobody)],
    );
    let disk = PathBuf::from(format!("/proc/{}/root", line.program.0.id()))
        .join(folder.strip_prefix("/").unwrap());
    let filler = disk.join("filler");
    let fill = || {
        let mut file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&filler)
            .unwrap();
        while file.write_all(&[7; 4_096]).is_ok() {}
        while file.write_all(&[7]).is_ok() {}
    };
    let (caller, _calls) = edge().await;
    let (mut leg, _) = call(&caller, line.sip).await.expect("answered");
    assert!(talk(&mut *leg, Duration::from_secs(2)).await);
    fill();
    assert!(
        talk(&mut *leg, Duration::from_secs(3)).await,
        "it fills up in the middle of a call"
    );
    leg.hangup(200, "done");
    fill();
    let (mut leg, _) = call(&caller, line.sip).await.expect("calls are taken");
    assert!(talk(&mut *leg, Duration::from_secs(2)).await);
    leg.send_digit('0');
    for _ in 0..15 {
        assert!(talk(&mut *leg, Duration::from_secs(4)).await);
        if line.metric("firstline_callbacks_promised_total") > 0. {
            break;
        }
        leg.send_digit('1');
    }
    assert_eq!(line.metric("firstline_callbacks_promised_total"), 1.);
    leg.hangup(200, "done");
    // Said plainly.
    until("it is in the metrics", Duration::from_secs(15), || {
        line.metric("firstline_store_owed") > 0.
            && line.metric("firstline_store_held") > 0.
            && line.metric("firstline_recording_errors_total") > 0.
    })
    .await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let open = || {
        let text = fetched(line.http, "/api/callbacks").unwrap_or_default();
        let list: Value = serde_json::from_str(&text).unwrap_or_default();
        list.as_array().map_or(0, Vec::len)
    };
    assert_eq!(open(), 0, "the disk is full: a test that it is");

    // There is room again: everything owed comes in, and both calls' files are closed.
    std::fs::remove_file(&filler).unwrap();
    until("what was owed comes in", Duration::from_secs(20), || {
        line.metric("firstline_store_owed") == 0.
    })
    .await;
    assert_eq!(line.metric("firstline_store_held"), 0.);
    assert_eq!(open(), 1);
    until("both calls are closed", Duration::from_secs(20), || {
        let ended = line.ended();
        let closed = |record: &Value| {
            let call = disk.join(record["id"].as_str().unwrap());
            let kept = std::fs::read(call.join("record.json")).unwrap_or_default();
            let kept: Value = serde_json::from_slice(&kept).unwrap_or_default();
            !call.join(".up").exists() && kept["outcome"] == record["outcome"]
        };
        ended.len() == 2 && ended.iter().all(closed)
    })
    .await;
    let outcomes: Vec<String> = line
        .ended()
        .iter()
        .map(|r| r["outcome"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert!(outcomes.contains(&"callback".to_owned()), "{outcomes:?}");
    assert!(!outcomes.contains(&"failed".to_owned()), "{outcomes:?}");
}
