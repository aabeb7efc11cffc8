//! Ten thousand transfers in virtual time, with humans who do anything: every ending is one of four, every target has a reason, no leg is
//! left, no music is stuck, the caller hears no brief. Time jumps from event to event, so that all of them take seconds.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};

use super::super::hearing::{Source as Sound, hears};
use super::*;
use crate::desk::record::TARGET_OUTCOMES;

const BRIEF: &str = "A caller asks about a fee.";
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % n
    }
    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

enum Happens {
    Event(Event<Scripted>),
    /// Playback of a clause, by this epoch of the leg.
    Plays(LegId, u64, Event<Scripted>),
    /// The caller says something and stops.
    Speaks(&'static str),
    Stops,
}

#[derive(Default)]
struct LegState {
    over: bool,
    epoch: u64,
    busy_until: u64,
}

struct World {
    call: Call<Scripted>,
    now: u64,
    seq: u64,
    heap: BinaryHeap<Reverse<(u64, u64)>>,
    what: HashMap<u64, Happens>,
    legs: BTreeMap<u32, LegState>,
    /// Targets dialled or left out in the transfer under way.
    dialled: usize,
    put_through: usize,
    texts: HashMap<(u64, u32), String>,
    words: &'static str,
    mix: Mix,
    plan: Plan,
    random: Random,
    transfers: usize,
    briefed: usize,
    over: bool,
    seed: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        random.below(2);
        let notes = random.one_in(3);
        let config = CallConfig {
            id: "c".into(),
            channel: "sip".into(),
            from: Some("+15550101".into()),
            to: None,
            started_at: "2026-11-23T10:00:00Z".into(),
            accept_key: '1',
            notes,
            release: !notes && random.one_in(2),
            split: sentences,
            words: Words::default(),
            pilot: Pilot::default(),
        };
        let mut out = Vec::new();
        let call = Call::new(config, Scripted::default(), Time(0), &mut out);
        let mut plan = Plan::default();
        for group in 0..random.below(4) {
            let members = 1 + random.below(3);
            plan.rings.push(
                (0..members)
                    .map(|n| CallTarget {
                        uri: format!("sip:{group}-{n}@h"),
                        ring_ms: 3_000 + random.below(20_000),
                        name: random.one_in(2).then(|| "Maria".into()),
                        blind: random.one_in(8),
                    })
                    .collect(),
            );
        }
        if random.one_in(3) {
            plan.left_out.push(TargetOutcome {
                uri: "sip:night@h".into(),
                outcome: "closed".into(),
                ms: 0,
            });
        }
        let mut world = Self {
            call,
            now: 0,
            seq: 0,
            heap: BinaryHeap::new(),
            what: HashMap::new(),
            legs: BTreeMap::new(),
            dialled: 0,
            put_through: 0,
            texts: HashMap::new(),
            words: "a human please",
            mix: Mix::Agent,
            plan,
            random,
            transfers: 0,
            briefed: 0,
            over: false,
            seed,
        };
        world.legs.insert(0, LegState::default());
        world.obey(out);
        let signal = |signal| {
            Happens::Event(Event::Signal {
                leg: CALLER,
                signal,
            })
        };
        world.at(0, signal(LegSignal::Answered));
        world.at(0, signal(LegSignal::Media));
        world.at(5_500, Happens::Speaks("a human please"));
        // Whatever happens, the caller leaves some time.
        let patience = 8_000 + world.random.below(240_000);
        world.at(patience, signal(ended("hung_up")));
        for _ in 0..world.random.below(3) {
            let at = 7_000 + world.random.below(60_000);
            world.at(at, Happens::Speaks("are you still there"));
        }
        world
    }

    fn at(&mut self, after: u64, what: Happens) {
        self.seq += 1;
        self.heap.push(Reverse((self.now + after, self.seq)));
        self.what.insert(self.seq, what);
    }

