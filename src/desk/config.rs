//! A desk as its owner configured it: `desk.toml` and `actions.toml` after reading.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::types::Tier;

/// `desk.toml`.
#[derive(Debug, Clone, PartialEq)]
pub struct DeskConfig {
    pub company: String,
    pub agent_name: Option<String>,
    pub greeting: Option<String>,
    /// BCP 47, `en-GB`.
    pub language: String,
    /// ISO 4217; none: what the language's country uses.
    pub currency: Option<String>,
    /// IANA name; none: UTC.
    pub timezone: Option<String>,
    /// Empty: always open.
    pub hours: Vec<Hours>,
    /// As written; [`super::Desk::policy`] knows the default of the ones left out.
    pub intents: BTreeMap<String, IntentPolicy>,
    pub identity: Option<IdentityConfig>,
    pub backoffice: Option<BackofficeConfig>,
    pub escalation: EscalationConfig,
    /// None: the desk gives no numbers.
    pub savings: Option<SavingsConfig>,
}

impl Default for DeskConfig {
    fn default() -> Self {
        Self {
            company: "us".into(),
            agent_name: None,
            greeting: None,
            language: "en".into(),
            currency: None,
            timezone: None,
            hours: Vec::new(),
            intents: BTreeMap::new(),
            identity: None,
            backoffice: None,
            escalation: EscalationConfig::default(),
            savings: None,
        }
    }
}

impl DeskConfig {
    /// What the line calls itself and its company.
    pub fn own_names(&self) -> impl Iterator<Item = &str> {
        self.agent_name
            .as_deref()
            .into_iter()
            .chain([self.company.as_str()])
    }

    /// The desk's time zone (checked when it was read).
    pub fn tz(&self) -> jiff::tz::TimeZone {
        self.timezone
            .as_deref()
            .and_then(|name| jiff::tz::TimeZone::get(name).ok())
            .unwrap_or(jiff::tz::TimeZone::UTC)
    }

    /// Whether people are at work at `now`. A desk without hours is always open.
    pub fn is_open(&self, now: jiff::Timestamp) -> bool {
        self.within(&self.hours, now)
    }

    /// Whether `now` lies within these hours, in the desk's time zone; no hours are always.
    pub fn within(&self, hours: &[Hours], now: jiff::Timestamp) -> bool {
        if hours.is_empty() {
            return true;
        }
        let local = now.to_zoned_datetime(self.tz());
        let minute = local.hour() as u16 * 60 + local.minute() as u16;
        let today = local.weekday().to_monday_zero_offset() as usize;
        hours.iter().any(|h| h.covers(today, minute))
    }
}

/// One line of opening hours: days, and minutes after midnight. `until <= from` runs past midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    /// Monday first.
    pub days: [bool; 7],
    pub from: u16,
    /// 1440 is midnight at the end of the day.
    pub until: u16,
}

impl Hours {
    fn covers(&self, day: usize, minute: u16) -> bool {
        if self.from < self.until {
            self.days[day] && (self.from..self.until).contains(&minute)
        } else {
            (self.days[day] && minute >= self.from)
                || (self.days[(day + 6) % 7] && minute < self.until)
        }
    }
}

/// How much the line may do by itself for one intent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    Autonomous,
    Supervised,
    Shadow,
    Human,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Risk {
    Low,
    High,
}

/// `[intent.NAME]`.
#[derive(Debug, Clone, PartialEq)]
pub struct IntentPolicy {
    pub mode: Mode,
    /// Least confidence to answer or act without a human, 0 to 1.
    pub floor: f32,
    pub risk: Risk,
    /// Key of `[escalation.queues]`.
    pub queue: Option<String>,
}

impl Default for IntentPolicy {
    fn default() -> Self {
        Self {
            mode: Mode::Autonomous,
            floor: 0.7,
            risk: Risk::Low,
            queue: None,
        }
    }
}

/// `[identity]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IdentityConfig {
    /// Path template; `{caller_number}` is the caller's number, percent-encoded.
    pub lookup: Option<String>,
    /// Fields of the customer record, in the order they are asked for.
    pub factors: Vec<String>,
    /// Path template to find a customer by what they say: `{account}`.
    pub lookup_account: Option<String>,
    /// Wrong answers before a human is brought in.
    pub attempts: u32,
}

/// `[savings]`: what people and the line cost, in the desk's currency.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SavingsConfig {
    /// A colleague's minute.
    pub human_minute: f64,
    /// Minutes a colleague takes for a call that the line resolves, wrap-up included.
    pub human_minutes: f64,
    /// A minute of a call: carrier and machine.
    pub line_minute: f64,
    /// A month of the line, whatever it does.
    pub month: f64,
    /// Minutes to review a reply, and to grade a call.
    pub review_minutes: f64,
    pub grade_minutes: f64,
}

impl Default for SavingsConfig {
    fn default() -> Self {
        Self {
            human_minute: 0.0,
            human_minutes: 0.0,
            line_minute: 0.0,
            month: 0.0,
            review_minutes: 0.25,
            grade_minutes: 2.0,
        }
    }
}

/// `[backoffice]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BackofficeConfig {
    /// Empty: there are MCP servers only.
    pub url: String,
    /// Environment variable holding the bearer token.
    pub auth_env: Option<String>,
    /// `[backoffice.mcp.NAME]`.
    pub mcp: BTreeMap<String, McpServer>,
    /// Writes are decided, read back and confirmed, and not sent.
    pub dry_run: bool,
}

