use super::*;

fn files(pairs: &[(&str, &str)]) -> DeskFiles {
    DeskFiles(
        pairs
            .iter()
            .map(|(a, b)| (a.to_string(), b.to_string()))
            .collect(),
    )
}

const DESK: &str = r#"
company = "Tidewater Broadband"
language = "en-GB"
timezone = "Europe/London"
hours = ["mon-fri 08:00-20:00", "sat 22:00-02:00"]

[intent.move_house]
mode = "supervised"
floor = 0.8
queue = "moves"

[identity]
lookup = "/customers?phone={caller_number}"
factors = ["postcode"]

[backoffice]
url = "http://127.0.0.1:9100/"

[escalation]
words = ["ombudsman"]
[escalation.queues]
moves = ["sip:moves@192.0.2.7"]
"#;

const INTENTS: &str = r#"{"text":"I'm moving house","intent":"move_house"}
{"text":"send me an engineer","intent":"book_engineer"}
{"text":"tell me a joke","intent":null}
"#;

const ACTIONS: &str = r#"
[[action]]
name = "book_engineer"
intent = "book_engineer"
kind = "write"
verify = "full"
request = { method = "POST", path = "/visits/{account_id}", body = { day = "{day}" } }
reply = "An engineer comes on {result.day}."
limits = { per_call = 1 }
  [[action.slot]]
  name = "day"
  type = "date"
  ask = "Which day?"
  min = "today"
  max = "today+14d"
"#;

#[test]
fn a_whole_desk_is_read() {
    let source = parse(&files(&[
        ("desk.toml", DESK),
        ("intents.jsonl", INTENTS),
        ("actions.toml", ACTIONS),
        (
            "knowledge/moving.md",
            "---\nid: moving\ntitle: Moving house\nintents: [move_house]\nupdated: 2026-10-01\nspoken: >\n  Tell us two weeks\n  before.\n---\n# Moving house\nTell us 14 days before you move. Unless you rent, there is no fee.\n",
        ),
    ]))
    .expect("a good desk");
    assert_eq!(source.config.hours.len(), 2);
    assert_eq!(
        source.config.intents["move_house"].queue.as_deref(),
        Some("moves")
    );
    assert_eq!(
        source.config.backoffice.as_ref().map(|b| b.url.as_str()),
        Some("http://127.0.0.1:9100")
    );
    assert_eq!(
        source.articles[0].spoken.as_deref(),
        Some("Tell us two weeks before.")
    );
    assert_eq!(
        source.actions[0].slots[0].max,
        Some(crate::desk::Limit::Today {
            days: 14,
            months: 0
        })
    );
    assert!(
        source.actions[0].confirm,
        "a write is confirmed unless the desk says not"
    );
    assert_eq!(
        source
            .examples
            .iter()
            .filter(|e| e.intent.is_none())
            .count(),
        1
    );
    assert!(source.texts().contains(&"I'm moving house".to_string()));
}

#[test]
fn open_on_the_hour_and_past_midnight() {
    let source =
        parse(&files(&[("desk.toml", DESK), ("intents.jsonl", INTENTS)])).expect("a good desk");
    let open = |t: &str| source.config.is_open(t.parse().expect("a time"));
    assert!(open("2026-11-23T08:00:00Z"));
    assert!(!open("2026-11-23T20:00:00Z"));
    // British summer time: 07:30 UTC is 08:30 in London.
    assert!(open("2026-07-20T07:30:00Z"));
    // Saturday's evening runs into Sunday.
    assert!(open("2026-11-29T01:59:00Z"));
    assert!(!open("2026-11-29T02:00:00Z"));
}

