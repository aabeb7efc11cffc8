//! How far each intent is trusted now: what the desk's file says, what people have set otherwise, and whether a reviewer is there.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use crate::call::{Draft, Verdict};
use crate::desk::{Desk, Mode};
use crate::store::{Review, Store};

/// A reviewer whose page says nothing for this long is not there.
const DUTY: Duration = Duration::from_secs(25);

/// A desk as calls see it.
#[derive(Debug, Clone)]
pub struct View {
    pub desk: Arc<Desk>,
    /// Intents whose replies wait for a reviewer.
    pub reviewed: BTreeSet<String>,
    /// Intents whose calls a human takes while we draft.
    pub shadowed: BTreeSet<String>,
}

#[derive(Debug)]
struct Views {
    /// As the files say.
    files: Arc<Desk>,
    /// With what people have set.
    alone: View,
    /// The same with a reviewer there: what is supervised is drafted. The first where nothing is.
    supervised: View,
    /// With everything drafted that is in shadow mode; none where nothing is.
    shadow: Option<Arc<Desk>>,
}

/// A draft that waits for a reviewer.
#[derive(Debug, Clone)]
pub struct Waiting {
    pub review: Review,
    pub decision: serde_json::Value,
    /// The engine's number for it.
    pub number: u64,
    pub since: Instant,
}

/// Shared by calls and the console.
#[derive(Debug)]
pub struct Pilot {
    dir: PathBuf,
    views: RwLock<Views>,
    set: Mutex<BTreeMap<String, Mode>>,
    duty: Mutex<BTreeMap<String, Instant>>,
    waiting: Mutex<HashMap<String, Waiting>>,
}

