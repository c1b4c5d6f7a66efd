//! Nodes are told to stop and started anew, one after the other, under load through a balancer that knows of it only what
//! health checks say.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use anyhow::Result;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::Scenario;
use crate::api::Api;
use crate::journal::{Journal, Outcome, Wish};
use crate::load::{Running, Stop, prepare_steady};
use crate::mutant::{Bug, Edit, Mutant};
use crate::site::{Bench, Hints, Site};
use crate::verdict::{Figures, Times, must};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "T22-rolling",
    sentence: "three nodes are told to stop and are started anew, one after the other, while clients ask and write through a round \
               robin that asks for their health four times a second; no request fails and no node takes long to end",
    target: "0 failed requests, exit < 5 s",
    run: |bench| Box::pin(run(bench)),
    mutants: &[Mutant {
        what: "a node that is told to stop answers nobody any more",
        bug: Bug::Source(&[
            Edit {
                file: "crates/flag/src/serve.rs",
                text: "FAREWELL: Duration = Duration::from_secs(2)",
                replacement: "FAREWELL: Duration = Duration::ZERO",
            },
            Edit {
                file: "crates/flag/src/serve.rs",
                text: "tokio::spawn(server.stop(true));",
                replacement: "tokio::spawn(server.stop(false));",
            },
        ]),
    }],
};

const NODES: usize = 3;
/// How often the balancer asks each node for its health.
const HEALTH: Duration = Duration::from_millis(250);
const EXIT_WITHIN: Duration = Duration::from_secs(5);

async fn run(bench: Bench) -> Result<Figures> {
    let mut site = Site::start(&bench, NODES, Hints::Redis).await?;
    let journal = Journal::default();
    prepare_steady(&site.api, site.nodes[0].url(), &journal).await?;
    site.converge(Duration::from_secs(10)).await?;
    let balancer = Arc::new(Balancer::of(site.urls()));
    let mut clients = Running::none();
    let (api, checked) = (site.api.clone(), Arc::clone(&balancer));
    clients.add(|stop| async move { checked.ask_for_health(&api, stop).await });
    for client in 0..bench.pick(8, 16) {
        let balancer = Arc::clone(&balancer);
        // Half of them keep their connections, as services do; the others make one for each request.
        let kept = if client % 2 == 0 { 4 } else { 0 };
        clients.add(|stop| ask(balancer, kept, stop));
    }
    for writer in 0..2 {
        let (balancer, journal) = (Arc::clone(&balancer), journal.clone());
        clients.add(|stop| write(balancer, journal, writer, stop));
    }
    let mut exits = Times::default();
    let mut chance = bench.chance("pauses");
    for _ in 0..bench.pick(1, 8) {
        for number in 0..NODES {
            sleep(chance.millis(100, 400)).await;
            let (code, took) = site.nodes[number].terminate(Duration::from_secs(20)).await?;
            let log = site.nodes[number].log();
            must!(code == Some(0), "a node that was told to stop ended with {code:?} after {took:?}:\n{log}");
            exits.push(took);
            site.start_node(number).await?;
            balancer.put(number, site.nodes[number].url());
        }
    }
    sleep(Duration::from_millis(200)).await;
    let mut asked = Times::default();
    for times in clients.finish().await? {
        asked.append(times);
    }
    must!(exits.max() < bench.within(EXIT_WITHIN), "nodes take long to end: {}", exits.line());
    site.agree(bench.within(Duration::from_secs(3)), &mut bench.chance("questions")).await?;
    let tally = journal.settle(&site.database.log().await?)?;
    must!(tally.refused + tally.unknown == 0, "{}", tally.line());
    Ok(Figures::default()
        .with(format!("{} restarts, each ended in {}", exits.len(), exits.line()))
        .with(format!("{} requests, 0 failed: {}", asked.len(), asked.line()))
        .with(format!("{} went to the next node", balancer.passed_on.load(Ordering::Relaxed)))
        .with(tally.line()))
}

/// Takes one node after the other of those that are well, and the next one where no connection can be made.
struct Balancer {
    nodes: RwLock<Vec<Member>>,
    next: AtomicUsize,
    passed_on: AtomicUsize,
}

#[derive(Clone)]
struct Member {
    url: String,
    is_well: bool,
}

impl Balancer {
    fn of(urls: Vec<String>) -> Self {
        let nodes = urls.into_iter().map(|url| Member { url, is_well: true }).collect();
        Self { nodes: RwLock::new(nodes), next: AtomicUsize::new(0), passed_on: AtomicUsize::new(0) }
    }

