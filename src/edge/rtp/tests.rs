//! Two parties joined, in virtual time: what the line in the middle adds to the way from one to the other. Sound goes in as packets and comes
//! out as packets; no socket and no clock is asked, so that a minute takes a moment and says the same every time.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::receive::Receiver;
use super::send::Sender;
use crate::audio::FRAME;
use crate::audio::codec::{Codec, Decoder};
use crate::audio::mix::Mixer;
use crate::wire::rtp::Packet;
use crate::wire::sdp::{Agreed, Direction};

fn agreed(codec: Codec, keys: bool) -> Agreed {
    let remote = SocketAddr::from(([192, 0, 2, 1], 4_000));
    let event = keys.then_some(101);
    Agreed {
        codec,
        payload_type: codec.payload_type(),
        recv_payload_type: codec.payload_type(),
        telephone_event_pt: event,
        recv_telephone_event_pt: event,
        remote,
        remote_rtcp: remote,
        direction: Direction::SendRecv,
        ptime_ms: 20,
        event_clock_hz: codec.clock_hz(),
        secure: None,
    }
}

/// What the network does to the way in.
#[derive(Clone, Copy)]
struct Net {
    /// Of a hundred packets, lost and sent twice.
    lost: u64,
    doubled: u64,
    /// Longest delay more than the least, milliseconds.
    jitter_ms: u64,
}

const CLEAN: Net = Net {
    lost: 0,
    doubled: 0,
    jitter_ms: 2,
};

struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % n.max(1)
    }
}

/// One packet on its way: when it is there, and what it holds.
type OnTheWay = (u64, Vec<u8>);

/// What comes out of the line for B of what A says.
struct Bridged {
    /// 16 kHz, as B decodes it.
    sound: Vec<i16>,
    /// Microseconds between the sound's coming to the line and its leaving it, for a sample at the same place of both streams.
    shift_us: i64,
    keys: String,
    info: crate::audio::jitter::JitterStats,
}

/// A speaks `said` (16 kHz) in codec `a`; the line hears it, mixes, and speaks to B in codec `b`. `phase_us`: how the line's tick lies to A's.
fn bridge(said: &[i16], a: Codec, b: Codec, phase_us: u64, net: Net, keys: &str) -> Bridged {
    let (from_a, to_b) = (agreed(a, true), agreed(b, true));
    let mut random = Random(phase_us * 7 + 11);
    let mut phone = Sender::new();
    phone.set(&from_a);
    // A's packets, in the order in which they come.
    let mut way: Vec<OnTheWay> = Vec::new();
    for (n, frame) in said.chunks_exact(FRAME).enumerate() {
        let mut pcm = [0; FRAME];
        pcm.copy_from_slice(frame);
        if let Some(key) = keys.chars().nth(n / 25).filter(|_| n % 25 == 0) {
            phone.key(key);
        }
        let sent_us = (n as u64 + 1) * 20_000;
        phone.push(&pcm, Some(&from_a), |bytes| {
            let there = sent_us + 10_000 + random.below(net.jitter_ms * 1_000 + 1);
            if random.below(100) >= net.lost {
                way.push((there, bytes.to_vec()));
            }
            if random.below(100) < net.doubled {
                way.push((there + random.below(30_000), bytes.to_vec()));
            }
            true
        });
    }
    way.sort_by_key(|(at, _)| *at);
    let (mut ear, mut mouth) = (Receiver::new(), Sender::new());
    ear.set(&from_a, None);
    mouth.set(&to_b);
    let mut mixer = Mixer::new();
    mixer.join(0, 1);
    let begun = Instant::now();
    let mut far = Decoder::new(b).expect("a decoder");
    let mut sound = Vec::new();
    let (mut heard, mut left) = (Vec::new(), Vec::new());
    let mut arrivals = way.into_iter().peekable();
    for tick in 0..(said.len() / FRAME) as u64 + 20 {
        let now_us = phase_us + tick * 20_000;
        let clock = Duration::from_micros(now_us);
        while let Some((_, bytes)) = arrivals.next_if(|(at, _)| *at <= now_us) {
            let packet = Packet::parse(&bytes).expect("a packet");
            ear.packet(&packet, from_a.remote, &from_a, begun + clock, clock);
        }
        let mut pcm = [0; FRAME];
        ear.pull(&mut pcm, &mut heard, clock);
        let mixed = mixer.hear(0, &[&[0; FRAME], &pcm]);
        mouth.push(&mixed, Some(&to_b), |bytes| {
            left.push((now_us, bytes.to_vec()));
            true
        });
    }
    let first = left.first().map_or(0, |(at, _)| *at);
    for (_, bytes) in &left {
        let packet = Packet::parse(bytes).expect("a packet");
        let mut pcm = Vec::new();
        far.decode(packet.payload, &mut pcm);
        if b.rate() == 8_000 {
            // Every sample twice: enough to look for the place of a sound.
            sound.extend(pcm.iter().flat_map(|s| [*s, *s]));
        } else {
            sound.extend(pcm.iter().step_by(b.rate() as usize / 16_000));
        }
    }
    Bridged {
        sound,
        // Sample 0 of A is with the packet that came (20 + 10) ms after its beginning; sample 0 of B left at `first`.
        shift_us: first as i64 - 30_000,
        keys: heard.into_iter().collect(),
        info: ear.stats(),
    }
}

