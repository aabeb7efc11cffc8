//! Phonemes from espeak-ng, kept running beside this process (it is GPL: never linked, only talked to over a pipe).
//!
//! One line in, one line a clause out. A marker word before and after every line says where an answer ends, so nothing is
//! guessed from timing. Starting the program costs 20 to 35 ms; a kept one answers in well under a millisecond.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use super::SpeechError;

/// A word that is in no text; its phonemes mark the answers.
const MARKER: &str = "Markerzq";
/// espeak-ng reads lines of up to a thousand bytes; longer pieces are cut between words.
const LONGEST_PIECE: usize = 600;
/// It answers in a millisecond. One that takes this long hangs.
const PATIENCE: Duration = Duration::from_secs(3);

/// A piece of text and the punctuation mark that ends it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Piece {
    text: String,
    mark: char,
}

/// Phonemes for one voice.
pub struct Espeak {
    voice: String,
    running: Option<Running>,
    /// Without `stdbuf` its answers would stay in its buffer: then every clause starts one of its own.
    keep: bool,
}

struct Running {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Espeak {
    /// `voice`: espeak-ng's name of it, as `en-us`.
    ///
    /// # Errors
    /// [`SpeechError::Model`] where espeak-ng is not installed or has no such voice.
    pub fn new(voice: &str) -> Result<Self, SpeechError> {
        if voice.is_empty()
            || !voice
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_+".contains(c))
        {
            return Err(SpeechError::Model(format!(
                "{voice:?} is not a voice of espeak-ng"
            )));
        }
        let mut espeak = Self {
            voice: voice.to_owned(),
            running: None,
            keep: true,
        };
        espeak.phonemes("ready")?;
        Ok(espeak)
    }

    /// IPA of a clause, its punctuation kept: `həlˈoʊ, wˈɜːld.`
    ///
    /// # Errors
    /// [`SpeechError::Engine`] where espeak-ng fails twice, [`SpeechError::Model`] where it is missing.
    pub fn phonemes(&mut self, clause: &str) -> Result<String, SpeechError> {
        let pieces = pieces(clause);
        if pieces.is_empty() {
            return Ok(String::new());
        }
        let mut request = format!("{MARKER}\n");
        for piece in &pieces {
            request.push_str(&piece.text);
            request.push('\n');
            request.push_str(MARKER);
            request.push('\n');
        }
        let answers = self.ask(&request, pieces.len())?;
        Ok(assemble(&pieces, &answers))
    }

    fn ask(&mut self, request: &str, pieces: usize) -> Result<Vec<Vec<String>>, SpeechError> {
        // A kept process may have died since the last clause; a fresh one gets the same question.
        for _ in 0..2 {
            if !self.keep {
                break;
            }
            if self.running.is_none() {
                match start(&self.voice) {
                    Ok(running) => self.running = Some(running),
                    Err(_) => {
                        self.keep = false;
                        break;
                    }
                }
            }
            if let Some(running) = &mut self.running
                && let Some(answers) = talk(running, request, pieces)
            {
                return Ok(answers);
            }
            self.running = None;
        }
        once(&self.voice, request, pieces)
    }
}

fn missing() -> SpeechError {
    SpeechError::Model(
        "espeak-ng is not on this computer and the voice needs it for pronunciation; install it (on Debian and Ubuntu: \
         apt install espeak-ng)"
            .into(),
    )
}

fn start(voice: &str) -> std::io::Result<Running> {
    let mut child = Command::new("stdbuf")
        .args(["-oL", "espeak-ng", "-q", "--ipa", "-v", voice])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        let _ = child.kill();
        return Err(std::io::ErrorKind::BrokenPipe.into());
    };
    let (to, lines) = sync_channel(256);
    std::thread::Builder::new()
        .name("espeak".into())
        .spawn(move || {
            for line in BufReader::new(output).lines() {
                let Ok(line) = line else { break };
                if to.send(line).is_err() {
                    break;
                }
            }
        })?;
    Ok(Running {
        child,
        input,
        lines,
    })
}

/// None where the process has died or hangs.
fn talk(running: &mut Running, request: &str, pieces: usize) -> Option<Vec<Vec<String>>> {
    running.input.write_all(request.as_bytes()).ok()?;
    running.input.flush().ok()?;
    let deadline = Instant::now() + PATIENCE;
    let next = || {
        let left = deadline.saturating_duration_since(Instant::now());
        running.lines.recv_timeout(left).ok()
    };
    let mut answers = Answers::new();
    while answers.done.len() < pieces {
        answers.line(next()?);
    }
    Some(answers.done)
}

/// A process for this request alone.
fn once(voice: &str, request: &str, pieces: usize) -> Result<Vec<Vec<String>>, SpeechError> {
    let mut child = Command::new("espeak-ng")
        .args(["-q", "--ipa", "-v", voice])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|_| missing())?;
    let mut said = String::new();
    let mut complaint = String::new();
    let wrote = child
        .stdin
        .take()
        .map(|mut input| input.write_all(request.as_bytes()));
    if let Some(mut output) = child.stdout.take() {
        let _ = output.read_to_string(&mut said);
    }
    if let Some(mut errors) = child.stderr.take() {
        let _ = errors.read_to_string(&mut complaint);
    }
    let ended = child.wait();
    let mut answers = Answers::new();
    for line in said.lines() {
        answers.line(line.to_owned());
    }
    if answers.done.len() == pieces && matches!(wrote, Some(Ok(()))) && ended.is_ok() {
        return Ok(answers.done);
    }
    let why = complaint
        .lines()
        .next()
        .unwrap_or("it gave no answer")
        .trim();
    Err(SpeechError::Engine(format!("espeak-ng failed: {why}")))
}

