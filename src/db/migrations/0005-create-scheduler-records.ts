/**
 * What a scheduler without an outside system that remembers has to keep over a change of leader: the node scheduler's runs and nodes. It
 * decides by them, so a leader that has been superseded must not write any.
 */
import type { Knex } from "knex";

/** Creates `scheduler_records`. Runs in the transaction of `db`. */
export async function up(db: Knex): Promise<void> {
  await db.schema.createTable("scheduler_records", (t) => {
    t.comment("Memory of the scheduler itself. Not for the API: that reads scheduler_runs and nodes.");
    t.text("scheduler").notNullable().comment("whose memory: node");
    t.text("key").notNullable().comment("what it is about: job:job_…, node:nd_…");
    t.text("record").notNullable().comment("JSON with its own version, as the scheduler wrote it; never a secret");
    t.bigint("leader_epoch").notNullable().comment("fencing epoch of the controller that wrote last: a lower one writes nothing");
    t.timestamp("changed_at", { useTz: true }).notNullable().defaultTo(db.fn.now()).comment("when it was written");
    t.primary(["scheduler", "key"], { constraintName: "scheduler_records_pkey" });
  });
}
