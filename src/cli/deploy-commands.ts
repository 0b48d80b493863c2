/** `wadi deploy`: puts a whole installation on Nomad and on AWS, for people without Terraform and for those with it. */
import type { Argv } from "yargs";
import { milliseconds, single } from "./arguments.ts";
import { CONFIG, type CommandSet, configuration, type Finish } from "./command-set.ts";

const COMMON = { ...CONFIG, json: { type: "boolean", default: false, describe: "JSON instead of text" } } as const;

const VALUES = {
  values: { alias: "f", type: "string", requiresArg: true, describe: "values file (TOML); wadi-deploy.toml here, if it is there" },
  set: {
    type: "string",
    array: true,
    requiresArg: true,
    default: [],
    describe: "a value: name=value for all jobs, job.name=value for one",
  },
  jobs: { type: "string", requiresArg: true, describe: "which jobs, with commas, such as postgres,controller,api" },
  templates: { type: "string", requiresArg: true, describe: "folder of job templates instead of the release's own" },
  local: {
    type: "boolean",
    default: false,
    describe: "one machine: raw_exec, this Wadi, one instance of each, servers that are installed",
  },
  "data-dir": { type: "string", requiresArg: true, describe: "with --local: folder of database and checkpoints" },
} as const;

const PLAN = {
  ...COMMON,
  ...VALUES,
  full: { type: "boolean", default: false, describe: "show every field of new jobs, too" },
} as const;

const APPLY = {
  ...PLAN,
  yes: { alias: "y", type: "boolean", default: false, describe: "do not ask before anything is changed" },
  wait: { type: "string", requiresArg: true, default: "5m", describe: "time for the jobs of one stage to become healthy" },
  example: { type: "boolean", default: false, describe: "start an example pipeline, if there is none yet" },
} as const;

const DESTROY = {
  ...CONFIG,
  yes: { alias: "y", type: "boolean", default: false, describe: "do not ask before anything is ended" },
  "with-pipelines": { type: "boolean", default: false, describe: "end running pipelines where they are, too" },
  purge: { type: "boolean", default: false, describe: "forget the jobs, and remove variables and policies" },
  "data-dir": { type: "string", requiresArg: true, describe: "with --purge: folder of --local whose database and checkpoints go, too" },
} as const;

const ROOTS = {
  packages: { type: "string", requiresArg: true, describe: "folder with the packages that npm run package made; packages by default" },
  terraform: { type: "string", requiresArg: true, describe: "folder with Terraform's roots aws and platform; terraform by default" },
} as const;

const UPLOAD = {
  ...ROOTS,
  json: { type: "boolean", default: false, describe: "URLs and checksums as JSON" },
  bucket: { type: "string", requiresArg: true, describe: "bucket, instead of the one in Terraform's output" },
  region: { type: "string", requiresArg: true, describe: "its region" },
  prefix: { type: "string", requiresArg: true, describe: "put before every key" },
  endpoint: { type: "string", requiresArg: true, describe: "URL of an S3 server that is not AWS" },
} as const;

const AWS = {
  ...ROOTS,
  "auto-approve": { type: "boolean", default: false, describe: "Terraform does not ask before it changes anything" },
} as const;

interface ValueWords {
  readonly values: string | undefined;
  readonly set: readonly string[];
  readonly jobs: string | undefined;
  readonly templates: string | undefined;
  readonly local: boolean;
  readonly "data-dir": string | undefined;
}

function deployArguments(a: ValueWords) {
  return {
    values: single("values", a.values),
    set: a.set,
    jobs: single("jobs", a.jobs),
    templates: single("templates", a.templates),
    local: a.local,
    folder: single("data-dir", a["data-dir"]),
  };
}

