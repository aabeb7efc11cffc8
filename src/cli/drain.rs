//! `firstline drain`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use crate::backoffice::{PostError, poster};
use crate::edge::http::{hex_digest, secret};
use crate::store::{Pass, Store, StoreError};

/// Tells a running line to take no new calls and to end when the last one has.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  firstline drain --config sip-config/firstline.toml")]
pub struct Args {
    /// Configuration of the line that runs: its http.listen and token are used
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Wait so many seconds for its last call to end; 1 where it has not by then
    #[arg(long, value_name = "SECONDS")]
    wait: Option<u64>,
}

pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Some(config) = super::config(args.config.as_deref()) else {
        return Ok(ExitCode::from(2));
    };
    let mut addr = config.http.listen;
    // A line that listens everywhere is reached from here by loopback.
    if addr.ip().is_unspecified() {
        addr.set_ip(if addr.is_ipv4() {
            [127, 0, 0, 1].into()
        } else {
            std::net::Ipv6Addr::LOCALHOST.into()
        });
    }
    let mut headers = Vec::new();
    if let Some(token) = &config.http.token {
        headers.push(("authorization", format!("Bearer {}", token.reveal())));
    } else if let Some(token) = super::block_on(for_a_minute(&config.storage.url))?? {
        headers.push(("authorization", format!("Bearer {token}")));
    }
    let post = poster().map_err(anyhow::Error::msg)?;
    let told = super::block_on(post.send(
        &format!("http://{addr}/api/drain"),
        &headers,
        String::new(),
        Duration::from_secs(5),
    ))?;
    match told {
        Ok(()) => {
            eprintln!("the line at {addr} takes no new calls and ends when the last one has");
            Ok(match args.wait {
                Some(seconds) if !ended(addr, Duration::from_secs(seconds)) => {
                    eprintln!("it has calls yet; they go on");
                    ExitCode::from(1)
                }
                _ => ExitCode::SUCCESS,
            })
        }
        Err(PostError::Later(why)) => anyhow::bail!(
            "no line answers at {addr} ({why}); is it running, and is http.listen the same here?"
        ),
        Err(PostError::Refused(why)) => anyhow::bail!(
            "the line at {addr} refused ({why}); set {} to its token",
            config.http.token_env
        ),
    }
}

/// Nothing listens there any more.
fn ended(addr: std::net::SocketAddr, within: Duration) -> bool {
    let until = std::time::Instant::now() + within;
    loop {
        match std::net::TcpStream::connect_timeout(&addr, Duration::from_secs(2)) {
            Err(e) if e.kind() == std::io::ErrorKind::ConnectionRefused => return true,
            _ if std::time::Instant::now() >= until => return false,
            _ => std::thread::sleep(Duration::from_millis(500)),
        }
    }
}

/// A token of our own, where people log in and no token is configured: whoever may write to the line's database may drain the line.
async fn for_a_minute(url: &str) -> Result<Option<String>, StoreError> {
    let store = Store::open(url).await?;
    let token = secret();
    let made = match store.has_users().await? {
        false => None,
        true => {
            let pass = Pass {
                digest: hex_digest(&token),
                kind: "token".into(),
                name: "drain".into(),
                role: "admin".into(),
                csrf: String::new(),
                created_at: String::new(),
            };
            store.add_pass(&pass, 60_000).await?;
            Some(token)
        }
    };
    store.close().await;
    Ok(made)
}
