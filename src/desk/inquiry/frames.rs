//! A question put again with something else in it: "and on platinum?" after "what's the notice period on plus" asks "what's the notice
//! period on platinum". And a wish put as the question that an article answers: "I want to put it on hold" asks how.

use super::social::plain;

const PREPOSITIONS: [&str; 14] = [
    "on", "for", "in", "with", "at", "to", "from", "by", "after", "before", "over", "under",
    "during", "without",
];
/// What a question put again begins with.
const OPENS: [&str; 14] = [
    "and what about",
    "and how about",
    "so what about",
    "what about",
    "how about",
    "and is it the same",
    "is it the same",
    "same",
    "and",
    "or",
    "but",
    "also",
    "even",
    "ok and",
];
/// What makes a sentence of its own.
const VERBS: [&str; 31] = [
    "is", "are", "do", "does", "did", "can", "could", "will", "would", "have", "has", "am", "was",
    "were", "should", "how", "when", "why", "where", "who", "what", "which", "if", "i", "im", "we",
    "you", "they", "it", "thats", "its",
];
/// Words that name nothing: "and the other one".
const NAMELESS: [&str; 14] = [
    "the", "other", "one", "ones", "a", "an", "that", "this", "those", "these", "rest", "same",
    "others", "my",
];
const DETERMINERS: [&str; 6] = ["the", "a", "an", "my", "your", "our"];
/// Longest fragment that is one.
const LONGEST: usize = 8;

/// What a fragment names, with its preposition: "on platinum", "the plus"; none where it is a sentence, or names nothing.
pub fn fragment(text: &str) -> Option<String> {
    let words = plain(text);
    let opened = OPENS
        .iter()
        .find_map(|opener| words.strip_prefix(&format!("{opener} ")))
        .or_else(|| corrected(&words));
    let rest = opened.unwrap_or(&words);
    let all: Vec<&str> = rest.split(' ').filter(|w| !w.is_empty()).collect();
    // Without an opener only a preposition shows that something was said before it.
    let leans = opened.is_some() || all.first().is_some_and(|w| PREPOSITIONS.contains(w));
    let names = all
        .iter()
        .any(|w| !NAMELESS.contains(w) && !PREPOSITIONS.contains(w));
    let whole = all.iter().any(|w| VERBS.contains(w));
    (leans && names && !whole && all.len() <= LONGEST && opened.map_or(all.len() > 1, |_| true))
        .then(|| all.join(" "))
}

/// "No, sorry, I meant the weekend": what is meant.
fn corrected(words: &str) -> Option<&str> {
    const TURNS: [&str; 7] = [
        "no", "sorry", "oh", "actually", "i mean", "i meant", "not that",
    ];
    let mut rest = words;
    let mut turned = false;
    while let Some((turn, next)) = TURNS
        .iter()
        .find_map(|turn| Some((*turn, rest.strip_prefix(turn)?.strip_prefix(' ')?)))
    {
        turned |= turn != "oh" && turn != "no";
        rest = next;
    }
    turned.then_some(rest)
}

/// The last question with what the fragment names in its place, likeliest first; empty where the text is no fragment. `alike`: whether
/// two words stand for things of one kind.
pub fn carried(question: &str, text: &str, alike: &dyn Fn(&str, &str) -> bool) -> Vec<String> {
    let Some(named) = fragment(text) else {
        return Vec::new();
    };
    let asked = plain(question);
    let asked: Vec<&str> = asked.split(' ').filter(|w| !w.is_empty()).collect();
    let named: Vec<&str> = named.split(' ').collect();
    if asked.len() < 3 {
        return Vec::new();
    }
    let put = |from: usize, to: usize, named: &[&str]| {
        [&asked[..from], named, &asked[to..]].concat().join(" ")
    };
    let mut out: Vec<String> = Vec::new();
    // In the place of what is of its kind: "Plus" in that of "Standard".
    let bare: Vec<&str> = named
        .iter()
        .copied()
        .skip_while(|w| PREPOSITIONS.contains(w) || DETERMINERS.contains(w))
        .collect();
    let kin = |word: &str| bare.iter().any(|own| alike(own, word));
    if let Some(last) = asked
        .iter()
        .rposition(|w| kin(w))
        .filter(|_| !bare.is_empty())
    {
        let first = (0..=last).rev().take_while(|at| kin(asked[*at])).last();
        out.push(put(first.unwrap_or(last), last + 1, &bare));
    } else if let Some(it) = asked
        .iter()
        .rposition(|w| ["it", "that", "them", "those"].contains(w))
        && it >= 2
        && !bare.is_empty()
    {
        // "How long am I tied in for with that", and now with Plus.
        out.push(put(it, it + 1, &bare));
    }
    if PREPOSITIONS.contains(&named[0]) {
        // The same preposition's place, else at the end.
        let at = asked.iter().rposition(|w| *w == named[0]);
        match at.filter(|at| *at >= 2 && asked.len() - at <= 6) {
            Some(at) => out.push(put(at, asked.len(), &named)),
            None => out.push(put(asked.len(), asked.len(), &named)),
        }
    } else {
        // The place of what the question ends with, from its article or preposition on.
        let at = asked
            .iter()
            .rposition(|w| DETERMINERS.contains(w) || PREPOSITIONS.contains(w));
        if let Some(at) = at.filter(|at| *at >= 2 && asked.len() - at <= 5) {
            let keep = at + usize::from(PREPOSITIONS.contains(&asked[at]));
            out.push(put(keep, asked.len(), &named));
        }
    }
    out.dedup();
    out
}

