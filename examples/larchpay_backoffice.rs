//! The back office of the sample desk: a small HTTP API over SQLite, as a company's own system would offer it.
//!
//! `cargo run --example larchpay_backoffice -- --listen 127.0.0.1:8090 --db larchpay.db`
//!
//! Data is made when the database is empty, with dates relative to that day. Writes want an `Idempotency-Key`: the same key
//! with the same body gets the first answer again and changes nothing; the same key with another body gets 409.
//! `GET /operations/KEY` says what became of a write, and changes nothing.
//! For tests and the demo: `GET /_log` lists every write, `POST /_fault?mode=slow|500|broken|lost|off` makes it misbehave.
#![allow(
    clippy::disallowed_methods,
    reason = "a program of its own, beside the line"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use anyhow::Context;
use axum::body::Body;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch, post, put};
use axum::{Json, Router};
use clap::Parser;
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use serde::Deserialize;
use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use sqlx::{Row, Sqlite, Transaction};

/// The sample desk's back office: customers, orders, installments and refunds in SQLite.
#[derive(Debug, Parser)]
#[command(
    after_help = "Example: cargo run --example larchpay_backoffice -- --listen 127.0.0.1:8090 --db larchpay.db"
)]
struct Args {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8090")]
    listen: String,
    /// Database file, made when it is not there. `:memory:` keeps nothing.
    #[arg(long, default_value = "larchpay.db")]
    db: String,
    /// Day that the made data counts from (default: today in New York).
    #[arg(long)]
    today: Option<Date>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let today = match args.today {
        Some(day) => day,
        None => Timestamp::now().in_tz("America/New_York")?.date(),
    };
    let options = if args.db == ":memory:" {
        "sqlite::memory:".parse::<SqliteConnectOptions>()?
    } else {
        SqliteConnectOptions::new()
            .filename(&args.db)
            .create_if_missing(true)
    };
    // One connection: writes are few, and an in-memory database lives in its connection.
    let db = SqlitePoolOptions::new()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(options)
        .await
        .with_context(|| {
            format!(
                "cannot open the database {}: check that its folder exists and can be written",
                args.db
            )
        })?;
    sqlx::raw_sql(SCHEMA).execute(&db).await?;
    let empty: i64 = sqlx::query_scalar("SELECT count(*) FROM customers")
        .fetch_one(&db)
        .await?;
    if empty == 0 {
        seed(&db, today).await?;
    }
    let office = Office {
        db,
        today: args.today,
        fault: Arc::new(AtomicU8::new(0)),
    };
    let listener = tokio::net::TcpListener::bind(&args.listen)
        .await
        .with_context(|| {
            format!(
                "cannot listen on {}: choose another address with --listen",
                args.listen
            )
        })?;
    println!("ready http={}", listener.local_addr()?);
    axum::serve(listener, routes(office))
        .with_graceful_shutdown(async {
            let _ = tokio::signal::ctrl_c().await;
        })
        .await?;
    Ok(())
}

#[derive(Clone)]
struct Office {
    db: SqlitePool,
    /// Fixed day, for repeatable runs.
    today: Option<Date>,
    fault: Arc<AtomicU8>,
}

impl Office {
    fn today(&self) -> Date {
        self.today.unwrap_or_else(|| {
            let now = Timestamp::now().to_zoned_datetime(jiff::tz::TimeZone::UTC);
            now.in_tz("America/New_York")
                .map_or(now.date(), |z| z.date())
        })
    }
}

fn routes(office: Office) -> Router {
    let desk = Router::new()
        .route(
            "/status",
            get(|| async {
                Json(json!({"message": "All our systems are working normally right now."}))
            }),
        )
        .route("/customers", get(find_customer))
        .route("/customers/{id}", get(one_customer).patch(change_customer))
        .route("/customers/{id}/next-payment", get(next_payment))
        .route("/customers/{id}/balance", get(balance))
        .route("/customers/{id}/refunds/latest", get(latest_refund))
        .route("/customers/{id}/orders", get(orders))
        .route("/customers/{id}/orders/latest", get(latest_order))
        .route("/customers/{id}/pause", post(pause))
        .route("/customers/{id}/payments", post(pay))
        .route("/customers/{id}/reminders", put(reminders))
        .route("/customers/{id}/autopay", put(autopay))
        .route("/payments/{id}/reschedule", post(reschedule))
        .layer(middleware::from_fn_with_state(office.clone(), misbehave));
    Router::new()
        .merge(desk)
        .route("/operations/{key}", get(operation))
        .route("/_log", get(log))
        .route("/_fault", patch(set_fault).post(set_fault))
        .with_state(office)
}

