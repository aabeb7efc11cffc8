//! Whisper, through whisper.cpp in this process. The only file that knows of `whisper_rs`.
//!
//! Live, an utterance is read greedily in one piece, with the encoder shown little more than the sound (the model pads to
//! 30 s otherwise and takes three times as long). A short context makes Whisper go round in circles now and then; such a pass
//! is seen and run again with everything to look at. Words it is not sure of are looked for a second time, with five beams. Full
//! quality is whisper.cpp's own default: five beams, whole context, other temperatures where the first try is unsure.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use whisper_rs::{
    FullParams, SamplingStrategy, WhisperContext, WhisperContextParameters, WhisperError,
    WhisperState,
};

use super::heard::{self, Pass, Token};
use super::{Expect, Hints, SpeechError, Transcriber, Transcript};
use crate::audio::RATE;

/// Encoder positions of 30 s: 20 ms each.
const WHOLE_CONTEXT: i32 = 1500;
/// Shorter contexts loop too often. What this one costs in words, the second reading of unsure utterances wins back: it takes less
/// time together than 640 positions for everything, with a fifth fewer errors (101 recorded prompts).
const LEAST_CONTEXT: i32 = 512;
/// Mean natural-log probability of the words below which an utterance is read a second time, with five beams.
const UNSURE: f32 = -0.45;
const BEAMS: SamplingStrategy = SamplingStrategy::BeamSearch {
    beam_size: 5,
    patience: -1.0,
};
/// Longer sound than this is read in full quality, which moves its window along by time stamps.
const LONGEST_LIVE: usize = 28 * RATE as usize;
/// Shorter sound is padded with silence to this: Whisper was never shown less.
const SHORTEST: usize = RATE as usize;
/// How probable another language than the one expected must be before it is believed: an accent is no language.
const SURE_LANGUAGE: f32 = 0.8;
/// And for how long it must have been spoken: a name or a "sí" says too little.
const LEAST_LANGUAGE: usize = 12 * RATE as usize / 10;
/// How likely its words must be, mean natural-log probability.
const LEAST_LOGPROB: f32 = -0.7;
/// Prompt tokens at most. More push the beginning of what is heard out of the model's sight.
const MOST_PROMPT: usize = 48;

/// How much work goes into one utterance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quality {
    /// Greedy, in one piece, short context, loops rerun: a few hundred milliseconds for a call.
    Live,
    /// Five beams, whole context, fallback: whisper.cpp's defaults, for files.
    Full,
}

/// Loaded weights, shared by any number of workers.
#[derive(Clone)]
pub struct Whisper {
    context: Arc<WhisperContext>,
    threads: usize,
    multilingual: bool,
}

impl Whisper {
    /// Loads a ggml file. `threads`: for each worker; 2 where one call has the machine, 1 where many share it.
    ///
    /// # Errors
    /// [`SpeechError::Model`] where the file is not there or not a Whisper model.
    pub fn load(path: &Path, threads: usize) -> Result<Self, SpeechError> {
        // Without a log backend this silences whisper.cpp and ggml.
        whisper_rs::install_logging_hooks();
        if !path.is_file() {
            return Err(SpeechError::Model(format!(
                "{} is not there; fetch it with `firstline models pull`",
                path.display()
            )));
        }
        let context = WhisperContext::new_with_params(path, WhisperContextParameters::default())
            .map_err(|_| {
                SpeechError::Model(format!(
                    "{} is not a Whisper model; fetch it again with `firstline models pull`",
                    path.display()
                ))
            })?;
        Ok(Self {
            multilingual: context.is_multilingual(),
            context: Arc::new(context),
            threads: threads.max(1),
        })
    }

    /// A worker for calls: [`Quality::Live`].
    ///
    /// # Errors
    /// [`SpeechError::Engine`] where its memory (about 100 MB for tiny.en) cannot be had.
    pub fn worker(&self) -> Result<WhisperWorker, SpeechError> {
        self.worker_of(Quality::Live)
    }

