//! Every metric in one table, and logging. The registry is small on purpose: counters, gauges and histograms with a few labels,
//! rendered as Prometheus text (exposition format 0.0.4).

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};

/// What is measured. `TABLE` says what each is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Metric {
    CallsActive,
    CallsStarted,
    Calls,
    CallsTurnedAway,
    Turns,
    GapMs,
    EndpointMs,
    SttMs,
    DecideMs,
    TtsMs,
    Decisions,
    Interruptions,
    Transfers,
    Actions,
    BackofficeMs,
    Callbacks,
    Reconciled,
    ModelMs,
    ModelUses,
    PacketsIn,
    PacketsLost,
    PacketsLate,
    TicksLate,
    JobsDropped,
    Webhooks,
    StoreErrors,
    StoreUp,
    StoreOwed,
    StoreHeld,
    Capacity,
    Draining,
    RecordingErrors,
    DiskFree,
    WebhooksWaiting,
    WebhooksDead,
    CallbacksOpen,
    ClockSteps,
    SpansDropped,
    Redactions,
    Reviews,
    Surveys,
    Panics,
}

#[derive(Debug, Clone, Copy)]
enum Shape {
    Counter,
    Gauge,
    /// Upper bounds of its buckets.
    Histogram(&'static [f64]),
}

struct Row {
    metric: Metric,
    name: &'static str,
    shape: Shape,
    labels: &'static [&'static str],
    help: &'static str,
}

const MS: &[f64] = &[
    50., 100., 200., 350., 500., 800., 1200., 2000., 3000., 5000., 10000.,
];

