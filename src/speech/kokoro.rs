//! Kokoro-82M in rten: many voices of one model, in English and a few other languages. Slower than Piper, about real time on two
//! cores here: for what is said often and kept, or for a machine with room.
//!
//! Input as in the model's own ONNX export (kokoro-onnx): ids of phonemes with a 0 at both ends, one row of 256 numbers of style
//! chosen by how many phonemes there are, a speed. Output is mono at 24 kHz. Phonemes are those of misaki, which writes diphthongs
//! and affricates as one letter.

use std::path::Path;
use std::sync::Arc;

use rten::{Model, ModelOptions, NodeId, RunOptions, ThreadPool};
use rten_tensor::prelude::*;
use rten_tensor::{NdTensor, Tensor};

use super::espeak::Espeak;
use super::{SpeechError, Synthesizer, voice};
use crate::audio::RATE;
use crate::audio::resample::resample_all;

/// Samples a second of its sound.
const ITS_RATE: u32 = 24_000;
/// Numbers of one style.
const STYLE: usize = 256;
/// The model's context, less the marks at both ends.
const MOST_PHONEMES: usize = 510;

/// What the model knows, and its number for it (the `vocab` of its configuration).
const SYMBOLS: [(char, i32); 114] = [
    (';', 1),
    (':', 2),
    (',', 3),
    ('.', 4),
    ('!', 5),
    ('?', 6),
    ('—', 9),
    ('…', 10),
    ('"', 11),
    ('(', 12),
    (')', 13),
    ('“', 14),
    ('”', 15),
    (' ', 16),
    ('\u{303}', 17),
    ('ʣ', 18),
    ('ʥ', 19),
    ('ʦ', 20),
    ('ʨ', 21),
    ('ᵝ', 22),
    ('ꭧ', 23),
    ('A', 24),
    ('I', 25),
    ('O', 31),
    ('Q', 33),
    ('S', 35),
    ('T', 36),
    ('W', 39),
    ('Y', 41),
    ('ᵊ', 42),
    ('a', 43),
    ('b', 44),
    ('c', 45),
    ('d', 46),
    ('e', 47),
    ('f', 48),
    ('h', 50),
    ('i', 51),
    ('j', 52),
    ('k', 53),
    ('l', 54),
    ('m', 55),
    ('n', 56),
    ('o', 57),
    ('p', 58),
    ('q', 59),
    ('r', 60),
    ('s', 61),
    ('t', 62),
    ('u', 63),
    ('v', 64),
    ('w', 65),
    ('x', 66),
    ('y', 67),
    ('z', 68),
    ('ɑ', 69),
    ('ɐ', 70),
    ('ɒ', 71),
    ('æ', 72),
    ('β', 75),
    ('ɔ', 76),
    ('ɕ', 77),
    ('ç', 78),
    ('ɖ', 80),
    ('ð', 81),
    ('ʤ', 82),
    ('ə', 83),
    ('ɚ', 85),
    ('ɛ', 86),
    ('ɜ', 87),
    ('ɟ', 90),
    ('ɡ', 92),
    ('ɥ', 99),
    ('ɨ', 101),
    ('ɪ', 102),
    ('ʝ', 103),
    ('ɯ', 110),
    ('ɰ', 111),
    ('ŋ', 112),
    ('ɳ', 113),
    ('ɲ', 114),
    ('ɴ', 115),
    ('ø', 116),
    ('ɸ', 118),
    ('θ', 119),
    ('œ', 120),
    ('ɹ', 123),
    ('ɾ', 125),
    ('ɻ', 126),
    ('ʁ', 128),
    ('ɽ', 129),
    ('ʂ', 130),
    ('ʃ', 131),
    ('ʈ', 132),
    ('ʧ', 133),
    ('ʊ', 135),
    ('ʋ', 136),
    ('ʌ', 138),
    ('ɣ', 139),
    ('ɤ', 140),
    ('χ', 142),
    ('ʎ', 143),
    ('ʒ', 147),
    ('ʔ', 148),
    ('ˈ', 156),
    ('ˌ', 157),
    ('ː', 158),
    ('ʰ', 162),
    ('ʲ', 164),
    ('↓', 169),
    ('→', 171),
    ('↗', 172),
    ('↘', 173),
    ('ᵻ', 177),
];

