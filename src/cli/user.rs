//! `firstline user`, `firstline token`: who may use the console and the API.

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;

use crate::edge::http::{hex_digest, secret};
use crate::runtime::people;
use crate::store::{Pass, Store};

const YEAR_MS: i64 = 365 * 24 * 3600 * 1000;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Lets somebody in, or gives them another password or role
    #[command(after_help = "Example:\n  firstline user add ada --role admin")]
    Add {
        name: String,
        /// agent: calls and callbacks; reviewer: reviews, grades, articles, too; admin: trust, users, drain, too
        #[arg(long, default_value = "agent")]
        role: String,
        /// Take the password from stdin; without it one is made and shown once
        #[arg(long)]
        password_stdin: bool,
    },
    /// Everybody who may log in, and every token
    List,
    /// Lets somebody in no longer; their sessions end
    Remove { name: String },
    /// Makes a token for a program, shown once; good for a year
    #[command(after_help = "Example:\n  firstline user token grafana --role agent")]
    Token {
        name: String,
        #[arg(long, default_value = "agent")]
        role: String,
    },
    /// Takes a token back
    RemoveToken { name: String },
}

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
}

pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Some(config) = super::config(args.config.as_deref()) else {
        return Ok(ExitCode::from(2));
    };
    super::block_on(async {
        let store = Store::open(&config.storage.url).await?;
        let done = carry_out(&store, args.command).await;
        store.close().await;
        done
    })??;
    Ok(ExitCode::SUCCESS)
}

async fn carry_out(store: &Store, command: Command) -> anyhow::Result<()> {
    let by = "command line";
    match command {
        Command::Add {
            name,
            role,
            password_stdin,
        } => {
            let name = people::name(&name).map_err(anyhow::Error::msg)?;
            let role = people::role(&role).map_err(anyhow::Error::msg)?;
            let password = if password_stdin {
                let mut text = String::new();
                std::io::stdin().read_to_string(&mut text)?;
                text.trim_end_matches(['\r', '\n']).to_owned()
            } else {
                secret().chars().take(20).collect()
            };
            let hash = people::hash(&password).map_err(anyhow::Error::msg)?;
            store.put_user(&name, role.word(), &hash).await?;
            store.note_act(by, "user set", &name, role.word()).await?;
            if password_stdin {
                eprintln!("{name} may log in as {}", role.word());
            } else {
                eprintln!(
                    "{name} may log in as {} with this password, shown once:",
                    role.word()
                );
                println!("{password}");
            }
        }
        Command::List => {
            let (users, tokens) = (store.users().await?, store.tokens().await?);
            if users.is_empty() && tokens.is_empty() {
                eprintln!("nobody yet; firstline user add NAME --role admin");
            }
            for user in users {
                println!(
                    "user   {:<24} {:<9} since {}",
                    user.name, user.role, user.created_at
                );
            }
            for token in tokens {
                println!(
                    "token  {:<24} {:<9} since {}",
                    token.name, token.role, token.created_at
                );
            }
        }
        Command::Remove { name } => {
            if !store.remove_user(&name.trim().to_lowercase()).await? {
                bail!("there is no user {name}; firstline user list shows who there is");
            }
            store.note_act(by, "user removed", &name, "").await?;
            eprintln!("{name} may log in no longer");
        }
        Command::Token { name, role } => {
            let name = people::name(&name).map_err(anyhow::Error::msg)?;
            let role = people::role(&role).map_err(anyhow::Error::msg)?;
            let token = secret();
            let pass = Pass {
                digest: hex_digest(&token),
                kind: "token".into(),
                name: name.clone(),
                role: role.word().into(),
                csrf: String::new(),
                created_at: String::new(),
            };
            store.add_pass(&pass, YEAR_MS).await?;
            store.note_act(by, "token made", &name, role.word()).await?;
            eprintln!(
                "send this as `Authorization: Bearer ...`; it is shown once and good for a year:"
            );
            println!("{token}");
        }
        Command::RemoveToken { name } => {
            if store.remove_token(&name.trim().to_lowercase()).await? == 0 {
                bail!("there is no token {name}; firstline user list shows what there is");
            }
            store.note_act(by, "token removed", &name, "").await?;
            eprintln!("the token {name} is good no longer");
        }
    }
    Ok(())
}