// ---- Answers that are not 200 ----

/// Why a request was not carried out: status and one sentence.
#[derive(Debug)]
struct Refusal(StatusCode, String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(json!({"message": self.1}))).into_response()
    }
}

impl From<sqlx::Error> for Refusal {
    fn from(e: sqlx::Error) -> Self {
        Self(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("the database failed: {e}"),
        )
    }
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal(StatusCode::UNPROCESSABLE_ENTITY, message.into())
}

fn missing(what: &str) -> Refusal {
    Refusal(StatusCode::NOT_FOUND, format!("there is no {what}"))
}

type Answer = Result<Json<Value>, Refusal>;

// ---- Reads ----

#[derive(Deserialize)]
struct ByPhone {
    phone: String,
}

async fn find_customer(State(o): State<Office>, Query(q): Query<ByPhone>) -> Answer {
    let phone = national(&q.phone).ok_or_else(|| missing("customer with this number"))?;
    let id: Option<String> = sqlx::query_scalar("SELECT id FROM customers WHERE phone = ?")
        .bind(phone)
        .fetch_optional(&o.db)
        .await?;
    match id {
        Some(id) => customer(&o, &id).await,
        None => Err(missing("customer with this number")),
    }
}

async fn one_customer(State(o): State<Office>, Path(id): Path<String>) -> Answer {
    customer(&o, &id).await
}

async fn customer(o: &Office, id: &str) -> Answer {
    let c = sqlx::query("SELECT * FROM customers WHERE id = ?")
        .bind(id)
        .fetch_optional(&o.db)
        .await?
        .ok_or_else(|| missing("such customer"))?;
    let mut out = json!({
        "id": c.get::<String, _>("id"), "name": c.get::<String, _>("name"),
        "phone": format!("+1{}", c.get::<String, _>("phone")), "email": c.get::<String, _>("email"),
        "postcode": c.get::<String, _>("postcode"), "date_of_birth": c.get::<String, _>("date_of_birth"),
        "autopay": if c.get::<bool, _>("autopay") { "on" } else { "off" },
        "reminders": c.get::<String, _>("reminders"),
    });
    if let Some(p) = next_due(o, id).await? {
        out["next_payment_id"] = json!(p.id);
        out["next_payment_amount"] = json!(dollars(p.cents));
        out["next_payment_due"] = json!(p.due);
    }
    Ok(Json(out))
}

struct Installment {
    id: String,
    cents: i64,
    due: String,
    store: String,
}

async fn next_due(o: &Office, customer: &str) -> Result<Option<Installment>, Refusal> {
    Ok(sqlx::query(
        "SELECT i.id, i.cents, i.due, o.store FROM installments i JOIN orders o ON o.id = i.order_id
         WHERE o.customer_id = ? AND i.paid_on IS NULL ORDER BY i.due, i.id LIMIT 1",
    )
    .bind(customer)
    .fetch_optional(&o.db)
    .await?
    .map(|r| Installment { id: r.get("id"), cents: r.get("cents"), due: r.get("due"), store: r.get("store") }))
}

async fn next_payment(State(o): State<Office>, Path(id): Path<String>) -> Answer {
    let p = next_due(&o, &id)
        .await?
        .ok_or_else(|| missing("payment due"))?;
    Ok(Json(
        json!({"id": p.id, "amount": dollars(p.cents), "due": p.due, "store": p.store}),
    ))
}

