/**
 * What Nomad answers, as far as it is used, parsed once at the edge. Go writes an empty list or map as null. Times are nanoseconds beyond what a
 * number holds exactly: good for showing, never for comparing; what is compared are indexes.
 */
import { z } from "zod";
import { externalError } from "../../core/errors.ts";

const text = z
  .string()
  .nullish()
  .transform((value) => value ?? "");
const count = z
  .number()
  .nullish()
  .transform((value) => value ?? 0);
const flag = z
  .boolean()
  .nullish()
  .transform((value) => value ?? false);
const counts = z
  .record(z.string(), z.number())
  .nullish()
  .transform((value) => value ?? {});
const texts = z
  .record(z.string(), z.string())
  .nullish()
  .transform((value) => value ?? {});

const taskEventSchema = z.object({ Type: text, Time: count, DisplayMessage: text, Details: texts });
const taskStateSchema = z.object({
  State: text,
  Failed: flag,
  Events: z
    .array(taskEventSchema)
    .nullish()
    .transform((value) => value ?? []),
});

const allocationSchema = z.object({
  ID: z.string(),
  Name: text,
  JobID: z.string(),
  EvalID: text,
  NodeID: text,
  NodeName: text,
  DesiredStatus: text,
  DesiredDescription: text,
  ClientStatus: text,
  ClientDescription: text,
  PreemptedByAllocation: text,
  ModifyIndex: count,
  CreateTime: count,
  ModifyTime: count,
  TaskStates: z
    .record(z.string(), taskStateSchema)
    .nullish()
    .transform((value) => value ?? {}),
});

const metricSchema = z.object({
  NodesEvaluated: count,
  NodesFiltered: count,
  NodesInPool: count,
  NodesAvailable: counts,
  ConstraintFiltered: counts,
  ClassFiltered: counts,
  NodesExhausted: count,
  DimensionExhausted: counts,
  QuotaExhausted: z
    .array(z.string())
    .nullish()
    .transform((value) => value ?? []),
  CoalescedFailures: count,
});
const metricsSchema = z
  .record(z.string(), metricSchema)
  .nullish()
  .transform((value) => value ?? {});

const evaluationSchema = z.object({
  ID: z.string(),
  JobID: z.string(),
  Status: text,
  StatusDescription: text,
  TriggeredBy: text,
  BlockedEval: text,
  ModifyIndex: count,
  ModifyTime: count,
  FailedTGAllocs: metricsSchema,
});

const jobSchema = z.object({
  ID: z.string(),
  Name: text,
  Status: text,
  StatusDescription: text,
  Type: text,
  Stop: flag,
  Meta: texts,
  SubmitTime: count,
  ModifyIndex: count,
  JobModifyIndex: count,
  Version: count,
});

const drainSchema = z.object({ Deadline: count, ForceDeadline: text });
const nodeSchema = z.object({
  ID: z.string(),
  Name: text,
  Address: text,
  HTTPAddr: text,
  Datacenter: text,
  NodeClass: text,
  NodePool: text,
  Version: text,
  Status: text,
  SchedulingEligibility: text,
  Drain: flag,
  DrainStrategy: drainSchema.nullish().transform((value) => value ?? undefined),
  ModifyIndex: count,
  Attributes: texts,
  Drivers: z
    .record(z.string(), z.object({ Detected: flag, Healthy: flag }))
    .nullish()
    .transform((value) => value ?? {}),
  NodeResources: z
    .object({
      Cpu: z.object({ CpuShares: count, TotalCpuCores: z.number().nullish() }).nullish(),
      Memory: z.object({ MemoryMB: count }).nullish(),
    })
    .nullish(),
  ReservedResources: z
    .object({
      Cpu: z.object({ CpuShares: count }).nullish(),
      Memory: z.object({ MemoryMB: count }).nullish(),
    })
    .nullish(),
});

const variableSchema = z.object({ Path: z.string(), ModifyIndex: count, ModifyTime: count, Items: texts });
const planSchema = z.object({
  FailedTGAllocs: metricsSchema,
  Warnings: text,
  JobModifyIndex: count,
});

/** One event of a task. */
export type NomadTaskEvent = z.infer<typeof taskEventSchema>;
/** An allocation, whole or as in lists. */
export type NomadAllocation = z.infer<typeof allocationSchema>;
/** Why a task group could not be placed. */
export type NomadMetric = z.infer<typeof metricSchema>;
/** An evaluation. */
export type NomadEvaluation = z.infer<typeof evaluationSchema>;
/** A job as in lists with `meta`, or whole. */
export type NomadJobState = z.infer<typeof jobSchema>;
/** A node, whole or as in lists. */
export type NomadNode = z.infer<typeof nodeSchema>;
/** A variable; without items as in lists. */
export type NomadVariable = z.infer<typeof variableSchema>;

function reader<T>(what: string, schema: z.ZodType<T>): (value: unknown) => T {
  return (value) => {
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    const [issue] = parsed.error.issues;
    const where = issue?.path.join(".") ?? "";
    throw externalError("io", `Nomad's answer is not ${what}: ${where} ${issue?.message ?? ""}`, {
      hint: "Is it Nomad that answers there?",
    });
  };
}

/** Each reads one answer; throws `io` if it is none. */
export const readAllocation = reader("an allocation", allocationSchema);
/** @see readAllocation */
export const readEvaluation = reader("an evaluation", evaluationSchema);
/** @see readAllocation */
export const readJob = reader("a job", jobSchema);
/** @see readAllocation */
export const readNode = reader("a node", nodeSchema);
/** @see readAllocation */
export const readVariable = reader("a variable", variableSchema);
/** @see readAllocation */
export const readPlan = reader("a plan", planSchema);

/** Wall time in milliseconds of one of Nomad's times. */
export function nomadTimeMs(ns: number): number {
  return Math.round(ns / 1e6);
}
