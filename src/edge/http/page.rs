//! The console's files, embedded. They hold no data: what they show comes over the API, with the token.

use axum::Router;
use axum::http::header;
use axum::routing::get;

use super::Shared;

pub(super) fn routes() -> Router<Shared> {
    let file = |kind: &'static str, text: &'static str| {
        get(move || async move { ([(header::CONTENT_TYPE, kind)], text) })
    };
    let mut routes = Router::new();
    for (path, kind, text) in FILES {
        routes = routes.route(path, file(kind, text));
    }
    routes
}

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

macro_rules! embedded {
    ($name:literal) => {
        include_str!(concat!("../../console/", $name))
    };
}

/// Path, type and text of each.
const FILES: &[(&str, &str, &str)] = &[
    ("/console", HTML, embedded!("index.html")),
    ("/console/console.css", STYLE, embedded!("console.css")),
    ("/console/console.js", SCRIPT, embedded!("console.js")),
    ("/console/kit.js", SCRIPT, embedded!("kit.js")),
    ("/console/live.js", SCRIPT, embedded!("live.js")),
    ("/console/call.js", SCRIPT, embedded!("call.js")),
    ("/console/charts.js", SCRIPT, embedded!("charts.js")),
    ("/console/playbook.js", SCRIPT, embedded!("playbook.js")),
    ("/console/voice.js", SCRIPT, embedded!("voice.js")),
    ("/console/worklet.js", SCRIPT, embedded!("worklet.js")),
    ("/console/icon.svg", "image/svg+xml", embedded!("icon.svg")),
];
