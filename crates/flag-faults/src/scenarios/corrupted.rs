//! Rows of flags and overrides are broken in SQL, every column in several ways: only the flags that they belong to degrade.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use reqwest::Method;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::Scenario;
use crate::api::Reply;
use crate::chance::Chance;
use crate::journal::{Journal, Outcome, Wish};
use crate::load::{ask, asked, prepare_steady};
use crate::mutant::{Bug, Edit, Mutant};
use crate::site::{Bench, Hints, Site};
use crate::state::Question;
use crate::verdict::{Figures, Times, millis, must};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "T17-corrupted",
    sentence: "each column of the rows of flags and overrides is broken in SQL, and running nodes have to load everything anew; \
               each flag that was touched answers 503 flag_unreadable and no other does, and what is repaired comes back by itself",
    target: "0 evaluations of other flags failed, back within 10 s",
    run: |bench| Box::pin(run(bench)),
    mutants: &[
        Mutant {
            what: "a flag that cannot be read is one that does not exist",
            bug: Bug::Source(&[Edit {
                file: "crates/flag-engine/src/loading.rs",
                text: "(Ok(filed), Err(why)) => self.put(filed, Err(cause(&why))),",
                replacement: "(Ok(_), Err(_)) => {}",
            }]),
        },
        Mutant {
            what: "an override that cannot be read is left out",
            bug: Bug::Source(&[Edit {
                file: "crates/flag-engine/src/loading.rs",
                text: "*slot = Err(cause(&format_args!(\"an override: {why}\")));",
                replacement: "drop(why);",
            }]),
        },
        Mutant {
            what: "what came back is left out of the digest",
            bug: Bug::Source(&[Edit {
                file: "crates/flag-engine/src/tally.rs",
                text: "!Arc::ptr_eq(&last.snapshot, live)",
                replacement: "last.snapshot.version() != live.version()",
            }]),
        },
        Mutant {
            what: "nobody looks whether rows were repaired",
            bug: Bug::Source(&[Edit {
                file: "crates/flag-engine/src/mend.rs",
                text: "LOOK: Duration = Duration::from_secs(3)",
                replacement: "LOOK: Duration = Duration::from_secs(3_000)",
            }]),
        },
    ],
};

const NODES: usize = 2;
/// How many flags stay whole.
const WHOLE: usize = 5;
const BACK_WITHIN: Duration = Duration::from_secs(10);

/// What is done to the rows of the flag `{key}`; a flag for each. Every column has a wrong type, a wrong value, nothing, and too
/// much of it, where its type allows that.
const BROKEN: [&str; 34] = [
    "UPDATE flags SET environment = NULL WHERE key = '{key}'",
    "UPDATE flags SET environment = 'elsewhere' WHERE key = '{key}'",
    "UPDATE flags SET key = NULL WHERE key = '{key}'",
    "UPDATE flags SET key = '' WHERE key = '{key}'",
    "UPDATE flags SET key = 'no key: {key}' WHERE key = '{key}'",
    "DELETE FROM flags WHERE key = '{key}'",
    "UPDATE flags SET document = NULL WHERE key = '{key}'",
    "UPDATE flags SET document = 'null' WHERE key = '{key}'",
    "UPDATE flags SET document = '[]' WHERE key = '{key}'",
    "UPDATE flags SET document = '{}' WHERE key = '{key}'",
    "UPDATE flags SET document = to_jsonb(repeat('x', 10000000)) WHERE key = '{key}'",
    "UPDATE flags SET document = document - 'salt' WHERE key = '{key}'",
    "UPDATE flags SET document = document || '{\"key\": \"-\"}' WHERE key = '{key}'",
    "UPDATE flags SET document = document || '{\"enabled\": \"yes\"}' WHERE key = '{key}'",
    "UPDATE flags SET document = document || '{\"enabled\": null}' WHERE key = '{key}'",
    "UPDATE flags SET document = document || '{\"rolloutPct\": 101}' WHERE key = '{key}'",
    "UPDATE flags SET document = document || '{\"rolloutPct\": 33.3333}' WHERE key = '{key}'",
    "UPDATE flags SET document = document || '{\"salt\": \"\"}' WHERE key = '{key}'",
    "UPDATE flags SET document = document || '{\"revision\": 1e30}' WHERE key = '{key}'",
    "UPDATE flags SET document = document || '{\"revision\": -1}' WHERE key = '{key}'",
    "UPDATE flags SET document = document || '{\"revision\": 0}' WHERE key = '{key}'",
    "UPDATE flags SET document = document || '{\"revision\": 1000000000}' WHERE key = '{key}'",
    "UPDATE flags SET document = document || '{\"createdAt\": \"today\"}' WHERE key = '{key}'",
    "UPDATE flags SET document = document || '{\"updatedAt\": null}' WHERE key = '{key}'",
    "UPDATE flags SET document = document || '{\"description\": 7}' WHERE key = '{key}'",
    "UPDATE flags SET document = document || '{\"rules\": []}' WHERE key = '{key}'",
    "UPDATE overrides SET level = 'planet' WHERE flag = '{key}'",
    "UPDATE overrides SET level = NULL WHERE flag = '{key}'",
    "UPDATE overrides SET subject = '' WHERE flag = '{key}'",
    "UPDATE overrides SET subject = NULL WHERE flag = '{key}'",
    "UPDATE overrides SET subject = repeat('x', 2000) WHERE flag = '{key}'",
    "UPDATE overrides SET subject = E'a\\tb' WHERE flag = '{key}'",
    "UPDATE overrides SET variant = 'maybe' WHERE flag = '{key}'",
    "UPDATE overrides SET variant = NULL WHERE flag = '{key}'",
];

