/** `wadi checkpoints …`: the checkpoints of a pipeline's job. */
import type { z } from "zod";
import type { checkpointShape, operatorCheckpointShape } from "../../api/schema/job-shapes.ts";
import { bytesText, renderTable, spanText, timeText } from "../text-table.ts";
import { type ClientOptions, show } from "./pipelines.ts";

type Checkpoint = z.output<typeof checkpointShape>;
type Operator = z.output<typeof operatorCheckpointShape>;

/** `checkpoints list`. */
export async function listCheckpoints(options: ClientOptions, name: string): Promise<number> {
  const pipeline = await options.client.findPipeline(name);
  const { data } = await options.client.call<{ data: Checkpoint[] }>(
    "GET",
    `/pipelines/${pipeline.id}/jobs/${pipeline.job_id}/checkpoints`,
  );
  return show(options, data, (checkpoints) =>
    renderTable(
      ["epoch", "state", "kind", "started", "took", "written", "state size"],
      checkpoints.map((c) => [
        c.epoch,
        c.state,
        c.checkpoint_type,
        timeText(c.start_time),
        c.finish_time === null ? undefined : spanText(c.finish_time - c.start_time),
        bytesText(c.written_bytes),
        bytesText(c.state_bytes),
      ]),
    ),
  );
}

/** `checkpoints show`: what a checkpoint did at each operator. */
export async function showCheckpoint(options: ClientOptions, name: string, epoch: number): Promise<number> {
  const pipeline = await options.client.findPipeline(name);
  const path = `/pipelines/${pipeline.id}/jobs/${pipeline.job_id}/checkpoints/${epoch}/operator_checkpoint_groups`;
  const { data } = await options.client.call<{ data: Operator[] }>("GET", path);
  return show(options, data, (operators) =>
    renderTable(
      ["node", "operator", "subtasks", "written", "state size"],
      operators.map((o) => [o.operator_id, o.name, o.subtasks.length, bytesText(o.bytes), bytesText(o.state_bytes)]),
    ),
  );
}
