//! A second system of the sample desk's company, as an MCP server: reward points. Written with the official SDK's server half, so that
//! the line's client talks to somebody else's code.
//!
//! `cargo run --example larchpay_mcp -- --log points.jsonl` (standard input and output), or with `--http 127.0.0.1:8095`.
//!
//! Tools: `points_balance`, `add_points`, `operation` (what became of a key). Every effect is a line of the log; the same key changes
//! nothing twice. For tests, the file named by `--fault` holds a word: `slow`, `error`, `die` (does it, and is gone before it answers).
#![allow(
    clippy::disallowed_methods,
    reason = "a program of its own, beside the line"
)]

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::Parser;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, RoleServer, ServerHandler, ServiceExt};
use serde_json::{Value, json};

/// Reward points as an MCP server.
#[derive(Debug, Parser)]
struct Args {
    /// Serve Streamable HTTP at /mcp here, instead of standard input and output.
    #[arg(long)]
    http: Option<String>,
    /// Every change, one JSON object a line.
    #[arg(long)]
    log: PathBuf,
    /// A file with a word in it that says how to misbehave.
    #[arg(long)]
    fault: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let points = Points {
        log: Arc::new(Mutex::new(args.log)),
        fault: args.fault,
    };
    match args.http {
        None => {
            points
                .serve(rmcp::transport::stdio())
                .await?
                .waiting()
                .await?;
        }
        Some(listen) => {
            let listener = tokio::net::TcpListener::bind(&listen).await?;
            println!("ready http={}", listener.local_addr()?);
            let service = StreamableHttpService::new(
                move || Ok(points.clone()),
                Arc::new(LocalSessionManager::default()),
                StreamableHttpServerConfig::default(),
            );
            let routes = axum::Router::new().nest_service("/mcp", service);
            axum::serve(listener, routes).await?;
        }
    }
    Ok(())
}

#[derive(Clone)]
struct Points {
    log: Arc<Mutex<PathBuf>>,
    fault: Option<PathBuf>,
}

impl Points {
    fn changes(path: &PathBuf) -> Vec<Value> {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    fn balance(changes: &[Value], customer: &str) -> i64 {
        let of = |change: &&Value| change["customer"] == customer;
        let added = changes.iter().filter(of);
        100 + added
            .filter_map(|change| change["points"].as_i64())
            .sum::<i64>()
    }

    fn add(&self, key: &str, customer: &str, points: i64) -> Value {
        let path = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changes = Self::changes(&path);
        if !changes.iter().any(|change| change["key"] == key) {
            let change = json!({"key": key, "customer": customer, "points": points});
            let mut text = std::fs::read_to_string(&*path).unwrap_or_default();
            text.push_str(&format!("{change}\n"));
            let _ = std::fs::write(&*path, text);
            changes.push(change);
        }
        json!({"added": points, "points": Self::balance(&changes, customer)})
    }

    fn operation(&self, key: &str) -> Value {
        let path = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let changes = Self::changes(&path);
        match changes.iter().find(|change| change["key"] == key) {
            None => json!({"status": "not_found"}),
            Some(change) => json!({"status": "done", "result": {
                "added": change["points"],
                "points": Self::balance(&changes, change["customer"].as_str().unwrap_or_default()),
            }}),
        }
    }
}

impl ServerHandler for Points {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let tool = |name: &'static str, about: &'static str, needs: &[&str]| {
            let fields: serde_json::Map<String, Value> = needs
                .iter()
                .map(|n| {
                    (
                        (*n).to_owned(),
                        json!({"type": if *n == "points" { "integer" } else { "string" }}),
                    )
                })
                .collect();
            let schema = json!({"type": "object", "properties": fields, "required": needs});
            Tool::new(name, about, schema.as_object().cloned().unwrap_or_default())
        };
        Ok(ListToolsResult::with_all_items(vec![
            tool("points_balance", "Points a customer has", &["customer"]),
            tool(
                "add_points",
                "Adds points, once a key",
                &["customer", "points", "key"],
            ),
            tool("operation", "What became of a key", &["key"]),
        ]))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let arguments = request.arguments.unwrap_or_default();
        let text = |name: &str| {
            let value = arguments.get(name).and_then(Value::as_str);
            value.ok_or_else(|| ErrorData::invalid_params(format!("`{name}` is missing"), None))
        };
        let answer = match request.name.as_ref() {
            "points_balance" => {
                let path = self.log.lock().unwrap_or_else(PoisonError::into_inner);
                json!({"points": Self::balance(&Self::changes(&path), text("customer")?)})
            }
            "operation" => self.operation(text("key")?),
            "add_points" => {
                let points = arguments
                    .get("points")
                    .and_then(Value::as_i64)
                    .ok_or_else(|| ErrorData::invalid_params("`points` is no number", None))?;
                let (customer, key) = (text("customer")?, text("key")?);
                let sent = context.meta.0.0.get("idempotencyKey");
                if sent.and_then(Value::as_str) != Some(key) {
                    return Err(ErrorData::invalid_params(
                        "the key in _meta is another one",
                        None,
                    ));
                }
                let fault = self
                    .fault
                    .as_ref()
                    .and_then(|path| std::fs::read_to_string(path).ok())
                    .unwrap_or_default();
                match fault.trim() {
                    "error" => {
                        let said = vec![ContentBlock::text("the points system is not well")];
                        return Ok(CallToolResult::error(said).into());
                    }
                    "slow" => {
                        // Done in spite of it, and answered when nobody waits any more.
                        let answer = self.add(key, customer, points);
                        tokio::time::sleep(Duration::from_secs(20)).await;
                        answer
                    }
                    "die" => {
                        self.add(key, customer, points);
                        std::process::exit(7);
                    }
                    _ => self.add(key, customer, points),
                }
            }
            other => {
                return Err(ErrorData::invalid_params(
                    format!("there is no tool `{other}`"),
                    None,
                ));
            }
        };
        Ok(CallToolResult::structured(answer).into())
    }
}
