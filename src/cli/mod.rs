//! The command line: one file a subcommand.
#![allow(
    clippy::disallowed_methods,
    reason = "a command stands at the edge: it reads the clock and waits for what it started"
)]

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod articles;
mod ask;
mod audit;
mod call;
mod chat;
mod desk;
mod doctor;
mod doctor_more;
mod doctor_people;
mod doctor_trunk;
mod drain;
mod eval;
mod eval_numbers;
mod eval_speech;
mod eval_turns;
mod kb;
mod manual;
#[cfg(feature = "mic")]
mod mic;
mod models;
mod privacy;
mod recordings;
mod replay;
mod report;
mod serve;
mod speak;
#[cfg(test)]
mod spoilt;
mod transcribe;
mod user;

/// A phone-support agent: answers calls, knows when it knows, and brings a human in.
#[derive(Debug, Parser)]
#[command(name = "firstline", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The line: SIP, Twilio, API, console
    Serve(serve::Args),
    /// Talk to it through this computer's microphone and loudspeaker
    #[cfg(feature = "mic")]
    Mic(mic::Args),
    /// A caller for testing a line
    Call(Box<call::Args>),
    /// The same core in text
    Chat(chat::Args),
    /// One decision per question
    Ask(ask::Args),
    /// Sound files to words
    Transcribe(transcribe::Args),
    /// Words to a sound file
    Speak(speak::Args),
    /// List, fetch and verify models
    Models(models::Args),
    /// Make a desk, check a desk
    #[command(after_help = "Example:\n  firstline desk new mydesk\n  firstline desk check mydesk")]
    Desk(desk::Args),
    /// What is wrong with this set-up, and what to do
    Doctor(doctor::Args),
    /// Take no new calls, end when the last one has
    Drain(drain::Args),
    /// Knowledge: import, check, search
    #[command(after_help = "Example:\n  firstline kb search --desk examples/larchpay \"late fee\"")]
    Kb(kb::Args),
    /// Score with labelled data
    #[command(
        after_help = "Example:\n  firstline eval retrieval --desk examples/larchpay --test examples/larchpay/questions.jsonl"
    )]
    Eval(eval::Args),
    /// Automation rate and quality, callbacks, savings
    Report(report::Args),
    /// Who may use the console and the API
    #[command(after_help = "Example:\n  firstline user add ada --role admin")]
    User(user::Args),
    /// Check a call's trail is whole and unaltered
    Audit(audit::Args),
    /// Completions for a shell
    Completions(manual::Completions),
    /// The manual's pages
    Man(manual::Man),
    /// What is kept of one caller: hand it out, delete it; decrypt a call
    Privacy(privacy::Args),
    /// Run a recorded call's events through the engine again
    Replay(replay::Args),
}

/// Parses arguments, runs one subcommand, and says what went wrong in one sentence. Exit 0 good, 1 failed, 2 misused.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        Command::Serve(args) => serve::run(args),
        #[cfg(feature = "mic")]
        Command::Mic(args) => mic::run(args),
        Command::Call(args) => call::run(*args),
        Command::Chat(args) => chat::run(args),
        Command::Ask(args) => ask::run(args),
        Command::Transcribe(args) => transcribe::run(args),
        Command::Speak(args) => speak::run(args),
        Command::Models(args) => models::run(args),
        Command::Desk(args) => desk::run(args),
        Command::Doctor(args) => doctor::run(args),
        Command::Drain(args) => drain::run(args),
        Command::Kb(args) => kb::run(args),
        Command::Eval(args) => eval::run(args),
        Command::Report(args) => report::run(args),
        Command::User(args) => user::run(args),
        Command::Audit(args) => audit::run(args),
        Command::Completions(args) => manual::completions(args),
        Command::Man(args) => manual::man(args),
        Command::Privacy(args) => privacy::run(args),
        Command::Replay(args) => replay::run(args),
    };
    done.unwrap_or_else(|error| {
        eprintln!("firstline: {error:#}");
        ExitCode::from(1)
    })
}

/// The configuration, or every mistake in it on stderr.
fn config(path: Option<&std::path::Path>) -> Option<crate::config::Config> {
    match crate::config::Config::load(path) {
        Ok(config) => Some(config),
        Err(problems) => {
            for problem in &problems {
                eprintln!("firstline: {problem}");
            }
            None
        }
    }
}

/// Runs one piece of waiting work to its end.
fn block_on<T>(work: impl Future<Output = T>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(work))
}
