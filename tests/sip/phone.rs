//! The scripted phone and `firstline call`, both ends.

use std::path::PathBuf;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use super::*;

fn firstline() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_firstline"));
    command.kill_on_drop(true).stdin(Stdio::null());
    command
}

fn folder(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("firstline-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&path).unwrap();
    path
}

fn beep(path: &std::path::Path, ms: u32, hz: f64, rate: u32) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: rate,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut wav = hound::WavWriter::create(path, spec).unwrap();
    for n in 0..rate * ms / 1_000 {
        let t = f64::from(n) / f64::from(rate) * hz * std::f64::consts::TAU;
        wav.write_sample((t.sin() * 9_000.0) as i16).unwrap();
    }
    wav.finalize().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_and_a_stand_in_human_talk_and_both_report() {
    let dir = folder("phone");
    beep(&dir.join("question.wav"), 1_200, 300.0, 44_100);
    beep(&dir.join("reply.wav"), 900, 500.0, 22_050);
    let uri = format!("sip:human@127.0.0.1:{}", free_port());
    let mut phone = firstline()
        .args([
            "call",
            "--listen",
            &uri,
            "--count",
            "1",
            "--answer-after",
            "300",
            "--json",
            "--patience",
            "1",
        ])
        .args([
            "--say",
            dir.join("reply.wav").to_str().unwrap(),
            "--say",
            dir.join("reply.wav").to_str().unwrap(),
        ])
        .args(["--dtmf", "1"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(phone.stderr.take().unwrap()).lines();
    assert!(
        lines
            .next_line()
            .await
            .unwrap()
            .unwrap()
            .starts_with("ready")
    );
    let caller = firstline()
        .args([
            "call",
            &uri,
            "--json",
            "--patience",
            "6",
            "--from",
            "+15550123",
        ])
        .args([
            "--say",
            dir.join("question.wav").to_str().unwrap(),
            "--record",
            dir.join("both.wav").to_str().unwrap(),
        ])
        .output();
    let caller = tokio::time::timeout(Duration::from_secs(40), caller)
        .await
        .unwrap()
        .unwrap();
    let phone = tokio::time::timeout(Duration::from_secs(10), phone.wait_with_output())
        .await
        .unwrap()
        .unwrap();
    let said: serde_json::Value = serde_json::from_slice(&caller.stdout).unwrap();
    let heard: serde_json::Value = serde_json::from_slice(&phone.stdout).unwrap();
    assert!(
        caller.status.success() && phone.status.success(),
        "{said} {heard}"
    );
    assert_eq!(said["answered"], true, "{said}");
    assert_eq!(said["ended"]["cause"], "ours", "{said}");
    assert_eq!(said["keys"], "1", "{said}");
    assert_eq!(heard["ended"]["cause"], "remote", "{heard}");
    assert_eq!(heard["uri"], "+15550123", "{heard}");
    // The human answers 700 ms after the question's end, and as much again for the way and the buffers at most.
    let gap = said["utterances"][0]["gap_ms"].as_u64().unwrap();
    assert!((650..1_400).contains(&gap), "{said}");
    assert_eq!(said["packets"]["lost"], 0, "{said}");
    let wav = hound::WavReader::open(dir.join("both.wav")).unwrap();
    assert_eq!(wav.spec().channels, 2);
    assert!(wav.duration() > 16_000 * 3);
    let _ = std::fs::remove_dir_all(&dir);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stand_in_can_be_busy_and_a_caller_says_so() {
    let uri = format!("sip:human@127.0.0.1:{}", free_port());
    let mut phone = firstline()
        .args([
            "call",
            "--listen",
            &uri,
            "--count",
            "1",
            "--busy",
            "--answer-after",
            "100",
        ])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(phone.stderr.take().unwrap()).lines();
    assert!(
        lines
            .next_line()
            .await
            .unwrap()
            .unwrap()
            .starts_with("ready")
    );
    let caller = firstline()
        .args(["call", &uri, "--json"])
        .output()
        .await
        .unwrap();
    assert_eq!(caller.status.code(), Some(1));
    let said: serde_json::Value = serde_json::from_slice(&caller.stdout).unwrap();
    assert_eq!(said["ended"]["cause"], "busy", "{said}");
    assert!(phone.wait().await.unwrap().success());
}

#[tokio::test]
async fn what_is_misused_is_said() {
    for (args, sentence) in [
        (vec!["call", "human@host"], "write it as sip:user@host:port"),
        (vec!["call", "sip:x@127.0.0.1", "--dtmf", "9z"], "no key"),
        (
            vec!["call", "sip:x@127.0.0.1", "--say", "missing.wav"],
            "check the path",
        ),
        (
            vec!["call", "sip:x@127.0.0.1", "--dtmf-after", "1"],
            "KEYS@MILLISECONDS",
        ),
    ] {
        let out = firstline().args(&args).output().await.unwrap();
        let text = String::from_utf8_lossy(&out.stderr);
        assert!(
            !out.status.success() && text.contains(sentence),
            "{args:?}: {text}"
        );
    }
}
