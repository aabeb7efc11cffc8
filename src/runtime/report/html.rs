//! The report as one page that needs nothing else: figures, and charts drawn as SVG.

use std::fmt::Write;

use serde_json::Value;

/// Outcome and colour, in the order they are stacked.
const OUTCOMES: [(&str, &str); 5] = [
    ("resolved", "#2e7d5b"),
    ("transferred", "#3f6fb5"),
    ("callback", "#c98a1b"),
    ("abandoned", "#9a9a9a"),
    ("failed", "#b3362b"),
];

const STYLE: &str = ":root{color-scheme:light dark;--ink:#1d2433;--soft:#5b6475;--line:#d9dee8;--card:#f6f8fb;--page:#fff}\
@media(prefers-color-scheme:dark){:root{--ink:#e8ebf2;--soft:#a3adbf;--line:#333c4d;--card:#1c222e;--page:#12161e}}\
*{box-sizing:border-box}body{margin:0 auto;max-width:62rem;padding:1.5rem;font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--page)}\
h1{font-size:1.5rem}h2{font-size:1.1rem;margin:2rem 0 .5rem}.tiles{display:grid;gap:.75rem;grid-template-columns:repeat(auto-fit,minmax(10rem,1fr))}\
.tile{background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:.8rem 1rem}.tile b{display:block;font-size:1.5rem}\
.soft{color:var(--soft);font-size:.9rem}table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .8rem .3rem 0;border-bottom:1px solid var(--line)}\
td.n,th.n{text-align:right}svg{width:100%;height:auto;display:block}svg text{fill:var(--ink);font:12px system-ui,sans-serif}.key span{margin-right:1rem}\
.key i{display:inline-block;width:.8em;height:.8em;border-radius:2px;margin-right:.3em}@media print{body{max-width:none}}";

/// A whole page. Every word of `report` is put in as text.
pub fn html(report: &Value, company: &str) -> String {
    let mut out = String::from(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">",
    );
    let _ = write!(
        out,
        "<title>{0}: the line</title><style>{STYLE}</style></head><body><h1>{0}: how the line did</h1>",
        text(company)
    );
    let calls = report["calls"].as_u64().unwrap_or(0);
    if calls == 0 {
        out.push_str("<p>No call has ended in this time.</p></body></html>\n");
        return out;
    }
    tiles(&mut out, report, calls);
    days(&mut out, report);
    intents(&mut out, report);
    gaps(&mut out, report);
    overrides(&mut out, report);
    survey(&mut out, report);
    handover(&mut out, report);
    savings(&mut out, report);
    out.push_str("</body></html>\n");
    out
}

fn tiles(out: &mut String, r: &Value, calls: u64) {
    let with_quality = &r["quality"]["automation_with_quality"];
    let tiles = [
        ("Calls", calls.to_string(), String::new()),
        (
            "Resolved without a person",
            percent(&r["automation"]["rate"]),
            interval(&r["automation"]),
        ),
        (
            "... and graded good",
            percent(&with_quality["rate"]),
            interval(with_quality),
        ),
        (
            "Quality of graded calls",
            percent(&r["quality"]["rate"]),
            interval(&r["quality"]),
        ),
        (
            "Rang again within a week",
            number(&r["quality"]["resolved"]["rang_again"]),
            "of the resolved".into(),
        ),
        (
            "Satisfaction",
            number(&r["survey_mean"]),
            format!("{} answers, 1 to 5", number(&r["survey"]["answers"])),
        ),
        (
            "Reply gap",
            format!("{} ms", number(&r["gap_ms"]["p50"])),
            format!("95 % under {} ms", number(&r["gap_ms"]["p95"])),
        ),
        (
            "Saved",
            number(&r["savings"]["saved"]),
            r["savings"]["missing"]
                .as_str()
                .unwrap_or("the desk's currency")
                .into(),
        ),
    ];
    out.push_str("<div class=\"tiles\">");
    for (name, value, note) in tiles {
        let _ = write!(
            out,
            "<div class=\"tile\"><span class=\"soft\">{}</span><b>{}</b><span class=\"soft\">{}</span></div>",
            text(name),
            text(&value),
            text(&note)
        );
    }
    out.push_str("</div>");
}

fn key(out: &mut String) {
    out.push_str("<p class=\"key soft\">");
    for (name, colour) in OUTCOMES {
        let _ = write!(
            out,
            "<span><i style=\"background:{colour}\"></i>{name}</span>"
        );
    }
    out.push_str("</p>");
}