/// Whether somebody is pinned to a flag. One that has overrides is missed where it has no row, also by who would not miss it
/// otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Hangs {
    Somebody,
    Nobody,
}

/// Lets the rows of the state be anything, and keeps them beside as they are.
const LOOSEN: &str = "
    ALTER TABLE overrides DROP CONSTRAINT overrides_environment_flag_fkey, DROP CONSTRAINT overrides_pkey,
        DROP CONSTRAINT overrides_level_check, DROP CONSTRAINT overrides_variant_check;
    ALTER TABLE flags DROP CONSTRAINT flags_pkey, DROP CONSTRAINT flags_environment_fkey;
    ALTER TABLE flags ALTER environment DROP NOT NULL, ALTER key DROP NOT NULL, ALTER document DROP NOT NULL;
    ALTER TABLE overrides ALTER environment DROP NOT NULL, ALTER flag DROP NOT NULL, ALTER level DROP NOT NULL,
        ALTER subject DROP NOT NULL, ALTER variant DROP NOT NULL;
    CREATE UNIQUE INDEX one_flag ON flags (environment, key);
    CREATE UNIQUE INDEX one_override ON overrides (environment, flag, level, subject);";
const KEEP: &str = "DROP TABLE IF EXISTS kept_flags, kept_overrides;
    CREATE TABLE kept_flags AS TABLE flags; CREATE TABLE kept_overrides AS TABLE overrides;";
const REPAIR: &str = "BEGIN; DELETE FROM overrides; DELETE FROM flags;
    INSERT INTO flags SELECT * FROM kept_flags; INSERT INTO overrides SELECT * FROM kept_overrides; COMMIT";
/// No node that holds a flag reads its rows again, unless the history is another one.
const RELOAD: &str = "UPDATE environments SET epoch = gen_random_uuid()";

async fn run(bench: Bench) -> Result<Figures> {
    let site = Site::start(&bench, NODES, Hints::Redis).await?;
    let (journal, urls, mut chance) = (Journal::default(), site.urls(), bench.chance("rows"));
    prepare_steady(&site.api, &urls[0], &journal).await?;
    let broken: Vec<String> = (0..BROKEN.len()).map(|number| format!("broken-{number:02}")).collect();
    let whole: Vec<String> = (0..WHOLE).map(|number| format!("whole-{number}")).collect();
    for (key, what) in broken.iter().zip(BROKEN) {
        let hangs = if what.contains("SET document") { Hangs::Nobody } else { Hangs::Somebody };
        create(&site, &journal, key, hangs, &mut chance).await?;
    }
    for key in &whole {
        create(&site, &journal, key, Hangs::Somebody, &mut chance).await?;
    }
    site.agree(bench.within(BACK_WITHIN), &mut chance).await?;
    site.database.run(LOOSEN).await?;
    let askers = ask(&site.api, &urls, 1, Duration::from_millis(5));
    let (mut shown, mut back) = (Times::default(), Times::default());
    for _ in 0..bench.pick(1, 10) {
        site.database.run(KEEP).await?;
        let right = site.database.state().await?;
        for (key, what) in broken.iter().zip(BROKEN) {
            site.database.run(&what.replace("{key}", key)).await?;
        }
        site.database.run(RELOAD).await?;
        let began = Instant::now();
        for node in &urls {
            wait_for(&site, node, broken.len(), bench.within(BACK_WITHIN)).await?;
            shown.push(began.elapsed());
            for (key, what) in broken.iter().zip(BROKEN) {
                is_unreadable(&site, node, key, what).await?;
            }
            for question in whole.iter().flat_map(|key| questions(key, &mut chance)) {
                let (answer, expected) = (site.api.evaluate(node, &question).await?, right.answer(&question));
                must!(answer == expected, "{node} answers {answer:?} to {question:?}, and not {expected:?}");
            }
        }
        // Whole flags can be written while others are not.
        for key in &whole {
            let wish = Wish::pin(key, "user", &format!("late {}", chance.below(1_000_000)), &true.into());
            let (node, author) =
                (chance.pick(&urls).clone(), format!("late {key} {}", chance.below(1_000_000)));
            let outcome = journal.write(&site.api, &node, &author, &wish).await?;
            must!(matches!(outcome, Outcome::Acknowledged(_)), "a write of a whole flag was {outcome:?}");
        }
        // What was written meanwhile belongs to the state that is put back.
        let written = "DELETE FROM kept_flags WHERE key LIKE 'whole-%'; DELETE FROM kept_overrides WHERE flag LIKE 'whole-%';
            INSERT INTO kept_flags SELECT * FROM flags WHERE key LIKE 'whole-%';
            INSERT INTO kept_overrides SELECT * FROM overrides WHERE flag LIKE 'whole-%'";
        site.database.run(written).await?;
        site.database.run(REPAIR).await?;
        let began = Instant::now();
        for node in &urls {
            wait_for(&site, node, 0, bench.within(BACK_WITHIN)).await?;
            back.push(began.elapsed());
        }
        site.agree(bench.within(BACK_WITHIN), &mut chance).await?;
    }
    let evaluations = asked(askers).await?;
    let tally = journal.settle(&site.database.log().await?)?;
    Ok(Figures::default()
        .with(format!("{} ways to break a row, shown after {}", BROKEN.len(), millis(shown.max())))
        .with(format!("back after {}", back.line()))
        .with(format!("{} evaluations of other flags, 0 failed", evaluations.len()))
        .with(tally.line()))
}

