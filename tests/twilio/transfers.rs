//! A whole line on Twilio alone: callers come over streams, people are called over the API, and every way in which that can go is gone.

use std::process::Command;

use firstline::audio::dtmf::ToneDetector;

use super::carrier::{Act, Carrier, Does, Party, share_at};
use super::*;
use crate::nodes::Folder;
use crate::ports::free_port;
use crate::trouble::{Line, line, models_there};

const PEOPLE: [&str; 8] = [
    "+15550121",
    "+15550122",
    "+15550123",
    "+15550124",
    "+15550125",
    "+15550126",
    "+15550127",
    "+15550128",
];

const CALLERS: [&str; 2] = ["+15550100", "+15550101"];

struct Whole {
    line: Line,
    carrier: Carrier,
    _place: Folder,
}

/// A line whose people are `people`, each rung for four seconds.
async fn whole(people: &[&str]) -> Whole {
    let carrier = Carrier::start().await;
    let place = Folder::new();
    let folder = place.0.join("recordings");
    std::fs::create_dir_all(&folder).unwrap();
    let at: SocketAddr = ([127, 0, 0, 1], free_port()).into();
    let targets: Vec<String> = people
        .iter()
        .map(|n| format!("twilio:{n};ring_s=4"))
        .collect();
    let line = line(
        &place,
        &folder,
        Command::new(env!("CARGO_BIN_EXE_firstline")),
        &[
            ("FIRSTLINE_TRANSFER__TARGETS", &targets.join(",")),
            ("FIRSTLINE_TWILIO__LISTEN", &at.to_string()),
            ("FIRSTLINE_TWILIO__ACCOUNT_SID", "AC0123"),
            ("FIRSTLINE_TWILIO__CALLER_ID", "+15550111"),
            (
                "FIRSTLINE_TWILIO__API_URL",
                &format!("http://{}", carrier.api),
            ),
            ("FIRSTLINE_CALLBACK__VIA", "auto"),
            ("FIRSTLINE_CALLBACK__QUIET", "00:00-00:00"),
            ("TWILIO_AUTH_TOKEN", TOKEN),
        ],
    );
    carrier.line_is_at(at);
    Whole {
        line,
        carrier,
        _place: place,
    }
}

impl Whole {
    fn records(&self) -> Vec<Value> {
        let list = self.line.json("/api/calls");
        let ids = list.as_array().unwrap().iter().map(|c| &c["id"]);
        ids.map(|id| {
            self.line
                .json(&format!("/api/calls/{}", id.as_str().unwrap()))
        })
        .collect()
    }

    /// The record of the newest call.
    fn record(&self) -> Value {
        self.records().into_iter().next().unwrap_or_default()
    }

    async fn idle(&self) {
        let nobody = || self.line.json("/api/status")["active"] == 0;
        long("no call is left", 30, nobody).await;
    }
}

async fn long(what: &str, seconds: u64, mut is: impl FnMut() -> bool) {
    crate::nodes::until(what, Duration::from_secs(seconds), &mut is).await;
}

/// How each of the people went, in turn.
fn outcomes(record: &Value) -> Vec<(String, String)> {
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let targets = record["handoff"]["targets"]
        .as_array()
        .into_iter()
        .flatten();
    targets
        .map(|t| (text(&t["uri"]), text(&t["outcome"])))
        .collect()
}

/// The caller asks for a human.
async fn asks(caller: &Party) {
    tokio::time::sleep(Duration::from_secs(3)).await;
    caller.act(Act::Key('0')).await;
}

