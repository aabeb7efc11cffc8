//! From a recogniser's tokens to words that were said: joining, cutting loops, and refusing what was made up from noise. Pure.

use super::{Transcript, Word};
use crate::audio::RATE;

/// One token as a recogniser gave it.
#[derive(Debug, Clone, PartialEq)]
pub struct Token {
    /// Text; a token need not end on a character's boundary.
    pub bytes: Vec<u8>,
    /// Natural logarithm of its probability.
    pub logprob: f32,
}

/// What one pass over the sound gave.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pass {
    pub tokens: Vec<Token>,
    /// Probability that there was no speech, 0 to 1.
    pub no_speech: f32,
}

/// Where the sound lies and how loud it is, measured before anything is recognised.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Loudness {
    /// Level of the loudest tenth of the 20 ms windows, dB below full scale.
    pub loud: f32,
    /// Level of the quietest tenth.
    pub quiet: f32,
    /// First and last millisecond that stands out.
    pub from_ms: u32,
    pub to_ms: u32,
}

/// Sound whose loudest tenth lies below this is silence: a quiet caller is about -45, a muted line -90.
const SILENCE_DBFS: f32 = -62.0;

/// Measures `pcm` (16 kHz) in windows of 20 ms.
pub fn loudness(pcm: &[i16]) -> Loudness {
    let window = RATE as usize / 50;
    let levels: Vec<f32> = pcm
        .chunks(window)
        .map(|w| {
            let sum: f64 = w.iter().map(|s| f64::from(*s).powi(2)).sum();
            let rms = (sum / w.len() as f64).sqrt() / 32_768.0;
            (20.0 * rms.max(1e-6).log10()) as f32
        })
        .collect();
    let mut sorted = levels.clone();
    sorted.sort_by(f32::total_cmp);
    let at = |part: f32| -> f32 {
        let n = (sorted.len() as f32 * part) as usize;
        sorted
            .get(n.min(sorted.len().saturating_sub(1)))
            .copied()
            .unwrap_or(-120.0)
    };
    let (loud, quiet) = (at(0.9), at(0.1));
    let stands_out = (loud - 25.0).max(quiet + 6.0).min(loud);
    let first = levels.iter().position(|l| *l >= stands_out).unwrap_or(0);
    let last = levels.iter().rposition(|l| *l >= stands_out).unwrap_or(0);
    Loudness {
        loud,
        quiet,
        from_ms: first as u32 * 20,
        to_ms: (last as u32 + 1) * 20,
    }
}

impl Loudness {
    /// Nothing that could be a voice.
    pub fn is_silence(&self) -> bool {
        self.loud < SILENCE_DBFS
    }
}

/// Does the pass go round in circles? Either it used up its allowance of tokens, or its end repeats.
pub fn loops(pass: &Pass, allowance: usize) -> bool {
    pass.tokens.len() >= allowance || looped_tail(&pass.tokens).is_some()
}

/// Where a repeating tail begins its second round: three rounds of a long piece (five tokens and more), four of a shorter.
/// People do say "no, no, no", and digits thrice.
fn looped_tail(tokens: &[Token]) -> Option<usize> {
    let n = tokens.len();
    (1..=n / 3).find_map(|length| {
        let piece = &tokens[n - length..];
        let rounds = tokens
            .rchunks_exact(length)
            .take_while(|chunk| chunk.iter().zip(piece).all(|(a, b)| a.bytes == b.bytes))
            .count();
        let digits = piece
            .iter()
            .all(|t| t.bytes.iter().all(|b| !b.is_ascii_alphabetic()));
        let most = if length >= 5 {
            3
        } else if digits {
            8
        } else {
            4
        };
        (rounds >= most).then(|| n - length * (rounds - 1))
    })
}

/// Cuts a loop down to its first round: for a pass that looped even with everything to look at.
pub fn unloop(pass: &mut Pass) {
    if let Some(second) = looped_tail(&pass.tokens) {
        pass.tokens.truncate(second);
    }
}