async fn create(site: &Site, journal: &Journal, key: &str, hangs: Hangs, chance: &mut Chance) -> Result<()> {
    let urls = site.urls();
    let mut wishes = vec![("create", Wish::create(key)), ("roll", Wish::roll(key, &json!(50)))];
    if hangs == Hangs::Somebody {
        wishes.push(("pin", Wish::pin(key, "user", "pinned", &true.into())));
    }
    for (author, wish) in wishes {
        let node = chance.pick(&urls).clone();
        // The other node may not know of the flag yet.
        let outcome = loop {
            let outcome = journal
                .write(&site.api, &node, &format!("{author} {key} {}", chance.below(1_000_000)), &wish)
                .await?;
            if !matches!(outcome, Outcome::Refused(404, _)) {
                break outcome;
            }
            sleep(Duration::from_millis(5)).await;
        };
        must!(matches!(outcome, Outcome::Acknowledged(_)), "{author} {key}: {outcome:?}");
    }
    Ok(())
}

fn questions(key: &str, chance: &mut Chance) -> Vec<Question> {
    let users = ["pinned".to_owned(), String::new(), format!("somebody {}", chance.below(1_000))];
    users.map(|user| Question { key: key.to_owned(), context: [Some(user), None, None] }).into()
}

/// Waits until the node says in its meters that it lacks so many flags.
async fn wait_for(site: &Site, node: &str, lacking: usize, limit: Duration) -> Result<()> {
    let (began, expected) = (Instant::now(), format!("flag_quarantined {lacking}\n"));
    loop {
        let report = site.api.report(node).await?;
        must!(report.is_ready, "a node that lacks flags is not ready: {}", report.text);
        if site.api.get(node, "/metrics").await?.text.contains(&expected) {
            return Ok(());
        }
        must!(began.elapsed() < limit, "{node} does not come to lack {lacking} flags: {}", report.text);
        sleep(Duration::from_millis(20)).await;
    }
}

/// Whoever asks for the flag or changes it is told that it cannot be read; nobody is told that it does not exist.
async fn is_unreadable(site: &Site, node: &str, key: &str, what: &str) -> Result<()> {
    let flag = format!("/features/{key}");
    let switch = json!({"enabled": true});
    let requests = BTreeMap::from([
        ("evaluate", (Method::POST, format!("{flag}/evaluate"), Some(json!({"userId": "pinned"})))),
        ("read", (Method::GET, flag.clone(), None)),
        ("switch", (Method::PATCH, format!("{flag}/global"), Some(switch))),
        ("create", (Method::POST, "/features".to_owned(), Some(json!({"key": key, "enabled": true})))),
    ]);
    for (name, (method, path, body)) in requests {
        let reply: Reply = site.api.send(node, method, &path, body.as_ref(), None).await.context(name)?;
        let told = (reply.status, reply.code());
        must!(told == (503, "flag_unreadable".to_owned()), "after {what}: {name} was answered {told:?}");
    }
    Ok(())
}
