//! `firstline eval turns`: how often a pause is taken for the end of a turn, against how long a caller who is done waits.

mod picture;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;

use crate::audio::level::silences;
use crate::audio::{self, RATE};
use crate::call::endpointing::{self, Evidence, patience_ms};
use crate::desk::Listen;
use crate::speech::{Hints, Transcriber, TurnDetector};

use super::recordings::{listed, sound};
use picture::picture;

/// Turns cut in on against the time waited: the line's own rule, silence alone, and the turn model alone
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  firstline eval turns --manifest speech/manifest.jsonl --set prompts --set digits --keep evidence.json --picture turns.svg\n\n\
    Recordings are cut at the pauses that are in them and joined again, as they were, and with each pause as long as callers who think make theirs \
    (`thinking`: 170 to 1050 ms, in turn). Digits of one speaker are joined to numbers said in groups. At every pause, and at every end, the words \
    so far, the turn model's judgement and the waiting they lead to are what a call would have. Curves come of making everything wait longer or shorter."
)]
pub struct Args {
    /// Lines of {"path","set"}, and {"text","speaker"} for digits
    #[arg(long)]
    manifest: PathBuf,
    /// Only lines of this set; may be given several times
    #[arg(long)]
    set: Vec<String>,
    /// Which Whisper: tiny.en, base
    #[arg(long, default_value = "tiny.en")]
    model: String,
    /// Threads for the recogniser
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// At most so many turns of a set
    #[arg(long)]
    limit: Option<usize>,
    /// Keep what was heard at every pause in this file, or take it from there where it is
    #[arg(long)]
    keep: Option<PathBuf>,
    /// Draw the curves into this SVG file
    #[arg(long)]
    picture: Option<PathBuf>,
    /// Time that words take, milliseconds, in place of what they took here: that of one call on an idle machine, say
    #[arg(long)]
    words_ms: Option<u64>,
    /// The same of the turn model
    #[arg(long)]
    sound_ms: Option<u64>,
    /// One JSON object on stdout
    #[arg(long)]
    json: bool,
    /// List the pauses that are taken for ends, on stderr
    #[arg(long)]
    show: bool,
}

/// Lengths that pauses are given, milliseconds: those of a log-normal distribution with its middle at 420.
const PAUSES: [u64; 8] = [170, 1050, 310, 560, 250, 720, 380, 460];
/// A gap in a recording is a pause from this length on.
const LEAST_PAUSE_MS: u64 = 140;
/// Quiet that a call hears before work begins, and what of it the engines are shown.
const NOTICED_MS: u64 = 90;
const SHOWN_MS: u64 = 120;

/// One caller's turn.
struct Turn {
    set: String,
    name: String,
    listen: Listen,
    /// Stretches of speech, each with the length of the pause after it, milliseconds.
    pieces: Vec<(Vec<i16>, u64)>,
}

/// What is known at one pause, or at the end.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
struct Point {
    set: String,
    turn: String,
    digits: bool,
    /// Length of the pause as it was recorded, milliseconds; none: the turn is over.
    pause_ms: Option<u64>,
    /// Its length were they thinking.
    thinking_ms: u64,
    words: String,
    finished: Option<f32>,
    spoke_ms: u64,
    stt_ms: u64,
    turn_ms: u64,
}

impl Point {
    /// When our rule ends the turn here, milliseconds after the last sound; `by`: all waiting is multiplied by this. `sound`: a worker is
    /// free to listen to how it sounded.
    fn ours(&self, by: f64, sound: bool) -> u64 {
        let listen = if self.digits {
            Listen::Digits
        } else {
            Listen::Open
        };
        let at = |words, finished| {
            patience_ms(&Evidence {
                listen,
                words,
                finished,
                spoke_ms: self.spoke_ms,
                ..Evidence::default()
            }) as f64
                * by
        };
        // Nothing is said before there are words; then the sound is asked, and what it says counts if it comes before the turn is over.
        let heard = self.heard_at();
        let by_words = at(Some(&self.words), None).max(heard as f64);
        let listen_to_it = sound && endpointing::sound_tells(listen, &self.words);
        let judged = (heard + self.turn_ms) as f64;
        if !listen_to_it || self.finished.is_none() || by_words < judged {
            return by_words as u64;
        }
        at(Some(&self.words), self.finished).max(judged) as u64
    }

