//! A small water company's desk, written out, and a dialect for talking to it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use firstline::desk::{
    Caller, Conversation, Desk, DeskFiles, Next, Outcome, Reply, Request, Said, Tier, parse,
};
use serde_json::{Value, json};

const DESK: &str = r#"
company = "Brook Water"
agent_name = "Robin"
language = "en-GB"
timezone = "Europe/London"

[intent.meter_reading]
mode = "autonomous"
[intent.hard_water]
mode = "autonomous"
[intent.direct_debit]
mode = "autonomous"
[intent.balance]
mode = "autonomous"
[intent.book_visit]
mode = "autonomous"
[intent.move_payment]
mode = "autonomous"
[intent.report_leak]
mode = "human"
[intent.moving_home]
mode = "shadow"

[identity]
lookup = "/customers?phone={caller_number}"
factors = ["postcode", "date_of_birth"]

[backoffice]
url = "http://127.0.0.1:9"

[escalation]
words = ["ombudsman"]
"#;

const ACTIONS: &str = r#"
[[action]]
name = "get_balance"
intent = "balance"
kind = "read"
verify = "basic"
confirm = false
request = { method = "GET", path = "/customers/{customer.id}/balance" }
reply = "Your balance is {result.balance}, due on {result.due}."

[[action]]
name = "list_payments"
intent = "list_payments"
kind = "read"
verify = "basic"
confirm = false
request = { method = "GET", path = "/customers/{customer.id}/payments" }
reply = "You have payments."

[[action]]
name = "book_visit"
intent = "book_visit"
kind = "write"
verify = "none"
confirm = true
request = { method = "POST", path = "/visits", body = { day = "{day}", slot = "{part}" } }
reply = "Booked. We'll come on {result.day} in the {part}."
limits = { per_call = 1 }
  [[action.slot]]
  name = "day"
  type = "date"
  ask = "Which day would suit you?"
  min = "today"
  max = "today+14d"
  [[action.slot]]
  name = "part"
  type = "choice"
  choices = ["morning", "afternoon"]
  ask = "Morning or afternoon?"

[[action]]
name = "move_payment"
intent = "move_payment"
kind = "write"
verify = "full"
confirm = true
request = { method = "POST", path = "/payments/{payment_id}/move", body = { date = "{new_date}" } }
reply = "Done. Your payment of {result.amount} is now due on {result.due}."
limits = { per_call = 1 }
  [[action.slot]]
  name = "new_date"
  type = "date"
  ask = "Which day should it move to?"
  max = "today+30d"
"#;

const EXAMPLES: &[(&str, &[&str])] = &[
    (
        "meter_reading",
        &[
            "how do I read my water meter",
            "where do I send my meter reading",
            "submit a meter reading",
            "how often do you read the meter",
            "what do the red numbers on the meter mean",
        ],
    ),
    (
        "hard_water",
        &[
            "is my water hard",
            "how hard is the water",
            "limescale in my kettle",
            "what is the water hardness",
            "why is there limescale",
        ],
    ),
    (
        "direct_debit",
        &[
            "how do I set up a direct debit",
            "can I pay by direct debit",
            "pay monthly by direct debit",
            "which payment methods can I use",
            "is there a discount for direct debit",
        ],
    ),
    (
        "balance",
        &[
            "what is my balance",
            "how much do I owe",
            "tell me my account balance",
            "how much is my bill",
            "what do I owe you",
        ],
    ),
    (
        "book_visit",
        &[
            "book an engineer visit",
            "I need an engineer to come",
            "send an engineer",
            "can an engineer visit me",
            "schedule an engineer appointment",
            "send an engineer on Tuesday morning",
            "an engineer visit on Wednesday afternoon please",
            "can an engineer come on Monday",
        ],
    ),
    (
        "move_payment",
        &[
            "move my payment to another date",
            "can I change my payment date",
            "postpone my payment",
            "I need to move my payment",
            "pay later than the due date",
            "I need to move my payment, my postcode is LS1 4DY",
            "move my payment please, my date of birth is",
        ],
    ),
    (
        "report_leak",
        &[
            "there is a leak in the street",
            "report a burst pipe",
            "water is leaking from the road",
            "a pipe has burst",
            "leak outside my house",
        ],
    ),
    (
        "moving_home",
        &[
            "I am moving house",
            "moving to a new home",
            "close my account because I move out",
            "I am moving out next month",
            "new tenant moving in",
        ],
    ),
];

