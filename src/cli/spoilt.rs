//! What is imported comes from anywhere: every reader of help-centre exports, pages, tables and articles, fed spoilt ones for a second, or
//! `FIRSTLINE_FUZZ_SECONDS`.

use std::time::{Duration, Instant};

use super::articles;
use super::kb::import as kb_import;
use crate::wire::hostile::Spoiler;

fn spoil(seeds: &[&str], check: impl Fn(&str)) {
    let asked = std::env::var("FIRSTLINE_FUZZ_SECONDS").ok();
    let seconds = asked.and_then(|s| s.parse().ok()).unwrap_or(1);
    let inputs: Vec<Vec<u8>> = seeds.iter().map(|s| s.as_bytes().to_vec()).collect();
    let mut spoiler = Spoiler::new(seeds.len() as u64 + seconds);
    let begun = Instant::now();
    let mut done = 0;
    while begun.elapsed() < Duration::from_secs(seconds) {
        let bytes = spoiler.next(&inputs);
        let text = String::from_utf8_lossy(&bytes);
        let one = Instant::now();
        check(&text);
        assert!(one.elapsed() < Duration::from_secs(5), "{text}");
        done += 1;
    }
    assert!(done > 100, "{done} inputs are too few to mean anything");
}

const PAGE: &str = "<html><head><title>Fees</title><style>p{}</style></head><body><nav>Home</nav><article><h1>Late fees</h1><p>A fee is \
    <b>&pound;6</b> &#8364; &#x20AC;.</p><ol><li>Open<li>Pay</ol><table><tr><th>Plan<td>5</table><!-- old --></article></body></html>";

#[test]
fn pages() {
    spoil(&[PAGE, "<p>\u{130}<H1>\u{212a}</h1>", "<article"], |text| {
        kb_import::html("page", text);
        articles::html("page", text);
    });
}

#[test]
fn articles_in_markdown_and_plain_text() {
    let front = "---\ntitle: \"Late fees\"\nid: fee\nupdated: 2026-11-01\n---\n# Late fees\n\nThe fee is 7.\n";
    spoil(&[front, "A title\n\nWords.\n", "---\r\n---\r\n"], |text| {
        kb_import::markdown("stem", text);
        articles::plain("name", text);
    });
}

#[test]
fn exports() {
    let zendesk = r#"{"articles":[{"id":7,"title":"Refunds","body":"<p>5 days.</p>","updated_at":"2026-02-03T10:00:00Z","draft":false}]}"#;
    let intercom = r#"{"data":[{"id":"9","title":"Plans","body":"<p>Two.</p>","state":"published","updated_at":1700000000}]}"#;
    let line = r#"{"title":"A","text":"<p>B</p>"}"#;
    spoil(&[zendesk, intercom, line], |text| {
        if let Ok(value) = serde_json::from_str(text) {
            kb_import::export(&value);
        }
        let _ = articles::json_line(text);
    });
}

#[test]
fn tables_of_tickets() {
    let table = "Id,Subject,Status,Resolution\n1,\"Late, again\",solved,\"It takes\n5 \"\"days\"\".\"\n2,Open,open,no\n";
    spoil(&[table, "\u{feff}a;b\n1;2\n"], |text| {
        let cells: usize = kb_import::csv(text).iter().flatten().map(String::len).sum();
        assert!(cells <= text.len());
        let _ = kb_import::ticket_lines(text);
    });
}
