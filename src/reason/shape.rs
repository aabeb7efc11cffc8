//! The two shapes that language-model servers speak: chat completions as OpenAI's API reference has them
//! (<https://platform.openai.com/docs/api-reference/chat>), and Anthropic's messages
//! (<https://docs.anthropic.com/en/api/messages>); both stream server-sent events.
//!
//! Text in, text out: what is asked for is one JSON object, by a response format with a JSON schema, by a tool that has to be called,
//! or by the prompt alone, as the server can do it. Whatever way it comes, the pieces of that object are the same.

use serde_json::{Value, json};

use crate::desk::model::Prompt;

/// How a server is talked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shape {
    OpenAi,
    Anthropic,
}

/// How a server is held to the shape of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Structure {
    /// A response format with a JSON schema.
    #[default]
    Schema,
    /// A tool that it has to call.
    Tool,
    /// The prompt alone, for servers that know neither.
    Prompt,
}

/// The tool's name where one has to be called.
const TOOL: &str = "reply";

impl Shape {
    /// The path below the server's base URL.
    pub fn path(self) -> &'static str {
        match self {
            Shape::OpenAi => "chat/completions",
            Shape::Anthropic => "messages",
        }
    }

    /// The body of a streaming request.
    pub fn body(self, model: &str, structure: Structure, prompt: &Prompt) -> Value {
        let Prompt {
            instruction,
            data,
            schema,
            most_tokens,
            ..
        } = prompt;
        let about = "The reply, sentence by sentence";
        match self {
            Shape::OpenAi => {
                let mut body = json!({
                    "model": model, "stream": true, "temperature": 0, "max_tokens": most_tokens,
                    "messages": [{"role": "system", "content": instruction}, {"role": "user", "content": data}],
                });
                match structure {
                    Structure::Schema => {
                        body["response_format"] = json!({"type": "json_schema",
                            "json_schema": {"name": TOOL, "strict": true, "schema": schema}});
                    }
                    Structure::Tool => {
                        body["tools"] = json!([{"type": "function",
                            "function": {"name": TOOL, "description": about, "parameters": schema}}]);
                        body["tool_choice"] =
                            json!({"type": "function", "function": {"name": TOOL}});
                    }
                    Structure::Prompt => {}
                }
                body
            }
            Shape::Anthropic => {
                let mut body = json!({
                    "model": model, "stream": true, "temperature": 0, "max_tokens": most_tokens,
                    "system": instruction, "messages": [{"role": "user", "content": data}],
                });
                if structure != Structure::Prompt {
                    body["tools"] =
                        json!([{"name": TOOL, "description": about, "input_schema": schema}]);
                    body["tool_choice"] = json!({"type": "tool", "name": TOOL});
                }
                body
            }
        }
    }

    /// What one event says.
    pub fn read(self, data: &str) -> Piece {
        if data.trim() == "[DONE]" {
            return Piece::End;
        }
        let Ok(event) = serde_json::from_str::<Value>(data) else {
            return Piece::Fault("an event is not JSON".into());
        };
        if let Some(error) = event.get("error").filter(|e| !e.is_null()) {
            let said = error
                .get("message")
                .and_then(Value::as_str)
                .unwrap_or("an error without words");
            return Piece::Fault(said.chars().take(200).collect());
        }
        match self {
            Shape::OpenAi => {
                let Some(choice) = event.pointer("/choices/0") else {
                    return Piece::Nothing;
                };
                let delta = &choice["delta"];
                let text = delta["content"].as_str().unwrap_or_default();
                let called = delta
                    .pointer("/tool_calls/0/function/arguments")
                    .and_then(Value::as_str)
                    .unwrap_or_default();
                let text = if text.is_empty() { called } else { text };
                match (text, choice["finish_reason"].as_str()) {
                    ("", Some(_)) => Piece::End,
                    ("", None) => Piece::Nothing,
                    (text, _) => Piece::Text(text.to_owned()),
                }
            }
            Shape::Anthropic => match event["type"].as_str() {
                Some("content_block_delta") => {
                    let delta = &event["delta"];
                    let text = delta["text"].as_str().or(delta["partial_json"].as_str());
                    text.map_or(Piece::Nothing, |text| Piece::Text(text.to_owned()))
                }
                Some("message_stop") => Piece::End,
                _ => Piece::Nothing,
            },
        }
    }
}

/// What an event brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    Text(String),
    Nothing,
    End,
    Fault(String),
}

/// Server-sent events out of the bytes of a stream (WHATWG HTML, 9.2.6): the `data` of each, lines joined.
#[derive(Debug, Clone, Default)]
pub struct Events {
    bytes: Vec<u8>,
    data: String,
}