    fn heard_at(&self) -> u64 {
        NOTICED_MS + self.stt_ms
    }

    fn judged_at(&self) -> u64 {
        NOTICED_MS + self.turn_ms
    }
}

pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut points: Vec<Point> = match args.keep.as_deref().filter(|p| p.is_file()) {
        Some(path) => serde_json::from_slice(&std::fs::read(path)?)
            .with_context(|| format!("{} is no evidence of `eval turns`", path.display()))?,
        None => listen(&args)?,
    };
    for p in &mut points {
        p.stt_ms = args.words_ms.unwrap_or(p.stt_ms);
        p.turn_ms = args.sound_ms.unwrap_or(p.turn_ms);
    }
    if !points.iter().any(|p| p.pause_ms.is_some()) {
        anyhow::bail!("no pause was found in these recordings; name other sets");
    }
    let mut sets: Vec<String> = points.iter().map(|p| p.set.clone()).collect();
    sets.sort();
    sets.dedup();
    if args.show {
        for p in &points {
            let at = p.ours(1.0, true);
            if p.pause_ms.is_some_and(|pause| at < pause) {
                eprintln!(
                    "{} cut in after {at} of {} ms: {} ({:?})",
                    p.turn,
                    p.pause_ms.unwrap_or_default(),
                    p.words,
                    p.finished
                );
            }
        }
    }
    let mut report = BTreeMap::new();
    sets.push("all".into());
    for set in &sets {
        let of = |thinking: bool| -> Vec<Point> {
            points
                .iter()
                .filter(|p| set == "all" || p.set == *set)
                .cloned()
                .map(|mut p| {
                    if thinking {
                        p.pause_ms = p.pause_ms.map(|_| p.thinking_ms);
                    }
                    p
                })
                .collect()
        };
        report.insert(set.clone(), Curves::of(&of(false)));
        report.insert(format!("{set}, thinking"), Curves::of(&of(true)));
    }
    if let (Some(path), Some(all)) = (&args.picture, report.get("all")) {
        std::fs::write(path, picture(all))
            .with_context(|| format!("{} cannot be written", path.display()))?;
    }
    if args.json {
        println!("{}", serde_json::json!({ "sets": report }));
    } else {
        for (set, curves) in &report {
            curves.print(set);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Probability that a turn is over, by its sound.
type Judge = Box<dyn FnMut(&[i16]) -> anyhow::Result<f32>>;

/// The turn model; none where it was not fetched.
fn judge() -> anyhow::Result<Option<Judge>> {
    let model = crate::runtime::engines::turn_model().map_err(anyhow::Error::msg)?;
    Ok(model.map(|model| {
        let mut worker = model.worker();
        Box::new(move |pcm: &[i16]| Ok(worker.complete(pcm)?)) as Judge
    }))
}

fn listen(args: &Args) -> anyhow::Result<Vec<Point>> {
    let turns = turns(args)?;
    let mut ear = super::transcribe::ear(&args.model, args.threads, true)?;
    let mut judge = judge()?;
    let mut points = Vec::new();
    for (n, turn) in turns.iter().enumerate() {
        if n.is_multiple_of(50) {
            eprintln!("turn {n} of {}", turns.len());
        }
        points.extend(hear(turn, n, ear.as_mut(), judge.as_mut())?);
    }
    if let Some(path) = &args.keep {
        std::fs::write(path, serde_json::to_vec(&points)?)
            .with_context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(points)
}

/// The evidence at each pause of one turn.
fn hear(
    turn: &Turn,
    n: usize,
    ear: &mut dyn Transcriber,
    mut judge: Option<&mut Judge>,
) -> anyhow::Result<Vec<Point>> {
    let expect = (turn.listen == Listen::Digits).then_some(crate::speech::Expect::Digits);
    let hints = Hints {
        expect,
        ..Hints::default()
    };
    let mut sound: Vec<i16> = Vec::new();
    let mut points = Vec::new();
    let mut spoke_ms = 0;
    for (k, (piece, pause)) in turn.pieces.iter().enumerate() {
        sound.extend(piece);
        spoke_ms += (piece.len() * 1000 / RATE as usize) as u64;
        let pause_ms = (k + 1 < turn.pieces.len()).then_some(*pause);
        let mut shown = sound.clone();
        shown.extend(hush((SHOWN_MS * 16) as usize));
        let heard = ear.transcribe(&shown, &hints)?;
        let began = std::time::Instant::now();
        let finished = match &mut judge {
            Some(judge) => Some(judge(&shown)?),
            None => None,
        };
        points.push(Point {
            set: turn.set.clone(),
            turn: turn.name.clone(),
            digits: turn.listen == Listen::Digits,
            pause_ms,
            thinking_ms: PAUSES[(n + k) % PAUSES.len()],
            words: heard.text,
            finished,
            spoke_ms,
            stt_ms: u64::from(heard.ms),
            turn_ms: began.elapsed().as_millis() as u64,
        });
        if let Some(ms) = pause_ms {
            sound.extend(hush((ms * 16) as usize));
        }
    }
    Ok(points)
}

/// A quiet line: noise of a few units, so that it is not dead.
fn hush(samples: usize) -> Vec<i16> {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    (0..samples)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % 9) as i16 - 4
        })
        .collect()
}

