/**
 * Who leads: one row of `leases` per thing that is led, changed by compare-and-set only. Times are the database's; a holder keeps its own
 * deadline by its own clock, counted from before the statement was sent, so that it stops acting before anybody else may take the lease.
 *
 * The fencing epoch grows with every change of holder and goes into every write and command of the holder.
 */
import type { Database } from "./connection.ts";
import { databaseError } from "./database-error.ts";

/** The process that wants to lead. */
export interface LeaseHolder {
  /** Unique per start of a process. */
  readonly holder: string;
  /** host:port of its RPC service. */
  readonly endpoint: string;
  readonly release: string;
  readonly protocol: number;
}

/** What became of an attempt. */
export type LeaseAttempt =
  | { readonly kind: "held"; readonly fencingEpoch: bigint }
  /** Somebody else has it for `remainingMs` more, by the database's clock. */
  | { readonly kind: "taken"; readonly holder: string; readonly endpoint: string; readonly remainingMs: number };

/** Takes the lease `name` for `durationMs` if it is free, released or run out. The fencing epoch is one above the last. */
export async function acquireLease(db: Database, name: string, by: LeaseHolder, durationMs: number): Promise<LeaseAttempt> {
  try {
    const taken = await db.raw<{ rows: { fencing_epoch: bigint }[] }>(
      `insert into leases (name, holder, fencing_epoch, expires_at, endpoint, release, protocol)
       values (?, ?, 1, clock_timestamp() + ? * interval '1 millisecond', ?, ?, ?)
       on conflict (name) do update set holder = excluded.holder, fencing_epoch = leases.fencing_epoch + 1,
         expires_at = excluded.expires_at, endpoint = excluded.endpoint, release = excluded.release, protocol = excluded.protocol
       where leases.holder is null or leases.expires_at < clock_timestamp()
       returning fencing_epoch`,
      [name, by.holder, durationMs, by.endpoint, by.release, by.protocol],
    );
    const won = taken.rows[0];
    if (won !== undefined) return { kind: "held", fencingEpoch: won.fencing_epoch };
    const lease = await readLease(db, name);
    return { kind: "taken", holder: lease?.holder ?? "", endpoint: lease?.endpoint ?? "", remainingMs: lease?.remainingMs ?? 0 };
  } catch (error) {
    throw databaseError(`taking the lease "${name}"`, error);
  }
}

/** Extends a lease that is still the holder's; false: it is not any more, also if it ran out and nobody else took it. */
export async function renewLease(db: Database, name: string, holder: string, fencingEpoch: bigint, durationMs: number): Promise<boolean> {
  try {
    const changed = await db("leases")
      .where({ name, holder, fencing_epoch: fencingEpoch.toString() })
      .whereRaw("expires_at >= clock_timestamp()")
      .update({ expires_at: db.raw("clock_timestamp() + ? * interval '1 millisecond'", [durationMs]) });
    return changed === 1;
  } catch (error) {
    throw databaseError(`renewing the lease "${name}"`, error);
  }
}

/** Gives the lease up, so that the next attempt of anybody succeeds. Does nothing if it is not the holder's. */
export async function releaseLease(db: Database, name: string, holder: string, fencingEpoch: bigint): Promise<void> {
  try {
    await db("leases")
      .where({ name, holder, fencing_epoch: fencingEpoch.toString() })
      .update({ holder: null, expires_at: db.raw("clock_timestamp()") });
  } catch (error) {
    throw databaseError(`releasing the lease "${name}"`, error);
  }
}

/** The lease as it is; `undefined` if nobody ever had it. `holder` undefined: released. */
export async function readLease(
  db: Database,
  name: string,
): Promise<{ holder: string | undefined; endpoint: string; fencingEpoch: bigint; remainingMs: number } | undefined> {
  try {
    const rows = await db("leases")
      .where({ name })
      .select<{ holder: string | null; endpoint: string; fencing_epoch: bigint; remaining: number }[]>(
        "holder",
        "endpoint",
        "fencing_epoch",
        db.raw("(extract(epoch from expires_at - clock_timestamp()) * 1000)::float8 as remaining"),
      );
    const row = rows[0];
    if (row === undefined) return undefined;
    return {
      holder: row.holder ?? undefined,
      endpoint: row.endpoint,
      fencingEpoch: row.fencing_epoch,
      remainingMs: Math.max(0, row.remaining),
    };
  } catch (error) {
    throw databaseError(`reading the lease "${name}"`, error);
  }
}