const NOT_OURS: &[&str] = &[
    "what is the weather tomorrow",
    "play some jazz",
    "who won the football",
    "book a flight to Rome",
    "tell me a joke",
    "what is the capital of France",
    "order a pizza with mushrooms",
    "translate this into Spanish",
    "how tall is the Eiffel tower",
    "set an alarm for seven",
];

const ARTICLES: &[(&str, &str, &str)] = &[
    (
        "read-meter",
        "How to read your water meter",
        "Read the black numbers on your water meter from left to right. The red numbers on the meter count litres, and you can leave them out. Send your meter reading by text to 61070.",
    ),
    (
        "hardness",
        "How hard is the water",
        "Our water is moderately hard, at 14 degrees. Limescale in a kettle is harmless.",
    ),
    (
        "direct-debit",
        "Paying by direct debit",
        "You can set up a direct debit at any time. Paying by direct debit takes 3 percent off your bill. The direct debit is taken on the 5th of each month.",
    ),
    (
        "visit",
        "Engineer visits",
        "An engineer visit takes about 40 minutes. Somebody over 18 has to be at home.",
    ),
    (
        "leak",
        "Reporting a leak",
        "A leak in the street is repaired by our crews day and night.",
    ),
    (
        "moving",
        "Moving home",
        "Tell us 5 days before you move. We will send a final bill to your new address.",
    ),
];

/// The files of the desk.
pub fn files() -> DeskFiles {
    let mut files = BTreeMap::new();
    files.insert("desk.toml".to_owned(), DESK.to_owned());
    files.insert("actions.toml".to_owned(), ACTIONS.to_owned());
    let mut lines = String::new();
    for (intent, texts) in EXAMPLES {
        for text in *texts {
            lines.push_str(&format!("{}\n", json!({"text": text, "intent": intent})));
        }
    }
    for text in [
        "list my payments",
        "which payments are coming",
        "show my upcoming payments",
    ] {
        lines.push_str(&format!(
            "{}\n",
            json!({"text": text, "intent": "list_payments"})
        ));
    }
    for text in NOT_OURS {
        lines.push_str(&format!("{}\n", json!({"text": text, "intent": null})));
    }
    files.insert("intents.jsonl".to_owned(), lines);
    let mut articles = String::new();
    for (id, title, text) in ARTICLES {
        articles.push_str(&format!(
            "{}\n",
            json!({"id": id, "title": title, "text": text})
        ));
    }
    files.insert("knowledge/articles.jsonl".to_owned(), articles);
    DeskFiles(files)
}

pub fn build(files: &DeskFiles) -> Arc<Desk> {
    let source = parse(files).unwrap_or_else(|problems| panic!("{problems:?}"));
    Arc::new(Desk::build(source, &HashMap::new()))
}

/// The desk most tests talk to; learnt once, since learning takes longer than a test.
pub fn usual() -> Arc<Desk> {
    static DESK: std::sync::LazyLock<Arc<Desk>> = std::sync::LazyLock::new(|| build(&files()));
    DESK.clone()
}

pub fn now() -> jiff::Timestamp {
    "2026-11-23T10:00:00Z".parse().expect("a moment")
}

/// A customer as the look-up returns them.
pub fn ada() -> Value {
    json!({"id": "C7", "first_name": "Ada", "last_name": "Brook", "postcode": "SW1A 1AA", "date_of_birth": "1984-02-03"})
}