    fn run(&mut self) {
        for _ in 0..100_000 {
            if self.over {
                return;
            }
            let next = self.heap.peek().map(|Reverse((at, _))| *at);
            let deadline = self.call.deadline().map(|d| d.0);
            let Some(at) = next.into_iter().chain(deadline).min() else {
                panic!("seed {}: nothing will ever happen", self.seed);
            };
            self.now = self.now.max(at);
            if next.is_none_or(|n| n > self.now) {
                self.event(Event::Tick);
                continue;
            }
            let Some(Reverse((_, seq))) = self.heap.pop() else {
                continue;
            };
            match self.what.remove(&seq) {
                Some(Happens::Event(event)) => {
                    let dead =
                        matches!(&event, Event::Signal { leg, .. } if self.legs[&leg.0].over);
                    if let Event::Signal {
                        leg,
                        signal: LegSignal::Ended { .. },
                    } = &event
                    {
                        self.legs.entry(leg.0).or_default().over = true;
                    }
                    if !dead {
                        self.event(event);
                    }
                }
                Some(Happens::Plays(leg, epoch, event)) => {
                    let state = &self.legs[&leg.0];
                    if state.epoch == epoch && !state.over {
                        self.event(event);
                    }
                }
                Some(Happens::Speaks(words)) => {
                    self.words = words;
                    let at = MediaTime::from_ms(self.now);
                    self.event(Event::VoiceStart { at, ago_ms: 0 });
                    self.at(600, Happens::Stops);
                }
                Some(Happens::Stops) => {
                    let at = MediaTime::from_ms(self.now);
                    self.event(Event::VoiceEnd { at, ago_ms: 0 });
                }
                None => {}
            }
        }
        panic!("seed {}: it never ends", self.seed);
    }

    fn event(&mut self, event: Event<Scripted>) {
        if self.over {
            return;
        }
        let mut out = Vec::new();
        let at = Time(self.now);
        self.call.handle(at, event, &mut out);
        self.obey(out);
        if !self.over {
            let put_through = self
                .call
                .transfer
                .as_ref()
                .is_some_and(|t| t.onward.is_some());
            let holding = self.call.stage == Stage::Transferring || put_through;
            assert_eq!(
                self.mix == Mix::Hold,
                holding,
                "seed {}: music in stage {:?}",
                self.seed,
                self.call.stage
            );
        }
    }

    fn heard(&mut self, text: &str) -> Result<Heard, String> {
        if self.random.one_in(6) {
            return Err("busy".into());
        }
        let text = if self.random.one_in(6) { "" } else { text };
        Ok(Heard {
            text: text.into(),
            evidence: HeardEvidence {
                avg_logprob: -0.2,
                no_speech: 0.0,
                worst_word: 0.9,
                unclear: None,
            },
            ms: 1,
        })
    }

    fn obey(&mut self, out: Vec<Command<Scripted>>) {
        for command in out {
            assert!(!self.over, "seed {}: commanded after the end", self.seed);
            match command {
                Command::Transcribe { attempt, .. } => {
                    let heard = self.heard(self.words);
                    let event = Event::Transcribed {
                        attempt,
                        result: heard,
                    };
                    self.at(300, Happens::Event(event));
                }
                Command::Decide {
                    attempt,
                    mut mind,
                    text,
                    keyed,
                    ..
                } => {
                    let reply = Box::new(mind.hear(keyed.as_deref().unwrap_or(&text)));
                    let event = Event::Decided {
                        attempt,
                        mind,
                        reply,
                        ms: 10,
                    };
                    self.at(10, Happens::Event(event));
                }
                Command::Synthesize {
                    tag, part, text, ..
                } => {
                    let samples = length(&text);
                    let result = if self.random.one_in(60) {
                        Err("no voice".to_string())
                    } else {
                        Ok(samples)
                    };
                    self.texts.insert((tag, part), text);
                    let event = Event::Clause {
                        tag,
                        part,
                        result,
                        ms: 150,
                    };
                    self.at(150, Happens::Event(event));
                }
                Command::Queue { leg, tag, part } => self.play(leg, tag, part),
                Command::Stop { leg } | Command::Pause { leg } => {
                    let now = self.now;
                    if let Some(state) = self.legs.get_mut(&leg.0) {
                        state.epoch += 1;
                        state.busy_until = now;
                    }
                }
                Command::Plan(_) => {
                    self.dialled = 0;
                    self.put_through = 0;
                    self.transfers += 1;
                    if !self.random.one_in(50) {
                        let plan = self.plan.clone();
                        self.dialled = plan.left_out.len();
                        self.event(Event::Planned(plan));
                    }
                }
                Command::Note(Note::Transfer { stage, .. })
                    if stage == "dialling" || stage == "put through" =>
                {
                    self.dialled += 1;
                    self.put_through += usize::from(stage == "put through");
                }
                Command::Dial { leg, .. } => {
                    self.legs.insert(leg.0, LegState::default());
                    self.behave(leg);
                }
                Command::Hangup { leg, .. } => {
                    let state = self.legs.get_mut(&leg.0).expect("a leg that was dialled");
                    assert!(
                        !state.over || leg == CALLER,
                        "seed {}: hung up twice on {leg:?}",
                        self.seed
                    );
                    state.over = true;
                }
                Command::Refer { to } => self.sent_on(&to),
                Command::Referred { leg, .. } => {
                    let seed = self.seed;
                    assert!(!self.legs[&leg.0].over, "seed {seed}: told who is gone");
                }
                Command::DialOn { leg, .. } => {
                    self.legs.insert(leg.0, LegState::default());
                    self.picks_up_or_not(leg);
                }
                Command::Mix(mix) => self.mix = mix,
                Command::Understand { attempt, .. } => {
                    let result = self.heard("she should get her money back");
                    self.at(300, Happens::Event(Event::HumanHeard { attempt, result }));
                }
                Command::Consult { attempt, .. } => {
                    let answer = "That didn't come up.".into();
                    self.at(50, Happens::Event(Event::Consulted { attempt, answer }));
                }
                Command::Over => self.over = true,
                _ => {}
            }
        }
    }

