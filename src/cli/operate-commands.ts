/** Commands for whoever operates a cluster: doctor, upgrade, backup, restore, recover, certificates, support-bundle. */
import { resolve } from "node:path";
import type { Argv } from "yargs";
import type { LoadedConfig } from "../core/config.ts";
import { milliseconds, single, wholeNumber } from "./arguments.ts";
import { CONFIG, type CommandSet, configuration, type Finish } from "./command-set.ts";

const STATE = {
  ...CONFIG,
  "state-dir": { type: "string", requiresArg: true, describe: "state directory of the cluster; .local/state/wadi by default" },
} as const;
const BUNDLE = {
  ...STATE,
  out: { type: "string", requiresArg: true, describe: "file to write; wadi-support-<time>.tar.gz by default" },
} as const;

const DOCTOR = {
  ...STATE,
  json: { type: "boolean", default: false, describe: "the findings as JSON" },
  deployed: { type: "boolean", default: false, describe: "look at what is deployed on Nomad, with its settings and secrets" },
  "no-probe": { type: "boolean", default: false, describe: "start no short Nomad job that looks from a node" },
  within: { type: "number", requiresArg: true, default: 10, describe: "seconds after which what has not answered is given up" },
  "as-worker": { type: "boolean", default: false, describe: "look only at what a worker needs: the stores and --reach" },
  reach: {
    type: "string",
    array: true,
    requiresArg: true,
    default: [],
    describe: "look whether this address accepts connections: name=host:port",
  },
} as const;

const UPGRADE = {
  ...CONFIG,
  "api-url": { type: "string", requiresArg: true, describe: "URL of the API; the setting api-endpoint by default" },
  json: { type: "boolean", default: false, describe: "JSON instead of text" },
} as const;
const UPGRADE_PLAN = {
  ...UPGRADE,
  out: { type: "string", requiresArg: true, default: "wadi-upgrade.json", describe: "file of the plan" },
} as const;
const UPGRADE_MOVE = {
  ...UPGRADE,
  timeout: { type: "string", requiresArg: true, default: "10m", describe: "time for one pipeline" },
  continue: { type: "boolean", default: false, describe: "go on with the others after one that failed" },
} as const;

const CERTIFICATES = { ...STATE, json: { type: "boolean", default: false, describe: "JSON instead of text" } } as const;
const RENEW = { ...STATE, yes: { alias: "y", type: "boolean", default: false, describe: "do it; without it only said" } } as const;

const RECOVER = {
  ...STATE,
  from: {
    type: "string",
    array: true,
    requiresArg: true,
    default: [],
    describe: "store with checkpoints, s3://bucket/prefix or a directory; the setting checkpoint-url by default",
  },
  yes: { alias: "y", type: "boolean", default: false, describe: "do not ask before rows are written" },
  start: { type: "boolean", default: false, describe: "run the pipelines at once; they come back stopped otherwise" },
  json: { type: "boolean", default: false, describe: "the plan as JSON" },
} as const;

async function upgradeClient(a: { readonly config: string | undefined; readonly "api-url": string | undefined; readonly json: boolean }) {
  const [{ ApiClient, apiAccess }, { config }] = await Promise.all([import("./api-client.ts"), configuration(a.config)]);
  return { client: new ApiClient(await apiAccess(config, single("api-url", a["api-url"]))), json: a.json };
}

function upgradeCommands(y: Argv, finish: Finish): Argv {
  const withPlan = <T>(c: Argv<T>) =>
    c.positional("plan", { type: "string", default: "wadi-upgrade.json", describe: "file of the plan" }).options(UPGRADE_MOVE);
  const manner = (a: { readonly timeout: string; readonly continue: boolean }) => ({
    timeoutMs: milliseconds("timeout", a.timeout) ?? 0,
    goOn: a.continue,
  });
  return y
    .command(
      "plan <build>",
      "say which pipelines would be moved to a build, and write it down",
      (c) =>
        c
          .positional("build", { type: "string", demandOption: true, describe: "release, artifact or image of the workers" })
          .options(UPGRADE_PLAN),
      async (a) => {
        const { planUpgrade } = await import("./commands/upgrade.ts");
        finish(await planUpgrade(await upgradeClient(a), a.build, single("out", a.out)));
      },
    )
    .command("apply [plan]", "move pipelines one by one; stop at the first that does not come up", withPlan, async (a) => {
      const { applyUpgrade } = await import("./commands/upgrade.ts");
      finish(await applyUpgrade(await upgradeClient(a), a.plan, manner(a)));
    })
    .command("rollback [plan]", "give the pipelines of a plan the builds they had", withPlan, async (a) => {
      const { rollbackUpgrade } = await import("./commands/upgrade.ts");
      finish(await rollbackUpgrade(await upgradeClient(a), a.plan, manner(a)));
    });
}

function registerUpgrade(y: Argv, finish: Finish): Argv {
  return y.command("upgrade", "move running pipelines to another build of the workers", (group) =>
    upgradeCommands(group, finish)
      .demandCommand(1, "a command of wadi upgrade is missing")
      .epilogue("Pipelines with the tag build=pinned stay. Exit codes: 0 all have the build, 1 one did not come up with it."),
  );
}

