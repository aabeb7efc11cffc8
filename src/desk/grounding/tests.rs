use super::*;
use crate::desk::knowledge::split;
use crate::desk::{DeskFiles, parse};
use serde_json::json;

const PASSAGE: &str = "Basic: contract and leaving early. Basic runs for 12 months. If you leave before the 12 months are over, you pay \u{a3}9 for \
    each month that is left. After the minimum term you can leave with 30 days' notice and pay nothing. We do not take cheques or cash. \
    A visit costs $350 on Bronze and Silver and $200 on Gold. Dogs are welcome, except in the River Suite. \
    You can cancel within 14 days and pay nothing, unless an engineer has connected the line. The shop is open Monday to Friday.";

fn caught(reply: &str) -> Vec<String> {
    caught_in(
        reply,
        &Sources {
            passages: &[PASSAGE],
            ..Sources::default()
        },
    )
}

fn caught_in(reply: &str, sources: &Sources<'_>) -> Vec<String> {
    let claims = check(reply, sources);
    untraced(&claims)
        .iter()
        .map(|c| format!("{:?} {}", c.kind, c.text))
        .collect()
}

#[test]
fn other_words_for_what_is_written_may_be_said() {
    for reply in [
        "Basic runs for 12 months.",
        "Basic runs for twelve months.",
        "If you leave before the 12 months are over, you pay \u{a3}9 for each month that's left.",
        "Sure, happy to help.",
        "We don't take cheques.",
        "A visit costs $200 on Gold.",
        "On Silver a visit costs $350.",
        "Dogs are welcome, except in the River Suite.",
        "After the minimum term you can leave with 30 days' notice.",
        "The shop is open on Wednesday.",
        "What else would you like to know?",
    ] {
        assert_eq!(caught(reply), Vec::<String>::new(), "{reply}");
    }
}

#[test]
fn what_is_not_written_or_written_otherwise_may_not() {
    for reply in [
        "Basic runs for 18 months.",
        "Plus runs for 12 months.",
        "You pay \u{a3}9 for each month that is left after leaving.",
        "We take cheques and cash.",
        "A visit costs $200 on Bronze.",
        "A visit costs $350 on Gold.",
        "A visit costs $200.",
        "You can cancel within 14 days and pay nothing.",
        "You can cancel within 14 days and pay nothing, if an engineer has connected the line.",
        "Dogs are welcome in the River Suite.",
        "Dogs are not welcome.",
        "After the minimum term you cannot leave with 30 days' notice.",
        "Before the minimum term you can leave with 30 days' notice and pay nothing.",
        "The shop is open on Sunday.",
        "You can pay with Bitcoin.",
        "Your refund will arrive tomorrow.",
        "Yes.",
    ] {
        assert!(!caught(reply).is_empty(), "{reply}");
    }
}

#[test]
fn yes_and_no_need_the_question() {
    let ask = |question, reply| {
        caught_in(
            reply,
            &Sources {
                passages: &[PASSAGE],
                question: Some(question),
                ..Sources::default()
            },
        )
    };
    assert!(ask("do you take cheques", "No.").is_empty());
    assert!(!ask("do you take cheques", "Yes.").is_empty());
    assert!(
        ask(
            "are dogs welcome",
            "Yes, dogs are welcome, except in the River Suite."
        )
        .is_empty()
    );
    assert!(!ask("are dogs welcome", "No.").is_empty());
    assert!(!ask("do you deliver pizza", "Yes.").is_empty());
}

#[test]
fn results_are_sources_and_a_callers_word_is_none() {
    let results =
        [json!({"amount": 24.99, "due": "2026-12-03", "store": "Hobby Barn", "paid": false})];
    let sources = Sources {
        results: &results,
        said: &["it was 40 euros at Tesco"],
        ..Sources::default()
    };
    for reply in [
        "The amount is 24.99.",
        "It is due on 3 December.",
        "You said 40 euros.",
    ] {
        assert_eq!(caught_in(reply, &sources), Vec::<String>::new(), "{reply}");
    }
    for reply in [
        "The amount is 25.99.",
        "It is due on 4 December.",
        "It was paid.",
        "Your payment of 40 euros was received.",
    ] {
        assert!(!caught_in(reply, &sources).is_empty(), "{reply}");
    }
}

/// Every sentence of every article of the sample desk and of the desks of the quality test, with what its passage says.
fn sentences() -> Vec<(String, String)> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut out = Vec::new();
    let mut files = std::collections::BTreeMap::new();
    for entry in
        std::fs::read_dir(root.join("examples/larchpay/knowledge")).expect("the sample desk")
    {
        let path = entry.expect("a file").path();
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        files.insert(
            format!("knowledge/{name}"),
            std::fs::read_to_string(&path).expect("text"),
        );
    }
    for desk in ["broadband", "hotel", "insurer", "parcels"] {
        let path = root
            .join("tests/quality")
            .join(desk)
            .join("knowledge/articles.jsonl");
        let text = std::fs::read_to_string(path).expect("articles");
        files.insert(
            format!("knowledge/{desk}.jsonl"),
            text.replace("{\"id\":\"", &format!("{{\"id\":\"{desk}-")),
        );
    }
    let source = parse(&DeskFiles(files)).expect("desks");
    for passage in split(&source.articles) {
        let whole = passage.embedded(&source.articles[passage.article].title);
        out.extend(passage.sentences.iter().map(|s| (s.clone(), whole.clone())));
    }
    assert!(out.len() > 500, "{}", out.len());
    out
}

