//! Example sentences the desk brings along: what every support line must hear, whatever the company. Tables.

/// Kind to sentences. `plain` are ordinary questions that share words with a kind and are none; `out` is what no company's
/// support line is for.
pub(crate) fn all() -> [(&'static str, &'static [&'static str]); 9] {
    [
        ("dispute", &DISPUTE),
        ("fraud", &FRAUD),
        ("hardship", &HARDSHIP),
        ("legal", &LEGAL),
        ("distress", &DISTRESS),
        ("closure", &CLOSURE),
        ("human", &HUMAN),
        ("plain", &PLAIN),
        ("out", &OUT),
    ]
}

static DISPUTE: [&str; 4] = [
    "There's a charge on my statement I don't recognise",
    "I was billed twice and I want to contest it",
    "I never bought this, take it off my bill",
    "I want to dispute a payment",
];
static FRAUD: [&str; 4] = [
    "Someone is using my card without my permission",
    "I think I've been scammed",
    "Somebody opened an account in my name",
    "My account has been hacked",
];
static HARDSHIP: [&str; 4] = [
    "I've lost my job and can't pay",
    "I can't afford my payments any more",
    "My husband died and I can't manage the bills",
    "I have to choose between food and paying you",
];
static LEGAL: [&str; 4] = [
    "I'm going to take you to court",
    "You'll be hearing from my lawyer",
    "I want to make a formal complaint",
    "I'm reporting you to the regulator",
];
static DISTRESS: [&str; 4] = [
    "I don't want to live any more",
    "I'm having a breakdown over this",
    "My partner controls my money and I'm scared",
    "I'm thinking about hurting myself",
];
static CLOSURE: [&str; 4] = [
    "I want to close my account",
    "Cancel my membership for good",
    "Delete my account and all my data",
    "I'm leaving, shut my account down",
];
static HUMAN: [&str; 4] = [
    "Can I speak to a real person",
    "Put me through to an agent",
    "I want to talk to a human being",
    "Get me your supervisor",
];
static PLAIN: [&str; 6] = [
    "What happens if I miss a payment",
    "How do I pay early",
    "A person told me it would arrive on Monday",
    "How long does a refund take",
    "What are your opening hours",
    "How do I change my address",
];
static OUT: [&str; 6] = [
    "What's the weather like tomorrow",
    "Tell me a joke",
    "Who won the football last night",
    "Book me a table for two",
    "What is the capital of Peru",
    "How do I bake bread",
];
