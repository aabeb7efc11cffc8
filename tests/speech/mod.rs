//! The engines on real weights: what the voice says is heard, what nobody said is not. `firstline models pull` fetches the
//! weights; without them these tests say so and pass, except under `FIRSTLINE_NEED_MODELS`, which `scripts/test` sets.

use std::path::PathBuf;
use std::time::Duration;

use firstline::audio::{FRAME, level};
use firstline::runtime::models;
use firstline::speech::piper::Piper;
use firstline::speech::silero::Silero;
use firstline::speech::whisper::{Quality, Whisper};
use firstline::speech::{Hints, SpeechError, Synthesizer, Transcriber, VoiceActivity, voice};

/// The path of a model's file; none, where it may be missing and is.
pub fn there(found: Result<PathBuf, String>) -> Option<PathBuf> {
    match found {
        Ok(path) => Some(path),
        Err(why) if std::env::var_os("FIRSTLINE_NEED_MODELS").is_some() => panic!("{why}"),
        Err(why) => {
            eprintln!("not tried: {why}");
            None
        }
    }
}

fn piper(threads: usize) -> Option<Piper> {
    let path = there(models::path(
        "piper-en_US-joe-medium",
        "en_US-joe-medium.onnx",
    ))?;
    Some(Piper::load(&path, threads).unwrap())
}

fn say(text: &str) -> Option<Vec<i16>> {
    let mut voice = piper(1)?.worker().unwrap();
    Some(voice.synthesize(text).unwrap())
}

/// Numbers without a pattern, the same every time (xorshift).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }
    fn white(&mut self, n: usize, level: f32) -> Vec<f32> {
        (0..n).map(|_| self.next() * level).collect()
    }
}

fn pcm(sound: impl IntoIterator<Item = f32>) -> Vec<i16> {
    sound
        .into_iter()
        .map(|s| (s.clamp(-1.0, 1.0) * 32_000.0) as i16)
        .collect()
}

/// Sounds that a line carries and nobody says.
fn not_speech() -> Vec<(&'static str, Vec<i16>)> {
    let n = 3 * 16_000;
    let at = |i: usize, hz: f32| (i as f32 * hz * std::f32::consts::TAU / 16_000.0).sin();
    let mut noise = Noise(0x1234_5678_9abc_def1);
    let white = noise.white(n, 0.2);
    // A wind-like rumble: noise through a one-pole low-pass.
    let mut low = 0.0;
    let rumble: Vec<f32> = noise
        .white(n, 1.0)
        .into_iter()
        .map(|x| {
            low += 0.02 * (x - low);
            low * 3.0
        })
        .collect();
    // Chords of four notes, half a second each, with a beat.
    let chords = [
        [220.0, 277.2, 329.6, 440.0],
        [196.0, 246.9, 293.7, 392.0],
        [174.6, 220.0, 261.6, 349.2],
    ];
    let music = (0..n).map(|i| {
        let chord = chords[i / 8_000 % 3];
        let decay = 1.0 - (i % 8_000) as f32 / 10_000.0;
        chord
            .iter()
            .map(|hz| at(i, *hz) + 0.4 * at(i, hz * 2.0))
            .sum::<f32>()
            * 0.06
            * decay
    });
    let clicks = (0..n).map(|i| if i % 9_000 < 30 { 0.6 } else { 0.0 });
    vec![
        ("silence", vec![0; n]),
        ("a quiet line", pcm(noise.white(n, 0.001))),
        ("hiss", pcm(white)),
        ("rumble", pcm(rumble)),
        (
            "hum",
            pcm((0..n).map(|i| 0.1 * at(i, 50.0) + 0.05 * at(i, 150.0))),
        ),
        (
            "a dial tone",
            pcm((0..n).map(|i| 0.15 * at(i, 350.0) + 0.15 * at(i, 440.0))),
        ),
        ("music", pcm(music)),
        ("clicks", pcm(clicks)),
    ]
}

/// A long clause's sound is made in pieces, for the memory's sake, and nobody can tell.
#[test]
fn the_sound_of_pieces_is_that_of_the_whole() {
    let Some(voice) = piper(1) else { return };
    let mut pieces = voice.worker().unwrap();
    let mut whole = voice.in_one_go().worker().unwrap();
    for text in [
        "Sure.",
        "If an installment is still unpaid seven days after its due date, we charge one late fee of seven dollars, which never adds up to \
         more than a quarter of the order.",
    ] {
        let (pieces, whole) = (
            pieces.synthesize(text).unwrap(),
            whole.synthesize(text).unwrap(),
        );
        assert_eq!(pieces.len(), whole.len(), "{text}");
        let apart = pieces.iter().zip(&whole).map(|(a, b)| a.abs_diff(*b));
        let most = apart.max().unwrap();
        println!("{} samples, {most} apart at most", whole.len());
        assert!(most <= 8, "{most} of 32,768 apart: {text}");
    }
}

