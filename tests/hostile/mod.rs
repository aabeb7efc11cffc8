//! Every reader of what strangers send or give, fed spoilt bytes: a few seconds each, or `FIRSTLINE_FUZZ_SECONDS`. Each runs in a process
//! of its own, so that its memory is its own; what `scripts/fuzz` found is kept in tests/fuzz/corpus and goes first.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use firstline::wire::hostile::Spoiler;

#[allow(dead_code, reason = "some of it is for the fuzz package")]
mod checks;
#[cfg(feature = "line")]
mod http;
#[cfg(feature = "line")]
mod settings;

/// What the process may have held at most: the test program and its tables, and a reader that keeps to its input.
const MEMORY_MAX_KB: u64 = 400 * 1024;

fn seconds() -> Duration {
    let asked = std::env::var("FIRSTLINE_FUZZ_SECONDS");
    Duration::from_secs(asked.ok().and_then(|s| s.parse().ok()).unwrap_or(3))
}

/// Runs one reader's check in a process of its own.
fn alone(name: &str) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "hostile::worker", "--ignored", "--nocapture"])
        .env("FIRSTLINE_HOSTILE", name)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {said}");
    // A worker that did nothing would pass.
    let done = said.lines().find(|l| l.starts_with("hostile "));
    eprintln!("{}", done.expect("the worker says what it did"));
}

#[test]
fn sip() {
    alone("sip");
}

#[test]
fn sdp() {
    alone("sdp");
}

#[test]
fn rtp_and_rtcp() {
    alone("rtp");
}

#[test]
fn media_streams() {
    alone("stream");
}

#[test]
fn wav_files() {
    alone("wav");
}

#[test]
fn desk_files() {
    alone("desk");
}

#[test]
fn model_files() {
    alone("model");
}

#[cfg(feature = "line")]
#[test]
fn configuration() {
    alone("config");
}

#[cfg(feature = "line")]
#[test]
fn http_requests() {
    alone("http");
}

#[cfg(feature = "line")]
#[test]
fn webhooks() {
    alone("webhook");
}

/// Not a test: what [`alone`] starts.
#[test]
#[ignore = "a process of another test's"]
fn worker() {
    let Ok(name) = std::env::var("FIRSTLINE_HOSTILE") else {
        return;
    };
    let done = match name.as_str() {
        #[cfg(feature = "line")]
        "http" | "webhook" => http::run(&name, seconds()),
        name => bytes(name),
    };
    let most = peak_kb();
    assert!(most <= MEMORY_MAX_KB, "{name} held {} MB", most / 1024);
    assert!(done > 100, "{done} inputs are too few to mean anything");
    println!(
        "\nhostile {name}: {done} inputs, {} MB at most",
        most / 1024
    );
}

fn bytes(name: &str) -> u64 {
    #[allow(unused_mut, reason = "there is more of them with every feature")]
    let mut all = checks::checks();
    #[cfg(feature = "line")]
    all.push(("config", settings::check, settings::seeds));
    let (_, check, seeds) = all.iter().find(|(n, ..)| *n == name).expect("a check");
    let mut inputs = seeds();
    inputs.extend(checks::corpus(Path::new(env!("CARGO_MANIFEST_DIR")), name));
    let mut done = 0;
    let mut tried = |input: &[u8]| {
        done += 1;
        let begun = Instant::now();
        let sound = catch_unwind(AssertUnwindSafe(|| check(input))).is_ok();
        if !sound || begun.elapsed() > Duration::from_secs(5) {
            let path = std::env::temp_dir().join(format!("firstline-hostile-{name}"));
            std::fs::write(&path, input).unwrap();
            let took = begun.elapsed();
            panic!("this input does harm ({took:?}): {}", path.display());
        }
    };
    inputs.iter().for_each(|input| tried(input));
    // The same course each time, as far as the time goes; another one where more time was asked for.
    let mut spoiler = Spoiler::new(name.len() as u64 + seconds().as_secs());
    let begun = Instant::now();
    while begun.elapsed() < seconds() {
        tried(&spoiler.next(&inputs));
    }
    done
}

/// The most memory this process has held (proc(5): VmHWM).
fn peak_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    line.unwrap()
        .trim()
        .split(' ')
        .next()
        .unwrap()
        .parse()
        .unwrap()
}
