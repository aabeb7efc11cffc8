//! Example sentences the desk brings along: what every support line must hear, whatever the company. The sentences are in `bank/`,
//! one a line.

use std::sync::LazyLock;

type Kinds = [(&'static str, Vec<&'static str>); 11];

/// Kinds a human is needed for: the first nine of [`all`].
pub(crate) const KINDS: usize = 9;

static ALL: LazyLock<Kinds> = LazyLock::new(|| {
    [
        // A charge or a bill the caller contests.
        ("dispute", lines(include_str!("bank/dispute.txt"))),
        // Somebody else is at work: theft, scams, taken-over accounts.
        ("fraud", lines(include_str!("bank/fraud.txt"))),
        // The caller cannot pay.
        ("hardship", lines(include_str!("bank/hardship.txt"))),
        // A customer has died.
        ("bereavement", lines(include_str!("bank/bereavement.txt"))),
        // Threats of law, regulators, formal complaints, the press.
        ("legal", lines(include_str!("bank/legal.txt"))),
        // Illness, disability, coercion: more care than usual is owed.
        ("vulnerable", lines(include_str!("bank/vulnerable.txt"))),
        // Somebody may be at risk, or cannot cope.
        ("distress", lines(include_str!("bank/distress.txt"))),
        // The caller wants to leave.
        ("closure", lines(include_str!("bank/closure.txt"))),
        // The caller wants a person.
        ("human", lines(include_str!("bank/human.txt"))),
        // Ordinary questions that share words with the kinds above and are none of them.
        ("plain", lines(include_str!("bank/plain.txt"))),
        // What a company's support line is not for.
        ("out", lines(include_str!("bank/out.txt"))),
    ]
});

fn lines(text: &'static str) -> Vec<&'static str> {
    text.lines().filter(|line| !line.is_empty()).collect()
}

/// Kind to sentences.
pub(crate) fn all() -> &'static Kinds {
    &ALL
}

/// Sentences that no company's line is for.
pub(crate) fn out() -> &'static [&'static str] {
    &ALL[10].1
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    #[test]
    fn no_sentence_stands_for_two_kinds() {
        let mut kinds: HashMap<&str, &str> = HashMap::new();
        for (kind, texts) in super::all() {
            assert!(texts.len() >= 30, "{kind}");
            for text in texts {
                let other = kinds.insert(text, kind);
                assert!(other.is_none(), "{text}: {other:?} and {kind}");
            }
        }
    }
}
