//! OpenTelemetry traces: a call is a trace, a turn a span with one for each engine below it. Sent as JSON over HTTP (OTLP 1.x,
//! <https://opentelemetry.io/docs/specs/otlp/#otlphttp>) when the call has ended. No words of anybody are in them.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use crate::backoffice::poster;
use crate::desk::{CallOutcome, CallRecord, TurnRecord};
use crate::telemetry::{Metric, Metrics};

/// Calls that may wait to be sent.
const BACKLOG: usize = 64;
const PATIENCE: Duration = Duration::from_secs(5);

/// A handle to the sender.
#[derive(Debug, Clone)]
pub struct Tracer {
    to: mpsc::Sender<Value>,
    metrics: Arc<Metrics>,
    node: String,
}

impl Tracer {
    /// Sends to `endpoint` (`http://host:4318`) from now on. Needs a running runtime.
    ///
    /// # Errors
    /// One sentence: no HTTP client can be made.
    pub fn start(endpoint: &str, node: &str, metrics: Arc<Metrics>) -> Result<Self, String> {
        let post = poster()?;
        let url = format!("{}/v1/traces", endpoint.trim_end_matches('/'));
        let (to, mut from) = mpsc::channel::<Value>(BACKLOG);
        let counted = metrics.clone();
        tokio::spawn(async move {
            let mut failing = false;
            while let Some(spans) = from.recv().await {
                let sent = post.send(&url, &[], spans.to_string(), PATIENCE).await;
                if let Err(error) = &sent {
                    counted.count(Metric::SpansDropped, &[]);
                    // Once, not at every call: the collector is a convenience.
                    if !failing {
                        tracing::warn!("traces are not taken at {url}: {error:?}");
                    }
                }
                failing = sent.is_err();
            }
        });
        Ok(Self {
            to,
            metrics,
            node: node.to_owned(),
        })
    }

    /// Queues a finished call's spans; never waits.
    pub fn call(&self, record: &CallRecord) {
        if self.to.try_send(spans(record, &self.node)).is_err() {
            self.metrics.count(Metric::SpansDropped, &[]);
        }
    }
}

/// A finished call as an `ExportTraceServiceRequest`.
pub fn spans(record: &CallRecord, node: &str) -> Value {
    let started = millis(&record.started_at);
    let ended = record.ended_at.as_deref().map_or(started, millis);
    let trace = id(&record.id, "", 16);
    let root = id(&record.id, "call", 8);
    let at = |ms: u64| started.saturating_add(ms);
    let mut all = vec![span(
        &trace,
        &root,
        None,
        "call",
        (started, ended),
        json!({
            "call.id": record.id, "call.channel": record.channel, "call.outcome": record.outcome,
            "call.turns": record.turns.len(), "call.verified": record.verified,
            "call.ended_by": record.termination.cause,
        }),
        record.outcome == Some(CallOutcome::Failed),
    )];
    for turn in &record.turns {
        all.extend(turn_spans(record, turn, &trace, &root, &at));
    }
    if let Some(handoff) = &record.handoff {
        let rung: u64 = handoff.targets.iter().map(|t| t.ms).sum();
        all.push(span(
            &trace,
            &id(&record.id, "handoff", 8),
            Some(&root),
            "handoff",
            (ended.saturating_sub(rung), ended),
            json!({
                "handoff.reason": handoff.reason, "handoff.result": handoff.result,
                "handoff.targets": handoff.targets.len(), "handoff.rung_ms": rung,
            }),
            false,
        ));
    }
    json!({ "resourceSpans": [{
        "resource": { "attributes": attributes(&json!({
            "service.name": "firstline", "service.version": env!("CARGO_PKG_VERSION"), "service.instance.id": node,
        })) },
        "scopeSpans": [{ "scope": { "name": "firstline.call" }, "spans": all }],
    }] })
}

/// From the end of the caller's words to the end of the reply: waiting to be sure, hearing, deciding, speaking.
fn turn_spans(
    record: &CallRecord,
    turn: &TurnRecord,
    trace: &str,
    root: &str,
    at: &dyn Fn(u64) -> u64,
) -> Vec<Value> {
    let (Some(caller), Some(agent)) = (&turn.caller, &turn.agent) else {
        return Vec::new();
    };
    let name = format!("turn {}", turn.index);
    let own = id(&record.id, &name, 8);
    let decision = turn.decision.as_ref();
    let mut spans = vec![span(
        trace,
        &own,
        Some(root),
        "turn",
        (at(caller.start_ms), at(agent.end_ms.max(agent.start_ms))),
        json!({
            "turn.index": turn.index, "turn.gap_ms": turn.gap_ms, "turn.interrupted": turn.interrupted,
            "decision.route": decision.map(|d| d.route), "decision.intent": decision.and_then(|d| d.intent.clone()),
            "decision.confidence": decision.map(|d| d.confidence),
            "speech.avg_logprob": caller.avg_logprob,
        }),
        false,
    )];
    let stages = &turn.stages_ms;
    let mut from = caller.end_ms;
    // Hearing begins before the caller has ended for sure: the stages follow one another as far as they are known to.
    for (stage, ms) in [
        ("endpoint", stages.endpoint),
        ("hear", stages.stt),
        ("decide", stages.decide),
        ("voice", stages.tts),
    ] {
        spans.push(span(
            trace,
            &id(&record.id, &format!("{name} {stage}"), 8),
            Some(&own),
            stage,
            (at(from), at(from + ms)),
            json!({}),
            false,
        ));
        from += ms;
    }
    spans
}

