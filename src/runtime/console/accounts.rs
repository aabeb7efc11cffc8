//! Who may log in.

use serde_json::json;

use super::super::api::LineState;
use super::super::people;
use super::{Answer, act, aside, unavailable};
use crate::edge::http::{ApiError, NewSession, Role, Who};
use crate::store::Pass;

/// Begins a session where name and password fit.
pub async fn log_in(
    line: &LineState,
    name: &str,
    password: &str,
    session: &NewSession,
) -> Result<Option<Who>, ApiError> {
    let user = line.store.user(name).await.map_err(unavailable)?;
    let (given, kept) = (
        password.to_owned(),
        user.as_ref().map(|u| u.password.clone()),
    );
    let fits = aside(move || people::fits(&given, kept.as_deref())).await?;
    let Some(user) = user.filter(|_| fits) else {
        tracing::warn!(name, "a wrong password at the console");
        return Ok(None);
    };
    let Some(role) = Role::read(&user.role) else {
        return Ok(None);
    };
    let pass = Pass {
        digest: session.digest.clone(),
        kind: "session".into(),
        name: user.name.clone(),
        role: user.role,
        csrf: session.csrf.clone(),
        created_at: String::new(),
    };
    let lasts = i64::try_from(session.lasts.as_millis()).unwrap_or(i64::MAX);
    line.store
        .add_pass(&pass, lasts)
        .await
        .map_err(unavailable)?;
    let who = Who {
        name: user.name,
        role,
        csrf: Some(session.csrf.clone()),
    };
    act(line, &who, "logged in", "", "").await?;
    Ok(Some(who))
}

pub async fn log_out(line: &LineState, digest: &str) -> Result<(), ApiError> {
    line.store.end_pass(digest).await.map_err(unavailable)
}

/// Whom a session or a token lets in.
pub async fn who(line: &LineState, digest: &str) -> Result<Option<Who>, ApiError> {
    let pass = line.store.pass(digest).await.map_err(unavailable)?;
    Ok(pass.and_then(|pass| {
        Some(Who {
            role: Role::read(&pass.role)?,
            name: pass.name,
            csrf: (pass.kind == "session").then_some(pass.csrf),
        })
    }))
}

pub(super) async fn users(line: &LineState) -> Answer {
    let users = line.store.users().await.map_err(unavailable)?;
    let tokens = line.store.tokens().await.map_err(unavailable)?;
    Ok(json!({
        "users": users.iter().map(|u| json!({ "name": u.name, "role": u.role, "since": u.created_at })).collect::<Vec<_>>(),
        "tokens": tokens.iter().map(|t| json!({ "name": t.name, "role": t.role, "since": t.created_at })).collect::<Vec<_>>(),
    }))
}

pub(super) async fn put_user(
    line: &LineState,
    who: &Who,
    name: String,
    role: String,
    password: String,
) -> Answer {
    let name = people::name(&name).map_err(ApiError::Bad)?;
    let role = people::role(&role).map_err(ApiError::Bad)?;
    if role != Role::Admin {
        keeps_an_admin(line, &name).await?;
    }
    let hash = aside(move || people::hash(&password))
        .await?
        .map_err(ApiError::Bad)?;
    act(line, who, "user set", &name, role.word()).await?;
    line.store
        .put_user(&name, role.word(), &hash)
        .await
        .map_err(unavailable)?;
    users(line).await
}

pub(super) async fn remove_user(line: &LineState, who: &Who, name: String) -> Answer {
    keeps_an_admin(line, &name).await?;
    act(line, who, "user removed", &name, "").await?;
    if !line.store.remove_user(&name).await.map_err(unavailable)? {
        return Err(ApiError::NotFound(format!("there is no user {name}")));
    }
    users(line).await
}

/// The last who may let others in stays.
async fn keeps_an_admin(line: &LineState, name: &str) -> Result<(), ApiError> {
    let users = line.store.users().await.map_err(unavailable)?;
    let admins: Vec<_> = users.iter().filter(|u| u.role == "admin").collect();
    match admins.as_slice() {
        [last] if last.name == name => Err(ApiError::Conflict(format!(
            "{name} is the last admin; make another one first"
        ))),
        _ => Ok(()),
    }
}
