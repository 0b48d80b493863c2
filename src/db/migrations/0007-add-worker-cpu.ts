/** How much processor a worker uses, beside its memory: a projection of its heartbeats. */
import type { Knex } from "knex";

/** Adds the column. Runs in the transaction of `db`. */
export async function up(db: Knex): Promise<void> {
  await db.schema.alterTable("workers", (t) => {
    t.integer("cpu_used_millis").comment("thousandths of a processor, between its last two heartbeats; null: not known");
  });
}
