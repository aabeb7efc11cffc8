//! Which sentences of a passage are said together: a fact with its condition, and never a sentence without the one it leans on.

use std::collections::HashSet;
use std::ops::Range;

use super::asked::Asked;
use super::entity::{Quantity, bounds};
use super::knowledge::Passage;
use super::text::{is_stop, words};

/// Longest reply, in words: about fifteen seconds aloud.
const MOST_WORDS: usize = 45;
/// The same where two sentences answer equally well: leaving one out would be a guess. Also for a sentence with what it leans on.
const MOST_WORDS_TIED: usize = 60;
/// Share of the best sentence's score from which another is its equal.
const TIED: f32 = 0.9;
/// Share of the best sentence's score from which one elsewhere in the article is its equal; the same for one that gives the figure that
/// is asked for where the best gives none.
const TIED_ELSEWHERE: f32 = 0.88;
const FIGURE_ELSEWHERE: f32 = 0.55;
/// An item of a list that scores so many times the next is said alone.
const STANDS_OUT: f32 = 1.5;
/// Words of a list that is said whole whatever was asked of it.
const SHORT_LIST: usize = 30;
/// Share of the best sentence's score from which another is said beside it, as long as there is room.
const BESIDE: f32 = 0.45;
/// Most sentences of a reply.
const MOST_SENTENCES: usize = 4;

/// The best sentence with what it needs beside it, in the order of the text: those it leans on, the condition after. Never more than
/// [`MOST_WORDS`] unless one sentence with what it leans on is longer.
pub(super) fn choose(passage: &Passage, scores: &[f32]) -> (String, f32) {
    let sentences = &passage.sentences;
    let by_score = |a: &usize, b: &usize| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b));
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(by_score);
    let Some(&best) = order.first() else {
        return (passage.text.clone(), 0.0);
    };
    let length = |at: &[usize]| -> usize {
        at.iter()
            .map(|i| sentences[*i].split_whitespace().count())
            .sum()
    };
    let mut chosen = match passage.lists.iter().find(|run| run.contains(&best)) {
        Some(run) => listed(run, best, scores, &length),
        None => whole(sentences, best),
    };
    let take = |i: usize, most: usize, chosen: &mut Vec<usize>| {
        let with: Vec<usize> = whole(sentences, i)
            .into_iter()
            .filter(|i| !chosen.contains(i))
            .collect();
        if chosen.len() + with.len() <= MOST_SENTENCES && length(chosen) + length(&with) <= most {
            chosen.extend(with);
        }
    };
    // A fact and its condition are not parted, nor a limit and what is beyond it.
    if let Some(after) = sentences.get(best + 1) {
        if is_beyond(after) || follows(after) {
            take(best + 1, MOST_WORDS_TIED, &mut chosen);
        } else if is_condition(after) {
            take(best + 1, MOST_WORDS, &mut chosen);
        }
    }
    if best > 0 && is_condition(&sentences[best]) {
        take(best - 1, MOST_WORDS, &mut chosen);
    }
    let enough = chosen.len() > MOST_SENTENCES;
    for i in order {
        if enough {
            break;
        }
        if i != best && scores[i] >= BESIDE * scores[best] && scores[i] > 0.0 {
            let tied = scores[i] >= TIED * scores[best];
            let most = if tied { MOST_WORDS_TIED } else { MOST_WORDS };
            take(i, most, &mut chosen);
        }
    }
    chosen.sort_unstable();
    introduce(sentences, best, &length, &mut chosen);
    let text: Vec<&str> = chosen.iter().map(|i| sentences[*i].as_str()).collect();
    (text.join(" "), scores[best])
}