fn lines_that_fail(mutate: impl Fn(&str, &str) -> Vec<String>) -> (usize, Vec<String>) {
    let (mut tried, mut missed) = (0, Vec::new());
    for (sentence, passage) in sentences() {
        for changed in mutate(&sentence, &passage) {
            tried += 1;
            if caught_in(
                &changed,
                &Sources {
                    passages: &[&passage],
                    ..Sources::default()
                },
            )
            .is_empty()
            {
                missed.push(format!("{changed}   <-   {sentence}"));
            }
        }
    }
    (tried, missed)
}

#[test]
fn the_articles_own_sentences_may_be_said() {
    for (sentence, passage) in sentences() {
        let claims = caught_in(
            &sentence,
            &Sources {
                passages: &[&passage],
                ..Sources::default()
            },
        );
        assert!(claims.is_empty(), "{sentence}: {claims:?}");
    }
}

#[test]
fn a_changed_figure_is_caught() {
    let (tried, missed) = lines_that_fail(|sentence, _| {
        let b = sentence.as_bytes();
        (0..b.len())
            .filter(|i| b[*i].is_ascii_digit() && !(*i > 0 && b[*i - 1].is_ascii_digit()))
            .filter_map(|i| {
                let end = i + b[i..].iter().take_while(|c| c.is_ascii_digit()).count();
                let n: u64 = sentence[i..end].parse().ok()?;
                Some(format!("{}{}{}", &sentence[..i], n + 3, &sentence[end..]))
            })
            .collect()
    });
    println!("{tried} figures changed, {} not caught", missed.len());
    assert!(
        tried > 400 && missed.is_empty(),
        "{} of {tried}:\n{}",
        missed.len(),
        missed.join("\n")
    );
}

#[test]
fn a_turned_sentence_is_caught() {
    let (tried, missed) = lines_that_fail(|sentence, _| {
        let padded = format!(" {sentence}");
        let mut out = Vec::new();
        for (from, to) in [
            (" is not ", " is "),
            (" are not ", " are "),
            (" do not ", " "),
            (" does not ", " "),
            (" cannot ", " can "),
            (" may not ", " may "),
            (" never ", " always "),
            (" no ", " a "),
            (" is free", " is not free"),
            (" can ", " cannot "),
            (" may ", " may not "),
            (" will ", " will not "),
            (" is ", " is not "),
            (" are ", " are not "),
            (" before ", " after "),
            (" after ", " before "),
            (" at least ", " at most "),
            (" up to ", " at least "),
            (" more than ", " less than "),
        ] {
            if padded.matches(from).count() == 1
                && !(to.contains(" not") && padded.contains(&format!("{from}not ")))
            {
                out.push(padded.replacen(from, to, 1).trim().to_owned());
            }
        }
        out
    });
    println!("{tried} sentences turned, {} not caught", missed.len());
    assert!(
        tried > 300 && missed.is_empty(),
        "{} of {tried}:\n{}",
        missed.len(),
        missed.join("\n")
    );
}

#[test]
fn a_condition_left_out_or_turned_is_caught() {
    let (tried, missed) = lines_that_fail(|sentence, _| {
        let mut out = Vec::new();
        for opener in [" unless ", " if ", " except ", " as long as "] {
            if let Some((main, _)) = sentence.split_once(opener)
                && main.split_whitespace().count() >= 4
                && !sentence[main.len() + opener.len()..].contains(',')
            {
                out.push(format!("{}.", main.trim_end_matches(',')));
            }
        }
        for (from, to) in [(" unless ", " if "), (" if ", " unless ")] {
            if sentence.contains(from) {
                out.push(sentence.replacen(from, to, 1));
            }
        }
        out
    });
    println!(
        "{tried} conditions left out or turned, {} not caught",
        missed.len()
    );
    assert!(
        tried > 60 && missed.len() * 50 <= tried,
        "{} of {tried}:\n{}",
        missed.len(),
        missed.join("\n")
    );
}

#[test]
fn a_figure_of_somebody_else_is_caught() {
    let sources = [
        "Basic: contract. Basic runs for 12 months. You pay \u{a3}9 for each month that is left.",
        "Plus: contract. Plus runs for 18 months. You pay \u{a3}13 for each month that is left.",
        "Our plans. Basic: price a month \u{a3}24, download 38 Mbps. Plus: price a month \u{a3}31, download 145 Mbps.",
    ];
    let sources = Sources {
        passages: &sources,
        ..Sources::default()
    };
    for reply in [
        "Basic runs for 18 months.",
        "Plus runs for 12 months.",
        "On Plus you pay \u{a3}9 for each month that is left.",
        "The price of Basic is \u{a3}31 a month.",
    ] {
        assert!(!caught_in(reply, &sources).is_empty(), "{reply}");
    }
    for reply in [
        "Basic runs for 12 months and Plus for 18 months.",
        "On Plus you pay \u{a3}13 for each month that is left.",
        "The price of Basic is \u{a3}24 a month.",
    ] {
        assert_eq!(caught_in(reply, &sources), Vec::<String>::new(), "{reply}");
    }
}
