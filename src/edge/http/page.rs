//! The console's files, embedded. They hold no data: what they show comes over the API, with the token.

use axum::Router;
use axum::http::header;
use axum::routing::get;

use super::Shared;

pub(super) fn routes() -> Router<Shared> {
    let file = |kind: &'static str, text: &'static str| {
        get(move || async move { ([(header::CONTENT_TYPE, kind)], text) })
    };
    Router::new()
        .route(
            "/console",
            file(
                "text/html; charset=utf-8",
                include_str!("../../console/index.html"),
            ),
        )
        .route(
            "/console/console.js",
            file(
                "text/javascript; charset=utf-8",
                include_str!("../../console/console.js"),
            ),
        )
        .route(
            "/console/console.css",
            file(
                "text/css; charset=utf-8",
                include_str!("../../console/console.css"),
            ),
        )
}
