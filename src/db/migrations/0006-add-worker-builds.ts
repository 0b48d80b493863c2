/** Which build of the worker a job is to run with: a wish of users, as `desired_parallelism` is. */
import type { Knex } from "knex";

/** Adds the column. Runs in the transaction of `db`. */
export async function up(db: Knex): Promise<void> {
  await db.schema.alterTable("jobs", (t) => {
    t.text("desired_build")
      .notNullable()
      .defaultTo("")
      .comment("release, artifact or image of the workers; empty: the scheduler's own default");
  });
}