pub fn payments() -> Value {
    json!({"payments": [
        {"id": "P1", "amount": 25.5, "due": "2026-12-01", "status": "due"},
        {"id": "P2", "amount": 40, "due": "2026-12-15", "status": "due"}]})
}

/// One call, with a back office that answers what it is told to.
pub struct Line {
    pub talk: Conversation,
    /// Every request that was made, in order.
    pub requests: Vec<Request>,
    pub said: Vec<Reply>,
    answers: Box<dyn FnMut(&Request) -> Option<Outcome>>,
}

impl Line {
    /// A caller from `number`, vouched for; the back office knows Ada under +442071838750.
    pub fn from(number: Option<&str>) -> Self {
        Self::with(number, true, office)
    }

    pub fn with(
        number: Option<&str>,
        vouched: bool,
        answers: impl FnMut(&Request) -> Option<Outcome> + 'static,
    ) -> Self {
        let caller = Caller {
            number: number.map(str::to_owned),
            vouched,
            history: Vec::new(),
        };
        Self::of(usual(), caller, answers)
    }

    pub fn of(
        desk: Arc<Desk>,
        caller: Caller,
        answers: impl FnMut(&Request) -> Option<Outcome> + 'static,
    ) -> Self {
        let mut line = Self {
            talk: Conversation::new(desk, caller, "call-1", now()),
            requests: Vec::new(),
            said: Vec::new(),
            answers: Box::new(answers),
        };
        let opening = line.talk.opening();
        line.follow(opening);
        line
    }

    /// Says something; requests are answered until the line listens again. The last reply, with all that was said in `reply`.
    pub fn say(&mut self, text: &str) -> Reply {
        let said = Said {
            text: text.to_owned(),
            now: now(),
            ..Said::default()
        };
        let reply = self.talk.hear(&said);
        self.follow(reply)
    }

    pub fn key(&mut self, keys: &str) -> Reply {
        let said = Said {
            keyed: Some(keys.to_owned()),
            now: now(),
            ..Said::default()
        };
        let reply = self.talk.hear(&said);
        self.follow(reply)
    }

    fn follow(&mut self, mut reply: Reply) -> Reply {
        let mut words = vec![reply.decision.reply.clone()];
        while let Next::Request(request) = reply.next.clone() {
            self.requests.push(request.clone());
            // No answer: it is still in the air.
            let Some(outcome) = (self.answers)(&request) else {
                break;
            };
            reply = self.talk.resume(request.id, outcome);
            words.push(reply.decision.reply.clone());
        }
        words.retain(|part| !part.is_empty());
        reply.decision.reply = words.join(" ");
        self.said.push(reply.clone());
        reply
    }

    pub fn writes(&self) -> Vec<&Request> {
        self.requests
            .iter()
            .filter(|request| request.is_write())
            .collect()
    }

    pub fn tier(&self) -> Tier {
        self.talk.verified()
    }
}

/// The back office when all goes well.
pub fn office(request: &Request) -> Option<Outcome> {
    let path = request.path.as_str();
    Some(if path.starts_with("/customers?phone=") {
        if path.ends_with("%2B442071838750") {
            Outcome::Done(ada())
        } else {
            Outcome::NotFound
        }
    } else if path == "/customers/C7/balance" {
        Outcome::Done(json!({"balance": 65.5, "due": "2026-12-01"}))
    } else if path == "/customers/C7/payments" {
        Outcome::Done(payments())
    } else if path == "/visits" {
        let day = request
            .body
            .as_ref()
            .map_or(Value::Null, |body| body["day"].clone());
        Outcome::Done(json!({"id": "V1", "day": day}))
    } else if path.starts_with("/payments/") {
        let due = request
            .body
            .as_ref()
            .map_or(Value::Null, |body| body["date"].clone());
        Outcome::Done(json!({"amount": 25.5, "due": due}))
    } else {
        Outcome::NotFound
    })
}

pub const ADA: Option<&str> = Some("+442071838750");
