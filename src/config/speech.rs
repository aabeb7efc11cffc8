//! `[stt]` and `[tts]`: which engines hear and speak.

use std::collections::BTreeMap;

use super::check::{Env, choice, model_name, secret, some_text, web_address};
use super::raw::Section;
use super::{SpeechService, Stt, Tts};

pub(super) fn stt(mut s: Section<'_>, env: &Env) -> Stt {
    let local = "whisper";
    let engine = s.get("engine", local.to_owned(), |t| {
        choice(t, &["whisper", "openai", "deepgram"])
    });
    let read = if engine == local {
        Stt {
            model: s.get("model", "tiny.en".to_owned(), model_name),
            service: None,
        }
    } else {
        let service = service(&mut s, &engine, 2500, env);
        Stt {
            model: s.get("fallback", "tiny.en".to_owned(), model_name),
            service: Some(service),
        }
    };
    s.done();
    read
}

pub(super) fn tts(mut s: Section<'_>, env: &Env) -> Tts {
    const LOCAL: [&str; 2] = ["piper", "kokoro"];
    let engine = s.get("engine", "piper".to_owned(), |t| {
        choice(
            t,
            &[
                "piper",
                "kokoro",
                "openai",
                "elevenlabs",
                "deepgram",
                "cartesia",
            ],
        )
    });
    let usual = |engine: &str| match engine {
        "kokoro" => "af_heart",
        _ => "en_US-joe-medium",
    };
    let read = if LOCAL.contains(&engine.as_str()) {
        let voice = s.get("voice", usual(&engine).to_owned(), model_name);
        let kokoro = is_kokoro(&voice);
        if kokoro != (engine == "kokoro") {
            s.problem(format!(
                "tts.voice = \"{voice}\" is no voice of tts.engine = \"{engine}\"; `{}` is one",
                usual(&engine)
            ));
        }
        Tts {
            voice,
            voices: voices(&mut s),
            service: None,
        }
    } else {
        let mut service = service(&mut s, &engine, 1200, env);
        service.voice = s.get("voice", String::new(), some_text);
        // With OpenAI's shape a voice has a name that all of its servers know; Deepgram's model is the voice.
        match engine.as_str() {
            "openai" if service.voice.is_empty() => "alloy".clone_into(&mut service.voice),
            "elevenlabs" | "cartesia" if service.voice.is_empty() => {
                s.problem(format!(
                    "tts.engine = \"{engine}\" needs `voice`, the id of one of its voices"
                ));
            }
            _ => {}
        }
        Tts {
            voice: s.get("fallback", usual("piper").to_owned(), model_name),
            voices: voices(&mut s),
            service: Some(service),
        }
    };
    s.done();
    read
}

/// `[tts.voices]`: a voice for each other language that callers are spoken to in.
fn voices(s: &mut Section<'_>) -> BTreeMap<String, String> {
    const LANGUAGES: [&str; 16] = [
        "en", "es", "fr", "de", "it", "pt", "hi", "nl", "pl", "ru", "uk", "tr", "sv", "ro", "vi",
        "ar",
    ];
    let Some(mut of) = s.section("voices") else {
        return BTreeMap::new();
    };
    let read = LANGUAGES
        .iter()
        .filter_map(|code| Some(((*code).to_owned(), of.maybe(code, model_name)?)))
        .collect();
    of.done();
    read
}

/// What the services have in common. `usual_ms`: what a caller can be kept waiting.
fn service(s: &mut Section<'_>, engine: &str, usual_ms: u64, env: &Env) -> SpeechService {
    let base_url = s.maybe("base_url", |t| web_address(t, &["https", "http"]));
    let api_key = secret(s, "api_key_env", env);
    // A server of one's own that speaks OpenAI's shape may want no key; the vendors' own do.
    if api_key.is_none() && (base_url.is_none() || engine != "openai") {
        s.problem(format!(
            "engine = \"{engine}\" needs `api_key_env`, the name of the environment variable that holds the key"
        ));
    }
    SpeechService {
        engine: engine.to_owned(),
        base_url,
        api_key,
        model: s.maybe("model", some_text),
        voice: String::new(),
        timeout_ms: s.get("timeout_ms", usual_ms, milliseconds),
    }
}

fn milliseconds(text: &str) -> Result<u64, String> {
    text.parse()
        .ok()
        .filter(|n| (100..=30_000).contains(n))
        .ok_or_else(|| format!("must be milliseconds, 100 to 30000, not `{text}`"))
}

/// Whether a voice's name is one of Kokoro's: a letter each for language and sex, as in `af_heart`. Piper's begin with a locale.
pub fn is_kokoro(voice: &str) -> bool {
    let (head, name) = voice.split_once('_').unwrap_or_default();
    !name.is_empty()
        && head.len() == 2
        && head.starts_with(|c| "abefhijpz".contains(c))
        && head.ends_with(['f', 'm'])
}