/// espeak-ng's way of writing English sounds, and misaki's.
const ENGLISH: [(&str, &str); 15] = [
    ("aɪ", "I"),
    ("aʊ", "W"),
    ("dʒ", "ʤ"),
    ("eɪ", "A"),
    ("tʃ", "ʧ"),
    ("ɔɪ", "Y"),
    ("əʊ", "Q"),
    ("oʊ", "O"),
    ("ɚ", "əɹ"),
    ("ɜː", "ɜɹ"),
    ("ɐ", "ə"),
    ("əl", "ᵊl"),
    ("r", "ɹ"),
    ("x", "k"),
    ("ɬ", "l"),
];
/// The same for other languages.
const ELSEWHERE: [(&str, &str); 3] = [("dʒ", "ʤ"), ("tʃ", "ʧ"), ("ts", "ʦ")];

/// Loaded weights, shared by any number of voices and speakers.
#[derive(Clone)]
pub struct Kokoro {
    model: Arc<Model>,
    tokens: NodeId,
    style: NodeId,
    speed: NodeId,
    audio: NodeId,
    threads: usize,
}

impl Kokoro {
    /// `threads`: for each speaker.
    ///
    /// # Errors
    /// [`SpeechError::Model`] where the file is not there or not this model.
    pub fn load(onnx: &Path, threads: usize) -> Result<Self, SpeechError> {
        let bad = |why: String| missing(onnx, &why);
        let model = ModelOptions::with_all_ops()
            .prepack_weights(true)
            .load_file(onnx)
            .map_err(|e| bad(e.to_string()))?;
        let node = |name: &str| {
            model
                .node_id(name)
                .map_err(|_| bad("it is not Kokoro".into()))
        };
        Ok(Self {
            tokens: node("tokens")?,
            style: node("style")?,
            speed: node("speed")?,
            audio: node("audio")?,
            model: Arc::new(model),
            threads: threads.max(1),
        })
    }

    /// A voice's file: rows of style, by the number of phonemes. `voice`: its name, as `af_heart`; the first letter is its language.
    ///
    /// # Errors
    /// [`SpeechError::Model`] where the file is not there or no voice, or its language cannot be written in phonemes here.
    pub fn voice(&self, file: &Path, voice: &str) -> Result<KokoroVoice, SpeechError> {
        let bytes = std::fs::read(file).map_err(|e| missing(file, &e.to_string()))?;
        let rows: Vec<f32> = bytes
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect();
        if bytes.len() != MOST_PHONEMES * STYLE * 4 || rows.iter().any(|v| !v.is_finite()) {
            return Err(missing(file, "it is no voice of Kokoro"));
        }
        let espeak = spelling(voice).ok_or_else(|| {
            SpeechError::Model(format!(
                "the voice {voice} speaks a language whose pronunciation is not known here; take one of English, Spanish, French, \
                 Italian, Portuguese or Hindi"
            ))
        })?;
        Ok(KokoroVoice {
            kokoro: self.clone(),
            rows: rows.into(),
            name: format!("kokoro:{voice}"),
            espeak,
        })
    }
}

/// espeak-ng's name for a voice's language.
fn spelling(voice: &str) -> Option<&'static str> {
    Some(match voice.chars().next()? {
        'a' => "en-us",
        'b' => "en-gb",
        'e' => "es",
        'f' => "fr-fr",
        'h' => "hi",
        'i' => "it",
        'p' => "pt-br",
        _ => return None,
    })
}

fn missing(file: &Path, why: &str) -> SpeechError {
    SpeechError::Model(format!(
        "{}: {why}; fetch it with `firstline models pull kokoro`",
        file.display()
    ))
}

/// One voice of the model.
#[derive(Clone)]
pub struct KokoroVoice {
    kokoro: Kokoro,
    rows: Arc<[f32]>,
    name: String,
    espeak: &'static str,
}