/// "You need:" is said with what is needed, as much of it as there is room for, or not at all.
fn introduce(
    sentences: &[String],
    best: usize,
    length: &dyn Fn(&[usize]) -> usize,
    chosen: &mut Vec<usize>,
) {
    let open: Vec<usize> = chosen
        .iter()
        .copied()
        .filter(|at| sentences[*at].ends_with(':') && !chosen.contains(&(at + 1)))
        .collect();
    for at in open {
        let before = chosen.len();
        for next in at + 1..sentences.len() {
            if chosen.contains(&next) || length(chosen) + length(&[next]) > MOST_WORDS_TIED {
                break;
            }
            chosen.push(next);
        }
        if chosen.len() == before && at != best {
            chosen.retain(|known| *known != at);
        }
    }
    chosen.sort_unstable();
}

/// What is to be said with a sentence that stands elsewhere in the article and answers as well, or gives the figure that is asked for
/// where nothing chosen does, in the order of the article.
pub(super) fn beside(text: &str, best: f32, all: &[(&Passage, Vec<f32>)], asked: Asked) -> String {
    let lacks = asked != Asked::Open && !asked.answered_by(text);
    let each = all.iter().enumerate().flat_map(|(n, (passage, scores))| {
        let sentences = passage.sentences.iter().zip(scores).enumerate();
        sentences.map(move |(at, (sentence, score))| (n, at, sentence, *score))
    });
    let other = each
        .filter(|(.., sentence, _)| !text.contains(sentence.as_str()))
        .filter(|(.., sentence, score)| {
            let figure = lacks && asked.answered_by(sentence);
            *score
                >= best
                    * if figure {
                        FIGURE_ELSEWHERE
                    } else {
                        TIED_ELSEWHERE
                    }
        })
        .max_by(|a, b| {
            let figure = |s: &str| lacks && asked.answered_by(s);
            (figure(a.2), a.3)
                .partial_cmp(&(figure(b.2), b.3))
                .unwrap_or(std::cmp::Ordering::Equal)
        });
    let Some((n, at, ..)) = other else {
        return text.to_owned();
    };
    let sentences = &all[n].0.sentences;
    let more: Vec<&str> = whole(sentences, at)
        .into_iter()
        .map(|i| sentences[i].as_str())
        .filter(|s| !text.contains(s))
        .collect();
    let more = more.join(" ");
    let length = |s: &str| s.split_whitespace().count();
    if length(text) + length(&more) > MOST_WORDS_TIED {
        return text.to_owned();
    }
    let first = all
        .iter()
        .position(|(passage, _)| passage.sentences.iter().any(|s| text.contains(s.as_str())));
    if first.is_some_and(|first| first <= n) {
        format!("{text} {more}")
    } else {
        format!("{more} {text}")
    }
}

/// A list as far as it can be said, from its start; the one item that answers far better than its neighbours alone, with what
/// introduces it.
fn listed(
    run: &Range<usize>,
    best: usize,
    scores: &[f32],
    length: &dyn Fn(&[usize]) -> usize,
) -> Vec<usize> {
    let mut others: Vec<f32> = run
        .clone()
        .filter(|at| *at != best)
        .map(|at| scores[at])
        .collect();
    others.sort_by(|a, b| b.total_cmp(a));
    let next = others.first().copied().unwrap_or(0.0);
    let all: Vec<usize> = run.clone().collect();
    if scores[best] < STANDS_OUT * next || best == run.start || length(&all) <= SHORT_LIST {
        let mut said = all;
        while said.len() > 1 && length(&said) > MOST_WORDS_TIED {
            said.pop();
        }
        if said.contains(&best) {
            return said;
        }
    }
    vec![best]
}

/// A sentence with those before it that it cannot be understood without.
fn whole(sentences: &[String], at: usize) -> Vec<usize> {
    (leans_on(sentences, at)..=at).collect()
}

/// The sentence that one leans on in the end; itself where it stands alone.
pub(super) fn leans_on(sentences: &[String], at: usize) -> usize {
    let mut first = at;
    while first > 0 && leans(&sentences[first]) {
        first -= 1;
    }
    first
}

