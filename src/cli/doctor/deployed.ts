/**
 * The configuration of an installation that `wadi deploy`, Terraform or the files of `nomad/` put on Nomad, as its controllers have it: settings of
 * the job, secrets of its variable, addresses of its services. So `wadi doctor --deployed` looks at what runs, and not at this machine's settings.
 */
import type { LoadedConfig } from "../../core/config.ts";
import { toAppError, userError } from "../../core/errors.ts";
import type { NomadClient } from "../../scheduler/nomad/client.ts";
import { readConfig } from "../config.ts";
import { openNomad } from "../deploy/deployment.ts";
import { readItems, variablePathOf } from "../deploy/secrets.ts";
import { jobIdOf } from "../deploy/services.ts";
import { serviceUrls } from "../deploy/urls.ts";
import { say } from "../output.ts";

interface NomadJobText {
  readonly TaskGroups?: readonly {
    readonly Tasks?: readonly {
      readonly Name?: string;
      readonly Env?: Readonly<Record<string, string>> | null;
      readonly Templates?: readonly { readonly EmbeddedTmpl?: string }[] | null;
    }[];
  }[];
}

/** What is this machine's own and not the installation's. */
const OWN = /^(?:WADI__STATE_DIR|WADI__LOGGING__|WADI__COMPILER__|WADI__HOSTNAME|WADI__NOMAD__(?:TOKEN|UNIX|ADDRESS))/;

/** Secrets of a variable that programs of this process find in its environment. */
const INTO_ENVIRONMENT = [
  ["session_token", "WADI_API_TOKEN"],
  ["aws_access_key_id", "AWS_ACCESS_KEY_ID"],
  ["aws_secret_access_key", "AWS_SECRET_ACCESS_KEY"],
] as const;

/** The installation's configuration; what this process's environment says wins. Throws `invalid-usage` if Nomad has no controllers of Wadi. */
export async function deployedConfig(loaded: LoadedConfig, file: string | undefined): Promise<LoadedConfig> {
  const client = await openNomad(loaded);
  try {
    const namespace = loaded.config["nomad.namespace"];
    const env = await environmentOf(client, namespace);
    return await readConfig({ file, env: { ...env, ...process.env } });
  } finally {
    client.close();
  }
}

async function environmentOf(client: NomadClient, namespace: string): Promise<Readonly<Record<string, string>>> {
  const id = jobIdOf("controller");
  const { status, body } = await client.call({ path: `/v1/job/${id}`, query: { namespace }, accept: [404] });
  if (status === 404)
    throw userError("invalid-usage", `Nomad has no job "${id}" in namespace "${namespace}"`, {
      hint: "Deploy first (wadi deploy apply), or correct NOMAD_ADDR and NOMAD_NAMESPACE.",
    });
  const tasks = (body as NomadJobText).TaskGroups?.flatMap(({ Tasks }) => Tasks ?? []) ?? [];
  const task = tasks.find(({ Name }) => Name === "controller");
  const texts = (task?.Templates ?? []).map(({ EmbeddedTmpl = "" }) => EmbeddedTmpl).join("\n");
  const written = [...Object.entries(task?.Env ?? {}), ...assignments(texts)];
  const settings = written.filter(([name, value]) => !value.includes("${") && !OWN.test(name));
  return {
    ...Object.fromEntries(settings),
    SCHEDULER: "nomad",
    ...(await databaseOf(client, namespace, texts)),
    ...(await secretsOf(client, namespace)),
    ...(await addressesOf(client, namespace)),
  };
}

/** Settings that the job's templates write as lines NAME="value", without those that Nomad fills in. */
function assignments(texts: string): readonly (readonly [string, string])[] {
  return [...texts.matchAll(/^\s*(WADI__[A-Z0-9_]+)=(".*"|[^\s"]+)\s*$/gm)].flatMap(([, name = "", text = ""]) => {
    if (text.includes("{{")) return [];
    return [[name, text.startsWith('"') ? unquoted(text) : text] as const];
  });
}

function unquoted(text: string): string {
  try {
    return String(JSON.parse(text));
  } catch {
    return text.slice(1, -1);
  }
}

/** The service of the installation's own server, else the host that the job's text names. */
async function databaseOf(client: NomadClient, namespace: string, texts: string): Promise<Record<string, string>> {
  const host = /^\s*DATABASE_HOST=([\w.:-]+)\s*$/m.exec(texts)?.[1];
  const port = /^\s*DATABASE_PORT=(\d+)\s*$/m.exec(texts)?.[1];
  if (host !== undefined) return { DATABASE_HOST: host, DATABASE_PORT: port ?? "5432" };
  const [url] = await serviceUrls({ client, namespace }, jobIdOf("postgres"));
  if (url === undefined) return {};
  const { hostname, port: own } = new URL(url);
  return { DATABASE_HOST: hostname.replace(/^\[(.*)\]$/, "$1"), DATABASE_PORT: own };
}

async function secretsOf(client: NomadClient, namespace: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const service of ["controller", "api"]) {
    try {
      Object.assign(found, (await readItems(client, variablePathOf(service), namespace)).items);
    } catch (thrown) {
      say(`note: the secrets of ${jobIdOf(service)} cannot be read, so that less can be looked at: ${toAppError(thrown).message}`);
    }
  }
  for (const [item, name] of INTO_ENVIRONMENT) {
    const value = found[item] ?? "";
    if (value !== "") process.env[name] ??= value;
  }
  const password = found["database_password"];
  return password === undefined ? {} : { DATABASE_PASSWORD: password };
}

async function addressesOf(client: NomadClient, namespace: string): Promise<Record<string, string>> {
  const services = [
    ["api", "WADI__API_ENDPOINT"],
    ["prometheus", "PROM_ENDPOINT"],
    ["pushgateway", "PUSHGATEWAY_URL"],
  ] as const;
  const found = await Promise.all(services.map(([service]) => serviceUrls({ client, namespace }, jobIdOf(service))));
  return Object.fromEntries(services.flatMap(([, name], i) => (found[i]?.[0] === undefined ? [] : [[name, found[i][0]]])));
}