    fn play(&mut self, leg: LegId, tag: u64, part: u32) {
        let text = self.texts[&(tag, part)].clone();
        if text.contains(BRIEF) {
            self.briefed += 1;
            let aside = Sound::Aside(leg);
            assert!(
                leg != CALLER && !hears(self.mix, CALLER, aside),
                "seed {}",
                self.seed
            );
        }
        let samples = length(&text);
        let Some(state) = self.legs.get_mut(&leg.0).filter(|s| !s.over) else {
            return;
        };
        let begins = state.busy_until.max(self.now) - self.now;
        state.busy_until = self.now + begins + samples / 16;
        let epoch = state.epoch;
        for (after, samples) in [(begins, 1), (begins + samples / 16, samples)] {
            let event = Event::Played { tag, part, samples };
            self.at(after, Happens::Plays(leg, epoch, event));
        }
    }

    /// What the caller's phone makes of being sent elsewhere.
    fn sent_on(&mut self, to: &SendTo) {
        let signal = |leg, signal| Happens::Event(Event::Signal { leg, signal });
        let ms = 50 + self.random.below(15_000);
        let code = match self.random.below(8) {
            0 => 405,
            1 => 486,
            2 => 408,
            3 => return self.at(ms, signal(CALLER, ended("hung_up"))),
            _ => 200,
        };
        self.at(ms, signal(CALLER, LegSignal::Referred(code)));
        if let (SendTo::Human(leg), 200) = (to, code) {
            let ms = self.random.below(ms + 300);
            self.at(ms, signal(*leg, ended("hung_up")));
        }
    }

    /// Somebody whom a human puts the caller through to.
    fn picks_up_or_not(&mut self, leg: LegId) {
        let signal = |signal| Happens::Event(Event::Signal { leg, signal });
        let ms = 50 + self.random.below(20_000);
        match self.random.below(6) {
            0 => self.at(ms, signal(ended("busy"))),
            1 => self.at(ms, signal(ended("unreachable"))),
            2 => {}
            _ => {
                self.at(ms, signal(LegSignal::Answered));
                self.at(ms + 20, signal(LegSignal::Media));
                let talk = self.random.below(30_000);
                self.at(ms + talk, signal(ended("hung_up")));
            }
        }
    }

