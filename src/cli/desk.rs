//! `firstline desk`: make one, check one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;

use super::articles::{Draft, drafts, slug};
use crate::config::Target;
use crate::desk::{DeskFiles, DeskSource, parse};

/// Make a desk of your own, or check one.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Makes a working desk: asks what it needs to know, imports your help centre
    #[command(
        after_help = "Example:\n  firstline desk new desks/acme --company Acme --agent Sam --human sip:support@10.0.0.5 --import help-centre --yes"
    )]
    New(New),
    /// Says what is wrong with a desk, with file and line
    #[command(after_help = "Example:\n  firstline desk check examples/larchpay")]
    Check { dir: PathBuf },
}

#[derive(Debug, clap::Args)]
struct New {
    dir: PathBuf,
    /// The company's name, as callers know it
    #[arg(long)]
    company: Option<String>,
    /// The assistant's name
    #[arg(long)]
    agent: Option<String>,
    /// Language and country, like en-US
    #[arg(long)]
    language: Option<String>,
    /// Like USD
    #[arg(long)]
    currency: Option<String>,
    /// The line's own number, like +15550100
    #[arg(long)]
    number: Option<String>,
    /// Who takes calls the assistant hands over, like sip:support@10.0.0.5
    #[arg(long)]
    human: Option<String>,
    /// Folder of articles: .md, .html, .txt, or .jsonl with title and text
    #[arg(long, value_name = "DIR")]
    import: Option<PathBuf>,
    /// Ask nothing; take the defaults for what is not given
    #[arg(long)]
    yes: bool,
}

pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.what {
        What::New(new) => make(new),
        What::Check { dir } => check(&dir),
    }
}

/// Reads and checks a desk; every problem with the directory before it.
pub(super) fn read(dir: &Path) -> Result<DeskSource, Vec<String>> {
    let files = crate::runtime::desks::read(dir).map_err(|why| vec![why])?;
    source(dir, &files)
}

fn source(dir: &Path, files: &DeskFiles) -> Result<DeskSource, Vec<String>> {
    parse(files).map_err(|problems| {
        problems
            .iter()
            .map(|p| format!("{}/{p}", dir.display()))
            .collect()
    })
}