/// A column a day, stacked by outcome.
fn days(out: &mut String, r: &Value) {
    let Some(days) = r["days"].as_object().filter(|d| d.len() > 1) else {
        return;
    };
    let total = |day: &Value| -> f64 { OUTCOMES.iter().map(|(o, _)| count(&day[*o])).sum() };
    let most = days.values().map(total).fold(1.0, f64::max);
    let (width, height) = (900.0, 160.0);
    let step = width / days.len() as f64;
    out.push_str("<h2>Calls a day</h2>");
    key(out);
    let _ = write!(
        out,
        "<svg viewBox=\"0 0 {width} {}\" role=\"img\" aria-label=\"Calls a day by outcome\">",
        height + 22.0
    );
    for (n, (day, counts)) in days.iter().enumerate() {
        let x = n as f64 * step;
        let mut y = height;
        for (outcome, colour) in OUTCOMES {
            let h = count(&counts[outcome]) / most * height;
            y -= h;
            if h > 0.0 {
                let _ = write!(
                    out,
                    "<rect x=\"{:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{h:.1}\" fill=\"{colour}\"><title>{}: {} {outcome}</title></rect>",
                    x + step * 0.1,
                    step * 0.8,
                    text(day),
                    count(&counts[outcome])
                );
            }
        }
        if n % (days.len() / 10 + 1) == 0 {
            let _ = write!(
                out,
                "<text x=\"{:.1}\" y=\"{}\">{}</text>",
                x + step * 0.1,
                height + 16.0,
                text(day.get(5..).unwrap_or(day))
            );
        }
    }
    out.push_str("</svg>");
}

/// A bar an intent.
fn intents(out: &mut String, r: &Value) {
    let Some(intents) = r["intents"].as_object().filter(|i| !i.is_empty()) else {
        return;
    };
    let total = |of: &Value| -> f64 { OUTCOMES.iter().map(|(o, _)| count(&of[*o])).sum() };
    let mut rows: Vec<(&String, &Value)> = intents.iter().collect();
    rows.sort_by(|a, b| total(b.1).total_cmp(&total(a.1)));
    rows.truncate(25);
    let most = rows.first().map_or(1.0, |r| total(r.1)).max(1.0);
    let line = 24.0;
    out.push_str("<h2>What callers wanted, and how it ended</h2>");
    key(out);
    let _ = write!(
        out,
        "<svg viewBox=\"0 0 900 {}\" role=\"img\" aria-label=\"Matters by outcome\">",
        rows.len() as f64 * line
    );
    for (n, (name, counts)) in rows.iter().enumerate() {
        let y = n as f64 * line;
        let _ = write!(
            out,
            "<text x=\"0\" y=\"{:.1}\">{}</text>",
            y + 16.0,
            text(name)
        );
        let mut x = 230.0;
        for (outcome, colour) in OUTCOMES {
            let w = count(&counts[outcome]) / most * 600.0;
            if w > 0.0 {
                let _ = write!(
                    out,
                    "<rect x=\"{x:.1}\" y=\"{:.1}\" width=\"{w:.1}\" height=\"16\" fill=\"{colour}\"><title>{} {outcome}</title></rect>",
                    y + 4.0,
                    count(&counts[outcome])
                );
                x += w;
            }
        }
        let _ = write!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            x + 6.0,
            y + 16.0,
            total(counts)
        );
    }
    out.push_str("</svg>");
}

/// Where the time of a turn goes: the median turn as a waterfall, the 95th percentile as a thin line.
fn gaps(out: &mut String, r: &Value) {
    let stages = [
        ("endpoint", "sure that they are done"),
        ("stt", "hearing"),
        ("decide", "deciding"),
        ("tts", "voice of the first clause"),
    ];
    let of = |stage: &str, p: &str| count(&r["stages_ms"][stage][p]);
    let most = stages.iter().map(|(s, _)| of(s, "p95")).fold(1.0, f64::max);
    out.push_str("<h2>Where a reply's time goes</h2><p class=\"soft\">Bars are the median, lines the 95th percentile, in milliseconds. Hearing and deciding begin while it is not yet sure that the caller is done.</p>");
    out.push_str("<svg viewBox=\"0 0 900 104\" role=\"img\" aria-label=\"Milliseconds by stage\">");
    for (n, (stage, name)) in stages.iter().enumerate() {
        let y = n as f64 * 26.0;
        let (mid, high) = (of(stage, "p50"), of(stage, "p95"));
        let _ = write!(
            out,
            "<text x=\"0\" y=\"{0:.1}\">{name}</text><rect x=\"230\" y=\"{1:.1}\" width=\"{2:.1}\" height=\"16\" fill=\"#3f6fb5\"/>\
             <line x1=\"230\" x2=\"{3:.1}\" y1=\"{4:.1}\" y2=\"{4:.1}\" stroke=\"#c98a1b\" stroke-width=\"3\"/><text x=\"{5:.1}\" y=\"{0:.1}\">{mid} / {high}</text>",
            y + 16.0,
            y + 4.0,
            mid / most * 560.0,
            230.0 + high / most * 560.0,
            y + 12.0,
            240.0 + high / most * 560.0
        );
    }
    out.push_str("</svg>");
}