impl Pilot {
    /// `dir`: where the desk's files lie.
    pub fn new(dir: &Path, desk: Arc<Desk>) -> Arc<Self> {
        let none = BTreeMap::new();
        Arc::new(Self {
            dir: dir.to_path_buf(),
            views: RwLock::new(views(desk, &none)),
            set: Mutex::new(none),
            duty: Mutex::default(),
            waiting: Mutex::default(),
        })
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The desk for a call that begins now.
    pub fn view(&self) -> View {
        let views = self.views.read().unwrap_or_else(PoisonError::into_inner);
        if self.on_duty() {
            views.supervised.clone()
        } else {
            views.alone.clone()
        }
    }

    /// The desk that drafts what is in shadow mode.
    pub fn shadow(&self) -> Option<Arc<Desk>> {
        self.read().shadow.clone()
    }

    /// The desk with what people have set.
    pub fn desk(&self) -> Arc<Desk> {
        self.read().alone.desk.clone()
    }

    /// The desk as its files say.
    pub fn files(&self) -> Arc<Desk> {
        self.read().files.clone()
    }

    /// Takes up what people have set.
    ///
    /// # Errors
    /// What the store says; everything stays as it was.
    pub async fn refresh(&self, store: &Store) -> Result<(), crate::store::StoreError> {
        let set: BTreeMap<String, Mode> = store
            .modes()
            .await?
            .into_iter()
            .filter_map(|m| Some((m.intent, mode(&m.mode)?)))
            .collect();
        let mut known = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        if *known != set {
            self.rebuild(self.files(), &set);
            *known = set;
        }
        Ok(())
    }

    /// Takes up the desk's files anew. Takes seconds: not for a task that others wait for.
    ///
    /// # Errors
    /// What is wrong with the files; the desk stays as it was.
    pub fn reload(&self) -> Result<(), String> {
        let mut embedder = super::engines::embedder().ok();
        let desk = super::desks::load(
            &self.dir,
            embedder
                .as_mut()
                .map(|e| e.as_mut() as &mut dyn crate::reason::Embedder),
        )?;
        let set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        self.rebuild(desk, &set);
        Ok(())
    }

    fn rebuild(&self, desk: Arc<Desk>, set: &BTreeMap<String, Mode>) {
        let made = views(desk, set);
        *self.views.write().unwrap_or_else(PoisonError::into_inner) = made;
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Views> {
        self.views.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// A reviewer says that they are there, or leave.
    pub fn duty(&self, who: &str, on: bool) {
        let mut duty = self.duty.lock().unwrap_or_else(PoisonError::into_inner);
        if on {
            duty.insert(who.into(), Instant::now());
        } else {
            duty.remove(who);
        }
    }

    /// Somebody is there to look at replies.
    pub fn on_duty(&self) -> bool {
        !self.reviewers().is_empty()
    }

    /// Who is there.
    pub fn reviewers(&self) -> Vec<String> {
        let mut duty = self.duty.lock().unwrap_or_else(PoisonError::into_inner);
        duty.retain(|_, seen| seen.elapsed() < DUTY);
        duty.keys().cloned().collect()
    }

    /// A draft waits from now on; what is shown to reviewers.
    pub fn wanted(&self, call: &str, draft: &Draft) -> Waiting {
        let waiting = Waiting {
            review: Review {
                id: uuid::Uuid::now_v7().to_string(),
                call_id: call.into(),
                turn: draft.turn.into(),
                mode: "supervised".into(),
                intent: draft.decision.intent.clone().unwrap_or_default(),
                words: draft.words.clone(),
                draft: draft.decision.reply.clone(),
                ..Review::default()
            },
            decision: serde_json::to_value(&draft.decision).unwrap_or_default(),
            number: draft.number,
            since: Instant::now(),
        };
        self.lock_waiting()
            .insert(waiting.review.id.clone(), waiting.clone());
        waiting
    }

    /// What waits now, oldest first.
    pub fn waiting(&self) -> Vec<Waiting> {
        let mut all: Vec<Waiting> = self.lock_waiting().values().cloned().collect();
        all.sort_by_key(|w| w.since);
        all
    }

    /// Takes a draft out of the queue: the first reviewer to say something has said it.
    pub fn take(&self, id: &str) -> Option<Waiting> {
        self.lock_waiting().remove(id)
    }

    /// Puts it back, with what was said of it, until the call has taken it up.
    pub fn put_back(&self, mut waiting: Waiting, by: &str) {
        waiting.review.by = by.into();
        self.lock_waiting()
            .insert(waiting.review.id.clone(), waiting);
    }

    /// A call is done with a draft: the review as it is to be kept.
    pub fn over(&self, call: &str, number: u64, verdict: &Verdict) -> Option<Review> {
        let mut all = self.lock_waiting();
        let id = all
            .iter()
            .find(|(_, w)| w.number == number && w.review.call_id == call)
            .map(|(id, _)| id.clone())?;
        let waiting = all.remove(&id)?;
        Some(Review {
            verdict: verdict.word().into(),
            said: verdict.said().into(),
            ..waiting.review
        })
    }

    fn lock_waiting(&self) -> std::sync::MutexGuard<'_, HashMap<String, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A mode by its word.
pub fn mode(word: &str) -> Option<Mode> {
    serde_json::from_value(word.into()).ok()
}

fn views(files: Arc<Desk>, set: &BTreeMap<String, Mode>) -> Views {
    let alone = if set.is_empty() {
        files.clone()
    } else {
        Arc::new(files.with_modes(set))
    };
    let of = |mode: Mode| -> BTreeSet<String> {
        alone
            .intents()
            .filter(|intent| alone.policy(intent).mode == mode)
            .map(str::to_owned)
            .collect()
    };
    let (reviewed, shadowed) = (of(Mode::Supervised), of(Mode::Shadow));
    let freed = |intents: &BTreeSet<String>| {
        let modes = intents
            .iter()
            .map(|intent| (intent.clone(), Mode::Autonomous))
            .collect();
        Arc::new(alone.with_modes(&modes))
    };
    let supervised = View {
        desk: if reviewed.is_empty() {
            alone.clone()
        } else {
            freed(&reviewed)
        },
        reviewed,
        shadowed: shadowed.clone(),
    };
    Views {
        supervised,
        shadow: (!shadowed.is_empty()).then(|| freed(&shadowed)),
        alone: View {
            desk: alone,
            reviewed: BTreeSet::new(),
            shadowed,
        },
        files,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::{DeskFiles, parse};

    fn desk() -> Arc<Desk> {
        let toml = "company = \"Larch\"\n[intent.late_fee]\nmode = \"supervised\"\n[intent.refund]\nmode = \"shadow\"\n[intent.hours]\n";
        let lines = "{\"text\": \"is there a late fee\", \"intent\": \"late_fee\"}\n{\"text\": \"refund please\", \"intent\": \"refund\"}\n{\"text\": \"when are you open\", \"intent\": \"hours\"}\n";
        let files = [("desk.toml", toml), ("intents.jsonl", lines)]
            .map(|(name, text)| (name.to_owned(), text.to_owned()));
        let source = parse(&DeskFiles(files.into())).expect("a desk");
        Arc::new(Desk::build(source, &HashMap::new()))
    }

    #[test]
    fn what_is_supervised_is_drafted_only_while_somebody_is_there() {
        let pilot = Pilot::new(Path::new("."), desk());
        let view = pilot.view();
        assert_eq!(view.desk.policy("late_fee").mode, Mode::Supervised);
        assert!(
            view.reviewed.is_empty(),
            "nobody is there: to a human at once"
        );
        pilot.duty("ada", true);
        let view = pilot.view();
        assert_eq!(view.desk.policy("late_fee").mode, Mode::Autonomous);
        assert_eq!(
            view.desk.policy("refund").mode,
            Mode::Shadow,
            "a human's, all the same"
        );
        assert!(view.reviewed.contains("late_fee") && view.shadowed.contains("refund"));
        pilot.duty("ada", false);
        assert!(pilot.view().reviewed.is_empty());
        let shadow = pilot.shadow().expect("something is in shadow mode");
        assert_eq!(shadow.policy("refund").mode, Mode::Autonomous);
        assert_eq!(shadow.policy("late_fee").mode, Mode::Supervised);
    }

    #[test]
    fn what_a_person_has_set_counts_before_the_file() {
        let pilot = Pilot::new(Path::new("."), desk());
        let set = BTreeMap::from([
            ("hours".to_owned(), Mode::Human),
            ("gone".to_owned(), Mode::Human),
        ]);
        pilot.rebuild(pilot.files(), &set);
        assert_eq!(pilot.view().desk.policy("hours").mode, Mode::Human);
        assert_eq!(pilot.files().policy("hours").mode, Mode::Autonomous);
    }

    #[test]
    fn a_draft_is_taken_once() {
        let pilot = Pilot::new(Path::new("."), desk());
        let draft = Draft {
            number: 3,
            turn: 1,
            words: "is there a late fee".into(),
            decision: crate::desk::Decision {
                id: "1".into(),
                route: crate::desk::Route::Answer,
                intent: Some("late_fee".into()),
                in_scope: 1.0,
                confidence: 0.9,
                sources: vec![],
                action: None,
                reply: "Seven dollars.".into(),
                reason: String::new(),
                pending: None,
                model: None,
            },
        };
        let id = pilot.wanted("c1", &draft).review.id;
        assert_eq!(pilot.waiting().len(), 1);
        let taken = pilot.take(&id).expect("it waits");
        assert!(pilot.take(&id).is_none(), "somebody was faster");
        pilot.put_back(taken, "ada");
        assert!(
            pilot.over("c2", 3, &Verdict::Timeout).is_none(),
            "another call's"
        );
        let review = pilot
            .over("c1", 3, &Verdict::Edited("Eight.".into()))
            .expect("kept");
        assert_eq!(
            (
                review.verdict.as_str(),
                review.said.as_str(),
                review.by.as_str()
            ),
            ("edited", "Eight.", "ada")
        );
        assert!(pilot.waiting().is_empty());
    }
}