/// Clicks, each of its own length, in quiet: they show where a sound is.
fn clicks(seconds: usize) -> Vec<i16> {
    let mut pcm = vec![0i16; seconds * 16_000];
    for second in 1..seconds {
        let at = second * 16_000 + (second * 37) % 200;
        for n in 0..400 {
            if let Some(slot) = pcm.get_mut(at + n) {
                *slot = ((n as f32 * 0.39).sin() * 12_000.0) as i16;
            }
        }
    }
    pcm
}

/// How many samples later `what` is in `within`, by the likeness of the two, looked for up to 100 ms.
fn later_by(what: &[i16], within: &[i16]) -> i64 {
    let likeness = |shift: usize| -> f64 {
        what.iter()
            .zip(within.get(shift..).unwrap_or_default())
            .map(|(a, b)| f64::from(*a) * f64::from(*b))
            .sum()
    };
    (0..1_600)
        .max_by(|a, b| likeness(*a).total_cmp(&likeness(*b)))
        .unwrap_or(0) as i64
}

#[test]
fn a_bridge_adds_less_than_45_ms() {
    let said = clicks(6);
    for (a, b) in [
        (Codec::Pcmu, Codec::Pcmu),
        (Codec::Pcma, Codec::Pcmu),
        (Codec::Pcmu, Codec::G722),
        (Codec::G722, Codec::Pcma),
    ] {
        let mut added = Vec::new();
        for phase in [500, 4_500, 9_000, 14_000, 19_500] {
            let bridged = bridge(&said, a, b, phase, CLEAN, "");
            // Once the buffer knows the network: in the last seconds.
            let (from, to) = (3 * 16_000, 5 * 16_000);
            let shift = later_by(&said[from..to], &bridged.sound[from..]);
            let ms = (shift * 1_000_000 / 16_000 + bridged.shift_us) as f64 / 1_000.0;
            added.push(ms);
        }
        println!("{a:?} to {b:?}: added {added:?} ms");
        assert!(
            added.iter().all(|ms| (0.0..45.0).contains(ms)),
            "{a:?} to {b:?}: {added:?}"
        );
    }
}

fn rms(pcm: &[i16]) -> f64 {
    (pcm.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / pcm.len().max(1) as f64).sqrt()
}