/// One MCP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum McpServer {
    /// A program of this computer, spoken to over its standard input and output.
    Stdio {
        command: Vec<String>,
        /// Variables of our environment that it is given; of the others it sees only where programs and its home are.
        env: Vec<String>,
    },
    /// Streamable HTTP.
    Http {
        url: String,
        /// Environment variable holding the bearer token.
        auth_env: Option<String>,
    },
}

/// How the targets of a queue are rung.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ring {
    /// One after the other, in the order they are written.
    #[default]
    InTurn,
    /// All of them; the first to accept takes the call.
    AllAtOnce,
    /// One after the other, whoever has gone longest without a call first.
    LongestIdle,
}

/// One queue of `[escalation.queues]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueueConfig {
    pub ring: Ring,
    /// Empty: always open.
    pub hours: Vec<Hours>,
    pub targets: Vec<QueueTarget>,
}

/// One target of a queue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueueTarget {
    /// As typed: `sip:human@192.0.2.5;ring_s=20`.
    pub target: String,
    /// What callers are told who is joining.
    pub name: Option<String>,
    /// Empty: whenever the queue is open.
    pub hours: Vec<Hours>,
    /// Intents and reasons this human takes, lower case. Empty: all.
    pub skills: Vec<String>,
    /// ISO 639-1, lower case. Empty: any.
    pub languages: Vec<String>,
}

/// `[escalation]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EscalationConfig {
    /// Words of this desk that always mean a human.
    pub words: Vec<String>,
    /// By name. A queue named like an escalation kind (`dispute`, `fraud`, ...) takes those calls.
    pub queues: BTreeMap<String, QueueConfig>,
    /// Target when nobody of the queue answers.
    pub overflow: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionKind {
    Read,
    Write,
}

/// One `[[action]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Action {
    pub name: String,
    pub intent: String,
    pub kind: ActionKind,
    /// Tier the caller must have reached.
    pub verify: Tier,
    pub confirm: bool,
    pub request: RequestTemplate,
    /// `{result.*}`, `{customer.*}` and slot names are filled in.
    pub reply: String,
    pub limits: Limits,
    pub slots: Vec<Slot>,
    /// How to find out what became of it, where an answer did not come.
    pub reconcile: Option<ReconcileTemplate>,
    /// What puts it back.
    pub undo: Option<Undo>,
}

/// An action that takes another one back: its name, and what its slots are filled with (`{slot}` and `{result.field}` of the action that
/// was done, `{customer.field}` as it was before it was done). A slot that is not named here is the one of the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undo {
    pub action: String,
    pub slots: BTreeMap<String, String>,
}

/// `reconcile`: a request that changes nothing and says what became of a write.
#[derive(Debug, Clone, PartialEq)]
pub struct ReconcileTemplate {
    /// Its method is `GET`, or `MCP`.
    pub request: RequestTemplate,
    /// Field of the answer that says how it stands.
    pub status: String,
    /// Field of the answer that holds the result.
    pub result: String,
    /// Values of the status that mean done, and that nothing was done; lower case.
    pub done: Vec<String>,
    pub failed: Vec<String>,
}

/// `{slot}`, `{customer.field}` and `{caller_number}` are filled in; a bare name that is no slot is a field of the customer record.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestTemplate {
    pub method: String,
    pub path: String,
    pub body: Option<serde_json::Value>,
    /// A tool of an MCP server: then `method` is `MCP` and `path` is `/server/tool`.
    pub tool: Option<ToolTemplate>,
}

/// `request = { mcp = "server", tool = "name", arguments = { ... } }`.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolTemplate {
    pub server: String,
    pub tool: String,
    pub arguments: serde_json::Value,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Times this action may be done in one call.
    pub per_call: Option<u32>,
    /// Times it may be done for one customer in one day of the desk.
    pub per_day: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SlotType {
    Date,
    Money,
    Number,
    Digits,
    Identifier,
    Name,
    Choice,
    Text,
}

/// One `[[action.slot]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Slot {
    pub name: String,
    pub type_: SlotType,
    pub ask: String,
    pub min: Option<Limit>,
    pub max: Option<Limit>,
    /// For `choice`.
    pub choices: Vec<String>,
    /// May be left open.
    pub optional: bool,
}

/// The least or the most a slot takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    /// Number, count of digits or characters, or money in major units of the desk's currency.
    Number(f64),
    /// A fixed day.
    Day(Date),
    /// `today+14d`, `today-1m`: days, months.
    Today { days: i32, months: i32 },
}

impl Limit {
    /// The day meant, seen from `today`; none for a number.
    pub fn day(&self, today: Date) -> Option<Date> {
        match *self {
            Limit::Number(_) => None,
            Limit::Day(d) => Some(d),
            Limit::Today { days, months } => today
                .checked_add(
                    jiff::Span::new()
                        .try_months(months)
                        .ok()?
                        .try_days(days)
                        .ok()?,
                )
                .ok(),
        }
    }
}

/// `phrases.toml`: the desk's own wordings by name, overriding the built-in ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Phrases(pub BTreeMap<String, Vec<String>>);

impl Phrases {
    /// The first wording of `name`, if the desk has its own.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all(name).first().map(String::as_str)
    }
    /// Every wording of `name`, in order.
    pub fn all(&self, name: &str) -> &[String] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }
}