/// A pass that says the same thing twice, four tokens and more, cut down to once: beams in a short context fill the rest of it so.
pub fn halve(pass: &mut Pass) {
    let half = pass.tokens.len() / 2;
    let plain = |tokens: &[Token]| -> String {
        text_of(tokens)
            .chars()
            .filter(|c| c.is_alphanumeric())
            .flat_map(char::to_lowercase)
            .collect()
    };
    // A comma more or less in one of them.
    for at in half.saturating_sub(1)..=(half + 1).min(pass.tokens.len()) {
        let (first, second) = pass.tokens.split_at(at);
        if at >= 4 && plain(first) == plain(second) {
            pass.tokens.truncate(at);
            return;
        }
    }
}

/// Mean log probability; 0 for nothing.
pub fn avg_logprob(tokens: &[Token]) -> f32 {
    if tokens.is_empty() {
        return 0.0;
    }
    tokens.iter().map(|t| t.logprob).sum::<f32>() / tokens.len() as f32
}

/// Figures in a row of which Whisper doubts that they are speech at all, said one by one as they are: where they were asked for and it
/// is sure of them, they are. No subtitle consists of them.
pub fn trust_figures(pass: &mut Pass) {
    const FEWEST: usize = 4;
    const SURE: f32 = -0.9;
    const DOUBT: f32 = 0.3;
    let text = text_of(&pass.tokens);
    let figures = text.chars().filter(char::is_ascii_digit).count();
    let words = text.split_whitespace();
    // "That" and "back" for six: one in four may be a word.
    let others = words.filter(|w| w.chars().any(char::is_alphabetic)).count();
    if figures >= FEWEST && others * 4 <= figures && avg_logprob(&pass.tokens) > SURE {
        pass.no_speech = pass.no_speech.min(DOUBT);
    }
}

/// Whisper was trained on subtitles, and what it was taught to write over sound without speech is this.
const MADE_UP: [&str; 17] = [
    "thank you",
    "thank you so much",
    "thank you very much",
    "thanks for watching",
    "thank you for watching",
    "thanks",
    "you",
    "bye",
    "bye bye",
    "the end",
    "so",
    "oh",
    "i'm sorry",
    "i'm going to go",
    "please subscribe",
    "subtitles by the amara org community",
    "we'll be right back",
];

/// The transcript of one pass: words with their evidence, or none where the sound was not speech.
///
/// Times of words are estimates: the stretch that stands out from the noise, shared by length.
pub fn transcript(mut pass: Pass, loudness: &Loudness, audio_ms: u32) -> Transcript {
    pass.tokens = without_asides(pass.tokens);
    // Subtitles begin a speaker's turn with a dash.
    if pass
        .tokens
        .first()
        .is_some_and(|t| t.bytes.trim_ascii() == b"-")
    {
        pass.tokens.remove(0);
    }
    let avg_logprob = avg_logprob(&pass.tokens);
    let text = text_of(&pass.tokens);
    let nothing =
        !text.chars().any(char::is_alphanumeric) || made_up(&text, &pass, avg_logprob, loudness);
    if nothing {
        return Transcript {
            no_speech: pass.no_speech.max(0.5),
            avg_logprob,
            audio_ms,
            ..Transcript::default()
        };
    }
    Transcript {
        words: words(&pass.tokens, loudness),
        text,
        no_speech: pass.no_speech,
        avg_logprob,
        audio_ms,
        ..Transcript::default()
    }
}

/// Made up from noise or music?
fn made_up(text: &str, pass: &Pass, avg_logprob: f32, loudness: &Loudness) -> bool {
    let plain: String = text
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || *c == ' ' || *c == '\'')
        .collect();
    let plain = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    // Speech has gaps; a stretch that is as loud in its quietest tenth is hum, hiss or music.
    let flat = loudness.loud - loudness.quiet < 6.0;
    let habitual = MADE_UP.contains(&plain.as_str());
    match pass.no_speech {
        p if p > 0.85 || (p > 0.6 && avg_logprob < -0.5) => true,
        p if habitual && (p > 0.3 || avg_logprob < -0.9 || flat) => true,
        p if flat && p > 0.3 && avg_logprob < -0.6 => true,
        p => avg_logprob < -1.6 && p > 0.1,
    }
}