fn span(
    trace: &str,
    own: &str,
    parent: Option<&str>,
    name: &str,
    (from, to): (u64, u64),
    about: Value,
    failed: bool,
) -> Value {
    let mut span = json!({
        "traceId": trace, "spanId": own, "name": name, "kind": if parent.is_none() { 2 } else { 1 },
        // 64-bit integers are text in OTLP's JSON.
        "startTimeUnixNano": format!("{from}000000"), "endTimeUnixNano": format!("{}000000", to.max(from)),
        "attributes": attributes(&about),
        "status": { "code": if failed { 2 } else { 1 } },
    });
    if let (Some(parent), Some(span)) = (parent, span.as_object_mut()) {
        span.insert("parentSpanId".into(), parent.into());
    }
    span
}

fn attributes(about: &Value) -> Vec<Value> {
    let of = |value: &Value| match value {
        Value::String(text) => Some(json!({ "stringValue": text })),
        Value::Bool(b) => Some(json!({ "boolValue": b })),
        Value::Number(n) if n.is_i64() || n.is_u64() => Some(json!({ "intValue": n.to_string() })),
        Value::Number(n) => Some(json!({ "doubleValue": n })),
        _ => None,
    };
    about
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some(json!({ "key": key, "value": of(value)? })))
        .collect()
}

fn millis(text: &str) -> u64 {
    text.parse::<jiff::Timestamp>()
        .ok()
        .and_then(|t| u64::try_from(t.as_millisecond()).ok())
        .unwrap_or(0)
}

/// An id of so many bytes, in hex, that is the same at every try.
fn id(call: &str, what: &str, bytes: usize) -> String {
    let digest = Sha256::new()
        .chain_update(call)
        .chain_update([0])
        .chain_update(what)
        .finalize();
    digest
        .iter()
        .take(bytes)
        .map(|b| format!("{b:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::{AgentTurn, CallerTurn, StagesMs};

    fn record() -> CallRecord {
        CallRecord {
            id: "019ab4c2".into(),
            channel: "sip".into(),
            from: Some("+12025550163".into()),
            started_at: "2026-11-23T10:00:00Z".into(),
            ended_at: Some("2026-11-23T10:01:00Z".into()),
            outcome: Some(CallOutcome::Resolved),
            turns: vec![TurnRecord {
                index: 1,
                caller: Some(CallerTurn {
                    text: "my secret words".into(),
                    start_ms: 1_000,
                    end_ms: 3_000,
                    ..CallerTurn::default()
                }),
                agent: Some(AgentTurn {
                    text: "our words".into(),
                    heard: "our words".into(),
                    start_ms: 3_700,
                    end_ms: 6_000,
                }),
                gap_ms: Some(700),
                stages_ms: StagesMs {
                    endpoint: 200,
                    stt: 300,
                    decide: 50,
                    tts: 150,
                },
                ..TurnRecord::default()
            }],
            ..CallRecord::default()
        }
    }

    #[test]
    fn a_call_is_a_trace_with_a_turn_across_the_engines() {
        let sent = spans(&record(), "a");
        let spans = sent["resourceSpans"][0]["scopeSpans"][0]["spans"]
            .as_array()
            .unwrap()
            .clone();
        let names: Vec<&str> = spans.iter().filter_map(|s| s["name"].as_str()).collect();
        assert_eq!(
            names,
            ["call", "turn", "endpoint", "hear", "decide", "voice"]
        );
        let trace = spans[0]["traceId"].as_str().unwrap();
        assert_eq!(trace.len(), 32);
        assert!(spans.iter().all(|s| s["traceId"] == *trace));
        assert_eq!(spans[1]["parentSpanId"], spans[0]["spanId"]);
        assert_eq!(spans[3]["parentSpanId"], spans[1]["spanId"]);
        assert_eq!(spans[3]["startTimeUnixNano"], "1795428003200000000");
        assert_eq!(spans[3]["endTimeUnixNano"], "1795428003500000000");
        let text = sent.to_string();
        assert!(!text.contains("words") && !text.contains("+1202"), "{text}");
    }
}