/// The one table of names. A row is found by its metric's place, which a test holds to.
const TABLE: &[Row] = &[
    row(
        Metric::CallsActive,
        "firstline_calls_active",
        Shape::Gauge,
        &[],
        "Calls in progress.",
    ),
    row(
        Metric::CallsStarted,
        "firstline_calls_started_total",
        Shape::Counter,
        &["channel"],
        "Calls taken.",
    ),
    row(
        Metric::Calls,
        "firstline_calls_total",
        Shape::Counter,
        &["outcome"],
        "Calls ended, by outcome.",
    ),
    row(
        Metric::CallsTurnedAway,
        "firstline_calls_turned_away_total",
        Shape::Counter,
        &["why"],
        "Calls not taken: full, draining, not allowed.",
    ),
    row(
        Metric::Turns,
        "firstline_turns_total",
        Shape::Counter,
        &[],
        "Turns of callers.",
    ),
    row(
        Metric::GapMs,
        "firstline_reply_gap_ms",
        Shape::Histogram(MS),
        &[],
        "From the end of the caller's speech to the first sound of the reply.",
    ),
    row(
        Metric::EndpointMs,
        "firstline_endpoint_ms",
        Shape::Histogram(MS),
        &[],
        "Waiting to be sure that the caller is done.",
    ),
    row(
        Metric::SttMs,
        "firstline_stt_ms",
        Shape::Histogram(MS),
        &[],
        "Recognising one utterance.",
    ),
    row(
        Metric::DecideMs,
        "firstline_decide_ms",
        Shape::Histogram(MS),
        &[],
        "Deciding one reply.",
    ),
    row(
        Metric::TtsMs,
        "firstline_tts_ms",
        Shape::Histogram(MS),
        &[],
        "The first sound of one reply.",
    ),
    row(
        Metric::Decisions,
        "firstline_decisions_total",
        Shape::Counter,
        &["route"],
        "Decisions: answer, act, clarify, transfer.",
    ),
    row(
        Metric::Interruptions,
        "firstline_interruptions_total",
        Shape::Counter,
        &[],
        "Replies cut by the caller.",
    ),
    row(
        Metric::Transfers,
        "firstline_transfers_total",
        Shape::Counter,
        &["result"],
        "Transfers: accepted, callback, returned, caller_gone.",
    ),
    row(
        Metric::Actions,
        "firstline_actions_total",
        Shape::Counter,
        &["action", "status"],
        "Actions: done, failed, unknown.",
    ),
    row(
        Metric::BackofficeMs,
        "firstline_backoffice_ms",
        Shape::Histogram(MS),
        &[],
        "One request to the back office.",
    ),
    row(
        Metric::Callbacks,
        "firstline_callbacks_promised_total",
        Shape::Counter,
        &[],
        "Callbacks promised.",
    ),
    row(
        Metric::Reconciled,
        "firstline_reconciled_total",
        Shape::Counter,
        &["action", "status"],
        "Writes left open by a crash or a silent back office, by what asking came to: done, failed, unknown.",
    ),
    row(
        Metric::ModelMs,
        "firstline_model_first_sentence_ms",
        Shape::Histogram(MS),
        &[],
        "From asking a language model to its first sentence that may be said.",
    ),
    row(
        Metric::ModelUses,
        "firstline_model_turns_total",
        Shape::Counter,
        &["task", "result"],
        "Turns put to a language model: worded, partly, rejected, late, failed, resting.",
    ),
    row(
        Metric::PacketsIn,
        "firstline_rtp_packets_in_total",
        Shape::Counter,
        &[],
        "RTP packets received.",
    ),
    row(
        Metric::PacketsLost,
        "firstline_rtp_packets_lost_total",
        Shape::Counter,
        &[],
        "RTP packets that never came.",
    ),
    row(
        Metric::PacketsLate,
        "firstline_rtp_packets_late_total",
        Shape::Counter,
        &[],
        "RTP packets that came too late to be heard.",
    ),
    row(
        Metric::TicksLate,
        "firstline_ticks_late_total",
        Shape::Counter,
        &[],
        "20 ms ticks that ran more than 20 ms late.",
    ),
    row(
        Metric::JobsDropped,
        "firstline_jobs_dropped_total",
        Shape::Counter,
        &["kind"],
        "Inference jobs that calls wanted and that were refused, came too late or failed, by kind.",
    ),
    row(
        Metric::Webhooks,
        "firstline_webhooks_total",
        Shape::Counter,
        &["result"],
        "Packets delivered: sent, retried, given_up.",
    ),
    row(
        Metric::StoreErrors,
        "firstline_store_errors_total",
        Shape::Counter,
        &[],
        "Writes the database did not take.",
    ),
    row(
        Metric::StoreUp,
        "firstline_store_up",
        Shape::Gauge,
        &[],
        "1 while the database answers, 0 while it is gone.",
    ),
    row(
        Metric::StoreOwed,
        "firstline_store_owed",
        Shape::Gauge,
        &[],
        "Writes that wait, in files or in memory, until the database takes them.",
    ),
    row(
        Metric::StoreHeld,
        "firstline_store_held",
        Shape::Gauge,
        &[],
        "Those of them that are in memory only, because the disk is full too: lost if the program ends.",
    ),
    row(
        Metric::Capacity,
        "firstline_calls_capacity",
        Shape::Gauge,
        &[],
        "Calls this node takes at once.",
    ),
    row(
        Metric::Draining,
        "firstline_draining",
        Shape::Gauge,
        &[],
        "1 while no new calls are taken because the line is to end.",
    ),
    row(
        Metric::RecordingErrors,
        "firstline_recording_errors_total",
        Shape::Counter,
        &[],
        "Pieces of recordings, event logs or records that the disk did not take.",
    ),
    row(
        Metric::DiskFree,
        "firstline_disk_free_bytes",
        Shape::Gauge,
        &[],
        "Free space where the recordings are.",
    ),
    row(
        Metric::WebhooksWaiting,
        "firstline_webhooks_waiting",
        Shape::Gauge,
        &[],
        "Packets that wait to be delivered to the webhook.",
    ),
    row(
        Metric::WebhooksDead,
        "firstline_webhooks_given_up",
        Shape::Gauge,
        &[],
        "Packets that were given up; they are kept in the database.",
    ),
    row(
        Metric::CallbacksOpen,
        "firstline_callbacks_open",
        Shape::Gauge,
        &[],
        "Callbacks that were promised and are not made yet.",
    ),
    row(
        Metric::ClockSteps,
        "firstline_clock_steps_total",
        Shape::Counter,
        &[],
        "Times the wall clock jumped by more than two seconds.",
    ),
    row(
        Metric::SpansDropped,
        "firstline_trace_spans_dropped_total",
        Shape::Counter,
        &[],
        "Trace spans that could not be sent.",
    ),
    row(
        Metric::Redactions,
        "firstline_redactions_total",
        Shape::Counter,
        &["kind"],
        "Pieces of personal data kept out of what is stored, by kind.",
    ),
    row(
        Metric::Reviews,
        "firstline_reviews_total",
        Shape::Counter,
        &["verdict"],
        "Supervised replies, by what became of them: approved, edited, rejected, timeout, withdrawn.",
    ),
    row(
        Metric::Surveys,
        "firstline_surveys_total",
        Shape::Counter,
        &["score"],
        "Answers to the question at a call's end, 1 to 5.",
    ),
    row(
        Metric::Panics,
        "firstline_panics_total",
        Shape::Counter,
        &[],
        "Bugs that were met in a call: its caller went to a human, or it ended.",
    ),
];

