/** `wadi nomad drain-preview NODE`: which runs would leave the node, and how, if it were drained now. Nothing is drained. */
import type { LoadedConfig } from "../../core/config.ts";
import { userError } from "../../core/errors.ts";
import { silentLogger } from "../../core/log.ts";
import { type DrainPreview, previewDrain } from "../../scheduler/drain-preview.ts";
import { nomadJobSettings } from "../../scheduler/nomad/settings.ts";
import type { SchedulerView } from "../../scheduler/view.ts";
import { nomadScheduler } from "../nomad-scheduler.ts";
import { EXIT, print } from "../output.ts";
import { renderTable } from "../text-table.ts";

/** What the command line says. */
export interface DrainPreviewArguments {
  /** Id or name. */
  readonly node: string;
  readonly json: boolean;
}

/** A slot's own memory besides its state, as the controller asks for. */
const SLOT_OVERHEAD_BYTES = 256 << 20;

/** Runs the command. Throws `not-found` for a node that there is not, and what Nomad says if it does not answer. */
export async function drainPreview({ node, json }: DrainPreviewArguments, { config }: LoadedConfig): Promise<number> {
  const scheduler = nomadScheduler(config, silentLogger);
  try {
    const view = await scheduler.view();
    if (view.link === "down") throw userError("not-found", `Nomad does not answer: ${view.trouble}`, { hint: 'See "wadi doctor".' });
    const { mhzPerSlot, coresPerSlot, memoryPerSlot } = nomadJobSettings(config);
    const memoryBytes = memoryPerSlot === 0 ? config["pipeline.state-limit"] + SLOT_OVERHEAD_BYTES : memoryPerSlot;
    // Nodes are shown with MHz.
    const preview = previewDrain(node, view, { cpuMillis: mhzPerSlot, memoryBytes, cores: coresPerSlot });
    if (preview === undefined) {
      const names = view.nodes.map(({ name }) => name).join(", ");
      throw userError("not-found", `Nomad has no node "${node}"`, { hint: `There are: ${names}.` });
    }
    print(json ? `${JSON.stringify(withNames(preview, view), undefined, 2)}\n` : text(preview, view));
    return EXIT.done;
  } finally {
    await scheduler.shutdown();
  }
}

function nameOf(run: string, view: SchedulerView): string {
  return view.runs.find((known) => known.run === run)?.name ?? run;
}

function withNames(preview: DrainPreview, view: SchedulerView) {
  return { ...preview, runs: preview.runs.map((run) => ({ ...run, nomad_job: nameOf(run.run, view) })) };
}

const MANNERS = {
  "make-before-break": "comes up elsewhere first, then hands over",
  "checkpoint-then-move": "takes a checkpoint, stops, and comes up when there is room",
} as const;

function text(preview: DrainPreview, view: SchedulerView): string {
  if (preview.runs.length === 0) return `node ${preview.name} has no workers of ours: a drain moves nothing\n`;
  const rows = preview.runs.map(({ run, workers, slots, how, reason }) => [nameOf(run, view), workers, slots, MANNERS[how], reason]);
  return renderTable(["nomad job", "workers here", "slots", "how it moves", "why"], rows);
}
