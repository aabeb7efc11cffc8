//! Engines by configuration: one importer of each engine's loader.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use crate::config::{Config, SpeechService, Stt, Tts, is_kokoro};
use crate::desk::Desk;
use crate::reason::Embedder;
use crate::reason::minilm::MiniLm;
use crate::speech::fallback::{FallbackEar, FallbackVoice, Health, Told};
use crate::speech::kokoro::{Kokoro, KokoroVoice};
use crate::speech::piper::Piper;
use crate::speech::remote::{Service, hear, speak};
use crate::speech::silero::Silero;
use crate::speech::smart_turn::SmartTurn;
use crate::speech::spoken::{clauses, spoken};
use crate::speech::vocabulary::InOurWords;
use crate::speech::whisper::Whisper;
use crate::speech::{SpeechError, Synthesizer, Transcriber, TurnDetector};

use super::line::MakeVad;
use super::models;
use super::pool::Engines;

/// The sentence encoder, loaded.
pub fn encoder() -> Result<MiniLm, String> {
    MiniLm::load(&models::model_dir("minilm")?)
}

/// The same, for who needs no more than one.
pub fn embedder() -> Result<Box<dyn Embedder>, String> {
    Ok(Box::new(encoder()?))
}

/// Makes one worker's engines; their weights are loaded once, here, and the encoder's are shared.
pub fn maker(
    config: &Config,
    foreign: &Foreign,
    encoder: MiniLm,
) -> Result<impl Fn() -> Result<Engines, String> + Send + Sync + 'static, String> {
    let ears = Ears::load(&config.stt, 1)?;
    let voices = Voices::load(&config.tts, foreign, 1)?;
    let turn = turn_model()?;
    Ok(move || {
        Ok(Engines {
            transcriber: ears.worker()?,
            synthesizer: voices.worker()?,
            embedder: Some(Box::new(encoder.worker())),
            turn: turn
                .as_ref()
                .map(|t| Box::new(t.worker()) as Box<dyn TurnDetector>),
            heard_in: None,
        })
    })
}

/// Makes voice detectors, one a call.
pub fn vad() -> Result<MakeVad, String> {
    let silero = Silero::load(&models::path("silero-vad", "silero_vad_16k.onnx")?)
        .map_err(|e| e.to_string())?;
    Ok(Box::new(move || Ok(Box::new(silero.stream()))))
}

/// smart-turn; none where it was not fetched: silence and words judge alone then.
///
/// # Errors
/// The file is there and is not the model.
pub fn turn_model() -> Result<Option<SmartTurn>, String> {
    match models::path("smart-turn", "smart-turn-v3.2-cpu.onnx") {
        Ok(path) => SmartTurn::load(&path, 1)
            .map(Some)
            .map_err(|e| e.to_string()),
        Err(_) => Ok(None),
    }
}

/// Recognisers, as configured: one a worker, over shared weights.
pub struct Ears {
    local: Whisper,
    service: Option<(hear::Vendor, Service, Health)>,
}

impl Ears {
    /// `threads`: for each worker.
    ///
    /// # Errors
    /// One sentence that says what to fetch or to set.
    pub fn load(stt: &Stt, threads: usize) -> Result<Self, String> {
        let service = match &stt.service {
            None => None,
            Some(s) => {
                let vendor = hear::Vendor::read(&s.engine)
                    .ok_or_else(|| format!("stt.engine = \"{}\" is not known", s.engine))?;
                let service = service(vendor.name(), vendor.home(), vendor.usual_model(), s)?;
                Some((vendor, service, Health::default()))
            }
        };
        Ok(Self {
            local: Whisper::load(&models::whisper(&stt.model)?, threads)
                .map_err(|e| e.to_string())?,
            service,
        })
    }