/// Both ways, sound and keys, between two who have been put together.
async fn talk(caller: &Party, human: &Party) {
    caller.act(Act::Tone(440)).await;
    human.act(Act::Tone(1_000)).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    caller.heard();
    human.heard();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (at_caller, at_human) = (caller.heard(), human.heard());
    assert!(share_at(&at_caller, 1_000.) > 0.8, "the caller hears them");
    assert!(share_at(&at_human, 440.) > 0.8, "they hear the caller");
    for party in [caller, human] {
        party.act(Act::Tone(0)).await;
    }
    tokio::time::sleep(Duration::from_millis(700)).await;
    caller.heard();
    human.heard();
    caller.keys("42").await;
    human.keys("5").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let keys = |pcm: Vec<i16>| -> String { ToneDetector::new(8_000).push(&pcm).iter().collect() };
    assert_eq!(keys(human.heard()), "42", "keys go out as tones");
    assert_eq!(keys(caller.heard()), "5");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_way_in_which_people_can_be_called_ends_with_the_one_who_takes_it() {
    if !models_there() {
        return;
    }
    let whole = whole(&PEOPLE).await;
    let carrier = &whole.carrier;
    let never = || Box::new(Does::Says(&[]));
    let ways = [
        Does::Api(
            &[(
                "400 Bad Request",
                "",
                r#"{"code": 21211, "message": "The 'To' number is not valid"}"#,
            )],
            never(),
        ),
        Does::Api(&[("500 Internal Server Error", "", ""); 4], never()),
        Does::Says(&["ringing", "busy"]),
        Does::Says(&["ringing", "no-answer"]),
        Does::Answers(&[(1_500, Act::Key('2'))]),
        Does::Answers(&[(2_500, Act::HangUp)]),
        // A mailbox: it speaks, beeps and records, and presses nothing.
        Does::Answers(&[
            (200, Act::Tone(300)),
            (3_000, Act::Tone(1_000)),
            (3_500, Act::Tone(0)),
        ]),
        Does::Api(
            &[("429 Too Many Requests", "Retry-After: 1\r\n", "")],
            Box::new(Does::Answers(&[(3_000, Act::Key('1'))])),
        ),
    ];
    for (number, does) in PEOPLE.iter().zip(ways) {
        carrier.number(number, does);
    }
    let caller = carrier.call_in("CA1", CALLERS[0]).await;
    asks(&caller).await;
    long("somebody takes it", 150, || {
        whole.record()["handoff"]["result"] == "accepted"
    })
    .await;
    let record = whole.record();
    let went: Vec<String> = outcomes(&record).into_iter().map(|(_, o)| o).collect();
    assert_eq!(
        went,
        [
            "unreachable",
            "unreachable",
            "busy",
            "no_answer",
            "declined",
            "hung_up",
            "no_key",
            "accepted"
        ],
        "{record}"
    );
    assert_eq!(
        record["handoff"]["accepted_by"], "twilio:+15550128",
        "{record}"
    );
    let human = carrier.call_to(PEOPLE[7]).unwrap();
    // Time for "you are through".
    tokio::time::sleep(Duration::from_secs(5)).await;
    talk(&caller, &human).await;
    // Those who did not take it were let go.
    for number in &PEOPLE[4..7] {
        assert!(carrier.call_to(number).unwrap().is_over(), "{number}");
    }
    caller.act(Act::HangUp).await;
    whole.idle().await;
    long("the human's call is ended, too", 10, || human.is_over()).await;
    let record = whole.record();
    assert_eq!(record["outcome"], "transferred", "{record}");
}

/// Presses 1 until a callback is promised.
async fn agrees(whole: &Whole, caller: &Party) {
    asks(caller).await;
    for _ in 0..12 {
        tokio::time::sleep(Duration::from_secs(4)).await;
        let promised = whole.line.json("/api/callbacks");
        let own = |c: &Value| c["number"] == caller.number.as_str();
        if promised.as_array().is_some_and(|all| all.iter().any(own)) {
            caller.act(Act::HangUp).await;
            return;
        }
        caller.act(Act::Key('1')).await;
    }
    panic!("nothing was promised: {:?}", whole.records());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_who_leaves_stops_the_ringing_and_promises_are_kept_side_by_side() {
    if !models_there() {
        return;
    }
    let people = &PEOPLE[..2];
    let whole = whole(people).await;
    let carrier = &whole.carrier;
    // The caller hangs up while it rings.
    carrier.number(people[0], Does::Says(&["ringing"]));
    let caller = carrier.call_in("CA1", CALLERS[0]).await;
    asks(&caller).await;
    long("it rings", 15, || carrier.call_to(people[0]).is_some()).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    caller.act(Act::HangUp).await;
    long("the ringing stops", 10, || {
        carrier.call_to(people[0]).unwrap().is_over()
    })
    .await;
    whole.idle().await;
    let record = whole.record();
    assert_eq!(record["handoff"]["result"], "caller_gone", "{record}");
    let gone = ("twilio:+15550121".to_owned(), "caller_gone".to_owned());
    assert_eq!(outcomes(&record), [gone], "{record}");

    // Nobody takes the calls of two others: they are promised a callback each. From here on the people are there, and so are the callers,
    // who listen to who is calling before they say that they want to talk.
    for number in people {
        carrier.number(number, Does::Says(&["ringing", "busy"]));
    }
    let callers = [
        carrier.call_in("CA2", CALLERS[0]).await,
        carrier.call_in("CA3", CALLERS[1]).await,
    ];
    tokio::join!(agrees(&whole, &callers[0]), agrees(&whole, &callers[1]));
    let before = carrier.asked().len();
    for number in people {
        carrier.number(number, Does::Answers(&[(3_000, Act::Key('1'))]));
    }
    for number in CALLERS {
        carrier.number(number, Does::Answers(&[(8_000, Act::Key('1'))]));
    }
    let back = |number: &str| carrier.call_to(number).filter(|p| p.is_up());
    long("both are called back at once", 90, || {
        CALLERS.iter().all(|number| back(number).is_some())
    })
    .await;
    let rung: Vec<String> = carrier.asked()[before..]
        .iter()
        .map(|a| a.field("To"))
        .filter(|to| !to.is_empty())
        .collect();
    let person = |n: &String| people.contains(&n.as_str());
    assert!(person(&rung[0]), "the human is briefed first: {rung:?}");
    long("both are put through", 60, || {
        let records = whole.records();
        let taken = |r: &&Value| r["handoff"]["result"] == "accepted";
        records.iter().filter(taken).count() == 2
    })
    .await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    // Whoever was rung last talks to whoever was called back last.
    let humans: Vec<Arc<Party>> = people
        .iter()
        .flat_map(|n| carrier.calls_to(n))
        .filter(|p| p.is_up())
        .collect();
    assert_eq!(humans.len(), 2);
    let caller = back(CALLERS[0]).unwrap();
    caller.act(Act::Tone(440)).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    for human in &humans {
        human.heard();
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let hear: Vec<f64> = humans.iter().map(|h| share_at(&h.heard(), 440.)).collect();
    let one = usize::from(hear[1] > hear[0]);
    assert!(hear[one] > 0.8 && hear[1 - one] < 0.2, "{hear:?}");
    caller.act(Act::Tone(0)).await;
    talk(&caller, &humans[one]).await;
    for human in &humans {
        human.act(Act::HangUp).await;
    }
    long("both promises are kept", 40, || {
        let all = whole.line.json("/api/callbacks?status=all");
        let done = |c: &&Value| c["status"] == "done";
        all.as_array().unwrap().iter().filter(done).count() == 2
    })
    .await;
    whole.idle().await;
    long("everybody is let go", 10, || {
        let all = CALLERS.iter().chain(people);
        all.flat_map(|n| carrier.calls_to(n)).all(|p| p.is_over())
    })
    .await;
}
