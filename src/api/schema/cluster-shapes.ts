/** Shapes of the cluster. */
import { z } from "zod";
import { ROLES } from "../route.ts";
import { count, micros, optionalMicros } from "./shape.ts";

/** The cluster. */
export const clusterShape = z
  .object({
    id: z.string().nullable().meta({ description: "null: no controller has run yet" }),
    name: z.string().nullable(),
    created_at: optionalMicros,
    release: z.string().meta({ description: "of the API that answers" }),
    scheduler: z.string(),
    schema_version: count,
    role: z.enum(ROLES).meta({ description: "of the caller" }),
    controller: z
      .object({ alive: z.boolean(), holder: z.string().nullable(), endpoint: z.string(), release: z.string(), expires_at: micros })
      .nullable()
      .meta({ description: "the leading controller; null: there was none yet" }),
    nodes: count,
    workers: count.meta({ description: "that run now" }),
    jobs: z.record(z.string(), count).meta({ description: "how many jobs are in each state" }),
  })
  .meta({ id: "Cluster" });

/** A machine. */
export const nodeShape = z
  .object({
    id: z.string(),
    scheduler: z.string(),
    name: z.string(),
    address: z.string(),
    slots: count,
    free_slots: count,
    state: z.string().meta({ description: "ready, draining or lost" }),
    drain_deadline_at: optionalMicros,
    release: z.string(),
    registered_at: micros,
    heartbeat_at: micros,
  })
  .meta({ id: "Node" });

/** An OpenAPI document. */
export const documentShape = z.record(z.string(), z.unknown());
