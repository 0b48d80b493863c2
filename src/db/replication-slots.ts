/** Replication slots of the database's server: one that nobody reads keeps the server's log until its disk is full. */
import type { Database } from "./connection.ts";
import { databaseError } from "./database-error.ts";
import { readNumber } from "./row-values.ts";

/** A slot with the log that the server keeps for it. */
export interface ReplicationSlot {
  readonly name: string;
  readonly active: boolean;
  /** From 0. */
  readonly lagBytes: number;
}

/** All slots of the server, whoever made them; none where the server is a standby, which has no place of its own in the log. */
export async function readReplicationSlots(db: Database): Promise<ReplicationSlot[]> {
  try {
    const { rows } = await db.raw<{ rows: { slot_name: string; active: boolean; lag: bigint }[] }>(
      `select slot_name, active, greatest(0, pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn))::bigint as lag
       from pg_replication_slots where restart_lsn is not null and not pg_is_in_recovery()`,
    );
    return rows.map(({ slot_name: name, active, lag }) => ({ name, active, lagBytes: readNumber(lag) }));
  } catch (error) {
    throw databaseError("reading replication slots", error);
  }
}