const fn row(
    metric: Metric,
    name: &'static str,
    shape: Shape,
    labels: &'static [&'static str],
    help: &'static str,
) -> Row {
    Row {
        metric,
        name,
        shape,
        labels,
        help,
    }
}

/// Label sets kept for one metric; what comes after is counted under `other`, so that no caller's words can fill the memory.
const SERIES_MAX: usize = 100;

#[derive(Debug)]
enum Cell {
    Number(f64),
    Histogram {
        buckets: Vec<u64>,
        sum: f64,
        count: u64,
    },
}

/// The registry. One for a line; shared by reference.
#[derive(Debug, Default)]
pub struct Metrics {
    cells: Mutex<BTreeMap<(Metric, Vec<String>), Cell>>,
}

impl Metrics {
    pub fn new() -> Self {
        Self::default()
    }

    /// One more. `labels`: values in the table's order.
    pub fn count(&self, metric: Metric, labels: &[&str]) {
        self.add(metric, labels, 1.);
    }

    pub fn add(&self, metric: Metric, labels: &[&str], n: f64) {
        self.change(metric, labels, |cell| {
            if let Cell::Number(now) = cell {
                *now += n;
            }
        });
    }

    /// Sets a gauge.
    pub fn set(&self, metric: Metric, n: f64) {
        self.change(metric, &[], |cell| {
            if let Cell::Number(now) = cell {
                *now = n;
            }
        });
    }

    /// One measurement of a histogram.
    pub fn observe(&self, metric: Metric, value: f64) {
        let Shape::Histogram(bounds) = find(metric).shape else {
            return;
        };
        self.change(metric, &[], |cell| {
            if let Cell::Histogram {
                buckets,
                sum,
                count,
            } = cell
            {
                if let Some(at) = bounds.iter().position(|b| value <= *b) {
                    buckets[at] += 1;
                }
                *sum += value;
                *count += 1;
            }
        });
    }

    fn change(&self, metric: Metric, labels: &[&str], with: impl FnOnce(&mut Cell)) {
        let row = find(metric);
        debug_assert_eq!(
            labels.len(),
            row.labels.len(),
            "{} has other labels",
            row.name
        );
        let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        let mut key = (
            metric,
            labels.iter().map(|l| (*l).to_owned()).collect::<Vec<_>>(),
        );
        if !labels.is_empty() && !cells.contains_key(&key) {
            let kept = cells
                .range((metric, Vec::new())..)
                .take_while(|((m, _), _)| *m == metric)
                .count();
            if kept >= SERIES_MAX {
                key.1 = vec!["other".to_owned(); labels.len()];
            }
        }
        with(cells.entry(key).or_insert_with(|| empty(row)));
    }