    /// A worker of the quality asked for.
    ///
    /// # Errors
    /// As [`Whisper::worker`].
    pub fn worker_of(&self, quality: Quality) -> Result<WhisperWorker, SpeechError> {
        let state = self.context.create_state().map_err(|e| engine(&e))?;
        let stop = Stop::default();
        Ok(WhisperWorker {
            live: self.params(SamplingStrategy::Greedy { best_of: 1 }, true, &stop),
            again: self.params(BEAMS, true, &stop),
            full: self.params(BEAMS, false, &stop),
            model: self.clone(),
            state,
            quality,
            stop,
            budget: None,
            reruns: 0,
            spoken: None,
        })
    }

    /// `one_piece`: without time stamps, other temperatures and what was heard before.
    fn params(
        &self,
        strategy: SamplingStrategy,
        one_piece: bool,
        stop: &Stop,
    ) -> FullParams<'static, 'static> {
        let mut params = FullParams::new(strategy);
        params.set_n_threads(self.threads as i32);
        params.set_print_progress(false);
        params.set_print_realtime(false);
        params.set_print_special(false);
        params.set_print_timestamps(false);
        if one_piece {
            params.set_no_context(true);
            params.set_single_segment(true);
            params.set_no_timestamps(true);
            // No other temperatures: a second try is ours to order.
            params.set_temperature_inc(0.0);
            // whisper.cpp would drop text by a figure that is left over from the utterance before; `heard` judges instead.
            params.set_no_speech_thold(2.0);
        }
        let stop = stop.clone();
        // The type is spelled out because whisper-rs 0.16 hands this closure to C as a pointer to exactly what is passed here
        // after boxing it once more; only a boxed closure makes the two agree. It is never freed, so it is made once a worker.
        let closure: Box<dyn FnMut() -> bool> = Box::new(move || stop.now());
        params.set_abort_callback_safe::<_, Box<dyn FnMut() -> bool>>(closure);
        params
    }
}

/// Stops a worker from another thread; also carries its deadline.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<(AtomicBool, Mutex<Option<Instant>>)>);

impl Stop {
    /// The pass under way ends at the next token with an error. The next utterance is not affected.
    pub fn stop(&self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
    fn begin(&self, deadline: Option<Instant>) {
        self.0.0.store(false, Ordering::Relaxed);
        *self.0.1.lock().unwrap_or_else(PoisonError::into_inner) = deadline;
    }
    fn now(&self) -> bool {
        let late = self
            .0
            .1
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some_and(|d| Instant::now() >= d);
        late || self.0.0.load(Ordering::Relaxed)
    }
}

/// One thread's recogniser: its own state, shared weights.
pub struct WhisperWorker {
    model: Whisper,
    state: WhisperState,
    live: FullParams<'static, 'static>,
    /// For what was not heard clearly: five beams, otherwise as live.
    again: FullParams<'static, 'static>,
    full: FullParams<'static, 'static>,
    quality: Quality,
    stop: Stop,
    budget: Option<Duration>,
    reruns: u64,
    /// The likeliest language of what was encoded last, and its probability.
    spoken: Option<(&'static str, f32)>,
}

impl WhisperWorker {
    /// An utterance that takes longer than this ends in an error (checked between tokens and after the encoder).
    pub fn set_budget(&mut self, budget: Option<Duration>) {
        self.budget = budget;
    }
    /// Stops the utterance under way, from another thread.
    pub fn stopper(&self) -> Stop {
        self.stop.clone()
    }
    /// Utterances that looped and were read again in full.
    pub fn reruns(&self) -> u64 {
        self.reruns
    }

    fn pass(
        &mut self,
        params: FullParams<'static, '_>,
        sound: &[f32],
    ) -> Result<Pass, SpeechError> {
        self.state.full(params, sound).map_err(|e| {
            if self.stop.now() {
                SpeechError::Engine("the recogniser was stopped before it had finished".into())
            } else {
                engine(&e)
            }
        })?;
        let end = self.model.context.token_eot();
        let mut pass = Pass {
            tokens: Vec::new(),
            no_speech: 0.0,
        };
        for segment in self.state.as_iter() {
            pass.no_speech = pass.no_speech.max(segment.no_speech_probability());
            for n in 0..segment.n_tokens() {
                let Some(token) = segment.get_token(n) else {
                    continue;
                };
                if token.token_id() >= end {
                    continue; // markers and time stamps
                }
                let bytes = token.to_bytes().map_err(|e| engine(&e))?.to_vec();
                pass.tokens.push(Token {
                    bytes,
                    logprob: token.token_data().plog,
                });
            }
        }
        // The segments' own figure is taken after the markers of the prompt, where it says little; asking again right after the
        // first marker is what the model was trained for, and costs one step of the decoder.
        if sound.len() <= 30 * RATE as usize
            && let Some(first) = self.first_step()
        {
            pass.no_speech = first.no_speech;
            self.spoken = first.language;
        }
        if pass.tokens.is_empty() {
            pass.no_speech = pass.no_speech.max(0.5);
        }
        Ok(pass)
    }

