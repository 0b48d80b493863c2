/** Checks of the API, if one is running: it answers, its certificate is good, it knows this caller, and all speak of the same release. */
import { connect, type TLSSocket } from "node:tls";
import { systemClock } from "../../core/clock.ts";
import type { Config } from "../../core/config.ts";
import { apiAccess } from "../api-client.ts";
import { release } from "../release.ts";
import { certificateDays, RENEW_DAYS } from "./certificate.ts";
import { type Check, type Finding, fail, ok, skip, warn } from "./check.ts";

const LIMIT_MS = 4_000;

/** Checks of the API. */
export function serviceChecks(config: Config): readonly Check[] {
  const check: Check = {
    id: "api",
    title: "API",
    limitMs: LIMIT_MS,
    ifSilent: "Look at the API's log, or correct api-endpoint.",
    run: (signal) => checkApi(config, signal),
  };
  if (!config["api-endpoint"].startsWith("https:")) return [check];
  const ifSilent = "Look at the load balancer, or correct api-endpoint.";
  const run = (signal: AbortSignal): Promise<Finding> => checkCertificate(config["api-endpoint"], signal);
  return [check, { id: "api-certificate", title: "API's certificate", limitMs: LIMIT_MS, ifSilent, needs: ["api"], run }];
}

async function checkApi(config: Config, signal: AbortSignal): Promise<Finding> {
  const { url, token } = await apiAccess(config, undefined);
  let ping: Response;
  try {
    ping = await fetch(`${url}/api/v1/ping`, { signal });
  } catch (thrown) {
    return silentApi(url, thrown);
  }
  if (!(await ping.text()).includes("pong")) return warn(`${url} answers, but not as Wadi's API`, "Correct api-endpoint.");
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const answer = await fetch(`${url}/api/v1/cluster`, { headers, signal });
  const { status } = answer;
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
  if (status !== 200) return fail(`the API at ${url} answers with status ${status}`, "Look at the API's log.");
  return clusterFinding(url, (await answer.json()) as ClusterAnswer);
}

/** Nobody there is no fault of an API that was never started; a certificate that is refused is one. */
function silentApi(url: string, thrown: unknown): Finding {
  const cause = (thrown as { readonly cause?: { readonly code?: string; readonly message?: string } }).cause;
  const code = cause?.code ?? "";
  if (code === "CERT_HAS_EXPIRED")
    return fail(`the certificate of ${url} has expired`, "Renew it where TLS ends: at the load balancer or proxy of the API.");
  if (/^(?:ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO)/.test(code))
    return fail(
      `the certificate of ${url} is not trusted here: ${cause?.message ?? code}`,
      "Set NODE_EXTRA_CA_CERTS to its authority, or correct api-endpoint.",
    );
  return skip(`no API answers at ${url}`);
}

interface ClusterAnswer {
  readonly release?: string;
  readonly controller?: { readonly alive?: boolean; readonly endpoint?: string; readonly release?: string } | null;
}

/** Who leads, and whether all are of one release. */
function clusterFinding(url: string, { release: theirs = "", controller }: ClusterAnswer): Finding {
  if (controller === null || controller === undefined)
    return fail(
      `the API at ${url} answers, and no controller has ever led`,
      "Start a controller (wadi controller, nomad/controller.nomad.hcl) and look at its log.",
    );
  if (controller.alive !== true)
    return fail(
      `the API at ${url} answers, and no controller leads: the last was at ${controller.endpoint ?? "an unknown address"}`,
      "Start a controller and look at the log of the last one; workers go on meanwhile.",
    );
  const releases = new Set([release(), theirs, controller.release ?? ""]);
  if (releases.size > 1)
    return warn(
      `releases differ: this command ${release()}, the API ${theirs}, the leading controller ${controller.release ?? "?"}`,
      "Deploy one release everywhere; running pipelines move with wadi upgrade.",
    );
  return ok(`answers at ${url}; a controller at ${controller.endpoint ?? "?"} leads; all are release ${theirs}`);
}

async function checkCertificate(url: string, signal: AbortSignal): Promise<Finding> {
  const { hostname, port } = new URL(url);
  const days = await new Promise<number>((resolve, reject) => {
    const socket: TLSSocket = connect(
      { host: hostname, port: port === "" ? 443 : Number(port), servername: hostname, signal } as never,
      () => {
        resolve(certificateDays(socket.getPeerCertificate().valid_to, systemClock));
        socket.destroy();
      },
    );
    socket.on("error", reject);
  });
  if (days >= RENEW_DAYS) return ok(`is valid for ${days} days`);
  return warn(`the certificate of ${url} expires in ${days} days`, "Renew it where TLS ends: at the load balancer or proxy of the API.");
}
