/** `wadi nomad render|plan|status`: what a pipeline would be in Nomad, whether it would be placed, and what Nomad has of this installation. */
import type { LoadedConfig } from "../../core/config.ts";
import { userError } from "../../core/errors.ts";
import { silentLogger } from "../../core/log.ts";
import { nomadJobSettings } from "../../scheduler/nomad/settings.ts";
import { renderJob } from "../../scheduler/nomad/spec.ts";
import type { NodeView, RunView, SchedulerView, ServiceView } from "../../scheduler/view.ts";
import { exampleRun } from "../example-run.ts";
import { jobTemplate, nomadScheduler } from "../nomad-scheduler.ts";
import { EXIT, print, say } from "../output.ts";
import { bytesText, renderFields, renderTable } from "../text-table.ts";

/** Arguments of `render` and `plan`. */
export interface NomadJobArguments {
  readonly query: string;
  /** From 1. */
  readonly parallelism: number;
  readonly json: boolean;
}

/** Prints the job that would be submitted, as JSON; asks Nomad nothing. */
export async function render(args: NomadJobArguments, { config }: LoadedConfig): Promise<number> {
  const spec = await exampleRun(args.query, args.parallelism, config);
  if (spec === undefined) return EXIT.usage;
  if (jobTemplate(config) !== undefined) {
    const hint = "Nomad itself parses the template: `wadi nomad plan --json` shows the whole job.";
    throw userError("invalid-usage", "nomad.job-template is set, so that the job cannot be rendered without Nomad", { hint });
  }
  print(`${JSON.stringify(renderJob(spec, nomadJobSettings(config)), undefined, 2)}\n`);
  return EXIT.done;
}

/** Asks Nomad whether the workers would be placed now; nothing is started. The exit code is 1 if some would not. */
export async function plan(args: NomadJobArguments, { config }: LoadedConfig): Promise<number> {
  const spec = await exampleRun(args.query, args.parallelism, config);
  if (spec === undefined) return EXIT.usage;
  const scheduler = nomadScheduler(config, silentLogger);
  try {
    const answer = await scheduler.plan(spec);
    const missing = answer.missing ?? 0;
    if (args.json) print(`${JSON.stringify({ ...answer, job: JSON.parse(answer.text), text: undefined }, undefined, 2)}\n`);
    else {
      const placed =
        answer.missing === undefined ? answer.reason : missing === 0 ? `all ${answer.workers} would be placed now` : answer.reason;
      print(renderFields({ pipeline: spec.slug, parallelism: spec.slots, workers: answer.workers, placement: placed }));
      for (const warning of answer.warnings) say(`Nomad remarks: ${warning}`);
    }
    return missing === 0 ? EXIT.done : EXIT.failed;
  } finally {
    await scheduler.shutdown();
  }
}

/** Prints runs, workers that need a look, services and nodes as Nomad has them. The exit code is 1 if Nomad does not answer. */
export async function status({ json }: { readonly json: boolean }, { config }: LoadedConfig): Promise<number> {
  const scheduler = nomadScheduler(config, silentLogger);
  try {
    const view = await scheduler.view();
    print(
      json ? `${JSON.stringify(view, (_key, value: unknown) => (typeof value === "bigint" ? Number(value) : value), 2)}\n` : tables(view),
    );
    return view.link === "down" ? EXIT.failed : EXIT.done;
  } finally {
    await scheduler.shutdown();
  }
}

function tables(view: SchedulerView): string {
  const head = renderFields({ nomad: view.link, trouble: view.trouble, version: view.version, ...view.place });
  const parts = [
    table("runs", ["pipeline's job", "run", "nomad job", "status", "workers", "placed", "waits for"], view.runs.map(runRow)),
    table("workers", ["allocation", "nomad node", "phase", "slots", "note"], workerRows(view)),
    table("services", ["name", "status", "healthy", "deployment", "addresses", "failing"], view.services.map(serviceRow)),
    table("nodes", ["name", "address", "pool", "zone", "state", "cpu MHz", "memory", "version"], view.nodes.map(nodeRow)),
  ];
  return [head, ...parts.filter((part) => part !== "")].join("\n");
}

function table(title: string, headings: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  return rows.length === 0 ? "" : `${title}\n${renderTable(headings, rows)}`;
}

function runRow(run: RunView): (string | number)[] {
  return [run.job, Number(run.fence), run.name, run.status, run.workers, run.workers - run.missing, run.reason];
}

/** All that are not over; people look at them one by one. */
function workerRows(view: SchedulerView): (string | number)[][] {
  const names = new Map(view.nodes.map(({ id, name }) => [id, name]));
  return view.workers
    .filter(({ phase }) => phase !== "exited")
    .map(({ handle, node, phase, slots, note }) => [handle.slice(0, 8), names.get(String(node)) ?? "", phase, slots, note]);
}

function serviceRow({ name, status: state, healthy, wanted, deployment, addresses, failing }: ServiceView): (string | number)[] {
  return [name, state, `${healthy} of ${wanted}`, deployment, addresses.join(", "), failing.join("; ")];
}

function nodeRow(node: NodeView): (string | number)[] {
  const cpu = node.cpu === undefined ? "" : `${node.cpu.used} of ${node.cpu.total}`;
  const memory = node.memory === undefined ? "" : `${bytesText(node.memory.used)} of ${bytesText(node.memory.total)}`;
  return [node.name, node.address, node.pool, node.zone, node.state, cpu, memory, node.release];
}
