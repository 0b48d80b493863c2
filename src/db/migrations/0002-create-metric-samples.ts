/**
 * Recent measurements of running jobs, as the controller collects them from workers: what the API draws and explains without a Prometheus
 * server. Unlogged: after a crash of the database they are gone, and a few seconds later there are new ones.
 */
import type { Knex } from "knex";

/** Creates `metric_samples`. Runs in the transaction of `db`. */
export async function up(db: Knex): Promise<void> {
  await db.schema.createTable("metric_samples", (t) => {
    t.comment("Measurements of all subtasks of a job at one time. Unlogged. The controller writes them and deletes old ones.");
    t.text("job_id").notNullable().references("jobs.id").onDelete("CASCADE").comment("the job");
    t.bigint("run_fence").notNullable().comment("fence of the run that was measured");
    t.timestamp("taken_at", { useTz: true }).notNullable().defaultTo(db.fn.now()).comment("when it was measured");
    t.jsonb("samples").notNullable().comment("operators, each with its subtasks and their values; see db/metrics.ts");
    t.smallint("format_version").notNullable().defaultTo(1).comment("format of this row; readers refuse one they do not know");
    t.primary(["job_id", "taken_at", "run_fence"], { constraintName: "metric_samples_pkey" });
  });
  await db.raw("alter table metric_samples set unlogged");
}