    /// A node has been started in the place of another.
    fn put(&self, number: usize, url: &str) {
        let member = Member { url: url.to_owned(), is_well: true };
        self.nodes.write().unwrap_or_else(PoisonError::into_inner)[number] = member;
    }

    /// Those that are well, beginning with the one whose turn it is.
    fn turn(&self) -> Vec<String> {
        let nodes = self.nodes.read().unwrap_or_else(PoisonError::into_inner).clone();
        let mut urls: Vec<String> =
            nodes.into_iter().filter(|member| member.is_well).map(|member| member.url).collect();
        let first = self.next.fetch_add(1, Ordering::Relaxed) % urls.len().max(1);
        urls.rotate_left(first);
        urls
    }

    async fn ask_for_health(&self, api: &Api, stop: Stop) -> Result<Times> {
        while !stop.is_told() {
            let nodes = self.nodes.read().unwrap_or_else(PoisonError::into_inner).clone();
            for Member { url, .. } in nodes {
                let is_well = api.report(&url).await.is_ok_and(|report| report.is_ready);
                let mut nodes = self.nodes.write().unwrap_or_else(PoisonError::into_inner);
                // Another may have taken its place meanwhile.
                nodes
                    .iter_mut()
                    .filter(|member| member.url == url)
                    .for_each(|member| member.is_well = is_well);
            }
            sleep(HEALTH).await;
        }
        Ok(Times::default())
    }

    /// A status and a body, or why there is none.
    async fn send(
        &self,
        http: &Client,
        method: Method,
        path: &str,
        body: &Value,
        author: &str,
    ) -> Result<(u16, Value, u64)> {
        for node in self.turn() {
            let request = http.request(method.clone(), format!("{node}{path}")).header("flag-author", author);
            match request.json(body).send().await {
                Ok(response) => {
                    let status = response.status().as_u16();
                    let revision =
                        response.headers().get("flag-revision").and_then(|value| value.to_str().ok());
                    let revision = revision.and_then(|text| text.parse().ok()).unwrap_or_default();
                    match response.json().await {
                        Ok(body) => return Ok((status, body, revision)),
                        Err(error) => must!(false, "{node} broke off an answer: {error:?}"),
                    }
                }
                // Nothing was sent, so that the next node may be asked, whatever it is about.
                Err(error) if error.is_connect() => {
                    self.passed_on.fetch_add(1, Ordering::Relaxed);
                }
                Err(error) => must!(false, "{node} did not answer {method} {path}: {error:?}"),
            }
        }
        must!(false, "no node takes a connection");
        Ok((0, Value::Null, 0))
    }
}

fn client(kept: usize) -> Result<Client> {
    Ok(Client::builder().pool_max_idle_per_host(kept).timeout(Duration::from_secs(20)).build()?)
}

async fn ask(balancer: Arc<Balancer>, kept: usize, stop: Stop) -> Result<Times> {
    let (http, mut times) = (client(kept)?, Times::default());
    let right = json!({"key": "steady", "enabled": true, "source": "GROUP_OVERRIDE"});
    while !stop.is_told() {
        let asked = Instant::now();
        let question = json!({"userId": "u", "groupId": "beta"});
        let path = "/features/steady/evaluate";
        let (status, answer, _) = balancer.send(&http, Method::POST, path, &question, "nobody").await?;
        must!(status == 200 && answer == right, "an evaluation was answered {status}: {answer}");
        times.push(asked.elapsed());
        sleep(Duration::from_millis(4)).await;
    }
    Ok(times)
}

async fn write(balancer: Arc<Balancer>, journal: Journal, writer: usize, stop: Stop) -> Result<Times> {
    let (http, mut times, mut number) = (client(4)?, Times::default(), 0);
    while !stop.is_told() {
        let (asked, author) = (Instant::now(), format!("writer {writer}/{number}"));
        let key = format!("rolling-{writer}-{number}");
        number += 1;
        let body = json!({"key": key, "enabled": false});
        let (status, answer, revision) =
            balancer.send(&http, Method::POST, "/features", &body, &author).await?;
        must!(status == 201, "a write was answered {status}: {answer}");
        journal.note(&author, Wish::create(&key).change, Outcome::Acknowledged(revision));
        times.push(asked.elapsed());
        sleep(Duration::from_millis(30)).await;
    }
    Ok(times)
}
