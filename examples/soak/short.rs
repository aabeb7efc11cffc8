//! Short calls, one after the other: callers who hang up at once, in the greeting, before the answer, in the middle of a word. Nothing of a
//! call may be left when it is over: no place, no port, no task, no memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::{Args, Line, OPEN, Random, State, babble, edge, free, live};

/// Growth from the first fifth to the end that counts as such, percent.
const GROWTH: u64 = 5;

pub async fn soak(args: Args, seconds: u64) -> Result<bool, String> {
    std::fs::create_dir_all(&args.keep).map_err(|e| e.to_string())?;
    let (sip, nobody) = (free(true)?, free(true)?);
    let (callers, _none) = edge(free(true)?, (47_000, 49_999)).await?;
    let line = Line::start(&args, sip, nobody)?;
    let mut random = Random(args.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let answered = Arc::new(AtomicUsize::new(0));
    let (mut running, mut placed) = (tokio::task::JoinSet::new(), 0);
    let (began, mut settled) = (Instant::now(), None);
    let at_start = line.rss_kb();
    let mut told = 0;
    while began.elapsed() < Duration::from_secs(seconds) {
        while running.len() >= args.lanes {
            running.join_next().await;
        }
        if settled.is_none() && began.elapsed().as_secs() >= seconds / 5 {
            settled = Some((line.rss_kb(), line.held()));
        }
        if began.elapsed().as_secs() / 30 > told {
            told += 1;
            println!(
                "{placed} calls after {} s, memory {} MiB",
                told * 30,
                line.rss_kb() / 1024
            );
        }
        let to = format!("sip:line@127.0.0.1:{sip}");
        let leg = callers.dial(&to, &format!("+1555{placed:07}"), 30, &[]);
        placed += 1;
        let own = Random(random.below(u64::MAX - 1) | 1);
        running.spawn(caller(leg, own, answered.clone()));
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    while running.join_next().await.is_some() {}
    let mut left = usize::MAX;
    for _ in 0..60 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let active = line.get("/api/status")?["active"].as_u64().unwrap_or(0) as usize;
        left = active + OPEN.load(Ordering::SeqCst) + callers.census().dialogs;
        if left == 0 {
            break;
        }
    }
    // Sockets of calls that have just ended close a moment later.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (settled_kb, (settled_files, settled_threads)) = settled.unwrap_or_default();
    let (end_kb, (files, threads)) = (line.rss_kb(), line.held());
    let ended = line.counted("firstline_calls_total")?;
    let failed = line
        .text("/metrics")?
        .lines()
        .any(|l| l.starts_with("firstline_calls_total{outcome=\"failed\"}"));
    let answered = answered.load(Ordering::SeqCst) as u64;
    println!("\n{placed} calls in {seconds} s, {answered} answered; the line ended {ended}");
    println!("legs left  {left}");
    println!(
        "memory     {} MiB at the start, {} after a fifth of the time, {} at the end",
        at_start / 1024,
        settled_kb / 1024,
        end_kb / 1024
    );
    println!(
        "files      {settled_files} after a fifth of the time, {files} at the end; threads {settled_threads} and {threads}"
    );
    let mut wrong = Vec::new();
    if left != 0 {
        wrong.push(format!("{left} legs are left"));
    }
    if ended < answered {
        wrong.push(format!("only {ended} of {answered} calls have ended"));
    }
    if failed {
        wrong.push("calls have failed".into());
    }
    if end_kb * 100 > settled_kb * (100 + GROWTH) {
        wrong.push("memory has grown".into());
    }
    // One call more or less is up at the two moments.
    if files > settled_files + 8 || threads > settled_threads + 4 {
        wrong.push("files or threads are left".into());
    }
    for problem in &wrong {
        println!("WRONG: {problem}");
    }
    let as_it_should = if wrong.is_empty() {
        "all as it should be"
    } else {
        "not as it should be"
    };
    println!("{as_it_should}; records and log in {}", args.keep.display());
    Ok(wrong.is_empty())
}

async fn caller(
    leg: Box<dyn firstline::edge::Leg>,
    mut random: Random,
    answered: Arc<AtomicUsize>,
) {
    let before_answer = random.below(8) == 0;
    let leaves = random.below(4_000);
    let talks = random.below(3) == 0;
    let mut up = false;
    let began = Instant::now();
    live(leg, move |leg, state, at| {
        if state == State::Up && !std::mem::replace(&mut up, true) {
            answered.fetch_add(1, Ordering::SeqCst);
        }
        let gone = match state {
            State::Up => at >= leaves,
            _ => before_answer && began.elapsed() > Duration::from_millis(30),
        };
        if gone {
            leg.hangup(200, "");
        }
        Some(if talks {
            babble(&mut random, at)
        } else {
            [0; firstline::audio::FRAME]
        })
    })
    .await;
}
