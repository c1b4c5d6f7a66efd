//! The physical limit of the stack: a server that reads the same JSON and writes the same JSON, and knows nothing in between.

use std::{net::TcpListener, time::Duration};

use actix_web::{App, HttpResponse, HttpServer, web};
use anyhow::Result;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Read whole, as the product reads it: what is not looked at has to be valid all the same.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Question {
    user_id: Option<String>,
    group_id: Option<String>,
    region: Option<String>,
    attributes: Option<Value>,
}

#[derive(Serialize)]
struct Answer<'a> {
    key: &'a str,
    enabled: bool,
    source: &'a str,
}

/// What it answers to everybody, after the key.
pub const ANSWER: (bool, &str) = (true, "PERCENTAGE_ROLLOUT");

async fn evaluate(key: web::Path<String>, question: web::Json<Question>) -> HttpResponse {
    let Question { user_id, group_id, region, attributes } = question.into_inner();
    std::hint::black_box((user_id, group_id, region, attributes));
    let (enabled, source) = ANSWER;
    HttpResponse::Ok().json(Answer { key: &key, enabled, source })
}

/// Serves on a free port until the process is killed, and says where.
pub fn serve() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let route = "/features/{key}/evaluate";
    let server = HttpServer::new(move || App::new().service(web::resource(route).post(evaluate)))
        .keep_alive(Duration::from_secs(75))
        .disable_signals()
        .listen(listener)?;
    println!("bare listens on http://{address}");
    actix_web::rt::System::new().block_on(server.run())?;
    Ok(())
}