/// Drops what is written in brackets or between notes: `[BLANK_AUDIO]`, "(upbeat music)", "♪ la la ♪" describe, nobody said them.
fn without_asides(tokens: Vec<Token>) -> Vec<Token> {
    let mut out = Vec::new();
    let mut closing: Option<char> = None;
    for token in tokens {
        let text = String::from_utf8_lossy(&token.bytes).into_owned();
        let mut kept = false;
        let mut dropped = false;
        for c in text.chars() {
            match (closing, c) {
                (Some(end), c) if c == end => {
                    closing = None;
                    dropped = true;
                }
                (Some(_), _) => dropped = true,
                (None, '[') => (closing, dropped) = (Some(']'), true),
                (None, '(') => (closing, dropped) = (Some(')'), true),
                (None, '♪') => (closing, dropped) = (Some('♪'), true),
                (None, '*') => (closing, dropped) = (Some('*'), true),
                (None, c) => kept |= !c.is_whitespace(),
            }
        }
        if kept || !dropped {
            let bytes = if kept && dropped {
                text.chars()
                    .filter(|c| !"[]()♪*".contains(*c))
                    .collect::<String>()
                    .into_bytes()
            } else {
                token.bytes
            };
            out.push(Token { bytes, ..token });
        }
    }
    out
}

