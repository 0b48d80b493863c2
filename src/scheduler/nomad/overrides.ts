/** What a pipeline may wish for its own Nomad jobs. Whatever is not named here is the operator's alone: driver, image, command, namespace. */
import { z } from "zod";
import { externalError } from "../../core/errors.ts";
import { attributeName, type NomadJobSettings, parseAffinity, parseConstraint } from "./settings.ts";

const schema = z.strictObject({
  node_pool: z.string().min(1).optional(),
  priority: z.int().min(1).max(100).optional(),
  datacenters: z.array(z.string().min(1)).optional(),
  constraints: z.array(z.string()).optional(),
  affinities: z.array(z.string()).optional(),
  spread: z.array(z.string()).optional(),
  distinct_hosts: z.boolean().optional(),
  slots_per_worker: z.int().min(1).max(1_024).optional(),
  mhz_per_slot: z.int().min(1).optional(),
  cores_per_slot: z.int().min(0).max(64).optional(),
  memory_per_slot: z.int().min(0).optional(),
  memory_max_per_slot: z.int().min(0).optional(),
});

/** `settings` with a pipeline's wishes. Throws `invalid-config` for one that is unknown or malformed. */
export function applyOverrides(settings: NomadJobSettings, overrides: Readonly<Record<string, unknown>>): NomadJobSettings {
  if (Object.keys(overrides).length === 0) return settings;
  const parsed = schema.safeParse(overrides);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const where = issue === undefined || issue.path.length === 0 ? "" : `"${issue.path.join(".")}": `;
    throw externalError("invalid-config", `the pipeline's settings for Nomad do not fit: ${where}${issue?.message ?? "malformed"}`, {
      retry: "never",
      hint: `It may have ${Object.keys(schema.shape).join(", ")}.`,
    });
  }
  const wish = parsed.data;
  return {
    ...settings,
    nodePool: wish.node_pool ?? settings.nodePool,
    priority: wish.priority ?? settings.priority,
    datacenters: wish.datacenters ?? settings.datacenters,
    constraints: [...settings.constraints, ...(wish.constraints ?? []).map(parseConstraint)],
    affinities: [...settings.affinities, ...(wish.affinities ?? []).map(parseAffinity)],
    spread: wish.spread?.map(attributeName) ?? settings.spread,
    distinctHosts: wish.distinct_hosts ?? settings.distinctHosts,
    slotsPerWorker: wish.slots_per_worker ?? settings.slotsPerWorker,
    mhzPerSlot: wish.mhz_per_slot ?? settings.mhzPerSlot,
    coresPerSlot: wish.cores_per_slot ?? settings.coresPerSlot,
    memoryPerSlot: wish.memory_per_slot ?? settings.memoryPerSlot,
    memoryMaxPerSlot: wish.memory_max_per_slot ?? settings.memoryMaxPerSlot,
  };
}
