/** Rows of `scheduler_records`: what a scheduler remembers, by key. Written by the leader only; a superseded one is refused. */
import { externalError } from "../core/errors.ts";
import type { Database } from "./connection.ts";
import { databaseError } from "./database-error.ts";

/** One thing that is remembered. */
export interface SchedulerRecord {
  readonly key: string;
  /** JSON. */
  readonly record: string;
}

/** All that `scheduler` remembers. */
export async function readSchedulerRecords(db: Database, scheduler: string): Promise<readonly SchedulerRecord[]> {
  try {
    return await db("scheduler_records").where({ scheduler }).orderBy("key").select<SchedulerRecord[]>("key", "record");
  } catch (error) {
    throw databaseError("reading the scheduler's records", error);
  }
}

/** Remembers `record` instead of an older one. Throws `fenced` if there is a newer leader. */
export async function writeSchedulerRecord(
  db: Database,
  scheduler: string,
  leaderEpoch: bigint,
  { key, record }: SchedulerRecord,
): Promise<void> {
  let written: { rows: readonly unknown[] };
  try {
    written = await db.raw<{ rows: readonly unknown[] }>(
      `insert into scheduler_records (scheduler, key, record, leader_epoch)
       select ?, ?, ?, ?::bigint where not exists (select from leases where name = 'controller' and fencing_epoch > ?)
       on conflict (scheduler, key) do update set record = excluded.record, leader_epoch = excluded.leader_epoch, changed_at = now()
       where scheduler_records.leader_epoch <= excluded.leader_epoch returning key`,
      [scheduler, key, record, leaderEpoch.toString(), leaderEpoch.toString()],
    );
  } catch (error) {
    throw databaseError("writing the scheduler's records", error);
  }
  if (written.rows.length === 0)
    throw externalError("fenced", "another controller leads and writes the scheduler's records", { retry: "never" });
}

/** Forgets `keys`, except what a newer leader has written. */
export async function deleteSchedulerRecords(db: Database, scheduler: string, leaderEpoch: bigint, keys: readonly string[]): Promise<void> {
  if (keys.length === 0) return;
  try {
    await db.raw("delete from scheduler_records where scheduler = ? and leader_epoch <= ? and key = any(?)", [
      scheduler,
      leaderEpoch.toString(),
      [...keys],
    ]);
  } catch (error) {
    throw databaseError("deleting the scheduler's records", error);
  }
}
