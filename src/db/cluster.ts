/** What is known of the cluster as a whole: its identity and its leader. Reading only. */
import type { Database } from "./connection.ts";
import { databaseError } from "./database-error.ts";
import { microsOf, optionalNumber, readNumber } from "./row-values.ts";

/** The cluster. */
export interface ClusterInfo {
  /** Undefined: nobody has set it up yet. */
  readonly id: string | undefined;
  readonly name: string | undefined;
  readonly createdUs: number | undefined;
  readonly schemaVersion: number;
  /** The lease of the controllers; undefined: there was never one. */
  readonly controller: ControllerLease | undefined;
  /** Machines that are not lost. */
  readonly nodes: number;
  /** Workers that run. */
  readonly workers: number;
}

/** Who leads the controllers. */
export interface ControllerLease {
  /** Whether the lease holds, by the database's clock. */
  readonly alive: boolean;
  readonly holder: string | undefined;
  readonly endpoint: string;
  readonly release: string;
  readonly expiresUs: number;
}

interface InfoRow {
  readonly id: string | null;
  readonly name: string | null;
  readonly created_us: bigint | null;
  readonly schema_version: number | null;
  readonly alive: boolean | null;
  readonly holder: string | null;
  readonly endpoint: string | null;
  readonly release: string | null;
  readonly expires_us: bigint | null;
  readonly nodes: number;
  readonly workers: number;
}

/** The cluster as it is now. */
export async function readClusterInfo(db: Database): Promise<ClusterInfo> {
  try {
    const { rows } = await db.raw<{ rows: InfoRow[] }>(
      `select c.id::text as id, c.name, ${microsOf("c.created_at")} as created_us,
         (select max(version) from schema_migrations where finished_at is not null)::int as schema_version,
         (l.expires_at > now() and l.holder is not null) as alive, l.holder, l.endpoint, l.release, ${microsOf("l.expires_at")} as expires_us,
         (select count(*) from nodes where state <> 'lost')::int as nodes,
         (select count(*) from workers where ended_at is null)::int as workers
       from (select 1) one left join clusters c on true left join leases l on l.name = 'controller'`,
    );
    const row = rows[0];
    const expiresUs = row?.expires_us ?? undefined;
    return {
      id: row?.id ?? undefined,
      name: row?.name ?? undefined,
      createdUs: optionalNumber(row?.created_us ?? null),
      schemaVersion: row?.schema_version ?? 0,
      controller:
        expiresUs === undefined
          ? undefined
          : {
              alive: row?.alive ?? false,
              holder: row?.holder ?? undefined,
              endpoint: row?.endpoint ?? "",
              release: row?.release ?? "",
              expiresUs: readNumber(expiresUs),
            },
      nodes: row?.nodes ?? 0,
      workers: row?.workers ?? 0,
    };
  } catch (error) {
    throw databaseError("reading the cluster", error);
  }
}
