//! `firstline chat`: the same core in text.

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use serde::Deserialize;

use crate::backoffice::Backoffice;
use crate::config::Config;
use crate::desk::entity;
use crate::desk::{
    AgentTurn, CallOutcome, CallRecord, Caller, CallerTurn, Conversation, Decision, Desk, Handoff,
    Next, Outcome, Reply, Request, Said, StagesMs, Termination, TurnRecord,
};
use crate::reason::Embedder;
use crate::runtime::model::Models;
use crate::runtime::{actions, clock, desks};
use crate::store::Store;

/// Time for one request to the back office.
const BACKOFFICE: Duration = Duration::from_secs(10);

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  firstline chat --desk examples/larchpay --from +15550100
  printf '{\"say\":\"What is the late fee?\"}\\n' | firstline chat --desk examples/larchpay --jsonl

With --jsonl: one {\"say\"} (or {\"keys\"}) a line in, one decision line out for each, and the call's record as the last line.")]
pub struct Args {
    /// The desk's directory; the configuration's without it
    #[arg(long)]
    pub desk: Option<PathBuf>,
    /// The number the caller rings from; this computer vouches for it
    #[arg(long, value_name = "NUMBER")]
    pub from: Option<String>,
    /// JSON lines in and out
    #[arg(long)]
    pub jsonl: bool,
    /// Configuration file
    #[arg(long)]
    pub config: Option<PathBuf>,
    /// Where the models are, if not where `firstline models` keeps them
    #[arg(long)]
    pub models: Option<PathBuf>,
    /// Go by words alone, without the sentence encoder
    #[arg(long)]
    pub words: bool,
    /// Writes are decided, read back and confirmed, and not sent
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    #[serde(default)]
    say: String,
    #[serde(default)]
    keys: Option<String>,
}

pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    clock::fixed().map_err(anyhow::Error::msg)?;
    let config = Config::load(args.config.as_deref())
        .map_err(|problems| anyhow::anyhow!(problems.join("\n")))?;
    let mut encoder = encoder(args.models.as_deref(), args.words);
    let dir = args.desk.clone().unwrap_or_else(|| config.desk.clone());
    let desk = load(&dir, &mut encoder)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start; is this computer out of threads or files?")?;
    let told = runtime.block_on(talk(&args, &config, desk, encoder));
    match told {
        Err(error) if is_closed(&error) => Ok(ExitCode::SUCCESS),
        other => other,
    }
}

