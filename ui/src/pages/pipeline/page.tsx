/**
 * The page of one pipeline: its head with what can be done, and a tab for each way to look at it.
 */

import type { Collection, Page } from "../../api/lists.ts";
import { usePolled } from "../../api/polling.ts";
import type { Job, JobLogMessage, Pipeline } from "../../api/types.ts";
import { ButtonLink } from "../../components/button.tsx";
import { Empty } from "../../components/empty.tsx";
import { Note } from "../../components/note.tsx";
import { Tabs } from "../../components/tabs.tsx";
import { useTitle } from "../../components/title.ts";
import { formatTime } from "../../format.ts";
import { paths } from "../../paths.ts";
import { Link, navigate } from "../../router.tsx";
import { CheckpointsTab } from "./checkpoints-tab.tsx";
import { DefinitionTab } from "./definition-tab.tsx";
import { ErrorsTab } from "./errors-tab.tsx";
import { EventsTab } from "./events-tab.tsx";
import { PipelineHead } from "./head.tsx";
import { OperatorsTab } from "./operators-tab.tsx";
import { OutputsTab } from "./outputs-tab.tsx";
import { WorkersTab } from "./workers-tab.tsx";

const PIPELINE_MS = 2000;
const ERRORS_MS = 5000;

/** What every tab is given. */
export interface TabProps {
  readonly pipeline: Pipeline;
  readonly job: Job | undefined;
  /** Below the API, such as `/pipelines/pl_1/jobs/job_1`. */
  readonly jobPath: string;
}

/** The page; `tab` as the address has it. */
export function PipelinePage({ id, tab = "operators" }: { readonly id: string; readonly tab: string | undefined }) {
  const pipeline = usePolled<Pipeline>(`/pipelines/${encodeURIComponent(id)}`, PIPELINE_MS);
  const jobs = usePolled<Collection<Job>>(`/pipelines/${encodeURIComponent(id)}/jobs`, PIPELINE_MS);
  useTitle(pipeline.data?.name ?? "Pipeline");
  if (pipeline.data === undefined) return pipeline.error === undefined ? <HeadSkeleton /> : <Missing message={pipeline.error.message} />;
  const refresh = () => {
    pipeline.refresh();
    jobs.refresh();
  };
  return <LoadedPage pipeline={pipeline.data} job={jobs.data?.data[0]} tab={tab} refresh={refresh} />;
}

interface LoadedPageProps {
  readonly pipeline: Pipeline;
  readonly job: Job | undefined;
  readonly tab: string;
  refresh(): void;
}

function LoadedPage({ pipeline, job, tab, refresh }: LoadedPageProps) {
  const jobPath = `/pipelines/${pipeline.id}/jobs/${pipeline.job_id}`;
  const errors = usePolled<Page<JobLogMessage>>(`${jobPath}/errors?limit=20`, ERRORS_MS);
  const props: TabProps = { pipeline, job, jobPath };
  const tabs = [
    { id: "operators", label: "Operators" },
    { id: "outputs", label: "Outputs" },
    { id: "checkpoints", label: "Checkpoints" },
    { id: "query", label: "Query" },
    { id: "functions", label: "UDFs", count: pipeline.udfs.length },
    { id: "errors", label: "Errors", count: errors.data?.data.length, more: errors.data?.has_more, alarming: true },
    { id: "events", label: "Events" },
    { id: "workers", label: "Workers" },
  ];
  const selected = tabs.some(({ id }) => id === tab) ? tab : "operators";
  return (
    <div class="pipeline">
      <PipelineHead pipeline={pipeline} job={job} refresh={refresh} />
      {job?.waiting && (
        <div class="pipeline-note">
          <Note tone="warn">
            <strong>
              Waits {job.waiting.for === "slots" ? "for capacity" : "for the scheduler"} since {formatTime(job.waiting.since)}
            </strong>
            : {job.waiting.reason} <Link to={paths.clusterRun(job.id, job.run_id)}>Why</Link>
          </Note>
        </div>
      )}
      {job !== undefined && job.failure_reason !== null && (
        <div class="pipeline-note">
          <Note tone="bad">
            <strong>{job.failure_reason.error}</strong>
            <div class="muted">
              {DOMAINS[job.failure_reason.domain] ?? job.failure_reason.domain}
              {job.failure_reason.hint ? ` ${job.failure_reason.hint}` : ""}
            </div>
          </Note>
        </div>
      )}
      <Tabs
        label="Pipeline"
        class="pipeline-panel"
        tabs={tabs}
        selected={selected}
        onSelect={(next) => navigate(paths.pipeline(pipeline.id, next), true)}
      >
        <SelectedTab tab={selected} {...props} />
      </Tabs>
    </div>
  );
}

/** Whose fault an error is, in words. */
const DOMAINS: Readonly<Record<string, string>> = {
  user: "The query or its settings have to change.",
  external: "Something outside of the cluster refused or did not answer.",
  internal: "This is a fault of Wadi.",
};

function SelectedTab({ tab, ...props }: TabProps & { readonly tab: string }) {
  switch (tab) {
    case "outputs":
      return <OutputsTab {...props} />;
    case "checkpoints":
      return <CheckpointsTab {...props} />;
    case "query":
      return <DefinitionTab label="Query" language="sql" texts={[{ title: "query.sql", text: props.pipeline.query }]} />;
    case "functions":
      return (
        <DefinitionTab
          label="Function"
          language="typescript"
          texts={props.pipeline.udfs.map(({ definition }, i) => ({ title: `Function ${i + 1}`, text: definition }))}
        />
      );
    case "errors":
      return <ErrorsTab {...props} />;
    case "events":
      return <EventsTab {...props} />;
    case "workers":
      return <WorkersTab {...props} />;
    default:
      return <OperatorsTab {...props} />;
  }
}

function HeadSkeleton() {
  return (
    <div class="pipeline">
      <div class="pipeline-head">
        <span class="skeleton skeleton-title" />
      </div>
    </div>
  );
}

function Missing({ message }: { readonly message: string }) {
  return (
    <div class="page">
      <Empty icon="pipelines" title="The pipeline cannot be shown" actions={<ButtonLink to={paths.pipelines}>All pipelines</ButtonLink>}>
        {message}
      </Empty>
    </div>
  );
}