    /// All of them as Prometheus text. What has no labels and was not counted yet shows as 0.
    pub fn render(&self) -> String {
        let cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = String::new();
        for row in TABLE {
            let kind = match row.shape {
                Shape::Counter => "counter",
                Shape::Gauge => "gauge",
                Shape::Histogram(_) => "histogram",
            };
            let _ = writeln!(
                out,
                "# HELP {} {}\n# TYPE {} {kind}",
                row.name, row.help, row.name
            );
            if row.labels.is_empty() {
                let none = empty(row);
                render_cell(
                    &mut out,
                    row,
                    &[],
                    cells.get(&(row.metric, Vec::new())).unwrap_or(&none),
                );
                continue;
            }
            for ((_, labels), cell) in cells
                .range((row.metric, Vec::new())..)
                .take_while(|((m, _), _)| *m == row.metric)
            {
                render_cell(&mut out, row, labels, cell);
            }
        }
        out
    }
}

/// Every metric as a page to read (Markdown).
pub fn page() -> String {
    let mut out = String::from(
        "# Metrics\n\n`/metrics` in Prometheus' text format. Made from the table in `src/telemetry.rs`; a test holds the two together.\n\n\
         | name | kind | labels | is |\n|---|---|---|---|\n",
    );
    for row in TABLE {
        let kind = match row.shape {
            Shape::Counter => "counter".to_owned(),
            Shape::Gauge => "gauge".to_owned(),
            Shape::Histogram(bounds) => format!(
                "histogram ({} to {})",
                bounds.first().copied().unwrap_or_default(),
                bounds.last().copied().unwrap_or_default()
            ),
        };
        let _ = writeln!(
            out,
            "| `{}` | {kind} | {} | {} |",
            row.name,
            row.labels.join(", "),
            row.help
        );
    }
    out
}

fn empty(row: &Row) -> Cell {
    match row.shape {
        Shape::Histogram(bounds) => Cell::Histogram {
            buckets: vec![0; bounds.len()],
            sum: 0.,
            count: 0,
        },
        _ => Cell::Number(0.),
    }
}

fn render_cell(out: &mut String, row: &Row, labels: &[String], cell: &Cell) {
    match (cell, row.shape) {
        (
            Cell::Histogram {
                buckets,
                sum,
                count,
            },
            Shape::Histogram(bounds),
        ) => {
            let mut below = 0;
            for (bound, n) in bounds.iter().zip(buckets) {
                below += n;
                let _ = writeln!(out, "{}_bucket{{le=\"{bound}\"}} {below}", row.name);
            }
            let _ = writeln!(
                out,
                "{}_bucket{{le=\"+Inf\"}} {count}\n{}_sum {sum}\n{}_count {count}",
                row.name, row.name, row.name
            );
        }
        (Cell::Number(n), _) => {
            let pairs: Vec<String> = row
                .labels
                .iter()
                .zip(labels)
                .map(|(k, v)| {
                    format!(
                        "{k}=\"{}\"",
                        v.replace('\\', "\\\\")
                            .replace('"', "\\\"")
                            .replace('\n', "\\n")
                    )
                })
                .collect();
            let pairs = if pairs.is_empty() {
                String::new()
            } else {
                format!("{{{}}}", pairs.join(","))
            };
            let _ = writeln!(out, "{}{pairs} {n}", row.name);
        }
        _ => {}
    }
}

fn find(metric: Metric) -> &'static Row {
    &TABLE[metric as usize]
}

