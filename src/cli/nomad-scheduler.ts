/** The Nomad scheduler of a controller, of the settings `nomad.*`. */
import { readFileSync } from "node:fs";
import { systemClock } from "../core/clock.ts";
import type { Config } from "../core/config.ts";
import { toAppError, userError } from "../core/errors.ts";
import type { Logger } from "../core/log.ts";
import { systemRandom } from "../core/prng.ts";
import { SETTINGS } from "../core/settings.ts";
import { readSchedulerRecords, writeSchedulerRecord } from "../db/scheduler-records.ts";
import { type KeyMemory, NomadIdentities } from "../scheduler/nomad/identity.ts";
import { NomadScheduler } from "../scheduler/nomad/scheduler.ts";
import { nomadConnection, nomadJobSettings, parsePairs } from "../scheduler/nomad/settings.ts";
import type { JobSource } from "../scheduler/nomad/template.ts";
import type { ControllerParts } from "./node-scheduler.ts";

/** The scheduler; `parts`: of a controller. Throws `invalid-config` naming the setting that does not fit. */
export function nomadScheduler(config: Config, logger: Logger, parts?: ControllerParts): NomadScheduler {
  const scheduler = new NomadScheduler({
    connection: nomadConnection(config),
    jobs: nomadJobSettings(config),
    template: jobTemplate(config),
    uiAddress: config["nomad.ui-address"],
    preflight: config["nomad.preflight"],
    resyncMs: config["nomad.resync-interval"],
    runsToKeep: config["nomad.runs-to-keep"],
    controllers: configuredControllers(config),
    clock: systemClock,
    random: systemRandom,
    logger,
  });
  const memory = parts === undefined ? undefined : keyMemory(parts);
  scheduler.useIdentities((nomad) => {
    const identities = new NomadIdentities({ ...nomad, memory, clock: systemClock, logger });
    // Nomad may be away when the first worker comes.
    void identities.warmUp();
    return identities;
  });
  return scheduler;
}

/** "host:port" of all controllers, where the setting names them: workers of runs that go on learn of those that are new. */
function configuredControllers(config: Config): readonly string[] {
  const urls = config["controller-endpoint"];
  if (urls === SETTINGS["controller-endpoint"].fallback) return [];
  return urls.split(",").flatMap((url) => url.trim().replace(/^https?:\/\//, "") || []);
}

const RECORDS = "nomad";
const PUBLIC_KEYS = "public-keys";

/** Nomad's public keys in the database: a controller that starts while Nomad is away still knows the workers that run. */
function keyMemory({ db, leaderEpoch }: ControllerParts): KeyMemory {
  return {
    read: async () => (await readSchedulerRecords(db, RECORDS)).find(({ key }) => key === PUBLIC_KEYS)?.record,
    keep: (record) => writeSchedulerRecord(db, RECORDS, leaderEpoch(), { key: PUBLIC_KEYS, record }),
  };
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
