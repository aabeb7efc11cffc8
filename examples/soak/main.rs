//! Transfers over real sockets, with callers and colleagues who do anything: `scripts/soak`.
//!
//! Starts a line of its own, places calls, presses 0, and lets the colleagues' phones behave at random: answer late, decline, be busy, be
//! broken, ring for ever, hang up in the brief, be voicemail, send no sound, ask, send back, take the call, hand it back. At the end every
//! transfer must have ended in one of four ways with a reason a target, no leg may be left anywhere, and memory must not have grown.
#![allow(
    clippy::disallowed_methods,
    reason = "it waits, starts tasks and programs, and reads the clock"
)]

use std::collections::BTreeMap;
use std::net::{IpAddr, TcpListener, UdpSocket};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use firstline::audio::{FRAME, tone};
use firstline::desk::record::TARGET_OUTCOMES;
use firstline::edge::sip::{Accept, SipConfig, SipEdge};
use firstline::edge::{Leg, Signal};

mod line;
mod short;

use line::Line;

/// Memory beyond the figure after the first fifth of the calls that counts as growth.
const GROWTH_KB: u64 = 60_000;

#[derive(Clone)]
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % n
    }
}

struct Args {
    calls: usize,
    lanes: usize,
    seed: u64,
    /// Short calls for so many seconds, instead of transfers.
    short: Option<usize>,
    firstline: PathBuf,
    keep: PathBuf,
}

fn args() -> Result<Args, String> {
    let mut args = Args {
        calls: 200,
        lanes: 10,
        seed: 1,
        short: None,
        firstline: PathBuf::from("firstline"),
        keep: std::env::temp_dir().join(format!("firstline-soak-{}", std::process::id())),
    };
    let mut given = std::env::args().skip(1);
    while let Some(flag) = given.next() {
        let value = given.next().ok_or(format!("{flag} needs a value"))?;
        let number = || {
            value
                .parse::<usize>()
                .map_err(|_| format!("{flag} needs a number, not `{value}`"))
        };
        match flag.as_str() {
            "--calls" => args.calls = number()?,
            "--lanes" => args.lanes = number()?.max(1),
            "--seed" => args.seed = number()? as u64,
            "--short" => args.short = Some(number()?.max(20)),
            "--firstline" => args.firstline = value.into(),
            "--keep" => args.keep = value.into(),
            _ => {
                return Err(format!(
                    "unknown option {flag}; known: --calls --lanes --seed --short --firstline --keep"
                ));
            }
        }
    }
    Ok(args)
}

fn main() -> ExitCode {
    let args = match args() {
        Ok(args) => args,
        Err(why) => {
            eprintln!("soak: {why}");
            return ExitCode::from(2);
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    match runtime.map_err(|e| e.to_string()).and_then(|r| {
        r.block_on(async {
            match args.short {
                Some(seconds) => short::soak(args, seconds as u64).await,
                None => soak(args).await,
            }
        })
    }) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("soak: {why}");
            ExitCode::FAILURE
        }
    }
}

fn free(udp: bool) -> Result<u16, String> {
    let port = if udp {
        UdpSocket::bind("127.0.0.1:0").and_then(|s| s.local_addr())
    } else {
        TcpListener::bind("127.0.0.1:0").and_then(|s| s.local_addr())
    };
    port.map(|a| a.port()).map_err(|e| e.to_string())
}

async fn edge(
    port: u16,
    rtp: (u16, u16),
) -> Result<
    (
        SipEdge,
        tokio::sync::mpsc::Receiver<firstline::edge::sip::IncomingCall>,
    ),
    String,
> {
    SipEdge::start(SipConfig {
        listen: vec![format!("udp:127.0.0.1:{port}")],
        advertise: None,
        rtp_ports: rtp,
        accept: Accept::Any,
        vouched: Vec::new(),
        user_agent: "soak".into(),
        admit: Arc::new(|| Ok(Box::new(()))),
        overflow: None,
        room: None,
        tls: firstline::edge::sip::TlsFiles::default(),
        media: firstline::edge::sip::MediaPolicy::default(),
        trunks: Vec::new(),
        phones: Vec::new(),
        session_s: firstline::edge::sip::USUAL_SESSION,
        trusted: vec![IpAddr::from([127, 0, 0, 1]).into()],
    })
    .await
    .map_err(|e| e.to_string())
}

/// Legs that are open in this program.
static OPEN: AtomicUsize = AtomicUsize::new(0);

