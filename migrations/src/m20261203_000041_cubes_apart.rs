//! PostgreSQL: the rows of a narrow cube lie together.
//!
//! A cube that keeps little apart has few rows, and among those of wide cubes each of them lay in a block of its own. SQLite
//! has rows in the order of their key from the beginning.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// A table of sums.
struct Sums {
    name: &'static str,
    /// The cubes that get a partition each. All others stay where they are, which becomes the partition for the rest.
    apart: &'static [&'static str],
    key: &'static str,
    /// What is indexed, after the cube and before the start.
    indexed: &'static [&'static str],
}

const TABLES: [Sums; 3] = [
    Sums {
        name: "usage_sums",
        apart: &[
            "hour-work",
            "hour-team",
            "day-work",
            "day-team",
            "day-team-work",
            "month-work",
            "ever-user",
        ],
        key: "cube, start_ms, team_id, user_id, key_id, model, endpoint_id",
        indexed: &["team_id", "user_id", "key_id"],
    },
    Sums {
        name: "tool_sums",
        apart: &["day-team", "month-team", "day-caller", "month-caller"],
        key: "cube, start_ms, team_id, tool, user_id, key_id, model",
        indexed: &["tool", "server", "user_id", "key_id"],
    },
    Sums {
        name: "session_sums",
        apart: &["team"],
        key: "cube, start_ms, team_id, user_id, key_id",
        indexed: &["user_id", "key_id"],
    },
];

impl Sums {
    fn statements(&self) -> Vec<String> {
        let Self { name, key, .. } = self;
        let index = |table: &str, column: &str| format!("ix_{table}_cube_{column}_start_ms");
        let rest = format!("{name}_rest");
        let mut all = vec![
            format!("ALTER TABLE {name} RENAME TO {rest}"),
            format!("ALTER INDEX {name}_pkey RENAME TO {rest}_pkey"),
        ];
        for column in self.indexed {
            let (old, new) = (index(name, column), index(&rest, column));
            all.push(format!("ALTER INDEX {old} RENAME TO {new}"));
        }
        all.push(format!(
            "CREATE TABLE {name} (LIKE {rest} INCLUDING DEFAULTS) PARTITION BY LIST (cube)"
        ));
        for cube in self.apart {
            let partition = format!("{name}_{}", cube.replace('-', "_"));
            all.push(format!(
                "CREATE TABLE {partition} PARTITION OF {name} FOR VALUES IN ('{cube}')"
            ));
            all.push(format!(
                "INSERT INTO {partition} SELECT * FROM {rest} WHERE cube = '{cube}'"
            ));
            all.push(format!("DELETE FROM {rest} WHERE cube = '{cube}'"));
        }
        // Indexes last: they are made of all rows at once, and those of the rest are taken as they are.
        all.push(format!("ALTER TABLE {name} ATTACH PARTITION {rest} DEFAULT"));
        all.push(format!("ALTER TABLE {name} ADD PRIMARY KEY ({key})"));
        for column in self.indexed {
            let index = index(name, column);
            all.push(format!(
                "CREATE INDEX {index} ON {name} (cube, {column}, start_ms)"
            ));
        }
        all
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() != DbBackend::Postgres {
            return Ok(());
        }
        for statement in TABLES.iter().flat_map(Sums::statements) {
            manager.get_connection().execute_unprepared(&statement).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
