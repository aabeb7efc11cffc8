//! Plain answers: yes or no, and a choice.

use super::number::ordinal;
use super::token::{Token, filler, tokens};

/// A clear yes or a clear no. A yes with a change in it ("yes but make it Friday"), a question or anything else is neither.
pub fn yes_no(text: &str) -> Option<bool> {
    let t = tokens(text);
    if t.iter().any(|t| t.is("?")) && !t.first().is_some_and(|t| t.any(&["no", "nope"])) {
        return None;
    }
    let words: Vec<&str> = t
        .iter()
        .filter(|t| t.is_word())
        .map(|t| t.text.as_str())
        .filter(|w| !filler(w) || matches!(*w, "okay" | "ok" | "well"))
        .collect();
    let words: Vec<&str> = match words.as_slice() {
        ["well" | "oh", rest @ ..] => rest.to_vec(),
        all => all.to_vec(),
    };
    if words.is_empty() || t.iter().any(Token::is_figure) && words.len() < 2 {
        return None;
    }
    let figures = t.iter().any(Token::is_figure);
    let phrase = words.join(" ");
    if let Some(rest) = take(&words, NO).or_else(|| negative(&words)) {
        // "no problem", "no worries, go ahead"
        if matches!(
            words.as_slice(),
            ["no", "problem" | "worries" | "doubt", ..]
        ) {
            let rest = &words[2..];
            return (rest.is_empty() || all_yes(rest)).then_some(true);
        }
        // A clear no may say more ("no, that's my old address"), but not turn into a yes.
        let rest_words = &words[words.len() - rest..];
        if contains(
            rest_words,
            &[
                "go ahead",
                "yes",
                "yeah",
                "yep",
                "do it",
                "that's fine",
                "it's fine",
                "is fine",
            ],
        ) && !contains(rest_words, &["don't", "do not"])
        {
            return None;
        }
        return Some(false);
    }
    let rest = take(&words, YES)?;
    let rest_words = &words[words.len() - rest..];
    if figures || (!rest_words.is_empty() && !all_yes(rest_words)) {
        return None;
    }
    (!contains(
        &words,
        &[
            "but", "except", "not", "don't", "wait", "actually", "instead",
        ],
    ) && !phrase.is_empty())
    .then_some(true)
}

const YES: &[&str] = &[
    "yes",
    "yeah",
    "yep",
    "yup",
    "yah",
    "ya",
    "aye",
    "sure",
    "sure thing",
    "of course",
    "correct",
    "that's correct",
    "that is correct",
    "that's right",
    "that is right",
    "right",
    "exactly",
    "absolutely",
    "definitely",
    "certainly",
    "affirmative",
    "go ahead",
    "go for it",
    "go on",
    "go on then",
    "carry on",
    "please do",
    "do it",
    "do that",
    "yes please",
    "ok",
    "okay",
    "alright",
    "all right",
    "fine",
    "that's fine",
    "that is fine",
    "that's good",
    "that's great",
    "sounds good",
    "sounds great",
    "sounds right",
    "that works",
    "that works for me",
    "perfect",
    "great",
    "lovely",
    "brilliant",
    "i do",
    "i am",
    "i did",
    "i confirm",
    "confirm",
    "confirmed",
    "i agree",
    "agreed",
    "i accept",
    "it is",
    "it's right",
    "it's correct",
    "you got it",
    "you have it",
    "spot on",
    "that's it",
    "that is it",
    "that's the one",
    "that's me",
    "indeed",
    "by all means",
    "please go ahead",
    "happy with that",
    "i'm happy with that",
    "uh huh",
    "mhm",
    "mm hmm",
    "yes i do",
    "yes it is",
    "yes that's right",
    "yes i am",
    "why not",
    "that would be great",
    "that'd be great",
    "that would be fine",
    "that'd be fine",
    "let's do it",
    "let's do that",
];