async fn soak(args: Args) -> Result<bool, String> {
    std::fs::create_dir_all(&args.keep).map_err(|e| e.to_string())?;
    let (sip, humans) = (free(true)?, free(true)?);
    let (human_edge, mut incoming) = edge(humans, (44_000, 46_999)).await?;
    let (caller_edge, _none) = edge(free(true)?, (47_000, 49_999)).await?;
    let line = Line::start(&args, sip, humans)?;
    let mut random = Random(args.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let humans_random = Random(random.below(u64::MAX - 1) | 1);
    tokio::spawn(async move {
        let mut random = humans_random;
        while let Some(call) = incoming.recv().await {
            let own = Random(random.below(u64::MAX - 1) | 1);
            tokio::spawn(colleague(call.leg, own));
        }
    });
    let began = Instant::now();
    let start_kb = line.rss_kb();
    println!(
        "{} calls, {} at a time, seed {}; memory at the start {} MiB",
        args.calls,
        args.lanes,
        args.seed,
        start_kb / 1024
    );
    let mut settled_kb = 0;
    let mut running = tokio::task::JoinSet::new();
    let mut done = 0;
    for n in 0..args.calls {
        while running.len() >= args.lanes {
            running.join_next().await;
            done += 1;
            if done == args.calls / 5 {
                settled_kb = line.rss_kb();
            }
            if done % 20 == 0 {
                println!(
                    "{done} calls after {} s, memory {} MiB",
                    began.elapsed().as_secs(),
                    line.rss_kb() / 1024
                );
            }
        }
        let leg = caller_edge.dial(
            &format!("sip:line@127.0.0.1:{sip}"),
            &format!("+1555{n:07}"),
            30,
            &[],
        );
        let own = Random(random.below(u64::MAX - 1) | 1);
        running.spawn(caller(leg, own));
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    while running.join_next().await.is_some() {}
    let mut left = usize::MAX;
    for _ in 0..40 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let active = line.get("/api/status")?["active"].as_u64().unwrap_or(0) as usize;
        left = active
            + OPEN.load(Ordering::SeqCst)
            + human_edge.census().dialogs
            + caller_edge.census().dialogs;
        if left == 0 {
            break;
        }
    }
    let end_kb = line.rss_kb();
    report(&line, &args, left, (start_kb, settled_kb, end_kb))
}

fn report(
    line: &Line,
    args: &Args,
    left: usize,
    (start, settled, end): (u64, u64, u64),
) -> Result<bool, String> {
    let mut endings: BTreeMap<String, usize> = BTreeMap::new();
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    let calls = line.get(&format!("/api/calls?limit={}", args.calls + 50))?;
    let calls = calls.as_array().cloned().unwrap_or_default();
    let mut transfers = 0;
    for call in &calls {
        let id = call["id"].as_str().unwrap_or_default();
        let record = line.get(&format!("/api/calls/{id}"))?;
        let handoff = &record["handoff"];
        if handoff.is_null() {
            *endings
                .entry("no transfer (the caller left first)".into())
                .or_default() += 1;
            continue;
        }
        transfers += 1;
        let result = handoff["result"].as_str().unwrap_or_default();
        if !["accepted", "callback", "returned", "caller_gone"].contains(&result) {
            wrong.push(format!("{id} ended as `{result}`"));
        }
        *endings.entry(result.into()).or_default() += 1;
        for target in handoff["targets"].as_array().into_iter().flatten() {
            let outcome = target["outcome"].as_str().unwrap_or_default();
            if !TARGET_OUTCOMES.contains(&outcome) {
                wrong.push(format!("{id}: a target ended as `{outcome}`"));
            }
            *reasons.entry(outcome.into()).or_default() += 1;
        }
    }
    println!("\n{} calls, {transfers} transfers", calls.len());
    println!("endings    {endings:?}");
    println!("targets    {reasons:?}");
    println!("legs left  {left}");
    println!(
        "memory     {} MiB at the start, {} after a fifth of the calls, {} at the end",
        start / 1024,
        settled / 1024,
        end / 1024
    );
    if left != 0 {
        wrong.push(format!("{left} legs are left"));
    }
    if settled > 0 && end > settled + GROWTH_KB {
        wrong.push("memory has grown".into());
    }
    if calls.len() < args.calls {
        wrong.push(format!(
            "only {} of {} calls have a record",
            calls.len(),
            args.calls
        ));
    }
    for problem in &wrong {
        println!("WRONG: {problem}");
    }
    println!(
        "{}; records and log in {}",
        if wrong.is_empty() {
            "all as it should be"
        } else {
            "not as it should be"
        },
        args.keep.display()
    );
    Ok(wrong.is_empty())
}

/// What happened on a leg by itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Ringing,
    Up,
    Over,
}

