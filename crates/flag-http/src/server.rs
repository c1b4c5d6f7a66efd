//! The server: the one place where routes, middleware and limits are put together. Tests and the binary use the same.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, web};

use crate::connections;
use crate::middleware;
use crate::node::Node;
use crate::routes;
use crate::worker::Worker;

/// What a server allows itself and its clients.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Threads that answer; absent, one for each core.
    pub workers: Option<usize>,
    /// How long requests under way may take after the order to stop, in seconds.
    pub shutdown_seconds: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { workers: None, shutdown_seconds: 5 }
    }
}

/// Serves `node` on `listener` until the server's handle is told to stop. Signals are the caller's affair.
///
/// # Errors
/// [`io::Error`] if the listener cannot be used.
pub fn serve(listener: TcpListener, node: web::Data<Node>, limits: Limits) -> io::Result<Server> {
    let connections = Arc::clone(&node.connections);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(node.clone())
            .app_data(Worker::start(&node))
            .wrap(from_fn(middleware::pass))
            .configure(routes::mount)
    })
    .keep_alive(Duration::from_secs(75))
    .client_request_timeout(Duration::from_secs(5))
    .client_disconnect_timeout(Duration::from_secs(2))
    .max_connections(connections::MOST)
    .on_connect(move |_, belongings| connections.count(belongings))
    .disable_signals()
    .shutdown_timeout(limits.shutdown_seconds);
    let server = match limits.workers {
        Some(workers) => server.workers(workers),
        None => server,
    };
    Ok(server.listen(listener)?.run())
}