/// Words that may follow a yes without changing it.
const TAIL: &[&str] = &[
    "please",
    "do",
    "thanks",
    "thank you",
    "thank you very much",
    "cheers",
    "mate",
    "sir",
    "madam",
    "ma'am",
    "love",
    "then",
    "now",
    "today",
    "for me",
    "with that",
    "and",
    "so",
    "very much",
    "just",
    "that",
    "that one",
    "it",
    "you can",
    "you may",
    "i'd like that",
    "i would",
    "i would like that",
    "oh",
    "well",
];

const NO: &[&str] = &[
    "no",
    "nope",
    "nah",
    "no thanks",
    "no thank you",
    "not really",
    "not at all",
    "never",
    "negative",
    "absolutely not",
    "definitely not",
    "certainly not",
    "of course not",
    "no way",
    "incorrect",
    "wrong",
    "that's wrong",
    "that is wrong",
    "it's wrong",
    "that's incorrect",
    "cancel",
    "stop",
    "stop it",
    "cancel that",
    "forget it",
    "leave it",
    "never mind",
    "nevermind",
    "hold on",
    "wait",
    "hang on",
    "i'd rather not",
    "rather not",
    "please don't",
];

/// Length of what follows the longest of `any` at the start of `words`.
fn take(words: &[&str], any: &[&str]) -> Option<usize> {
    any.iter()
        .filter_map(|p| {
            let n = p.split(' ').count();
            (n <= words.len() && p.split(' ').eq(words[..n].iter().copied()))
                .then(|| words.len() - n)
        })
        .min()
}

/// "that's not right", "it isn't", "don't do that", "I don't": a refusal anywhere near the front.
fn negative(words: &[&str]) -> Option<usize> {
    let starts = [
        "that's not",
        "that is not",
        "that isn't",
        "it's not",
        "it is not",
        "it isn't",
        "not ",
        "don't",
        "do not",
        "i don't",
        "i do not",
        "i didn't",
        "i'm not",
        "i am not",
        "i won't",
        "i wouldn't",
        "please don't",
    ];
    let phrase = format!("{} ", words.join(" "));
    let unsure = [
        "not sure",
        "don't know",
        "do not know",
        "not certain",
        "don't mind",
        "don't think so",
        "don't understand",
        "not bad",
        "not a problem",
        "don't remember",
        "don't worry",
        "don't care",
        "not yet",
        "didn't hear",
        "didn't catch",
        "didn't get",
        "didn't understand",
        "don't have",
    ];
    if phrase.contains("don't think so ") {
        return Some(0);
    }
    if unsure.iter().any(|u| phrase.contains(u)) {
        return None;
    }
    starts
        .iter()
        .any(|s| phrase.starts_with(s) && (s.ends_with(' ') || phrase[s.len()..].starts_with(' ')))
        .then_some(0)
}

fn all_yes(mut words: &[&str]) -> bool {
    while !words.is_empty() {
        let Some(rest) = take(words, YES).into_iter().chain(take(words, TAIL)).min() else {
            return false;
        };
        words = &words[words.len() - rest..];
    }
    true
}

pub(super) fn contains(words: &[&str], phrases: &[&str]) -> bool {
    let text = format!(" {} ", words.join(" "));
    phrases.iter().any(|p| text.contains(&format!(" {p} ")))
}

