//! Asks a language model to word what the desk has decided, within the turn's budget, and never at the cost of the reply.
//!
//! The first server is asked; if it is silent for a while, or fails, the second is asked beside it, and whichever first has a sentence
//! that may be said is listened to. No such sentence in time, and the reply goes out as it was. A server that fails again and again is
//! left alone for a while, so that no turn waits for it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{sleep_until, timeout_at};

use crate::config::{Llm, LlmEngine, LlmServer, LlmStructure};
use crate::desk::Reply;
use crate::desk::conversation::Conversation;
use crate::desk::model::{Composer, ModelTrace, Prompt};
use crate::reason::chat::{Server, Settings};
use crate::reason::shape::{Shape, Structure};
use crate::telemetry::{Metric, Metrics};

/// Pieces of an answer that may wait to be read.
const PIECES: usize = 64;
/// Characters of an answer that are kept in the trail.
const KEPT: usize = 2000;
/// Failures in a row after which the model rests, and for how long.
const FAILURES: u32 = 3;
const REST: Duration = Duration::from_secs(30);

/// The language models of a line.
pub struct Models {
    first: Server,
    second: Option<Server>,
    second_after: Duration,
    first_sentence: Duration,
    budget: Duration,
    failing: Mutex<(u32, Option<Instant>)>,
    metrics: Option<Arc<Metrics>>,
}

impl Models {
    /// By configuration.
    ///
    /// # Errors
    /// One sentence about an address or a key.
    pub fn new(llm: &Llm, metrics: Option<Arc<Metrics>>) -> Result<Self, String> {
        Ok(Self {
            first: server(&llm.first, llm)?,
            second: llm.second.as_ref().map(|s| server(s, llm)).transpose()?,
            second_after: llm.second_after,
            first_sentence: llm.first_sentence,
            budget: llm.budget,
            failing: Mutex::default(),
            metrics,
        })
    }

    /// Whether the model has failed too often of late to be asked now. One turn in a while tries it.
    fn rests(&self) -> bool {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        match failing.1 {
            Some(until) if Instant::now() < until => true,
            Some(_) => {
                failing.1 = Some(Instant::now() + REST);
                false
            }
            None => false,
        }
    }

    fn went(&self, well: bool) {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        if well {
            *failing = (0, None);
        } else {
            failing.0 += 1;
            if failing.0 >= FAILURES {
                failing.1 = Some(Instant::now() + REST);
            }
        }
    }

    /// Has the reply worded, where it may be; it is as good as before in any case. The trail is in its decision.
    pub async fn word(&self, talk: &mut Conversation, reply: &mut Reply) {
        let Some(prompt) = talk.prompt() else {
            return;
        };
        let mut trace = ModelTrace {
            task: prompt.task.name().to_owned(),
            server: self.first.name().to_owned(),
            model: self.first.model().to_owned(),
            prompt: prompt.digest(),
            ..ModelTrace::default()
        };
        let words = if self.rests() {
            trace.result = "resting".into();
            None
        } else {
            trace.sent.clone_from(&prompt.data);
            match talk.composer() {
                Some(composer) => self.compose(&prompt, composer, &mut trace).await,
                None => None,
            }
        };
        self.measure(&trace);
        talk.worded(reply, words.as_deref(), trace);
    }

    async fn compose(
        &self,
        prompt: &Prompt,
        composer: Composer<'_>,
        trace: &mut ModelTrace,
    ) -> Option<Vec<String>> {
        let began = tokio::time::Instant::now();
        let first_by = began + self.first_sentence;
        let all_by = began + self.budget;
        let mut attempts = vec![Attempt::begin(&self.first, prompt, composer.clone())];
        let mut waiting = self.second.as_ref();
        let second_at = began + self.second_after;
        // Until somebody has a sentence that may be said.
        let chosen = loop {
            let spent = attempts.iter().all(|attempt| attempt.over);
            if spent && let Some(second) = waiting.take() {
                attempts.push(Attempt::begin(second, prompt, composer.clone()));
                continue;
            }
            if spent {
                break None;
            }
            let (a, b) = attempts.split_at_mut(1);
            let a = &mut a[0];
            let heard = tokio::select! {
                biased;
                () = sleep_until(first_by) => break None,
                () = a.hear(), if !a.over => 0,
                () = Attempt::hear_any(b) => 1,
                () = sleep_until(second_at), if waiting.is_some() => {
                    if let Some(second) = waiting.take() {
                        attempts.push(Attempt::begin(second, prompt, composer.clone()));
                    }
                    continue;
                }
            };
            if attempts
                .get(heard)
                .is_some_and(|attempt| !attempt.said.is_empty())
            {
                break Some(heard);
            }
        };
        let late = chosen.is_none() && attempts.iter().any(|attempt| !attempt.over);
        let answered = attempts
            .iter()
            .any(|attempt| attempt.error.is_none() && attempt.over);
        let mut attempt = attempts.swap_remove(chosen.unwrap_or(0).min(attempts.len() - 1));
        drop(attempts);
        if chosen.is_some() {
            trace.first_ms = Some(began.elapsed().as_millis() as u64);
            while !attempt.over && attempt.composer.is_open() {
                if timeout_at(all_by, attempt.hear()).await.is_err() {
                    attempt.error = Some("the rest did not come in time".into());
                    break;
                }
            }
        }
        let ended = attempt.composer.end();
        trace.ms = began.elapsed().as_millis() as u64;
        attempt.server.0.clone_into(&mut trace.server);
        attempt.server.1.clone_into(&mut trace.model);
        trace.got = attempt.composer.text().chars().take(KEPT).collect();
        trace.kept_back = attempt.composer.kept_back().to_vec();
        trace.error = attempt.error.take().unwrap_or_default();
        trace.result = match (chosen, late) {
            (Some(_), _) => ended.result,
            (None, true) => "late",
            (None, false) if answered => "rejected",
            (None, false) => "failed",
        }
        .into();
        // An answer that is not to be said took no longer than one that is: that is no failure of the server's.
        self.went(matches!(
            trace.result.as_str(),
            "worded" | "partly" | "rejected"
        ));
        chosen?;
        let mut words = std::mem::take(&mut attempt.said);
        words.extend(ended.rest);
        Some(words)
    }

