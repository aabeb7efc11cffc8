//! Voices over HTTP: text in, sound out in pieces as it is made. Shapes from the vendors' own pages: OpenAI's "Create speech",
//! ElevenLabs' "Stream speech", Deepgram's "Text to speech (REST)", Cartesia's "Text to speech (bytes)".

use reqwest::RequestBuilder;
use serde_json::json;

use super::{Service, Way};
use crate::audio::RATE;
use crate::audio::resample::Resampler;
use crate::speech::voice::Finisher;
use crate::speech::{SpeechError, Synthesizer};

/// Whose shape a service speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vendor {
    /// `POST /audio/speech`; raw 16-bit sound at 24 kHz. Many local servers speak it, too.
    OpenAi,
    ElevenLabs,
    Deepgram,
    Cartesia,
}

impl Vendor {
    pub const NAMES: [&'static str; 4] = ["openai", "elevenlabs", "deepgram", "cartesia"];

    pub fn read(name: &str) -> Option<Self> {
        Some(match name {
            "openai" => Self::OpenAi,
            "elevenlabs" => Self::ElevenLabs,
            "deepgram" => Self::Deepgram,
            "cartesia" => Self::Cartesia,
            _ => return None,
        })
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::ElevenLabs => "elevenlabs",
            Self::Deepgram => "deepgram",
            Self::Cartesia => "cartesia",
        }
    }

    /// Where the vendor's own service is.
    pub fn home(self) -> &'static str {
        match self {
            Self::OpenAi => "https://api.openai.com/v1",
            Self::ElevenLabs => "https://api.elevenlabs.io",
            Self::Deepgram => "https://api.deepgram.com",
            Self::Cartesia => "https://api.cartesia.ai",
        }
    }

    /// The model that is asked for where none is named: the quickest of the vendor's.
    pub fn usual_model(self) -> &'static str {
        match self {
            Self::OpenAi => "gpt-4o-mini-tts",
            Self::ElevenLabs => "eleven_flash_v2_5",
            // With Deepgram the voice is the model.
            Self::Deepgram => "aura-2-thalia-en",
            Self::Cartesia => "sonic-3",
        }
    }

    fn rate(self) -> u32 {
        match self {
            Self::OpenAi => 24_000,
            _ => RATE,
        }
    }
}

/// One worker's voice at a service.
pub struct RemoteVoice {
    way: Way,
    vendor: Vendor,
    /// The vendor's name or id of the voice.
    who: String,
    language: String,
    name: String,
    finisher: Finisher,
}

/// What a voice is called in the clause cache: everything that changes its sound.
pub fn cache_name(vendor: Vendor, service: &Service, voice: &str) -> String {
    let host = service.base.host_str().unwrap_or_default();
    format!("{}:{host}:{}:{voice}", vendor.name(), service.model)
}

impl RemoteVoice {
    /// `voice`: the vendor's name or id of it. `language`: ISO 639-1.
    ///
    /// # Errors
    /// The system gives no connection.
    pub fn new(
        vendor: Vendor,
        service: Service,
        voice: &str,
        language: &str,
    ) -> Result<Self, SpeechError> {
        Ok(Self {
            name: cache_name(vendor, &service, voice),
            way: Way::new(service)?,
            vendor,
            who: voice.to_owned(),
            language: language.to_owned(),
            finisher: Finisher::default(),
        })
    }

    fn request(&self, text: &str) -> Result<RequestBuilder, SpeechError> {
        let service = &self.way.service;
        let post = |path: &[&str], query: &[(&str, &str)]| {
            let mut url = service.at(path)?;
            if !query.is_empty() {
                url.query_pairs_mut().extend_pairs(query);
            }
            Ok(self.way.client.post(url))
        };
        let key = service.key.as_deref().unwrap_or_default();
        let model = service.model.as_str();
        Ok(match self.vendor {
            Vendor::OpenAi => {
                let request = post(&["audio", "speech"], &[])?.json(&json!({
                    "model": model, "voice": self.who, "input": text, "response_format": "pcm",
                }));
                // A server of one's own may want no key.
                if key.is_empty() {
                    request
                } else {
                    request.bearer_auth(key)
                }
            }
            Vendor::ElevenLabs => post(
                &["v1", "text-to-speech", &self.who, "stream"],
                &[("output_format", "pcm_16000")],
            )?
            .header("xi-api-key", key)
            .json(&json!({ "text": text, "model_id": model })),
            Vendor::Deepgram => post(
                &["v1", "speak"],
                &[
                    ("model", if self.who.is_empty() { model } else { &self.who }),
                    ("encoding", "linear16"),
                    ("sample_rate", "16000"),
                    ("container", "none"),
                ],
            )?
            .header("Authorization", format!("Token {key}"))
            .json(&json!({ "text": text })),
            Vendor::Cartesia => post(&["tts", "bytes"], &[])?
                .header("Cartesia-Version", "2025-04-16")
                .bearer_auth(key)
                .json(&json!({
                    "model_id": model,
                    "transcript": text,
                    "voice": { "mode": "id", "id": self.who },
                    "language": self.language,
                    "output_format": { "container": "raw", "encoding": "pcm_s16le", "sample_rate": RATE },
                })),
        })
    }
}