/// "Unless ...", "If ...", "However ...", "... only": the sentence limits the one before it.
fn is_condition(sentence: &str) -> bool {
    let w = words(sentence);
    matches!(
        w.first().map(String::as_str),
        Some(
            "unless"
                | "if"
                | "however"
                | "but"
                | "except"
                | "otherwise"
                | "only"
                | "note"
                | "provided"
                | "excluding"
        )
    ) || w.windows(2).any(|p| {
        matches!(
            (p[0].as_str(), p[1].as_str()),
            ("does", "not") | ("do", "not") | ("not", "apply") | ("except", "for")
        )
    }) && w
        .first()
        .is_some_and(|f| matches!(f.as_str(), "this" | "that" | "these" | "it" | "they" | "we"))
}

/// "In that case we charge ...", "then ...": what comes of a condition just named.
fn follows(sentence: &str) -> bool {
    let w = words(sentence);
    let w: Vec<&str> = w.iter().map(String::as_str).take(3).collect();
    matches!(
        w.as_slice(),
        ["in", "that" | "this" | "such", "case" | "cases"]
            | ["then", ..]
            | ["if", "so" | "not", ..]
    )
}

/// "Later than that ...", "after that", "above that", "otherwise": what holds on the other side of the limit just named.
pub(super) fn is_beyond(sentence: &str) -> bool {
    let w = words(sentence);
    let w: Vec<&str> = w.iter().map(String::as_str).take(4).collect();
    match w.as_slice() {
        ["otherwise" | "beyond" | "thereafter" | "afterwards", ..] => true,
        [
            "after" | "above" | "over" | "below" | "under" | "before" | "past",
            "that" | "this" | "it",
            ..,
        ] => true,
        [
            "later" | "earlier" | "longer" | "more" | "less" | "sooner" | "bigger" | "heavier"
            | "larger" | "smaller" | "older" | "younger" | "anything",
            next,
            ..,
        ] if matches!(
            *next,
            "than" | "over" | "above" | "bigger" | "heavier" | "longer"
        ) =>
        {
            w.get(2)
                .is_none_or(|w| matches!(*w, "that" | "this" | "these" | "it"))
                || w[0] == "anything"
        }
        _ => false,
    }
}

/// "It ...", "That week ...", "Later than that ...", "Both are free": meaningless without the sentence before.
pub(super) fn leans(sentence: &str) -> bool {
    let w = words(sentence);
    let w: Vec<&str> = w.iter().map(String::as_str).collect();
    let Some(first) = w.first() else {
        return false;
    };
    if is_beyond(sentence) {
        return true;
    }
    let second = w.get(1).copied().unwrap_or("");
    // "Book it 4 weeks ahead", "send them back".
    if matches!(second, "it" | "them") {
        return true;
    }
    match *first {
        // "This is", "those who": but "that you", "this article is about you" say themselves what they mean.
        "it" | "its" | "that" | "these" | "those" | "they" | "their" | "them" | "this" => {
            return !(matches!(second, "you" | "your") || *first == "those" && second == "who");
        }
        "then" | "also" | "otherwise" | "he" | "she" | "both" | "neither" | "instead"
        | "afterwards" | "however" | "but" | "so" | "except" | "unless" => return true,
        "either" => return second != "way",
        "such" => return true,
        // "You can have it if ...", "we replace it": somebody does something with what was named before.
        "you" | "we" => {
            let own = w.iter().skip(1).take(4);
            for word in own {
                match *word {
                    "it" | "them" => return true,
                    "can" | "may" | "must" | "have" | "could" | "will" | "do" | "not" | "only"
                    | "also" | "to" | "get" | "use" | "take" | "keep" | "send" | "change"
                    | "replace" | "return" | "cancel" | "make" | "give" | "bring" | "need" => {}
                    _ => break,
                }
            }
        }
        _ => {}
    }
    // "In that case", "for this we charge", "without it", "one of them", "after that", "if it fails": the thing is named before.
    let opens = matches!(
        *first,
        "in" | "for"
            | "with"
            | "without"
            | "after"
            | "before"
            | "until"
            | "from"
            | "by"
            | "at"
            | "on"
            | "during"
            | "one"
            | "two"
            | "most"
            | "some"
            | "all"
            | "each"
            | "if"
            | "when"
            | "once"
    );
    if opens {
        let span = w.iter().skip(1).take(2).enumerate();
        for (n, word) in span {
            let next = w.get(n + 2).copied().unwrap_or("");
            let points = match *word {
                // "Without it", "one of them"; "for children it costs" names whom.
                "it" | "them" | "they" | "these" => n == 0 || matches!(w[1], "of" | "all"),
                "that" | "this" | "those" => !matches!(next, "you" | "your" | "are" | "is" | "who"),
                "either" | "both" => false,
                // "Without one you pay the usual price."
                "one" => matches!(*first, "without" | "with") && n == 0,
                _ => false,
            };
            if points {
                return true;
            }
        }
    }
    false
}