    fn measure(&self, trace: &ModelTrace) {
        let Some(metrics) = &self.metrics else {
            return;
        };
        metrics.count(Metric::ModelUses, &[&trace.task, &trace.result]);
        if let Some(ms) = trace.first_ms {
            metrics.observe(Metric::ModelMs, ms as f64);
        }
    }

    /// One line about each server: whether it answers at all.
    pub async fn reachable(&self, prompt: &Prompt, wait: Duration) -> Vec<Result<String, String>> {
        let mut told = Vec::new();
        for server in std::iter::once(&self.first).chain(&self.second) {
            let (out, mut pieces) = mpsc::channel(PIECES);
            let asking = async {
                let read = async { while pieces.recv().await.is_some() {} };
                tokio::join!(
                    async {
                        let answer = server.ask(prompt, &out).await;
                        drop(out);
                        answer
                    },
                    read
                )
                .0
            };
            let name = format!("{} at {}", server.model(), server.name());
            told.push(match tokio::time::timeout(wait, asking).await {
                Ok(Ok(())) => Ok(format!("{name} answers")),
                Ok(Err(why)) => Err(format!("{name}: {why}")),
                Err(_) => Err(format!("{name} does not answer in {} s", wait.as_secs())),
            });
        }
        told
    }
}

/// One server's answer as it comes.
struct Attempt<'d> {
    server: (String, String),
    pieces: mpsc::Receiver<String>,
    asking: JoinHandle<Result<(), String>>,
    composer: Composer<'d>,
    said: Vec<String>,
    over: bool,
    error: Option<String>,
}

impl<'d> Attempt<'d> {
    fn begin(server: &Server, prompt: &Prompt, composer: Composer<'d>) -> Self {
        let (out, pieces) = mpsc::channel(PIECES);
        let name = (server.name().to_owned(), server.model().to_owned());
        let (server, prompt) = (server.clone(), prompt.clone());
        let asking = tokio::spawn(async move { server.ask(&prompt, &out).await });
        Self {
            server: name,
            pieces,
            asking,
            composer,
            said: Vec::new(),
            over: false,
            error: None,
        }
    }

    /// Takes the next piece. Cancelling it loses nothing.
    async fn hear(&mut self) {
        match self.pieces.recv().await {
            Some(piece) => {
                self.said.extend(self.composer.push(&piece));
                if !self.composer.is_open() {
                    self.over = true;
                }
            }
            None => {
                self.over = true;
                self.error = match (&mut self.asking).await {
                    Ok(answer) => answer.err(),
                    Err(_) => Some("asking it failed inside this program".into()),
                };
            }
        }
    }

    /// The same of the second, where there is one at work.
    async fn hear_any(attempts: &mut [Self]) {
        match attempts.first_mut().filter(|attempt| !attempt.over) {
            Some(attempt) => attempt.hear().await,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.asking.abort();
    }
}

fn server(configured: &LlmServer, llm: &Llm) -> Result<Server, String> {
    Server::new(&Settings {
        shape: match configured.engine {
            LlmEngine::OpenAi => Shape::OpenAi,
            LlmEngine::Anthropic => Shape::Anthropic,
        },
        structure: match configured.structure {
            LlmStructure::Schema => Structure::Schema,
            LlmStructure::Tool => Structure::Tool,
            LlmStructure::Prompt => Structure::Prompt,
        },
        base_url: configured.base_url.as_str(),
        model: &configured.model,
        key: configured.api_key.as_ref().map(|key| key.reveal()),
        connect: llm.first_sentence,
        silence: llm.budget,
    })
}
