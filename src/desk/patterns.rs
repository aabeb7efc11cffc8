//! Turns of phrase that leave no doubt, for every kind a human is needed for. They work without an encoder, and where a sentence
//! carries so much else that its vector says little.

/// A kind, and word sequences that mean it. `*` stands for up to two words of any kind; a trailing `~` matches any ending.
static PATTERNS: [(&str, &[&str]); 7] = [
    (
        "distress",
        &[
            "kill myself",
            "end my life",
            "ending it all",
            "end it all",
            "suicid~",
            "hurt myself",
            "hurting myself",
            "harm myself",
            "self harm~",
            "dont want to live",
            "dont want to be here anymore",
            "no point in going on",
            "panic attack",
            "cant go on",
            "cant cope",
            "domestic abuse",
            "abusive partner",
            "abusive husband",
            "hits me",
            "smell gas",
            "not safe at home",
        ],
    ),
    (
        "fraud",
        &[
            "identity theft",
            "stole my identity",
            "identity * stolen",
            "been scammed",
            "got scammed",
            "was scammed",
            "been hacked",
            "got hacked",
            "was hacked",
            "in my name * didnt",
            "account in my name",
            "loan in my name",
            "report * fraud",
            "is fraud",
            "unauthori~ access",
            "card * stolen",
            "wallet * stolen",
            "phishing",
            "fraudulent~",
            "someone * using my",
            "somebody * using my",
        ],
    ),
    (
        "dispute",
        &[
            "dont recogni~ * charge",
            "dont recogni~ * payment",
            "dont recogni~ * transaction",
            "dont recogni~ * purchase",
            "dont recogni~ * debit",
            "dont recogni~ * order",
            "dont recogni~ * amount",
            "do not recogni~ * charge",
            "do not recogni~ * payment",
            "do not recogni~ * transaction",
            "do not recogni~ * purchase",
            "do not recogni~ * debit",
            "do not recogni~ * order",
            "do not recogni~ * amount",
            "didnt recogni~ * charge",
            "didnt recogni~ * payment",
            "didnt recogni~ * transaction",
            "didnt recogni~ * purchase",
            "didnt recogni~ * debit",
            "didnt recogni~ * order",
            "didnt recogni~ * amount",
            "charge * dont recogni~",
            "payment * dont recogni~",
            "transaction * dont recogni~",
            "never authori~",
            "didnt authori~",
            "did not authori~",
            "want to dispute",
            "id like to dispute",
            "disputing",
            "chargeback",
            "dispute * charge",
            "dispute * payment",
            "dispute * transaction",
            "contest * charge",
            "billed twice",
            "charged twice",
            "charged me twice",
            "double charged",
            "unauthori~ charge",
            "unauthori~ payment",
            "unauthori~ transaction",
            "wasnt me * charge",
            "never bought",
            "never ordered",
        ],
    ),
    (
        "legal",
        &[
            "my lawyer",
            "my solicitor",
            "my attorney",
            "take you to court",
            "see you in court",
            "small claims",
            "sue you",
            "suing you",
            "legal action",
            "ombudsman",
            "formal complaint",
            "make a complaint",
            "file a complaint",
            "lodge a complaint",
            "raise a complaint",
            "official complaint",
            "report you to",
            "reporting you to",
            "subject access request",
            "regulator",
        ],
    ),
    (
        "hardship",
        &[
            "lost my job",
            "been laid off",
            "got laid off",
            "made redundant",
            "cant afford",
            "cannot afford",
            "cant make * payments",
            "no money",
            "bankrupt~",
            "financial difficult~",
            "financial hardship",
            "struggling to pay",
            "struggling to make",
            "passed away",
            "has died",
            "husband died",
            "wife died",
            "mother died",
            "father died",
            "bereave~",
            "cant keep up with",
            "unable to pay",
            "wont be able to pay",
            "im skint",
            "im broke",
            "flat broke",
            "stony broke",
            "strapped for cash",
            "make ends meet",
            "im out of work",
            "on the breadline",
            "food bank",
            "lost my husband",
            "lost my wife",
            "been widowed",
            "dad died",
            "mum died",
            "mom died",
            "son died",
            "daughter died",
        ],
    ),
    (
        "closure",
        &[
            "close my account",
            "closing my account",
            "delete my account",
            "cancel my account",
            "shut my account",
            "terminate my account",
            "terminate my contract",
            "cancel my contract",
            "account closed",
            "close * account down",
            "deactivate my account",
            "erase my account",
        ],
    ),
    (
        "human",
        &[
            "real person",
            "human being",
            "a human",
            "real human",
            "live agent",
            "live person",
            "speak to an agent",
            "talk to an agent",
            "speak to someone",
            "talk to someone",
            "speak to somebody",
            "talk to somebody",
            "speak with someone",
            "talk to a person",
            "speak to a person",
            "speak with a person",
            "speak to an advisor",
            "speak to an adviser",
            "speak to a representative",
            "talk to a representative",
            "customer service representative",
            "speak to a manager",
            "talk to a manager",
            "an operator",
            "put me through",
            "transfer me to",
            "not a robot",
            "not a bot",
            "not a machine",
            "speak to your boss",
        ],
    ),
];

/// Openings that make a sentence a question about the subject and not the thing itself.
const ABOUT: [&str; 9] = [
    "what happens if",
    "what happens when",
    "what if",
    "how do you handle",
    "how do you protect",
    "how long does",
    "do you have",
    "is there a fee",
    "what is the",
];

/// The kind whose phrase stands in the words, if any.
pub(crate) fn find(said: &[String]) -> Option<&'static str> {
    let joined = said.join(" ");
    if ABOUT.iter().any(|a| joined.starts_with(a)) {
        return None;
    }
    // A wish for a human that is refused is none: "I don't need a human".
    PATTERNS
        .iter()
        .find(|(kind, list)| {
            list.iter().any(|p| matches(p, said))
                && !(*kind == "human"
                    && (joined.contains("dont need") || joined.contains("are you")))
        })
        .map(|(kind, _)| *kind)
}

fn matches(pattern: &str, said: &[String]) -> bool {
    let parts: Vec<&str> = pattern.split(' ').collect();
    (0..said.len()).any(|start| follows(&parts, &said[start..]))
}

fn follows(parts: &[&str], said: &[String]) -> bool {
    match parts {
        [] => true,
        ["*", rest @ ..] => (0..=2.min(said.len())).any(|skip| follows(rest, &said[skip..])),
        [part, rest @ ..] => said.first().is_some_and(|w| {
            let hit = match part.strip_suffix('~') {
                Some(stem) => w.starts_with(stem),
                None => w == part,
            };
            hit && follows(rest, &said[1..])
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::text::words;

    #[test]
    fn phrases_are_found_in_their_sentence() {
        for (said, kind) in [
            ("I don't recognise the light on my router", None),
            ("who is the manager of the branch", None),
            (
                "Hi, um, I don't recognise a charge from Tuesday",
                Some("dispute"),
            ),
            ("listen I want to speak to a manager now", Some("human")),
            ("I can't afford it since I lost my job", Some("hardship")),
            ("please close my account", Some("closure")),
            ("my wallet has been stolen", Some("fraud")),
            ("I'm going to the ombudsman", Some("legal")),
            ("I just want to end it all", Some("distress")),
            ("what happens if I can't afford a payment", None),
            ("how long does a formal complaint take", None),
            ("when is my payment due", None),
            ("I don't need a human, you're fine", None),
        ] {
            assert_eq!(find(&words(said)), kind, "{said}");
        }
    }
}
