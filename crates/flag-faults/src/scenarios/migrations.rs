//! Nodes and operators migrate one empty database at once.

use anyhow::Result;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Scenario;
use crate::database::Database;
use crate::mutant::{Bug, Edit, Mutant};
use crate::site::{Bench, Hints, Site};
use crate::verdict::{Figures, Times, must};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "T29-migrations",
    sentence: "four nodes and two operators migrate an empty database at once; all succeed, each migration is applied once, and the \
               schema is the one that a single node makes",
    target: "0 errors, identical schema",
    run: |bench| Box::pin(run(bench)),
    mutants: &[Mutant {
        what: "nodes migrate without taking turns",
        bug: Bug::Source(&[Edit {
            file: "crates/flag-store-pg/src/migration.rs",
            text: "\"SELECT pg_advisory_xact_lock(1718378855)\"",
            replacement: "\"SELECT 1718378855\"",
        }]),
    }],
};

const NODES: usize = 4;
const OPERATORS: usize = 2;

async fn run(bench: Bench) -> Result<Figures> {
    let alone = Site::prepare(&bench, 1, Hints::Notify, "").await?;
    let migrated = alone.recipes[0].migrate().await?;
    must!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
    let right = schema(&alone.database).await?;
    let (mut times, rounds) = (Times::default(), bench.pick(3, 20));
    for round in 0..rounds {
        let site = Site::prepare(&bench, NODES, Hints::Notify, "").await?;
        let began = Instant::now();
        let mut starts = JoinSet::new();
        for recipe in &site.recipes {
            let recipe = recipe.clone();
            starts.spawn(async move { Ok(recipe.start().await.map(Some)) });
        }
        for recipe in site.recipes.iter().take(OPERATORS) {
            let recipe = recipe.clone();
            starts.spawn(async move {
                let output = recipe.migrate().await?;
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                must!(output.status.success(), "an operator who migrates is told {said}");
                Ok::<_, anyhow::Error>(Ok(None))
            });
        }
        let mut nodes = Vec::new();
        while let Some(started) = starts.join_next().await {
            match started?? {
                Ok(node) => nodes.extend(node),
                Err(error) => must!(false, "round {round}: a node does not start: {error:#}"),
            }
        }
        for node in &nodes {
            let report = site.api.report(node.url()).await?;
            must!(report.is_ready, "round {round}: a node is not ready: {}{}", report.text, node.log());
        }
        times.push(began.elapsed());
        let found = schema(&site.database).await?;
        let differs = found.lines().zip(right.lines()).find(|(found, right)| found != right);
        must!(
            found == right,
            "round {round}: the schema is another one than a single node makes: {differs:?}"
        );
    }
    Ok(Figures::default()
        .with(format!("{rounds} databases, {} at once", NODES + OPERATORS))
        .with(format!("all ready after {}", times.line()))
        .with(format!("{} lines of schema, all the same", right.lines().count())))
}

/// Everything that migrations have made, a line each.
async fn schema(database: &Database) -> Result<String> {
    let sql = "SELECT string_agg(line, E'\\n' ORDER BY line) FROM (
        SELECT format('column %s.%s %s %s %s', table_name, column_name, data_type, is_nullable, column_default) AS line
        FROM information_schema.columns WHERE table_schema = 'public'
        UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
        UNION ALL SELECT conrelid::regclass || ' ' || pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace
        UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
        UNION ALL SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
        UNION ALL SELECT format('environment %s at %s', name, revision) FROM environments
        UNION ALL SELECT format('migration %s %s %s', version, name, checksum) FROM refinery_schema_history
    ) AS lines";
    Ok(database.session().await?.client.query_one(sql, &[]).await?.try_get(0)?)
}