async fn balance(State(o): State<Office>, Path(id): Path<String>) -> Answer {
    exists(&o, &id).await?;
    let r = sqlx::query(
        "SELECT coalesce(sum(i.cents), 0) AS owed, count(*) AS left, coalesce(sum(CASE WHEN i.due < ? THEN i.cents END), 0) AS late
         FROM installments i JOIN orders o ON o.id = i.order_id WHERE o.customer_id = ? AND i.paid_on IS NULL",
    )
    .bind(o.today().to_string())
    .bind(&id)
    .fetch_one(&o.db)
    .await?;
    let late: i64 = r.get("late");
    Ok(Json(json!({
        "owed": dollars(r.get("owed")), "payments_left": r.get::<i64, _>("left"),
        "overdue": if late == 0 { "nothing".to_owned() } else { dollars(late) },
    })))
}

async fn latest_refund(State(o): State<Office>, Path(id): Path<String>) -> Answer {
    let r = sqlx::query(
        "SELECT r.cents, r.state, r.changed_on, o.store FROM refunds r JOIN orders o ON o.id = r.order_id
         WHERE o.customer_id = ? ORDER BY r.changed_on DESC LIMIT 1",
    )
    .bind(&id)
    .fetch_optional(&o.db)
    .await?
    .ok_or_else(|| missing("refund on this account"))?;
    let (state, day): (String, String) = (r.get("state"), r.get("changed_on"));
    let progress = match state.as_str() {
        "sent" => format!("was sent to your card on {}", spoken_day(&day)),
        "received" => format!(
            "reached us on {} and is on its way to your card",
            spoken_day(&day)
        ),
        _ => "has not reached us from the store yet".to_owned(),
    };
    Ok(Json(
        json!({"amount": dollars(r.get("cents")), "store": r.get::<String, _>("store"), "status": state, "changed_on": day, "progress": progress}),
    ))
}

async fn orders(State(o): State<Office>, Path(id): Path<String>) -> Answer {
    exists(&o, &id).await?;
    let rows = sqlx::query("SELECT * FROM orders WHERE customer_id = ? ORDER BY placed_on DESC")
        .bind(&id)
        .fetch_all(&o.db)
        .await?;
    Ok(Json(
        json!({"orders": rows.iter().map(order_json).collect::<Vec<_>>()}),
    ))
}

async fn latest_order(State(o): State<Office>, Path(id): Path<String>) -> Answer {
    let r =
        sqlx::query("SELECT * FROM orders WHERE customer_id = ? ORDER BY placed_on DESC LIMIT 1")
            .bind(&id)
            .fetch_optional(&o.db)
            .await?
            .ok_or_else(|| missing("order on this account"))?;
    Ok(Json(order_json(&r)))
}

fn order_json(r: &sqlx::sqlite::SqliteRow) -> Value {
    let (state, placed): (String, String) = (r.get("state"), r.get("placed_on"));
    let progress = match state.as_str() {
        "shipped" => "The store has shipped it",
        "delivered" => "It was delivered",
        "cancelled" => "The store has canceled it",
        _ => "The store has not shipped it yet",
    };
    json!({"id": r.get::<String, _>("id"), "store": r.get::<String, _>("store"), "item": r.get::<String, _>("item"),
        "total": dollars(r.get("cents")), "status": state, "placed_on": placed, "progress": progress})
}

async fn exists(o: &Office, id: &str) -> Result<(), Refusal> {
    let n: i64 = sqlx::query_scalar("SELECT count(*) FROM customers WHERE id = ?")
        .bind(id)
        .fetch_one(&o.db)
        .await?;
    if n == 0 {
        Err(missing("such customer"))
    } else {
        Ok(())
    }
}

// ---- Writes ----

/// The transaction of one write; committed together with its answer, so that a key is never without its result.
type Tx<'a> = Transaction<'a, Sqlite>;

