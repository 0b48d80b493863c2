/** Shape of the answer to "why is there no output?". */
import { z } from "zod";
import { count, micros, optionalMicros } from "./shape.ts";

const finding = z
  .object({
    severity: z.enum(["error", "warning", "info"]),
    message: z.string(),
    hint: z.string().nullable(),
    node_id: z.int().nullable().meta({ description: "operator that it is about" }),
  })
  .meta({ id: "OutputFinding" });

const watermark = z.object({
  watermark: optionalMicros.meta({ description: "event time up to which all rows have come; null: none yet, or the end" }),
  watermark_lag_seconds: z.number().nullable().meta({ description: "wall time minus watermark" }),
});

const source = watermark
  .extend({
    node_id: z.int(),
    table: z.string(),
    rows_read: count,
    rows_per_second: z.number(),
    bad_rows: count,
    idle_subtasks: count,
    ended_subtasks: count,
    subtasks: count,
  })
  .meta({ id: "SourceProgress" });

const holder = z.object({
  node_id: z.int(),
  table: z.string(),
  partition: z.int(),
  subtask: z.int().meta({ description: "subtask of the operator that waits" }),
});

const windowed = watermark
  .extend({
    node_id: z.int(),
    description: z.string(),
    next_firing: optionalMicros.meta({ description: "event time: the next window's rows come once the watermark has passed it" }),
    held_by: holder.nullable().meta({ description: "source partition that keeps the watermark back" }),
    late_rows: count,
    open_keys: count,
    rows_in: count,
    rows_out: count,
  })
  .meta({ id: "WindowProgress" });

const sink = z
  .object({ node_id: z.int(), table: z.string(), rows_written: count, rows_per_second: z.number() })
  .meta({ id: "SinkProgress" });

/** Why there is output, or none. */
export const explanationShape = z
  .object({
    summary: z.string().meta({ description: "the gravest finding, in a sentence" }),
    state: z.string(),
    taken_at: micros.nullable().meta({ description: "when it was measured; null: not yet" }),
    findings: z.array(finding),
    sources: z.array(source),
    windows: z.array(windowed),
    sinks: z.array(sink),
  })
  .meta({ id: "OutputExplanation" });
