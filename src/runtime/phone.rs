//! A phone that follows a script: the caller that tests a line, and the stand-in human that a line transfers to.
//!
//! It speaks when the other side has finished, as people do, and measures what it hears back.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use tokio::time::MissedTickBehavior;

use crate::audio::level::rms_dbfs;
use crate::audio::{FRAME, FRAME_MS};
use crate::edge::{EndCause, Ended, Leg, Signal};

/// Louder than this is sound; lines at rest and G.711's own noise lie below it.
const SOUND_DBFS: f32 = -45.0;
/// So many loud frames in a row are speech beginning; fewer are a click.
const ONSET_FRAMES: u32 = 2;
/// The other side has finished when it was quiet for this long after speaking.
const QUIET_MS: u64 = 700;
/// The last reply has ended when it was quiet for this long: longer, for replies of several sentences.
const LAST_QUIET_MS: u64 = 1_500;
/// A key sent with its pause.
const KEY_MS: u64 = 180;
/// Missing sound shorter than this is concealed and not reported as a gap.
const GAP_FRAMES: u64 = 2;

/// One thing to do, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Speak when the other side has finished. 16 kHz mono.
    Say { label: String, pcm: Vec<i16> },
    /// Press keys when the other side has finished.
    Keys(String),
    /// Press keys this long after the call was answered, whoever is speaking.
    KeysAt { keys: String, at_ms: u64 },
    /// Do nothing for this long.
    Wait { ms: u64 },
    /// The next `Say` begins this long after the other side begins to speak.
    Barge { ms: u64 },
}

/// What the phone does with one call.
#[derive(Debug, Clone)]
pub struct Script {
    pub steps: Vec<Step>,
    /// Longest wait for the other side to speak before going on regardless.
    pub patience: Duration,
    /// Longest call.
    pub max: Duration,
    /// Longest wait for an answer.
    pub answer_timeout: Duration,
    /// Hang up when the last reply has ended; otherwise stay until the other side hangs up.
    pub hang_up: bool,
    /// What is heard goes back as an echo, so many decibels lower, `ECHO_FRAMES` later.
    pub echo_db: Option<f32>,
}

/// Delay of an echo, frames: 160 ms.
const ECHO_FRAMES: usize = 8;

impl Default for Script {
    fn default() -> Self {
        Self {
            steps: Vec::new(),
            patience: Duration::from_secs(15),
            max: Duration::from_secs(300),
            answer_timeout: Duration::from_secs(30),
            hang_up: true,
            echo_db: None,
        }
    }
}

/// One thing that was said or keyed, and what came back. Times in milliseconds since the answer.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Utterance {
    pub said: String,
    pub start_ms: u64,
    /// End of its last sound.
    pub end_ms: u64,
    /// From that to the first sound heard back; none when nothing came.
    pub gap_ms: Option<u64>,
    /// From the first to the last sound of the reply.
    pub reply_ms: u64,
    /// It began while the other side spoke, and so long after its first sound the other side fell silent; none where it did not.
    pub stopped_ms: Option<u64>,
    /// And so long after that it spoke again.
    pub again_ms: Option<u64>,
    /// First sound of it.
    #[serde(skip)]
    pub sound_ms: u64,
    /// Last sound of the other side in what it was saying when this began; none where it was silent.
    #[serde(skip)]
    pub over: Option<u64>,
}

/// A stretch in which nothing arrived from the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Gap {
    pub at_ms: u64,
    pub ms: u64,
}

/// Quiet of the other side after which it has stopped, milliseconds.
const STOPPED_MS: u64 = 240;

/// A finished call.
#[derive(Debug, Clone, Default)]
pub struct CallReport {
    pub rang_ms: Option<u64>,
    /// From the start to the answer; none when there was none.
    pub answer_ms: Option<u64>,
    pub total_ms: u64,
    pub ended: Option<Ended>,
    /// When the first sound came, after the answer.
    pub first_sound_ms: Option<u64>,
    pub utterances: Vec<Utterance>,
    pub gaps: Vec<Gap>,
    pub keys: String,
    pub leg: crate::edge::LegInfo,
    /// What was said and what was heard since the answer, 16 kHz.
    pub said: Vec<i16>,
    pub heard: Vec<i16>,
}

impl CallReport {
    pub fn answered(&self) -> bool {
        self.answer_ms.is_some()
    }
}

