//! Many writers, whose nodes tell of changes through PostgreSQL: no commit waits for another one's announcement.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio::time::{Instant, sleep};

use super::Scenario;
use crate::journal::{Journal, Outcome, Wish};
use crate::load::{Running, Stop};
use crate::mutant::{Bug, Edit, Mutant};
use crate::site::{Bench, Hints, Site};
use crate::verdict::{Figures, Times, must};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "T08-convoy",
    sentence: "64 writers commit to four databases of one server, whose nodes announce by NOTIFY; no transaction that writes ever \
               holds the lock by which notifying transactions of the whole server wait for each other, and writes take as long as \
               where Redis carries the hints",
    target: "0 convoys, p99 of writes at most 10 % above that with Redis",
    run: |bench| Box::pin(run(bench)),
    mutants: &[Mutant {
        what: "a write notifies in its own transaction",
        bug: Bug::Source(&[Edit {
            file: "migrations/postgres/V5__append.sql",
            text: "    INSERT INTO changes (environment",
            replacement: "    PERFORM pg_notify('flag_changes', 'written');
    INSERT INTO changes (environment",
        }]),
    }],
};

const DATABASES: usize = 4;
const WRITERS: usize = 16;

/// Transactions that have written to a table and hold, or wait for, the lock that PostgreSQL takes to put notifications in the
/// order of commits.
const CONVOY: &str = "SELECT count(DISTINCT notifying.pid) FROM pg_locks AS notifying
    JOIN pg_locks AS writing ON writing.pid = notifying.pid
    WHERE notifying.locktype = 'object' AND notifying.classid = 'pg_database'::regclass AND notifying.objid = 0
    AND writing.locktype = 'relation' AND writing.mode = 'RowExclusiveLock'";

async fn run(bench: Bench) -> Result<Figures> {
    let (mut with, mut without, mut looks) = (Times::default(), Times::default(), 0);
    for _ in 0..bench.pick(1, 6) {
        without.append(crowd(&bench, Hints::Redis).await?.0);
        let (times, looked) = crowd(&bench, Hints::Notify).await?;
        with.append(times);
        looks += looked;
    }
    must!(looks > 100, "only {looks} looks at the locks");
    // Both run on the same machine, but not at the same moment: a short run only reports it.
    let bound = bench.pick(Duration::MAX, without.p99() * 110 / 100);
    must!(with.p99() <= bound, "writes with NOTIFY take {}, and without {}", with.line(), without.line());
    Ok(Figures::default()
        .with(format!("0 convoys in {looks} looks"))
        .with(format!("{} writes with NOTIFY: {}", with.len(), with.line()))
        .with(format!("{} with Redis: {}", without.len(), without.line())))
}

/// Lets all write for a while; says how long writes took, and how often the locks were looked at.
async fn crowd(bench: &Bench, hints: Hints) -> Result<(Times, u64)> {
    let mut sites = Vec::new();
    for _ in 0..DATABASES {
        sites.push(Arc::new(Site::start(bench, 1, hints).await?));
    }
    let mut looking = Running::none();
    let database = sites[0].database.clone();
    looking.add(|stop| look(database, stop));
    let mut writers = Running::none();
    for site in &sites {
        for writer in 0..WRITERS {
            let site = Arc::clone(site);
            writers.add(|stop| write(site, writer, stop));
        }
    }
    sleep(bench.pick(Duration::from_secs(2), Duration::from_secs(10))).await;
    let mut times = Times::default();
    for written in writers.finish().await? {
        times.append(written);
    }
    Ok((times, looking.finish().await?.iter().sum()))
}

async fn look(database: crate::database::Database, stop: Stop) -> Result<u64> {
    let (session, mut looks) = (database.session().await?, 0);
    while !stop.is_told() {
        let convoy: i64 = session.client.query_one(CONVOY, &[]).await?.try_get(0)?;
        must!(convoy == 0, "{convoy} transactions that write stand in line to notify");
        looks += 1;
    }
    Ok(looks)
}

async fn write(site: Arc<Site>, writer: usize, stop: Stop) -> Result<Times> {
    let (journal, mut times, mut number) = (Journal::default(), Times::default(), 0);
    while !stop.is_told() {
        let (asked, name) = (Instant::now(), format!("crowd-{writer}-{number}"));
        number += 1;
        let outcome = journal.write(&site.api, site.nodes[0].url(), &name, &Wish::create(&name)).await?;
        must!(matches!(outcome, Outcome::Acknowledged(_)), "a write was {outcome:?}");
        times.push(asked.elapsed());
    }
    Ok(times)
}