impl Events {
    /// No line is longer; a longer one ends the stream.
    const LONGEST: usize = 256 * 1024;

    /// Takes the next bytes; gives the events that are complete now. None: this is no event stream.
    pub fn push(&mut self, bytes: &[u8]) -> Option<Vec<String>> {
        self.bytes.extend_from_slice(bytes);
        let mut events = Vec::new();
        while let Some(end) = self.bytes.iter().position(|b| *b == b'\n') {
            let line: Vec<u8> = self.bytes.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches(['\n', '\r']);
            if line.is_empty() {
                if !self.data.is_empty() {
                    events.push(std::mem::take(&mut self.data));
                }
            } else if let Some(data) = line.strip_prefix("data:") {
                if !self.data.is_empty() {
                    self.data.push('\n');
                }
                self.data.push_str(data.strip_prefix(' ').unwrap_or(data));
            }
        }
        (self.bytes.len() + self.data.len() <= Self::LONGEST).then_some(events)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::model::Task;

    fn prompt() -> Prompt {
        Prompt {
            task: Task::Answer,
            instruction: "Be brief.".into(),
            data: "{}".into(),
            schema: json!({"type": "object"}),
            most_tokens: 80,
        }
    }

    #[test]
    fn each_shape_asks_for_the_object_in_its_own_way() {
        let body = Shape::OpenAi.body("m", Structure::Schema, &prompt());
        assert_eq!(body["response_format"]["type"], "json_schema");
        assert_eq!(body["messages"][0]["role"], "system");
        assert!(body.get("tools").is_none());
        let body = Shape::OpenAi.body("m", Structure::Tool, &prompt());
        assert_eq!(body["tool_choice"]["function"]["name"], TOOL);
        let body = Shape::Anthropic.body("m", Structure::Schema, &prompt());
        assert_eq!(
            (&body["system"], &body["tool_choice"]["name"]),
            (&json!("Be brief."), &json!(TOOL))
        );
        let body = Shape::Anthropic.body("m", Structure::Prompt, &prompt());
        assert!(body.get("tools").is_none());
    }

    #[test]
    fn pieces_are_read_from_both() {
        let text = |t: &str| Piece::Text(t.to_owned());
        for (shape, data, piece) in [
            (
                Shape::OpenAi,
                r#"{"choices":[{"delta":{"content":"ab"}}]}"#,
                text("ab"),
            ),
            (
                Shape::OpenAi,
                r#"{"choices":[{"delta":{"tool_calls":[{"function":{"arguments":"{\"s"}}]}}]}"#,
                text("{\"s"),
            ),
            (
                Shape::OpenAi,
                r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#,
                Piece::End,
            ),
            (Shape::OpenAi, r#"{"choices":[]}"#, Piece::Nothing),
            (Shape::OpenAi, "[DONE]", Piece::End),
            (
                Shape::OpenAi,
                r#"{"error":{"message":"full"}}"#,
                Piece::Fault("full".into()),
            ),
            (
                Shape::OpenAi,
                "<html>",
                Piece::Fault("an event is not JSON".into()),
            ),
            (
                Shape::Anthropic,
                r#"{"type":"content_block_delta","delta":{"type":"input_json_delta","partial_json":"{"}}"#,
                text("{"),
            ),
            (
                Shape::Anthropic,
                r#"{"type":"content_block_delta","delta":{"type":"text_delta","text":"x"}}"#,
                text("x"),
            ),
            (Shape::Anthropic, r#"{"type":"ping"}"#, Piece::Nothing),
            (Shape::Anthropic, r#"{"type":"message_stop"}"#, Piece::End),
            (
                Shape::Anthropic,
                r#"{"type":"error","error":{"message":"overloaded"}}"#,
                Piece::Fault("overloaded".into()),
            ),
        ] {
            assert_eq!(shape.read(data), piece, "{data}");
        }
    }

    #[test]
    fn events_are_whole_however_the_bytes_are_cut() {
        let stream =
            b": hello\r\nevent: x\r\ndata: one\r\n\r\ndata: t\xc3\xa9\ndata: two\n\ndata: half";
        for piece in 1..stream.len() {
            let mut events = Events::default();
            let got: Vec<String> = stream
                .chunks(piece)
                .flat_map(|bytes| events.push(bytes).unwrap())
                .collect();
            assert_eq!(got, ["one", "t\u{e9}\ntwo"]);
        }
        assert!(
            Events::default()
                .push(&[b'x'; Events::LONGEST + 1])
                .is_none()
        );
    }
}