/// Whether a question tells nothing of a case of its own: "how long can I freeze for", not "what if I'm pregnant".
pub(super) fn is_plain(question: &str) -> bool {
    let told = |w: &String| {
        matches!(
            w.as_str(),
            "if" | "when"
                | "because"
                | "since"
                | "after"
                | "before"
                | "while"
                | "without"
                | "im"
                | "ive"
                | "am"
                | "my"
                | "was"
                | "got"
                | "had"
                | "but"
                | "and"
                | "unless"
        )
    };
    !words(question).iter().any(told)
}

/// What the caller says that they are not, or are not on: "I'm not on Pension Credit", "if I'm not Platinum" where the articles have a
/// Platinum.
pub(super) fn denied(question: &str, named: &HashSet<String>) -> Vec<String> {
    let w = words(question);
    let Some(at) = w.iter().position(|w| w == "not") else {
        return Vec::new();
    };
    let rest = &w[at + 1..];
    let skipped = rest
        .iter()
        .take_while(|w| {
            matches!(
                w.as_str(),
                "on" | "a" | "an" | "in" | "with" | "the" | "under"
            )
        })
        .count();
    let what: Vec<String> = rest[skipped..]
        .iter()
        .take_while(|w| !is_stop(w))
        .take(3)
        .cloned()
        .collect();
    let is_name = what.first().is_some_and(|w| named.contains(w));
    if skipped > 0 || is_name {
        what
    } else {
        Vec::new()
    }
}

/// Whether a sentence speaks of others than those that it names: "members on other plans", "without it", "if you are not".
pub(super) fn says_otherwise(sentence: &str) -> bool {
    words(sentence).iter().any(|w| {
        matches!(
            w.as_str(),
            "not"
                | "other"
                | "others"
                | "without"
                | "no"
                | "everybody"
                | "otherwise"
                | "dont"
                | "cannot"
                | "else"
                | "isnt"
                | "arent"
        )
    })
}

/// Whether a question is after what somebody needs: "what do I need to join", "what should I bring".
pub(super) fn asks_needs(question: &str) -> bool {
    let w = words(question);
    let what = w
        .iter()
        .position(|w| matches!(w.as_str(), "what" | "which"));
    what.is_some_and(|at| {
        w[at..].iter().any(|w| {
            matches!(
                w.as_str(),
                "need" | "needed" | "bring" | "require" | "required"
            )
        })
    })
}

/// Whether a sentence says what is needed.
pub(super) fn says_needs(sentence: &str) -> bool {
    words(sentence).iter().any(|w| {
        matches!(
            w.as_str(),
            "need" | "needs" | "needed" | "bring" | "require" | "requires" | "required" | "must"
        )
    })
}

/// Whether a sentence holds in a case that it names, and the question has no word of that case: "the fee is waived if you are injured",
/// "such a freeze can last nine months".
pub(super) fn is_only_for(sentence: &str, asked: impl Fn(&str) -> bool) -> bool {
    let lower = sentence.to_lowercase();
    let case = [" if ", " unless ", " provided "]
        .iter()
        .find_map(|opener| lower.split_once(opener));
    let opening = || lower.strip_prefix("if ").or(lower.strip_prefix("unless "));
    let Some(case) = case.map(|(_, case)| case).or_else(opening) else {
        return false;
    };
    let clause = case.split([',', ';', ':']).next().unwrap_or(case);
    !words(clause).iter().any(|w| asked(w))
}

