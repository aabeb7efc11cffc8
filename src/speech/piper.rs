//! Piper voices in rten: phonemes to sound. 22.05 kHz inside, 16 kHz out.
//!
//! Input as in Piper's own code: phoneme ids `^ _ (p _)* $`, lengths, and three scales (noise, length, noise of the durations).
//! The model draws random numbers; they are seeded from the text, so that a clause always sounds the same and can be cached.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use rten::{Model, ModelOptions, NodeId, RunOptions, ThreadPool, ValueOrView};
use rten_tensor::NdTensor;
use rten_tensor::Tensor;
use rten_tensor::prelude::*;

use super::espeak::Espeak;
use super::{SpeechError, Synthesizer, voice};
use crate::audio::RATE;
use crate::audio::resample::resample_all;

/// Phonemes of one clause at most: about a minute of speech. Memory grows with the square.
const MOST_PHONEMES: usize = 900;
/// What the part of a VITS model that makes sound of frames (a HiFi-GAN) is given, as the export of `en_US-joe-medium` named it.
const FRAMES: &str = "/Mul_7_output_0";
/// Frames made to sound in one go: 2.2 s at 22.05 kHz. Memory grows with them; each piece costs the frames around it again.
const PIECE: usize = 192;
/// Frames that are heard in a frame's sound, on either side: kernels of 7, 11 and 3 taken once or more over all its stages see 13 at most.
const AROUND: usize = 13;

#[derive(Debug, serde::Deserialize)]
struct Config {
    audio: Audio,
    espeak: EspeakVoice,
    inference: Inference,
    phoneme_id_map: HashMap<String, Vec<i32>>,
}
#[derive(Debug, serde::Deserialize)]
struct Audio {
    sample_rate: u32,
}
#[derive(Debug, serde::Deserialize)]
struct EspeakVoice {
    voice: String,
}
#[derive(Debug, serde::Deserialize)]
struct Inference {
    noise_scale: f32,
    length_scale: f32,
    noise_w: f32,
}

/// A loaded voice, shared by any number of speakers.
#[derive(Clone)]
pub struct Piper {
    voice: Arc<Voice>,
    threads: usize,
    /// None where the model has no such place, or all is wanted in one go: then it is run whole.
    frames: Option<NodeId>,
}

struct Voice {
    name: String,
    model: Model,
    config: Config,
    input: NodeId,
    lengths: NodeId,
    scales: NodeId,
    output: NodeId,
}

impl Piper {
    /// Loads `NAME.onnx` and `NAME.onnx.json` beside it. `threads`: for each speaker; 2 where one call has the machine.
    ///
    /// # Errors
    /// [`SpeechError::Model`] where either file is missing or not a Piper voice.
    pub fn load(onnx: &Path, threads: usize) -> Result<Self, SpeechError> {
        let bad = |why: String| {
            SpeechError::Model(format!(
                "{}: {why}; fetch it with `firstline models pull`",
                onnx.display()
            ))
        };
        let mut json = onnx.as_os_str().to_owned();
        json.push(".json");
        let text =
            read(Path::new(&json)).map_err(|e| bad(format!("its .json cannot be read: {e}")))?;
        let config: Config = serde_json::from_str(&text)
            .map_err(|e| bad(format!("its .json is not a Piper voice's: {e}")))?;
        if !(8_000..=48_000).contains(&config.audio.sample_rate) {
            return Err(bad("its .json gives no usual sample rate".into()));
        }
        let model = ModelOptions::with_all_ops()
            .prepack_weights(true)
            .load_file(onnx)
            .map_err(|e| bad(e.to_string()))?;
        let node = |name: &str| {
            model
                .node_id(name)
                .map_err(|_| bad("it is not a Piper voice".into()))
        };
        let (input, lengths, scales, output) = (
            node("input")?,
            node("input_lengths")?,
            node("scales")?,
            node("output")?,
        );
        let name = onnx
            .file_stem()
            .map_or_else(String::new, |s| s.to_string_lossy().into_owned());
        Ok(Self {
            frames: model.node_id(FRAMES).ok(),
            voice: Arc::new(Voice {
                name: format!("piper:{name}"),
                model,
                config,
                input,
                lengths,
                scales,
                output,
            }),
            threads: threads.max(1),
        })
    }

    /// The same voice making all of a clause's sound in one go, however long: what the sound of pieces is compared with.
    #[must_use]
    pub fn in_one_go(self) -> Self {
        Self {
            frames: None,
            ..self
        }
    }

    /// One thread's speaker, with an espeak-ng process of its own.
    ///
    /// # Errors
    /// [`SpeechError::Model`] where espeak-ng is not installed.
    pub fn worker(&self) -> Result<PiperSpeaker, SpeechError> {
        Ok(PiperSpeaker {
            espeak: Espeak::new(&self.voice.config.espeak.voice)?,
            pool: Arc::new(ThreadPool::with_num_threads(self.threads)),
            voice: self.voice.clone(),
            frames: self.frames,
        })
    }
}

fn read(path: &Path) -> std::io::Result<String> {
    std::fs::read_to_string(path)
}

