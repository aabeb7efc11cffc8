//! `[privacy]`: what is kept out of what is stored, under which key it lies, for how long, and whom to ask.

use std::collections::BTreeMap;

use super::check::{one_of, secret};
use super::raw::Section;
use super::secret::Secret;

/// What can be kept out, by name.
pub const PRIVATE: [&str; 6] = ["cards", "numbers", "births", "names", "emails", "proof"];

#[derive(Debug, Clone)]
pub struct Privacy {
    /// Names of [`PRIVATE`].
    pub redact: Vec<String>,
    /// Recordings and transcripts are encrypted with it.
    pub key: Option<Secret>,
    /// Days a recording (sound, events, transcript) is kept; none: for ever.
    pub keep_recordings: Option<u32>,
    /// Days a record is kept, in the database and its folder; none: for ever.
    pub keep_records: Option<u32>,
    pub consent: Consent,
    /// Another rule for callers whose number begins so; the longest beginning counts.
    pub consent_by_number: Vec<(String, Consent)>,
}

/// What recording a call takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Consent {
    /// Nothing.
    #[default]
    None,
    /// The caller has heard that the call is recorded.
    Announce,
    /// The caller has heard the question and agreed.
    Ask,
}

impl Privacy {
    /// What recording takes where this number calls from.
    pub fn consent_of(&self, number: Option<&str>) -> Consent {
        let number = number.unwrap_or("");
        self.consent_by_number
            .iter()
            .filter(|(begins, _)| number.starts_with(begins.as_str()))
            .max_by_key(|(begins, _)| begins.len())
            .map_or(self.consent, |(_, consent)| *consent)
    }
}

pub(super) fn privacy(mut s: Section<'_>, env: &BTreeMap<String, String>) -> Privacy {
    let read = Privacy {
        redact: s
            .list("redact", |t| match PRIVATE.contains(&t) {
                true => Ok(t.to_owned()),
                false => Err(one_of(t, &PRIVATE)),
            })
            .unwrap_or_else(|| PRIVATE.map(str::to_owned).to_vec()),
        key: secret(&mut s, "key_env", env),
        keep_recordings: s.get("keep_recordings", None, days),
        keep_records: s.get("keep_records", None, days),
        consent: s.get("consent", Consent::None, consent),
        consent_by_number: s
            .list("consent_by_number", |text| {
                let (number, rule) = text
                    .split_once('=')
                    .ok_or_else(|| format!("must be like \"+49=ask\", not `{text}`"))?;
                let number = number.trim();
                let good = number.len() > 1
                    && number.starts_with('+')
                    && number[1..].bytes().all(|b| b.is_ascii_digit());
                match good {
                    true => Ok((number.to_owned(), consent(rule.trim())?)),
                    false => Err(format!(
                        "`{number}` is no beginning of an international number like +49 or +1415"
                    )),
                }
            })
            .unwrap_or_default(),
    };
    if let (Some(recordings), Some(records)) = (read.keep_recordings, read.keep_records)
        && recordings > records
    {
        s.problem("privacy.keep_recordings is longer than privacy.keep_records: a recording does not outlive its record");
    }
    s.done();
    read
}

fn consent(text: &str) -> Result<Consent, String> {
    match text {
        "none" => Ok(Consent::None),
        "announce" => Ok(Consent::Announce),
        "ask" => Ok(Consent::Ask),
        _ => Err(one_of(text, &["none", "announce", "ask"])),
    }
}

fn days(text: &str) -> Result<Option<u32>, String> {
    if text == "for ever" {
        return Ok(None);
    }
    match text.strip_suffix('d').unwrap_or(text).parse() {
        Ok(n) if n > 0 => Ok(Some(n)),
        _ => Err(format!(
            "must be a number of days like \"90d\", or \"for ever\", not `{text}`"
        )),
    }
}