fn text_of(tokens: &[Token]) -> String {
    let bytes: Vec<u8> = tokens
        .iter()
        .flat_map(|t| t.bytes.iter().copied())
        .collect();
    let text = String::from_utf8_lossy(&bytes);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn words(tokens: &[Token], loudness: &Loudness) -> Vec<Word> {
    let mut words: Vec<(Vec<u8>, f32)> = Vec::new();
    for token in tokens {
        let starts = token.bytes.first().is_some_and(u8::is_ascii_whitespace);
        match words.last_mut() {
            Some((bytes, p)) if !starts => {
                bytes.extend_from_slice(&token.bytes);
                // A comma's probability says nothing of the word before it.
                if token
                    .bytes
                    .iter()
                    .any(|b| b.is_ascii_alphanumeric() || *b >= 0x80)
                {
                    *p = p.min(token.logprob);
                }
            }
            _ => words.push((token.bytes.clone(), token.logprob)),
        }
    }
    let texts: Vec<(String, f32)> = words
        .into_iter()
        .map(|(bytes, p)| (String::from_utf8_lossy(&bytes).trim().to_owned(), p))
        .filter(|(text, _)| !text.is_empty())
        .collect();
    timed(texts, loudness)
}

/// Words of a text of which nothing is known but its probability as a whole.
pub fn spread(text: &str, avg_logprob: f32, loudness: &Loudness) -> Vec<Word> {
    let texts = text
        .split_whitespace()
        .map(|w| (w.to_owned(), avg_logprob))
        .collect();
    timed(texts, loudness)
}

/// Words with their log probabilities, laid over the stretch that stands out from the noise, by length.
fn timed(texts: Vec<(String, f32)>, loudness: &Loudness) -> Vec<Word> {
    let all: usize = texts.iter().map(|(t, _)| t.chars().count() + 1).sum();
    let span = loudness.to_ms.saturating_sub(loudness.from_ms) as usize;
    let at = |chars: usize| loudness.from_ms + (span * chars / all.max(1)) as u32;
    let mut before = 0;
    texts
        .into_iter()
        .map(|(text, logprob)| {
            let start_ms = at(before);
            before += text.chars().count() + 1;
            Word {
                text,
                start_ms,
                end_ms: at(before),
                p: logprob.exp().clamp(0.0, 1.0),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pass(text: &str, logprob: f32, no_speech: f32) -> Pass {
        // One token a word, with the space before it, as Whisper has them.
        Pass {
            tokens: text
                .split_inclusive(' ')
                .map(|w| Token {
                    bytes: format!(" {}", w.trim()).into_bytes(),
                    logprob,
                })
                .collect(),
            no_speech,
        }
    }
    const SPEECH: Loudness = Loudness {
        loud: -20.0,
        quiet: -60.0,
        from_ms: 200,
        to_ms: 1200,
    };
    const HUM: Loudness = Loudness {
        loud: -20.0,
        quiet: -21.0,
        from_ms: 0,
        to_ms: 2000,
    };

    #[test]
    fn figures_that_were_asked_for_are_believed_where_they_are_sure() {
        let heard = |text: &str, logprob: f32| {
            let mut pass = pass(text, logprob, 0.9);
            trust_figures(&mut pass);
            transcript(pass, &SPEECH, 3000).text
        };
        assert_eq!(heard("4 8 2 5", -0.4), "4 8 2 5");
        assert_eq!(heard("4 8 that 2 5", -0.4), "4 8 that 2 5");
        for (text, logprob) in [("4 8 2 5", -1.2), ("4 8", -0.4), ("I have 4 8 2 5", -0.4)] {
            assert_eq!(heard(text, logprob), "", "{text}");
        }
    }

    #[test]
    fn words_keep_their_weakest_token_and_fill_the_loud_stretch() {
        let mut p = pass("move my payment", -0.1, 0.01);
        p.tokens.push(Token {
            bytes: b"ment".to_vec(),
            logprob: -1.0,
        });
        p.tokens.push(Token {
            bytes: b".".to_vec(),
            logprob: -3.0,
        });
        let t = transcript(p, &SPEECH, 1400);
        assert_eq!(t.text, "move my paymentment.");
        assert_eq!(t.words.len(), 3);
        assert!((t.words[2].p - (-1.0f32).exp()).abs() < 1e-6);
        assert_eq!(t.words[0].start_ms, 200);
        assert_eq!(t.words[2].end_ms, 1200);
        assert!(t.words.windows(2).all(|w| w[0].end_ms == w[1].start_ms));
    }

    #[test]
    fn asides_and_habits_are_not_words() {
        for (text, logprob, no_speech, loudness) in [
            ("[BLANK_AUDIO]", -0.2, 0.1, SPEECH),
            ("(upbeat music)", -0.2, 0.1, SPEECH),
            ("♪ la la ♪", -0.2, 0.1, SPEECH),
            ("Thank you.", -0.3, 0.5, SPEECH),
            ("you", -0.3, 0.1, HUM),
            ("...", -0.3, 0.1, SPEECH),
            ("I went over there to", -1.2, 0.9, SPEECH),
        ] {
            let t = transcript(pass(text, logprob, no_speech), &loudness, 2000);
            assert_eq!((t.text.as_str(), t.words.len()), ("", 0), "{text}");
            assert!(t.no_speech >= 0.5);
        }
        // Said clearly, the same words count.
        let t = transcript(pass("Thank you.", -0.2, 0.02), &SPEECH, 1000);
        assert_eq!(t.text, "Thank you.");
        let t = transcript(pass("- No.", -0.3, 0.02), &SPEECH, 1000);
        assert_eq!(t.text, "No.");
        let t = transcript(pass("Hello (laughs) there", -0.2, 0.02), &SPEECH, 1000);
        assert_eq!(t.text, "Hello there");
    }

    #[test]
    fn loops_are_seen_and_cut() {
        let circle = pass("I want to go to go to go to go to go", -0.1, 0.0);
        assert!(loops(&circle, 100));
        let mut cut = circle;
        unloop(&mut cut);
        assert!(!loops(&cut, 100));
        assert!(text_of(&cut.tokens).starts_with("I want to go"));
        assert!(!loops(&pass("no no no", -0.1, 0.0), 100));
        assert!(!loops(&pass("0 0 0 0 7 7 7", -0.1, 0.0), 100));
        assert!(loops(&pass("a b c", -0.1, 0.0), 3));
        assert!(!loops(&Pass::default(), 3));
    }

    #[test]
    fn what_is_said_twice_over_is_halved() {
        let mut twice = pass(
            "no entries match your search no entries match your search",
            -0.4,
            0.0,
        );
        halve(&mut twice);
        assert_eq!(text_of(&twice.tokens), "no entries match your search");
        for text in ["no no", "no, no, no, no", "I need a refund, a refund", ""] {
            let mut once = pass(text, -0.4, 0.0);
            halve(&mut once);
            assert_eq!(once.tokens, pass(text, -0.4, 0.0).tokens, "{text}");
        }
    }

    #[test]
    fn silence_is_measured() {
        assert!(loudness(&[]).is_silence());
        assert!(loudness(&[3; 16_000]).is_silence());
        let mut pcm = vec![0i16; 16_000];
        for (i, s) in pcm[8_000..12_000].iter_mut().enumerate() {
            *s = ((i as f32 * 0.2).sin() * 8_000.0) as i16;
        }
        let l = loudness(&pcm);
        assert!(!l.is_silence());
        assert_eq!((l.from_ms, l.to_ms), (500, 760));
    }
}