async function configured(file: string | undefined, stateDir: string | undefined): Promise<LoadedConfig> {
  const loaded = await configuration(file);
  const path = single("state-dir", stateDir);
  return path === undefined ? loaded : { ...loaded, config: { ...loaded.config, "state-dir": resolve(path) } };
}

function withArchive<T>(y: Argv<T>, describe: string) {
  return y.positional("file", { type: "string", demandOption: true, describe });
}

function registerDoctor(y: Argv, finish: Finish): Argv {
  return y.command(
    "doctor",
    "look for what is wrong, with cause and fix",
    (c) =>
      c
        .options(DOCTOR)
        .example("$0 doctor", "looks at scheduler, store, database and API as configured")
        .example("NOMAD_ADDR=https://10.0.0.5:4646 SCHEDULER=nomad $0 doctor", "at a Nomad cluster")
        .example("$0 doctor --deployed", "at an installation of wadi deploy or terraform/platform, from end to end")
        .epilogue("It changes nothing for good. Exit codes: 0 all is well, 1 something fails, 2 wrong usage."),
    async (a) => {
      const { doctor } = await import("./commands/doctor.ts");
      const withinS = wholeNumber("within", a.within, 2, 60) ?? 10;
      const args = { json: a.json, probe: !a["no-probe"], withinS, asWorker: a["as-worker"], reach: a.reach };
      const loaded = await configured(a.config, a["state-dir"]);
      if (!a.deployed) return finish(await doctor(args, loaded));
      const { deployedConfig } = await import("./doctor/deployed.ts");
      finish(await doctor(args, await deployedConfig(loaded, single("config", a.config))));
    },
  );
}

function registerCertificates(y: Argv, finish: Finish): Argv {
  return y.command("certificates", "show or renew the authority that the cluster made for itself", (group) =>
    group
      .command(
        "show",
        "print the authority's certificate, never its key",
        (c) => c.options(CERTIFICATES),
        async (a) => {
          const { showAuthority } = await import("./commands/certificates.ts");
          finish(await showAuthority({ json: a.json }, await configured(a.config, a["state-dir"])));
        },
      )
      .command(
        "renew",
        "forget the authority: the next controller that starts makes another",
        (c) => c.options(RENEW),
        async (a) => {
          const { renewAuthority } = await import("./commands/certificates.ts");
          finish(await renewAuthority({ yes: a.yes }, await configured(a.config, a["state-dir"])));
        },
      )
      .demandCommand(1, "a command of wadi certificates is missing"),
  );
}

function register(y: Argv, finish: Finish): Argv {
  return registerCertificates(registerUpgrade(registerDoctor(y, finish), finish), finish)
    .command(
      "backup <file>",
      "save a stopped cluster's state directory",
      (c) => withArchive(c, "archive to write, .tar.gz").options(STATE).epilogue("Stop the cluster first: a directory in use is refused."),
      async (a) => {
        const { backup } = await import("./commands/backup.ts");
        finish(await backup(a.file, await configured(a.config, a["state-dir"])));
      },
    )
    .command(
      "restore <file>",
      "make a state directory from a backup",
      (c) => withArchive(c, "archive that wadi backup wrote").options(STATE),
      async (a) => {
        const { restore } = await import("./commands/backup.ts");
        finish(await restore(a.file, await configured(a.config, a["state-dir"])));
      },
    )
    .command(
      "recover",
      "rebuild pipelines and their positions from checkpoints, into an empty database",
      (c) =>
        c
          .options(RECOVER)
          .example("$0 recover --from s3://my-checkpoints", "shows what is there, and asks")
          .epilogue(
            "Connections come back with references to their secrets, not with secrets. API keys do not come back.\n" +
              "Exit codes: 0 all that was found is recovered, 1 something was left out, 2 wrong usage.",
          ),
      async (a) => {
        const { recover } = await import("./commands/recover.ts");
        const args = { from: a.from, yes: a.yes, start: a.start, json: a.json };
        finish(await recover(args, await configured(a.config, a["state-dir"])));
      },
    )
    .command(
      "support-bundle",
      "collect logs, settings and states in one file, without secrets",
      (c) => c.options(BUNDLE).epilogue("Nothing is sent anywhere. WADI_API_TOKEN is used for the API if it is set."),
      async (a) => {
        const { supportBundle } = await import("./commands/support-bundle.ts");
        finish(await supportBundle({ out: single("out", a.out) }, await configured(a.config, a["state-dir"])));
      },
    );
}

/** Commands for operators. */
export const operateCommands: CommandSet = {
  options: {
    doctor: DOCTOR,
    upgrade: { ...UPGRADE_PLAN, ...UPGRADE_MOVE },
    backup: STATE,
    restore: STATE,
    recover: RECOVER,
    certificates: { ...CERTIFICATES, ...RENEW },
    "support-bundle": BUNDLE,
  },
  register,
};
