/** Checks of Prometheus (it answers, scrapes Wadi, has rules that work) and of the Pushgateway, where they are configured. */
import { readFile } from "node:fs/promises";
import type { Config } from "../../core/config.ts";
import { toAppError } from "../../core/errors.ts";
import { basicAuthorization, httpAddress } from "../../rpc/http-credentials.ts";
import { type Check, type Finding, fail, ok, skip, warn } from "./check.ts";

const LIMIT_MS = 4_000;
/** Names of scrape jobs as Prometheus has them where nobody chose others. */
const SHOWN_TARGETS = 3;

/** Checks of both. */
export function monitoringChecks(config: Config): readonly Check[] {
  const one = (id: string, title: string, run: Check["run"], needs: readonly string[], ifSilent: string): Check => {
    return { id, title, limitMs: LIMIT_MS, ifSilent, run, ...(needs.length === 0 ? {} : { needs }) };
  };
  const silent = "Start Prometheus, or correct prometheus.endpoint.";
  const first = one("prometheus", "Prometheus", (signal) => checkPrometheus(config, signal), [], silent);
  const more =
    config["prometheus.endpoint"] === undefined
      ? []
      : [
          one("prometheus-targets", "Prometheus's targets", (signal) => checkTargets(config, signal), ["prometheus"], silent),
          one("prometheus-rules", "Prometheus's rules", (signal) => checkRules(config, signal), ["prometheus"], silent),
        ];
  const gateway = "Start the Pushgateway, or correct metrics.pushgateway.";
  return [first, ...more, one("pushgateway", "Pushgateway", (signal) => checkPushgateway(config, signal), [], gateway)];
}

interface PrometheusAnswer {
  readonly status: number;
  readonly text: string;
}

/** Asks Prometheus; `url` is without what is secret in it. */
async function ask(config: Config, path: string, signal: AbortSignal): Promise<PrometheusAnswer & { readonly url: string }> {
  const endpoint = httpAddress(config["prometheus.endpoint"] ?? "");
  const url = endpoint?.url ?? "";
  const authorization = (await authorizationOf(config)) ?? endpoint?.authorization;
  const answer = await fetch(`${url}${path}`, { headers: authorization === undefined ? {} : { authorization }, signal });
  return { status: answer.status, text: await answer.text(), url };
}

async function authorizationOf(config: Config): Promise<string | undefined> {
  const file = config["prometheus.token-file"];
  const token = file === undefined ? config["prometheus.token"] : (await readFile(file, "utf8")).trim();
  if (token !== undefined) return `Bearer ${token}`;
  const pair = config["prometheus.basic-auth"];
  return pair === undefined ? undefined : basicAuthorization(pair);
}

async function checkPrometheus(config: Config, signal: AbortSignal): Promise<Finding> {
  const setting = config["prometheus.endpoint"];
  if (setting === undefined) return skip("prometheus.endpoint is not set: the UI has the last five minutes without one");
  const address = httpAddress(setting);
  if (address === undefined) return fail("prometheus.endpoint is not a URL of http or https", "Write it like http://10.0.0.5:9090.");
  try {
    const { status, text, url } = await ask(config, "/api/v1/query?query=up", signal);
    if (status === 401 || status === 403)
      return fail(`Prometheus at ${url} refuses these credentials`, "Correct prometheus.token, or prometheus.basic-auth (user:password).");
    if (status !== 200 || !text.includes('"success"'))
      return fail(`${url} answers with status ${status}, not as Prometheus`, "Correct prometheus.endpoint.");
    return ok(`answers queries at ${url}`);
  } catch (thrown) {
    return fail(`Prometheus at ${address.url} does not answer: ${causeOf(thrown)}`, "Start Prometheus, or correct prometheus.endpoint.");
  }
}

/** What fetch hides: its own words are "fetch failed". */
function causeOf(thrown: unknown): string {
  const cause = thrown instanceof Error && thrown.cause instanceof Error ? thrown.cause : thrown;
  return toAppError(cause).message;
}