/// Lines collected between markers.
struct Answers {
    marker: Option<String>,
    current: Vec<String>,
    done: Vec<Vec<String>>,
}

impl Answers {
    fn new() -> Self {
        Self {
            marker: None,
            current: Vec::new(),
            done: Vec::new(),
        }
    }
    fn line(&mut self, line: String) {
        let line = line.trim().to_owned();
        match &self.marker {
            None if line.is_empty() => {}
            None => self.marker = Some(line),
            Some(marker) if line == *marker => self.done.push(std::mem::take(&mut self.current)),
            Some(_) if line.is_empty() => {}
            Some(_) => self.current.push(line),
        }
    }
}

fn assemble(pieces: &[Piece], answers: &[Vec<String>]) -> String {
    let mut out = String::new();
    for (piece, lines) in pieces.iter().zip(answers) {
        if lines.is_empty() {
            continue;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(&lines.join(", "));
        out.push(piece.mark);
    }
    out
}

/// Cuts where espeak-ng would begin a new line, keeping the mark that it throws away. What it would read out as a command or a
/// sign ("quote") is taken away.
fn pieces(clause: &str) -> Vec<Piece> {
    let plain: String = clause
        .chars()
        .map(|c| match c {
            '—' | '–' => ',',
            '’' | '‘' => '\'',
            '…' => '.',
            '"' | '“' | '”' | '[' | ']' | '(' | ')' | '<' | '>' | '|' | '*' | '_' | '`' => ' ',
            c if c.is_control() => ' ',
            c => c,
        })
        .collect();
    let mut out: Vec<Piece> = Vec::new();
    let mut text = String::new();
    let mut push = |text: &mut String, mark: char| {
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        text.clear();
        if words.chars().any(char::is_alphanumeric) {
            out.push(Piece { text: words, mark });
        } else if let Some(last) = out.last_mut()
            && last.mark == ','
        {
            last.mark = mark;
        }
    };
    let mut chars = plain.chars().peekable();
    while let Some(c) = chars.next() {
        let ends = chars
            .peek()
            .is_none_or(|n| n.is_whitespace() || ",.;:?!\"'".contains(*n));
        if ",;:.?!".contains(c) && ends && !title(&text, c) {
            push(&mut text, c);
        } else if c.is_whitespace() && text.len() > LONGEST_PIECE {
            push(&mut text, ',');
        } else if text.len() < 2 * LONGEST_PIECE {
            text.push(c);
        }
    }
    // A clause without a mark is cut from a longer sentence or ends like one: read it as ended.
    push(&mut text, '.');
    out
}

/// "Dr. Smith" is one breath.
fn title(text: &str, mark: char) -> bool {
    let last = text.rsplit(' ').next().unwrap_or_default();
    mark == '.' && ["Mr", "Mrs", "Ms", "Dr", "St", "Prof"].contains(&last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(clause: &str) -> Vec<(String, char)> {
        pieces(clause)
            .into_iter()
            .map(|p| (p.text, p.mark))
            .collect()
    }

    #[test]
    fn punctuation_survives() {
        assert_eq!(
            cut("Hello, Dr. Smith: it's \"done\" (at last)..."),
            [
                ("Hello".into(), ','),
                ("Dr. Smith".into(), ':'),
                ("it's done at last".into(), '.')
            ]
        );
        assert_eq!(cut("one—two?"), [("one,two".into(), '?')]);
        assert_eq!(
            cut("three point 5 [[x]]"),
            [("three point 5 x".into(), '.')]
        );
        assert!(cut(" ... !").is_empty());
        assert!(cut("\u{0}\n").is_empty());
        let long = "word ".repeat(1000);
        assert!(pieces(&long).iter().all(|p| p.text.len() < 700));
        assert!(
            pieces(&"x".repeat(100_000))
                .iter()
                .all(|p| p.text.len() <= 1200)
        );
    }

    #[test]
    fn answers_are_split_at_markers() {
        let mut answers = Answers::new();
        for line in ["mZ", "a", "b", "mZ", "", "mZ", "c", "mZ"] {
            answers.line(line.into());
        }
        assert_eq!(
            answers.done,
            [vec!["a".to_string(), "b".into()], vec![], vec!["c".into()]]
        );
        let pieces = [",", ".", "?"].map(|m| Piece {
            text: "x".into(),
            mark: m.chars().next().unwrap(),
        });
        assert_eq!(assemble(&pieces, &answers.done), "a, b, c?");
    }

    /// Needs espeak-ng, as the voice itself does; `scripts/test` installs it.
    #[test]
    fn survives_the_death_of_its_process() {
        let Ok(mut espeak) = Espeak::new("en-us") else {
            assert!(Command::new("espeak-ng").arg("--version").output().is_err());
            return;
        };
        let before = espeak.phonemes("Hello, world.").unwrap();
        assert!(before.contains(',') && before.ends_with('.'), "{before}");
        if let Some(running) = &mut espeak.running {
            running.child.kill().unwrap();
            running.child.wait().unwrap();
        }
        assert_eq!(espeak.phonemes("Hello, world.").unwrap(), before);
        espeak.keep = false;
        assert_eq!(espeak.phonemes("Hello, world.").unwrap(), before);
        assert!(Espeak::new("; rm").is_err());
    }
}
