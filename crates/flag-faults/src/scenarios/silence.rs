//! PostgreSQL accepts connections and never answers.

use std::time::Duration;

use anyhow::Result;
use tokio::time::{Instant, sleep};

use super::Scenario;
use crate::journal::{Journal, Outcome, Wish};
use crate::load::{ask, asked, prepare_steady};
use crate::mutant::{Bug, Edit, Mutant};
use crate::proxy::Weather;
use crate::site::{Bench, Hints, Site};
use crate::verdict::{Figures, Times, millis, must};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "T14-silence",
    sentence: "the link of one node to PostgreSQL accepts and never answers; its writes and reads of the log are refused with \
               503 in time, its evaluations go on as before, and it heals by itself without leaving sessions behind",
    target: "503 within 2.5 s, healed within 5 s, 0 evaluations failed",
    run: |bench| Box::pin(run(bench)),
    mutants: &[
        Mutant {
            what: "a write waits for the store as long as it takes",
            bug: Bug::Source(&[
                Edit {
                    file: "crates/flag-engine/src/commit.rs",
                    text: "DEADLINE: Duration = Duration::from_millis(2_500)",
                    replacement: "DEADLINE: Duration = Duration::from_secs(60)",
                },
                Edit {
                    file: "crates/flag-store-pg/src/store.rs",
                    text: "REQUEST: Duration = Duration::from_secs(2)",
                    replacement: "REQUEST: Duration = Duration::from_secs(60)",
                },
                Edit {
                    file: "crates/flag-store-pg/src/pool.rs",
                    text: "RECYCLE: Duration = Duration::from_secs(1)",
                    replacement: "RECYCLE: Duration = Duration::from_secs(60)",
                },
            ]),
        },
        Mutant {
            what: "an evaluation asks the store first",
            bug: Bug::Source(&[Edit {
                file: "crates/flag-http/src/routes/evaluate.rs",
                text: "    let Evaluate { user_id, ",
                replacement:
                    "    let newest = flag_engine::HistoryPage { before: None, flag: None, limit: 1 };
    let _ = node.engine.history(newest).await;
    let Evaluate { user_id, ",
            }]),
        },
    ],
};

/// How long a refusal may take beyond the engine's own bound: the way there and back.
const WAY: Duration = Duration::from_millis(300);
/// The bound of the engine.
const REFUSED_WITHIN: Duration = Duration::from_millis(2_500);
const HEALED_WITHIN: Duration = Duration::from_secs(5);
/// How many sessions a node may hold: for writing, for reading the log, for keeping up.
const SESSIONS: i64 = 8;

async fn run(bench: Bench) -> Result<Figures> {
    let site = Site::start(&bench, 2, Hints::Redis).await?;
    let (journal, urls) = (Journal::default(), site.urls());
    prepare_steady(&site.api, &urls[0], &journal).await?;
    site.converge(Duration::from_secs(10)).await?;
    let pause = Duration::from_millis(5);
    let before = ask(&site.api, &urls[..1], 2, pause);
    sleep(bench.pick(Duration::from_secs(1), Duration::from_secs(20))).await;
    let before = asked(before).await?;

    let during = ask(&site.api, &urls[..1], 2, pause);
    site.to_postgres[0].set(Weather::silent());
    let (mut refusals, mut number, began) = (Times::default(), 0, Instant::now());
    while began.elapsed() < bench.pick(Duration::from_secs(5), Duration::from_secs(60)) {
        number += 1;
        let wish = Wish::create(&format!("meanwhile-{number}"));
        let told = Instant::now();
        let outcome = journal.write(&site.api, &urls[0], &format!("silent/{number}"), &wish).await?;
        refusals.push(told.elapsed());
        must!(!matches!(outcome, Outcome::Acknowledged(_)), "a write was acknowledged by a silent store");
        let told = Instant::now();
        let reply = site.api.get(&urls[0], "/environments/default/changes").await;
        refusals.push(told.elapsed());
        let Ok(reply) = reply else {
            must!(false, "a read of the log is not answered within {}", millis(told.elapsed()));
            break;
        };
        must!(reply.status == 503, "the log of a silent store is answered {}", reply.status);
        must!(reply.headers.contains_key("retry-after"), "a refusal does not say when to try again");
        // The other node is none the worse for it.
        let wish = Wish::pin("steady", "user", &format!("other {number}"), &true.into());
        let outcome = journal.write(&site.api, &urls[1], &format!("other/{number}"), &wish).await?;
        must!(matches!(outcome, Outcome::Acknowledged(_)), "the other node's write was {outcome:?}");
    }
    let bound = bench.within(REFUSED_WITHIN) + WAY;
    must!(refusals.max() <= bound, "a refusal took {}, more than {}", millis(refusals.max()), millis(bound));

    site.to_postgres[0].set(Weather::fair());
    let began = Instant::now();
    loop {
        number += 1;
        let wish = Wish::create(&format!("healed-{number}"));
        let outcome = journal.write(&site.api, &urls[0], &format!("healed/{number}"), &wish).await?;
        if matches!(outcome, Outcome::Acknowledged(_)) {
            break;
        }
        let bound = bench.within(HEALED_WITHIN);
        must!(began.elapsed() < bound, "no write was taken within {} of healing", millis(bound));
        sleep(Duration::from_millis(20)).await;
    }
    let healed = began.elapsed();
    let during = asked(during).await?;
    site.agree(bench.within(HEALED_WITHIN), &mut bench.chance("questions")).await?;
    no_sessions_left_behind(&site).await?;
    let tally = journal.settle(&site.database.log().await?)?;
    // Twice, and a tenth of a second: what is shared with builds and tests stops for longer than any store would explain.
    let bound = bench.pick(before.p99() * 2 + Duration::from_millis(100), before.p99() * 105 / 100);
    must!(
        during.p99() <= bound.max(Duration::from_millis(10)),
        "evaluations took {} during silence, and {} before",
        during.line(),
        before.line()
    );
    Ok(Figures::default()
        .with(format!("{} refusals: {}", refusals.len(), refusals.line()))
        .with(format!("healed in {}", millis(healed)))
        .with(format!(
            "{} evaluations before: {}; {} during: {}",
            before.len(),
            before.line(),
            during.len(),
            during.line()
        ))
        .with(tally.line()))
}

/// Sessions that nobody uses any more end, at the latest when their statement does.
async fn no_sessions_left_behind(site: &Site) -> Result<()> {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
               AND application_name = 'flag'";
    let began = Instant::now();
    loop {
        let sessions = site.database.number(sql).await?;
        let most = SESSIONS * i64::try_from(site.nodes.len())?;
        if sessions <= most {
            return Ok(());
        }
        must!(began.elapsed() < Duration::from_secs(60), "{sessions} sessions are left, more than {most}");
        sleep(Duration::from_millis(100)).await;
    }
}