    pub fn worker(&self) -> Result<Box<dyn Transcriber>, String> {
        let plain = |e: SpeechError| e.to_string();
        let local = Box::new(self.local.worker().map_err(plain)?);
        let ear: Box<dyn Transcriber> = match &self.service {
            None => local,
            Some((vendor, service, health)) => Box::new(FallbackEar::new(
                Box::new(hear::RemoteEar::new(*vendor, service.clone()).map_err(plain)?),
                local,
                health.clone(),
                told("heard here instead"),
            )),
        };
        Ok(Box::new(InOurWords::new(ear)))
    }
}

/// Voices, as configured: one a worker, over shared weights.
pub struct Voices {
    local: LocalVoice,
    /// By name: what says the clauses of [`Foreign`].
    others: Vec<(String, LocalVoice)>,
    foreign: Foreign,
    service: Option<(speak::Vendor, Service, String, Health)>,
}

/// A voice of this machine.
enum LocalVoice {
    Piper(Piper),
    Kokoro(KokoroVoice),
}

impl LocalVoice {
    fn load(voice: &str, threads: usize) -> Result<Self, String> {
        let plain = |e: SpeechError| e.to_string();
        if is_kokoro(voice) {
            let file = models::path("kokoro", &format!("{voice}.bin"))?;
            let model = models::path("kokoro", "kokoro-v1.0.int8.onnx")?;
            return Kokoro::load(&model, threads)
                .and_then(|k| k.voice(&file, voice))
                .map(Self::Kokoro)
                .map_err(plain);
        }
        let path = models::path(&format!("piper-{voice}"), &format!("{voice}.onnx"))?;
        Piper::load(&path, threads).map(Self::Piper).map_err(plain)
    }

    fn worker(&self) -> Result<Box<dyn Synthesizer>, String> {
        let plain = |e: SpeechError| e.to_string();
        Ok(match self {
            Self::Piper(piper) => Box::new(piper.worker().map_err(plain)?),
            Self::Kokoro(voice) => Box::new(voice.worker().map_err(plain)?),
        })
    }
}

/// The model that a voice of this machine lies in.
pub fn voice_model(voice: &str) -> String {
    if is_kokoro(voice) {
        "kokoro".into()
    } else {
        format!("piper-{voice}")
    }
}

impl Voices {
    /// `threads`: for each worker.
    ///
    /// # Errors
    /// One sentence that says what to fetch or to set.
    pub fn load(tts: &Tts, foreign: &Foreign, threads: usize) -> Result<Self, String> {
        let service = match &tts.service {
            None => None,
            Some(s) => {
                let (vendor, service) = speaking(s)?;
                Some((vendor, service, s.voice.clone(), Health::default()))
            }
        };
        Ok(Self {
            local: LocalVoice::load(&tts.voice, threads)?,
            others: foreign
                .voices()
                .into_iter()
                .map(|voice| Ok((local_name(&voice), LocalVoice::load(&voice, threads)?)))
                .collect::<Result<_, String>>()?,
            foreign: foreign.clone(),
            service,
        })
    }

    pub fn worker(&self) -> Result<Box<dyn Synthesizer>, String> {
        let local = self.local.worker()?;
        let main: Box<dyn Synthesizer> = match &self.service {
            None => local,
            Some((vendor, service, voice, health)) => Box::new(FallbackVoice::new(
                Box::new(
                    speak::RemoteVoice::new(*vendor, service.clone(), voice, "en")
                        .map_err(|e| e.to_string())?,
                ),
                local,
                health.clone(),
                told("said here instead"),
            )),
        };
        if self.others.is_empty() {
            return Ok(main);
        }
        let others = self
            .others
            .iter()
            .map(|(name, voice)| Ok((name.clone(), voice.worker()?)))
            .collect::<Result<_, String>>()?;
        Ok(Box::new(ManyVoices {
            main,
            others,
            foreign: self.foreign.clone(),
            last: None,
        }))
    }
}

/// The clauses that are said in another language than the desk's, as they are spoken, and the voice of each: what `phrases.toml` has
/// under `language.es` and the like, where `[tts.voices]` names a voice for it.
#[derive(Clone, Default)]
pub struct Foreign(Arc<HashMap<String, String>>);

