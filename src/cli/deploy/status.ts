/** How an installation is, as a table: each job with its state, healthy and wanted instances, version, addresses and checks that fail. */
import type { NomadClient } from "../../scheduler/nomad/client.ts";
import { renderTable } from "../text-table.ts";
import { failingChecks } from "./await-health.ts";
import { type JobHealth, jobHealth } from "./job-health.ts";
import { jobIdOf, SERVICES } from "./services.ts";

/** One job. */
export interface ServiceStatus {
  readonly job: string;
  readonly state: JobHealth["state"];
  readonly healthy: number;
  readonly wanted: number;
  /** Nomad's number of its text. */
  readonly version: number;
  /** host:port of its instances. */
  readonly addresses: readonly string[];
  /** What does not work; empty: nothing to remark. */
  readonly note: string;
}

interface Registration {
  readonly Address?: string;
  readonly Port?: number;
  readonly ServiceName?: string;
}

/** The jobs that Nomad has. */
export async function installationStatus(client: NomadClient, namespace: string): Promise<readonly ServiceStatus[]> {
  const all = await Promise.all(SERVICES.map(({ name }) => serviceStatus(client, jobIdOf(name), namespace)));
  return all.filter(({ state }) => state !== "absent");
}

async function serviceStatus(client: NomadClient, id: string, namespace: string): Promise<ServiceStatus> {
  const health = await jobHealth(client, { id, namespace });
  const base = { job: id, state: health.state, healthy: health.healthy, wanted: health.wanted, version: health.version };
  if (health.state === "absent" || health.state === "stopped") return { ...base, addresses: [], note: "" };
  const running = health.allocations.filter(({ ClientStatus }) => ClientStatus === "running");
  const [services, checks] = await Promise.all([
    client.call({ path: `/v1/service/${id}`, query: { namespace }, accept: [404] }),
    Promise.all(running.map(({ ID }) => failingChecks(client, ID))),
  ]);
  const rows = Array.isArray(services.body) ? (services.body as Registration[]) : [];
  const failing = checks.filter((text) => text !== "");
  return {
    ...base,
    state: health.state === "healthy" && failing.length > 0 ? "progressing" : health.state,
    addresses: rows.map(({ Address = "", Port = 0 }) => `${Address}:${Port}`),
    note: [health.note, ...failing].filter((text) => text !== "").join("; "),
  };
}

const WORDS: Readonly<Record<JobHealth["state"], string>> = {
  healthy: "healthy",
  progressing: "not healthy",
  failed: "failed",
  stopped: "stopped",
  absent: "-",
};

/** The table for people. */
export function statusTable(rows: readonly ServiceStatus[]): string {
  if (rows.length === 0) return "Nothing is deployed here: `wadi deploy apply` does it.\n";
  const cells = rows.map(({ job, state, healthy, wanted, version, addresses, note }) => {
    return [job, WORDS[state], state === "stopped" ? "" : `${healthy} of ${wanted}`, version, addresses.join(", "), note];
  });
  return renderTable(["job", "status", "healthy", "version", "address", "remarks"], cells);
}

/** Whether everything that is meant to run does. */
export function isSound(rows: readonly ServiceStatus[]): boolean {
  return rows.length > 0 && rows.every(({ state }) => state === "healthy" || state === "stopped");
}
