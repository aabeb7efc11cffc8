//! How many bridged G.711 legs this machine carries evenly: `scripts/legs`.
//!
//! Starts calls in pairs as the line does (one task a call on the call threads, two RTP sessions each, the same mix), and phones in a process
//! of its own that send a packet every 20 ms to every leg. Measured is when each packet leaves for a phone: the time between two of one leg
//! should be 20 ms. Signalling is left out; speech recognition and voices, too, for two people who talk need none.
#![allow(
    clippy::disallowed_methods,
    reason = "it waits, starts tasks and programs, and reads the clock"
)]

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, UdpSocket};
use std::process::{Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use firstline::audio::FRAME;
use firstline::audio::codec::Codec;
use firstline::call::{CALLER, LegId, Mix};
use firstline::edge::rtp::{RtpPorts, RtpSession};
use firstline::runtime::priority;
use firstline::runtime::sound::{Said, Sound};
use firstline::wire::sdp::{Agreed, Direction};
use tokio::time::{MissedTickBehavior, interval_at};

/// Measured after so long: buffers have filled by then.
const SETTLE: Duration = Duration::from_secs(3);

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let mut legs = 500usize;
    let mut seconds = 15u64;
    let mut threads =
        std::thread::available_parallelism().map_or(1, |n| n.get().div_ceil(4).max(1));
    while let Some(flag) = args.next() {
        let value = args.next().and_then(|v| v.parse::<u64>().ok());
        match (flag.as_str(), value) {
            ("--legs", Some(n)) => legs = n as usize / 2 * 2,
            ("--seconds", Some(n)) => seconds = n,
            ("--threads", Some(n)) => threads = n as usize,
            ("--phones", Some(n)) => return phones(n as usize),
            _ => {
                eprintln!("legs: known are --legs N, --seconds N and --threads N, not `{flag}`");
                return ExitCode::from(2);
            }
        }
    }
    match measure(legs.max(2), seconds, threads) {
        Ok(good) if good => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("legs: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Spacing of the packets that left, microseconds, in classes of 100.
#[derive(Default)]
struct Spacing {
    classes: Vec<u64>,
    count: u64,
}

impl Spacing {
    fn add(&mut self, spacing: Duration) {
        let class = (spacing.as_micros() / 100) as usize;
        if self.classes.len() <= class {
            self.classes.resize(class.min(100_000) + 1, 0);
        }
        if let Some(slot) = self.classes.get_mut(class) {
            *slot += 1;
        }
        self.count += 1;
    }

    /// Milliseconds below which this share of them lies.
    fn quantile(&self, share: f64) -> f64 {
        let wanted = (self.count as f64 * share) as u64;
        let mut sum = 0;
        for (class, n) in self.classes.iter().enumerate() {
            sum += n;
            if sum > wanted {
                return class as f64 / 10.0;
            }
        }
        self.classes.len() as f64 / 10.0
    }
}

fn measure(legs: usize, seconds: u64, threads: usize) -> Result<bool, String> {
    let failed = |e: std::io::Error| e.to_string();
    let mut phones = Command::new(std::env::current_exe().map_err(failed)?)
        .args(["--phones", &legs.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let out = phones.stdout.take().ok_or("the phones say nothing")?;
    let mut lines = BufReader::new(out).lines().map_while(Result::ok);
    let ports: Vec<u16> = lines
        .by_ref()
        .take(legs)
        .filter_map(|l| l.parse().ok())
        .collect();
    if ports.len() != legs {
        return Err("the phones found no ports: allow more open files (ulimit -n)".into());
    }
    let rtp = RtpPorts::new((20_000, 31_999))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .on_thread_start(|| {
            priority::real_time();
        })
        .enable_all()
        .build()
        .map_err(failed)?;
    let all = Arc::new(Mutex::new(Spacing::default()));
    let (mut ours, mut pairs) = (Vec::new(), Vec::new());
    for chunk in ports.chunks_exact(2) {
        let [a, b] = [0, 1].map(|n| rtp.open([127, 0, 0, 1].into()).map(|s| (s, chunk[n])));
        let (mut a, mut b) = (a?, b?);
        for (session, port) in [&mut a, &mut b] {
            session.set(agreed(*port));
            ours.push(session.port());
        }
        pairs.push((a.0, b.0));
    }
    // The phones are told where to send.
    {
        use std::io::Write;
        let mut to = phones.stdin.take().ok_or("the phones cannot be told")?;
        let text: String = ours.iter().map(|p| format!("{p}\n")).collect();
        to.write_all(text.as_bytes()).map_err(failed)?;
    }
    let began = Instant::now();
    let cpu = cpu_seconds();
    let until = began + SETTLE + Duration::from_secs(seconds);
    let count = pairs.len();
    let tasks: Vec<_> = pairs
        .into_iter()
        .enumerate()
        .map(|(n, pair)| {
            // Calls begin when they begin: their ticks lie anywhere in the 20 ms.
            let first = began + Duration::from_micros(100_000 + n as u64 * 20_000 / count as u64);
            runtime.spawn(call(
                pair.0,
                pair.1,
                first,
                began + SETTLE,
                until,
                all.clone(),
            ))
        })
        .collect();
    let lost: u64 = runtime.block_on(async {
        let mut lost = 0;
        for task in tasks {
            lost += task.await.unwrap_or(0);
        }
        lost
    });
    let used = cpu_seconds() - cpu;
    let _ = phones.kill();
    let _ = phones.wait();
    let spacing = all
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let (p50, p99, p999) = (
        spacing.quantile(0.5),
        spacing.quantile(0.99),
        spacing.quantile(0.999),
    );
    println!(
        "{legs} legs in pairs, {threads} call thread(s): {} packets sent, spacing p50 {p50:.1} ms, p99 {p99:.1} ms, p99.9 {p999:.1} ms; {lost} packets not there in time; {:.0} % of a core",
        spacing.count,
        100.0 * used / began.elapsed().as_secs_f64(),
    );
    Ok(p99 <= 25.0)
}

fn agreed(port: u16) -> Agreed {
    let remote = SocketAddr::from(([127, 0, 0, 1], port));
    Agreed {
        codec: Codec::Pcmu,
        payload_type: 0,
        recv_payload_type: 0,
        telephone_event_pt: Some(101),
        recv_telephone_event_pt: Some(101),
        remote,
        remote_rtcp: SocketAddr::from(([127, 0, 0, 1], port + 1)),
        direction: Direction::SendRecv,
        ptime_ms: 20,
        event_clock_hz: 8_000,
        secure: None,
    }
}

/// One call of two legs, as the line's call task has it. Packets that were missing when their turn came.
async fn call(
    mut a: RtpSession,
    mut b: RtpSession,
    first: Instant,
    from: Instant,
    until: Instant,
    all: Arc<Mutex<Spacing>>,
) -> u64 {
    let human = LegId(1);
    let mut sound = Sound::default();
    sound.set(Mix::Bridge(human));
    let mut own = Spacing::default();
    let mut last: [Option<Instant>; 2] = [None, None];
    let mut ticks = interval_at(first.into(), Duration::from_millis(20));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    while Instant::now() < until {
        ticks.tick().await;
        let (mut from_a, mut from_b) = ([0; FRAME], [0; FRAME]);
        a.pull(&mut from_a);
        b.pull(&mut from_b);
        let by = HashMap::from([(CALLER, from_a), (human, from_b)]);
        let said = Said {
            by: &by,
            voice: [0; FRAME],
            speaking: false,
        };
        sound.tick();
        for (n, (id, leg)) in [(CALLER, &mut a), (human, &mut b)].into_iter().enumerate() {
            leg.push(&sound.heard_by(id, &said, &[0; FRAME]));
            let now = Instant::now();
            if let Some(before) = last[n].replace(now).filter(|_| now > from) {
                own.add(now.duration_since(before));
            }
        }
    }
    let lost = [&a, &b]
        .iter()
        .map(|leg| {
            let mut info = firstline::edge::LegInfo::default();
            leg.fill(&mut info);
            info.packets_lost
        })
        .sum();
    let mut all = all
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    for (class, n) in own.classes.iter().enumerate() {
        if all.classes.len() <= class {
            all.classes.resize(class + 1, 0);
        }
        all.classes[class] += n;
        all.count += n;
    }
    lost
}

/// Processor time of this process so far, without its children.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit(") ").next().unwrap_or_default().to_owned();
    let field = |n: usize| -> f64 {
        after
            .split_whitespace()
            .nth(n)
            .and_then(|v| v.parse().ok())
            .unwrap_or(0.0)
    };
    // User and system time, in ticks of 10 ms.
    (field(11) + field(12)) / 100.0
}

/// The phones: one socket each, a packet every 20 ms to whom they are told, and what comes is read and thrown away.
fn phones(count: usize) -> ExitCode {
    let sockets: Vec<UdpSocket> = (0..count)
        .map_while(|_| UdpSocket::bind("127.0.0.1:0").ok())
        .collect();
    for socket in &sockets {
        let _ = socket.set_nonblocking(true);
        println!("{}", socket.local_addr().map_or(0, |a| a.port()));
    }
    let to: Vec<u16> = std::io::stdin()
        .lines()
        .map_while(Result::ok)
        .take(count)
        .filter_map(|l| l.parse().ok())
        .collect();
    let mut packet = vec![0x80, 0, 0, 0, 0, 0, 0, 0, 7, 7, 7, 7];
    packet.resize(172, 0xFF);
    for (n, slot) in packet.iter_mut().skip(12).enumerate() {
        *slot = if n % 2 == 0 { 0x20 } else { 0xA0 };
    }
    let mut buffer = [0; 2_048];
    let began = Instant::now();
    for turn in 0u32.. {
        // A twentieth of them each millisecond, as phones are not in step.
        for slice in 0..20usize {
            let due = began + Duration::from_millis(u64::from(turn) * 20 + slice as u64);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            for (n, (socket, port)) in sockets.iter().zip(&to).enumerate() {
                if n % 20 != slice {
                    continue;
                }
                packet[2..4].copy_from_slice(&(turn as u16).to_be_bytes());
                packet[4..8].copy_from_slice(&(turn.wrapping_mul(160)).to_be_bytes());
                packet[8..12].copy_from_slice(&(n as u32 + 1).to_be_bytes());
                let _ = socket.send_to(&packet, ("127.0.0.1", *port));
                while socket.recv_from(&mut buffer).is_ok() {}
            }
        }
    }
    ExitCode::SUCCESS
}