fn check(dir: &Path) -> anyhow::Result<ExitCode> {
    match read(dir) {
        Err(problems) => {
            for problem in &problems {
                println!("{problem}");
            }
            eprintln!(
                "firstline: {} to put right",
                count(problems.len(), "problem")
            );
            Ok(ExitCode::from(1))
        }
        Ok(source) => {
            for warning in warnings(&source) {
                println!("{}: warning: {warning}", dir.display());
            }
            eprintln!(
                "{} is good: {}, {}, {}",
                dir.display(),
                count(source.articles.len(), "article"),
                count(source.examples.len(), "example"),
                count(source.actions.len(), "action")
            );
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// What works and will not work well.
fn warnings(source: &DeskSource) -> Vec<String> {
    let mut said = Vec::new();
    if source.articles.is_empty() {
        said.push(
            "there are no articles: the line can answer nothing; add some under knowledge/"
                .to_owned(),
        );
    }
    let mut examples: BTreeMap<&str, usize> = BTreeMap::new();
    for intent in source.examples.iter().filter_map(|e| e.intent.as_deref()) {
        *examples.entry(intent).or_default() += 1;
    }
    let thin: Vec<&str> = examples
        .iter()
        .filter(|(_, n)| **n < 5)
        .map(|(name, _)| *name)
        .collect();
    if !thin.is_empty() {
        said.push(format!(
            "fewer than five examples in intents.jsonl for {}: add sentences as callers say them",
            thin.join(", ")
        ));
    }
    if !source.examples.is_empty() && source.examples.iter().all(|e| e.intent.is_some()) {
        said.push("no example is out of scope (\"intent\": null) in intents.jsonl: a few make it surer of what is not its matter".to_owned());
    }
    said.extend(crate::runtime::queues::doubts(
        &source.config,
        examples.keys().copied(),
    ));
    for action in source
        .actions
        .iter()
        .filter(|a| !examples.contains_key(a.intent.as_str()))
    {
        said.push(format!(
            "action `{}` is for intent `{}`, which has no example: it will not be reached",
            action.name, action.intent
        ));
    }
    said
}

fn make(new: New) -> anyhow::Result<ExitCode> {
    if new
        .dir
        .read_dir()
        .is_ok_and(|mut entries| entries.next().is_some())
    {
        anyhow::bail!(
            "{} is there and not empty; name a new directory",
            new.dir.display()
        );
    }
    let asks = !new.yes;
    let answer = |given: &Option<String>, question: &str, usual: &str| -> anyhow::Result<String> {
        match given {
            Some(given) => Ok(given.trim().to_owned()),
            None if asks => ask(question, usual),
            None => Ok(usual.to_owned()),
        }
    };
    let company = answer(&new.company, "Company, as callers know it", "")?;
    if company.is_empty() {
        eprintln!("firstline: a desk needs the company's name; give it with --company");
        return Ok(ExitCode::from(2));
    }
    let agent = answer(&new.agent, "Name of the assistant", "Robin")?;
    let language = answer(&new.language, "Language and country", "en-US")?;
    let currency = answer(&new.currency, "Currency (empty: the country's)", "")?;
    let number = answer(
        &new.number,
        "The line's own number, like +15550100 (empty: none yet)",
        "",
    )?;
    let human = answer(
        &new.human,
        "Who takes calls that are handed over",
        "sip:human@127.0.0.1:5090",
    )?;
    Target::read(&human).map_err(anyhow::Error::msg)?;
    let import = match (&new.import, asks) {
        (Some(dir), _) => Some(dir.clone()),
        (None, true) => Some(ask("Folder with help articles (empty: none)", "")?)
            .filter(|s| !s.is_empty())
            .map(PathBuf::from),
        (None, false) => None,
    };
    let mut articles = match &import {
        Some(dir) => drafts(dir)?,
        None => Vec::new(),
    };
    if let Some(dir) = import.as_ref().filter(|_| articles.is_empty()) {
        anyhow::bail!(
            "there is no article (.md, .html, .txt, .jsonl) in {}; name the folder that has them",
            dir.display()
        );
    }
    if articles.is_empty() {
        articles.push(starter(&company, &agent));
    }
    let files = desk_files(&company, &agent, &language, &currency, &articles);
    // Checked before a byte is written: a desk that is made is a desk that works.
    source(&new.dir, &files).map_err(|problems| {
        anyhow::anyhow!(
            "what was given does not make a desk:\n{}",
            problems.join("\n")
        )
    })?;
    for (name, text) in &files.0 {
        write(&new.dir.join(name), text)?;
    }
    let config = new.dir.join("firstline.toml");
    write(&config, &line_config(&new.dir, &human, &number))?;
    eprintln!(
        "{}: {}",
        new.dir.display(),
        count(articles.len(), "article")
    );
    eprintln!(
        "Talk to it:        firstline chat --desk {}",
        new.dir.display()
    );
    eprintln!(
        "Check it:          firstline desk check {}",
        new.dir.display()
    );
    eprintln!(
        "Put it on a line:  firstline serve --config {}",
        config.display()
    );
    eprintln!(
        "Then add sentences your callers say to {}",
        new.dir.join("intents.jsonl").display()
    );
    Ok(ExitCode::SUCCESS)
}

/// One line from whoever answers, at a terminal or through a pipe. No more lines: the usual answer.
fn ask(question: &str, usual: &str) -> anyhow::Result<String> {
    let hint = if usual.is_empty() {
        String::new()
    } else {
        format!(" [{usual}]")
    };
    eprint!("{question}{hint}: ");
    std::io::stderr().flush()?;
    let mut line = String::new();
    if std::io::stdin().lock().read_line(&mut line)? == 0 {
        eprintln!("{usual}");
    }
    let said = line.trim();
    Ok(if said.is_empty() {
        usual.to_owned()
    } else {
        said.to_owned()
    })
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    }
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn starter(company: &str, agent: &str) -> Draft {
    Draft {
        title: format!("What this line of {company} can do"),
        text: format!(
            "This is the telephone line of {company}. {agent} is an automated assistant and answers questions from the help articles of {company}. \
             When something needs a person, {agent} brings in a colleague and tells them what it is about, so that nobody has to say it twice."
        ),
    }
}

/// The desk's files, by their names below its directory.
fn desk_files(
    company: &str,
    agent: &str,
    language: &str,
    currency: &str,
    articles: &[Draft],
) -> DeskFiles {
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let greeting =
        format!("Hi, this is {agent}, the automated assistant at {company}. How can I help?");
    let mut desk = format!(
        "company    = {}\nagent_name = {}\ngreeting   = {}\nlanguage   = {}\n",
        quoted(company),
        quoted(agent),
        quoted(&greeting),
        quoted(language)
    );
    if !currency.is_empty() {
        desk += &format!("currency   = {}\n", quoted(currency));
    }
    desk += "# timezone = \"America/New_York\"\n# hours    = [\"mon-fri 08:00-20:00\"]\n\n\
             # Where actions are performed, and how callers prove who they are:\n\
             # [backoffice]\n# url = \"https://api.example.com\"\n# auth_env = \"BACKOFFICE_AUTH\"\n# dry_run = true   # writes are decided and confirmed, and not sent\n\
             # [backoffice.mcp.orders]   # an MCP server: request = { mcp = \"orders\", tool = \"...\", arguments = { ... } }\n# command = [\"orders-mcp\"]   # or url = \"https://...\"\n\
             # [identity]\n# lookup = \"/customers?phone={caller_number}\"\n# factors = [\"postcode\", \"date_of_birth\"]\n";
    let mut files = BTreeMap::new();
    let mut examples = String::new();
    let mut taken = BTreeSet::new();
    for draft in articles {
        let mut id = slug(&draft.title);
        for n in 2.. {
            if taken.insert(id.clone()) {
                break;
            }
            id = format!("{}-{n}", slug(&draft.title));
        }
        let intent = id.replace('-', "_");
        desk += &format!("\n[intent.{intent}]\nmode = \"autonomous\"\n");
        for sentence in sentences(&draft.title) {
            examples += &format!(
                "{}\n",
                serde_json::json!({ "text": sentence, "intent": intent })
            );
        }
        let title = draft.title.replace(['\n', '\r'], " ");
        let head = format!(
            "---\nid: {id}\ntitle: {title}\nintents: [{intent}]\n---\n\n{}\n",
            draft.text.trim()
        );
        files.insert(format!("knowledge/{id}.md"), head);
    }
    for sentence in [
        "what is the weather tomorrow",
        "tell me a joke",
        "who won the match last night",
        "can you order me a pizza",
        "what is the capital of France",
    ] {
        examples += &format!(
            "{}\n",
            serde_json::json!({ "text": sentence, "intent": null })
        );
    }
    files.insert("desk.toml".to_owned(), desk);
    files.insert("intents.jsonl".to_owned(), examples);
    DeskFiles(files)
}

/// A title as callers might say it.
fn sentences(title: &str) -> Vec<String> {
    let plain = title
        .trim()
        .trim_end_matches(['?', '.', '!'])
        .to_lowercase();
    let asks = [
        "how", "what", "when", "where", "why", "who", "can", "do", "does", "is", "are", "will",
        "which", "i",
    ]
    .iter()
    .any(|w| plain.split_whitespace().next() == Some(w));
    if asks {
        vec![
            title.trim().to_owned(),
            plain.clone(),
            format!("I would like to know {plain}"),
            format!("could you tell me {plain}"),
            format!("a question: {plain}"),
        ]
    } else {
        vec![
            title.trim().to_owned(),
            plain.clone(),
            format!("I have a question about {plain}"),
            format!("can you tell me about {plain}"),
            format!("I need help with {plain}"),
        ]
    }
}

fn line_config(dir: &Path, human: &str, number: &str) -> String {
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let caller_id = if number.is_empty() {
        "+15550100"
    } else {
        number
    };
    format!(
        "# A line for this desk. Every other key has its default; see sip-config/firstline.toml.\n\n\
         [desk]\npath = {}\n\n[transfer]\ntargets = [{}]\n\n\
         # The carrier or PBX that sends calls here. Without a trunk only this computer can call.\n\
         # [[trunk]]\n# name = \"carrier\"\n# host = \"sip.example.net\"\n# allow = [\"192.0.2.0/24\"]\n# caller_id = {}\n",
        quoted(&dir.display().to_string()),
        quoted(human),
        quoted(caller_id)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn drafts_of(titles: &[&str]) -> Vec<Draft> {
        titles
            .iter()
            .map(|t| Draft {
                title: (*t).to_owned(),
                text: "Returns are free. Send it back in its box.".to_owned(),
            })
            .collect()
    }

    #[test]
    fn what_is_made_passes_its_own_check() {
        for (company, titles) in [
            (
                "Acme",
                &[
                    "How do I return an item?",
                    "Delivery",
                    "Delivery",
                    "Übergröße & \"quotes\": yes",
                ][..],
            ),
            ("O'Neil \"Bros\" \\ Söhne", &["9 to 5?", "1 + 1"][..]),
        ] {
            let files = desk_files(company, "Sam", "en-GB", "", &drafts_of(titles));
            let source = source(Path::new("d"), &files).unwrap();
            assert_eq!(source.articles.len(), titles.len());
            assert_eq!(source.config.company, company);
            assert!(warnings(&source).is_empty(), "{:?}", warnings(&source));
        }
        let files = desk_files("Acme", "Sam", "en-US", "USD", &[starter("Acme", "Sam")]);
        assert!(source(Path::new("d"), &files).is_ok());
    }

    #[test]
    fn its_configuration_is_read() {
        let text = line_config(
            Path::new("desks/a \"b\""),
            "sip:support@10.0.0.5;ring_s=30",
            "",
        );
        let config = Config::from_parts(Some(("firstline.toml", &text)), &BTreeMap::new()).unwrap();
        assert_eq!(config.desk, PathBuf::from("desks/a \"b\""));
        assert_eq!(config.transfer.targets[0].uri(), "sip:support@10.0.0.5");
    }

    #[test]
    fn what_works_badly_is_warned_about() {
        let mut files = desk_files("Acme", "Sam", "en-US", "", &drafts_of(&["Delivery"]));
        files.0.insert(
            "intents.jsonl".into(),
            "{\"text\":\"where is it\",\"intent\":\"delivery\"}\n".into(),
        );
        let source = source(Path::new("d"), &files).unwrap();
        let said = warnings(&source);
        assert!(
            said.iter().any(|w| w.contains("fewer than five examples"))
                && said.iter().any(|w| w.contains("out of scope")),
            "{said:?}"
        );
    }
}
