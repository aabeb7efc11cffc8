//! Recognisers over HTTP: one utterance as WAV, its words back. Shapes from the vendors' own pages: OpenAI's "Create transcription"
//! and Deepgram's "Pre-recorded audio".

use reqwest::RequestBuilder;
use serde::Deserialize;

use super::{Service, Way};
use crate::audio::{RATE, wav};
use crate::speech::heard::{self, Loudness};
use crate::speech::{Hints, SpeechError, Transcriber, Transcript, Word};

/// Whose shape a service speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vendor {
    /// `POST /audio/transcriptions`. Many local servers speak it, too.
    OpenAi,
    Deepgram,
}

impl Vendor {
    pub const NAMES: [&'static str; 2] = ["openai", "deepgram"];

    pub fn read(name: &str) -> Option<Self> {
        Some(match name {
            "openai" => Self::OpenAi,
            "deepgram" => Self::Deepgram,
            _ => return None,
        })
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Deepgram => "deepgram",
        }
    }

    pub fn home(self) -> &'static str {
        match self {
            Self::OpenAi => "https://api.openai.com/v1",
            Self::Deepgram => "https://api.deepgram.com",
        }
    }

    pub fn usual_model(self) -> &'static str {
        match self {
            Self::OpenAi => "gpt-4o-mini-transcribe",
            Self::Deepgram => "nova-3",
        }
    }
}

/// One worker's ear at a service.
pub struct RemoteEar {
    way: Way,
    vendor: Vendor,
}

impl RemoteEar {
    /// # Errors
    /// The system gives no connection.
    pub fn new(vendor: Vendor, service: Service) -> Result<Self, SpeechError> {
        Ok(Self {
            way: Way::new(service)?,
            vendor,
        })
    }

    fn request(&self, pcm: &[i16], hints: &Hints) -> Result<RequestBuilder, SpeechError> {
        let service = &self.way.service;
        let sound = wav::write(pcm, RATE, 1);
        let language = hints.language.as_deref().filter(|l| *l != "auto");
        match self.vendor {
            Vendor::OpenAi => {
                // Only these say how sure they are, and only in this way; Whisper's own service does it in `verbose_json`.
                let sure =
                    service.model.contains("transcribe") && !service.model.contains("diarize");
                let verbose = service.model.contains("whisper");
                let mut form = Form::new();
                form.field("model", &service.model);
                form.field(
                    "response_format",
                    if verbose { "verbose_json" } else { "json" },
                );
                if sure {
                    form.field("include[]", "logprobs");
                }
                if let Some(language) = language {
                    form.field("language", language);
                }
                if let Some(prompt) = &hints.prompt {
                    form.field("prompt", prompt);
                }
                form.field("temperature", "0");
                form.file("file", "utterance.wav", "audio/wav", &sound);
                let (kind, body) = form.finish();
                let mut request = self
                    .way
                    .client
                    .post(service.at(&["audio", "transcriptions"])?)
                    .header("Content-Type", kind)
                    .body(body);
                if let Some(key) = &service.key {
                    request = request.bearer_auth(key);
                }
                Ok(request)
            }
            Vendor::Deepgram => {
                let mut url = service.at(&["v1", "listen"])?;
                {
                    let mut query = url.query_pairs_mut();
                    query.append_pair("model", &service.model);
                    query.append_pair("punctuate", "true");
                    query.append_pair("numerals", "true");
                    match language {
                        Some(language) => query.append_pair("language", language),
                        None => query.append_pair("detect_language", "true"),
                    };
                    // The prompt's words one by one: nova-3 takes key terms, the models before it keywords.
                    let term = if service.model.starts_with("nova-3") {
                        "keyterm"
                    } else {
                        "keywords"
                    };
                    for word in hints.prompt.iter().flat_map(|p| terms(p)).take(50) {
                        query.append_pair(term, &word);
                    }
                }
                let key = service.key.as_deref().unwrap_or_default();
                Ok(self
                    .way
                    .client
                    .post(url)
                    .header("Authorization", format!("Token {key}"))
                    .header("Content-Type", "audio/wav")
                    .body(sound))
            }
        }
    }
}

/// The names in a prompt: its words with a capital letter, neighbours together.
fn terms(prompt: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut open = false;
    for word in prompt.split_whitespace() {
        let ends = word.ends_with([',', '.', ';', ':']);
        let plain = word.trim_matches(|c: char| !c.is_alphanumeric());
        let capital = plain.chars().next().is_some_and(char::is_uppercase);
        match out.last_mut() {
            Some(last) if capital && open => {
                last.push(' ');
                last.push_str(plain);
            }
            _ if capital && plain.chars().count() > 2 => out.push(plain.to_owned()),
            _ => {}
        }
        open = capital && !ends;
    }
    out
}

#[derive(Deserialize)]
struct OpenAiAnswer {
    text: String,
    #[serde(default)]
    logprobs: Vec<TokenLogprob>,
    #[serde(default)]
    segments: Vec<Segment>,
}
#[derive(Deserialize)]
struct TokenLogprob {
    logprob: f32,
}
#[derive(Deserialize)]
struct Segment {
    #[serde(default)]
    avg_logprob: f32,
    #[serde(default)]
    no_speech_prob: f32,
}

