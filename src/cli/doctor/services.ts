/** Checks of what runs beside the scheduler: the API, if one is running, and Prometheus, if one is configured. */
import type { Config } from "../../core/config.ts";
import { toAppError } from "../../core/errors.ts";
import { apiAccess } from "../api-client.ts";
import { type Check, type Finding, fail, ok, skip, warn } from "./check.ts";

const LIMIT_MS = 4_000;

/** Checks of API and Prometheus. */
export function serviceChecks(config: Config): readonly Check[] {
  return [
    {
      id: "api",
      title: "API",
      limitMs: LIMIT_MS,
      ifSilent: "Look at the API's log, or correct api-endpoint.",
      run: (signal) => checkApi(config, signal),
    },
    {
      id: "prometheus",
      title: "Prometheus",
      limitMs: LIMIT_MS,
      ifSilent: "Start Prometheus, or correct prometheus.endpoint.",
      run: (signal) => checkPrometheus(config, signal),
    },
  ];
}

async function checkApi(config: Config, signal: AbortSignal): Promise<Finding> {
  const { url, token } = await apiAccess(config, undefined);
  const ping = await fetch(`${url}/api/v1/ping`, { signal }).catch(() => undefined);
  if (ping === undefined) return skip(`no API answers at ${url}`);
  if (!(await ping.text()).includes("pong")) return warn(`${url} answers, but not as Wadi's API`, "Correct api-endpoint.");
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const { status } = await fetch(`${url}/api/v1/cluster`, { headers, signal });
  if (status === 401)
    return warn(
      `the API at ${url} runs and does not know this token`,
      "Set WADI_API_TOKEN to an API key, or to the token of the start-up link.",
    );
  if (status === 503)
    return fail(
      `the API at ${url} runs without its database`,
      "See the findings on the database; the API goes on by itself once it answers.",
    );
  return status === 200 ? ok(`answers at ${url}`) : fail(`the API at ${url} answers with status ${status}`, "Look at the API's log.");
}

async function checkPrometheus(config: Config, signal: AbortSignal): Promise<Finding> {
  const endpoint = config["prometheus.endpoint"];
  if (endpoint === undefined) return skip("prometheus.endpoint is not set: the UI has the last five minutes without one");
  const auth = config["prometheus.basic-auth"];
  const headers: Record<string, string> = auth === undefined ? {} : { authorization: `Basic ${Buffer.from(auth).toString("base64")}` };
  const url = `${endpoint.replace(/\/$/, "")}/api/v1/query?query=up`;
  try {
    const answer = await fetch(url, { headers, signal });
    const text = await answer.text();
    if (answer.status === 401 || answer.status === 403)
      return fail(`Prometheus at ${endpoint} refuses these credentials`, "Correct prometheus.basic-auth (user:password).");
    if (!answer.ok || !text.includes('"success"'))
      return fail(`${endpoint} answers with status ${answer.status}, not as Prometheus`, "Correct prometheus.endpoint.");
    return ok(`answers queries at ${endpoint}`);
  } catch (thrown) {
    const cause = thrown instanceof Error && thrown.cause instanceof Error ? thrown.cause : thrown;
    return fail(
      `Prometheus at ${endpoint} does not answer: ${toAppError(cause).message}`,
      "Start Prometheus, or correct prometheus.endpoint.",
    );
  }
}