function registerPlan(y: Argv, finish: Finish): Argv {
  return y
    .command(
      "plan",
      "show what apply would change",
      (c) =>
        c
          .options(PLAN)
          .example("$0 deploy plan --local", "on one machine with nomad agent -dev")
          .example("$0 deploy plan -f production.toml", "with values of your own")
          .epilogue("Nothing is changed. Exit codes: 0 nothing to change, 1 an error, 2 there are changes (or wrong usage)."),
      async (a) => {
        const [{ deployPlan }, loaded] = await Promise.all([import("./commands/deploy.ts"), configuration(a.config)]);
        finish(await deployPlan({ ...deployArguments(a), json: a.json, full: a.full }, loaded));
      },
    )
    .command(
      "apply",
      "bring Nomad to what the values say, and wait until it is healthy",
      (c) =>
        c
          .options(APPLY)
          .example("$0 deploy apply --local --example", "from nomad agent -dev to a running pipeline")
          .example("$0 deploy apply --set api.port=8080 --yes", "one value, no questions")
          .epilogue(
            "Secrets that are missing are made and written to Nomad's variables. What is in place stays: a second apply changes nothing.\n" +
              "Ctrl-C stops waiting and says what was submitted. Exit codes: 0 all is healthy, 1 not, 2 wrong usage or values.",
          ),
      async (a) => {
        const [{ deployApply }, loaded] = await Promise.all([import("./commands/deploy.ts"), configuration(a.config)]);
        const manner = { json: a.json, full: a.full, yes: a.yes, example: a.example, waitMs: milliseconds("wait", a.wait) ?? 0 };
        finish(await deployApply({ ...deployArguments(a), ...manner }, loaded));
      },
    );
}

function registerStanding(y: Argv, finish: Finish): Argv {
  return y
    .command(
      "status",
      "show how the installation is",
      (c) => c.options(COMMON).example("$0 deploy status", "").epilogue("Exit codes: 0 all that shall run is healthy, 1 not."),
      async (a) => {
        const [{ deployStatus }, loaded] = await Promise.all([import("./commands/deploy-standing.ts"), configuration(a.config)]);
        finish(await deployStatus({ json: a.json }, loaded));
      },
    )
    .command(
      "destroy",
      "take the installation down",
      (c) =>
        c
          .options(DESTROY)
          .example("$0 deploy destroy", "stops the jobs; data and secrets stay for the next apply")
          .example("$0 deploy destroy --with-pipelines --purge --data-dir /var/lib/wadi", "leaves nothing of --local")
          .epilogue(
            "It refuses while pipelines run, unless told. Data volumes and database files are never removed without --purge and --data-dir.",
          ),
      async (a) => {
        const [{ deployDestroy }, loaded] = await Promise.all([import("./commands/deploy-standing.ts"), configuration(a.config)]);
        const folder = single("data-dir", a["data-dir"]);
        finish(await deployDestroy({ yes: a.yes, pipelines: a["with-pipelines"], purge: a.purge, folder }, loaded));
      },
    );
}

function registerAws(y: Argv, finish: Finish): Argv {
  return y
    .command(
      "upload",
      "store the packages where Nomad's clients download them",
      (c) =>
        c
          .options(UPLOAD)
          .example("$0 deploy upload", "to the bucket of terraform/aws; writes variables of terraform/platform")
          .example("$0 deploy upload --bucket my-artifacts --region eu-central-1", "to a bucket of your own")
          .epilogue("Packages are stored by SHA-256; what is there is skipped. Credentials are AWS's own: environment, profile, role."),
      async (a) => {
        const { deployUpload } = await import("./commands/deploy-aws.ts");
        const { packages, bucket, region, prefix, endpoint, terraform } = a;
        for (const [name, value] of Object.entries({ packages, bucket, region, prefix, endpoint, terraform })) single(name, value);
        finish(await deployUpload({ packages, bucket, region, prefix, endpoint, terraform, json: a.json }));
      },
    )
    .command(
      "aws",
      "terraform apply of aws, upload, terraform apply of platform, one after the other",
      (c) =>
        c
          .options(AWS)
          .example("$0 deploy aws", "Terraform asks before each of its steps")
          .epilogue(
            "It stops at the first step that fails and says how to go on; what is done already changes nothing when it runs again.",
          ),
      async (a) => {
        const { deployAws } = await import("./commands/deploy-aws.ts");
        const [packages, terraform] = [single("packages", a.packages), single("terraform", a.terraform)];
        finish(await deployAws({ packages, terraform, autoApprove: a["auto-approve"] }));
      },
    );
}

function register(y: Argv, finish: Finish): Argv {
  return y.command("deploy", "put a whole installation on Nomad", (group) =>
    registerAws(registerStanding(registerPlan(group, finish), finish), finish)
      .demandCommand(1, "a command of wadi deploy is missing")
      .epilogue("Nomad is reached as the settings nomad.* say (NOMAD_ADDR, NOMAD_TOKEN, …)."),
  );
}

/** See the file's comment. */
export const deployCommands: CommandSet = { options: { deploy: { ...APPLY, ...DESTROY, ...UPLOAD, ...AWS } }, register };