fn turns(args: &Args) -> anyhow::Result<Vec<Turn>> {
    let folder = args.manifest.parent().unwrap_or(Path::new("."));
    let mut turns: Vec<Turn> = Vec::new();
    let mut digits: BTreeMap<String, Vec<Vec<i16>>> = BTreeMap::new();
    for line in listed(&args.manifest)? {
        if !args.set.is_empty() && !args.set.contains(&line.set) {
            continue;
        }
        let pcm = sound(&folder.join(&line.path))?;
        if let (Some(speaker), Some(text)) = (&line.speaker, &line.text)
            && text.len() == 1
            && text.chars().all(|c| c.is_ascii_digit())
        {
            digits
                .entry(speaker.clone())
                .or_default()
                .push(pieces(&pcm).into_iter().flat_map(|p| p.0).collect());
            continue;
        }
        let so_far = turns.iter().filter(|t| t.set == line.set).count();
        if args.limit.is_some_and(|limit| so_far >= limit) {
            continue;
        }
        let pieces = pieces(&pcm);
        if pieces.is_empty() {
            continue;
        }
        turns.push(Turn {
            set: line.set,
            name: line.path.display().to_string(),
            listen: Listen::Open,
            pieces,
        });
    }
    for (speaker, said) in digits {
        turns.extend(numbers(&speaker, &said, args.limit));
    }
    Ok(turns)
}

/// Numbers said in groups, of 6 to 12 figures, each recording used once or twice.
fn numbers(speaker: &str, said: &[Vec<i16>], limit: Option<usize>) -> Vec<Turn> {
    const GROUPS: [&[usize]; 4] = [&[3, 3], &[2, 3, 4], &[4, 4], &[3, 3, 4]];
    let mut turns = Vec::new();
    let mut at = 0;
    while at < said.len() && limit.is_none_or(|limit| turns.len() < limit) {
        let groups = GROUPS[turns.len() % GROUPS.len()];
        let mut pieces = Vec::new();
        for size in groups {
            let mut piece = Vec::new();
            for k in 0..*size {
                // Recordings come sorted by figure: taken apart, so that a number is no run of one figure.
                piece.extend(&said[(at * 37 + k * 71) % said.len()]);
                piece.extend(hush(16 * 60));
                at += 1;
            }
            pieces.push((piece, PAUSES[at % PAUSES.len()]));
        }
        turns.push(Turn {
            set: "digits".into(),
            name: format!("{speaker} {groups:?} {at}"),
            listen: Listen::Digits,
            pieces,
        });
    }
    turns
}

