/** POST /v1/jobs/parse. */
import { type Exchange, HttpError } from "./exchange.ts";
import { decodeJob } from "./job-decoder.ts";
import { parseJobspec } from "./jobspec.ts";

/** Answers with the job; with `Canonicalize` also with what servers add, which real ones add later. */
export async function parseRoute(exchange: Exchange): Promise<void> {
  const body = await exchange.json();
  exchange.allow(exchange.namespace, "parse-job", "submit-job");
  const { JobHCL: text, Variables: variables } = body;
  if (typeof text !== "string" || text === "") throw new HttpError(400, "Job spec is empty");
  let parsed: unknown;
  try {
    parsed = parseJobspec(text, typeof variables === "string" ? variables : "");
    if (body["Canonicalize"] === true) parsed = decodeJob(parsed, exchange.namespace, true);
  } catch (error) {
    throw new HttpError(400, `Failed to parse job: ${error instanceof Error ? error.message : String(error)}`);
  }
  exchange.send(parsed);
}
