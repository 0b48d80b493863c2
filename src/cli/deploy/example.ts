/** The example pipeline of `wadi deploy apply --example`: generated events, counted by key, so that a fresh installation has something to show. */
import type { z } from "zod";
import type { pipelineShape } from "../../api/schema/pipeline-shapes.ts";
import type { Clock } from "../../core/clock.ts";
import { externalError } from "../../core/errors.ts";
import { ApiClient } from "../api-client.ts";
import { jobOf } from "../commands/pipelines.ts";
import type { Deployment } from "./deployment.ts";
import { readItems, variablePathOf } from "./secrets.ts";
import { serviceUrls } from "./urls.ts";

const NAME = "example";
const QUERY = `-- Generated events, counted by key: what a fresh installation shows.
CREATE TABLE events WITH (connector = 'impulse', event_rate = '100');

CREATE TABLE totals WITH (connector = 'blackhole');

INSERT INTO totals SELECT counter % 10 AS key, count(*) AS events FROM events GROUP BY 1;
`;

/** How to wait for it. */
export interface ExampleOptions {
  /** Milliseconds. */
  readonly limitMs: number;
  readonly signal: AbortSignal;
}

const POLL_MS = 300;
/** A pipeline that has been started so often in vain needs somebody to look at it. */
const ATTEMPTS = 3;

/** Starts the pipeline unless there is one, and waits until it runs; what is to be said of it. Throws what the API refuses, and why it does not run. */
export async function startExample(deployment: Pick<Deployment, "client" | "namespace">, options: ExampleOptions): Promise<string> {
  const [url] = await serviceUrls(deployment, "wadi-api");
  if (url === undefined) throw externalError("not-found", "the API is not registered as a service", { retry: "never" });
  const { items } = await readItems(deployment.client, variablePathOf("api"), deployment.namespace);
  const client = new ApiClient({ url, token: items["session_token"] });
  const [known] = await client.all<z.output<typeof pipelineShape>>("/pipelines");
  if (known !== undefined) return `pipeline "${known.name}" is there already (${known.state}): no example was started`;
  const made = await client.call<z.output<typeof pipelineShape>>("POST", "/pipelines", { name: NAME, query: QUERY, parallelism: 1 });
  await untilRunning(client, made.id, deployment.client.clock, options);
  return options.signal.aborted ? `pipeline "${NAME}" was made (${made.id})` : `pipeline "${NAME}" runs (${made.id})`;
}

async function untilRunning(client: ApiClient, id: string, clock: Clock, { limitMs, signal }: ExampleOptions): Promise<void> {
  const untilMs = clock.elapsedMs() + limitMs;
  while (!signal.aborted) {
    const job = await jobOf(client, { id });
    if (job.state === "Running") return;
    const late = clock.elapsedMs() > untilMs;
    if (late || job.state === "Failed" || job.restarts >= ATTEMPTS) {
      const why = job.failure_reason?.error ?? job.waiting?.reason;
      throw externalError("io", `the example pipeline does not run (${job.state})${why === undefined ? "" : `: ${why}`}`, {
        retry: "never",
        hint: "The installation itself is healthy. `wadi doctor` looks for the cause; `wadi pipelines delete example` removes the pipeline.",
      });
    }
    await clock.sleep(POLL_MS, signal);
  }
}