#[derive(Deserialize)]
struct DeepgramAnswer {
    results: DeepgramResults,
}
#[derive(Deserialize)]
struct DeepgramResults {
    channels: Vec<DeepgramChannel>,
}
#[derive(Deserialize)]
struct DeepgramChannel {
    alternatives: Vec<DeepgramAlternative>,
    detected_language: Option<String>,
}
#[derive(Deserialize)]
struct DeepgramAlternative {
    transcript: String,
    #[serde(default)]
    words: Vec<DeepgramWord>,
}
#[derive(Deserialize)]
struct DeepgramWord {
    word: String,
    punctuated_word: Option<String>,
    start: f32,
    end: f32,
    confidence: f32,
}

/// A service's answer as a transcript.
fn read(vendor: Vendor, body: &[u8], loudness: &Loudness) -> Result<Transcript, String> {
    let ms = |seconds: f32| (seconds.max(0.0) * 1000.0) as u32;
    match vendor {
        Vendor::OpenAi => {
            let answer: OpenAiAnswer = serde_json::from_slice(body).map_err(|e| e.to_string())?;
            let text = answer.text.trim().to_owned();
            let of = |values: Vec<f32>| values.iter().sum::<f32>() / values.len().max(1) as f32;
            // Without a figure the words count as heard well, not as certain.
            let avg_logprob = if !answer.logprobs.is_empty() {
                of(answer.logprobs.iter().map(|t| t.logprob).collect())
            } else if !answer.segments.is_empty() {
                of(answer.segments.iter().map(|s| s.avg_logprob).collect())
            } else {
                -0.2
            };
            let no_speech = answer
                .segments
                .iter()
                .map(|s| s.no_speech_prob)
                .fold(0.0, f32::max);
            Ok(Transcript {
                words: heard::spread(&text, avg_logprob, loudness),
                no_speech: if text.is_empty() { 1.0 } else { no_speech },
                avg_logprob,
                text,
                ..Transcript::default()
            })
        }
        Vendor::Deepgram => {
            let answer: DeepgramAnswer = serde_json::from_slice(body).map_err(|e| e.to_string())?;
            let channel = answer.results.channels.into_iter().next();
            let language = channel.as_ref().and_then(|c| c.detected_language.clone());
            let Some(best) = channel.and_then(|c| c.alternatives.into_iter().next()) else {
                return Err("it holds no transcript".into());
            };
            let words: Vec<Word> = best
                .words
                .into_iter()
                .map(|w| Word {
                    text: w.punctuated_word.unwrap_or(w.word),
                    start_ms: ms(w.start),
                    end_ms: ms(w.end),
                    p: w.confidence.clamp(0.0, 1.0),
                })
                .collect();
            let logs: f32 = words.iter().map(|w| w.p.max(1e-4).ln()).sum();
            Ok(Transcript {
                avg_logprob: logs / words.len().max(1) as f32,
                no_speech: if best.transcript.trim().is_empty() {
                    1.0
                } else {
                    0.0
                },
                text: best.transcript.trim().to_owned(),
                words,
                language,
                ..Transcript::default()
            })
        }
    }
}

impl Transcriber for RemoteEar {
    fn transcribe(&mut self, pcm: &[i16], hints: &Hints) -> Result<Transcript, SpeechError> {
        let begun = std::time::Instant::now();
        let audio_ms = (pcm.len() as u64 * 1000 / u64::from(RATE)) as u32;
        let loudness = heard::loudness(pcm);
        if loudness.is_silence() {
            return Ok(Transcript {
                no_speech: 1.0,
                audio_ms,
                ..Transcript::default()
            });
        }
        let body = self.way.whole(self.request(pcm, hints)?)?;
        let mut transcript = read(self.vendor, &body, &loudness).map_err(|e| {
            self.way
                .service
                .says(format_args!("gave an answer that is no transcript: {e}"))
        })?;
        transcript.audio_ms = audio_ms;
        transcript.ms = begun.elapsed().as_millis() as u32;
        Ok(transcript)
    }
}

/// A `multipart/form-data` body (RFC 7578).
struct Form {
    body: Vec<u8>,
}

impl Form {
    /// In no WAV file and no text; fixed, so that requests are alike.
    const BOUNDARY: &'static str = "firstline-5d1c6c0a3f4b4e2b9a7e8f60";

    fn new() -> Self {
        Self { body: Vec::new() }
    }
    fn field(&mut self, name: &str, value: &str) {
        let value = value.replace(Self::BOUNDARY, "");
        self.body.extend_from_slice(
            format!(
                "--{}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n",
                Self::BOUNDARY
            )
            .as_bytes(),
        );
    }
    fn file(&mut self, name: &str, file: &str, kind: &str, bytes: &[u8]) {
        self.body.extend_from_slice(
            format!(
                "--{}\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{file}\"\r\nContent-Type: {kind}\r\n\r\n",
                Self::BOUNDARY
            )
            .as_bytes(),
        );
        self.body.extend_from_slice(bytes);
        self.body.extend_from_slice(b"\r\n");
    }
    /// The content type and the body.
    fn finish(mut self) -> (String, Vec<u8>) {
        self.body
            .extend_from_slice(format!("--{}--\r\n", Self::BOUNDARY).as_bytes());
        (
            format!("multipart/form-data; boundary={}", Self::BOUNDARY),
            self.body,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_a_prompt_are_terms() {
        assert_eq!(
            terms("A call to Larch Pay about the Flex Plan, late fees and Autopay."),
            ["Larch Pay", "Flex Plan", "Autopay"]
        );
    }
}
