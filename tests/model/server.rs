//! A language-model server on loopback that does as it is told, faults included.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What the server does with a request.
#[derive(Debug, Clone)]
pub enum Does {
    /// Streams these sentences, a few characters an event.
    Says(Vec<&'static str>),
    /// Streams this text as the whole answer.
    Text(String),
    /// Streams the text, then says no more and keeps the connection.
    Hangs(String),
    /// Streams the text and closes the connection.
    Cuts(String),
    /// Answers nothing.
    Sleeps,
    Status(u16),
    /// A page instead of a stream.
    Page,
    /// One byte now and then.
    Drips,
    /// An event that is no JSON.
    Garbles,
}

#[derive(Clone)]
pub struct Server {
    pub url: String,
    /// Bodies of the requests, with their heads under `head`.
    pub asked: Arc<Mutex<Vec<Value>>>,
}

impl Server {
    pub async fn start(does: Does) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let kept = asked.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (does, kept) = (does.clone(), kept.clone());
                tokio::spawn(async move { serve(socket, does, kept).await });
            }
        });
        Self { url, asked }
    }

    pub fn count(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

async fn serve(mut socket: TcpStream, does: Does, kept: Arc<Mutex<Vec<Value>>>) -> Option<()> {
    let mut seen = Vec::new();
    let mut buffer = [0; 8192];
    let (head, body) = loop {
        let n = socket.read(&mut buffer).await.ok().filter(|n| *n > 0)?;
        seen.extend_from_slice(&buffer[..n]);
        let text = String::from_utf8_lossy(&seen).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length: usize = head
            .to_lowercase()
            .split("content-length: ")
            .nth(1)
            .and_then(|t| t.lines().next()?.trim().parse().ok())
            .unwrap_or(0);
        if body.len() >= length {
            break (head.to_owned(), body.to_owned());
        }
    };
    let anthropic = head.starts_with("POST /v1/messages");
    let mut asked: Value = serde_json::from_str(&body).unwrap();
    let tool = asked.get("tools").is_some();
    asked["head"] = head.into();
    kept.lock().unwrap().push(asked);
    let event = |text: &str| {
        let data = match (anthropic, tool) {
            (true, true) => {
                json!({"type": "content_block_delta", "delta": {"type": "input_json_delta", "partial_json": text}})
            }
            (true, false) => {
                json!({"type": "content_block_delta", "delta": {"type": "text_delta", "text": text}})
            }
            (false, true) => {
                json!({"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"arguments": text}}]}}]})
            }
            (false, false) => json!({"choices": [{"delta": {"content": text}}]}),
        };
        let name = if anthropic {
            "event: content_block_delta\n"
        } else {
            ""
        };
        format!("{name}data: {data}\n\n")
    };
    let streams = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    let stream = |text: &str| {
        let chars: Vec<char> = text.chars().collect();
        chars
            .chunks(5)
            .map(|piece| event(&piece.iter().collect::<String>()))
            .collect::<Vec<_>>()
    };
    let end = match anthropic {
        true => "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
        false => "data: [DONE]\n\n",
    };
    let (text, after) = match does {
        Does::Says(sentences) => (json!({ "sentences": sentences }).to_string(), Some(end)),
        Does::Text(text) => (text, Some(end)),
        Does::Cuts(text) => (text, Some("")),
        Does::Hangs(text) => (text, None),
        Does::Sleeps => {
            tokio::time::sleep(Duration::from_secs(60)).await;
            return None;
        }
        Does::Status(status) => {
            let answer = format!(
                "HTTP/1.1 {status} No\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}"
            );
            return socket.write_all(answer.as_bytes()).await.ok();
        }
        Does::Page => {
            let page = "<html>\n\nlogin".repeat(50);
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{page}",
                page.len()
            );
            return socket.write_all(answer.as_bytes()).await.ok();
        }
        Does::Garbles => {
            let answer = format!("{streams}data: {{\"choices\": [{{\"del\n\n");
            return socket.write_all(answer.as_bytes()).await.ok();
        }
        Does::Drips => {
            socket.write_all(streams.as_bytes()).await.ok()?;
            for byte in event("{\"sentences\": [\"x").bytes().cycle() {
                socket.write_all(&[byte]).await.ok()?;
                tokio::time::sleep(Duration::from_millis(40)).await;
            }
            return None;
        }
    };
    socket.write_all(streams.as_bytes()).await.ok()?;
    for event in stream(&text) {
        socket.write_all(event.as_bytes()).await.ok()?;
    }
    match after {
        Some(after) => socket.write_all(after.as_bytes()).await.ok(),
        None => {
            tokio::time::sleep(Duration::from_secs(60)).await;
            None
        }
    }
}