/// Logs to stderr: what `RUST_LOG` says, else warnings of libraries and `level` of firstline. `FIRSTLINE_LOG=json` gives one JSON object
/// a line; colour only on a terminal and without `NO_COLOR`. Calling it twice does nothing.
pub fn init_logging(level: &str) {
    use std::io::IsTerminal;
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new(format!("warn,firstline={level}")));
    let colour = std::io::stderr().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    let base = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colour);
    let _ = if std::env::var("FIRSTLINE_LOG").is_ok_and(|v| v == "json") {
        base.json().try_init()
    } else {
        base.with_target(false).try_init()
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_stands_at_its_metrics_place_and_names_differ() {
        for (place, row) in TABLE.iter().enumerate() {
            assert_eq!(row.metric as usize, place, "{}", row.name);
            assert_eq!(
                TABLE.iter().filter(|r| r.name == row.name).count(),
                1,
                "{}",
                row.name
            );
            assert!(
                matches!(row.shape, Shape::Counter) == row.name.ends_with("_total"),
                "{}",
                row.name
            );
        }
        assert_eq!(TABLE.len(), Metric::Panics as usize + 1);
    }

    fn beside(name: &str) -> std::path::PathBuf {
        std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("scripts/packaging")
            .join(name)
    }

    /// To bring the page up to date: FIRSTLINE_WRITE_PAGES=1 cargo test --lib telemetry
    #[test]
    fn the_page_of_metrics_is_the_table() {
        let path = beside("metrics.md");
        if std::env::var_os("FIRSTLINE_WRITE_PAGES").is_some() {
            std::fs::write(&path, page()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), page());
    }

    #[test]
    fn alerts_and_dashboard_ask_for_metrics_that_there_are() {
        for file in ["alerts.yml", "grafana.json"] {
            let text = std::fs::read_to_string(beside(file)).unwrap();
            let mut asked = 0;
            for (at, _) in text.match_indices("firstline_") {
                let name: String = text[at..]
                    .chars()
                    .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                    .collect();
                let plain = ["_bucket", "_sum", "_count"]
                    .iter()
                    .find_map(|end| name.strip_suffix(end))
                    .unwrap_or(&name);
                assert!(
                    TABLE
                        .iter()
                        .any(|row| row.name == plain || row.name == name),
                    "{file} asks for {name}"
                );
                asked += 1;
            }
            assert!(asked > 10, "{file}");
        }
        let board = std::fs::read_to_string(beside("grafana.json")).unwrap();
        let board: serde_json::Value = serde_json::from_str(&board).unwrap();
        assert!(board["panels"].as_array().is_some_and(|p| p.len() > 10));
    }

    #[test]
    fn rendered_as_prometheus_reads_it() {
        let metrics = Metrics::new();
        metrics.count(Metric::Calls, &["resolved"]);
        metrics.count(Metric::Calls, &["resolved"]);
        metrics.count(Metric::Actions, &["a\"b\n", "done"]);
        metrics.set(Metric::CallsActive, 3.);
        metrics.observe(Metric::GapMs, 340.);
        metrics.observe(Metric::GapMs, 99999.);
        let text = metrics.render();
        for line in [
            "firstline_calls_total{outcome=\"resolved\"} 2",
            "firstline_actions_total{action=\"a\\\"b\\n\",status=\"done\"} 1",
            "firstline_calls_active 3",
            "firstline_turns_total 0",
            "firstline_reply_gap_ms_bucket{le=\"200\"} 0",
            "firstline_reply_gap_ms_bucket{le=\"350\"} 1",
            "firstline_reply_gap_ms_bucket{le=\"+Inf\"} 2",
            "firstline_reply_gap_ms_count 2",
            "# TYPE firstline_reply_gap_ms histogram",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\n{text}");
        }
    }

    #[test]
    fn labels_that_never_end_are_counted_together() {
        let metrics = Metrics::new();
        for n in 0..10_000 {
            metrics.count(Metric::Actions, &[&format!("a{n}"), "done"]);
        }
        let text = metrics.render();
        assert!(
            text.lines()
                .filter(|l| l.starts_with("firstline_actions_total{"))
                .count()
                <= SERIES_MAX + 1
        );
        assert!(text.contains("firstline_actions_total{action=\"other\",status=\"other\"} 9900"));
    }
}
