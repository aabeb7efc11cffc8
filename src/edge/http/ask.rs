//! What people ask of the line at the console, and the routes by which they do. Every question knows the least role that may put it; it
//! is checked in one place, [`ask`].

use axum::extract::{Path, Query, State};
use axum::routing::{delete, get, post};
use axum::{Extension, Json, Router};
use serde::Deserialize;
use serde_json::Value;

use super::people::{Role, Who};
use super::{ApiError, Shared, checked};

/// One question or order.
#[derive(Debug, Clone, PartialEq)]
pub enum Ask {
    /// Today at a glance.
    Today,
    Search(Search),
    /// A call's events, as they were logged.
    Trail(String),
    /// A call's sound in little: loudest of each slice, both sides.
    Peaks(String),
    End(String),
    /// To a human, now.
    Summon(String),
    Reviews {
        open: bool,
    },
    Review {
        id: String,
        verdict: String,
        text: String,
    },
    /// This reviewer is at their desk (or no longer): replies of supervised intents may be shown to them.
    Duty(bool),
    Pilot,
    SetMode {
        intent: String,
        /// None: as the desk's file says.
        mode: Option<String>,
        why: String,
    },
    Acts,
    /// A week's calls to grade, `2026-W48`; none: last week's.
    Sample(Option<String>),
    Grades(String),
    Grade(Grade),
    /// A regression question for the desk's set.
    Question(Question),
    Gaps,
    Articles,
    Article(Article),
    Desk,
    Report(Option<String>),
    Users,
    PutUser {
        name: String,
        role: String,
        password: String,
    },
    RemoveUser(String),
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Search {
    pub q: String,
    pub outcome: String,
    pub limit: Option<u32>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Grade {
    pub call_id: String,
    /// None: the call as a whole.
    pub turn: Option<u32>,
    pub grade: String,
    #[serde(default)]
    pub note: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Question {
    pub text: String,
    pub route: String,
    pub intent: Option<String>,
    pub source: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Article {
    /// None: a new one, named by its title.
    pub id: Option<String>,
    pub title: String,
    pub text: String,
    #[serde(default)]
    pub intents: Vec<String>,
    pub spoken: Option<String>,
}

impl Ask {
    /// Who may ask this at least.
    pub fn least(&self) -> Role {
        match self {
            Ask::Today
            | Ask::Search(_)
            | Ask::Trail(_)
            | Ask::Peaks(_)
            | Ask::End(_)
            | Ask::Summon(_)
            | Ask::Grades(_)
            | Ask::Desk
            | Ask::Articles => Role::Agent,
            Ask::Reviews { .. }
            | Ask::Review { .. }
            | Ask::Duty(_)
            | Ask::Pilot
            | Ask::Sample(_)
            | Ask::Grade(_)
            | Ask::Question(_)
            | Ask::Gaps
            | Ask::Article(_)
            | Ask::Report(_) => Role::Reviewer,
            Ask::SetMode { .. }
            | Ask::Acts
            | Ask::Users
            | Ask::PutUser { .. }
            | Ask::RemoveUser(_) => Role::Admin,
        }
    }
}

type Answer = Result<Json<Value>, ApiError>;

/// Puts a question to the line, if whoever asks may.
async fn ask(s: &Shared, who: &Who, question: Ask) -> Answer {
    allowed(who, question.least())?;
    Ok(Json(s.line.ask(who, question).await?))
}

/// # Errors
/// Their role is not enough.
pub(super) fn allowed(who: &Who, least: Role) -> Result<(), ApiError> {
    if who.role >= least {
        return Ok(());
    }
    Err(ApiError::Forbidden(format!(
        "this takes the role {}; you are {}",
        least.word(),
        who.role.word()
    )))
}

/// A body of the shape a route takes.
type Body<T> = Result<Json<T>, axum::extract::rejection::JsonRejection>;

fn body<T>(given: Body<T>) -> Result<T, ApiError> {
    given.map(|Json(given)| given).map_err(|e| {
        ApiError::Bad(format!(
            "the body is not what this takes: {}",
            e.body_text()
        ))
    })
}

macro_rules! route {
    // Without anything else.
    ($question:expr) => {
        |State(s): State<Shared>, Extension(who): Extension<Who>| async move {
            ask(&s, &who, $question).await
        }
    };
    // With an id in the path.
    (id $question:expr) => {
        |State(s): State<Shared>, Extension(who): Extension<Who>, Path(id): Path<String>| async move {
            checked(&id)?;
            ask(&s, &who, $question(id)).await
        }
    };
    // With a JSON body.
    (body $kind:ty, $question:expr) => {
        |State(s): State<Shared>, Extension(who): Extension<Who>, given: Body<$kind>| async move {
            let given = body(given)?;
            ask(&s, &who, $question(given)).await
        }
    };
}

#[derive(Deserialize)]
struct Verdict {
    verdict: String,
    #[serde(default)]
    text: String,
}

#[derive(Deserialize)]
struct Mode {
    mode: Option<String>,
    #[serde(default)]
    why: String,
}

#[derive(Deserialize)]
struct On {
    on: bool,
}

#[derive(Deserialize)]
struct NewUser {
    name: String,
    role: String,
    password: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    all: bool,
    week: Option<String>,
    since: Option<String>,
}

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/api/today", get(route!(Ask::Today)))
        .route("/api/search", get(search))
        .route("/api/calls/{id}/events", get(route!(id Ask::Trail)))
        .route("/api/calls/{id}/peaks", get(route!(id Ask::Peaks)))
        .route("/api/calls/{id}/end", post(route!(id Ask::End)))
        .route("/api/calls/{id}/transfer", post(route!(id Ask::Summon)))
        .route("/api/calls/{id}/grades", get(route!(id Ask::Grades)))
        .route("/api/reviews", get(reviews))
        .route("/api/reviews/{id}", post(review))
        .route(
            "/api/duty",
            post(route!(body On, |on: On| Ask::Duty(on.on))),
        )
        .route("/api/pilot", get(route!(Ask::Pilot)))
        .route("/api/pilot/{intent}", post(set_mode))
        .route("/api/acts", get(route!(Ask::Acts)))
        .route("/api/sample", get(sample))
        .route("/api/grades", post(route!(body Grade, Ask::Grade)))
        .route("/api/questions", post(route!(body Question, Ask::Question)))
        .route("/api/gaps", get(route!(Ask::Gaps)))
        .route(
            "/api/articles",
            get(route!(Ask::Articles)).post(route!(body Article, Ask::Article)),
        )
        .route("/api/desk", get(route!(Ask::Desk)))
        .route("/api/report", get(report))
        .route(
            "/api/users",
            get(route!(Ask::Users)).post(route!(body NewUser, |u: NewUser| Ask::PutUser {
                name: u.name,
                role: u.role,
                password: u.password,
            })),
        )
        .route("/api/users/{id}", delete(route!(id Ask::RemoveUser)))
}

async fn search(
    State(s): State<Shared>,
    Extension(who): Extension<Who>,
    query: Result<Query<Search>, axum::extract::rejection::QueryRejection>,
) -> Answer {
    let Query(search) =
        query.map_err(|_| ApiError::Bad("q is words, limit a whole number".into()))?;
    ask(&s, &who, Ask::Search(search)).await
}

async fn reviews(
    State(s): State<Shared>,
    Extension(who): Extension<Who>,
    Query(asked): Query<Asked>,
) -> Answer {
    ask(&s, &who, Ask::Reviews { open: !asked.all }).await
}

async fn review(
    State(s): State<Shared>,
    Extension(who): Extension<Who>,
    Path(id): Path<String>,
    given: Body<Verdict>,
) -> Answer {
    checked(&id)?;
    let Verdict { verdict, text } = body(given)?;
    ask(&s, &who, Ask::Review { id, verdict, text }).await
}

async fn set_mode(
    State(s): State<Shared>,
    Extension(who): Extension<Who>,
    Path(intent): Path<String>,
    given: Body<Mode>,
) -> Answer {
    checked(&intent)?;
    let Mode { mode, why } = body(given)?;
    ask(&s, &who, Ask::SetMode { intent, mode, why }).await
}

async fn sample(
    State(s): State<Shared>,
    Extension(who): Extension<Who>,
    Query(asked): Query<Asked>,
) -> Answer {
    ask(&s, &who, Ask::Sample(asked.week)).await
}

async fn report(
    State(s): State<Shared>,
    Extension(who): Extension<Who>,
    Query(asked): Query<Asked>,
) -> Answer {
    ask(&s, &who, Ask::Report(asked.since)).await
}
