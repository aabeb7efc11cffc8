//! `firstline kb`: knowledge in, audited, searched.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;

use crate::desk::audit::audit;
use crate::desk::parse;
use crate::reason::Embedder;
use crate::runtime::{clock, desks};

#[path = "kb_import.rs"]
mod import;

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
        Articles go to knowledge/; tickets go to knowledge/tickets.jsonl, which articles outrank."
    )]
    Import(Import),
    /// Contradictions, duplicates, stale articles, gaps, sentences nobody can say
    #[command(
        after_help = "Example: firstline kb check --desk examples/larchpay\nExit 1 where something contradicts."
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
}

#[derive(Debug, clap::Args)]
struct Check {
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
    let vectors = match encoder(a.words, &a.models) {
        Some(mut e) => desks::embed(&source.texts(), e.as_mut(), &desks::cache_dir())
            .map_err(anyhow::Error::msg)?,
        None => HashMap::new(),
    };
    let today = clock::now().to_zoned_datetime(source.config.tz()).date();
    let found = audit(&source, &vectors, today);
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

fn encoder(words: bool, models: &std::path::Path) -> Option<Box<dyn Embedder>> {
    if words { None } else { desks::encoder(models) }
}

fn search(a: &Search) -> anyhow::Result<ExitCode> {
    let mut encoder = encoder(a.words, &a.models);
    let vector = match &mut encoder {
        Some(e) => e.read(&[&a.query]).map_err(anyhow::Error::msg)?.remove(0),
        None => Vec::new(),
    };
    let embedder = encoder.as_mut().map(|e| e.as_mut() as &mut dyn Embedder);
    let desk = desks::load(&a.desk, embedder).map_err(anyhow::Error::msg)?;
    if desk.articles.is_empty() {
        anyhow::bail!("the desk has no articles: `firstline kb import` brings some in");
    }
    let u = desk.understand(&a.query, &vector);
    let answer = desk.answer(&a.query, &vector, &u);
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
