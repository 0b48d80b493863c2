/** Checks of what workers prove themselves and find the controllers with: Nomad's signing keys, native services. */
import type { Config } from "../../../core/config.ts";
import { CONTROLLER_SERVICE as SERVICE } from "../../../scheduler/nomad/spec.ts";
import { type Check, type Finding, fail, ok, warn } from "../check.ts";
import { type Answer, parseAnswer, saidBy } from "./ask.ts";
import type { NomadCluster } from "./cluster.ts";

const LIMIT_MS = 4_000;
const SILENT = "Look at the servers' load: they did not answer in time.";
/** Checks of keys and services. */
export function identityChecks(cluster: NomadCluster, config: Config): readonly Check[] {
  const after = { limitMs: LIMIT_MS, ifSilent: SILENT };
  return [
    { ...after, id: "nomad-identity-keys", title: "identity keys", needs: ["nomad-leader"], run: (signal) => checkKeys(cluster, signal) },
    {
      ...after,
      id: "nomad-controllers",
      title: "controllers",
      needs: ["nomad-acl-read-job"],
      run: (signal) => checkControllers(cluster, config, signal),
    },
  ];
}

interface Key {
  readonly kid?: string;
  readonly alg?: string;
  readonly kty?: string;
}

/** Workers' identities are signed by the newest key; without one no allocation with an identity starts. */
async function checkKeys(cluster: NomadCluster, signal: AbortSignal): Promise<Finding> {
  const answer = await cluster.askOpenly({ path: "/.well-known/jwks.json", signal });
  if (answer.status !== 200)
    return fail(
      `the keys of workload identities cannot be read: ${saidBy(answer)}`,
      "Let /.well-known/jwks.json through; a proxy in front of Nomad may hide it.",
    );
  const keys = parseAnswer<{ keys?: readonly Key[] }>(answer, "the identity keys").keys ?? [];
  const usable = keys.filter(({ alg, kty }) => alg === "RS256" || alg === "EdDSA" || kty === "RSA" || kty === "OKP");
  if (usable.length === 0)
    return fail(
      "Nomad has no key to sign workload identities with: workers could not start",
      "Look at nomad operator root keyring list, and rotate: nomad operator root keyring rotate -full.",
    );
  const algorithms = [...new Set(usable.map(({ alg, kty }) => alg ?? kty ?? ""))];
  return ok(`${usable.length} (${algorithms.join(", ")}); identities of workers are renewed every 24 h`);
}

async function checkControllers(cluster: NomadCluster, config: Config, signal: AbortSignal): Promise<Finding> {
  const answer = await cluster.askInNamespace({ path: `/v1/service/${SERVICE}`, signal });
  if (answer.status !== 200)
    return fail(`Nomad's services cannot be read: ${saidBy(answer)}`, `Give the token read-job in namespace "${cluster.namespace}".`);
  const found = addressesOf(answer);
  if (found.length > 0) return ok(`registered as service ${SERVICE}: ${found.join(", ")}`);
  const configured = config["controller-endpoint"];
  if (/\/\/(localhost|127\.|\[::1\])/.test(configured) && !cluster.agent.address.match(/localhost|127\.|\[::1\]|^unix/))
    return warn(
      `no controller is registered as service ${SERVICE} in namespace "${cluster.namespace}", and controller-endpoint "${configured}" is this machine's loopback`,
      "Run the controllers as a Nomad job, or set controller-endpoint to addresses that nodes reach.",
    );
  return ok(`none is registered as service ${SERVICE}; workers will use ${configured}`);
}

function addressesOf(answer: Answer): readonly string[] {
  const list = parseAnswer<readonly { readonly Address?: string; readonly Port?: number }[] | null>(answer, "the service") ?? [];
  return list.map(({ Address = "", Port = 0 }) => `${Address}:${Port}`);
}
