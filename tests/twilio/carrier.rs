//! Twilio as a whole, as far as a line sees it: an API that is asked for calls and to end them, people whom it rings and who do as they are
//! told, callers, and everybody's media streams.

use std::collections::HashMap;
use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use firstline::audio::g711::Law;
use tokio::sync::mpsc;

use super::humans::{Asked, request};
use super::*;

/// What a number does when it is called.
#[derive(Clone)]
pub enum Does {
    /// The API itself answers so: status line, more headers, body; then, the next time, as the second says.
    Api(
        &'static [(&'static str, &'static str, &'static str)],
        Box<Does>,
    ),
    /// It is not answered: what Twilio says of it in turn, half a second apart.
    Says(&'static [&'static str]),
    /// It is answered, and does this, each so many milliseconds after that.
    Answers(&'static [(u64, Act)]),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    Key(char),
    /// A tone of so many Hz from here on; 0: silence.
    Tone(u32),
    HangUp,
    /// Twilio was asked to end the call.
    End,
}

/// Somebody on a stream.
pub struct Party {
    pub number: String,
    pub sid: String,
    orders: mpsc::Sender<Act>,
    heard: Mutex<Vec<i16>>,
    up: AtomicUsize,
}

impl Party {
    pub async fn act(&self, act: Act) {
        let _ = self.orders.send(act).await;
    }

    pub async fn keys(&self, keys: &str) {
        for key in keys.chars() {
            self.act(Act::Key(key)).await;
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    pub fn is_up(&self) -> bool {
        self.up.load(Ordering::SeqCst) == 1
    }

    pub fn is_over(&self) -> bool {
        self.up.load(Ordering::SeqCst) == 2
    }

    /// What was heard since the last time, at 8 kHz.
    pub fn heard(&self) -> Vec<i16> {
        std::mem::take(&mut self.heard.lock().unwrap())
    }
}

/// Share of the power in `pcm` (8 kHz) that lies at `hz`, over its loudest half second.
pub fn share_at(pcm: &[i16], hz: f64) -> f64 {
    let power = |block: &[i16]| block.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>();
    let loudest = pcm
        .chunks_exact(4_000)
        .max_by(|a, b| power(a).total_cmp(&power(b)));
    let Some(block) = loudest.filter(|b| power(b) > 4_000. * 100. * 100.) else {
        return 0.;
    };
    let (mut re, mut im) = (0., 0.);
    for (n, sample) in block.iter().enumerate() {
        let at = n as f64 / 8_000. * hz * std::f64::consts::TAU;
        re += f64::from(*sample) * at.cos();
        im += f64::from(*sample) * at.sin();
    }
    2. * (re * re + im * im) / (block.len() as f64 * power(block))
}

pub struct Carrier {
    pub api: SocketAddr,
    state: Arc<State>,
}

struct State {
    /// The line's listener; none until it is there.
    line: Mutex<Option<SocketAddr>>,
    numbers: Mutex<HashMap<String, Does>>,
    asked: Mutex<Vec<Asked>>,
    calls: Mutex<Vec<Arc<Party>>>,
}

impl Carrier {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api = listener.local_addr().unwrap();
        let state = Arc::new(State {
            line: Mutex::default(),
            numbers: Mutex::default(),
            asked: Mutex::default(),
            calls: Mutex::default(),
        });
        let own = state.clone();
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let asked = request(&mut socket).await;
                own.asked.lock().unwrap().push(asked.clone());
                let (status, more, body) = own.clone().answer(&asked);
                let answer = format!(
                    "HTTP/1.1 {status}\r\n{more}Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                );
                let _ = socket.write_all(answer.as_bytes()).await;
            }
        });
        Self { api, state }
    }

    pub fn line_is_at(&self, line: SocketAddr) {
        *self.state.line.lock().unwrap() = Some(line);
    }

    pub fn number(&self, number: &str, does: Does) {
        let mut numbers = self.state.numbers.lock().unwrap();
        numbers.insert(number.to_owned(), does);
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.state.asked.lock().unwrap().clone()
    }

    /// Calls that the line has made to this number, the newest first.
    pub fn calls_to(&self, number: &str) -> Vec<Arc<Party>> {
        let calls = self.state.calls.lock().unwrap();
        let made = |p: &&Arc<Party>| p.number == number && p.sid.starts_with("CAhuman");
        calls.iter().rev().filter(made).cloned().collect()
    }

    pub fn call_to(&self, number: &str) -> Option<Arc<Party>> {
        self.calls_to(number).into_iter().next()
    }

    /// A caller, from the webhook to the stream.
    pub async fn call_in(&self, sid: &str, number: &str) -> Arc<Party> {
        let line = self.state.at();
        let mut form = form(sid);
        for (name, value) in &mut form {
            if ["From", "Caller"].contains(&name.as_str()) {
                number.clone_into(value);
            }
        }
        let (status, twiml) = post(line, "/twilio/voice", &form).await;
        assert_eq!(status, 200, "{twiml}");
        let (party, orders) = self.state.party(number, sid);
        let state = self.state.clone();
        tokio::spawn(state.stream(party.clone(), orders, twiml, &[], "/twilio/status".into()));
        until("the caller's stream is up", || party.is_up()).await;
        party
    }
}

