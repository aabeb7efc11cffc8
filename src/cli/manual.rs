//! `firstline completions` and `firstline man`: for whoever packages this program.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::CommandFactory;

/// Completions for a shell, on stdout.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  firstline completions bash >/etc/bash_completion.d/firstline\n  firstline completions zsh >~/.zfunc/_firstline"
)]
pub struct Completions {
    shell: clap_complete::Shell,
}

/// The manual: one page for the program and one for each command.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  firstline man --out /usr/local/share/man/man1\n  firstline man | man -l -"
)]
pub struct Man {
    /// Every page into this folder; without it the program's own page goes to stdout
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub fn completions(args: Completions) -> anyhow::Result<ExitCode> {
    let mut command = super::Cli::command();
    // Into memory first: a reader that hangs up is no panic.
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut command, "firstline", &mut text);
    put(&text)
}

pub fn man(args: Man) -> anyhow::Result<ExitCode> {
    let mut command = super::Cli::command();
    command.build();
    let Some(dir) = args.out else {
        return put(&page(command)?);
    };
    std::fs::create_dir_all(&dir)?;
    let mut pages = 0;
    let mut waiting = vec![("firstline".to_owned(), command)];
    while let Some((name, command)) = waiting.pop() {
        for below in command.get_subcommands().filter(|c| c.get_name() != "help") {
            let name = format!("{name}-{}", below.get_name());
            let leaked: &'static str = name.clone().leak();
            waiting.push((name, below.clone().name(leaked)));
        }
        std::fs::write(dir.join(format!("{name}.1")), page(command)?)?;
        pages += 1;
    }
    eprintln!("{pages} pages are in {}", dir.display());
    Ok(ExitCode::SUCCESS)
}

fn page(command: clap::Command) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    clap_mangen::Man::new(command).render(&mut text)?;
    Ok(text)
}

fn put(text: &[u8]) -> anyhow::Result<ExitCode> {
    match std::io::stdout().write_all(text) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(e.into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}
