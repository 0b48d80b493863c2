/** All checks of Nomad, in the order in which people read them. */
import type { Config } from "../../../core/config.ts";
import { nomadJobSettings } from "../../../scheduler/nomad/settings.ts";
import type { Check, DoctorOptions } from "../check.ts";
import { artifactCheck } from "./artifact-check.ts";
import type { Agent } from "./ask.ts";
import { NomadCluster } from "./cluster.ts";
import { connectionChecks } from "./connection-checks.ts";
import { identityChecks } from "./identity-checks.ts";
import { permissionChecks } from "./permission-checks.ts";
import { placeChecks } from "./place-checks.ts";
import { probeChecks } from "./probe-checks.ts";

/** The checks of the cluster that `agents` belong to. Throws `invalid-config` for settings of worker jobs that make no sense. */
export function nomadChecks(agents: readonly Agent[], config: Config, { clock, probe }: DoctorOptions): readonly Check[] {
  const cluster = new NomadCluster(agents, config["nomad.namespace"]);
  const settings = nomadJobSettings(config);
  return inOrder([
    ...connectionChecks(cluster, clock),
    ...permissionChecks(cluster, clock),
    ...placeChecks(cluster, settings, config),
    ...identityChecks(cluster, config),
    artifactCheck(settings),
    ...probeChecks(cluster, config, clock, probe),
  ]);
}

/** Each check behind those it needs, otherwise as they were. */
function inOrder(checks: readonly Check[]): readonly Check[] {
  const ids = new Set(checks.map(({ id }) => id));
  const done = new Set<string>();
  const sorted: Check[] = [];
  let rest = [...checks];
  while (rest.length > 0) {
    const next = rest.find(({ needs = [] }) => needs.every((id) => done.has(id) || !ids.has(id))) ?? rest[0];
    if (next === undefined) break;
    rest = rest.filter((check) => check !== next);
    done.add(next.id);
    sorted.push(next);
  }
  return sorted;
}
