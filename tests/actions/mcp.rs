//! Actions on an MCP server that is a program of its own, over both transports, with the guarantees that HTTP has.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use firstline::backoffice::Backoffice;
use firstline::desk::{Ask, BackofficeConfig, McpServer, Outcome, Request, Terms, ToolCall};
use firstline::runtime::actions::perform_recorded;
use firstline::runtime::reconcile;
use firstline::store::Store;
use serde_json::{Value, json};

use super::{Dir, example, later, serving};
use crate::ports::free_port;

fn tool(name: &str, arguments: Value) -> ToolCall {
    ToolCall {
        server: "points".into(),
        tool: name.into(),
        arguments: arguments.as_object().unwrap().clone(),
    }
}

fn read(name: &str, arguments: Value) -> Request {
    Request {
        method: "MCP".into(),
        path: format!("/points/{name}"),
        name: name.into(),
        tool: Some(Box::new(tool(name, arguments))),
        ..Request::default()
    }
}

fn add(key: &str, points: i64) -> Request {
    let mut slots = serde_json::Map::new();
    slots.insert("points".into(), points.into());
    Request {
        idempotency_key: Some(key.into()),
        slots,
        terms: Some(Box::new(Terms {
            customer: Some("c1".into()),
            ask: Some(Ask {
                method: "MCP".into(),
                path: "/points/operation".into(),
                tool: Some(tool("operation", json!({ "key": key }))),
                status: "status".into(),
                result: "result".into(),
                done: vec!["done".into()],
                failed: vec!["failed".into()],
            }),
            ..Terms::default()
        })),
        ..read(
            "add_points",
            json!({"customer": "c1", "points": points, "key": key}),
        )
    }
}

fn office(server: McpServer) -> Backoffice {
    let config = BackofficeConfig {
        mcp: BTreeMap::from([("points".to_owned(), server)]),
        ..BackofficeConfig::default()
    };
    Backoffice::new(&config, &|_| None, Duration::from_millis(1500)).unwrap()
}

fn stdio(dir: &Dir) -> McpServer {
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    McpServer::Stdio {
        command: vec![
            text(&example("larchpay_mcp")),
            "--log".into(),
            text(&dir.path("points.jsonl")),
            "--fault".into(),
            text(&dir.path("fault")),
        ],
        env: Vec::new(),
    }
}

fn effects(dir: &Dir) -> usize {
    let log = std::fs::read_to_string(dir.path("points.jsonl")).unwrap_or_default();
    log.lines().count()
}

#[tokio::test]
async fn a_tool_is_an_action_like_any_other() {
    let dir = Dir::new();
    let store = Store::open(&dir.url()).await.unwrap();
    let office = office(stdio(&dir));
    let balance = office
        .perform(&read("points_balance", json!({"customer": "c1"})))
        .await;
    assert_eq!(balance, Outcome::Done(json!({"points": 100})));
    let done = Outcome::Done(json!({"added": 5, "points": 105}));
    let perform = |request: Request| {
        let (store, office) = (store.clone(), office.clone());
        async move { perform_recorded(&store, &office, "call", &request).await }
    };
    assert_eq!(perform(add("a", 5)).await, done);
    // The same key again is answered from the ledger.
    assert_eq!(perform(add("a", 5)).await, done);
    // The same effect from another call, its caller not told yet: found, and not done twice.
    assert_eq!(
        perform(add("b", 5)).await,
        Outcome::Before(json!({"added": 5, "points": 105}))
    );
    assert_eq!(effects(&dir), 1);
    // What is not understood is refused; a tool that is not there, too.
    let wrong = read("add_points", json!({"customer": "c1"}));
    assert!(matches!(office.perform(&wrong).await, Outcome::Refused(_)));
    let none = read("take_points", json!({}));
    assert!(matches!(office.perform(&none).await, Outcome::Refused(_)));

    // It does it, and dies before it answers: asked, once it is up again, it says so.
    let fault = |word: &str| std::fs::write(dir.path("fault"), word).unwrap();
    fault("die");
    let answer = tokio::spawn(perform(add("c", 7)));
    tokio::time::sleep(Duration::from_millis(100)).await;
    fault("off");
    assert_eq!(
        answer.await.unwrap(),
        Outcome::Done(json!({"added": 7, "points": 112}))
    );
    // An error of the tool may be one before or after the deed; nobody knows of it, so it is not known.
    fault("error");
    let answer = perform(add("d", 9)).await;
    assert!(matches!(answer, Outcome::Unknown(_)), "{answer:?}");
    // It does it, and is silent. Asked, it says that it is done.
    fault("slow");
    let began = Instant::now();
    assert_eq!(
        perform(add("e", 1)).await,
        Outcome::Done(json!({"added": 1, "points": 113}))
    );
    assert!(began.elapsed() < Duration::from_secs(10));
    fault("off");
    assert_eq!(effects(&dir), 3);

    // The one nobody knew of is asked about later, and turns out never to have been done.
    let later = later(&dir).await;
    let found = reconcile::sweep(&later, Some(&office)).await.unwrap();
    let found: Vec<_> = found.iter().map(|(c, o)| (c.key.as_str(), o)).collect();
    assert!(
        matches!(found[..], [("d", Outcome::Failed(_))]),
        "{found:?}"
    );
    assert_eq!(effects(&dir), 3);
    assert!(
        office.reachable().await[0]
            .as_ref()
            .unwrap()
            .contains("3 tools")
    );
    store.close().await;
}

#[tokio::test]
async fn over_http_too_and_over_a_restart() {
    let dir = Dir::new();
    let store = Store::open(&dir.url()).await.unwrap();
    let start = |listen: &str| {
        let mut command = Command::new(example("larchpay_mcp"));
        command
            .args(["--http", listen, "--log"])
            .arg(dir.path("points.jsonl"));
        serving(command)
    };
    let (server, address) = start(&format!("127.0.0.1:{}", free_port()));
    let office = office(McpServer::Http {
        url: format!("http://{address}/mcp"),
        auth_env: None,
    });
    let done = perform_recorded(&store, &office, "call", &add("a", 5)).await;
    assert_eq!(done, Outcome::Done(json!({"added": 5, "points": 105})));
    drop(server);
    // Nobody there: nothing was sent, and the same may be sent again.
    let down = perform_recorded(&store, &office, "call", &add("b", 6)).await;
    assert!(matches!(down, Outcome::Failed(_)), "{down:?}");
    let (_server, _) = start(&address);
    let done = perform_recorded(&store, &office, "call", &add("b", 6)).await;
    assert_eq!(done, Outcome::Done(json!({"added": 6, "points": 111})));
    assert_eq!(effects(&dir), 2);
    store.close().await;
}

#[tokio::test]
async fn a_server_that_is_not_there_means_that_nothing_was_sent() {
    let office = office(McpServer::Stdio {
        command: vec!["/no/such/program".into()],
        env: Vec::new(),
    });
    let answer = office.perform(&add("a", 1)).await;
    assert!(matches!(answer, Outcome::Failed(_)), "{answer:?}");
    assert!(office.reachable().await[0].is_err());
}