async fn talk(
    args: &Args,
    config: &Config,
    desk: Arc<Desk>,
    mut encoder: Option<Box<dyn Embedder>>,
) -> anyhow::Result<ExitCode> {
    let store = crate::runtime::serve::open_store(config).await?;
    let number = args.from.as_deref().map(|raw| number(raw, &desk));
    let history = match &number {
        Some(number) => store.history(number, 5).await.unwrap_or_default(),
        None => Vec::new(),
    };
    let id = format!("text-{}", uuid::Uuid::now_v7());
    let caller = Caller {
        vouched: number.is_some(),
        number: number.clone(),
        history: history.clone(),
    };
    let started = clock::now();
    let mut call = Call {
        talk: Conversation::new(desk.clone(), caller, &id, started),
        backoffice: actions::backoffice(&desk, BACKOFFICE, true)
            .map_err(anyhow::Error::msg)?
            .map(|office| office.dry(args.dry_run)),
        store,
        id: id.clone(),
        handoff: None,
        over: None,
        started,
    };
    let mut record = CallRecord {
        id,
        channel: "text".into(),
        from: number,
        started_at: started.to_string(),
        history,
        ..CallRecord::default()
    };
    let mut out = std::io::stdout().lock();
    let opening = call.talk.opening();
    let opening = call.follow(opening).await?;
    let models = models(config)?;
    if !args.jsonl {
        writeln!(out, "{}", opening.reply)?;
    }
    record.turns.push(call.turn(0, None, opening));
    let mut misused = false;
    for (at, line) in std::io::stdin().lock().lines().enumerate() {
        let line = line.context("stdin cannot be read as UTF-8 text; send it as UTF-8")?;
        if line.trim().is_empty() {
            continue;
        }
        let line = if args.jsonl {
            match serde_json::from_str::<Line>(&line) {
                Ok(line) => line,
                Err(error) => {
                    eprintln!(
                        "firstline: line {}: {error}; write {{\"say\": \"...\"}}",
                        at + 1
                    );
                    misused = true;
                    continue;
                }
            }
        } else {
            Line {
                say: line,
                keys: None,
            }
        };
        if call.over.is_some() {
            eprintln!(
                "firstline: line {}: the call is over; nothing more is heard",
                at + 1
            );
            continue;
        }
        let said = Said {
            vector: vector(&mut encoder, &line.say)?,
            beside: beside(&mut encoder, &call.talk, &line.say),
            text: line.say.clone(),
            keyed: line.keys.clone(),
            now: clock::now(),
            ..Said::default()
        };
        let mut reply = call.talk.hear(&said);
        if let Some(models) = &models {
            models.word(&mut call.talk, &mut reply).await;
        }
        let decision = call.follow(reply).await?;
        if args.jsonl {
            writeln!(out, "{}", serde_json::to_string(&decision)?)?;
        } else {
            writeln!(out, "{}", decision.reply)?;
        }
        out.flush()?;
        let index = u32::try_from(record.turns.len()).unwrap_or(u32::MAX);
        record.turns.push(call.turn(index, Some(line), decision));
        if !args.jsonl && call.over.is_some() {
            break;
        }
    }
    call.close(&mut record).await;
    if args.jsonl {
        writeln!(out, "{}", serde_json::to_string(&record)?)?;
    } else {
        eprintln!(
            "[{}]",
            serde_json::to_value(record.outcome)?
                .as_str()
                .unwrap_or_default()
        );
    }
    out.flush()?;
    Ok(if misused {
        ExitCode::from(2)
    } else {
        ExitCode::SUCCESS
    })
}

struct Call {
    talk: Conversation,
    backoffice: Option<Backoffice>,
    store: Store,
    id: String,
    handoff: Option<Handoff>,
    /// How it came to its end, once it has.
    over: Option<(CallOutcome, &'static str)>,
    started: jiff::Timestamp,
}

impl Call {
    /// Performs what a reply asks for until it listens again; the decision holds all that was said on the way.
    async fn follow(&mut self, mut reply: Reply) -> anyhow::Result<Decision> {
        let mut said = Vec::new();
        loop {
            if !reply.decision.reply.is_empty() {
                said.push(std::mem::take(&mut reply.decision.reply));
            }
            match reply.next {
                Next::Request(request) => {
                    let before = reply.decision;
                    let outcome = self.perform(&request).await;
                    actions::told(&self.store, &request).await;
                    reply = self.talk.resume(request.id, outcome);
                    // Nothing to say to an outcome: what was decided before it still stands.
                    if reply.say.is_empty() {
                        reply.decision = before;
                    }
                    continue;
                }
                Next::Transfer(handoff) => {
                    self.handoff = Some(*handoff);
                    self.over = Some((CallOutcome::Transferred, "transferred"));
                }
                Next::Callback { callback, end } => {
                    self.store
                        .add_callback(&self.id, &callback)
                        .await
                        .map_err(|error| {
                            anyhow::anyhow!("the callback could not be recorded: {error}")
                        })?;
                    if end {
                        self.over = Some((CallOutcome::Callback, "callback promised"));
                    }
                }
                Next::End => self.over = Some((self.talk.outcome(), "said goodbye")),
                Next::Listen(_) => {}
            }
            let mut decision = reply.decision;
            decision.reply = said.join(" ");
            return Ok(decision);
        }
    }

    async fn perform(&self, request: &Request) -> Outcome {
        match &self.backoffice {
            Some(backoffice) => {
                actions::perform_recorded(&self.store, backoffice, &self.id, request).await
            }
            None => Outcome::Failed("this desk has no [backoffice] url".into()),
        }
    }

