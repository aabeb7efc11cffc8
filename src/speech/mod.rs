//! Ports between sound and words, and the engines behind them.
//!
//! Engines block: the runtime runs them on its inference threads, one engine a thread, sharing the weights.
#![allow(
    clippy::disallowed_methods,
    reason = "an engine reports how long it took, keeps its deadline, and watches its helper process"
)]

pub mod cache;
pub mod convert;
pub mod digits;
pub mod fallback;
pub mod heard;
pub mod scripted;
pub mod spoken;
pub mod vocabulary;
pub mod voice;

#[cfg(feature = "onnx")]
pub mod espeak;
#[cfg(feature = "onnx")]
pub mod kokoro;
#[cfg(feature = "onnx")]
pub mod log_mel;
#[cfg(feature = "onnx")]
pub mod piper;
#[cfg(feature = "line")]
pub mod remote;
#[cfg(feature = "onnx")]
pub mod silero;
#[cfg(feature = "onnx")]
pub mod smart_turn;
#[cfg(feature = "whisper")]
pub mod whisper;

/// What a recogniser is told about what it is about to hear.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Hints {
    /// The kind of answer that was asked for.
    pub expect: Option<Expect>,
    /// Words likely to come up (company, plans, places), as one short sentence.
    pub prompt: Option<String>,
    /// ISO 639-1 code; `auto` lets a multilingual model decide; none is English.
    pub language: Option<String>,
    /// The desk's own words, put to rights in what was heard.
    pub vocabulary: Option<vocabulary::Shared>,
}

/// The kind of answer that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expect {
    Digits,
    Date,
    Postcode,
    Name,
    YesNo,
}

/// What a recogniser heard, with its evidence.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Transcript {
    pub text: String,
    pub words: Vec<Word>,
    /// Probability that there was no speech, 0 to 1.
    pub no_speech: f32,
    /// Mean natural-log probability of the tokens.
    pub avg_logprob: f32,
    /// Length of the sound, milliseconds.
    pub audio_ms: u32,
    /// Time the engine took, milliseconds.
    pub ms: u32,
    /// ISO 639-1 code of the language it was heard in; none where the engine did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Other readings, the best first, where a kind of answer was expected. The text itself is not among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alternatives: Vec<Alternative>,
}

impl Transcript {
    /// Its words, each with its probability.
    pub fn words_with_p(&self) -> Vec<(&str, f32)> {
        self.words.iter().map(|w| (w.text.as_str(), w.p)).collect()
    }
}

/// Another reading of the same sound.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Alternative {
    pub text: String,
    /// Natural logarithm of how much less probable it is than the transcript's text; 0 is as probable.
    pub worse: f32,
}

/// One word of a transcript.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Word {
    pub text: String,
    pub start_ms: u32,
    pub end_ms: u32,
    /// Probability, 0 to 1: the least probable token of the word.
    pub p: f32,
}

/// Why an engine gave no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpeechError {
    /// The model's files are not there or not right: the sentence says which command fetches them. Do not retry.
    Model(String),
    /// This piece of sound or text could not be processed. Retrying the same will fail the same.
    Input(String),
    /// The engine failed. A retry, or another engine, may work.
    Engine(String),
}

impl std::fmt::Display for SpeechError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (SpeechError::Model(s) | SpeechError::Input(s) | SpeechError::Engine(s)) = self;
        f.write_str(s)
    }
}
impl std::error::Error for SpeechError {}

/// Stops an engine's work under way.
pub type Stopper = std::sync::Arc<dyn Fn() + Send + Sync>;

/// Sound to words.
pub trait Transcriber: Send {
    /// `pcm`: mono at 16 kHz, one utterance. Text is empty where nothing was said.
    fn transcribe(&mut self, pcm: &[i16], hints: &Hints) -> Result<Transcript, SpeechError>;
    /// Cores the next utterance may use. Engines that cannot choose ignore it.
    fn use_threads(&mut self, _threads: usize) {}
    /// Ends the utterance under way with an error, from another thread; none where the engine cannot. Later utterances are not affected.
    fn stopper(&self) -> Option<Stopper> {
        None
    }
}

/// Words to sound.
pub trait Synthesizer: Send {
    /// Names engine and voice of the clause said last (before the first: of the next); part of a cached clause's key.
    fn voice(&self) -> &str;
    /// `clause`: text as it would be read by a person (`spoken` has been applied). Returns mono at 16 kHz.
    fn synthesize(&mut self, clause: &str) -> Result<Vec<i16>, SpeechError>;
    /// The same in pieces, as they are made; `take` says false when no more is wanted. An error may come after some pieces: then
    /// the clause is incomplete.
    fn stream(
        &mut self,
        clause: &str,
        take: &mut dyn FnMut(&[i16]) -> bool,
    ) -> Result<(), SpeechError> {
        let pcm = self.synthesize(clause)?;
        take(&pcm);
        Ok(())
    }
    /// The next clause will come in pieces, sooner than it is whole.
    fn streams(&self) -> bool {
        false
    }
}

impl Synthesizer for Box<dyn Synthesizer> {
    fn voice(&self) -> &str {
        (**self).voice()
    }
    fn synthesize(&mut self, clause: &str) -> Result<Vec<i16>, SpeechError> {
        (**self).synthesize(clause)
    }
    fn stream(
        &mut self,
        clause: &str,
        take: &mut dyn FnMut(&[i16]) -> bool,
    ) -> Result<(), SpeechError> {
        (**self).stream(clause, take)
    }
    fn streams(&self) -> bool {
        (**self).streams()
    }
}

/// Frame-by-frame voice activity: streaming, keeps its own state.
pub trait VoiceActivity: Send {
    /// One 20 ms frame at 16 kHz in; the latest probability of speech out, 0 to 1 (it may lag by up to one model window).
    fn push(&mut self, pcm: &[i16]) -> f32;
    /// Forget what was heard: a new leg, or the caller is back from hold.
    fn reset(&mut self);
}

/// Has the caller finished, or only paused? Judges by the sound: where the voice goes, not what the words are.
pub trait TurnDetector: Send {
    /// `pcm`: the caller's turn so far, mono at 16 kHz, its end right after the last sound of speech (some 100 to 200 ms of quiet may
    /// follow). Only the last eight seconds count. Probability that the turn is complete, 0 to 1. It is evidence beside the
    /// words and the silence, and too weak to decide alone: on telephone sound it is right three times in four.
    fn complete(&mut self, pcm: &[i16]) -> Result<f32, SpeechError>;
    /// Cores the next judgement may use. Detectors that cannot choose ignore it.
    fn use_threads(&mut self, _threads: usize) {}
}