impl Synthesizer for RemoteVoice {
    fn voice(&self) -> &str {
        &self.name
    }

    fn streams(&self) -> bool {
        true
    }

    fn synthesize(&mut self, clause: &str) -> Result<Vec<i16>, SpeechError> {
        let mut out = Vec::new();
        self.stream(clause, &mut |pcm| {
            out.extend_from_slice(pcm);
            true
        })?;
        Ok(out)
    }

    fn stream(
        &mut self,
        clause: &str,
        take: &mut dyn FnMut(&[i16]) -> bool,
    ) -> Result<(), SpeechError> {
        if !clause.chars().any(char::is_alphanumeric) {
            return Ok(());
        }
        let request = self.request(clause)?;
        let mut bytes = Bytes::default();
        let mut resampler = Resampler::new(self.vendor.rate(), RATE);
        let finisher = &mut self.finisher;
        finisher.begin();
        let mut sound = Vec::new();
        let mut samples = 0usize;
        let mut wanted = true;
        self.way.stream(request, &mut |piece| {
            let pcm = bytes.samples(piece);
            samples += pcm.len();
            sound.clear();
            resampler.process(&pcm, &mut sound);
            let ready = finisher.push(&sound);
            wanted = ready.is_empty() || take(&ready);
            wanted
        })?;
        if samples == 0 {
            return Err(self.way.service.says("sent no sound"));
        }
        if wanted {
            sound.clear();
            resampler.flush(&mut sound);
            let mut rest = finisher.push(&sound);
            rest.extend(finisher.end());
            if !rest.is_empty() {
                take(&rest);
            }
        }
        Ok(())
    }
}

/// Little-endian 16-bit samples out of pieces that may end in the middle of one. A WAV header that a server puts before raw sound
/// all the same is left out: it would be a click.
#[derive(Default)]
struct Bytes {
    odd: Option<u8>,
    begun: bool,
}

impl Bytes {
    fn samples(&mut self, piece: &[u8]) -> Vec<i16> {
        let mut piece = piece;
        if !self.begun && !piece.is_empty() {
            self.begun = true;
            if piece.starts_with(b"RIFF")
                && let Some(at) = piece.windows(4).position(|w| w == b"data")
            {
                piece = piece.get(at + 8..).unwrap_or_default();
            }
        }
        let mut out = Vec::with_capacity(piece.len() / 2 + 1);
        let mut rest = piece.iter().copied();
        if let Some(low) = self.odd.take() {
            match rest.next() {
                Some(high) => out.push(i16::from_le_bytes([low, high])),
                None => self.odd = Some(low),
            }
        }
        while let Some(low) = rest.next() {
            match rest.next() {
                Some(high) => out.push(i16::from_le_bytes([low, high])),
                None => self.odd = Some(low),
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_survive_any_cut() {
        let pcm: Vec<i16> = (0..500).map(|i| i * 61 - 9000).collect();
        let raw: Vec<u8> = pcm.iter().flat_map(|s| s.to_le_bytes()).collect();
        for size in [1, 2, 3, 7, 64, 999] {
            let mut bytes = Bytes::default();
            let out: Vec<i16> = raw.chunks(size).flat_map(|c| bytes.samples(c)).collect();
            assert_eq!(out, pcm, "{size}");
        }
        let wav = crate::audio::wav::write(&pcm, RATE, 1);
        assert_eq!(Bytes::default().samples(&wav), pcm);
    }
}