/// Runs `change` once for each idempotency key.
async fn once<F>(o: &Office, headers: &HeaderMap, what: &str, body: &Value, change: F) -> Answer
where
    F: AsyncFnOnce(&mut Tx<'_>) -> Answer,
{
    let key = headers
        .get("idempotency-key")
        .and_then(|k| k.to_str().ok())
        .filter(|k| !k.is_empty())
        .ok_or_else(|| {
            Refusal(
                StatusCode::BAD_REQUEST,
                "send an Idempotency-Key with every write".into(),
            )
        })?;
    let asked = format!("{what} {body}");
    let mut tx = o.db.begin().await?;
    if let Some(earlier) = sqlx::query("SELECT asked, status, answer FROM writes WHERE key = ?")
        .bind(key)
        .fetch_optional(&mut *tx)
        .await?
    {
        if earlier.get::<String, _>("asked") != asked {
            return Err(Refusal(
                StatusCode::CONFLICT,
                "this Idempotency-Key was used for another request".into(),
            ));
        }
        let answer: Value =
            serde_json::from_str(&earlier.get::<String, _>("answer")).unwrap_or_default();
        sqlx::query("UPDATE writes SET repeats = repeats + 1 WHERE key = ?")
            .bind(key)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        return match earlier.get::<i64, _>("status") {
            200 => Ok(Json(answer)),
            _ => Err(invalid(answer["message"].as_str().unwrap_or_default())),
        };
    }
    let answer = change(&mut tx).await;
    let (status, kept) = match &answer {
        Ok(Json(v)) => (200, v.clone()),
        Err(Refusal(StatusCode::UNPROCESSABLE_ENTITY, m)) => {
            // What the change did so far is undone; the refusal itself is kept under the key.
            tx.rollback().await?;
            tx = o.db.begin().await?;
            (422, json!({"message": m}))
        }
        Err(_) => return answer,
    };
    sqlx::query("INSERT INTO writes (key, asked, status, answer, at) VALUES (?, ?, ?, ?, ?)")
        .bind(key)
        .bind(&asked)
        .bind(status)
        .bind(kept.to_string())
        .bind(Timestamp::now().to_string())
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    answer
}

async fn reschedule(
    State(o): State<Office>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Answer {
    let today = o.today();
    once(
        &o,
        &headers,
        &format!("POST /payments/{id}/reschedule"),
        &body,
        async |tx| {
            let date: Date = body["date"]
                .as_str()
                .and_then(|d| d.parse().ok())
                .ok_or_else(|| invalid("`date` has to be a day as YYYY-MM-DD"))?;
            let p =
                sqlx::query("SELECT cents, due, first_due, paid_on FROM installments WHERE id = ?")
                    .bind(&id)
                    .fetch_optional(&mut **tx)
                    .await?
                    .ok_or_else(|| missing("such payment"))?;
            let day = |column| {
                p.get::<String, _>(column)
                    .parse::<Date>()
                    .map_err(|_| invalid("this payment has no due date"))
            };
            let (due, first) = (day("due")?, day("first_due")?);
            if p.get::<Option<String>, _>("paid_on").is_some() {
                return Err(invalid("this payment has been made already"));
            }
            if due < today {
                return Err(invalid("an overdue payment cannot be moved"));
            }
            if due != first {
                return Err(invalid("this payment was moved once already"));
            }
            if date <= today {
                return Err(invalid("the new day has to be after today"));
            }
            if date > first.saturating_add(14.days()) {
                return Err(invalid("a payment can be moved by 14 days at most"));
            }
            sqlx::query("UPDATE installments SET due = ? WHERE id = ?")
                .bind(date.to_string())
                .bind(&id)
                .execute(&mut **tx)
                .await?;
            Ok(Json(
                json!({"id": id, "amount": dollars(p.get("cents")), "due": date.to_string()}),
            ))
        },
    )
    .await
}

async fn pause(
    State(o): State<Office>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Answer {
    exists(&o, &id).await?;
    let today = o.today();
    once(
        &o,
        &headers,
        &format!("POST /customers/{id}/pause"),
        &body,
        async |tx| {
            if body["days"] != json!(30) {
                return Err(invalid("a pause is 30 days"));
            }
            let last: Option<String> =
                sqlx::query_scalar("SELECT paused_on FROM customers WHERE id = ?")
                    .bind(&id)
                    .fetch_one(&mut **tx)
                    .await?;
            let year_ago = today.saturating_sub(1.year());
            if last
                .and_then(|d| d.parse::<Date>().ok())
                .is_some_and(|d| d > year_ago)
            {
                return Err(invalid("payments can be paused once in 12 months"));
            }
            let rows = sqlx::query(
                "SELECT i.id, i.due FROM installments i JOIN orders o ON o.id = i.order_id
             WHERE o.customer_id = ? AND i.paid_on IS NULL ORDER BY i.due",
            )
            .bind(&id)
            .fetch_all(&mut **tx)
            .await?;
            let due = |r: &sqlx::sqlite::SqliteRow| {
                r.get::<String, _>("due").parse::<Date>().unwrap_or(today)
            };
            if rows
                .iter()
                .any(|r| due(r) < today.saturating_sub(30.days()))
            {
                return Err(invalid("a payment is more than 30 days overdue"));
            }
            let mut next = None;
            for r in &rows {
                let moved = if due(r) < today {
                    due(r)
                } else {
                    due(r).saturating_add(30.days())
                };
                if moved >= today {
                    next = next.or(Some(moved));
                }
                sqlx::query("UPDATE installments SET due = ? WHERE id = ?")
                    .bind(moved.to_string())
                    .bind(r.get::<String, _>("id"))
                    .execute(&mut **tx)
                    .await?;
            }
            let next = next.ok_or_else(|| invalid("there is nothing to pause"))?;
            sqlx::query("UPDATE customers SET paused_on = ? WHERE id = ?")
                .bind(today.to_string())
                .bind(&id)
                .execute(&mut **tx)
                .await?;
            Ok(Json(json!({"days": 30, "next_due": next.to_string()})))
        },
    )
    .await
}

async fn pay(
    State(o): State<Office>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Answer {
    exists(&o, &id).await?;
    let today = o.today();
    once(&o, &headers, &format!("POST /customers/{id}/payments"), &body, async |tx| {
        let amount = cents(&body["amount"]).ok_or_else(|| invalid("`amount` has to be an amount in dollars"))?;
        if !(100..=50_000).contains(&amount) {
            return Err(invalid("a payment by phone is between $1 and $500"));
        }
        let rows = sqlx::query(
            "SELECT i.id, i.cents FROM installments i JOIN orders o ON o.id = i.order_id
             WHERE o.customer_id = ? AND i.paid_on IS NULL ORDER BY i.due, i.id",
        )
        .bind(&id)
        .fetch_all(&mut **tx)
        .await?;
        let owed: i64 = rows.iter().map(|r| r.get::<i64, _>("cents")).sum();
        if amount > owed {
            return Err(invalid(format!("only {} is owed", dollars(owed))));
        }
        let mut left = amount;
        for r in &rows {
            let (installment, due): (String, i64) = (r.get("id"), r.get("cents"));
            let part = left.min(due);
            let change = if part == due {
                sqlx::query("UPDATE installments SET paid_on = ? WHERE id = ?").bind(today.to_string())
            } else {
                sqlx::query("UPDATE installments SET cents = cents - ? WHERE id = ?").bind(part)
            };
            if part > 0 {
                change.bind(installment).execute(&mut **tx).await?;
            }
            left -= part;
        }
        let card: String = sqlx::query_scalar("SELECT card_ending FROM customers WHERE id = ?").bind(&id).fetch_one(&mut **tx).await?;
        Ok(Json(json!({"amount": dollars(amount), "card_ending": card, "owed": dollars(owed - amount)})))
    })
    .await
}

async fn change_customer(
    State(o): State<Office>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Answer {
    exists(&o, &id).await?;
    once(
        &o,
        &headers,
        &format!("PATCH /customers/{id}"),
        &body,
        async |tx| {
            let phone = body["phone"]
                .as_str()
                .and_then(national)
                .ok_or_else(|| invalid("`phone` has to be a U.S. number with its area code"))?;
            let taken: i64 =
                sqlx::query_scalar("SELECT count(*) FROM customers WHERE phone = ? AND id <> ?")
                    .bind(&phone)
                    .bind(&id)
                    .fetch_one(&mut **tx)
                    .await?;
            if taken > 0 {
                return Err(invalid("another account uses this number"));
            }
            sqlx::query("UPDATE customers SET phone = ? WHERE id = ?")
                .bind(&phone)
                .bind(&id)
                .execute(&mut **tx)
                .await?;
            Ok(Json(
                json!({"phone": format!("+1{phone}"), "phone_ending": &phone[6..]}),
            ))
        },
    )
    .await
}

async fn reminders(
    State(o): State<Office>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Answer {
    exists(&o, &id).await?;
    once(
        &o,
        &headers,
        &format!("PUT /customers/{id}/reminders"),
        &body,
        async |tx| {
            let channel = body["channel"]
                .as_str()
                .filter(|c| ["text", "email", "both", "none"].contains(c))
                .ok_or_else(|| invalid("`channel` has to be text, email, both or none"))?;
            sqlx::query("UPDATE customers SET reminders = ? WHERE id = ?")
                .bind(channel)
                .bind(&id)
                .execute(&mut **tx)
                .await?;
            Ok(Json(json!({"channel": channel})))
        },
    )
    .await
}

async fn autopay(
    State(o): State<Office>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Answer {
    exists(&o, &id).await?;
    once(
        &o,
        &headers,
        &format!("PUT /customers/{id}/autopay"),
        &body,
        async |tx| {
            let on = match body["autopay"].as_str() {
                Some("on") => true,
                Some("off") => false,
                _ => return Err(invalid("`autopay` has to be on or off")),
            };
            sqlx::query("UPDATE customers SET autopay = ? WHERE id = ?")
                .bind(on)
                .bind(&id)
                .execute(&mut **tx)
                .await?;
            Ok(Json(json!({"autopay": if on { "on" } else { "off" }})))
        },
    )
    .await
}

/// What became of the write with this key: whoever lost the answer asks here, and does not send again.
async fn operation(State(o): State<Office>, Path(key): Path<String>) -> Answer {
    let write = sqlx::query("SELECT status, answer FROM writes WHERE key = ?")
        .bind(&key)
        .fetch_optional(&o.db)
        .await?
        .ok_or_else(|| missing("write with this key"))?;
    let result: Value = serde_json::from_str(&write.get::<String, _>("answer")).unwrap_or_default();
    let status = match write.get::<i64, _>("status") {
        200 => "done",
        _ => "refused",
    };
    Ok(Json(json!({"status": status, "result": result})))
}

// ---- For tests and the demo ----

async fn log(State(o): State<Office>) -> Answer {
    let rows = sqlx::query("SELECT * FROM writes ORDER BY rowid")
        .fetch_all(&o.db)
        .await?;
    let writes: Vec<Value> = rows
        .iter()
        .map(|r| {
            json!({"at": r.get::<String, _>("at"), "idempotency_key": r.get::<String, _>("key"),
                "request": r.get::<String, _>("asked"), "status": r.get::<i64, _>("status"),
                "result": serde_json::from_str::<Value>(&r.get::<String, _>("answer")).unwrap_or_default(),
                "repeats": r.get::<i64, _>("repeats")})
        })
        .collect();
    Ok(Json(json!({"writes": writes})))
}

#[derive(Deserialize)]
struct FaultMode {
    mode: String,
}

const FAULTS: [&str; 5] = ["off", "slow", "500", "broken", "lost"];

async fn set_fault(State(o): State<Office>, Query(q): Query<FaultMode>) -> Answer {
    let mode = FAULTS
        .iter()
        .position(|f| *f == q.mode)
        .ok_or_else(|| invalid(format!("`mode` has to be one of {}", FAULTS.join(", "))))?;
    o.fault.store(mode as u8, Ordering::Relaxed);
    Ok(Json(json!({"fault": q.mode})))
}

/// `slow`: answers after 20 s. `500`: does nothing and says so badly. `broken`: JSON cut in half. `lost`: carries the request
/// out, then answers 504. A request may ask for one by itself with the header `x-fault`.
async fn misbehave(State(o): State<Office>, request: Request, next: Next) -> Response {
    let own = request
        .headers()
        .get("x-fault")
        .and_then(|f| f.to_str().ok());
    let mode = own
        .unwrap_or(FAULTS[usize::from(o.fault.load(Ordering::Relaxed)).min(FAULTS.len() - 1)])
        .to_owned();
    match mode.as_str() {
        "slow" => {
            tokio::time::sleep(Duration::from_secs(20)).await;
            next.run(request).await
        }
        "500" => (StatusCode::INTERNAL_SERVER_ERROR, "oops").into_response(),
        "broken" => (
            [(header::CONTENT_TYPE, "application/json")],
            Body::from("{\"amount\": \"$4"),
        )
            .into_response(),
        "lost" => {
            next.run(request).await;
            StatusCode::GATEWAY_TIMEOUT.into_response()
        }
        _ => next.run(request).await,
    }
}

// ---- Small change ----

/// `$42.50`, `$1,204.00`.
fn dollars(cents: i64) -> String {
    let (whole, part) = (cents / 100, cents % 100);
    let digits = whole.to_string();
    let mut grouped = String::new();
    for (i, d) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(d);
    }
    format!("${grouped}.{part:02}")
}

/// `November 20`, for a sentence that is read out; as it is where it is no date.
fn spoken_day(day: &str) -> String {
    day.parse::<Date>()
        .map_or_else(|_| day.to_owned(), |d| d.strftime("%B %-d").to_string())
}

/// An amount in dollars as a number or as text, in cents. None where it is not a whole number of cents.
fn cents(v: &Value) -> Option<i64> {
    let amount = match v {
        Value::Number(n) => n.as_f64()?,
        Value::String(s) => s
            .trim()
            .trim_start_matches('$')
            .replace(',', "")
            .parse::<f64>()
            .ok()?,
        _ => return None,
    };
    let cents = (amount * 100.0).round();
    ((amount * 100.0 - cents).abs() < 1e-6 && cents.abs() < 1e12).then_some(cents as i64)
}

/// Ten digits of a U.S. number, with or without +1.
fn national(phone: &str) -> Option<String> {
    let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
    match (digits.len(), digits.strip_prefix('1')) {
        (10, _) => Some(digits),
        (11, Some(rest)) => Some(rest.to_owned()),
        _ => None,
    }
}

// ---- Made data ----

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS customers (id TEXT PRIMARY KEY, name TEXT NOT NULL, phone TEXT NOT NULL UNIQUE, email TEXT NOT NULL,
    postcode TEXT NOT NULL, date_of_birth TEXT NOT NULL, card_ending TEXT NOT NULL, autopay INTEGER NOT NULL DEFAULT 1,
    reminders TEXT NOT NULL DEFAULT 'text', paused_on TEXT);
CREATE TABLE IF NOT EXISTS orders (id TEXT PRIMARY KEY, customer_id TEXT NOT NULL REFERENCES customers(id), store TEXT NOT NULL,
    item TEXT NOT NULL, cents INTEGER NOT NULL, placed_on TEXT NOT NULL, state TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS installments (id TEXT PRIMARY KEY, order_id TEXT NOT NULL REFERENCES orders(id), cents INTEGER NOT NULL,
    first_due TEXT NOT NULL, due TEXT NOT NULL, paid_on TEXT);
CREATE TABLE IF NOT EXISTS refunds (id TEXT PRIMARY KEY, order_id TEXT NOT NULL REFERENCES orders(id), cents INTEGER NOT NULL,
    state TEXT NOT NULL, changed_on TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS writes (key TEXT PRIMARY KEY, asked TEXT NOT NULL, status INTEGER NOT NULL, answer TEXT NOT NULL,
    at TEXT NOT NULL, repeats INTEGER NOT NULL DEFAULT 0);
";

/// Id, name, phone, email, ZIP, date of birth, card.
const CUSTOMERS: [[&str; 7]; 8] = [
    [
        "c1001",
        "Maya Collins",
        "2025550142",
        "maya.collins@mail.example",
        "60614",
        "1988-03-14",
        "4417",
    ],
    [
        "c1002",
        "Daniel Reyes",
        "2025550117",
        "d.reyes@mail.example",
        "30309",
        "1979-11-02",
        "0932",
    ],
    [
        "c1003",
        "Oliver Grant",
        "2025550163",
        "oliver.grant@mail.example",
        "98101",
        "1991-07-23",
        "7781",
    ],
    [
        "c1004",
        "Priya Natarajan",
        "2025550128",
        "priya.n@mail.example",
        "02139",
        "1995-12-30",
        "2250",
    ],
    [
        "c1005",
        "Hannah Weiss",
        "2025550171",
        "hweiss@mail.example",
        "80205",
        "1967-05-09",
        "6104",
    ],
    [
        "c1006",
        "Marcus Bell",
        "2025550186",
        "marcus.bell@mail.example",
        "77006",
        "2001-09-18",
        "3395",
    ],
    [
        "c1007",
        "Elena Petrova",
        "2025550199",
        "elena.p@mail.example",
        "94110",
        "1983-01-27",
        "8812",
    ],
    [
        "c1008",
        "Sam Whitaker",
        "2025550105",
        "sam.w@mail.example",
        "04101",
        "1958-08-06",
        "5570",
    ],
];

/// Order, customer, store, item, cents, days since, state, number of payments, days between them.
type OrderRow = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    i64,
    i32,
    &'static str,
    i32,
    i32,
);

#[rustfmt::skip]
const ORDERS: [OrderRow; 11] = [
    ("o501", "c1001", "Juniper & Pine", "a wool coat",         17_000, 24, "delivered", 4, 14),
    ("o502", "c1002", "Bright Kettle",  "an espresso machine", 30_600, 10, "delivered", 4, 14),
    ("o503", "c1003", "Northway Bikes", "a commuter bike",     96_000, 56, "delivered", 6, 30),
    ("o504", "c1004", "Field & Loom",   "a set of towels",      8_480, 38, "delivered", 4, 14),
    ("o505", "c1004", "Juniper & Pine", "a rain jacket",       12_900, 5,  "shipped",   4, 14),
    // Overdue: its third payment was due four days ago.
    ("o506", "c1005", "Harbor Audio",   "headphones",          19_960, 32, "delivered", 4, 14),
    // Very overdue.
    ("o507", "c1006", "Corner Arcade",  "a game console",      45_000, 90, "delivered", 4, 14),
    // Paid off.
    ("o508", "c1007", "Bright Kettle",  "a toaster",            6_400, 80, "delivered", 4, 14),
    ("o509", "c1008", "Larkspur Home",  "a desk lamp",          5_200, 2,  "placed",    4, 14),
    ("o510", "c1008", "Field & Loom",   "a duvet",             14_400, 20, "cancelled", 4, 14),
    ("o511", "c1001", "Larkspur Home",  "a reading chair",     42_000, 47, "delivered", 3, 30),
];

/// Order, cents, state, days since.
const REFUNDS: [(&str, i64, &str, i32); 3] = [
    ("o504", 2_120, "sent", 3),
    ("o510", 3_600, "received", 1),
    ("o506", 4_990, "waiting", 6),
];

async fn seed(db: &SqlitePool, today: Date) -> anyhow::Result<()> {
    let mut tx = db.begin().await?;
    for c in CUSTOMERS {
        let mut q = sqlx::query(
            "INSERT INTO customers (id, name, phone, email, postcode, date_of_birth, card_ending) VALUES (?, ?, ?, ?, ?, ?, ?)",
        );
        for field in c {
            q = q.bind(field);
        }
        q.execute(&mut *tx).await?;
    }
    for (id, customer, store, item, total, ago, state, parts, every) in ORDERS {
        let placed = today.saturating_sub(ago.days());
        sqlx::query("INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?)")
            .bind(id)
            .bind(customer)
            .bind(store)
            .bind(item)
            .bind(total)
            .bind(placed.to_string())
            .bind(state)
            .execute(&mut *tx)
            .await?;
        if state == "cancelled" {
            continue;
        }
        for n in 0..parts {
            // Pay in 4 takes the first part at checkout, a monthly plan a month later.
            let due = placed.saturating_add((every * if every == 14 { n } else { n + 1 }).days());
            let late_customer = ["c1005", "c1006"].contains(&customer) && n >= 2;
            let paid = (due < today && !late_customer).then(|| due.to_string());
            sqlx::query("INSERT INTO installments VALUES (?, ?, ?, ?, ?, ?)")
                .bind(format!("{id}-{}", n + 1))
                .bind(id)
                .bind(total / i64::from(parts))
                .bind(due.to_string())
                .bind(due.to_string())
                .bind(paid)
                .execute(&mut *tx)
                .await?;
        }
    }
    for (order, amount, state, ago) in REFUNDS {
        sqlx::query("INSERT INTO refunds VALUES (?, ?, ?, ?, ?)")
            .bind(format!("r-{order}"))
            .bind(order)
            .bind(amount)
            .bind(state)
            .bind(today.saturating_sub(ago.days()).to_string())
            .execute(&mut *tx)
            .await?;
    }
    tx.commit().await?;
    Ok(())
}