/// Which option was meant: by its place ("the second one", "option B", "2", "the last"), by its words, or by nearness to them.
pub fn choice(text: &str, options: &[String]) -> Option<usize> {
    let t = without_refused(&tokens(text), options);
    let words = content(&t);
    // The option's own words first: "the first class one" is an option, not a place.
    let mut scored: Vec<(f64, usize)> = options
        .iter()
        .enumerate()
        .map(|(i, o)| (likeness(&words, &content(&tokens(o))), i))
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    let by_words = match scored.as_slice() {
        [(best, i), (second, _), ..] if *best >= 0.75 && best - second >= 0.15 => Some((*best, *i)),
        [(best, i)] if *best >= 0.75 => Some((*best, *i)),
        _ => None,
    };
    if let Some((score, i)) = by_words
        && score > 0.95
    {
        return Some(i);
    }
    let n = options.len();
    let in_range = |k: usize| (1..=n).contains(&k).then(|| k - 1);
    for i in 0..t.len() {
        if t[i].any(&["last", "latter", "final"]) && n > 0 {
            return Some(n - 1);
        }
        if t[i].is("former") && n == 2 {
            return Some(0);
        }
        if t[i].is("middle") && n == 3 {
            return Some(1);
        }
        if let Some((v, _)) = ordinal(&t, i) {
            return in_range(v as usize);
        }
        if t[i].any(&["option", "number", "choice"])
            && let Some(next) = t.get(i + 1)
        {
            let k = super::number::cardinal(&t, i + 1)
                .map(|(v, _)| v as usize)
                .or_else(|| next.letter().map(|c| (c as u8 - b'A') as usize + 1));
            if let Some(k) = k {
                return in_range(k);
            }
        }
    }
    let spoken: Vec<&Token> = t
        .iter()
        .filter(|t| t.is_word() || t.is_figure())
        .filter(|t| !filler(&t.text) && !t.any(&["please", "the", "one's", "it's"]))
        .collect();
    if spoken.len() == 1
        && let Some((v, _)) = super::number::cardinal(&[spoken[0].clone()], 0)
    {
        return in_range(v as usize);
    }
    by_words.map(|(_, i)| i)
}

/// Without an option that is named to be ruled out: "afternoon, not morning", "not the first, the second". Words that rule out
/// the only option named are left alone, because they choose nothing.
fn without_refused(t: &[Token], options: &[String]) -> Vec<Token> {
    let named = |w: &Token| {
        options
            .iter()
            .any(|o| content(&tokens(o)).contains(&w.text))
    };
    let mut kept = Vec::new();
    let mut dropped = false;
    let mut at = 0;
    while at < t.len() {
        if t[at].any(&["not", "isn't", "rather"])
            && let Some(n) = (1..=4).find(|n| t.get(at + n).is_some_and(named))
            && (t[at].is("not") || t[at].is("isn't") || t[at + 1].is("than"))
        {
            dropped = true;
            at += n + 1;
            continue;
        }
        kept.push(t[at].clone());
        at += 1;
    }
    if dropped && kept.iter().any(named) {
        kept
    } else {
        t.to_vec()
    }
}

fn content(t: &[Token]) -> Vec<String> {
    t.iter()
        .filter(|t| t.is_word() || t.is_figure())
        .map(|t| t.text.clone())
        .filter(|w| {
            !matches!(
                w.as_str(),
                "the"
                    | "a"
                    | "an"
                    | "one"
                    | "please"
                    | "i"
                    | "want"
                    | "would"
                    | "like"
                    | "i'd"
                    | "my"
                    | "to"
                    | "of"
                    | "it's"
                    | "is"
                    | "that"
                    | "uh"
                    | "um"
                    | "for"
                    | "it"
                    | "yes"
                    | "yeah"
                    | "on"
            )
        })
        .collect()
}

/// How much of the smaller side is found on the other, by near words: 0 to 1.
fn likeness(said: &[String], option: &[String]) -> f64 {
    if said.is_empty() || option.is_empty() {
        return 0.0;
    }
    let near = |a: &String, of: &[String]| {
        of.iter()
            .map(|b| {
                if a == b {
                    1.0
                } else {
                    let s = strsim::jaro_winkler(a, b);
                    if s > 0.86 && a.len() > 2 {
                        s * 0.95
                    } else {
                        0.0
                    }
                }
            })
            .fold(0.0, f64::max)
    };
    let recall: f64 = option.iter().map(|w| near(w, said)).sum::<f64>() / option.len() as f64;
    let precision: f64 = said.iter().map(|w| near(w, option)).sum::<f64>() / said.len() as f64;
    recall.max(precision)
}