    /// Text has no sound: what is said is heard, and times are those of the clock.
    fn turn(&self, index: u32, line: Option<Line>, decision: Decision) -> TurnRecord {
        let ms = u64::try_from(clock::now().duration_since(self.started).as_millis())
            .unwrap_or_default();
        TurnRecord {
            index,
            caller: line.map(|line| CallerTurn {
                text: line.say,
                start_ms: ms,
                end_ms: ms,
                avg_logprob: None,
                keyed: line.keys,
                by: None,
            }),
            agent: (!decision.reply.is_empty()).then(|| AgentTurn {
                text: decision.reply.clone(),
                heard: decision.reply.clone(),
                start_ms: ms,
                end_ms: ms,
            }),
            decision: Some(decision),
            gap_ms: None,
            stages_ms: StagesMs::default(),
            interrupted: false,
        }
    }

    async fn close(&mut self, record: &mut CallRecord) {
        let ended = clock::now();
        let (outcome, cause, reason) = match self.over {
            Some((outcome, reason)) => (outcome, "ours", reason),
            None => (self.talk.outcome(), "caller", "end of input"),
        };
        record.ended_at = Some(ended.to_string());
        record.outcome = Some(outcome);
        record.termination = Termination {
            cause: cause.into(),
            reason: reason.into(),
        };
        record.disclosed = self.talk.disclosed();
        record.verified = self.talk.verified();
        record.actions = self.talk.actions().to_vec();
        record.handoff = self.handoff.take();
        if let Err(error) = self.store.save_call(record).await {
            eprintln!("firstline: the call's record could not be kept: {error}");
        }
        self.store.close().await;
    }
}

/// The number in E.164 where it is one of the desk's country, else as given.
fn number(raw: &str, desk: &Desk) -> String {
    let config = &desk.config;
    let locale = entity::Locale::new(
        &config.language,
        config.currency.as_deref(),
        config.timezone.as_deref(),
    );
    locale
        .ok()
        .and_then(|locale| entity::e164(raw, locale.country()))
        .unwrap_or_else(|| raw.to_owned())
}

/// The language models of the configuration; none where it names none.
pub(super) fn models(config: &Config) -> anyhow::Result<Option<Models>> {
    config
        .llm
        .as_ref()
        .map(|llm| Models::new(llm, None))
        .transpose()
        .map_err(anyhow::Error::msg)
}

/// The sentence encoder, where it is to be used and there.
pub(super) fn encoder(models: Option<&Path>, words: bool) -> Option<Box<dyn Embedder>> {
    if words {
        return None;
    }
    let found = || {
        crate::runtime::models::model_dir("minilm")
            .ok()?
            .parent()
            .map(Path::to_owned)
    };
    let dir = models
        .map(Path::to_owned)
        .or_else(found)
        .unwrap_or_else(crate::runtime::models::dir);
    desks::encoder(&dir)
}

pub(super) fn load(
    dir: &Path,
    encoder: &mut Option<Box<dyn Embedder>>,
) -> anyhow::Result<Arc<Desk>> {
    let embedder = encoder.as_mut().map(|e| e.as_mut() as &mut dyn Embedder);
    desks::load(dir, embedder).map_err(super::ask::desk_error)
}

/// Readings of what else the words may mean; none by words.
pub(super) fn beside(
    encoder: &mut Option<Box<dyn Embedder>>,
    talk: &Conversation,
    text: &str,
) -> Vec<(String, Vec<f32>)> {
    encoder
        .as_mut()
        .map(|encoder| crate::runtime::beside(talk, text, encoder.as_mut()))
        .unwrap_or_default()
}

pub(super) fn vector(
    encoder: &mut Option<Box<dyn Embedder>>,
    text: &str,
) -> anyhow::Result<Vec<f32>> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    match encoder {
        Some(encoder) => {
            let mut vectors = encoder.read_said(&[text]).map_err(anyhow::Error::msg)?;
            Ok(vectors.pop().unwrap_or_default())
        }
        None => Ok(Vec::new()),
    }
}

/// The reader of our output has gone: no mistake of anybody's.
pub(super) fn is_closed(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<std::io::Error>()
        .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