impl State {
    fn at(&self) -> SocketAddr {
        self.line.lock().unwrap().expect("the line is there")
    }

    fn party(&self, number: &str, sid: &str) -> (Arc<Party>, mpsc::Receiver<Act>) {
        let (orders, rx) = mpsc::channel(64);
        let party = Arc::new(Party {
            number: number.to_owned(),
            sid: sid.to_owned(),
            orders,
            heard: Mutex::default(),
            up: AtomicUsize::new(0),
        });
        self.calls.lock().unwrap().push(party.clone());
        (party, rx)
    }

    /// What the API says: status line, more headers, body.
    fn answer(self: Arc<Self>, asked: &Asked) -> (String, String, String) {
        let ok = |sid: &str| {
            let body = json!({"sid": sid, "status": "queued"}).to_string();
            ("201 Created".to_owned(), String::new(), body)
        };
        if let Some(sid) = asked.path.split("/Calls/").nth(1) {
            let sid = sid.trim_end_matches(".json");
            assert_eq!(asked.field("Status"), "completed", "{asked:?}");
            let calls = self.calls.lock().unwrap();
            if let Some(party) = calls.iter().find(|p| p.sid == sid) {
                let _ = party.orders.try_send(Act::End);
            }
            return ok(sid);
        }
        let number = asked.field("To");
        let mut numbers = self.numbers.lock().unwrap();
        let does = numbers
            .get(&number)
            .cloned()
            .expect("a number that is known");
        let does = match does {
            Does::Api([(status, more, body), rest @ ..], then) => {
                let next = match rest {
                    [] => *then,
                    _ => Does::Api(rest, then),
                };
                numbers.insert(number, next);
                return ((*status).to_owned(), (*more).to_owned(), (*body).to_owned());
            }
            Does::Api([], then) => *then,
            other => other,
        };
        drop(numbers);
        let sid = format!("CAhuman{}", self.calls.lock().unwrap().len());
        let (party, orders) = self.party(&number, &sid);
        let answer = ok(&sid);
        tokio::spawn(self.ring(party, orders, does, asked.clone()));
        answer
    }

    async fn says(&self, path: &str, sid: &str, status: &str) {
        let form =
            [("CallSid", sid), ("CallStatus", status)].map(|(k, v)| (k.to_owned(), v.to_owned()));
        post(self.at(), path, &form).await;
    }