/// A recording's stretches of speech, cut at its pauses, without the quiet at its ends.
fn pieces(pcm: &[i16]) -> Vec<(Vec<i16>, u64)> {
    let mut levels: Vec<f32> = pcm.chunks(320).map(audio::level::rms_dbfs).collect();
    levels.sort_by(f32::total_cmp);
    let loud = levels
        .get(levels.len() * 9 / 10)
        .copied()
        .unwrap_or_default();
    let total = pcm.len() as u64 * 1000 / u64::from(RATE);
    let mut from = 0;
    let mut pieces: Vec<(Vec<i16>, u64)> = Vec::new();
    let quiet = silences(pcm, RATE, loud - 28.0, LEAST_PAUSE_MS);
    let ends = quiet.iter().map(|s| (s.start_ms, s.end_ms));
    for (end, next) in ends.chain([(total, total)]) {
        // Shorter is a click, or the stop of a consonant.
        if end >= from + 120 {
            let at = |ms: u64| ((ms * 16) as usize).min(pcm.len());
            pieces.push((pcm[at(from)..at(end + 30)].to_vec(), next - end));
        }
        from = next.saturating_sub(20);
    }
    pieces
}

/// A way to end turns, at one setting.
#[derive(Debug, Clone, serde::Serialize)]
struct Setting {
    setting: String,
    /// Share of pauses that are taken for ends.
    cut_in: f64,
    /// Share of turns in which that happens.
    turns_cut: f64,
    wait_median_ms: u64,
    wait_p95_ms: u64,
}

#[derive(Debug, serde::Serialize)]
struct Curves {
    pauses: usize,
    turns: usize,
    ours: Vec<Setting>,
    /// As used in calls.
    in_use: Setting,
    /// The same on a busy machine, where nobody listens to how a turn sounds.
    in_use_busy: Setting,
    silence: Vec<Setting>,
    model: Vec<Setting>,
}

impl Curves {
    fn of(points: &[Point]) -> Self {
        let scales = (8..=40).map(|n| f64::from(n) / 20.0);
        let ours = scales.map(|by| measure(points, format!("x{by:.2}"), |p| p.ours(by, true)));
        let silence = (150..=1_500)
            .step_by(50)
            .map(|ms| measure(points, format!("{ms} ms"), |_| ms));
        let mut model: Vec<Setting> = Vec::new();
        for rest in (300..=1_500).step_by(100) {
            for p in [0.3, 0.5, 0.7, 0.8, 0.9, 0.95] {
                model.push(measure(
                    points,
                    format!("{p} else {rest} ms"),
                    |point| match point.finished {
                        Some(finished) if finished >= p => point.judged_at(),
                        _ => rest.max(point.judged_at()),
                    },
                ));
            }
        }
        if points.iter().all(|p| p.finished.is_none()) {
            model.clear();
        }
        Self {
            pauses: points.iter().filter(|p| p.pause_ms.is_some()).count(),
            turns: points.iter().filter(|p| p.pause_ms.is_none()).count(),
            in_use: measure(points, "in use".into(), |p| p.ours(1.0, true)),
            in_use_busy: measure(points, "in use, busy".into(), |p| p.ours(1.0, false)),
            ours: best(ours.collect()),
            silence: best(silence.collect()),
            model: best(model),
        }
    }

