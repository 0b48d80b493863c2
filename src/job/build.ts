/**
 * Which build of the worker a job runs: it moves to the wanted one as to any other run, beside the running one where there is room. The new
 * build is on trial until it has completed a checkpoint; if it does not come up, or fails before, the job goes back to the last good one by
 * itself and costs nothing of the restart budget.
 */
import type { ErrorRecord } from "../core/errors.ts";
import { type JobDraft, note, remember } from "./job-draft.ts";

/** A checkpoint of the newest run is complete: its build is good. */
export function buildProved(draft: JobDraft): void {
  const { build, goodBuild } = draft.job.context;
  if (goodBuild === build) return;
  remember(draft, { goodBuild: build });
  if (goodBuild === undefined) return;
  const details = { from: goodBuild, to: build };
  note(draft, "build-moved", "info", `workers run build ${named(build)}, which has completed a checkpoint`, { details });
}

/** A run of `build` failed. Whether that is the build's fault: it was on trial. Unless another is wanted now, the last good one is used then. */
export function rejectBuild(draft: JobDraft, build: string, error: ErrorRecord): boolean {
  const { goodBuild, rejectedBuild } = draft.job.context;
  if (goodBuild === undefined || build === goodBuild || build === rejectedBuild) return false;
  if (build !== draft.job.desired.build) return true;
  remember(draft, { rejectedBuild: build });
  const message = `build ${named(build)} is not used: ${error.message}; the job stays with build ${named(goodBuild)}`;
  note(draft, "build-rejected", "error", message, { error, details: { build, kept: goodBuild } });
  return true;
}

function named(build: string): string {
  return build === "" ? "of the scheduler" : `"${build}"`;
}
