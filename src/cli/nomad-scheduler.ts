/** The Nomad scheduler of a controller, of the settings `nomad.*`. */
import { readFileSync } from "node:fs";
import { systemClock } from "../core/clock.ts";
import type { Config } from "../core/config.ts";
import { toAppError, userError } from "../core/errors.ts";
import type { Logger } from "../core/log.ts";
import { systemRandom } from "../core/prng.ts";
import { NomadIdentities } from "../scheduler/nomad/identity.ts";
import { NomadScheduler } from "../scheduler/nomad/scheduler.ts";
import { nomadConnection, nomadJobSettings, parsePairs } from "../scheduler/nomad/settings.ts";
import type { JobSource } from "../scheduler/nomad/template.ts";

/** The scheduler. Throws `invalid-config` naming the setting that does not fit. */
export function nomadScheduler(config: Config, logger: Logger): NomadScheduler {
  const scheduler = new NomadScheduler({
    connection: nomadConnection(config),
    jobs: nomadJobSettings(config),
    template: jobTemplate(config),
    uiAddress: config["nomad.ui-address"],
    preflight: config["nomad.preflight"],
    resyncMs: config["nomad.resync-interval"],
    runsToKeep: config["nomad.runs-to-keep"],
    controllers: [],
    clock: systemClock,
    random: systemRandom,
    logger,
  });
  scheduler.useIdentities((parts) => {
    const identities = new NomadIdentities({ ...parts, clock: systemClock, logger });
    // Nomad may be away when the first worker comes.
    void identities.warmUp();
    return identities;
  });
  return scheduler;
}

/** The operator's own job; undefined: there is none. */
export function jobTemplate(config: Config): JobSource | undefined {
  const path = config["nomad.job-template"];
  if (path === undefined) return undefined;
  try {
    const variables = parsePairs("nomad.template-variables", config["nomad.template-variables"]);
    return { path, hcl: readFileSync(path, "utf8"), variables };
  } catch (thrown) {
    const error = toAppError(thrown);
    throw userError("invalid-config", `nomad.job-template cannot be read: ${error.message}`, { cause: error });
  }
}