/// Carries a call through its script. The leg is dialled already, or will be answered by the caller of this function.
pub async fn talk(
    leg: &mut dyn Leg,
    script: Script,
    mut note: impl FnMut(String) + Send,
) -> CallReport {
    let mut ticks = tokio::time::interval(Duration::from_millis(FRAME_MS));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let started = Instant::now();
    let mut answered: Option<Instant> = None;
    let mut report = CallReport::default();
    let mut player = Player::new(script.clone());
    let mut returning: VecDeque<[i16; FRAME]> = VecDeque::new();
    loop {
        ticks.tick().await;
        let now = Instant::now();
        let inbound = leg.pull();
        for signal in &inbound.signals {
            match signal {
                Signal::Ringing => {
                    report.rang_ms = Some(millis(now - started));
                    note("ringing".into());
                }
                Signal::Answered => {
                    answered = Some(now);
                    report.answer_ms = Some(millis(now - started));
                    note("answered".into());
                }
                Signal::Digit(key) => {
                    report.keys.push(*key);
                    note(format!("key {key}"));
                }
                Signal::Held => note("on hold".into()),
                Signal::Resumed => note("off hold".into()),
                Signal::Ended(ended) => report.ended = Some(ended.clone()),
                // This phone stays where it is.
                Signal::Refer(to) => {
                    note(format!("asked to call {to}"));
                    leg.referred(603);
                }
                Signal::Referred(code) => note(format!("transfer: {code}")),
                Signal::Media => {}
            }
        }
        if report.ended.is_some() {
            break;
        }
        let Some(up) = answered else {
            if now - started > script.answer_timeout {
                leg.hangup(487, "no answer in time");
            }
            continue;
        };
        let at_ms = millis(now - up);
        // What waited in our jitter buffer came before: the line is not measured by it.
        // Half a packet, too: it came somewhere between the last turn and this one.
        player.held_ms = leg.held_ms() + FRAME_MS / 2;
        let (mut out, keys) = player.turn(at_ms, &inbound.pcm, inbound.live, &mut note);
        for key in keys.chars() {
            leg.send_digit(key);
        }
        if let Some(db) = script.echo_db {
            returning.push_back(inbound.pcm);
            if returning.len() > ECHO_FRAMES
                && let Some(echo) = returning.pop_front()
            {
                let gain = 10_f32.powf(-db.abs() / 20.0);
                for (slot, sample) in out.iter_mut().zip(echo) {
                    *slot = slot.saturating_add((f32::from(sample) * gain) as i16);
                }
            }
        }
        leg.push(&out);
        report.said.extend(out);
        report.heard.extend(inbound.pcm);
        if player.done || now - up > script.max {
            leg.hangup(200, "");
            player.done = false;
            player.leaving = true;
        }
    }
    report.total_ms = millis(started.elapsed());
    report.leg = leg.info();
    player.finish();
    report.first_sound_ms = player.first_sound;
    report.utterances = player.utterances;
    report.gaps = player.gaps;
    report
}

/// Rings for a while and refuses, as a phone does whose owner does not want to speak. `code` none: rings until the other side
/// gives up.
pub async fn refuse(leg: &mut dyn Leg, after: Duration, code: Option<u16>) -> CallReport {
    let mut ticks = tokio::time::interval(Duration::from_millis(FRAME_MS));
    let started = Instant::now();
    let mut report = CallReport::default();
    let mut refused = false;
    leg.ring();
    while report.ended.is_none() {
        ticks.tick().await;
        for signal in leg.pull().signals {
            if let Signal::Ended(ended) = signal {
                report.ended = Some(ended);
            }
        }
        if let Some(code) = code
            && !refused
            && started.elapsed() >= after
        {
            refused = true;
            leg.hangup(code, "");
        }
    }
    report.total_ms = millis(started.elapsed());
    report
}

/// Rings, then answers. False when the other side gave up first.
pub async fn pick_up(leg: &mut dyn Leg, after: Duration) -> bool {
    let mut ticks = tokio::time::interval(Duration::from_millis(FRAME_MS));
    let started = Instant::now();
    leg.ring();
    while started.elapsed() < after {
        ticks.tick().await;
        if leg
            .pull()
            .signals
            .iter()
            .any(|s| matches!(s, Signal::Ended(_)))
        {
            return false;
        }
    }
    leg.answer();
    true
}

