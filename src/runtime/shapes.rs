//! The hand-over packet in the words of those who get it: our own JSON, a ticket in Zendesk, Intercom or Freshdesk, or plain text.
//!
//! A call's first packet makes a ticket; the later ones (a human accepted, the call ended) are added to it. Shapes are those of the
//! vendors' public documentation: Zendesk Ticketing API, "Create Ticket" and "Update Ticket" (developer.zendesk.com); Intercom REST API
//! 2.11, "Create a ticket" and "Update a ticket" (developers.intercom.com); Freshdesk API v2, "Create a Ticket" and "Add a Note to a
//! Ticket" (developers.freshdesk.com).

use serde_json::{Value, json};

use crate::config::Shape;

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub method: &'static str,
    pub url: String,
    pub content_type: &'static str,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

/// Where and how packets go.
#[derive(Debug, Clone, Default)]
pub struct Receiver {
    pub shape: Shape,
    /// As configured: the whole address for our own shape and e-mail, the site (`https://brook.zendesk.com`) for a vendor's.
    pub url: String,
    /// Intercom's ticket type.
    pub ticket_type: Option<String>,
}

impl Receiver {
    /// The request for a packet. `remote`: the ticket that an earlier packet of this call made. `id`: the packet's own, the same at every
    /// try.
    pub fn request(&self, packet: &Value, id: &str, remote: Option<&str>) -> Request {
        let json = |method, path: &str, body: Value| Request {
            method,
            url: self.at(path),
            content_type: "application/json",
            headers: Vec::new(),
            body: body.to_string(),
        };
        let text = plain(packet);
        let subject = subject(packet);
        match (self.shape, remote) {
            (Shape::Firstline, _) => json("POST", "", packet.clone()),
            (Shape::Email, _) => Request {
                method: "POST",
                url: self.url.clone(),
                content_type: "text/plain; charset=utf-8",
                headers: Vec::new(),
                body: format!("Subject: {subject}\n\n{text}"),
            },
            (Shape::Zendesk, None) => {
                let name = caller(packet);
                let mut ticket = json!({
                    "subject": subject,
                    "comment": { "body": text, "public": false },
                    "requester": { "name": name },
                    "external_id": packet["call_id"],
                    "tags": ["firstline", tag(packet)],
                });
                if urgent(packet) {
                    ticket["priority"] = json!("urgent");
                }
                let mut request = json("POST", "/api/v2/tickets.json", json!({ "ticket": ticket }));
                // A try whose answer was lost makes no second ticket.
                request.headers.push(("idempotency-key", id.to_owned()));
                request
            }
            (Shape::Zendesk, Some(ticket)) => json(
                "PUT",
                &format!("/api/v2/tickets/{ticket}.json"),
                json!({ "ticket": { "comment": { "body": text, "public": false } } }),
            ),
            (Shape::Intercom, None) => {
                let digits: String = from(packet).chars().filter(char::is_ascii_digit).collect();
                let who = if digits.is_empty() {
                    "withheld".into()
                } else {
                    digits
                };
                let mut request = json(
                    "POST",
                    "/tickets",
                    json!({
                        "ticket_type_id": self.ticket_type,
                        // A contact is found, or made, by an address; callers have none, so that one stands in which can never be written to (RFC 2606).
                        "contacts": [{ "email": format!("{who}@caller.invalid") }],
                        "ticket_attributes": { "_default_title_": subject, "_default_description_": text },
                    }),
                );
                request.headers.push(("intercom-version", "2.11".into()));
                request
            }
            (Shape::Intercom, Some(ticket)) => {
                let mut request = json(
                    "PUT",
                    &format!("/tickets/{ticket}"),
                    json!({ "ticket_attributes": { "_default_title_": subject, "_default_description_": text } }),
                );
                request.headers.push(("intercom-version", "2.11".into()));
                request
            }
            (Shape::Freshdesk, None) => {
                let mut body = json!({
                    "subject": subject,
                    "description": html(&text),
                    "name": caller(packet),
                    // Open.
                    "status": 2,
                    "priority": if urgent(packet) { 4 } else { 2 },
                    // Phone.
                    "source": 3,
                    "tags": ["firstline", tag(packet)],
                });
                match from(packet) {
                    "" => body["email"] = json!("withheld@caller.invalid"),
                    number => body["phone"] = json!(number),
                }
                json("POST", "/api/v2/tickets", body)
            }
            (Shape::Freshdesk, Some(ticket)) => json(
                "POST",
                &format!("/api/v2/tickets/{ticket}/notes"),
                json!({ "body": html(&text), "private": true }),
            ),
        }
    }

