/** The example pipeline of `wadi deploy apply --example`: generated events, counted by key, so that a fresh installation has something to show. */
import type { z } from "zod";
import type { pipelineShape } from "../../api/schema/pipeline-shapes.ts";
import { externalError } from "../../core/errors.ts";
import { ApiClient } from "../api-client.ts";
import { reach } from "../commands/pipelines.ts";
import type { Deployment } from "./deployment.ts";
import { readItems, variablePathOf } from "./secrets.ts";
import { serviceUrls } from "./urls.ts";

const NAME = "example";
const QUERY = `-- Generated events, counted by key: what a fresh installation shows.
CREATE TABLE events WITH (connector = 'impulse', event_rate = '100');

CREATE TABLE totals WITH (connector = 'blackhole');

INSERT INTO totals SELECT counter % 10 AS key, count(*) AS events FROM events GROUP BY 1;
`;

/** Starts the pipeline unless there is one, and waits until it runs; what it says of it. Throws what the API refuses. */
export async function startExample(deployment: Pick<Deployment, "client" | "namespace">): Promise<string> {
  const [url] = await serviceUrls(deployment, "wadi-api");
  if (url === undefined) throw externalError("not-found", "the API is not registered as a service", { retry: "never" });
  const { items } = await readItems(deployment.client, variablePathOf("api"), deployment.namespace);
  const client = new ApiClient({ url, token: items["session_token"] });
  const [known] = await client.all<z.output<typeof pipelineShape>>("/pipelines");
  if (known !== undefined) return `pipeline "${known.name}" is there already (${known.state}): no example was started`;
  const made = await client.call<z.output<typeof pipelineShape>>("POST", "/pipelines", { name: NAME, query: QUERY, parallelism: 1 });
  await reach(client, made.id, ["Running"]);
  return `pipeline "${NAME}" runs (${made.id})`;
}