    fn print(&self, set: &str) {
        println!("{set}: {} pauses and {} ends", self.pauses, self.turns);
        for (name, s) in [
            ("in use", &self.in_use),
            ("in use, busy", &self.in_use_busy),
        ] {
            println!(
                "  {name:<18} {:.1} % of pauses cut in on ({:.1} % of turns), waited {} ms median, {} ms at the 95th of a hundred",
                100.0 * s.cut_in,
                100.0 * s.turns_cut,
                s.wait_median_ms,
                s.wait_p95_ms,
            );
        }
        for (name, curve) in [
            ("ours", &self.ours),
            ("silence alone", &self.silence),
            ("turn model alone", &self.model),
        ] {
            let at = |most: f64| {
                let found = curve.iter().find(|s| s.cut_in <= most);
                found.map_or("none".into(), |s| {
                    format!("{} ms ({})", s.wait_median_ms, s.setting)
                })
            };
            println!(
                "  {name:<18} median wait with 20 / 10 / 5 / 2 % of pauses cut in on: {} / {} / {} / {}",
                at(0.20),
                at(0.10),
                at(0.05),
                at(0.02)
            );
        }
    }
}

fn measure(points: &[Point], setting: String, ends_at: impl Fn(&Point) -> u64) -> Setting {
    let mut waits: Vec<u64> = Vec::new();
    let (mut pauses, mut cut, mut turns_cut, mut this) = (0usize, 0usize, 0usize, false);
    for p in points {
        let at = ends_at(p);
        match p.pause_ms {
            Some(ms) => {
                pauses += 1;
                cut += usize::from(at < ms);
                this |= at < ms;
            }
            None => {
                waits.push(at);
                turns_cut += usize::from(std::mem::take(&mut this));
            }
        }
    }
    waits.sort_unstable();
    let at = |share: usize| {
        waits
            .get((waits.len() * share / 100).min(waits.len().saturating_sub(1)))
            .copied()
            .unwrap_or_default()
    };
    Setting {
        setting,
        cut_in: cut as f64 / pauses.max(1) as f64,
        turns_cut: turns_cut as f64 / waits.len().max(1) as f64,
        wait_median_ms: at(50),
        wait_p95_ms: at(95),
    }
}

/// Those settings that no other beats, quickest first.
fn best(mut all: Vec<Setting>) -> Vec<Setting> {
    all.sort_by(|a, b| {
        (a.wait_median_ms, a.wait_p95_ms)
            .cmp(&(b.wait_median_ms, b.wait_p95_ms))
            .then(a.cut_in.total_cmp(&b.cut_in))
    });
    let mut least = f64::MAX;
    all.retain(|s| {
        let better = s.cut_in < least;
        least = least.min(s.cut_in);
        better
    });
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(pause_ms: Option<u64>, words: &str) -> Point {
        Point {
            set: "t".into(),
            turn: "t".into(),
            digits: false,
            pause_ms,
            thinking_ms: 900,
            words: words.into(),
            finished: None,
            spoke_ms: 2_000,
            stt_ms: 100,
            turn_ms: 50,
        }
    }

    #[test]
    fn words_that_hang_are_waited_for_and_silence_alone_cannot_tell() {
        let points = [
            point(Some(800), "I would like to talk about my"),
            point(None, "I would like to talk about my last bill."),
        ];
        let curves = Curves::of(&points);
        assert_eq!((curves.pauses, curves.turns), (1, 1));
        assert!(curves.in_use.cut_in == 0.0 && curves.in_use.wait_median_ms < 600);
        let silence = curves.silence.iter().find(|s| s.cut_in == 0.0);
        assert!(silence.is_some_and(|s| s.wait_median_ms >= 800));
        assert!(picture(&curves).contains("polyline"));
    }

    #[test]
    fn a_recording_is_cut_where_it_pauses() {
        let mut pcm = vec![0_i16; 8_000];
        let buzz = |n: usize| (0..n).map(|i| if i % 40 < 20 { 5_000 } else { -5_000 });
        pcm.extend(buzz(16_000));
        pcm.extend([0; 4_800]);
        pcm.extend(buzz(8_000));
        pcm.extend([0; 8_000]);
        let pieces = pieces(&pcm);
        let lengths: Vec<usize> = pieces.iter().map(|p| p.0.len() / 1_600).collect();
        assert_eq!(lengths, [10, 5]);
        assert_eq!(pieces[0].1, 300);
    }
}
