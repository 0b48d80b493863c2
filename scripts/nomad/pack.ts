/**
 * Makes `nomad/pack/wadi`, a nomad-pack, from the job files: each job is a template in which the defaults of its variables are the pack's
 * variables, so what the pack runs is what the files say, with their own checks. A pack's variables are one list for all of its jobs: those that mean
 * the same in several jobs are shared, the others have their job's name before theirs.
 */
import type { JobFile, JobVariable } from "./job-files.ts";

/** Files of the pack, relative to its folder. */
export type PackFiles = ReadonlyMap<string, string>;

/** Jobs that run by default: a whole Wadi. */
const DEFAULT_JOBS = ["postgres", "controller", "api", "prometheus", "pushgateway"];
/** Not a job of its own: what workers are made from. */
const NO_JOB = new Set(["worker"]);
/** Jobs that run Wadi's own program: what says which program that is means theirs only. */
const OWN_PROGRAM = new Set(["api", "controller", "node", "backup"]);
const OF_THE_PROGRAM = new Set(["image", "artifact", "artifact_checksum", "command", "arguments", "settings", "environment"]);
/** The same for every job that has them. */
const SHARED = /^(?:namespace|datacenters|driver|aws_region|database_.+)$/;

/** The name of a job's variable in the pack. */
export function packVariable(job: string, name: string): string {
  // Only prefetch has another driver by default: packages are laid out on the machine itself.
  if (SHARED.test(name) && !(job === "prefetch" && name === "driver")) return name;
  return OWN_PROGRAM.has(job) && OF_THE_PROGRAM.has(name) ? name : `${job}_${name}`;
}

/** The pack as the job files say. `release` is its version. */
export function packFiles(files: readonly JobFile[], release: string): PackFiles {
  const jobs = files.filter(({ name }) => !NO_JOB.has(name));
  return new Map([
    ["metadata.hcl", metadata(release)],
    ["variables.hcl", variables(jobs)],
    ["outputs.tpl", OUTPUTS],
    ["README.md", README],
    ...jobs.map((file): [string, string] => [`templates/${file.name}.nomad.tpl`, template(file)]),
  ]);
}

function metadata(release: string): string {
  return `app {
  url = ""
}

pack {
  name        = "wadi"
  description = "Stream processing in SQL: controllers, API, PostgreSQL, Prometheus and what else nomad/ has."
  version     = "${release}"
}
`;
}

const OUTPUTS = `Wadi's jobs are registered: [[ var "jobs" . | join ", " ]].

  nomad job status
  nomad service info wadi-api      # where the UI is; its token is the item session_token of the variable nomad/jobs/wadi-api
`;

const README = `# Wadi as a nomad-pack

Generated from the job files of \`nomad/\` by \`npx tsx scripts/gen-nomad.ts\`; not edited by hand. \`nomad-pack info nomad/pack/wadi\` shows the variables.
Secrets are Nomad variables that have to be there first: see \`nomad/README.md\`.

\`\`\`sh
nomad-pack run nomad/pack/wadi -f values.hcl          # or: -var 'jobs=["controller", "api"]'
\`\`\`
`;

function variables(jobs: readonly JobFile[]): string {
  const names = jobs.map(({ name }) => name);
  const first: JobVariable = {
    name: "jobs",
    type: "list(string)",
    description: `Which jobs are run, of ${names.join(", ")}.`,
    default: DEFAULT_JOBS,
  };
  const all = new Map<string, JobVariable>([["jobs", first]]);
  for (const { name: job, variables: own } of jobs) {
    for (const variable of own) {
      const name = packVariable(job, variable.name);
      if (!all.has(name)) all.set(name, { ...variable, name });
    }
  }
  return [...all.values()].map(variableBlock).join("\n");
}

function variableBlock({ name, type, description, default: value }: JobVariable): string {
  return `variable "${name}" {
  type        = ${type}
  description = ${literal(description)}
  default     = ${literal(value)}
}
`;
}

/** A value as HCL, formatted as `terraform fmt` does; what HCL would fill in is escaped. */
function literal(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  return JSON.stringify(value).replaceAll("${", "$${").replaceAll("%{", "%%{");
}

/** The job file with the pack's variables as defaults. Brackets that would begin an action are written by one. */
function template({ name: job, text }: JobFile): string {
  let variable = "";
  const lines = text.split("\n").map((line) => {
    variable = /^variable "([a-z_]+)" \{$/.exec(line)?.[1] ?? variable;
    const default_ = /^( {2}default +=) /.exec(line)?.[1];
    if (default_ !== undefined && variable !== "") {
      const action = `[[ var "${packVariable(job, variable)}" . | toJson | replace "\${" "$\${" | replace "%{" "%%{" ]]`;
      variable = "";
      return `${default_} ${action}`;
    }
    return line.replace(/\[{2,}/g, (brackets) => `[[ "${brackets}" ]]`);
  });
  return `[[ if has "${job}" (var "jobs" .) -]]\n${lines.join("\n")}[[ end ]]\n`;
}
