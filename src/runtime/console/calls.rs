//! Today at a glance, the list, one call's events and waveform, and a hand in a call that goes on.

use std::io::{BufReader, Read, Seek, SeekFrom};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::api::LineState;
use super::super::pool::Control;
use super::super::report;
use super::{Answer, Console, act, aside, unavailable};
use crate::call::Order;
use crate::edge::http::{ApiError, Search, Who};

/// Events given at once.
const EVENTS: usize = 20_000;
/// Slices of a waveform.
const SLICES: usize = 1200;

pub(super) async fn today(line: &LineState, console: &Console) -> Answer {
    let desk = console.pilot.desk();
    let now = super::super::clock::now();
    let tz = desk.config.tz();
    let today = now.to_zoned_datetime(tz.clone()).date();
    let midnight = tz.to_timestamp(today.at(0, 0, 0, 0)).unwrap_or(now);
    let facts = report::facts(&line.store, Some(midnight), desk.config.savings, now)
        .await
        .map_err(unavailable)?;
    let wrong_today = facts
        .grades
        .iter()
        .filter(|g| g.grade == "wrong" && g.at.parse::<Timestamp>().is_ok_and(|at| at >= midnight))
        .count();
    let mut out = report::report(&facts);
    out["since"] = json!(midnight.to_string());
    out["company"] = json!(desk.config.company);
    out["currency"] = json!(desk.config.currency);
    out["wrong_found"] = json!(wrong_today);
    out["waiting_reviews"] = json!(console.pilot.waiting().len());
    out["reviewers"] = json!(console.pilot.reviewers());
    out["line"] = crate::edge::http::Line::status(line);
    Ok(out)
}

pub(super) async fn report_since(
    line: &LineState,
    console: &Console,
    since: Option<String>,
) -> Answer {
    let since = since
        .filter(|text| !text.is_empty())
        .map(|text| {
            text.parse::<Timestamp>()
                .map_err(|_| ApiError::Bad("since is a time like 2026-11-23T10:00:00Z".into()))
        })
        .transpose()?;
    let desk = console.pilot.desk();
    let now = super::super::clock::now();
    let facts = report::facts(&line.store, since, desk.config.savings, now)
        .await
        .map_err(unavailable)?;
    Ok(report::report(&facts))
}

pub(super) async fn search(line: &LineState, search: Search) -> Answer {
    let limit = search.limit.unwrap_or(100).min(1000);
    let found = line
        .store
        .search(&search.q, &search.outcome, limit)
        .await
        .map_err(unavailable)?;
    Ok(json!(found))
}

pub(super) async fn trail(line: &LineState, id: String) -> Answer {
    let bytes = line
        .file(&id, "events.jsonl")
        .await
        .map_err(ApiError::Unavailable)?
        .ok_or_else(|| ApiError::NotFound(format!("call {id} has no events")))?;
    let events: Vec<Value> = aside(move || {
        String::from_utf8_lossy(&bytes)
            .lines()
            .take(EVENTS)
            .filter_map(|l| serde_json::from_str(l).ok())
            .collect()
    })
    .await?;
    Ok(json!(events))
}

pub(super) async fn wave(line: &LineState, id: String) -> Answer {
    // In the open and here it is read as it lies, however long it is.
    let path = line.folder(&id).join("audio.wav");
    let here = aside(move || {
        let file = std::fs::File::open(path).ok()?;
        let length = file.metadata().ok()?.len();
        peaks(file, length, SLICES)
    });
    if let Some(wave) = here.await? {
        return Ok(wave);
    }
    let none = || ApiError::NotFound(format!("call {id} has no recording"));
    let bytes = line
        .file(&id, "audio.wav")
        .await
        .map_err(ApiError::Unavailable)?
        .ok_or_else(none)?;
    let length = bytes.len() as u64;
    aside(move || peaks(std::io::Cursor::new(bytes), length, SLICES))
        .await?
        .ok_or_else(none)
}

/// The loudest sample of each of at most `slices` equal parts of a two-channel recording of 16-bit samples: `{"ms","caller","line"}`, each 0
/// to 100. A recording that is still growing is read as far as it goes: `length` bytes.
fn peaks(mut file: impl Read + Seek, length: u64, slices: usize) -> Option<Value> {
    let mut head = [0; 44];
    file.read_exact(&mut head).ok()?;
    let word = |at: usize| u16::from_le_bytes([head[at], head[at + 1]]);
    let rate = u32::from_le_bytes([head[24], head[25], head[26], head[27]]);
    if &head[..4] != b"RIFF" || word(22) != 2 || word(34) != 16 || rate == 0 {
        return None;
    }
    file.seek(SeekFrom::Start(44)).ok()?;
    let frames = length.saturating_sub(44) / 4;
    let slice = frames.div_ceil(slices as u64).max(1);
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let mut sides = [Vec::new(), Vec::new()];
    let mut bytes = vec![0; usize::try_from(slice).ok()? * 4];
    let mut left = frames;
    while left > 0 {
        let take = usize::try_from(slice.min(left)).ok()? * 4;
        reader.read_exact(&mut bytes[..take]).ok()?;
        left -= slice.min(left);
        let mut loudest = [0u16; 2];
        for frame in bytes[..take].chunks_exact(4) {
            for (side, at) in loudest.iter_mut().zip([0, 2]) {
                let sample = i16::from_le_bytes([frame[at], frame[at + 1]]);
                *side = (*side).max(sample.unsigned_abs());
            }
        }
        for (side, peak) in sides.iter_mut().zip(loudest) {
            side.push(u32::from(peak) * 100 / 32_768);
        }
    }
    let [caller, heard] = sides;
    Some(json!({
        "ms": frames * 1000 / u64::from(rate),
        "caller": caller,
        "line": heard,
    }))
}

fn gone(id: &str) -> ApiError {
    ApiError::Conflict(format!("call {id} is not in progress"))
}

pub(super) async fn end(line: &LineState, who: &Who, id: String) -> Answer {
    act(line, who, "call ended", &id, "").await?;
    if !line.live.control(&id, Control::End) {
        return Err(gone(&id));
    }
    Ok(json!({ "id": id, "status": "ending" }))
}

pub(super) async fn summon(line: &LineState, who: &Who, id: String) -> Answer {
    act(line, who, "call sent to a human", &id, "").await?;
    let order = Order::Summon {
        by: who.name.clone(),
    };
    if !line.live.control(&id, Control::Order(order)) {
        return Err(gone(&id));
    }
    Ok(json!({ "id": id, "status": "transferring" }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waveform_shows_who_spoke_when() {
        let mut pcm = Vec::new();
        for n in 0..16_000 {
            // The caller in the first half, the line in the second.
            pcm.extend(if n < 8_000 { [16_384, 0] } else { [0, -32_768] });
        }
        let look = |bytes: &[u8]| {
            let length = bytes.len() as u64;
            peaks(std::io::Cursor::new(bytes), length, 10)
        };
        let wave = look(&crate::audio::wav::write(&pcm, 16_000, 2)).unwrap();
        assert_eq!(wave["ms"], 1000);
        assert_eq!(wave["caller"], json!([50, 50, 50, 50, 50, 0, 0, 0, 0, 0]));
        assert_eq!(
            wave["line"],
            json!([0, 0, 0, 0, 0, 100, 100, 100, 100, 100])
        );
        assert!(look(b"RIFF").is_none() && look(b"").is_none());
    }
}
