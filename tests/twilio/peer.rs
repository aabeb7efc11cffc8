//! Whole calls with the caller of `firstline call`, which does as Twilio does.

use firstline::edge::twilio::peer::{self, PeerConfig};

use super::*;

fn to(edge: &TwilioEdge) -> PeerConfig {
    PeerConfig {
        webhook: Some(format!("http://{}/twilio/voice", edge.addr())),
        auth_token: Some(TOKEN.into()),
        from: "+15550100".into(),
        to: "+15550199".into(),
        ..PeerConfig::default()
    }
}

/// Takes every call one way.
fn taking(mut calls: Receiver<IncomingStream>, way: Way) -> Receiver<Saw> {
    let (tx, rx) = tokio::sync::mpsc::channel(64);
    tokio::spawn(async move {
        while let Some(call) = calls.recv().await {
            let tx = tx.clone();
            tokio::spawn(async move {
                let mut leg = call.leg;
                let saw = take(&mut *leg, way).await;
                let _ = tx.send(saw).await;
            });
        }
    });
    rx
}

async fn seen(saws: &mut Receiver<Saw>) -> Saw {
    tokio::time::timeout(SECONDS, saws.recv())
        .await
        .unwrap()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_is_heard_both_ways_and_ends_from_this_side() {
    let (edge, calls, places) = line().await;
    let mut saws = taking(calls, Way::Echo);
    let mut leg = peer::call(to(&edge));
    let mut up_at = None;
    let mut missing = 0;
    let here = drive(
        &mut *leg,
        Duration::from_secs(10),
        |turn, leg, saw, heard| {
            if saw.has(&Signal::Answered) && up_at.is_none() {
                up_at = Some(turn);
            }
            if let Some(up) = up_at {
                if (up + 40..up + 120).contains(&turn) {
                    missing += usize::from(firstline::audio::level::rms_dbfs(heard) < -40.0);
                }
                if turn == up + 60 {
                    "12#".chars().for_each(|key| leg.send_digit(key));
                }
                if turn == up + 130 {
                    leg.hangup(200, "done");
                }
            }
            tone(turn)
        },
    )
    .await;
    assert_eq!(here.end(), Some(EndCause::Ours), "{here:?}");
    assert!(here.has(&Signal::Media) && here.loud > 90, "{here:?}");
    // 1.6 s in the middle of the tone: a busy machine may cost a frame or two.
    assert!(missing <= 4, "{missing} frames were missing");
    let there = seen(&mut saws).await;
    assert_eq!(there.end(), Some(EndCause::Remote), "{there:?}");
    assert_eq!(there.keys, "12#");
    assert!(there.loud > 110, "{there:?}");
    until("nothing is left", || {
        places.taken() == 0 && edge.census() == (0, 0)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_line_hangs_up_and_the_stream_goes_with_it() {
    let (edge, calls, _) = line().await;
    let mut saws = taking(calls, Way::HangUpAfter(600));
    let mut leg = peer::call(to(&edge));
    let here = drive(&mut *leg, SECONDS, |turn, _, _, _| tone(turn)).await;
    assert_eq!(here.end(), Some(EndCause::Remote), "{here:?}");
    assert_eq!(seen(&mut saws).await.end(), Some(EndCause::Ours));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_caller_is_refused_is_said() {
    let (edge, _calls) = TwilioEdge::start(config(&Places::new(0))).await.unwrap();
    let mut wrong = to(&edge);
    wrong.auth_token = Some("another".into());
    let mut straight = to(&edge);
    straight.webhook = None;
    straight.socket = Some(format!("ws://{}/twilio/media", edge.addr()));
    for (config, says) in [
        (to(&edge), "All our lines are busy"),
        (wrong, "403"),
        (straight, "1008"),
    ] {
        let mut leg = peer::call(config);
        let end = ended(&mut *leg, SECONDS).await.unwrap();
        assert!(end.detail.contains(says), "{end:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_calls_a_stream_and_reports() {
    let (edge, calls, _) = line().await;
    let mut saws = taking(calls, Way::Echo);
    let dir = std::env::temp_dir().join(format!("firstline-stream-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let wav = dir.join("say.wav");
    let pcm: Vec<i16> = (0..60).flat_map(tone).collect();
    std::fs::write(&wav, firstline::audio::wav::write(&pcm, 16_000, 1)).unwrap();
    let base = edge.addr();
    let out = tokio::process::Command::new(env!("CARGO_BIN_EXE_firstline"))
        .env("LINE_TOKEN", TOKEN)
        .args(["call", &format!("ws://{base}/twilio/media"), "--webhook"])
        .arg(format!("http://{base}/twilio/voice"))
        .args([
            "--auth-token-env",
            "LINE_TOKEN",
            "--patience",
            "1",
            "--dtmf",
            "7",
            "--json",
            "--say",
        ])
        .arg(&wav)
        .output()
        .await
        .unwrap();
    let says = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{says}");
    let report: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(report["answered"], true);
    assert_eq!(report["ended"]["cause"], "ours");
    assert!(
        report["audio_gaps"].as_array().is_some_and(Vec::is_empty),
        "{report}"
    );
    let gap = &report["utterances"][1]["gap_ms"];
    assert!(
        gap.is_u64() || report["utterances"][0]["gap_ms"].is_u64(),
        "{report}"
    );
    assert_eq!(seen(&mut saws).await.keys, "7");
    let _ = std::fs::remove_dir_all(dir);
}
