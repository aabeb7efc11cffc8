//! A real line, a caller and a colleague's phone: what passes between the two once the colleague has taken the call.

use std::process::Command;
use std::time::Duration;

use firstline::audio::FRAME;
use firstline::audio::level::rms_dbfs;
use firstline::audio::wav;
use firstline::edge::{Leg, Signal};
use serde_json::Value;

use crate::nodes::{Folder, call, until};
use crate::sip::{address, edge, tone};
use crate::trouble::{line, models_there};

/// Both phones, 20 ms at a time; what keys each was sent.
struct Two {
    caller: Box<dyn Leg>,
    human: Option<Box<dyn Leg>>,
    keys: [String; 2],
    turn: u64,
    /// Both talk; before, both are all but silent.
    loud: bool,
}

impl Two {
    async fn pass(&mut self, ms: u64) {
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        for _ in 0..ms / 20 {
            ticks.tick().await;
            let legs = [Some(&mut self.caller), self.human.as_mut()];
            for (leg, keys) in legs.into_iter().zip(&mut self.keys) {
                let Some(leg) = leg else { continue };
                for signal in leg.pull().signals {
                    match signal {
                        Signal::Digit(key) => keys.push(key),
                        Signal::Ended(how) => panic!("a phone was hung up: {how:?}"),
                        _ => {}
                    }
                }
                let quieter = if self.loud { 4 } else { 200 };
                leg.push(&tone(self.turn).map(|s| s / quieter));
            }
            self.turn += 1;
        }
    }

    async fn press(&mut self, human: bool, keys: &str) {
        for key in keys.chars() {
            match human {
                true => self.human.as_mut().unwrap().send_digit(key),
                false => self.caller.send_digit(key),
            }
            self.pass(300).await;
        }
    }
}

fn loudest(samples: &[i16]) -> f32 {
    let levels = samples.chunks_exact(FRAME).map(rms_dbfs);
    levels.fold(f32::MIN, f32::max)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_pass_between_the_two_and_a_colleague_stops_the_recording() {
    if !models_there() {
        return;
    }
    let place = Folder::new();
    let folder = place.0.join("recordings");
    std::fs::create_dir_all(&folder).unwrap();
    let (human, mut rung) = edge().await;
    let target = format!("sip:human@{};ring_s=20", address(&human, false));
    let line = line(
        &place,
        &folder,
        Command::new(env!("CARGO_BIN_EXE_firstline")),
        &[("FIRSTLINE_TRANSFER__TARGETS", &target)],
    );
    let (caller, _none) = edge().await;
    let (leg, _) = call(&caller, line.sip).await.expect("answered");
    let mut two = Two {
        caller: leg,
        human: None,
        keys: Default::default(),
        turn: 0,
        loud: false,
    };
    two.pass(3_000).await;
    two.press(false, "0").await;
    for _ in 0..200 {
        if let Ok(call) = rung.try_recv() {
            two.human = Some(call.leg);
            break;
        }
        two.pass(100).await;
    }
    two.human.as_mut().expect("the colleague is rung").answer();
    two.pass(3_000).await;
    two.press(true, "1").await;
    let id = std::fs::read_dir(&folder)
        .unwrap()
        .flatten()
        .find(|e| e.path().join(".up").exists())
        .and_then(|e| e.file_name().into_string().ok())
        .expect("a call is up");
    for _ in 0..100 {
        if line.json(&format!("/api/calls/{id}"))["handoff"]["result"] == "accepted" {
            break;
        }
        two.pass(200).await;
    }
    two.loud = true;
    two.pass(4_000).await;
    two.press(false, "42#").await;
    two.press(true, "5").await;
    two.pass(1_000).await;
    assert_eq!(two.keys, ["5", "42#"].map(str::to_owned));
    two.press(true, "*9").await;
    two.pass(3_000).await;
    two.press(true, "*9").await;
    two.pass(2_000).await;
    assert_eq!(
        two.keys[0], "5",
        "an order to the line is no key for the caller"
    );
    two.caller.hangup(200, "done");
    two.human = None;
    until("the call is closed", Duration::from_secs(20), || {
        !folder.join(&id).join(".up").exists()
    })
    .await;
    let read = |name: &str| std::fs::read(folder.join(&id).join(name)).unwrap();
    let record: Value = serde_json::from_slice(&read("record.json")).unwrap();
    let paused = &record["paused"];
    assert_eq!(paused.as_array().map(Vec::len), Some(1), "{record}");
    let (from, to) = (
        paused[0]["from_ms"].as_u64().unwrap() as usize,
        paused[0]["to_ms"].as_u64().unwrap() as usize,
    );
    assert!((3_000..5_000).contains(&(to - from)), "{paused}");
    // Nothing of either side is in the recording for as long, and everything is before it.
    let sound = wav::read(&read("audio.wav")).unwrap();
    let per_ms = 16;
    for side in [0, 1] {
        let pcm = sound.channel(side);
        let within = &pcm[(from + 200) * per_ms..(to - 200) * per_ms];
        assert!(within.iter().all(|s| *s == 0), "side {side}");
        let before = &pcm[(from - 2_000) * per_ms..from * per_ms];
        assert!(loudest(before) > -40., "side {side}: {}", loudest(before));
    }
    // What the caller keyed to the colleague is nobody else's.
    let trail = String::from_utf8(read("events.jsonl")).unwrap();
    assert!(
        trail.contains("\"event\":\"recording\",\"on\":false"),
        "{trail}"
    );
    for key in ['4', '2', '#'] {
        let told = format!("{{\"leg\":0,\"signal\":{{\"digit\":\"{key}\"}}}}");
        assert!(!trail.contains(&told), "{told}");
    }
    assert!(
        trail.contains("{\"leg\":0,\"signal\":{\"digit\":\"*\"}}"),
        "{trail}"
    );
    let page = String::from_utf8(read("transcript.md")).unwrap();
    assert!(
        page.contains("Not recorded, at the colleague's wish"),
        "{page}"
    );
}