    fn at(&self, path: &str) -> String {
        if path.is_empty() {
            return self.url.clone();
        }
        format!("{}{path}", self.url.trim_end_matches('/'))
    }

    /// The ticket's id in the answer to a first packet.
    pub fn remote(&self, answer: &str) -> Option<String> {
        let answer: Value = serde_json::from_str(answer).ok()?;
        let id = match self.shape {
            Shape::Firstline | Shape::Email => return None,
            Shape::Zendesk => &answer["ticket"]["id"],
            Shape::Intercom | Shape::Freshdesk => &answer["id"],
        };
        match id {
            Value::String(id) if !id.is_empty() => Some(id.clone()),
            Value::Number(id) => Some(id.to_string()),
            _ => None,
        }
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn from(packet: &Value) -> &str {
    text(packet, "from")
}

fn caller(packet: &Value) -> String {
    match (text(&packet["handoff"], "caller_name"), from(packet)) {
        ("", "") => "Caller with a withheld number".into(),
        ("", number) => format!("Caller {number}"),
        (name, _) => name.into(),
    }
}

fn tag(packet: &Value) -> String {
    match text(&packet["handoff"], "reason") {
        "" => "handover".into(),
        reason => reason.into(),
    }
}

fn urgent(packet: &Value) -> bool {
    ["fraud", "distress"].contains(&text(&packet["handoff"], "reason"))
}

fn subject(packet: &Value) -> String {
    let about = match text(&packet["handoff"], "intent") {
        "" => "a call".into(),
        intent => intent.replace('_', " "),
    };
    format!("Phone: {about} ({})", caller(packet))
}

/// The packet as one would write it to a colleague.
pub fn plain(packet: &Value) -> String {
    let handoff = &packet["handoff"];
    let mut out = Vec::new();
    let mut line = |label: &str, value: &str| {
        if !value.is_empty() {
            out.push(format!("{label}: {value}"));
        }
    };
    line("Caller", &caller(packet));
    line("Number", from(packet));
    line("Verified", text(handoff, "verified"));
    line("Why", &crate::desk::handoff::why(text(handoff, "reason")));
    line("Summary", text(handoff, "summary"));
    line("Open", text(handoff, "open_question"));
    line("Mood", text(handoff, "sentiment"));
    let list = |value: &Value| -> Vec<String> {
        value
            .as_array()
            .map(|a| {
                a.iter()
                    .filter_map(Value::as_str)
                    .map(str::to_owned)
                    .collect()
            })
            .unwrap_or_default()
    };
    line("Tried", &list(&handoff["tried"]).join("; "));
    for action in packet["actions"].as_array().into_iter().flatten() {
        line(
            "Action",
            &format!("{}: {}", text(action, "name"), text(action, "status")),
        );
    }
    for target in handoff["targets"].as_array().into_iter().flatten() {
        line(
            "Rung",
            &format!("{}: {}", text(target, "uri"), text(target, "outcome")),
        );
    }
    let result = match text(handoff, "result") {
        "" => "a colleague is being called",
        "accepted" => "a colleague took the call",
        "callback" => "a callback was promised",
        "returned" => "nobody took it; the caller went on with the assistant",
        "caller_gone" => "the caller left before anybody took it",
        other => other,
    };
    line("Result", result);
    line("Note", text(handoff, "note"));
    line("Handed back", text(handoff, "handed_back"));
    line("Left as", text(&handoff["closing"], "status"));
    line("Recording", text(packet, "recording"));
    line("Call", text(packet, "call_id"));
    let turns = packet["transcript"].as_array().into_iter().flatten();
    let mut said = Vec::new();
    for turn in turns {
        for (who, key) in [("Caller", "caller"), ("Assistant", "agent")] {
            let words = text(turn, key);
            if !words.is_empty() {
                said.push(format!("{who}: {words}"));
            }
        }
    }
    if !said.is_empty() {
        out.push(format!("\n{}", said.join("\n")));
    }
    out.join("\n")
}

/// Text as HTML, where a vendor takes nothing else.
fn html(text: &str) -> String {
    let safe = text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    safe.replace('\n', "<br>")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet() -> Value {
        json!({
            "type": "handoff", "call_id": "c-1", "from": "+15550101",
            "recording": "https://phone.example/api/calls/c-1/audio",
            "handoff": {
                "reason": "fraud", "intent": "card_fraud", "summary": "A charge <they> never made.", "verified": "full",
                "sentiment": "worried", "open_question": "", "tried": ["Looked it up"], "result": "", "caller_name": "Ada Brook",
                "targets": [{ "uri": "sip:a@h", "outcome": "busy", "ms": 1 }],
            },
            "transcript": [{ "caller": "I never bought that.", "agent": "I'll bring in a colleague." }],
            "actions": [],
        })
    }

    fn receiver(shape: Shape) -> Receiver {
        Receiver {
            shape,
            url: "https://brook.example/".into(),
            ticket_type: Some("9".into()),
        }
    }

    fn body(request: &Request) -> Value {
        serde_json::from_str(&request.body).unwrap()
    }

    #[test]
    fn zendesk() {
        let to = receiver(Shape::Zendesk);
        let made = to.request(&packet(), "p-1", None);
        assert_eq!(
            (made.method, made.url.as_str()),
            ("POST", "https://brook.example/api/v2/tickets.json")
        );
        assert_eq!(made.headers, [("idempotency-key", "p-1".to_string())]);
        let ticket = &body(&made)["ticket"];
        assert_eq!(ticket["external_id"], "c-1");
        assert_eq!(ticket["priority"], "urgent");
        assert_eq!(ticket["comment"]["public"], false);
        assert_eq!(ticket["requester"]["name"], "Ada Brook");
        assert!(
            text(&ticket["comment"], "body").contains("https://phone.example/api/calls/c-1/audio")
        );
        assert_eq!(
            to.remote(r#"{"ticket": {"id": 35436}}"#).as_deref(),
            Some("35436")
        );
        let more = to.request(&packet(), "p-2", Some("35436"));
        assert_eq!(
            (more.method, more.url.as_str()),
            ("PUT", "https://brook.example/api/v2/tickets/35436.json")
        );
        assert_eq!(body(&more)["ticket"]["comment"]["public"], false);
    }

    #[test]
    fn intercom() {
        let to = receiver(Shape::Intercom);
        let made = to.request(&packet(), "p-1", None);
        assert_eq!(
            (made.method, made.url.as_str()),
            ("POST", "https://brook.example/tickets")
        );
        let sent = body(&made);
        assert_eq!(sent["ticket_type_id"], "9");
        assert_eq!(sent["contacts"][0]["email"], "15550101@caller.invalid");
        assert!(text(&sent["ticket_attributes"], "_default_title_").contains("card fraud"));
        assert_eq!(
            to.remote(r#"{"type": "ticket", "id": "481"}"#).as_deref(),
            Some("481")
        );
        let more = to.request(&packet(), "p-2", Some("481"));
        assert_eq!(
            (more.method, more.url.as_str()),
            ("PUT", "https://brook.example/tickets/481")
        );
    }

    #[test]
    fn freshdesk() {
        let to = receiver(Shape::Freshdesk);
        let made = to.request(&packet(), "p-1", None);
        assert_eq!(
            (made.method, made.url.as_str()),
            ("POST", "https://brook.example/api/v2/tickets")
        );
        let sent = body(&made);
        assert_eq!(
            (&sent["status"], &sent["source"], &sent["priority"]),
            (&json!(2), &json!(3), &json!(4))
        );
        assert_eq!(
            (&sent["phone"], &sent["name"]),
            (&json!("+15550101"), &json!("Ada Brook"))
        );
        assert!(
            text(&sent, "description").contains("&lt;they&gt;"),
            "it is HTML"
        );
        let more = to.request(&packet(), "p-2", Some("12"));
        assert_eq!(more.url, "https://brook.example/api/v2/tickets/12/notes");
        assert_eq!(body(&more)["private"], true);
        let mut withheld = packet();
        withheld["from"] = Value::Null;
        assert!(
            body(&to.request(&withheld, "p", None))["email"].is_string(),
            "one of phone and email is needed"
        );
    }

    #[test]
    fn email_is_text_with_a_subject_and_ours_is_as_it_is() {
        let mail = receiver(Shape::Email).request(&packet(), "p", None);
        assert!(mail.content_type.starts_with("text/plain"));
        assert!(
            mail.body
                .starts_with("Subject: Phone: card fraud (Ada Brook)\n\nCaller: Ada Brook\n"),
            "{}",
            mail.body
        );
        assert!(
            mail.body.contains("Rung: sip:a@h: busy")
                && mail.body.contains("Caller: I never bought that.")
        );
        let ours = receiver(Shape::Firstline).request(&packet(), "p", Some("1"));
        assert_eq!(
            (ours.url.as_str(), body(&ours)),
            ("https://brook.example/", packet())
        );
    }
}
