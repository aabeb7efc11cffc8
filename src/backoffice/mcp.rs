//! MCP servers (Model Context Protocol, <https://modelcontextprotocol.io/specification>), by the official Rust SDK. The only importer
//! of `rmcp`.
//!
//! A tool is called as an HTTP request is sent: once, with a deadline, and an answer that does not come is `Unknown`. The idempotency
//! key goes along in `_meta` as `idempotencyKey`, and into the arguments where the desk puts `{idempotency_key}` there. The servers
//! offer nothing that the desk does not name: what tools there are is not asked, and what they ask of us is declined.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use rmcp::ServiceExt;
use rmcp::model::{CallToolRequestParams, CallToolResult, RequestMetaObject};
use rmcp::service::{Peer, RoleClient, RunningService, ServiceError};
use rmcp::transport::streamable_http_client::{
    StreamableHttpClientTransportConfig, StreamableHttpError,
};
use rmcp::transport::{StreamableHttpClientTransport, TokioChildProcess};
use serde_json::Value;
use tokio::process::Command;
use tokio::sync::Mutex;

use crate::desk::{McpServer, Outcome, Request, ToolCall};

/// Time to start a server, or to reach it, and to agree on a version.
const CONNECT: Duration = Duration::from_secs(5);
/// No answer of a tool is kept beyond this many bytes.
const ANSWER_MAX: usize = 1024 * 1024;

/// A desk's MCP servers. Connected when first used, and again when a connection is lost.
#[derive(Debug, Clone, Default)]
pub struct Servers(Arc<BTreeMap<String, Server>>);

#[derive(Debug)]
struct Server {
    how: How,
    running: Mutex<Option<Connection>>,
}

/// A variable's name to its value; none where none is named.
pub(super) type Token<'a> = dyn Fn(&Option<String>) -> Result<Option<String>, String> + 'a;

/// Ends, and with it a program that was started for it, when it is dropped.
type Connection = RunningService<RoleClient, ()>;

enum How {
    Stdio {
        command: Vec<String>,
        env: Vec<(String, String)>,
    },
    Http {
        url: String,
        token: Option<String>,
    },
}

impl std::fmt::Debug for How {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            How::Stdio { command, .. } => write!(f, "{}", command.join(" ")),
            How::Http { url, .. } => write!(f, "{url}"),
        }
    }
}

impl Servers {
    pub(super) fn new(
        config: &BTreeMap<String, McpServer>,
        token: &Token<'_>,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, String> {
        let mut servers = BTreeMap::new();
        for (name, server) in config {
            let how = match server {
                McpServer::Stdio { command, env } => How::Stdio {
                    command: command.clone(),
                    env: env
                        .iter()
                        .filter_map(|name| Some((name.clone(), variable(name)?)))
                        .collect(),
                },
                McpServer::Http { url, auth_env } => How::Http {
                    url: url.clone(),
                    token: token(auth_env)?,
                },
            };
            let running = Mutex::new(None);
            servers.insert(name.clone(), Server { how, running });
        }
        Ok(Self(Arc::new(servers)))
    }

    /// Calls a tool once.
    pub(super) async fn call(
        &self,
        call: &ToolCall,
        request: &Request,
        timeout: Duration,
    ) -> Outcome {
        let Some(server) = self.0.get(&call.server) else {
            return Outcome::Failed(format!(
                "there is no MCP server `{}` in this desk; nothing was sent",
                call.server
            ));
        };
        let mut params =
            CallToolRequestParams::new(call.tool.clone()).with_arguments(call.arguments.clone());
        if let Some(key) = &request.idempotency_key {
            let mut meta = RequestMetaObject::default();
            meta.0.0.insert("idempotencyKey".into(), key.clone().into());
            params.meta = Some(meta);
        }
        let mut again = true;
        loop {
            let peer = match server.peer().await {
                Ok(peer) => peer,
                Err(why) => return Outcome::Failed(why),
            };
            match tokio::time::timeout(timeout, peer.call_tool(params.clone())).await {
                Ok(Ok(result)) => return answered(result, request.is_write()),
                Err(_) => return Outcome::Unknown("no answer in time".into()),
                Ok(Err(error)) => {
                    if !matches!(error, ServiceError::McpError(_)) {
                        server.running.lock().await.take();
                    }
                    // The server knows our session no more (it was started anew), so it did not look at the request.
                    if was_not_taken(&error) && std::mem::take(&mut again) {
                        continue;
                    }
                    return failed(&error);
                }
            }
        }
    }

