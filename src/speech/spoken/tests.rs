use super::{clauses, spoken};

fn table(language: &str, rows: &[(&str, &str)]) {
    let wrong: Vec<String> = rows
        .iter()
        .filter_map(|(written, want)| {
            let got = spoken(written, language);
            (got != *want).then(|| format!("{written:?}\n   got {got:?}\n  want {want:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn american() {
    table(
        "en-US",
        &[
            ("$12.50", "twelve dollars and fifty cents"),
            ("It costs $1.", "It costs one dollar."),
            ("$0.01", "one cent"),
            ("$0.99", "ninety-nine cents"),
            ("$1,250.00", "one thousand two hundred fifty dollars"),
            ("a fee of $7, once", "a fee of seven dollars, once"),
            ("$5-$7", "five dollars to seven dollars"),
            ("$5-7", "five to seven dollars"),
            ("$2.5 million", "two point five million dollars"),
            ("12.50 USD", "twelve dollars and fifty cents"),
            ("\u{a3}3", "three pounds"),
            ("\u{20ac}1.20", "one euro and twenty cents"),
            ("2026-12-03", "December third, twenty twenty-six"),
            ("due 2026-12-03.", "due December third, twenty twenty-six."),
            ("3 December 2026", "December third, twenty twenty-six"),
            ("Dec 3", "December third"),
            (
                "on Dec. 3, 2026, at 5 p.m.",
                "on December third, twenty twenty-six, at five p m.",
            ),
            ("December 3rd", "December third"),
            ("the 3rd of December", "the third of December"),
            ("12/3/2026", "December third, twenty twenty-six"),
            ("May 5, 2005", "May fifth, two thousand five"),
            ("You may pay 5 times", "You may pay five times"),
            ("in 1999", "in nineteen ninety-nine"),
            ("3:30 pm", "three thirty p m"),
            ("9am-5pm", "nine a m to five p m"),
            ("8:00-20:00", "eight a m to eight p m"),
            ("at 12:05 a.m. today", "at twelve oh five a m today"),
            ("2.9%", "two point nine percent"),
            ("0% APR", "zero percent A P R"),
            ("the 21st", "the twenty-first"),
            ("1,500 points", "one thousand five hundred points"),
            ("5-7 days", "five to seven days"),
            ("5\u{2013}7 business days", "five to seven business days"),
            ("a 30-day window", "a thirty day window"),
            ("14 days", "fourteen days"),
            (
                "(512) 555-0199",
                "five one two, five five five, zero one nine nine",
            ),
            (
                "call 512-555-0199 now",
                "call five one two, five five five, zero one nine nine now",
            ),
            (
                "+15125550199",
                "plus one five one, two five five, five zero one, nine nine",
            ),
            ("card ending 0412", "card ending zero four one two"),
            ("card ending in 4412", "card ending in four four one two"),
            ("reference LP-4471", "reference L P, four four seven one"),
            ("help@example.com", "help at example dot com"),
            (
                "jo.smith_85@example.co.uk",
                "jo dot smith underscore eight five at example dot co dot uk",
            ),
            (
                "see https://www.example.com/help.",
                "see example dot com slash help.",
            ),
            ("Read the FAQ", "Read the F A Q"),
            ("your ID & PIN", "your I D and pin"),
            ("e.g. a card", "for example a card"),
            ("cards, e.g., Visa", "cards, for example Visa"),
            ("and/or", "and or"),
            ("24/7", "twenty-four seven"),
            ("Mon-Fri", "Monday to Friday"),
            ("Mr. Jones", "Mister Jones"),
            ("Do NOT share it", "Do not share it"),
            ("- First\n- Second", "First. Second"),
            ("1. Open the app\n2. Tap Pay", "Open the app. Tap Pay"),
            ("**Bold** and `code`", "Bold and code"),
            ("[the help page](https://example.com/x)", "the help page"),
            (
                "your plan (the small one) ends",
                "your plan, the small one, ends",
            ),
            ("Pay now \u{2014} or later", "Pay now, or later"),
            (
                "Order #4471",
                "Order number four thousand four hundred seventy-one",
            ),
            ("100", "one hundred"),
            ("1000000", "one zero zero, zero zero zero zero"),
            ("plain words stay.", "plain words stay."),
            ("It's caf\u{e9}\u{2019}s day", "It's caf\u{e9}'s day"),
            ("", ""),
            ("\u{1f600}", ""),
            ("etc.", "and so on."),
            ("50p & 3+4=7", "fifty p and three plus four equals seven"),
            ("-5 degrees", "minus five degrees"),
            ("10GB", "ten G B"),
        ],
    );
}

#[test]
fn british() {
    table(
        "en-GB",
        &[
            ("\u{a3}12.50", "twelve pounds and fifty pence"),
            ("\u{a3}105", "one hundred and five pounds"),
            ("\u{a3}0.01", "one penny"),
            ("2026-12-03", "the third of December twenty twenty-six"),
            ("3 December 2026", "the third of December twenty twenty-six"),
            ("by the 3rd of December", "by the third of December"),
            ("Dec 3", "the third of December"),
            ("3/12/2026", "the third of December twenty twenty-six"),
            ("1,005", "one thousand and five"),
            (
                "07700 900123",
                "zero seven seven, zero zero, nine zero zero, one two three",
            ),
            ("SW1A 1AA", "S W one A one A A"),
        ],
    );
}

/// Whatever comes in, what goes out holds letters and stops a voice can say.
#[test]
fn nothing_unsayable_is_left() {
    let hostile = [
        "$",
        "$$$ 5",
        "\u{a3}",
        "%%%",
        "1/2/3/4",
        "12:99",
        "....",
        "a@b",
        "@",
        "http://",
        "+++",
        "((()))",
        "[x](",
        "2026-99-99",
        "99/99/9999",
        "\u{0}\u{7}",
        "#1 & <b>x</b> | y ^ z ~ 3",
        "1.2.3.4",
        "0",
        "00",
        "3rd 4th",
        "Jan",
        "Jan 99",
        "$1.234",
        "\u{20b9}5",
        "999999999999999999999999",
        "18446744073709551616 dollars",
        "24:00",
        "9-",
        "-9-",
        "A-1-B-2",
        "\u{4f60}\u{597d}",
    ];
    for text in hostile {
        for language in ["en-US", "en-GB", "de", ""] {
            let said = spoken(text, language);
            assert!(
                said.chars()
                    .all(|c| c.is_alphabetic() || " ,.!?:'-".contains(c)),
                "{text:?} became {said:?}"
            );
        }
    }
}

proptest::proptest! {
    #[test]
    fn any_text_can_be_said(text in "[ -~\u{a3}\u{20ac}\u{2013}\n]{0,60}") {
        let said = spoken(&text, "en-US");
        proptest::prop_assert!(said.chars().all(|c| c.is_alphabetic() || " ,.!?:'-".contains(c)), "{text:?} became {said:?}");
    }

    #[test]
    fn clauses_lose_nothing(text in "[a-zA-Z0-9 ,.?!$-]{0,200}") {
        let words: Vec<&str> = text.split_whitespace().collect();
        proptest::prop_assert_eq!(clauses(&text).join(" "), words.join(" "));
    }
}

#[test]
fn clause_cuts() {
    let rows: &[(&str, &[&str])] = &[
        ("", &[]),
        ("Done.", &["Done."]),
        ("I can help with that.", &["I can help with that."]),
        (
            "Thanks, Jo. Your payment is due on December third.",
            &["Thanks, Jo.", "Your payment is due on December third."],
        ),
        (
            "Your next payment is twelve dollars and fifty cents, and it is due on December third.",
            &[
                "Your next payment is twelve dollars and fifty cents,",
                "and it is due on December third.",
            ],
        ),
        (
            "You can pay early at any time, and there is no fee for that.",
            &[
                "You can pay early at any time,",
                "and there is no fee for that.",
            ],
        ),
        (
            "Refunds take five to seven days once the shop has sent the item back to its warehouse.",
            &[
                "Refunds take five to seven days",
                "once the shop has sent the item back to its warehouse.",
            ],
        ),
        (
            "The number is five one two, five five five, oh one nine nine.",
            &["The number is five one two, five five five, oh one nine nine."],
        ),
        (
            "It is due December 3, 2026, so you have time.",
            &["It is due December 3, 2026,", "so you have time."],
        ),
        (
            "Mr. Jones called. He is at home now and waits for you.",
            &["Mr. Jones called.", "He is at home now and waits for you."],
        ),
        (
            "Okay, I have moved it. Is there anything else that I can do for you today, or is that all for now?",
            &[
                "Okay, I have moved it.",
                "Is there anything else that I can do for you today,",
                "or is that all for now?",
            ],
        ),
    ];
    for (text, want) in rows {
        assert_eq!(&clauses(text)[..], *want, "{text}");
    }
}
