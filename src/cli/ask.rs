//! `firstline ask`: one decision per question. Nothing is done: an action is decided, no back office is touched.

use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use serde::Deserialize;

use crate::config::Config;
use crate::desk::{Conversation, Decision, Desk, Reply, Said};
use crate::reason::Embedder;
use crate::runtime::clock;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  firstline ask --desk examples/larchpay \"When is my payment due?\"
  firstline ask --desk examples/larchpay --jsonl < questions.jsonl

Each question is a caller's of whom nothing is known. With --jsonl: {\"id\",\"text\"} lines in, one decision line out for each, in order.")]
pub struct Args {
    /// The desk's directory
    #[arg(long)]
    pub desk: PathBuf,
    /// JSON lines in and out
    #[arg(long)]
    pub jsonl: bool,
    /// Where the models are, if not where `firstline models` keeps them
    #[arg(long)]
    pub models: Option<PathBuf>,
    /// Go by words alone, without the sentence encoder
    #[arg(long)]
    pub words: bool,
    /// Configuration file: its language model words the answers, where it names one
    #[arg(long)]
    pub config: Option<PathBuf>,
    /// Questions; without any they are read from stdin, one a line
    pub questions: Vec<String>,
}

#[derive(Deserialize)]
struct Question {
    id: Option<serde_json::Value>,
    text: String,
}

pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    clock::fixed().map_err(anyhow::Error::msg)?;
    let mut encoder = super::chat::encoder(args.models.as_deref(), args.words);
    let desk = super::chat::load(&args.desk, &mut encoder)?;
    let mut out = std::io::stdout().lock();
    let mut misused = false;
    // Without a model there is nothing in a line's configuration that a question needs.
    let named = std::env::vars_os().any(|(name, _)| {
        name.to_str()
            .is_some_and(|name| name.starts_with("FIRSTLINE_LLM__"))
    });
    let models = if named || args.config.is_some() {
        let config = Config::load(args.config.as_deref())
            .map_err(|problems| anyhow!(problems.join("\n")))?;
        super::chat::models(&config)?
    } else {
        None
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start; is this computer out of threads or files?")?;
    let word = |talk: &mut Conversation, reply: &mut Reply| {
        if let Some(models) = &models {
            runtime.block_on(models.word(talk, reply));
        }
    };
    let mut one = |id: String, text: &str, out: &mut dyn Write| -> anyhow::Result<()> {
        let decision = decide(&desk, &mut encoder, id, text, &word)?;
        if args.jsonl {
            writeln!(out, "{}", serde_json::to_string(&decision)?)?;
        } else {
            let route = serde_json::to_value(decision.route)?;
            writeln!(out, "{}", decision.reply)?;
            writeln!(
                out,
                "  {} · {} · confidence {:.2} · {}",
                route.as_str().unwrap_or_default(),
                decision.intent.as_deref().unwrap_or("no intent"),
                decision.confidence,
                decision.reason
            )?;
        }
        out.flush()?;
        Ok(())
    };
    let told = if args.questions.is_empty() {
        let mut failed = Ok(());
        for (at, line) in std::io::stdin().lock().lines().enumerate() {
            let line =
                line.context("stdin cannot be read as UTF-8 text; send the questions as UTF-8")?;
            if line.trim().is_empty() {
                continue;
            }
            let (id, text) = if args.jsonl {
                match serde_json::from_str::<Question>(&line) {
                    Ok(question) => (id_text(question.id, at + 1), question.text),
                    Err(error) => {
                        eprintln!(
                            "firstline: line {}: {error}; write {{\"id\": \"1\", \"text\": \"...\"}}",
                            at + 1
                        );
                        misused = true;
                        continue;
                    }
                }
            } else {
                ((at + 1).to_string(), line)
            };
            failed = one(id, &text, &mut out);
            if failed.is_err() {
                break;
            }
        }
        failed
    } else {
        args.questions
            .iter()
            .enumerate()
            .try_for_each(|(at, text)| one((at + 1).to_string(), text, &mut out))
    };
    match told {
        Err(error) if super::chat::is_closed(&error) => Ok(ExitCode::SUCCESS),
        Err(error) => Err(error),
        Ok(()) if misused => Ok(ExitCode::from(2)),
        Ok(()) => Ok(ExitCode::SUCCESS),
    }
}

/// One decision about a caller of whom nothing is known.
pub(super) fn decide(
    desk: &Arc<Desk>,
    encoder: &mut Option<Box<dyn Embedder>>,
    id: String,
    text: &str,
    word: &dyn Fn(&mut Conversation, &mut Reply),
) -> anyhow::Result<Decision> {
    let now = clock::now();
    let mut talk = Conversation::rehearsal(desk.clone(), &id, now);
    let said = Said {
        text: text.to_owned(),
        vector: super::chat::vector(encoder, text)?,
        beside: super::chat::beside(encoder, &talk, text),
        now,
        ..Said::default()
    };
    let mut reply = talk.hear(&said);
    word(&mut talk, &mut reply);
    let mut decision = reply.decision;
    decision.id = id;
    Ok(decision)
}

fn id_text(id: Option<serde_json::Value>, line: usize) -> String {
    match id {
        Some(serde_json::Value::String(id)) => id,
        Some(serde_json::Value::Null) | None => line.to_string(),
        Some(other) => other.to_string(),
    }
}

/// A mistake in a desk is told whole: one sentence a line.
pub(super) fn desk_error(error: String) -> anyhow::Error {
    anyhow!(error)
}
