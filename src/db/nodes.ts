/** Machines that can run workers, as the scheduler shows them: written by the leading controller, read by the API. */
import type { Database } from "./connection.ts";
import { databaseError } from "./database-error.ts";
import { jsonParameter } from "./json-parameter.ts";
import { microsOf, optionalNumber, readNumber } from "./row-values.ts";

/** How much of something there is. */
export interface Capacity {
  readonly total: number;
  readonly used: number;
}

/** A machine as it is written. */
export interface NodeRow {
  readonly id: string;
  readonly name: string;
  readonly address: string;
  readonly pool: string;
  readonly zone: string;
  readonly state: "ready" | "draining" | "ineligible" | "lost";
  /** Milliseconds since 1970. */
  readonly drainDeadlineMs: number | undefined;
  /** Thousandths of a processor, of MHz with Nomad. */
  readonly cpu: Capacity | undefined;
  /** Bytes. */
  readonly memory: Capacity | undefined;
  readonly slots: Capacity | undefined;
  readonly release: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly link: string | undefined;
}

const RECORDS = `jsonb_to_recordset(?::jsonb) as n(id text, name text, address text, pool text, zone text, state text, drain float8, cpu_total bigint,
  cpu_used bigint, memory_total bigint, memory_used bigint, slots int, free_slots int, release text, attributes jsonb, link text)`;

/** Writes all `rows` in one statement; those that a newer leader has written stay. */
export async function writeNodes(db: Database, leaderEpoch: bigint, scheduler: string, rows: readonly NodeRow[]): Promise<void> {
  if (rows.length === 0) return;
  try {
    await db.raw(
      `insert into nodes (id, scheduler, name, address, pool, zone, state, drain_deadline_at, cpu_total, cpu_used, memory_total_bytes,
         memory_used_bytes, slots, free_slots, release, attributes, link, heartbeat_at, leader_epoch)
       select n.id, ?, n.name, n.address, n.pool, n.zone, n.state, to_timestamp(n.drain / 1000), n.cpu_total, n.cpu_used, n.memory_total,
         n.memory_used, n.slots, n.free_slots, n.release, n.attributes, n.link, now(), ? from ${RECORDS}
       on conflict (id) do update set scheduler = excluded.scheduler, name = excluded.name, address = excluded.address, pool = excluded.pool,
         zone = excluded.zone, state = excluded.state, drain_deadline_at = excluded.drain_deadline_at, cpu_total = excluded.cpu_total,
         cpu_used = excluded.cpu_used, memory_total_bytes = excluded.memory_total_bytes, memory_used_bytes = excluded.memory_used_bytes,
         slots = excluded.slots, free_slots = excluded.free_slots, release = excluded.release, attributes = excluded.attributes,
         link = excluded.link, leader_epoch = excluded.leader_epoch,
         heartbeat_at = case when excluded.state = 'lost' then nodes.heartbeat_at else now() end
       where nodes.leader_epoch <= excluded.leader_epoch`,
      [scheduler, leaderEpoch.toString(), jsonParameter(rows.map(asRecord))],
    );
  } catch (error) {
    throw databaseError("writing nodes", error);
  }
}

function asRecord(row: NodeRow): Record<string, unknown> {
  const free = row.slots === undefined ? 0 : Math.max(0, row.slots.total - row.slots.used);
  return {
    id: row.id,
    name: row.name,
    address: row.address,
    pool: row.pool,
    zone: row.zone,
    state: row.state,
    drain: row.drainDeadlineMs,
    cpu_total: whole(row.cpu?.total),
    cpu_used: whole(row.cpu?.used),
    memory_total: whole(row.memory?.total),
    memory_used: whole(row.memory?.used),
    slots: row.slots?.total ?? 0,
    free_slots: free,
    release: row.release,
    attributes: row.attributes,
    link: row.link,
  };
}

function whole(value: number | undefined): number | undefined {
  return value === undefined ? undefined : Math.round(value);
}

/** Deletes all machines but `ids`, those of a newer leader excepted. */
export async function deleteOtherNodes(db: Database, leaderEpoch: bigint, ids: readonly string[]): Promise<void> {
  try {
    await db.raw("delete from nodes where leader_epoch <= ? and not (id = any(?))", [leaderEpoch.toString(), [...ids]]);
  } catch (error) {
    throw databaseError("deleting nodes", error);
  }
}

/** A machine. */
export interface NodeRecord {
  readonly id: string;
  readonly scheduler: string;
  readonly name: string;
  readonly address: string;
  readonly pool: string;
  readonly zone: string;
  readonly slots: number;
  readonly freeSlots: number;
  readonly cpu: Capacity | undefined;
  readonly memory: Capacity | undefined;
  readonly state: string;
  readonly drainDeadlineUs: number | undefined;
  readonly release: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly link: string | undefined;
  readonly registeredUs: number;
  readonly heartbeatUs: number;
}

interface NodeColumns {
  readonly id: string;
  readonly scheduler: string;
  readonly name: string;
  readonly address: string;
  readonly pool: string;
  readonly zone: string;
  readonly slots: number;
  readonly free_slots: number;
  readonly cpu_total: bigint | null;
  readonly cpu_used: bigint | null;
  readonly memory_total_bytes: bigint | null;
  readonly memory_used_bytes: bigint | null;
  readonly state: string;
  readonly drain_us: bigint | null;
  readonly release: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly link: string | null;
  readonly registered_us: bigint;
  readonly heartbeat_us: bigint;
}

/** Machines by name behind the one with the id `after`; at most `limit`. */
export async function readNodes(db: Database, limit: number, after?: string): Promise<NodeRecord[]> {
  const behind = after === undefined ? "" : "where (name, id) > (select name, id from nodes where id = ?)";
  try {
    const { rows } = await db.raw<{ rows: NodeColumns[] }>(
      `select id, scheduler, name, address, pool, zone, slots, free_slots, cpu_total, cpu_used, memory_total_bytes, memory_used_bytes, state,
         ${microsOf("drain_deadline_at")} as drain_us, release, attributes, link, ${microsOf("registered_at")} as registered_us,
         ${microsOf("heartbeat_at")} as heartbeat_us from nodes ${behind} order by name, id limit ?`,
      after === undefined ? [limit] : [after, limit],
    );
    return rows.map(nodeOf);
  } catch (error) {
    throw databaseError("reading nodes", error);
  }
}

function nodeOf(row: NodeColumns): NodeRecord {
  return {
    id: row.id,
    scheduler: row.scheduler,
    name: row.name,
    address: row.address,
    pool: row.pool,
    zone: row.zone,
    slots: row.slots,
    freeSlots: row.free_slots,
    cpu: capacityOf(row.cpu_total, row.cpu_used),
    memory: capacityOf(row.memory_total_bytes, row.memory_used_bytes),
    state: row.state,
    drainDeadlineUs: optionalNumber(row.drain_us),
    release: row.release,
    attributes: row.attributes,
    link: row.link ?? undefined,
    registeredUs: readNumber(row.registered_us),
    heartbeatUs: readNumber(row.heartbeat_us),
  };
}

function capacityOf(total: bigint | null, used: bigint | null): Capacity | undefined {
  return total === null ? undefined : { total: readNumber(total), used: optionalNumber(used) ?? 0 };
}