impl Foreign {
    pub fn of(tts: &Tts, desk: &Desk) -> Self {
        let mut out = HashMap::new();
        for (language, voice) in &tts.voices {
            for phrase in desk.phrases.all(&format!("language.{language}")) {
                for clause in clauses(phrase).iter().chain([phrase]) {
                    let words = spoken(clause, &desk.config.language);
                    out.insert(words, voice.clone());
                }
            }
        }
        Self(Arc::new(out))
    }

    /// What a clause is kept under: its voice's name; none where it is not foreign.
    pub fn name_of(&self, words: &str) -> Option<String> {
        self.0.get(words).map(|voice| local_name(voice))
    }

    fn voices(&self) -> BTreeSet<String> {
        self.0.values().cloned().collect()
    }
}

/// A voice for most, and others for the clauses of other languages.
struct ManyVoices {
    main: Box<dyn Synthesizer>,
    others: Vec<(String, Box<dyn Synthesizer>)>,
    foreign: Foreign,
    /// Which of the others spoke last; none: the main one.
    last: Option<usize>,
}

impl Synthesizer for ManyVoices {
    fn voice(&self) -> &str {
        match self.last {
            Some(other) => self.others[other].1.voice(),
            None => self.main.voice(),
        }
    }

    fn streams(&self) -> bool {
        self.main.streams()
    }

    fn synthesize(&mut self, clause: &str) -> Result<Vec<i16>, SpeechError> {
        self.choose(clause).synthesize(clause)
    }

    fn stream(
        &mut self,
        clause: &str,
        take: &mut dyn FnMut(&[i16]) -> bool,
    ) -> Result<(), SpeechError> {
        self.choose(clause).stream(clause, take)
    }
}

impl ManyVoices {
    fn choose(&mut self, clause: &str) -> &mut dyn Synthesizer {
        let name = self.foreign.name_of(clause);
        self.last = name.and_then(|name| self.others.iter().position(|(n, _)| *n == name));
        match self.last {
            Some(other) => self.others[other].1.as_mut(),
            None => self.main.as_mut(),
        }
    }
}

/// What a voice of this machine is called where clauses are kept.
fn local_name(voice: &str) -> String {
    let engine = if is_kokoro(voice) { "kokoro" } else { "piper" };
    format!("{engine}:{voice}")
}

/// What the configured voice is called where clauses are kept.
///
/// # Errors
/// As [`Voices::load`], for a service.
pub fn voice_name(tts: &Tts) -> Result<String, String> {
    Ok(match &tts.service {
        Some(s) => {
            let (vendor, service) = speaking(s)?;
            speak::cache_name(vendor, &service, &s.voice)
        }
        None => local_name(&tts.voice),
    })
}

fn speaking(s: &SpeechService) -> Result<(speak::Vendor, Service), String> {
    let vendor = speak::Vendor::read(&s.engine)
        .ok_or_else(|| format!("tts.engine = \"{}\" is not known", s.engine))?;
    let service = service(vendor.name(), vendor.home(), vendor.usual_model(), s)?;
    Ok((vendor, service))
}

fn service(
    name: &'static str,
    home: &str,
    usual_model: &str,
    s: &SpeechService,
) -> Result<Service, String> {
    let base = match &s.base_url {
        Some(url) => url.clone(),
        None => url::Url::parse(home).map_err(|e| format!("{home}: {e}"))?,
    };
    Ok(Service {
        name,
        base,
        key: s.api_key.as_ref().map(|k| k.reveal().to_owned()),
        model: s.model.clone().unwrap_or_else(|| usual_model.to_owned()),
        patience: Duration::from_millis(s.timeout_ms),
    })
}

fn told(instead: &'static str) -> Told {
    Arc::new(move |error| tracing::warn!("{error}; {instead}"))
}
