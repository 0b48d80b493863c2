/** What the commands plan, apply, status and destroy have in common: the templates, the layers of values, the connection to Nomad. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { systemClock } from "../../core/clock.ts";
import type { LoadedConfig } from "../../core/config.ts";
import { userError } from "../../core/errors.ts";
import { NomadClient } from "../../scheduler/nomad/client.ts";
import { nomadConnection } from "../../scheduler/nomad/settings.ts";
import type { DeployPlan } from "./apply.ts";
import { isOneMachine, localValues, lookAround, readyNodes } from "./local.ts";
import { planJob, renderJobs } from "./plan.ts";
import { hasAcl, type PolicyState, policyState } from "./policies.ts";
import { missingSecrets } from "./secrets.ts";
import { readTemplates, shippedFolder, type TemplateSet } from "./templates.ts";
import { parseSets, readValuesFile, type ValueLayer } from "./values.ts";

/** What the command line says. */
export interface DeployArguments {
  /** The values file; undefined: `wadi-deploy.toml` in the working directory, if it is there. */
  readonly values: string | undefined;
  readonly set: readonly string[];
  /** Short names of the jobs, with commas; undefined: the values file or the standard says which. */
  readonly jobs: string | undefined;
  readonly templates: string | undefined;
  readonly local: boolean;
  /** For data and checkpoints with `local`. */
  readonly folder: string | undefined;
}

/** An installation as it is asked for. */
export interface Deployment {
  readonly client: NomadClient;
  readonly set: TemplateSet;
  readonly layers: readonly ValueLayer[];
  readonly namespace: string;
  /** The folder of data and checkpoints on this machine; undefined: it is not an installation of one machine. */
  readonly folder: string | undefined;
  /** To be said to people. */
  readonly notes: readonly string[];
}

/** The values file that is read where none is named. */
export const VALUES_FILE = "wadi-deploy.toml";

/** Connects to Nomad as the settings say. Throws with the way out if nobody answers, or if the token is not one. */
export async function openNomad({ config }: LoadedConfig): Promise<NomadClient> {
  const client = new NomadClient(nomadConnection(config), systemClock);
  try {
    await client.call({ path: "/v1/status/leader" }).catch((thrown: unknown) => {
      throw unreachable(thrown);
    });
    await hasAcl(client);
    return client;
  } catch (thrown) {
    client.close();
    throw thrown;
  }
}

function unreachable(thrown: unknown) {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const given = (thrown as { readonly hint?: string }).hint;
  const hint = `${given === undefined ? "" : `${given} `}Set NOMAD_ADDR (and NOMAD_TOKEN, NOMAD_CACERT), or start one here: nomad agent -dev.`;
  return userError("invalid-config", message, { hint, cause: thrown });
}

/** Reads templates and values. Throws `invalid-config` for values that do not fit. */
export async function openDeployment(args: DeployArguments, loaded: LoadedConfig): Promise<Deployment> {
  const set = await readTemplates(args.templates === undefined ? shippedFolder() : resolve(args.templates));
  const file = args.values ?? (existsSync(VALUES_FILE) ? VALUES_FILE : undefined);
  const given = [...(file === undefined ? [] : [await readValuesFile(file)]), parseSets(args.set, args.jobs)];
  const client = await openNomad(loaded);
  try {
    const namespace = namespaceOf(given) ?? loaded.config["nomad.namespace"];
    const base: ValueLayer = { from: "the settings", common: { namespace }, jobs: {} };
    const local = args.local || (file === undefined && !says(given, "driver") && isOneMachine(await readyNodes(client)));
    if (!local) return { client, set, layers: [base, ...given], namespace, folder: undefined, notes: [] };
    const machine = await lookAround(client, args.folder === undefined ? undefined : resolve(args.folder));
    const plan = localValues(machine, set, says(given, "database_host"));
    return { client, set, layers: [base, plan, ...given], namespace, folder: plan.folder, notes: plan.notes };
  } catch (thrown) {
    client.close();
    throw thrown;
  }
}

function namespaceOf(layers: readonly ValueLayer[]): string | undefined {
  const value = layers.findLast(({ common }) => common["namespace"] !== undefined)?.common["namespace"];
  return value === undefined ? undefined : String(value);
}

function says(layers: readonly ValueLayer[], name: string): boolean {
  return layers.some(({ common, jobs }) => [common, ...Object.values(jobs)].some((values) => (values[name] ?? "") !== ""));
}

/** What carrying it out would do, and how policies are. */
export async function planDeployment(deployment: Deployment): Promise<{ readonly plan: DeployPlan; readonly policies: PolicyState }> {
  const { client, set, layers, namespace } = deployment;
  const rendered = renderJobs(set, layers);
  const jobs = await Promise.all(rendered.map((job) => planJob(client, job)));
  const services = jobs.map(({ service }) => service);
  const [secrets, policies] = await Promise.all([
    missingSecrets(client, { services, namespace, env: process.env }),
    policyState(client, set, jobs),
  ]);
  return { plan: { jobs, secrets, policies: policies.missing }, policies };
}