impl KokoroVoice {
    /// One thread's speaker, with an espeak-ng process of its own.
    ///
    /// # Errors
    /// [`SpeechError::Model`] where espeak-ng is not installed.
    pub fn worker(&self) -> Result<KokoroSpeaker, SpeechError> {
        Ok(KokoroSpeaker {
            espeak: Espeak::new(self.espeak)?,
            pool: Arc::new(ThreadPool::with_num_threads(self.kokoro.threads)),
            voice: self.clone(),
        })
    }
}

/// One thread's speaker.
pub struct KokoroSpeaker {
    espeak: Espeak,
    pool: Arc<ThreadPool>,
    voice: KokoroVoice,
}

impl KokoroSpeaker {
    fn run(&self, ids: Vec<i32>, seed: u64) -> Result<Vec<f32>, SpeechError> {
        let kokoro = &self.voice.kokoro;
        let row = (ids.len() - 2) * STYLE;
        let style = self.voice.rows[row..row + STYLE].to_vec();
        let inputs = vec![
            (
                kokoro.tokens,
                NdTensor::from_data([1, ids.len()], ids).into(),
            ),
            (kokoro.style, NdTensor::from_data([1, STYLE], style).into()),
            (kokoro.speed, NdTensor::from_data([1], vec![1.0f32]).into()),
        ];
        let options = RunOptions::default().with_thread_pool(Some(self.pool.clone()));
        let failed = |why: String| SpeechError::Engine(format!("the voice failed: {why}"));
        let mut out = self
            .pool
            .run(|| {
                fastrand::seed(seed);
                kokoro.model.run(inputs, &[kokoro.audio], Some(options))
            })
            .map_err(|e| failed(e.to_string()))?;
        let sound: Tensor<f32> = out
            .remove(0)
            .try_into()
            .map_err(|_| failed("it gave something that is not sound".into()))?;
        Ok(sound.to_vec())
    }
}

impl Synthesizer for KokoroSpeaker {
    fn voice(&self) -> &str {
        &self.voice.name
    }

    fn synthesize(&mut self, clause: &str) -> Result<Vec<i16>, SpeechError> {
        let phonemes = self.espeak.phonemes(clause)?;
        let ids = ids(&phonemes, self.voice.espeak.starts_with("en"));
        if ids.len() <= 2 {
            return Ok(Vec::new());
        }
        if ids.len() > MOST_PHONEMES {
            return Err(SpeechError::Input(
                "this clause is too long to be said in one piece; split it at its sentences".into(),
            ));
        }
        let sound = self.run(ids, super::cache::key("", clause).seed())?;
        if sound.iter().any(|s| !s.is_finite()) {
            return Err(SpeechError::Engine(
                "the voice gave something that is not sound".into(),
            ));
        }
        Ok(resample_all(
            &voice::finish(sound, ITS_RATE),
            ITS_RATE,
            RATE,
        ))
    }
}

/// Phonemes as the model's numbers, with its marks at both ends. Sounds it was not taught are left out.
fn ids(phonemes: &str, english: bool) -> Vec<i32> {
    let table: &[(&str, &str)] = if english { &ENGLISH } else { &ELSEWHERE };
    let mut text = phonemes.to_owned();
    for (from, to) in table {
        text = text.replace(from, to);
    }
    let known = |c: char| SYMBOLS.iter().find(|(s, _)| *s == c).map(|(_, id)| *id);
    let mut ids = vec![0];
    // English writes its long vowels by letter alone.
    ids.extend(
        text.chars()
            .filter(|c| !english || *c != 'ː')
            .filter_map(known),
    );
    ids.push(0);
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phonemes_become_the_models_numbers() {
        // "pˈAmənt dˈu." in misaki's letters.
        assert_eq!(
            ids("pˈeɪmənt dˈuː.", true),
            [0, 58, 156, 24, 55, 83, 56, 62, 16, 46, 156, 63, 4, 0]
        );
        assert_eq!(ids("☃", true), [0, 0]);
        // Elsewhere length stays.
        assert_eq!(ids("aː", false), [0, 43, 158, 0]);
    }

    #[test]
    fn a_voice_tells_its_language() {
        assert_eq!(spelling("ef_dora"), Some("es"));
        assert_eq!(spelling("jf_alpha"), None);
    }
}