    /// What the decoder says right after the first marker, of what was encoded last.
    fn first_step(&mut self) -> Option<FirstStep> {
        let context = &self.model.context;
        let (start, none) = (context.token_sot(), context.token_nosp());
        self.state.decode(&[start], 0, self.model.threads).ok()?;
        let logits = self.state.get_logits().ok()?;
        let of_none = *logits.get(usize::try_from(none).ok()?)?;
        let sum: f32 = logits.iter().map(|l| (l - of_none).exp()).sum();
        if sum < 1.0 {
            return None;
        }
        Some(FirstStep {
            no_speech: sum.recip(),
            language: if self.model.multilingual {
                likeliest(logits, usize::try_from(start + 1).ok()?)
            } else {
                None
            },
        })
    }

    fn live(&mut self, sound: &[f32], language: &str, prompt: &[i32]) -> Result<Pass, SpeechError> {
        let seconds = sound.len() as f32 / RATE as f32;
        let allowance = 6 + (5.0 * seconds) as usize;
        let mut params: FullParams<'static, '_> = self.live.clone();
        self.speak(&mut params, language);
        params.set_tokens(prompt);
        let context = ((50.0 * seconds) as i32 + 32).clamp(LEAST_CONTEXT, WHOLE_CONTEXT);
        params.set_audio_ctx(context);
        params.set_max_tokens(allowance as i32);
        let pass = self.pass(params, sound)?;
        if !heard::loops(&pass, allowance) {
            if heard::avg_logprob(&pass.tokens) >= UNSURE || pass.no_speech > 0.5 {
                return Ok(pass);
            }
            // Five beams find the words that one path went past.
            let mut params: FullParams<'static, '_> = self.again.clone();
            self.speak(&mut params, language);
            params.set_tokens(prompt);
            params.set_audio_ctx(context);
            params.set_max_tokens(allowance as i32);
            let mut second = self.pass(params, sound)?;
            heard::halve(&mut second);
            let better = heard::avg_logprob(&second.tokens) > heard::avg_logprob(&pass.tokens)
                && !second.tokens.is_empty()
                && !heard::loops(&second, allowance);
            return Ok(if better { second } else { pass });
        }
        self.reruns += 1;
        let mut params: FullParams<'static, '_> = self.live.clone();
        self.speak(&mut params, language);
        params.set_tokens(prompt);
        params.set_audio_ctx(WHOLE_CONTEXT);
        params.set_max_tokens(2 * allowance as i32);
        let mut pass = self.pass(params, sound)?;
        heard::unloop(&mut pass);
        Ok(pass)
    }

    fn full(&mut self, sound: &[f32], language: &str, prompt: &[i32]) -> Result<Pass, SpeechError> {
        let mut params: FullParams<'static, '_> = self.full.clone();
        self.speak(&mut params, language);
        params.set_tokens(prompt);
        let mut pass = self.pass(params, sound)?;
        heard::unloop(&mut pass);
        Ok(pass)
    }