    /// What a human does with a call.
    fn behave(&mut self, leg: LegId) {
        let mut at = 100 + self.random.below(1_000);
        let signal = |world: &mut Self, at: u64, signal: LegSignal| {
            world.at(at, Happens::Event(Event::Signal { leg, signal }));
        };
        match self.random.below(10) {
            0 => return signal(self, at, ended("busy")),
            1 => return signal(self, at, ended("unreachable")),
            2 => {
                signal(self, at, LegSignal::Ringing);
                at += self.random.below(15_000);
                return signal(self, at, ended("declined"));
            }
            3 => return signal(self, at, LegSignal::Ringing),
            _ => {}
        }
        signal(self, at, LegSignal::Ringing);
        at += self.random.below(26_000);
        signal(self, at, LegSignal::Answered);
        if !self.random.one_in(6) {
            signal(self, at + 20, LegSignal::Media);
        }
        let voice = |world: &mut Self, at: u64, speaking| {
            let place = MediaTime::from_ms(at);
            let event = Event::HumanVoice {
                leg,
                speaking,
                at: place,
            };
            world.at(at, Happens::Event(event));
        };
        if self.random.one_in(5) {
            // Voicemail: talks, presses nothing, and in the end hangs up.
            voice(self, at + 300, true);
            voice(self, at + 9_000, false);
            let until = at + 15_000 + self.random.below(60_000);
            return signal(self, until, ended("hung_up"));
        }
        for _ in 0..self.random.below(10) {
            at += 200 + self.random.below(9_000);
            match self.random.below(10) {
                9 => {
                    let to = "sip:else@h".to_string();
                    signal(self, at, LegSignal::Refer(to));
                    if self.random.one_in(2) {
                        let at = at + self.random.below(5_000);
                        return signal(self, at, ended("hung_up"));
                    }
                }
                0 => {
                    voice(self, at, true);
                    let stops = at + 200 + self.random.below(5_000);
                    voice(self, stops, false);
                }
                1 => {
                    let at = at + self.random.below(3_000);
                    signal(self, at, LegSignal::Digit('*'));
                    let key = ['7', '1', '2', '9'][self.random.below(4) as usize];
                    signal(self, at + 200, LegSignal::Digit(key));
                }
                2 if self.random.one_in(3) => return signal(self, at, ended("hung_up")),
                _ => {
                    let keys = ['1', '2', '3', '4', '4', '5', '6', '#', '9'];
                    let key = keys[self.random.below(keys.len() as u64) as usize];
                    signal(self, at, LegSignal::Digit(key));
                }
            }
        }
        if self.random.one_in(2) {
            signal(self, at + 20_000, ended("hung_up"));
        }
    }
}

#[test]
fn ten_thousand_transfers_end_as_they_should() {
    let mut endings: BTreeMap<String, usize> = BTreeMap::new();
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    let (mut transfers, mut briefed, mut seed) = (0, 0, 0);
    while transfers < 10_000 {
        seed += 1;
        let mut world = World::new(seed);
        if seed % 3 == 0 {
            // This caller takes up the offer of a callback, where there is one.
            for after in [20_000, 50_000, 90_000] {
                world.at(after, Happens::Speaks("a callback"));
            }
        }
        world.run();
        transfers += world.transfers;
        briefed += world.briefed;
        for (leg, state) in &world.legs {
            assert!(state.over, "seed {seed}: leg {leg} is left");
        }
        let Some(handoff) = world.call.record().handoff else {
            assert_eq!(world.transfers, 0, "seed {seed}");
            continue;
        };
        assert!(
            ["accepted", "callback", "returned", "caller_gone"].contains(&handoff.result.as_str()),
            "seed {seed}: ended as {:?}",
            handoff.result
        );
        *endings.entry(handoff.result.clone()).or_default() += 1;
        assert_eq!(
            handoff.targets.len(),
            world.dialled,
            "seed {seed}: {:?}",
            handoff.targets
        );
        for target in &handoff.targets {
            assert!(
                TARGET_OUTCOMES.contains(&target.outcome.as_str()),
                "seed {seed}: {target:?}"
            );
            *reasons.entry(target.outcome.clone()).or_default() += 1;
        }
        let accepted = handoff
            .targets
            .iter()
            .filter(|t| t.outcome == "accepted" || t.outcome == "sent_on")
            .count();
        let taken = handoff.result == "accepted";
        assert!(
            accepted <= 1 + world.put_through && (accepted >= 1 || !taken),
            "seed {seed}: {handoff:?}"
        );
        assert!(
            accepted == 0 || taken || handoff.handed_back.is_some() || world.put_through > 0,
            "seed {seed}: {handoff:?}"
        );
    }
    println!("{transfers} transfers in {seed} calls, {briefed} briefs: {endings:?} {reasons:?}");
    assert_eq!(endings.len(), 4, "every ending happens: {endings:?}");
    for outcome in TARGET_OUTCOMES.iter().filter(|o| **o != "not_suited") {
        assert!(reasons.contains_key(*outcome), "{outcome} never happened");
    }
}