/// Of a turn that says how things are before it asks, the clause that asks: "it's my first time calling, I was wondering about classes".
/// None where there is none, or it is all of the turn.
pub fn asked_clause(text: &str) -> Option<&str> {
    let lower = text.to_lowercase();
    // Byte offsets are only shared while lowering changes no lengths; it does for a few letters outside English.
    if lower.len() != text.len() {
        return None;
    }
    [", ", ". ", "; ", " and ", " so ", " but "]
        .iter()
        .flat_map(|joint| {
            lower
                .rmatch_indices(joint)
                .map(|(at, joint)| at + joint.len())
        })
        .chain([0])
        .filter(|at| *at < text.len())
        .filter_map(|at| {
            let clause = text[at..].trim();
            let asked = super::super::framing::barest(clause);
            let cut = clause.split_whitespace().count() - asked.split_whitespace().count();
            let framed = cut >= 3 || cut >= 2 && asked.split_whitespace().count() >= 3;
            // A question that is known to be one without its frame has been tried.
            (framed && asked != super::super::framing::bare(text)).then_some(asked)
        })
        .max_by_key(|clause| clause.len())
}

/// "I want to put it on hold" as "how do I put it on hold"; none where the words are no wish.
pub fn as_how(text: &str) -> Option<String> {
    const WISHES: [&str; 14] = [
        "i want to",
        "i wanna",
        "id like to",
        "i would like to",
        "i need to",
        "i have to",
        "ive got to",
        "im trying to",
        "im looking to",
        "id love to",
        "i wish to",
        "i was hoping to",
        "i was wanting to",
        "i just want to",
    ];
    let bare = super::super::framing::bare(text);
    let words = plain(bare);
    let rest = WISHES
        .iter()
        .find_map(|wish| words.strip_prefix(&format!("{wish} ")))?;
    // "I want to know", "to ask", "to speak": those are about the talk, not about how a thing is done.
    let first = rest.split(' ').next().unwrap_or_default();
    (![
        "know", "ask", "speak", "talk", "say", "tell", "complain", "report",
    ]
    .contains(&first)
        && rest.split(' ').count() >= 2)
        .then(|| format!("how do i {rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_put_again_with_something_else() {
        for (asked, said, now) in [
            (
                "what's the notice period on plus",
                "and on platinum",
                "whats the notice period on platinum",
            ),
            (
                "How much is the standard plan?",
                "and the plus?",
                "how much is the plus",
            ),
            (
                "what's the late fee",
                "on a thirty five dollar order?",
                "whats the late fee on a thirty five dollar order",
            ),
            (
                "is yoga included in off peak",
                "what about standard",
                "is yoga included in standard",
            ),
        ] {
            assert_eq!(
                carried(asked, said, &|_, _| false)
                    .first()
                    .map(String::as_str),
                Some(now),
                "{said}"
            );
        }
        for said in [
            "and the other one",
            "and when is it charged",
            "what is the fee",
            "yes",
            "on",
        ] {
            assert!(
                carried("what's the late fee", said, &|_, _| false).is_empty(),
                "{said}"
            );
        }
    }

    #[test]
    fn what_is_named_takes_the_place_of_its_like() {
        let plans = ["standard", "plus", "platinum"];
        let alike = |one: &str, other: &str| plans.contains(&one) && plans.contains(&other);
        for (asked, said, now) in [
            (
                "how much is Standard a month",
                "and Plus?",
                "how much is plus a month",
            ),
            (
                "how much is standard a month",
                "no, sorry, I meant the Platinum",
                "how much is platinum a month",
            ),
            (
                "how long am I tied in for with that",
                "and Plus",
                "how long am i tied in for with plus",
            ),
        ] {
            assert_eq!(
                carried(asked, said, &alike).first().map(String::as_str),
                Some(now),
                "{said}"
            );
        }
    }

    #[test]
    fn the_clause_that_asks() {
        assert_eq!(
            asked_clause("hi this is my first time calling, I was wondering about classes"),
            Some("classes")
        );
        assert_eq!(asked_clause("I have the suite, and a dog"), None);
    }

    #[test]
    fn a_wish_asks_how() {
        assert_eq!(
            as_how("Hi, I want to put my membership on hold").as_deref(),
            Some("how do i put my membership on hold")
        );
        assert_eq!(as_how("I want to know the fee"), None);
        assert_eq!(as_how("what is the fee"), None);
    }
}
