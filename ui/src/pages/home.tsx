/**
 * Home: how many jobs run, finished and failed, and the pipelines; on an empty cluster, the first steps.
 */

import type { Collection } from "../api/lists.ts";
import { usePolled } from "../api/polling.ts";
import type { Job } from "../api/types.ts";
import { ButtonLink } from "../components/button.tsx";
import { Icon } from "../components/icon.tsx";
import type { Tone } from "../components/note.tsx";
import { useTitle } from "../components/title.ts";
import { formatCount } from "../format.ts";
import { paths } from "../paths.ts";
import { Link } from "../router.tsx";
import { PipelineTable } from "./pipeline-table.tsx";

const JOBS_MS = 3000;

/** The page. */
export function HomePage() {
  useTitle("Home");
  const jobs = usePolled<Collection<Job>>("/jobs", JOBS_MS);
  const all = jobs.data?.data;
  const count = (...states: readonly string[]) => all?.filter((job) => states.includes(job.state)).length;
  return (
    <div class="page">
      <div class="page-head">
        <h1>Home</h1>
        <div class="actions">
          <ButtonLink to={paths.editor()} tone="primary" icon="plus">
            New pipeline
          </ButtonLink>
        </div>
      </div>
      <dl class="stats card">
        <Stat label="Running" value={count("Running")} tone="ok" />
        <Stat label="All" value={all?.length} tone="plain" />
        <Stat label="Finished" value={count("Finished")} tone="info" />
        <Stat label="Failed" value={count("Failed", "Failing")} tone="bad" />
      </dl>
      {all !== undefined && all.length === 0 ? <FirstSteps /> : <PipelineTable jobs={all} />}
    </div>
  );
}

function Stat({ label, value, tone }: { readonly label: string; readonly value: number | undefined; readonly tone: Tone }) {
  return (
    <div class="stat" data-tone={tone}>
      <dt>{label}</dt>
      <dd>{value === undefined ? "" : formatCount(value)}</dd>
    </div>
  );
}

const STEPS = [
  {
    title: "Write a query",
    text: "Start from an example: its rows are made by a generator, so that nothing has to be set up.",
    to: paths.editor(),
    link: "Open the editor",
  },
  {
    title: "Preview it",
    text: "Ctrl+Enter runs the query for a minute and shows its rows. Mistakes are marked while you type.",
    to: paths.editor(),
    link: "Try an example",
  },
  {
    title: "Connect your data",
    text: "Describe files or streams once, and every pipeline can read and write them by name.",
    to: paths.connectionGallery,
    link: "Add a connection",
  },
] as const;

function FirstSteps() {
  return (
    <section aria-labelledby="first-steps">
      <h2 id="first-steps" class="section-title">
        First steps
      </h2>
      <ol class="steps">
        {STEPS.map((step, i) => (
          <li key={step.title} class="card step">
            <span class="step-number">{i + 1}</span>
            <h3>{step.title}</h3>
            <p class="muted small">{step.text}</p>
            <Link to={step.to} class="step-link">
              {step.link} <Icon name="chevron" />
            </Link>
          </li>
        ))}
      </ol>
    </section>
  );
}