#[test]
fn whisper_hears_what_piper_says() {
    let Some(path) = there(models::whisper("tiny.en")) else {
        return;
    };
    let whisper = Whisper::load(&path, 1).unwrap();
    let mut live = whisper.worker().unwrap();
    for text in [
        "I would like to move my payment to next Friday.",
        "My account number is four seven one two.",
    ] {
        let Some(sound) = say(text) else { return };
        let heard = live.transcribe(&sound, &Hints::default()).unwrap();
        let plain = |s: &str| s.to_lowercase().replace(['.', ','], "");
        let (said, heard_words) = (plain(text), plain(&heard.text));
        let found = said.split(' ').filter(|w| heard_words.contains(w)).count();
        let digits = heard_words.contains("4712") || heard_words.contains("4 7 1 2");
        assert!(
            found * 10 >= said.split(' ').count() * 8 || digits,
            "{text} | {}",
            heard.text
        );
        assert!(
            heard.no_speech < 0.3 && heard.avg_logprob > -0.8,
            "{heard:?}"
        );
        assert_eq!(heard.audio_ms as usize, sound.len() / 16);
        assert!(
            heard
                .words
                .iter()
                .all(|w| w.p > 0.0 && w.p <= 1.0 && w.start_ms < w.end_ms)
        );
        assert!(
            heard
                .words
                .windows(2)
                .all(|w| w[0].start_ms <= w[1].start_ms)
        );
        let joined: Vec<&str> = heard.words.iter().map(|w| w.text.as_str()).collect();
        assert_eq!(joined.join(" "), heard.text);
    }
}

#[test]
fn a_number_comes_with_the_pauses_it_was_said_with() {
    use firstline::speech::Expect;
    let Some(path) = there(models::whisper("tiny.en")) else {
        return;
    };
    let mut live = Whisper::load(&path, 1).unwrap().worker().unwrap();
    let hints = Hints {
        expect: Some(Expect::Digits),
        ..Hints::default()
    };
    let mut groups = Vec::new();
    for group in ["four one seven", "two two five", "nine eight"] {
        let Some(sound) = say(group) else { return };
        groups.push(sound);
    }
    let mut hear = |pause_ms: usize| {
        let mut sound = Vec::new();
        for group in &groups {
            sound.extend(group);
            sound.extend(vec![2; pause_ms * 16]);
        }
        live.transcribe(&sound, &hints).unwrap().text
    };
    assert_eq!(hear(450), "4 1 7, 2 2 5, 9 8");
    assert_eq!(hear(0).replace(',', ""), "4 1 7 2 2 5 9 8");
}

#[test]
fn whisper_makes_no_words_of_noise() {
    let Some(path) = there(models::whisper("tiny.en")) else {
        return;
    };
    let whisper = Whisper::load(&path, 1).unwrap();
    let mut live = whisper.worker().unwrap();
    let mut heard = Vec::new();
    for (what, sound) in not_speech() {
        let t = live.transcribe(&sound, &Hints::default()).unwrap();
        if !t.text.is_empty() {
            heard.push(format!(
                "{what}: {} ({:.2}, {:.2})",
                t.text, t.no_speech, t.avg_logprob
            ));
        }
    }
    assert!(heard.is_empty(), "{heard:#?}");
}

#[test]
fn whisper_stops_when_told_and_goes_on_afterwards() {
    let Some(path) = there(models::whisper("tiny.en")) else {
        return;
    };
    let Some(sound) = say("Please stop listening to this.") else {
        return;
    };
    let mut ear = Whisper::load(&path, 1)
        .unwrap()
        .worker_of(Quality::Live)
        .unwrap();
    ear.set_budget(Some(Duration::from_millis(1)));
    assert!(matches!(
        ear.transcribe(&sound, &Hints::default()),
        Err(SpeechError::Engine(_))
    ));
    ear.set_budget(None);
    assert!(
        ear.transcribe(&sound, &Hints::default())
            .unwrap()
            .text
            .contains("stop")
    );
}

#[test]
fn a_model_that_is_not_one_is_refused_in_a_sentence() {
    let file =
        std::env::temp_dir().join(format!("firstline-not-a-model-{}.bin", std::process::id()));
    std::fs::write(&file, [0x55; 4096]).unwrap();
    for error in [
        Whisper::load(&file, 1).err(),
        Whisper::load(&file.with_extension("none"), 1).err(),
        Silero::load(&file).err(),
        Piper::load(&file, 1).err(),
    ] {
        let Some(SpeechError::Model(said)) = error else {
            panic!("{error:?}")
        };
        assert!(said.contains("models pull"), "{said}");
    }
    std::fs::remove_file(file).unwrap();
}

#[test]
fn silero_tells_speech_from_the_rest() {
    let Some(path) = there(models::path("silero-vad", "silero_vad_16k.onnx")) else {
        return;
    };
    let Some(speech) = say("Could you tell me when my next payment is due, please?") else {
        return;
    };
    let mut vad = Silero::load(&path).unwrap().stream();
    let mut share = |sound: &[i16]| {
        vad.reset();
        let frames: Vec<f32> = sound.chunks_exact(FRAME).map(|f| vad.push(f)).collect();
        frames.iter().filter(|p| **p > 0.5).count() as f32 / frames.len() as f32
    };
    let first = share(&speech);
    assert!(first > 0.8, "{first}");
    for (what, sound) in not_speech() {
        let false_share = share(&sound);
        assert!(false_share < 0.1, "{what}: {false_share}");
    }
    // Nothing is left over from before a reset.
    assert_eq!(share(&speech), first);
}