#[test]
fn a_minute_of_tone_comes_through_whole_and_as_loud() {
    let said: Vec<i16> = (0..60 * 16_000)
        .map(|n| {
            ((f64::from(n) * 1_000.0 / 16_000.0 * std::f64::consts::TAU).sin() * 8_000.0) as i16
        })
        .collect();
    let mut pairs = vec![
        (Codec::Pcmu, Codec::Pcmu),
        (Codec::Pcma, Codec::G722),
        (Codec::G722, Codec::Pcmu),
    ];
    if Codec::ALL.contains(&Codec::Opus) {
        pairs.extend([(Codec::Pcmu, Codec::Opus), (Codec::Opus, Codec::Pcma)]);
    }
    for (a, b) in pairs {
        let bridged = bridge(&said, a, b, 7_000, CLEAN, "");
        let want = rms(&said);
        // The first half second fills buffers and codecs.
        let frames: Vec<f64> = bridged.sound[8_000..59 * 16_000]
            .chunks_exact(FRAME)
            .map(|frame| 20.0 * (rms(frame) / want).log10())
            .collect();
        let worst = frames.iter().fold(0f64, |w, db| w.max(db.abs()));
        let mean = frames.iter().sum::<f64>() / frames.len() as f64;
        println!("{a:?} to {b:?}: level {mean:.2} dB, worst frame {worst:.2} dB");
        assert!(mean.abs() < 1.0, "{a:?} to {b:?}: {mean} dB");
        assert!(worst < 1.0, "{a:?} to {b:?}: a frame is {worst} dB off");
    }
}

/// 20 % lost, 200 ms of jitter (so that packets overtake one another), some twice.
const BAD: Net = Net {
    lost: 20,
    doubled: 10,
    jitter_ms: 200,
};

#[test]
fn a_bad_network_is_ridden_out() {
    let said: Vec<i16> = (0..30 * 16_000)
        .map(|n| ((f64::from(n) * 300.0 / 16_000.0 * std::f64::consts::TAU).sin() * 8_000.0) as i16)
        .collect();
    let bridged = bridge(&said, Codec::Pcmu, Codec::Pcmu, 3_000, BAD, "159#");
    assert_eq!(bridged.keys, "159#", "keys survive what sound does not");
    let loud = bridged.sound[32_000..29 * 16_000]
        .chunks_exact(FRAME)
        .filter(|f| rms(f) > 1_500.0)
        .count();
    let all = (29 * 16_000 - 32_000) / FRAME;
    println!("{loud} of {all} frames are loud; {:?}", bridged.info);
    assert!(loud * 100 > all * 80, "{loud} of {all}");
    assert!(
        bridged.info.lost > 100 && bridged.info.jitter_ms > 20.0,
        "{:?}",
        bridged.info
    );
}

/// What a recorded caller says is understood behind the bridge, G.711 to Opus and back.
#[cfg(all(feature = "whisper", feature = "opus"))]
#[test]
fn words_come_through() {
    use crate::speech::whisper::Whisper;
    use crate::speech::{Hints, Transcriber as _};

    let path = match crate::runtime::models::whisper("tiny.en") {
        Ok(path) => path,
        Err(why) if std::env::var_os("FIRSTLINE_NEED_MODELS").is_some() => panic!("{why}"),
        Err(why) => return eprintln!("not tried: {why}"),
    };
    let whisper = Whisper::load(&path, 1).unwrap();
    let mut ear = whisper.worker().unwrap();
    let words = |text: &str| -> Vec<String> {
        text.to_lowercase()
            .split(|c: char| !c.is_alphanumeric())
            .filter(|w| !w.is_empty())
            .map(str::to_owned)
            .collect()
    };
    for name in ["move-a-1", "fact-a-1"] {
        let file = format!(
            "{}/examples/larchpay/callers/{name}.wav",
            env!("CARGO_MANIFEST_DIR")
        );
        let wav = crate::audio::wav::read(&std::fs::read(file).unwrap()).unwrap();
        let said = wav.mono_at(16_000);
        let plain = words(&ear.transcribe(&said, &Hints::default()).unwrap().text);
        for (a, b) in [(Codec::Pcmu, Codec::Opus), (Codec::Opus, Codec::Pcma)] {
            let bridged = bridge(&said, a, b, 7_000, CLEAN, "");
            let heard = ear.transcribe(&bridged.sound, &Hints::default()).unwrap();
            let heard_words = words(&heard.text);
            let found = plain.iter().filter(|w| heard_words.contains(w)).count();
            println!(
                "{name} {a:?} to {b:?}: {found} of {} words: {}",
                plain.len(),
                heard.text
            );
            assert!(
                plain.len() >= 3 && found * 10 >= plain.len() * 8,
                "{name} {a:?} to {b:?}: {plain:?} became {}",
                heard.text
            );
        }
    }
}
