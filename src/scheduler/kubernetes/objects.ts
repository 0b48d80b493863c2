/**
 * What the scheduler reads of Kubernetes' objects: the answers of the API server are parsed here, once, and everything that is not used is
 * dropped. Field names are those of the Go types in https://github.com/kubernetes/api.
 */
import { z } from "zod";

const texts = z.record(z.string(), z.string()).default({});
/** Wall time in milliseconds. */
const time = z
  .string()
  .nullish()
  .transform((value) => (typeof value === "string" ? Date.parse(value) : undefined));

const metadata = z.object({
  name: z.string(),
  namespace: z.string().default(""),
  uid: z.string().default(""),
  resourceVersion: z.string().default(""),
  labels: texts,
  annotations: texts,
  creationTimestamp: time,
  deletionTimestamp: time,
  deletionGracePeriodSeconds: z.number().optional(),
});

const condition = z.object({
  type: z.string(),
  status: z.string(),
  reason: z.string().default(""),
  message: z.string().default(""),
  lastTransitionTime: time,
});

const containerState = z.object({
  waiting: z.object({ reason: z.string().default(""), message: z.string().default("") }).optional(),
  running: z.object({ startedAt: time }).optional(),
  terminated: z
    .object({
      exitCode: z.number(),
      signal: z.number().optional(),
      reason: z.string().default(""),
      message: z.string().default(""),
      finishedAt: time,
    })
    .optional(),
});

const requirements = z.object({ requests: texts }).default({ requests: {} });

const podSchema = z.object({
  metadata,
  spec: z.object({
    nodeName: z.string().optional(),
    nodeSelector: texts,
    tolerations: z
      .array(
        z.object({
          key: z.string().optional(),
          operator: z.string().optional(),
          value: z.string().optional(),
          effect: z.string().optional(),
          tolerationSeconds: z.number().optional(),
        }),
      )
      .default([]),
    containers: z.array(z.object({ name: z.string(), resources: requirements })).default([]),
  }),
  status: z
    .object({
      phase: z.string().default("Pending"),
      reason: z.string().default(""),
      message: z.string().default(""),
      podIP: z.string().optional(),
      conditions: z.array(condition).default([]),
      containerStatuses: z
        .array(z.object({ name: z.string(), state: containerState.default({}), restartCount: z.number().default(0) }))
        .default([]),
    })
    .prefault({}),
});

const jobSchema = z.object({
  metadata,
  spec: z.object({ parallelism: z.number().default(1), backoffLimitPerIndex: z.number().optional() }),
  status: z
    .object({
      active: z.number().default(0),
      succeeded: z.number().default(0),
      failed: z.number().default(0),
      conditions: z.array(condition).default([]),
    })
    .prefault({}),
});

const taint = z.object({ key: z.string(), value: z.string().default(""), effect: z.string(), timeAdded: time });

const nodeSchema = z.object({
  metadata,
  spec: z.object({ unschedulable: z.boolean().default(false), taints: z.array(taint).default([]) }).prefault({}),
  status: z
    .object({
      allocatable: texts,
      conditions: z.array(condition).default([]),
      addresses: z.array(z.object({ type: z.string(), address: z.string() })).default([]),
      nodeInfo: z
        .object({
          kubeletVersion: z.string().default(""),
          architecture: z.string().default(""),
          operatingSystem: z.string().default(""),
          osImage: z.string().default(""),
          containerRuntimeVersion: z.string().default(""),
        })
        .prefault({}),
    })
    .prefault({}),
});

const eventSchema = z.object({
  metadata,
  involvedObject: z.object({ kind: z.string().default(""), name: z.string().default(""), uid: z.string().default("") }),
  type: z.string().default("Normal"),
  reason: z.string().default(""),
  message: z.string().default(""),
  count: z.number().default(1),
  firstTimestamp: time,
  lastTimestamp: time,
  eventTime: time,
});

const deploymentSchema = z.object({
  metadata,
  spec: z.object({
    replicas: z.number().default(1),
    template: z.object({ spec: z.object({ containers: z.array(z.object({ image: z.string().default("") })).default([]) }) }),
  }),
  status: z
    .object({
      availableReplicas: z.number().default(0),
      updatedReplicas: z.number().default(0),
      conditions: z.array(condition).default([]),
    })
    .prefault({}),
});

const configMapSchema = z.object({ metadata, data: texts });

/** A pod. */
export type PodSeen = z.output<typeof podSchema>;
/** A Job. */
export type JobSeen = z.output<typeof jobSchema>;
/** A node. */
export type NodeSeen = z.output<typeof nodeSchema>;
/** A taint of a node. */
export type TaintSeen = z.output<typeof taint>;
/** An event: something that a part of Kubernetes says has happened. */
export type EventSeen = z.output<typeof eventSchema>;
/** A Deployment. */
export type DeploymentSeen = z.output<typeof deploymentSchema>;
/** A config map. */
export type ConfigMapSeen = z.output<typeof configMapSchema>;

/** Each throws zod's error for what is none; what is not known is dropped. */
export const parsePod = (value: unknown): PodSeen => podSchema.parse(value);
/** See `parsePod`. */
export const parseJob = (value: unknown): JobSeen => jobSchema.parse(value);
/** See `parsePod`. */
export const parseNode = (value: unknown): NodeSeen => nodeSchema.parse(value);
/** See `parsePod`. */
export const parseEvent = (value: unknown): EventSeen => eventSchema.parse(value);
/** See `parsePod`. */
export const parseDeployment = (value: unknown): DeploymentSeen => deploymentSchema.parse(value);
/** See `parsePod`. */
export const parseConfigMap = (value: unknown): ConfigMapSeen => configMapSchema.parse(value);

const statusSchema = z.object({
  kind: z.literal("Status"),
  status: z.string().optional(),
  reason: z.string().default(""),
  message: z.string().default(""),
  code: z.number().default(0),
});

/** Why the API server refuses. */
export type ApiStatus = z.output<typeof statusSchema>;

/** A Status object; `undefined` for anything else. */
export function parseStatus(value: unknown): ApiStatus | undefined {
  const parsed = statusSchema.safeParse(value);
  return parsed.success ? parsed.data : undefined;
}