    /// A call that the line has asked for.
    async fn ring(
        self: Arc<Self>,
        party: Arc<Party>,
        mut orders: mpsc::Receiver<Act>,
        does: Does,
        made: Asked,
    ) {
        let callback = made.field("StatusCallback");
        let path = format!("/twilio/{}", callback.split("/twilio/").nth(1).unwrap());
        let pause = || tokio::time::sleep(Duration::from_millis(500));
        match does {
            Does::Says(all) => {
                for status in all {
                    pause().await;
                    self.says(&path, &party.sid, status).await;
                }
                // One that rings on is ended by the line.
                if all.last() == Some(&"ringing") {
                    while !matches!(orders.recv().await, Some(Act::End) | None) {}
                    self.says(&path, &party.sid, "canceled").await;
                }
                party.up.store(2, Ordering::SeqCst);
            }
            Does::Answers(acts) => {
                pause().await;
                self.says(&path, &party.sid, "ringing").await;
                pause().await;
                self.says(&path, &party.sid, "in-progress").await;
                let twiml = made.field("Twiml");
                self.stream(party, orders, twiml, acts, path).await;
            }
            Does::Api(..) => unreachable!("taken apart before"),
        }
    }

    async fn stream(
        self: Arc<Self>,
        party: Arc<Party>,
        mut orders: mpsc::Receiver<Act>,
        twiml: String,
        acts: &'static [(u64, Act)],
        path: String,
    ) {
        let mut wire = Wire::open(self.at()).await;
        wire.start(&party.sid, &token_in(&twiml)).await;
        party.up.store(1, Ordering::SeqCst);
        let mut due: Vec<(u64, Act)> = acts.to_vec();
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        let (mut hz, mut at) = (0, 0u64);
        loop {
            let act = tokio::select! {
                biased;
                act = orders.recv() => act,
                _ = ticks.tick() => {
                    let pcm: Vec<i16> = (0..160).map(|n| {
                        let t = (at * 8 + n) as f64 / 8_000. * f64::from(hz) * std::f64::consts::TAU;
                        (t.sin() * 6_000.) as i16
                    }).collect();
                    let mut codes = Vec::new();
                    Law::Mu.encode_into(&pcm, &mut codes);
                    let message = json!({"event": "media", "streamSid": "MZ1", "media": {"track": "inbound", "timestamp": at.to_string(), "payload": BASE64.encode(codes)}});
                    wire.say(message).await;
                    at += 20;
                    match due.first() {
                        Some((ms, _)) if *ms <= at => Some(due.remove(0).1),
                        _ => continue,
                    }
                }
                came = wire.socket.next() => {
                    let Some(Ok(Message::Text(text))) = came else {
                        match came {
                            Some(Ok(Message::Close(_)) | Err(_)) | None => break,
                            Some(Ok(_)) => continue,
                        }
                    };
                    let message: Value = serde_json::from_str(text.as_str()).unwrap();
                    match message["event"].as_str() {
                        Some("media") => {
                            let codes = BASE64.decode(message["media"]["payload"].as_str().unwrap()).unwrap();
                            Law::Mu.decode_into(&codes, &mut party.heard.lock().unwrap());
                        }
                        Some("mark") => wire.mark(message["mark"]["name"].as_str().unwrap()).await,
                        _ => {}
                    }
                    continue;
                }
            };
            match act {
                Some(Act::Key(key)) => {
                    let key = key.to_string();
                    wire.say(json!({"event": "dtmf", "streamSid": "MZ1", "dtmf": {"track": "inbound_track", "digit": key}})).await;
                }
                Some(Act::Tone(tone)) => hz = tone,
                Some(Act::HangUp | Act::End) | None => {
                    let stop = json!({"event": "stop", "streamSid": "MZ1", "stop": {"callSid": party.sid}});
                    wire.say(stop).await;
                    let rest = async { while let Some(Ok(_)) = wire.socket.next().await {} };
                    let _ = tokio::time::timeout(SECONDS, rest).await;
                    break;
                }
            }
        }
        party.up.store(2, Ordering::SeqCst);
        self.says(&path, &party.sid, "completed").await;
    }
}