interface Target {
  readonly health?: string;
  readonly scrapeUrl?: string;
  readonly lastError?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

async function checkTargets(config: Config, signal: AbortSignal): Promise<Finding> {
  const { text, url, status } = await ask(config, "/api/v1/targets?state=active", signal);
  const targets = dataOf<{ readonly activeTargets?: readonly Target[] }>(status, text)?.activeTargets;
  if (targets === undefined) return skip(`${url} does not tell its targets`);
  const wadi = targets.filter(({ labels }) => /wadi/.test(`${labels?.["job"] ?? ""} ${labels?.["service"] ?? ""}`));
  if (wadi.length === 0)
    return warn(
      `Prometheus at ${url} scrapes ${targets.length} targets, and none is Wadi's`,
      "Use nomad/prometheus.nomad.hcl, or add a scrape job for the services tagged metrics (or for the API's /api/v1/metrics/targets).",
    );
  const down = targets.filter(({ health }) => health === "down");
  if (down.length === 0) return ok(`${targets.length} targets, ${wadi.length} of them Wadi's, all are up`);
  const shown = down.slice(0, SHOWN_TARGETS).map(({ scrapeUrl = "", lastError = "" }) => `${scrapeUrl} (${lastError})`);
  return warn(
    `${down.length} of ${targets.length} targets are down: ${shown.join("; ")}`,
    "Open the way from Prometheus to these addresses, or look at what should answer there.",
  );
}

interface RuleGroup {
  readonly name?: string;
  readonly rules?: readonly { readonly name?: string; readonly health?: string; readonly lastError?: string }[];
}

async function checkRules(config: Config, signal: AbortSignal): Promise<Finding> {
  const { text, url, status } = await ask(config, "/api/v1/rules", signal);
  const groups = dataOf<{ readonly groups?: readonly RuleGroup[] }>(status, text)?.groups;
  if (groups === undefined) return skip(`${url} does not tell its rules`);
  const rules = groups.flatMap((group) => group.rules ?? []);
  if (rules.length === 0)
    return warn(
      `Prometheus at ${url} has no rules: nobody is told of trouble`,
      "Load nomad/monitoring/rules/*.rules.yml (variable rules of its job).",
    );
  const broken = rules.find(({ health }) => health === "err");
  if (broken !== undefined)
    return fail(
      `the rule "${broken.name ?? ""}" of Prometheus fails: ${broken.lastError ?? ""}`,
      "Correct the rule, or load this release's.",
    );
  return ok(`${rules.length} rules in ${groups.length} groups`);
}

/** What Prometheus answers; undefined: it is something else. */
function dataOf<T>(status: number, text: string): T | undefined {
  if (status !== 200) return undefined;
  try {
    return (JSON.parse(text) as { readonly data?: T }).data;
  } catch {
    return undefined;
  }
}

async function checkPushgateway(config: Config, signal: AbortSignal): Promise<Finding> {
  const setting = config["metrics.pushgateway"];
  if (setting === undefined) return skip("metrics.pushgateway is not set: workers push nothing");
  const address = httpAddress(setting);
  if (address === undefined) return fail("metrics.pushgateway is not a URL of http or https", "Write it like http://10.0.0.5:9091.");
  const { url, authorization } = address;
  try {
    const { status } = await fetch(`${url}/-/ready`, { headers: authorization === undefined ? {} : { authorization }, signal });
    if (status === 200) return ok(`is ready at ${url}`);
    return fail(
      `${url} answers with status ${status}, not as a Pushgateway that is ready`,
      "Correct metrics.pushgateway, or look at its log.",
    );
  } catch (thrown) {
    const what = `the Pushgateway at ${url} does not answer: ${causeOf(thrown)}`;
    return warn(what, "Start it, or correct metrics.pushgateway; pipelines run without it, their last numbers are lost.");
  }
}