    pub(super) async fn reachable(&self, timeout: Duration) -> Vec<Result<String, String>> {
        let mut told = Vec::new();
        for (name, server) in self.0.iter() {
            let peer = server.peer().await;
            told.push(match peer {
                Err(why) => Err(format!("MCP server `{name}`: {why}")),
                Ok(peer) => match tokio::time::timeout(timeout, peer.list_all_tools()).await {
                    Ok(Ok(tools)) => Ok(format!("MCP server `{name}` has {} tools", tools.len())),
                    Ok(Err(error)) => Err(format!("MCP server `{name}`: {error}")),
                    Err(_) => Err(format!("MCP server `{name}` does not answer in time")),
                },
            });
        }
        told
    }
}

impl Server {
    /// The connection, made anew where there is none. Err: nothing was sent.
    async fn peer(&self) -> Result<Peer<RoleClient>, String> {
        let mut running = self.running.lock().await;
        if let Some(service) = running.as_ref().filter(|service| !service.is_closed()) {
            return Ok(service.peer().clone());
        }
        let service = tokio::time::timeout(CONNECT, self.connect())
            .await
            .unwrap_or_else(|_| Err("it does not answer in time".into()))
            .map_err(|why| format!("the MCP server {:?} cannot be used: {why}", self.how))?;
        let peer = service.peer().clone();
        *running = Some(service);
        Ok(peer)
    }

    async fn connect(&self) -> Result<RunningService<RoleClient, ()>, String> {
        match &self.how {
            How::Stdio { command, env } => {
                let (program, arguments) = command.split_first().ok_or("no command is named")?;
                let mut process = Command::new(program);
                process.args(arguments).env_clear().kill_on_drop(true);
                for name in ["PATH", "HOME", "LANG", "TMPDIR"] {
                    if let Some(value) = std::env::var_os(name) {
                        process.env(name, value);
                    }
                }
                process.envs(env.iter().map(|(name, value)| (name, value)));
                let (transport, _) = TokioChildProcess::builder(process)
                    .stderr(Stdio::null())
                    .spawn()
                    .map_err(|error| error.to_string())?;
                ().serve(transport).await.map_err(|error| error.to_string())
            }
            How::Http { url, token } => {
                let client = super::http::one_way_client()?;
                let mut config = StreamableHttpClientTransportConfig::with_uri(url.as_str())
                    .max_json_response_size(ANSWER_MAX)
                    .max_sse_event_size(ANSWER_MAX)
                    // A session that is made anew sends again what was under way; a write is sent once.
                    .reinit_on_expired_session(false);
                if let Some(token) = token {
                    config = config.auth_header(token.clone());
                }
                let transport = StreamableHttpClientTransport::with_client(client, config);
                ().serve(transport).await.map_err(|error| error.to_string())
            }
        }
    }
}

fn answered(result: CallToolResult, write: bool) -> Outcome {
    let texts: Vec<&str> = result
        .content
        .iter()
        .filter_map(|content| content.as_text())
        .map(|text| text.text.as_str())
        .collect();
    let text = texts.join("\n");
    if result.is_error == Some(true) {
        let said: String = text.chars().take(300).collect();
        // A tool that failed may have failed before or after it did something.
        return match write {
            true => Outcome::Unknown(format!("the tool reports an error: {said}")),
            false => Outcome::Refused(format!("the tool reports an error: {said}")),
        };
    }
    match result.structured_content {
        Some(value) => Outcome::Done(value),
        None if text.trim().is_empty() => Outcome::Done(Value::Null),
        None => Outcome::Done(serde_json::from_str(&text).unwrap_or(Value::String(text))),
    }
}

/// Whether the request did not reach the server: no connection was made, or the session was no longer known to it.
fn was_not_taken(error: &ServiceError) -> bool {
    let ServiceError::TransportSend(error) = error else {
        return false;
    };
    let mut cause: Option<&dyn std::error::Error> = Some(error.error.as_ref());
    while let Some(error) = cause {
        match error.downcast_ref::<StreamableHttpError<reqwest::Error>>() {
            Some(StreamableHttpError::Client(error)) => return error.is_connect(),
            Some(StreamableHttpError::SessionExpired) => return true,
            _ => {}
        }
        cause = error.source();
    }
    false
}

fn failed(error: &ServiceError) -> Outcome {
    match error {
        // JSON-RPC 2.0, section 5.1: the request was not understood, so nothing was done.
        ServiceError::McpError(error) if matches!(error.code.0, -32700 | -32602..=-32600) => {
            Outcome::Refused(error.message.chars().take(300).collect())
        }
        error if was_not_taken(error) => Outcome::Failed(error.to_string()),
        error => Outcome::Unknown(error.to_string()),
    }
}
