//! `firstline kb`: knowledge in, audited, searched.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;

use crate::desk::audit::{self, audit};
use crate::desk::{DeskSource, mine, parse};
use crate::reason::Embedder;
use crate::runtime::{clock, desks};

#[path = "kb_import.rs"]
pub(super) mod import;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Articles and tickets into a desk
    #[command(
        after_help = "Example: firstline kb import help-centre/ --desk mydesk\n\
        Takes a folder of Markdown or HTML, a Zendesk or Intercom export (JSON), or tickets (CSV with a header line).\n\
        Articles go to knowledge/; tickets go to knowledge/tickets.jsonl, which articles outrank.\n\
        --mine groups the tickets' questions instead: what is asked most goes to intents.mined.jsonl, to be read, renamed and added to intents.jsonl."
    )]
    Import(Import),
    /// Contradictions, duplicates, stale articles, gaps, what nothing answers, what nobody finds, sentences nobody can say
    #[command(
        after_help = "Example: firstline kb check --desk examples/larchpay\n         firstline kb check --desk mydesk --calls 30d\n\
        Exit 1 where something contradicts."
    )]
    Check(Check),
    /// The articles that bear on a question, with scores
    #[command(
        after_help = "Example: firstline kb search \"how long do refunds take\" --desk examples/larchpay"
    )]
    Search(Search),
}

#[derive(Debug, clap::Args)]
struct Import {
    /// A folder or a file
    from: PathBuf,
    /// The desk to put it into
    #[arg(long)]
    desk: PathBuf,
    /// Replace articles that are there already
    #[arg(long)]
    replace: bool,
    /// Find what is asked most in a CSV of tickets, and bring in nothing else
    #[arg(long)]
    mine: bool,
    /// Least number of tickets that ask for the same (with --mine)
    #[arg(long, default_value_t = 5, requires = "mine")]
    least: usize,
    #[arg(long, default_value = "models")]
    models: PathBuf,
    /// Go by words alone
    #[arg(long)]
    words: bool,
}