/// On which side of a sentence's limits a caller's quantities are: true where one of its limits holds for them, false where all that
/// can be compared do not. None where there is nothing to compare.
pub(super) fn side(sentence: &str, quantities: &[Quantity]) -> Option<bool> {
    if quantities.is_empty() {
        return None;
    }
    let set = bounds(sentence);
    let sides = set
        .iter()
        .flat_map(|bound| quantities.iter().filter_map(|q| bound.holds(q)));
    let within = sides.reduce(|a, b| a || b)?;
    // "£320 up to 25 kg and £410 above that": it speaks of both sides.
    let w = words(sentence);
    let both = w.windows(2).any(|pair| {
        matches!(
            pair[0].as_str(),
            "above" | "below" | "over" | "after" | "under" | "beyond" | "then"
        ) && matches!(pair[1].as_str(), "that" | "it" | "this")
    });
    Some(within || both)
}

/// The same for every sentence of a passage; a sentence that speaks of what is beyond the limit before it is on the other side of it.
pub(super) fn sides(sentences: &[String], quantities: &[Quantity]) -> Vec<Option<bool>> {
    let mut out: Vec<Option<bool>> = Vec::with_capacity(sentences.len());
    for sentence in sentences {
        let own = side(sentence, quantities);
        let beyond = || {
            out.last()
                .copied()
                .flatten()
                .filter(|_| is_beyond(sentence))
        };
        out.push(own.or_else(|| beyond().map(|within| !within)));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::entity::quantities;
    use super::super::knowledge::sentences_of;
    use super::*;

    fn passage(text: &str) -> Passage {
        Passage {
            article: 0,
            heading: None,
            text: text.to_owned(),
            sentences: sentences_of(text),
            lists: Vec::new(),
            answering: Vec::new(),
        }
    }

    #[test]
    fn nothing_begins_in_mid_air() {
        for sentence in [
            "Later than that we charge £15.",
            "That week is the grace period.",
            "It is free after that.",
            "In that case we charge £45.",
            "After that the whole stay is charged.",
            "Without it a call costs 30p.",
            "If that fails too, a fee is added.",
            "Both are free.",
            "Longer than that costs £2.40 an hour.",
            "You can have it if you receive a pension.",
            "Book it 4 weeks ahead.",
        ] {
            assert!(leans(sentence), "{sentence}");
        }
        for sentence in [
            "We charge £15.",
            "You can bring a friend if it is warm.",
            "Those who arrive late pay more.",
            "If you are late we charge £5.",
            "After the minimum term you can leave.",
            "From three parcels on it is free.",
            "For children it costs £4.",
            "Longer stays cost £2.40 an hour.",
        ] {
            assert!(!leans(sentence), "{sentence}");
        }
    }

    #[test]
    fn a_sentence_is_said_with_what_it_leans_on() {
        let p = passage(
            "You can cancel free of charge up to 24 hours before. Later than that we charge £15. Bring your card. That is needed at the desk.",
        );
        let (text, _) = choose(&p, &[0.3, 0.9, 0.0, 0.0]);
        assert_eq!(
            text,
            "You can cancel free of charge up to 24 hours before. Later than that we charge £15."
        );
        // The limit brings what is beyond it.
        let (text, _) = choose(&p, &[0.9, 0.1, 0.0, 0.0]);
        assert!(text.ends_with("we charge £15."), "{text}");
        let (text, _) = choose(&p, &[0.0, 0.0, 0.1, 0.9]);
        assert_eq!(text, "Bring your card. That is needed at the desk.");
    }

    #[test]
    fn what_is_beyond_a_limit_is_on_its_other_side() {
        let p = passage("It is free up to 24 hours before. Later than that we charge £15. Ask us.");
        let late = quantities("I want to cancel an hour before");
        assert_eq!(sides(&p.sentences, &late), [Some(false), Some(true), None]);
        let early = quantities("it is three days before");
        assert_eq!(sides(&p.sentences, &early), [Some(true), Some(false), None]);
    }
}
