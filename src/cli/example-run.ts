/** The first run that a pipeline of a query would have, for commands that show what a scheduler would be given. */
import { basename } from "node:path";
import type { Config } from "../core/config.ts";
import type { JobId, PipelineId, RunId } from "../core/ids.ts";
import type { RunSpec } from "../scheduler/scheduler.ts";
import { sayDiagnostics } from "./output.ts";
import { planText, readScript } from "./script.ts";

/** Memory of a slot besides its state, as the controller asks for it. */
const SLOT_OVERHEAD_BYTES = 256 << 20;

/** Of the query in the file `query` ("-": stdin); undefined: it is wrong, which has been said. */
export async function exampleRun(query: string, parallelism: number, config: Config): Promise<RunSpec | undefined> {
  const script = await readScript(query);
  const { planned, diagnostics } = await planText(script, new Map(), "preview");
  sayDiagnostics(diagnostics, script);
  if (planned === undefined) return undefined;
  const slug = basename(query, ".sql")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 40);
  return {
    job: "job_example000000000" as JobId,
    run: "run_example000000000" as RunId,
    fence: 1n,
    pipeline: "pl_example000000000" as PipelineId,
    slug: slug === "" ? "query" : slug,
    slots: parallelism,
    slotsPerWorker: config["worker.task-slots"],
    resources: { cpuMillis: 1_000, memoryBytes: config["pipeline.state-limit"] + SLOT_OVERHEAD_BYTES },
    artifact: "",
    controllers: [],
    runToken: "",
    environment: {},
    secrets: [],
    overrides: {},
  };
}