#[test]
fn piper_is_steady_clean_and_the_same_every_time() {
    let Some(piper) = piper(2) else { return };
    let (mut one, mut two) = (piper.worker().unwrap(), piper.worker().unwrap());
    for text in [
        "Sure.",
        "Your payment of thirty-one dollars, and forty cents, is due on Friday.",
    ] {
        let sound = one.synthesize(text).unwrap();
        two.synthesize("Something else first.").unwrap();
        assert_eq!(sound, two.synthesize(text).unwrap(), "{text}");
        let loud: Vec<i16> = sound
            .chunks(FRAME)
            .filter(|f| level::rms_dbfs(f) > -45.0)
            .flatten()
            .copied()
            .collect();
        let db = level::rms_dbfs(&loud);
        assert!((-23.5..=-17.0).contains(&db), "{text}: {db} dBFS");
        assert!(level::peak_dbfs(&sound) < -0.5);
        assert!(
            sound[0].abs() < 60 && sound[sound.len() - 1].abs() < 60,
            "{text} begins or ends in a click"
        );
        // No more than a few milliseconds of silence at either end.
        let quiet = |f: &[i16]| level::rms_dbfs(f) < -50.0;
        let lead = sound.chunks(160).take_while(|f| quiet(f)).count();
        let tail = sound.rchunks(160).take_while(|f| quiet(f)).count();
        assert!(lead <= 2 && tail <= 5, "{text}: {lead}, {tail} times 10 ms");
    }
    assert!(one.synthesize(" ... ").unwrap().is_empty());
    assert!(matches!(
        one.synthesize(&"again and again ".repeat(200)),
        Err(SpeechError::Input(_))
    ));
    assert_eq!(voice::pause_ms("Sure."), 260);
}

#[test]
fn smart_turn_tells_a_finished_sentence_from_a_broken_off_one() {
    use firstline::speech::TurnDetector;
    use firstline::speech::smart_turn::SmartTurn;
    let Some(path) = there(models::path("smart-turn", "smart-turn-v3.2-cpu.onnx")) else {
        return;
    };
    let mut judge = SmartTurn::load(&path, 1).unwrap().worker();
    let (mut right, mut all) = (0, 0);
    for text in [
        "I would like to move my payment to next Friday.",
        "Can you tell me what the late fee is?",
        "My order has not arrived yet.",
    ] {
        let Some(mut sound) = say(text) else { return };
        // Broken off in the middle, in the middle of a word most likely.
        let half = sound[..sound.len() * 55 / 100].to_vec();
        sound.extend([0; 2400]);
        let (whole, broken) = (
            judge.complete(&sound).unwrap(),
            judge.complete(&half).unwrap(),
        );
        assert!((0.0..=1.0).contains(&whole) && (0.0..=1.0).contains(&broken));
        right += usize::from(whole > 0.5) + usize::from(broken < 0.5);
        all += 2;
    }
    assert!(right * 3 >= all * 2, "{right} of {all}");
    // Anything is judged, whatever it is.
    for odd in [vec![], vec![0i16; 300_000], vec![i16::MAX; 100]] {
        judge.complete(&odd).unwrap();
    }
}

#[test]
fn a_second_voice_is_understood_and_speaks_other_languages() {
    use firstline::speech::kokoro::Kokoro;
    // Not among the models that are fetched by default.
    let found = models::path("kokoro", "kokoro-v1.0.int8.onnx");
    let (Ok(model), Some(whisper)) = (found, there(models::whisper("tiny.en"))) else {
        eprintln!("not tried: fetch it with `firstline models pull kokoro`");
        return;
    };
    let kokoro = Kokoro::load(&model, 2).unwrap();
    let of = |name: &str| {
        let file = models::path("kokoro", &format!("{name}.bin")).unwrap();
        kokoro.voice(&file, name).unwrap().worker().unwrap()
    };
    let sound = of("af_heart")
        .synthesize("Your payment is due on Friday.")
        .unwrap();
    let db = level::rms_dbfs(&sound);
    assert!((-26.0..-15.0).contains(&db), "{db} dB");
    assert_eq!(level::clipped(&sound), 0);
    let mut ear = Whisper::load(&whisper, 2).unwrap().worker().unwrap();
    let heard = ear.transcribe(&sound, &Hints::default()).unwrap().text;
    assert!(heard.to_lowercase().contains("payment is due"), "{heard}");
    let spanish = of("ef_dora").synthesize("Un momento, por favor.").unwrap();
    assert!(
        (800..3500).contains(&(spanish.len() / 16)),
        "{}",
        spanish.len()
    );
    assert!(matches!(
        kokoro.voice(&models::path("kokoro", "af_heart.bin").unwrap(), "jf_alpha"),
        Err(SpeechError::Model(_))
    ));
}