/// Does what `act` says every 20 ms, until the leg is over.
async fn live(
    mut leg: Box<dyn Leg>,
    mut act: impl FnMut(&mut dyn Leg, State, u64) -> Option<[i16; FRAME]>,
) {
    OPEN.fetch_add(1, Ordering::SeqCst);
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    let mut state = State::Ringing;
    let mut since = Instant::now();
    let longest = Instant::now();
    while state != State::Over {
        ticks.tick().await;
        for signal in leg.pull().signals {
            match signal {
                Signal::Answered => {
                    state = State::Up;
                    since = Instant::now();
                }
                Signal::Ended(_) => state = State::Over,
                _ => {}
            }
        }
        if state == State::Over {
            break;
        }
        if longest.elapsed() > Duration::from_secs(180) {
            leg.hangup(480, "");
        }
        let pcm = act(leg.as_mut(), state, since.elapsed().as_millis() as u64);
        if let Some(pcm) = pcm.filter(|_| state == State::Up) {
            leg.push(&pcm);
        }
    }
    OPEN.fetch_sub(1, Ordering::SeqCst);
}

/// Speech, as a voice detector takes it: noise in syllables.
fn babble(random: &mut Random, at_ms: u64) -> [i16; FRAME] {
    let loud = if (at_ms / 120).is_multiple_of(2) {
        6_000
    } else {
        1_500
    };
    let mut pcm = [0; FRAME];
    let mut last = 0i32;
    for sample in &mut pcm {
        let noise = random.below(2 * loud) as i32 - loud as i32;
        last = (last * 7 + noise) / 8;
        *sample = (last * 3) as i16;
    }
    pcm
}

/// Presses 0, and 1 now and then (yes to a callback); leaves some time.
async fn caller(leg: Box<dyn Leg>, mut random: Random) {
    let zero = 1_500 + random.below(4_000);
    let leaves = 9_000 + random.below(50_000);
    let agrees = random.below(2) == 0;
    let mut pressed = 0;
    live(leg, move |leg, state, at| {
        if state == State::Up {
            let due = match pressed {
                0 => zero,
                n if agrees => zero + 6_000 * n,
                _ => u64::MAX,
            };
            if at >= due {
                leg.send_digit(if pressed == 0 { '0' } else { '1' });
                pressed += 1;
            }
            if at >= leaves {
                leg.hangup(200, "");
            }
        }
        Some([0; FRAME])
    })
    .await;
}

/// Does anything a colleague's phone may do.
async fn colleague(mut leg: Box<dyn Leg>, mut random: Random) {
    let kind = random.below(9);
    let after = 300 + random.below(if kind == 8 { 7_000 } else { 2_500 });
    let mut script: Vec<(u64, char)> = Vec::new();
    let mut at = 500;
    for _ in 0..1 + random.below(5) {
        at += 500 + random.below(6_000);
        let keys = ['1', '1', '2', '3', '4', '5', '6', '#', '*', '7'];
        script.push((at, keys[random.below(keys.len() as u64) as usize]));
    }
    let hangs_up = match random.below(3) {
        0 => 2_000 + random.below(12_000),
        _ => 25_000 + random.below(30_000),
    };
    leg.ring();
    let began = Instant::now();
    let mut acted = false;
    let beep = tone::chime();
    live(leg, move |leg, state, at| {
        let rang = began.elapsed().as_millis() as u64;
        if state == State::Ringing {
            if rang >= after && !acted {
                acted = true;
                match kind {
                    0 => leg.hangup(486, "busy"),
                    1 => leg.hangup(503, "broken"),
                    2 => leg.hangup(603, "no"),
                    // Rings until the other side gives up.
                    3 => {}
                    _ => leg.answer(),
                }
            }
            return None;
        }
        match kind {
            // Voicemail: talks, beeps, presses nothing.
            4 if at < 6_000 => Some(babble(&mut random, at)),
            4 => {
                let from = (at.saturating_sub(6_000) as usize / 20) * FRAME;
                let mut pcm = [0; FRAME];
                for (slot, sample) in pcm.iter_mut().zip(beep.get(from..).unwrap_or_default()) {
                    *slot = *sample;
                }
                if at > 40_000 {
                    leg.hangup(200, "");
                }
                Some(pcm)
            }
            // Hangs up in the brief.
            5 => {
                if at > 1_000 + after {
                    leg.hangup(200, "");
                }
                Some([0; FRAME])
            }
            // Not a packet of sound.
            6 => None,
            _ => {
                while let Some((due, key)) = script.first().copied().filter(|(due, _)| *due <= at) {
                    let _ = due;
                    script.remove(0);
                    leg.send_digit(key);
                }
                if at >= hangs_up {
                    leg.hangup(200, "");
                }
                Some(if at / 3_000 % 3 == 1 {
                    babble(&mut random, at)
                } else {
                    [0; FRAME]
                })
            }
        }
    })
    .await;
}
