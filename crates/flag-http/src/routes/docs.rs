//! The interface described by itself: the OpenAPI document, a page to try it, and a word of welcome.

use actix_web::HttpResponse;
use actix_web::http::header::{CONTENT_SECURITY_POLICY, ContentType};

use crate::openapi;

/// The OpenAPI document.
pub(crate) async fn document() -> HttpResponse {
    HttpResponse::Ok().json(openapi::document())
}

/// What the page may do: run its own script, speak to this server, and nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";

/// A page to read the document and to try the routes. It loads nothing from elsewhere.
pub(crate) async fn page() -> HttpResponse {
    let mut response = HttpResponse::Ok();
    response.insert_header((CONTENT_SECURITY_POLICY, POLICY)).content_type(ContentType::html());
    response.body(include_str!("docs/page.html"))
}

/// The page's looks.
pub(crate) async fn style() -> HttpResponse {
    HttpResponse::Ok().content_type("text/css; charset=utf-8").body(include_str!("docs/page.css"))
}

/// The page's doings.
pub(crate) async fn script() -> HttpResponse {
    HttpResponse::Ok().content_type("text/javascript; charset=utf-8").body(include_str!("docs/page.js"))
}

/// Where to go from here.
pub(crate) async fn welcome() -> HttpResponse {
    HttpResponse::Ok().json(serde_json::json!({
        "name": "flag",
        "version": env!("CARGO_PKG_VERSION"),
        "features": "/features",
        "log": "/environments/default/changes",
        "docs": "/docs",
        "openapi": "/openapi.json",
        "health": "/readyz",
    }))
}
