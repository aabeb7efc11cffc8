//! The sentences of a structured answer, out of the text as it streams in.
//!
//! The answer is `{"sentences": ["...", "..."]}` (RFC 8259). A sentence is given out when its closing quote has come; what stands
//! around the object (a code fence, say) is passed over.

/// No answer is read beyond this many bytes.
const MOST: usize = 16 * 1024;

/// Reads one answer.
#[derive(Debug, Clone, Default)]
pub struct Sentences {
    text: String,
    /// Read up to here.
    at: usize,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Before,
    /// Inside the list, between sentences.
    List,
    /// The list has ended.
    After,
}

impl Sentences {
    /// Takes the next piece; gives the sentences that are complete now.
    pub fn push(&mut self, piece: &str) -> Vec<String> {
        if self.text.len() + piece.len() > MOST {
            self.state = State::After;
            return Vec::new();
        }
        self.text.push_str(piece);
        let mut out = Vec::new();
        loop {
            let rest = &self.text[self.at..];
            match self.state {
                State::After => return out,
                State::Before => {
                    const KEY: &str = "\"sentences\"";
                    let Some(key) = rest.find(KEY) else {
                        return out;
                    };
                    let after = rest[key + KEY.len()..].trim_start();
                    let Some(after) = after.strip_prefix(':') else {
                        if !after.is_empty() {
                            self.state = State::After;
                        }
                        return out;
                    };
                    let after = after.trim_start();
                    if after.is_empty() {
                        return out;
                    }
                    let Some(after) = after.strip_prefix('[') else {
                        self.state = State::After;
                        return out;
                    };
                    self.at = self.text.len() - after.len();
                    self.state = State::List;
                }
                State::List => {
                    let skipped = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
                    if !skipped.starts_with('"') {
                        if !skipped.is_empty() {
                            self.state = State::After;
                        }
                        return out;
                    }
                    let Some(end) = closing(skipped) else {
                        return out;
                    };
                    match serde_json::from_str::<String>(&skipped[..=end]) {
                        Ok(sentence) => out.push(sentence),
                        Err(_) => self.state = State::After,
                    }
                    self.at = self.text.len() - skipped.len() + end + 1;
                }
            }
        }
    }

    /// All that came.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// Where a string that begins with a quote ends.
fn closing(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(at),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str, piece: usize) -> Vec<String> {
        let mut sentences = Sentences::default();
        let chars: Vec<char> = text.chars().collect();
        chars
            .chunks(piece)
            .flat_map(|c| sentences.push(&c.iter().collect::<String>()))
            .collect()
    }

    #[test]
    fn sentences_come_as_they_end_however_they_are_cut() {
        let text =
            "```json\n{ \"sentences\" : [\"It's \\\"£6\\\" — once.\", \"Then \\u00a37.\"] }\n```";
        for piece in 1..text.len() {
            assert_eq!(
                all(text, piece),
                ["It's \"£6\" — once.", "Then £7."],
                "{piece}"
            );
        }
        assert_eq!(all("{\"sentences\": [\"One.\", \"Tw", 3), ["One."]);
    }

    #[test]
    fn what_has_another_shape_gives_nothing() {
        for text in [
            "The fee is $7.",
            "{\"sentences\": \"The fee is $7.\"}",
            "{\"sentences\": [{\"text\": \"x\"}]}",
            "{\"sentences\": [7]}",
            "{\"sentences\" [\"x\"]}",
            "{\"reply\": [\"x\"]}",
            "",
        ] {
            assert!(all(text, 2).is_empty(), "{text}");
        }
        let endless = format!("{{\"sentences\": [\"{}", "x".repeat(MOST * 2));
        assert!(all(&endless, 1000).is_empty());
    }
}
