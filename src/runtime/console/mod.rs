//! What the console asks, answered: one file a part of it. Everything that somebody changes goes into the audit trail (`acts`).

mod accounts;
mod calls;
mod grading;
mod knowledge;
mod playbook;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::BoxFuture;
use serde_json::Value;

use super::api::LineState;
use super::pilot::Pilot;
use crate::edge::http::{ApiError, Ask, Who};
use crate::store::StoreError;

pub use accounts::{log_in, log_out, who};

/// What the console needs besides the line's state.
#[derive(Debug)]
pub struct Console {
    pub pilot: Arc<Pilot>,
    /// As last known: a database that is gone for a minute must not open the door.
    has_users: AtomicBool,
    curve: tokio::sync::Mutex<Option<(usize, Value)>>,
}

impl Console {
    pub fn new(pilot: Arc<Pilot>) -> Self {
        Self {
            pilot,
            has_users: AtomicBool::new(false),
            curve: tokio::sync::Mutex::default(),
        }
    }

    /// Somebody has a password.
    pub async fn has_users(&self, store: &crate::store::Store) -> bool {
        match store.has_users().await {
            Ok(any) => {
                self.has_users.store(any, Ordering::Relaxed);
                any
            }
            Err(_) => self.has_users.load(Ordering::Relaxed),
        }
    }
}

type Answer = Result<Value, ApiError>;

/// One question or order, by somebody whose role has been checked.
pub fn answer<'a>(line: &'a LineState, who: &'a Who, ask: Ask) -> BoxFuture<'a, Answer> {
    Box::pin(async move {
        let console = line
            .console
            .get()
            .ok_or_else(|| ApiError::Unavailable("the line is starting; try again".into()))?;
        match ask {
            Ask::Today => calls::today(line, console).await,
            Ask::Search(search) => calls::search(line, search).await,
            Ask::Trail(id) => calls::trail(line, id).await,
            Ask::Peaks(id) => calls::wave(line, id).await,
            Ask::End(id) => calls::end(line, who, id).await,
            Ask::Summon(id) => calls::summon(line, who, id).await,
            Ask::Report(since) => calls::report_since(line, console, since).await,
            Ask::Reviews { open } => playbook::reviews(line, console, open).await,
            Ask::Review { id, verdict, text } => {
                playbook::review(line, console, who, id, &verdict, text).await
            }
            Ask::Duty(on) => playbook::duty(console, who, on),
            Ask::Pilot => playbook::pilot(line, console).await,
            Ask::SetMode { intent, mode, why } => {
                playbook::set_mode(line, console, who, intent, mode, why).await
            }
            Ask::Acts => playbook::acts(line).await,
            Ask::Sample(week) => grading::sample(line, console, week).await,
            Ask::Grades(id) => grading::grades(line, id).await,
            Ask::Grade(grade) => grading::grade(line, who, grade).await,
            Ask::Question(question) => grading::question(line, console, who, question).await,
            Ask::Gaps => knowledge::gaps(line, console).await,
            Ask::Articles => Ok(knowledge::articles(console)),
            Ask::Article(article) => knowledge::article(line, console, who, article).await,
            Ask::Desk => knowledge::desk(console).await,
            Ask::Users => accounts::users(line).await,
            Ask::PutUser {
                name,
                role,
                password,
            } => accounts::put_user(line, who, name, role, password).await,
            Ask::RemoveUser(name) => accounts::remove_user(line, who, name).await,
        }
    })
}

fn unavailable(error: StoreError) -> ApiError {
    ApiError::Unavailable(error.to_string())
}

/// Work that reads files or computes, off the threads that serve.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| ApiError::Unavailable("that failed; look at the log".into()))
}

/// A line of the audit trail. What cannot be written there is not done.
async fn act(
    line: &LineState,
    who: &Who,
    act: &str,
    subject: &str,
    detail: &str,
) -> Result<(), ApiError> {
    tracing::info!(by = %who.name, act, subject, "at the console");
    line.store
        .note_act(&who.name, act, subject, detail)
        .await
        .map_err(unavailable)
}
