/** What is in Nomad besides our workers and is worth showing: what tasks of anybody take of each node, and Wadi's own services. */
import { z } from "zod";
import type { ServiceView } from "../view.ts";
import type { NomadClient } from "./client.ts";
import type { NomadLinks } from "./links.ts";

/** What is promised on a node. */
export interface Usage {
  readonly mhz: number;
  readonly memoryMb: number;
}

const allocationSchema = z.object({
  NodeID: z.string(),
  AllocatedResources: z
    .object({
      Tasks: z
        .record(
          z.string(),
          z.object({
            Cpu: z.object({ CpuShares: z.number().nullish() }).nullish(),
            Memory: z.object({ MemoryMB: z.number().nullish() }).nullish(),
          }),
        )
        .nullish(),
    })
    .nullish(),
});

/** Usage by node, of the allocations of all namespaces that the token may see. */
export async function readUsage(client: NomadClient): Promise<ReadonlyMap<string, Usage>> {
  const filter = 'ClientStatus == "running" or ClientStatus == "pending"';
  const { rows } = await client.list({ path: "/v1/allocations", query: { namespace: "*", resources: true, task_states: false, filter } });
  const usage = new Map<string, Usage>();
  for (const row of rows) {
    const parsed = allocationSchema.safeParse(row);
    if (!parsed.success) continue;
    let { mhz, memoryMb } = usage.get(parsed.data.NodeID) ?? { mhz: 0, memoryMb: 0 };
    for (const { Cpu, Memory } of Object.values(parsed.data.AllocatedResources?.Tasks ?? {})) {
      mhz += Cpu?.CpuShares ?? 0;
      memoryMb += Memory?.MemoryMB ?? 0;
    }
    usage.set(parsed.data.NodeID, { mhz, memoryMb });
  }
  return usage;
}

const jobSchema = z.object({
  ID: z.string(),
  Name: z.string(),
  Status: z.string(),
  Stop: z.boolean().nullish(),
  Version: z.number().nullish(),
  Meta: z.record(z.string(), z.string()).nullish(),
  JobSummary: z
    .object({
      Summary: z
        .record(
          z.string(),
          z.object({
            Running: z.number().nullish(),
            Starting: z.number().nullish(),
            Queued: z.number().nullish(),
            Lost: z.number().nullish(),
          }),
        )
        .nullish(),
    })
    .nullish(),
});
const deploymentSchema = z.object({ Status: z.string(), StatusDescription: z.string().nullish() });
const registrationSchema = z.object({ Address: z.string(), Port: z.number() });

/** Nomad jobs with `managed_by = wadi` in their meta that are no run's. */
export async function readServices(client: NomadClient, links: NomadLinks): Promise<readonly ServiceView[]> {
  const { rows } = await client.list({ path: "/v1/jobs", query: { meta: true } });
  const jobs = rows.flatMap((row) => {
    const parsed = jobSchema.safeParse(row);
    return parsed.success && parsed.data.Meta?.["managed_by"] === "wadi" && parsed.data.Meta["run_id"] === undefined ? [parsed.data] : [];
  });
  return await Promise.all(jobs.map((job) => serviceView(client, job, links)));
}

async function serviceView(client: NomadClient, job: z.infer<typeof jobSchema>, links: NomadLinks): Promise<ServiceView> {
  const path = `/v1/job/${encodeURIComponent(job.ID)}`;
  const [deployment, services, failing] = await Promise.all([
    client.call({ path: `${path}/deployment`, accept: [404] }),
    client.call({ path: `${path}/services`, accept: [404] }),
    failingChecks(client, path),
  ]);
  const groups = Object.values(job.JobSummary?.Summary ?? {});
  const healthy = groups.reduce((sum, { Running }) => sum + (Running ?? 0), 0);
  const waiting = groups.reduce((sum, { Starting, Queued, Lost }) => sum + (Starting ?? 0) + (Queued ?? 0) + (Lost ?? 0), 0);
  const parsed = deploymentSchema.safeParse(deployment.body);
  const registrations = z.array(registrationSchema).safeParse(services.body);
  return {
    name: job.Name,
    status: job.Stop === true ? "stopped" : job.Status,
    wanted: healthy + waiting,
    healthy,
    version: `job version ${job.Version ?? 0}`,
    deployment: parsed.success ? [parsed.data.Status, parsed.data.StatusDescription ?? ""].filter((text) => text !== "").join(": ") : "",
    addresses: registrations.success ? registrations.data.map(({ Address, Port }) => `${Address}:${Port}`) : [],
    failing,
    link: links.job(job.ID),
  };
}

const checksSchema = z.record(
  z.string(),
  z.object({ Check: z.string(), Service: z.string(), Status: z.string(), Output: z.string().nullish() }),
);
/** Checks of so many allocations of a service are looked at. */
const CHECKED = 5;

async function failingChecks(client: NomadClient, path: string): Promise<readonly string[]> {
  const { body } = await client.call({ path: `${path}/allocations`, accept: [404] });
  const rows = Array.isArray(body) ? (body as readonly { readonly ID: string; readonly ClientStatus: string }[]) : [];
  const running = rows.filter(({ ClientStatus }) => ClientStatus === "running").slice(0, CHECKED);
  const answers = await Promise.all(running.map(({ ID }) => client.call({ path: `/v1/allocation/${ID}/checks`, accept: [404, 500] })));
  return answers.flatMap((answer) => {
    const parsed = checksSchema.safeParse(answer.body);
    if (!parsed.success) return [];
    return Object.values(parsed.data)
      .filter(({ Status }) => Status === "failure")
      .map(({ Check, Service, Output }) => `${Service} "${Check}": ${(Output ?? "failed").slice(0, 200)}`);
  });
}
