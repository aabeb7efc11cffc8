//! Configuration: raw (as typed) to meant (validated). The only reader of `sip-config/firstline.toml` and of `FIRSTLINE_SECTION__KEY`.
//!
//! Relative paths are relative to the working directory. Secrets are read here, from the variables the file names, and never printed.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

mod check;
mod llm;
mod net;
mod privacy;
mod raw;
mod reach;
mod secret;
mod speech;
mod target;

pub use llm::{Llm, LlmEngine, LlmServer, LlmStructure};
pub use net::{Listen, Net, Transport};
pub use privacy::{Consent, PRIVATE, Privacy};
pub use raw::nearest;
pub use reach::facing;
pub use secret::Secret;
pub use speech::is_kokoro;
pub use target::{Target, TargetKind};

/// Where `serve` looks when no file is named.
pub const DEFAULT_FILE: &str = "sip-config/firstline.toml";

/// A line's whole configuration, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// What this machine is called among others; none: its host name.
    pub node: Option<String>,
    /// The file it was read from; none when everything is a default or from the environment.
    pub file: Option<PathBuf>,
    pub sip: Sip,
    pub trunks: Vec<Trunk>,
    /// Desk phones that register here.
    pub phones: Vec<Phone>,
    pub http: Http,
    /// None: the media-stream listener is off.
    pub twilio: Option<Twilio>,
    /// Directory of the desk.
    pub desk: PathBuf,
    pub transfer: Transfer,
    pub callback: Callback,
    pub stt: Stt,
    pub tts: Tts,
    /// None: replies are worded by the desk alone.
    pub llm: Option<Llm>,
    pub storage: Storage,
    pub privacy: Privacy,
    /// Where traces go (OTLP over HTTP); none: nowhere.
    pub trace: Option<url::Url>,
    pub limits: Limits,
    pub survey: Survey,
}

#[derive(Debug, Clone)]
pub struct Sip {
    pub listen: Vec<Listen>,
    pub advertise: Advertise,
    /// UDP ports for sound, both ends included.
    pub rtp_ports: RangeInclusive<u16>,
    pub accept: Accept,
    /// PEM files: our certificate and key, whom callers must be vouched for by, and whom we trust beside the system's authorities.
    pub tls_cert: Option<PathBuf>,
    pub tls_key: Option<PathBuf>,
    pub tls_client_ca: Option<PathBuf>,
    pub tls_ca: Option<PathBuf>,
    /// Names of [`CODECS`], in the order of preference.
    pub codecs: Vec<String>,
    pub srtp: Srtp,
}

/// Codecs that can be named, the best first.
pub const CODECS: [&str; 4] = ["opus", "g722", "pcmu", "pcma"];

/// Whether sound is encrypted (SRTP).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Srtp {
    Off,
    /// Where the other side offers it.
    Accepted,
    /// Offered too, where the signalling is encrypted.
    Offered,
    Required,
}

/// The address told to others in Contact and SDP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Advertise {
    /// The address of the interface that faces the other side.
    Auto,
    Address(IpAddr),
    /// A name, looked up at start.
    Name(String),
    /// Ask this STUN server (`host` or `host:port`, RFC 8489) at start.
    Stun(String),
}

/// Who may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accept {
    /// Trunk addresses and digest; with no trunk configured, loopback only.
    Trunks,
    Any,
}

#[derive(Debug, Clone)]
pub struct Trunk {
    pub name: String,
    pub host: String,
    pub port: Option<u16>,
    pub transport: Transport,
    pub register: bool,
    pub user: Option<String>,
    pub password: Option<Secret>,
    pub proxy: Option<String>,
    /// Addresses calls may come from.
    pub allow: Vec<Net>,
    /// E.164.
    pub caller_id: Option<String>,
    /// The carrier vouches for the caller's number.
    pub trusted_caller_id: bool,
}

#[derive(Debug, Clone)]
pub struct Http {
    pub listen: SocketAddr,
    /// Bearer token; none on loopback only.
    pub token: Option<Secret>,
    /// The variable the token is read from.
    pub token_env: String,
}

#[derive(Debug, Clone)]
pub struct Twilio {
    /// One of [`PROVIDERS`].
    pub provider: String,
    /// Caller and human meet in a conference of the provider's.
    pub conference: bool,
    pub listen: SocketAddr,
    pub account_sid: String,
    pub auth_token: Secret,
    pub caller_id: Option<String>,
    pub public_url: Option<url::Url>,
    /// By which Twilio reaches this node and no other, where several answer at `public_url`.
    pub node_url: Option<url::Url>,
    /// `https://api.twilio.com`, or a stand-in of it.
    pub api_url: url::Url,
}

#[derive(Debug, Clone)]
pub struct Transfer {
    /// Tried in order.
    pub targets: Vec<Target>,
    /// The key by which the human takes a call.
    pub accept_key: char,
    /// Stay after a human has taken the call, silently, and take notes.
    pub notes: bool,
    /// Once a human has taken the call, let caller and human talk without this line in between (SIP REFER).
    pub release: bool,
    pub webhook: Option<url::Url>,
    pub webhook_secret: Option<Secret>,
    pub webhook_shape: Shape,
    /// The `Authorization` header of the webhook's requests, whole.
    pub webhook_auth: Option<Secret>,
    /// Intercom's ticket type.
    pub webhook_ticket_type: Option<String>,
    /// Where this line's API is reached from outside, for links to recordings.
    pub recording_url: Option<url::Url>,
}

