//! Recordings, whole or in part (RFC 9110, section 14: one byte range).

use std::io::SeekFrom;
use std::path::Path;

use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

const CHUNK: usize = 64 * 1024;

/// What part of a file is asked for.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    Whole,
    /// First and last byte.
    Bytes(u64, u64),
    /// Nothing of it lies in the file: 416.
    Outside,
}

/// The file at `path`; none where it cannot be read.
pub(super) async fn serve(path: &Path, range: Option<&str>) -> Option<Response> {
    let mut file = tokio::fs::File::open(path).await.ok()?;
    let about = file.metadata().await.ok()?;
    if !about.is_file() {
        return None;
    }
    // A call that goes on grows its file: what is there now is what is served.
    let length = about.len();
    let (status, first, last) = match part(range, length) {
        Part::Outside => {
            let says = [(header::CONTENT_RANGE, format!("bytes */{length}"))];
            return Some((StatusCode::RANGE_NOT_SATISFIABLE, says).into_response());
        }
        Part::Whole => (StatusCode::OK, 0, length),
        Part::Bytes(first, last) => (StatusCode::PARTIAL_CONTENT, first, last + 1),
    };
    file.seek(SeekFrom::Start(first)).await.ok()?;
    let chunks = stream::unfold((file, last - first), |(mut file, left)| async move {
        if left == 0 {
            return None;
        }
        let mut buffer = vec![0; CHUNK.min(usize::try_from(left).unwrap_or(CHUNK))];
        match file.read(&mut buffer).await {
            Ok(0) => None,
            Ok(n) => {
                buffer.truncate(n);
                Some((Ok(Bytes::from(buffer)), (file, left - n as u64)))
            }
            Err(e) => Some((Err(e), (file, 0))),
        }
    });
    let mut response = (
        status,
        [
            (header::CONTENT_TYPE, "audio/wav".to_owned()),
            (header::ACCEPT_RANGES, "bytes".to_owned()),
            (header::CONTENT_LENGTH, (last - first).to_string()),
        ],
        Body::from_stream(chunks),
    )
        .into_response();
    if status == StatusCode::PARTIAL_CONTENT
        && let Ok(value) = format!("bytes {first}-{}/{length}", last - 1).parse()
    {
        response.headers_mut().insert(header::CONTENT_RANGE, value);
    }
    Some(response)
}

/// The same of bytes at hand.
pub(super) fn of_bytes(bytes: Vec<u8>, range: Option<&str>) -> Response {
    let length = bytes.len() as u64;
    let bytes = Bytes::from(bytes);
    match part(range, length) {
        Part::Outside => {
            let says = [(header::CONTENT_RANGE, format!("bytes */{length}"))];
            (StatusCode::RANGE_NOT_SATISFIABLE, says).into_response()
        }
        Part::Whole => (
            [
                (header::CONTENT_TYPE, "audio/wav"),
                (header::ACCEPT_RANGES, "bytes"),
            ],
            bytes,
        )
            .into_response(),
        Part::Bytes(first, last) => (
            StatusCode::PARTIAL_CONTENT,
            [
                (header::CONTENT_TYPE, "audio/wav".to_owned()),
                (header::ACCEPT_RANGES, "bytes".to_owned()),
                (
                    header::CONTENT_RANGE,
                    format!("bytes {first}-{last}/{length}"),
                ),
            ],
            bytes.slice(first as usize..=last as usize),
        )
            .into_response(),
    }
}

/// Several ranges, and what is no byte range, are answered with the whole file, as the RFC allows.
fn part(range: Option<&str>, length: u64) -> Part {
    let asked = range
        .and_then(|r| r.trim().strip_prefix("bytes="))
        .and_then(|r| r.split_once('-'));
    let Some((first, last)) = asked else {
        return Part::Whole;
    };
    let number = |text: &str| text.trim().parse::<u64>();
    match (first.trim(), last.trim()) {
        ("", tail) => match number(tail) {
            Ok(0) => Part::Outside,
            Ok(_) if length == 0 => Part::Outside,
            Ok(n) => Part::Bytes(length.saturating_sub(n), length - 1),
            Err(_) => Part::Whole,
        },
        (from, "") => match number(from) {
            Ok(first) if first < length => Part::Bytes(first, length - 1),
            Ok(_) => Part::Outside,
            Err(_) => Part::Whole,
        },
        (from, to) => match (number(from), number(to)) {
            (Ok(first), Ok(last)) if first > last => Part::Whole,
            (Ok(first), Ok(_)) if first >= length => Part::Outside,
            (Ok(first), Ok(last)) => Part::Bytes(first, last.min(length - 1)),
            _ => Part::Whole,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_as_the_rfc_reads_them() {
        for (asked, want) in [
            ("bytes=0-9", Part::Bytes(0, 9)),
            ("bytes=90-", Part::Bytes(90, 99)),
            ("bytes=-10", Part::Bytes(90, 99)),
            ("bytes=-1000", Part::Bytes(0, 99)),
            ("bytes=50-1000", Part::Bytes(50, 99)),
            ("bytes=100-", Part::Outside),
            ("bytes=-0", Part::Outside),
            ("bytes=9-0", Part::Whole),
            ("bytes=0-1,5-6", Part::Whole),
            ("bytes=99999999999999999999999-", Part::Whole),
            ("words=0-1", Part::Whole),
            ("nonsense", Part::Whole),
        ] {
            assert_eq!(part(Some(asked), 100), want, "{asked}");
        }
        assert_eq!(part(None, 100), Part::Whole);
        assert_eq!(part(Some("bytes=0-0"), 0), Part::Outside);
        assert_eq!(part(Some("bytes=-5"), 0), Part::Outside);
    }
}