/// A dot and its interval an intent, with the line below which more trust is proposed.
fn overrides(out: &mut String, r: &Value) {
    let Some(rows) = r["overrides"].as_object().filter(|o| !o.is_empty()) else {
        return;
    };
    let x = |p: f64| 230.0 + p * 560.0;
    let height = rows.len() as f64 * 24.0;
    out.push_str("<h2>Replies that reviewers changed or stopped</h2><p class=\"soft\">With the 95 % interval (Wilson). The dashed line is 5 %: under it, over enough replies, more trust is proposed. A person decides.</p>");
    let _ = write!(
        out,
        "<svg viewBox=\"0 0 900 {}\" role=\"img\" aria-label=\"Override rate by intent\">",
        height + 4.0
    );
    let _ = write!(
        out,
        "<line x1=\"{0}\" x2=\"{0}\" y1=\"0\" y2=\"{height}\" stroke=\"#b3362b\" stroke-dasharray=\"4\"/>",
        x(0.05)
    );
    for (n, (intent, o)) in rows.iter().enumerate() {
        let y = n as f64 * 24.0 + 12.0;
        let at = |key: &str| o[key].as_f64().unwrap_or(0.0);
        let _ = write!(
            out,
            "<text x=\"0\" y=\"{:.1}\">{}</text><line x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{y}\" y2=\"{y}\" stroke=\"#3f6fb5\" stroke-width=\"3\"/>\
             <circle cx=\"{:.1}\" cy=\"{y}\" r=\"5\" fill=\"#3f6fb5\"/><text x=\"800\" y=\"{:.1}\">{} of {}</text>",
            y + 4.0,
            text(intent),
            x(at("low")),
            x(at("high")),
            x(at("rate")),
            y + 4.0,
            number(&o["count"]),
            number(&o["of"])
        );
    }
    out.push_str("</svg>");
}

fn survey(out: &mut String, r: &Value) {
    if r["survey"]["answers"].as_u64().unwrap_or(0) == 0 {
        return;
    }
    out.push_str("<h2>Satisfaction</h2><table><thead><tr><th>Split by</th><th></th><th class=\"n\">Mean</th><th class=\"n\">Answers</th><th class=\"n\">1 or 2</th></tr></thead><tbody>");
    for (table, title) in [
        ("by_who", "who had the call"),
        ("by_intent", "matter"),
        ("by_mood", "mood"),
    ] {
        for (name, row) in r["survey"][table].as_object().into_iter().flatten() {
            let _ = write!(
                out,
                "<tr><td>{title}</td><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
                text(name),
                number(&row["mean"]),
                number(&row["answers"]),
                number(&row["unhappy"])
            );
        }
    }
    out.push_str("</tbody></table>");
}

fn handover(out: &mut String, r: &Value) {
    let h = &r["handover"];
    let _ = write!(
        out,
        "<h2>Hand-overs</h2><p>{} accepted; ringing took {} ms at the median. The caller had to say it again in {} ({} of {} where notes were taken).</p>",
        number(&h["accepted"]),
        number(&h["wait_ms"]["p50"]),
        percent(&h["repeated"]["rate"]),
        number(&h["repeated"]["count"]),
        number(&h["repeated"]["of"])
    );
    out.push_str("<table><thead><tr><th>Why</th><th>Ended</th></tr></thead><tbody>");
    for (reason, results) in r["transfers"].as_object().into_iter().flatten() {
        let results: Vec<String> = results
            .as_object()
            .into_iter()
            .flatten()
            .map(|(k, v)| format!("{k} {v}"))
            .collect();
        let _ = write!(
            out,
            "<tr><td>{}</td><td>{}</td></tr>",
            text(reason),
            text(&results.join(", "))
        );
    }
    out.push_str("</tbody></table>");
}

fn savings(out: &mut String, r: &Value) {
    let s = &r["savings"];
    let _ = write!(
        out,
        "<h2>Savings</h2><p class=\"soft\">{}</p><table><tbody>",
        text(s["formula"].as_str().unwrap_or(""))
    );
    for (name, key) in [
        ("Resolved calls", "resolved_calls"),
        ("Rang again", "rang_again"),
        ("Minutes of calls", "minutes"),
        ("Days", "days"),
        ("Gained: people's time", "gained"),
        ("Spent: the line", "line"),
        ("Spent: reviews and grades", "people"),
        ("Saved", "saved"),
        ("Cost of a resolved call", "cost_per_resolved_call"),
    ] {
        let _ = write!(
            out,
            "<tr><td>{name}</td><td class=\"n\">{}</td></tr>",
            number(&s[key])
        );
    }
    out.push_str("</tbody></table>");
}

fn count(value: &Value) -> f64 {
    value.as_f64().unwrap_or(0.0)
}

fn number(value: &Value) -> String {
    match value {
        Value::Null => "\u{2013}".into(),
        Value::String(s) => text(s),
        other => other.to_string(),
    }
}

fn percent(value: &Value) -> String {
    value
        .as_f64()
        .map_or_else(|| "\u{2013}".into(), |p| format!("{:.1} %", p * 100.0))
}

fn interval(value: &Value) -> String {
    match (value["low"].as_f64(), value["high"].as_f64()) {
        (Some(low), Some(high)) => {
            format!("{:.0} to {:.0} % (95 %)", low * 100.0, high * 100.0)
        }
        _ => "nothing graded yet".into(),
    }
}

/// Text as it may stand in a page.
fn text(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    for c in raw.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}