/// Every problem of a set of files, as `line: message`.
fn problems(pairs: &[(&str, &str)]) -> Vec<String> {
    parse(&files(pairs))
        .expect_err("a desk with mistakes")
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn every_mistake_is_told_with_its_line_and_the_nearest_word() {
    let desk = DESK
        .replace(
            "timezone = \"Europe/London\"",
            "timezon = \"Europe/London\"",
        )
        .replace("\"supervised\"", "\"supervized\"")
        .replace("queue = \"moves\"", "queue = \"move\"")
        .replace("08:00-20:00", "8-25");
    let actions = ACTIONS
        .replace("{day}", "{dya}")
        .replace("intent = \"book_engineer\"", "intent = \"book_enginer\"");
    let got = problems(&[
        ("desk.toml", &desk),
        ("intents.jsonl", INTENTS),
        ("actions.toml", &actions),
    ]);
    let has = |start: &str, part: &str| {
        assert!(
            got.iter().any(|g| g.starts_with(start) && g.contains(part)),
            "{start} ... {part} not in {got:#?}"
        );
    };
    has("desk.toml:4:", "did you mean `timezone`");
    has("desk.toml:5:", "opening hours");
    has("desk.toml:8:", "did you mean `supervised`");
    has("desk.toml:10:", "did you mean `moves`");
    has("actions.toml:3:", "did you mean `book_engineer`");
    has("actions.toml:7:", "did you mean `{day}`");
}

#[test]
fn broken_lines_of_examples_and_articles_are_told() {
    let got = problems(&[
        ("desk.toml", "company = \"A\"\n"),
        (
            "intents.jsonl",
            "{\"text\":\"a\",\"intent\":\"x\"}\n{\"text\":\"b\"}\nnot json\n{\"txt\":\"c\",\"intent\":\"x\"}",
        ),
        ("knowledge/a.md", "---\nid: one\nintents: [y]\n---\nText.\n"),
        (
            "knowledge/b.md",
            "---\nid: one\nupdated: yesterday\n---\nText.\n",
        ),
        ("knowledge/c.md", "---\nid: three\n"),
    ]);
    for (start, part) in [
        ("intents.jsonl:2:", "no `intent`"),
        ("intents.jsonl:3:", "not valid JSON"),
        ("intents.jsonl:4:", "did you mean `text`"),
        ("knowledge/a.md:1:", "intent `y`"),
        ("knowledge/b.md:1:", "already taken"),
        ("knowledge/b.md:3:", "not a date"),
        ("knowledge/c.md:1:", "no closing"),
    ] {
        assert!(
            got.iter().any(|g| g.starts_with(start) && g.contains(part)),
            "{start} {part} in {got:#?}"
        );
    }
}

#[test]
fn toml_that_cannot_be_read_names_its_line() {
    let got = problems(&[("desk.toml", "company = \"A\"\nhours = [\n")]);
    assert!(got[0].starts_with("desk.toml:"), "{got:?}");
    assert!(got[0].contains("not valid TOML"), "{got:?}");
}

#[test]
fn nothing_at_all_is_no_desk() {
    assert!(problems(&[])[0].contains("firstline desk new"));
}

#[test]
fn an_action_may_not_ask_for_what_the_desk_cannot_give() {
    let got = problems(&[
        ("desk.toml", "company = \"A\"\n"),
        ("actions.toml", ACTIONS),
    ]);
    assert!(got.iter().any(|g| g.contains("no [identity]")), "{got:?}");
    assert!(got.iter().any(|g| g.contains("back office")), "{got:?}");
}

#[test]
fn a_misspelt_wording_is_told_and_a_strange_one_left_alone() {
    let got = problems(&[
        ("desk.toml", "company = \"A\"\n"),
        ("intents.jsonl", INTENTS),
        (
            "phrases.toml",
            "godbye = \"Bye.\"\nzzzz_own_key = \"Hm.\"\n\"topic.move_hose\" = \"moving\"\n[confirm]\nbook_enginer = \"Yes?\"\n",
        ),
    ]);
    assert_eq!(got.len(), 3, "{got:#?}");
    assert!(
        got[0].starts_with("phrases.toml:1:") && got[0].contains("`goodbye`"),
        "{got:#?}"
    );
    assert!(
        got[1].starts_with("phrases.toml:3:") && got[1].contains("`move_house`"),
        "{got:#?}"
    );
    assert!(got[2].starts_with("phrases.toml:5:"), "{got:#?}");
}

#[test]
fn a_limit_without_its_number_is_refused_and_closed_is_not_open() {
    for limit in ["today+", "today-", "today+d", "today--3d", "today+\u{e9}"] {
        let actions = ACTIONS.replace("today+14d", limit);
        let got = problems(&[
            ("desk.toml", DESK),
            ("intents.jsonl", INTENTS),
            ("actions.toml", &actions),
        ]);
        assert!(
            got.iter().any(|problem| problem.contains("must be a day")),
            "{limit}: {got:?}"
        );
    }
    let closed = config::hours("daily closed").expect("hours");
    let desk = crate::desk::config::DeskConfig::default();
    let now = "2026-11-23T10:00:00Z".parse().expect("a time");
    assert!(!desk.within(&[closed], now) && desk.within(&[], now));
}
