//! `[llm]`: which language model words what the desk has decided, and how long it may take.

use std::time::Duration;

use super::check::{Env, choice, secret, some_text, web_address};
use super::raw::Section;
use super::secret::Secret;

/// A language model, and perhaps a second server for when the first is slow.
#[derive(Debug, Clone)]
pub struct Llm {
    pub first: LlmServer,
    pub second: Option<LlmServer>,
    /// The second is asked, too, when the first has said nothing for this long.
    pub second_after: Duration,
    /// Time for the first sentence that may be said; beyond it the reply goes out as the articles have it.
    pub first_sentence: Duration,
    /// Time for the whole answer.
    pub budget: Duration,
}

#[derive(Debug, Clone)]
pub struct LlmServer {
    pub engine: LlmEngine,
    pub base_url: url::Url,
    pub model: String,
    pub api_key: Option<Secret>,
    pub structure: LlmStructure,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LlmEngine {
    /// Chat completions, as many servers speak them.
    OpenAi,
    /// Anthropic's messages.
    Anthropic,
}

/// How the answer is held to its shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LlmStructure {
    /// A response format with a JSON schema.
    Schema,
    /// A tool that has to be called.
    Tool,
    /// The prompt alone.
    Prompt,
}

pub(super) fn llm(mut s: Section<'_>, env: &Env) -> Option<Llm> {
    let second = s.section("second");
    let first = server(&mut s, env);
    let millis = |s: &mut Section<'_>, key, usual: u64| {
        let read = |text: &str| match text.parse::<u64>() {
            Ok(ms) if (50..=20_000).contains(&ms) => Ok(Duration::from_millis(ms)),
            _ => Err(format!(
                "must be milliseconds from 50 to 20000, not `{text}`"
            )),
        };
        s.get(key, Duration::from_millis(usual), read)
    };
    let first_sentence = millis(&mut s, "first_sentence_ms", 800);
    let budget = millis(&mut s, "budget_ms", 1500);
    if budget < first_sentence {
        s.problem("`llm.budget_ms` is for the whole answer: it must not be less than `llm.first_sentence_ms`");
    }
    let mut second_after = Duration::from_millis(300);
    let second = second.and_then(|mut s| {
        second_after = millis(&mut s, "after_ms", 300);
        let read = server(&mut s, env);
        if first.is_none() {
            s.problem("there is a second language model and no first: set `llm.engine`");
        }
        s.done();
        read
    });
    s.done();
    Some(Llm {
        first: first?,
        second,
        second_after,
        first_sentence,
        budget,
    })
}

fn server(s: &mut Section<'_>, env: &Env) -> Option<LlmServer> {
    let engine = s.get("engine", "none".to_owned(), |t| {
        choice(t, &["none", "openai", "anthropic"])
    });
    let base_url = s.maybe("base_url", |t| web_address(t, &["https", "http"]));
    let model = s.maybe("model", some_text);
    let api_key = secret(s, "api_key_env", env);
    let structure = s.get("structure", LlmStructure::Schema, |t| {
        choice(t, &["schema", "tool", "prompt"]).map(|word| match word.as_str() {
            "tool" => LlmStructure::Tool,
            "prompt" => LlmStructure::Prompt,
            _ => LlmStructure::Schema,
        })
    });
    let (engine, usual) = match engine.as_str() {
        "openai" => (LlmEngine::OpenAi, None),
        "anthropic" => (
            LlmEngine::Anthropic,
            url::Url::parse("https://api.anthropic.com/v1").ok(),
        ),
        _ => return None,
    };
    match (base_url.or(usual), model) {
        (Some(base_url), Some(model)) => Some(LlmServer {
            engine,
            base_url,
            model,
            api_key,
            structure,
        }),
        _ => {
            s.problem(match engine {
                LlmEngine::OpenAi => "llm.engine = \"openai\" needs `base_url` and `model`",
                LlmEngine::Anthropic => "llm.engine = \"anthropic\" needs `model`",
            });
            None
        }
    }
}