/// Human words for how a call ended.
pub fn cause_name(cause: EndCause) -> &'static str {
    match cause {
        EndCause::Remote => "remote",
        EndCause::Ours => "ours",
        EndCause::Busy => "busy",
        EndCause::Declined => "declined",
        EndCause::NoAnswer => "no_answer",
        EndCause::Unreachable => "unreachable",
        EndCause::Cancelled => "cancelled",
        EndCause::Failed => "failed",
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// What the phone is in the middle of saying.
struct Saying {
    pcm: Vec<i16>,
    at: usize,
    /// End of its last sound, samples.
    sound_end: usize,
}

/// The script, turn by turn. Time is an argument.
struct Player {
    script: Script,
    step: usize,
    saying: Option<Saying>,
    barge: Option<u64>,
    wait_until: Option<u64>,
    keys_until: Option<u64>,
    /// Last time something was done here: the other side's turn is counted from it.
    acted_at: u64,
    ear: Ear,
    /// What is heard now came so long ago.
    held_ms: u64,
    utterances: Vec<Utterance>,
    gaps: Vec<Gap>,
    gap_from: Option<u64>,
    first_sound: Option<u64>,
    done: bool,
    leaving: bool,
}

/// What is heard of the other side.
#[derive(Default)]
struct Ear {
    loud: u32,
    /// When the speech since the last reset began, and when its last sound was.
    began: Option<u64>,
    last: Option<u64>,
    live_once: bool,
}

impl Ear {
    fn hear(&mut self, at_ms: u64, pcm: &[i16]) {
        if rms_dbfs(pcm) < SOUND_DBFS {
            self.loud = 0;
            return;
        }
        self.loud += 1;
        if self.loud >= ONSET_FRAMES {
            let onset = at_ms.saturating_sub(u64::from(self.loud - 1) * FRAME_MS);
            self.began.get_or_insert(onset);
            self.last = Some(at_ms + FRAME_MS);
        }
    }

    /// It has spoken since the last reset and was quiet for `ms`.
    fn finished(&self, at_ms: u64, ms: u64) -> bool {
        self.last
            .is_some_and(|last| at_ms.saturating_sub(last) >= ms)
    }

    fn speaking(&self, at_ms: u64) -> bool {
        self.last.is_some() && !self.finished(at_ms, QUIET_MS)
    }

    fn reset(&mut self) {
        self.began = None;
        self.last = None;
        self.loud = 0;
    }
}

impl Player {
    fn new(script: Script) -> Self {
        Self {
            script,
            step: 0,
            saying: None,
            barge: None,
            wait_until: None,
            keys_until: None,
            acted_at: 0,
            ear: Ear::default(),
            held_ms: 0,
            utterances: Vec::new(),
            gaps: Vec::new(),
            gap_from: None,
            first_sound: None,
            done: false,
            leaving: false,
        }
    }

    /// 20 ms: what came in, what goes out, and keys to press.
    fn turn(
        &mut self,
        at_ms: u64,
        heard: &[i16; FRAME],
        live: bool,
        note: &mut impl FnMut(String),
    ) -> ([i16; FRAME], String) {
        self.listen(at_ms, heard, live, note);
        let mut keys = String::new();
        if self.saying.is_none() && !self.leaving {
            keys = self.decide(at_ms, note);
        }
        let mut out = [0; FRAME];
        if let Some(saying) = &mut self.saying {
            let rest = saying.pcm.get(saying.at..).unwrap_or_default();
            for (slot, sample) in out.iter_mut().zip(rest) {
                *slot = *sample;
            }
            let begun = at_ms.saturating_sub((saying.at as u64) * 1_000 / 16_000);
            saying.at += FRAME;
            if saying.at >= saying.sound_end {
                let end = begun + saying.sound_end as u64 * 1_000 / 16_000;
                self.saying = None;
                self.acted(end);
            }
        }
        (out, keys)
    }

    fn listen(
        &mut self,
        at_ms: u64,
        heard: &[i16; FRAME],
        live: bool,
        note: &mut impl FnMut(String),
    ) {
        if live {
            self.ear.live_once = true;
            if let Some(from) = self.gap_from.take() {
                let ms = at_ms.saturating_sub(from);
                if ms > GAP_FRAMES * FRAME_MS {
                    self.gaps.push(Gap { at_ms: from, ms });
                }
            }
        } else if self.ear.live_once {
            self.gap_from.get_or_insert(at_ms);
        }
        let before = self.ear.began;
        let at_ms = at_ms.saturating_sub(self.held_ms);
        self.ear.hear(at_ms, heard);
        if let Some(last) = self.utterances.last_mut() {
            last.hear_over(at_ms, rms_dbfs(heard) >= SOUND_DBFS);
        }
        if let (None, Some(began)) = (before, self.ear.began) {
            self.first_sound.get_or_insert(began);
            // A reply to what is still being said is an interruption of ours, not a gap.
            if let Some(last) = self
                .utterances
                .last_mut()
                .filter(|u| u.gap_ms.is_none() && u.end_ms > 0)
            {
                let gap = began.saturating_sub(last.end_ms);
                last.gap_ms = Some(gap);
                note(format!("heard back after {gap} ms"));
            }
        }
        if let (Some(began), Some(end)) = (self.ear.began, self.ear.last)
            && let Some(last) = self.utterances.last_mut().filter(|u| u.gap_ms.is_some())
        {
            last.reply_ms = end.saturating_sub(began);
        }
    }

    /// What to do next, when nothing is being said. Keys to press now.
    fn decide(&mut self, at_ms: u64, note: &mut impl FnMut(String)) -> String {
        if self.keys_until.is_some_and(|until| at_ms < until) {
            return String::new();
        }
        if self.keys_until.take().is_some() {
            self.acted(at_ms);
        }
        let patience = millis(self.script.patience);
        let tired = at_ms.saturating_sub(self.acted_at) >= patience && !self.ear.speaking(at_ms);
        let my_turn = self.ear.finished(at_ms, QUIET_MS) || tired;
        match self.script.steps.get(self.step).cloned() {
            None => {
                let over = self.ear.finished(at_ms, LAST_QUIET_MS) || tired;
                self.done = self.script.hang_up && over;
            }
            Some(Step::Wait { ms }) => {
                let until = *self.wait_until.get_or_insert(at_ms + ms);
                if at_ms >= until {
                    self.wait_until = None;
                    self.step += 1;
                }
            }
            Some(Step::Barge { ms }) => {
                self.barge = Some(ms);
                self.step += 1;
            }
            Some(Step::KeysAt { keys, at_ms: due }) if at_ms >= due => {
                return self.press(at_ms, keys, note);
            }
            Some(Step::Keys(keys)) if my_turn => return self.press(at_ms, keys, note),
            Some(Step::Say { label, pcm }) => {
                let go = match self.barge {
                    Some(ms) => self.ear.began.is_some_and(|began| at_ms >= began + ms) || tired,
                    None => my_turn,
                };
                if go {
                    note(format!("say: {label}"));
                    self.barge = None;
                    self.step += 1;
                    self.utterances.push(Utterance {
                        said: label,
                        start_ms: at_ms,
                        end_ms: 0,
                        gap_ms: None,
                        reply_ms: 0,
                        stopped_ms: None,
                        again_ms: None,
                        sound_ms: at_ms + sound_start(&pcm) as u64 * 1_000 / 16_000,
                        over: self.ear.speaking(at_ms).then_some(at_ms),
                    });
                    let sound_end = sound_end(&pcm);
                    self.saying = Some(Saying {
                        pcm,
                        at: 0,
                        sound_end,
                    });
                }
            }
            Some(_) => {}
        }
        String::new()
    }

    fn press(&mut self, at_ms: u64, keys: String, note: &mut impl FnMut(String)) -> String {
        note(format!("press: {keys}"));
        let end = at_ms + keys.chars().count() as u64 * KEY_MS;
        self.utterances.push(Utterance {
            said: format!("[{keys}]"),
            start_ms: at_ms,
            end_ms: end,
            gap_ms: None,
            reply_ms: 0,
            stopped_ms: None,
            again_ms: None,
            sound_ms: at_ms,
            over: None,
        });
        self.keys_until = Some(end);
        self.step += 1;
        self.ear.reset();
        keys
    }

    /// Our turn ended at `at_ms`: from here on it is the other side's.
    fn acted(&mut self, at_ms: u64) {
        self.acted_at = at_ms;
        if let Some(last) = self.utterances.last_mut()
            && last.end_ms == 0
        {
            last.end_ms = at_ms;
            self.ear.reset();
        }
    }

    fn finish(&mut self) {
        if let Some(last) = self.utterances.last_mut()
            && last.end_ms == 0
        {
            last.end_ms = last.start_ms;
        }
    }
}

impl Utterance {
    /// 20 ms of the other side while (and after) this is said over it.
    fn hear_over(&mut self, at_ms: u64, loud: bool) {
        let Some(last) = self.over else { return };
        match (self.stopped_ms, loud) {
            (None, true) => self.over = Some(at_ms + FRAME_MS),
            // Between words it is quiet for shorter.
            (None, false) if at_ms >= last + STOPPED_MS => {
                self.stopped_ms = Some(last.saturating_sub(self.sound_ms));
            }
            (Some(_), true) if self.again_ms.is_none() => self.again_ms = Some(at_ms - last),
            _ => {}
        }
    }
}

/// First sound in a recording, samples.
fn sound_start(pcm: &[i16]) -> usize {
    pcm.chunks(FRAME)
        .position(|f| rms_dbfs(f) > SOUND_DBFS)
        .map_or(0, |n| n * FRAME)
}

/// End of the last sound in a recording, samples: the silence after it is nobody's waiting time.
fn sound_end(pcm: &[i16]) -> usize {
    let frames = pcm.chunks(FRAME).enumerate();
    let last = frames
        .filter(|(_, f)| rms_dbfs(f) > SOUND_DBFS)
        .map(|(n, f)| n * FRAME + f.len())
        .next_back();
    last.unwrap_or(pcm.len()).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOUD: [i16; FRAME] = [4_000; FRAME];
    const SILENT: [i16; FRAME] = [0; FRAME];

    fn script(steps: Vec<Step>) -> Player {
        Player::new(Script {
            steps,
            ..Script::default()
        })
    }

    fn say(ms: usize) -> Step {
        let mut pcm = vec![4_000; ms * 16];
        pcm.extend(vec![0; 16_000]);
        Step::Say {
            label: "x".into(),
            pcm,
        }
    }

    #[test]
    fn it_waits_for_the_other_side_and_measures_from_its_last_sound() {
        let mut player = script(vec![say(400), Step::Keys("1#".into())]);
        let mut keys = String::new();
        let mut spoke = Vec::new();
        for n in 0..600u64 {
            let at = n * 20;
            // They greet for a second, and again from 3 s to 4 s.
            let heard = if at < 1_000 || (3_000..4_000).contains(&at) {
                LOUD
            } else {
                SILENT
            };
            let (out, pressed) = player.turn(at, &heard, true, &mut |_| {});
            keys += &pressed;
            if out != SILENT {
                spoke.push(at);
            }
        }
        assert_eq!(spoke.first(), Some(&1_700));
        assert_eq!(player.utterances[0].end_ms, 2_100);
        assert_eq!(player.utterances[0].gap_ms, Some(900));
        assert_eq!(player.utterances[0].reply_ms, 1_000);
        assert_eq!(keys, "1#");
        assert_eq!(player.utterances[1].start_ms, 4_700);
    }

    #[test]
    fn a_barge_in_starts_so_long_after_they_begin() {
        let mut player = script(vec![Step::Barge { ms: 500 }, say(200)]);
        let mut first = None;
        for n in 0..200u64 {
            let heard = if n >= 10 { LOUD } else { SILENT };
            let (out, _) = player.turn(n * 20, &heard, true, &mut |_| {});
            if out != SILENT {
                first.get_or_insert(n * 20);
            }
        }
        assert_eq!(first, Some(700));
    }

    #[test]
    fn gaps_in_what_arrives_are_listed() {
        let mut player = script(vec![]);
        for n in 0..100u64 {
            let live = n > 5 && !(40..60).contains(&n);
            player.turn(n * 20, &SILENT, live, &mut |_| {});
        }
        assert_eq!(
            player.gaps,
            [Gap {
                at_ms: 800,
                ms: 400
            }]
        );
    }

    #[test]
    fn a_side_that_never_speaks_does_not_hold_it_up() {
        let mut player = script(vec![say(100)]);
        let done = (0..2_000u64).find(|n| {
            player.turn(n * 20, &SILENT, true, &mut |_| {});
            player.done
        });
        // 15 s of patience before it speaks, and 15 s after.
        assert!((1_500..1_520).contains(&done.unwrap()), "{done:?}");
    }
}
