/**
 * The list of all pipelines.
 */

import type { Collection } from "../api/lists.ts";
import { usePolled } from "../api/polling.ts";
import type { Job } from "../api/types.ts";
import { ButtonLink } from "../components/button.tsx";
import { useTitle } from "../components/title.ts";
import { paths } from "../paths.ts";
import { PipelineTable } from "./pipeline-table.tsx";

const JOBS_MS = 5000;

/** The page. */
export function PipelinesPage() {
  useTitle("Pipelines");
  const jobs = usePolled<Collection<Job>>("/jobs", JOBS_MS);
  return (
    <div class="page">
      <div class="page-head">
        <h1>Pipelines</h1>
        <div class="actions">
          <ButtonLink to={paths.editor()} tone="primary" icon="plus">
            New pipeline
          </ButtonLink>
        </div>
      </div>
      <PipelineTable jobs={jobs.data?.data} />
    </div>
  );
}
