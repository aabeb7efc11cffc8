//! The configuration: any text, with any environment over it, is read or refused in sentences.

use std::collections::BTreeMap;

use firstline::config::{Config, Target};

const FILE: &str = include_str!("../../sip-config/firstline.toml");

/// A file, and after a line `=== ` variables, one a line.
pub fn check(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (file, variables) = text.split_once("=== \n").unwrap_or((&text, ""));
    let env: BTreeMap<String, String> = variables
        .lines()
        .filter_map(|l| l.split_once('='))
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .collect();
    match Config::from_parts(Some(("f.toml", file)), &env) {
        Ok(config) => {
            let _ = (config.doubts(), config.recordings_at());
            for target in &config.transfer.targets {
                // What is dialled is read as what it is.
                let again = Target::read(&target.uri()).expect("our own writing is read");
                assert_eq!(again.uri(), target.uri());
            }
        }
        Err(problems) => {
            assert!(!problems.is_empty());
            for says in problems {
                assert!(
                    !says.is_empty() && says.len() <= 4 * bytes.len() + 4_096,
                    "{says}"
                );
            }
        }
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    // What is written as a comment is as much of the file.
    let bare: String = FILE
        .lines()
        .map(|l| match l.strip_prefix("# ") {
            Some(rest) if rest.contains(" = ") || rest.starts_with('[') => format!("{rest}\n"),
            _ => format!("{l}\n"),
        })
        .collect();
    let more = "[[trunk]]\nname = \"c\"\nhost = \"h:5060\"\nallow = [\"192.0.2.0/24\"]\n[[phone]]\nuser = \"m\"\npassword_env = \"P\"\n\
        [transfer]\ntargets = [\"sip:a@[::1]:5090;ring_s=20;name=Maria\", \"trunk:c:+15550100\", \"phone:m\", \"twilio:+1 (555) 0100\"]\n\
        [twilio]\naccount_sid = \"AC1\"\ncaller_id = \"+15550100\"\n[callback]\nquiet = \"20:00-08:00\"\nallow = [\"+1\"]\n\
        === \nP=x\nTWILIO_AUTH_TOKEN=t\nFIRSTLINE_SIP__LISTEN=udp:127.0.0.1:5060,tls:[::]:5061\nFIRSTLINE_HTTP__LISTEN=localhost:0\n";
    vec![FILE.into(), bare.into(), more.into()]
}