/// What the webhook is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Shape {
    /// The packet as it is in the record.
    #[default]
    Firstline,
    Zendesk,
    Intercom,
    Freshdesk,
    /// Plain text, as one would write it in an e-mail.
    Email,
}

/// Promised callbacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callback {
    pub via: Via,
    /// When nobody is rung at home, minutes after midnight where they are: from, until.
    pub quiet: (u16, u16),
    /// How often a caller is called before it is given up.
    pub attempts: u32,
    /// Minutes to the next attempt; doubled each time.
    pub wait_min: u32,
    /// Beginnings of numbers that may be called; none: those of our own country's.
    pub allow: Option<Vec<String>>,
}

/// How callers are called back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Via {
    /// Over the first trunk, or Twilio; not at all where there is neither.
    Auto,
    /// Not by us: callbacks stay in the queue for people.
    Off,
    /// A SIP URI, or `trunk:carrier:`, with `{number}` in it.
    Sip(String),
}

/// Hearing.
#[derive(Debug, Clone)]
pub struct Stt {
    /// The Whisper that hears on this machine: always, or where the service does not answer in time.
    pub model: String,
    /// A service that is asked first.
    pub service: Option<SpeechService>,
}

/// Speaking.
#[derive(Debug, Clone)]
pub struct Tts {
    /// The voice on this machine: always, or where the service does not answer in time.
    pub voice: String,
    /// Voices of this machine for other languages than the desk's, by ISO 639-1 code.
    pub voices: BTreeMap<String, String>,
    /// A service that is asked first.
    pub service: Option<SpeechService>,
}

/// A speech service over HTTP.
#[derive(Debug, Clone)]
pub struct SpeechService {
    /// Whose shape it speaks: one of [`STT_SERVICES`] or [`TTS_SERVICES`].
    pub engine: String,
    /// None: the vendor's own.
    pub base_url: Option<url::Url>,
    pub api_key: Option<Secret>,
    /// None: the vendor's quickest.
    pub model: Option<String>,
    /// The vendor's name or id of the voice; empty for hearing, and where the model is the voice.
    pub voice: String,
    /// How long the first sound, or the whole transcript, may take.
    pub timeout_ms: u64,
}

/// Services that hear.
pub const STT_SERVICES: [&str; 2] = ["openai", "deepgram"];
/// Services that speak.
pub const TTS_SERVICES: [&str; 4] = ["openai", "elevenlabs", "deepgram", "cartesia"];

#[derive(Debug, Clone)]
pub struct Storage {
    /// `sqlite:PATH` or `postgres:...`.
    pub url: String,
    pub recordings: PathBuf,
    /// None: recordings stay in their folder.
    pub s3: Option<S3>,
}

/// A bucket that recordings go to.
#[derive(Debug, Clone)]
pub struct S3 {
    /// `https://host/bucket/prefix`.
    pub url: url::Url,
    pub region: String,
    pub access_key: String,
    pub secret_key: Secret,
}

/// Providers of media streams, by the names that `twilio.provider` takes; whether each can be asked for calls (Twilio's REST API, or one
/// like it).
pub const PROVIDERS: [(&str, bool); 4] = [
    ("twilio", true),
    ("signalwire", true),
    ("telnyx", false),
    ("plivo", false),
];

/// A desk phone that registers with this line.
#[derive(Debug, Clone)]
pub struct Phone {
    pub user: String,
    pub password: Secret,
}

/// One question at a call's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Survey {
    /// Of a hundred calls, how many are asked.
    pub percent: u32,
}

#[derive(Debug, Clone)]
pub struct Limits {
    /// Calls at once; none: what this machine holds.
    pub calls: Option<usize>,
    /// Never banned or rate-limited.
    pub trusted: Vec<Net>,
}

impl Config {
    /// Reads `path`, or [`DEFAULT_FILE`] where it is there, or nothing (every key has a default), and lays the environment over it.
    ///
    /// # Errors
    /// Every mistake found, one sentence each, with file and line or the variable's name.
    pub fn load(path: Option<&Path>) -> Result<Config, Vec<String>> {
        let env: BTreeMap<String, String> = std::env::vars_os()
            .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
            .collect();
        let file = match path {
            Some(path) => Some(path.to_owned()),
            None => Some(PathBuf::from(DEFAULT_FILE)).filter(|p| p.exists()),
        };
        let text = match &file {
            None => None,
            Some(path) => Some(std::fs::read_to_string(path).map_err(|e| {
                vec![format!(
                    "cannot read the configuration {}: {e}; name a file that is there with --config",
                    path.display()
                )]
            })?),
        };
        let name = file.as_ref().map(|p| p.display().to_string());
        let mut config = Self::from_parts(name.as_deref().zip(text.as_deref()), &env)?;
        config.file = file;
        Ok(config)
    }

    /// The same from what was read: `file` is a name for messages and its text.
    pub fn from_parts(
        file: Option<(&str, &str)>,
        env: &BTreeMap<String, String>,
    ) -> Result<Config, Vec<String>> {
        let mut root = match file {
            Some((name, text)) => raw::parse(name, text)?,
            None => raw::empty(),
        };
        raw::overlay(&mut root, env);
        check::config(root, env)
    }

    /// What is asked for and not part of this version, one sentence each: `serve` and `doctor` say them, so that nothing is ignored
    /// in silence.
    pub fn not_yet(&self) -> Vec<String> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests;