/// One thread's speaker.
pub struct PiperSpeaker {
    espeak: Espeak,
    pool: Arc<ThreadPool>,
    voice: Arc<Voice>,
    /// None where the model has no such place, or all is wanted in one go: then it is run whole.
    frames: Option<NodeId>,
}

impl Voice {
    /// `^ _ (p _)* $`. Sounds the voice was not taught are left out.
    fn ids(&self, phonemes: &str) -> Vec<i32> {
        let of = |symbol: &str| {
            self.config
                .phoneme_id_map
                .get(symbol)
                .map_or(&[][..], Vec::as_slice)
        };
        let pad = of("_");
        let mut ids = Vec::new();
        ids.extend_from_slice(of("^"));
        ids.extend_from_slice(pad);
        for c in phonemes.chars().take(MOST_PHONEMES) {
            let id = of(c.encode_utf8(&mut [0; 4]));
            if !id.is_empty() {
                ids.extend_from_slice(id);
                ids.extend_from_slice(pad);
            }
        }
        ids.extend_from_slice(of("$"));
        ids
    }

    fn run(
        &self,
        ids: Vec<i32>,
        seed: u64,
        pool: &Arc<ThreadPool>,
        frames: Option<NodeId>,
    ) -> Result<Vec<f32>, SpeechError> {
        let n = ids.len();
        let scale = &self.config.inference;
        let scales = vec![scale.noise_scale, scale.length_scale, scale.noise_w];
        let inputs = vec![
            (self.input, NdTensor::from_data([1, n], ids).into()),
            (
                self.lengths,
                NdTensor::from_data([1], vec![n as i32]).into(),
            ),
            (self.scales, NdTensor::from_data([3], scales).into()),
        ];
        // The model's noise comes from the random numbers of the pool's thread that walks the graph: this one.
        let sound = pool.run(|| {
            fastrand::seed(seed);
            match frames {
                None => self.one(pool, inputs, self.output).map(|s| s.to_vec()),
                Some(frames) => self.in_pieces(pool, frames, &self.one(pool, inputs, frames)?),
            }
        });
        sound.map_err(|why| SpeechError::Engine(format!("the voice failed: {why}")))
    }

    /// Runs the graph as far as `to`.
    fn one(
        &self,
        pool: &Arc<ThreadPool>,
        inputs: Vec<(NodeId, ValueOrView<'_>)>,
        to: NodeId,
    ) -> Result<Tensor<f32>, String> {
        let options = RunOptions::default().with_thread_pool(Some(pool.clone()));
        let mut out = self
            .model
            .run(inputs, &[to], Some(options))
            .map_err(|e| e.to_string())?;
        out.remove(0)
            .try_into()
            .map_err(|_| "it gave something that is not sound".to_owned())
    }

    /// The sound of `[1, channels, frames]`, a piece at a time: all that is heard in a piece is given with it, so its samples are those
    /// of the whole. A long clause takes no more memory than a short one.
    fn in_pieces(
        &self,
        pool: &Arc<ThreadPool>,
        node: NodeId,
        frames: &Tensor<f32>,
    ) -> Result<Vec<f32>, String> {
        let &[1, _, count] = frames.shape() else {
            return Err("its frames have another shape than a voice's".into());
        };
        let mut sound = Vec::new();
        let mut from = 0;
        while from < count {
            // No crumb at the end: what little is left over goes with the last.
            let to = if count - from <= PIECE + 2 * AROUND {
                count
            } else {
                from + PIECE
            };
            let (before, after) = (from.saturating_sub(AROUND), (to + AROUND).min(count));
            let given = frames.slice((.., .., before..after));
            let out = self.one(pool, vec![(node, given.to_tensor().into())], self.output)?;
            let (out, each) = (out.to_vec(), out.len() / (after - before));
            let heard = out.get((from - before) * each..(to - before) * each);
            sound.extend_from_slice(heard.ok_or("it gave less sound than frames")?);
            from = to;
        }
        Ok(sound)
    }
}

impl Synthesizer for PiperSpeaker {
    fn voice(&self) -> &str {
        &self.voice.name
    }

    fn synthesize(&mut self, clause: &str) -> Result<Vec<i16>, SpeechError> {
        let phonemes = self.espeak.phonemes(clause)?;
        if phonemes.is_empty() {
            return Ok(Vec::new());
        }
        if phonemes.chars().count() > MOST_PHONEMES {
            return Err(SpeechError::Input(
                "this clause is too long to be said in one piece; split it at its sentences".into(),
            ));
        }
        let ids = self.voice.ids(&phonemes);
        let seed = super::cache::key("", clause).seed();
        let sound = self.voice.run(ids, seed, &self.pool, self.frames)?;
        if sound.iter().any(|s| !s.is_finite()) {
            return Err(SpeechError::Engine(
                "the voice gave something that is not sound".into(),
            ));
        }
        let rate = self.voice.config.audio.sample_rate;
        // Brought to level first, so that 16 bits lose nothing; resampling keeps the level.
        Ok(resample_all(&voice::finish(sound, rate), rate, RATE))
    }
}