#[derive(Debug, clap::Args)]
struct Check {
    #[arg(long)]
    desk: PathBuf,
    /// Look at the calls taken since then, too (2026-11-01, 7d, 4w): what was asked often and answered badly
    #[arg(long, value_name = "SINCE", value_parser = super::report::since)]
    calls: Option<jiff::Timestamp>,
    /// The configuration that names the store of the calls
    #[arg(long, value_name = "FILE", requires = "calls")]
    config: Option<PathBuf>,
    #[arg(long, default_value = "models")]
    models: PathBuf,
    /// Go by words alone
    #[arg(long)]
    words: bool,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Search {
    /// What a caller would ask
    query: String,
    #[arg(long)]
    desk: PathBuf,
    #[arg(long, default_value = "models")]
    models: PathBuf,
    /// Go by words alone
    #[arg(long)]
    words: bool,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.what {
        What::Import(a) if a.mine => mined(&a),
        What::Import(a) => {
            let done = import::run(&a.from, &a.desk, a.replace)?;
            eprintln!(
                "{} articles and {} tickets brought in, {} left alone because they are there already{}",
                done.articles,
                done.tickets,
                done.kept,
                if done.kept > 0 {
                    " (--replace takes the new ones)"
                } else {
                    ""
                }
            );
            Ok(ExitCode::SUCCESS)
        }
        What::Check(a) => check(&a),
        What::Search(a) => search(&a),
    }
}

fn check(a: &Check) -> anyhow::Result<ExitCode> {
    let files = desks::read(&a.desk).map_err(anyhow::Error::msg)?;
    let source = match parse(&files) {
        Ok(source) => source,
        Err(problems) => {
            for p in &problems {
                println!("{}/{p}", a.desk.display());
            }
            anyhow::bail!(
                "{} mistakes in the desk's files: correct them first",
                problems.len()
            );
        }
    };
    let mut encoder = encoder(a.words, &a.models);
    let (mut vectors, mut readings) = (HashMap::new(), HashMap::new());
    if let Some(e) = &mut encoder {
        vectors = desks::embed(&source.texts(), e.as_mut(), &desks::cache_dir())
            .map_err(anyhow::Error::msg)?;
        let examples: Vec<&str> = source.examples.iter().map(|e| e.text.as_str()).collect();
        let read = e.read(&examples).map_err(anyhow::Error::msg)?;
        readings = examples.iter().map(|t| (*t).to_owned()).zip(read).collect();
    }
    let today = clock::now().to_zoned_datetime(source.config.tz()).date();
    let mut found = audit(&source, &vectors, today);
    let embedder = encoder.as_mut().map(|e| e.as_mut() as &mut dyn Embedder);
    let desk = desks::build(source.clone(), embedder).map_err(anyhow::Error::msg)?;
    found.extend(audit::rehearse(&desk, &source, &readings));
    if let Some(since) = a.calls {
        let Some(config) = super::config(a.config.as_deref()) else {
            return Ok(ExitCode::from(2));
        };
        let records = super::block_on(async {
            let store = crate::runtime::serve::open_store(&config).await?;
            let records = store.records(Some(since)).await?;
            store.close().await;
            Ok::<_, anyhow::Error>(records)
        })??;
        if records.is_empty() {
            eprintln!(
                "no calls since {since} in {}: gaps are looked for in the desk's own examples alone",
                config.storage.url
            );
        }
        found.extend(audit::calls(&source, &records));
    }
    found.sort();
    for f in &found {
        if a.json {
            println!("{}", serde_json::to_string(f)?);
        } else {
            println!(
                "{}/{}:{}: {}: {}",
                a.desk.display(),
                f.file,
                f.line,
                f.kind,
                f.message
            );
            println!("    fix: {}", f.fix);
        }
    }
    let contradictions = found.iter().filter(|f| f.kind == "contradiction").count();
    eprintln!(
        "{} articles read: {} things to look at, {contradictions} of them contradictions",
        source.articles.len(),
        found.len()
    );
    Ok(ExitCode::from(u8::from(contradictions > 0)))
}

/// What is asked most in past tickets, for somebody to read, rename and take over.
fn mined(a: &Import) -> anyhow::Result<ExitCode> {
    let questions = import::questions(&a.from)?;
    let source: DeskSource =
        parse(&desks::read(&a.desk).map_err(anyhow::Error::msg)?).map_err(|problems| {
            let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
            anyhow::anyhow!("{}", lines.join("\n"))
        })?;
    let examples: Vec<(String, String)> = source
        .examples
        .iter()
        .filter_map(|e| Some((e.text.clone(), e.intent.clone()?)))
        .collect();
    let texts: Vec<String> = questions
        .iter()
        .cloned()
        .chain(examples.iter().map(|e| e.0.clone()))
        .collect();
    let vectors = match encoder(a.words, &a.models) {
        Some(mut e) => {
            desks::embed(&texts, e.as_mut(), &desks::cache_dir()).map_err(anyhow::Error::msg)?
        }
        None => HashMap::new(),
    };
    let found = mine::mine(
        &questions,
        &examples,
        &vectors,
        &source.config.language,
        a.least,
    );
    if found.is_empty() {
        anyhow::bail!(
            "no {} of the {} tickets ask for the same: try a smaller --least, or more tickets",
            a.least,
            questions.len()
        );
    }
    let mut lines = String::new();
    for group in &found {
        let share = 100.0 * group.questions.len() as f64 / questions.len() as f64;
        let known = group
            .known
            .as_ref()
            .map_or(String::new(), |k| format!("  (the desk's `{k}`)"));
        println!(
            "{:>6}  {share:>4.1} %  {}{known}",
            group.questions.len(),
            group.name
        );
        for text in group.questions.iter().take(3) {
            println!(
                "               {}",
                text.chars().take(100).collect::<String>()
            );
        }
        for text in group.questions.iter().take(30) {
            let intent = group.known.as_ref().unwrap_or(&group.name);
            lines += &(json!({"text": text, "intent": intent}).to_string() + "\n");
        }
    }
    let path = a.desk.join("intents.mined.jsonl");
    #[allow(clippy::disallowed_methods, reason = "asked for with --mine")]
    std::fs::write(&path, lines)?;
    let covered: usize = found.iter().map(|g| g.questions.len()).sum();
    eprintln!(
        "{} groups hold {covered} of {} tickets; their most typical questions are in {}: read them, rename the intents, and add them to intents.jsonl",
        found.len(),
        questions.len(),
        path.display()
    );
    Ok(ExitCode::SUCCESS)
}

fn encoder(words: bool, models: &std::path::Path) -> Option<Box<dyn Embedder>> {
    if words { None } else { desks::encoder(models) }
}

fn search(a: &Search) -> anyhow::Result<ExitCode> {
    let mut encoder = encoder(a.words, &a.models);
    let vector = match &mut encoder {
        Some(e) => e
            .read_said(&[&a.query])
            .map_err(anyhow::Error::msg)?
            .remove(0),
        None => Vec::new(),
    };
    let embedder = encoder.as_mut().map(|e| e.as_mut() as &mut dyn Embedder);
    let desk = desks::load(&a.desk, embedder).map_err(anyhow::Error::msg)?;
    if desk.articles.is_empty() {
        anyhow::bail!("the desk has no articles: `firstline kb import` brings some in");
    }
    let mut u = desk.understand(&a.query, &vector);
    let answer = desk.best_answer(&a.query, &vector, &mut u);
    if a.json {
        for h in &u.hits {
            println!(
                "{}",
                json!({"id": h.article, "title": h.title, "heading": h.heading, "score": h.score, "text": h.text})
            );
        }
        return Ok(ExitCode::SUCCESS);
    }
    for h in &u.hits {
        let heading = h
            .heading
            .as_ref()
            .map_or(String::new(), |x| format!(" / {x}"));
        println!("{:.3}  {}  {}{heading}", h.score, h.article, h.title);
        println!("       {}", h.text.chars().take(160).collect::<String>());
    }
    if let Some(answer) = answer {
        eprintln!("would say: {}", answer.text);
    }
    Ok(ExitCode::SUCCESS)
}