    fn speak(&self, params: &mut FullParams<'static, '_>, language: &str) {
        // "en" is the default; anything else is a copy that C keeps, a few bytes an utterance.
        if self.model.multilingual
            && language != "en"
            && whisper_rs::get_lang_id(language).is_some()
        {
            params.set_language(Some(static_language(language)));
        }
    }
}

/// What the first step of the decoder tells.
struct FirstStep {
    /// Probability of "no speech".
    no_speech: f32,
    /// The likeliest language and its probability among languages; none for a model of one language.
    language: Option<(&'static str, f32)>,
}

/// The likeliest language: their markers' logits stand in a row from `first` on, in the order of Whisper's ids.
fn likeliest(logits: &[f32], first: usize) -> Option<(&'static str, f32)> {
    let count = usize::try_from(whisper_rs::get_lang_max_id()).ok()? + 1;
    let of = logits.get(first..first.checked_add(count)?)?;
    let (id, best) = of.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1))?;
    let sum: f32 = of.iter().map(|l| (l - best).exp()).sum();
    Some((
        whisper_rs::get_lang_str(i32::try_from(id).ok()?)?,
        sum.recip(),
    ))
}

/// Whisper's own name of a language, which lives as long as the program.
fn static_language(language: &str) -> &'static str {
    whisper_rs::get_lang_id(language)
        .and_then(whisper_rs::get_lang_str)
        .unwrap_or("en")
}

impl Transcriber for WhisperWorker {
    fn stopper(&self) -> Option<super::Stopper> {
        let stop = self.stop.clone();
        Some(Arc::new(move || stop.stop()))
    }

    fn use_threads(&mut self, threads: usize) {
        let threads = threads.clamp(1, 8) as i32;
        self.live.set_n_threads(threads);
        self.again.set_n_threads(threads);
        self.full.set_n_threads(threads);
    }

    fn transcribe(&mut self, pcm: &[i16], hints: &Hints) -> Result<Transcript, SpeechError> {
        let begun = Instant::now();
        self.stop.begin(self.budget.map(|b| begun + b));
        let audio_ms = (pcm.len() as u64 * 1000 / u64::from(RATE)) as u32;
        let loudness = heard::loudness(pcm);
        if loudness.is_silence() {
            return Ok(Transcript {
                no_speech: 1.0,
                audio_ms,
                ..Transcript::default()
            });
        }
        let mut sound: Vec<f32> = pcm.iter().map(|s| f32::from(*s) / 32_768.0).collect();
        sound.resize(sound.len().max(SHORTEST), 0.0);
        let asked = hints.language.as_deref().unwrap_or("en");
        let detect = asked == "auto";
        let language = if detect { "en" } else { asked };
        let prompt = match &hints.prompt {
            Some(text) => self
                .model
                .context
                .tokenize(&text.replace('\0', " "), MOST_PROMPT)
                .unwrap_or_default(),
            None => Vec::new(),
        };
        let short = pcm.len() <= LONGEST_LIVE;
        let live = self.quality == Quality::Live && short;
        let read = |worker: &mut Self, language: &str| {
            if live {
                worker.live(&sound, language, &prompt)
            } else {
                worker.full(&sound, language, &prompt)
            }
        };
        self.spoken = None;
        let mut pass = read(self, language)?;
        let mut heard_in = language;
        // Another language, heard for long enough to be sure, is read again as that one.
        if let Some((spoken, p)) = self.spoken
            && spoken != language
            && (detect || p >= SURE_LANGUAGE)
            && pcm.len() >= LEAST_LANGUAGE
            && pass.no_speech < 0.5
        {
            let other = read(self, spoken)?;
            // Noise is heard as some language or other; words that come out of it are not likely ones.
            if detect || heard::avg_logprob(&other.tokens) > LEAST_LOGPROB {
                (pass, heard_in) = (other, spoken);
            }
        }
        if hints.expect == Some(Expect::Digits) {
            heard::trust_figures(&mut pass);
        }
        let mut transcript = heard::transcript(pass, &loudness, audio_ms);
        // Time stamps take up a very short word's place ("Sure."): without them it is heard.
        if transcript.text.is_empty() && self.quality == Quality::Full && short {
            transcript =
                heard::transcript(self.live(&sound, language, &prompt)?, &loudness, audio_ms);
        }
        if self.model.multilingual && !transcript.text.is_empty() {
            transcript.language = Some(heard_in.to_owned());
        }
        if hints.expect == Some(Expect::Digits) {
            transcript = super::digits::settle(transcript, pcm);
        }
        transcript.ms = begun.elapsed().as_millis() as u32;
        Ok(transcript)
    }
}

fn engine(error: &WhisperError) -> SpeechError {
    SpeechError::Engine(format!("the recogniser failed ({error}); try again"))
}
