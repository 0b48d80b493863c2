/**
 * Secrets of the jobs in Nomad's variables, each readable by its own job only. What is there stays; what is missing is taken from another job's
 * variable with the same secret, else from the environment, else made. Values never get into messages, plans or files.
 */
import { randomBytes } from "node:crypto";
import { userError } from "../../core/errors.ts";
import { readVariable } from "../../scheduler/nomad/answers.ts";
import type { NomadClient } from "../../scheduler/nomad/client.ts";
import { jobIdOf, type SecretItem, type Service } from "./services.ts";

/** Where a value comes from. */
export type Origin = "another job" | "environment" | "random";

/** A variable that lacks items. */
export interface MissingSecrets {
  readonly path: string;
  readonly namespace: string;
  /** What is to be written besides what is there; values are secret. */
  readonly items: Readonly<Record<string, string>>;
  readonly origins: Readonly<Record<string, Origin>>;
}

/** What is asked. */
export interface SecretQuestion {
  readonly services: readonly Service[];
  readonly namespace: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

const RANDOM_BYTES = 24;
const DATABASE = "database password";

/** Path of a job's variable. */
export function variablePathOf(service: string): string {
  return `nomad/jobs/${jobIdOf(service)}`;
}

/** What the variables of the jobs lack. Throws `invalid-config` for a secret that nobody gives and that cannot be made up. */
export async function missingSecrets(client: NomadClient, question: SecretQuestion): Promise<readonly MissingSecrets[]> {
  const { services, namespace, env } = question;
  const found = await Promise.all(services.map(async ({ name }) => await readItems(client, variablePathOf(name), namespace)));
  const known = new Map<string, string>();
  for (const [i, { secrets }] of services.entries()) {
    for (const { name, secret } of secrets) {
      const value = found[i]?.items[name] ?? "";
      if (value !== "" && !known.has(secret)) known.set(secret, value);
    }
  }
  const own = services.some(({ name }) => name === "postgres");
  const made = new Map<string, string>();
  return services.flatMap((service, i) => {
    const lacking = service.secrets.filter(({ name }) => (found[i]?.items[name] ?? "") === "");
    if (lacking.length === 0) return [];
    const path = variablePathOf(service.name);
    const values = lacking.map((item) => ({ item, ...chosenValue(item, { path, known, made, env, own }) }));
    return [
      {
        path,
        namespace,
        items: Object.fromEntries(values.map(({ item, value }) => [item.name, value])),
        origins: Object.fromEntries(values.map(({ item, origin }) => [item.name, origin])),
      },
    ];
  });
}

interface Sources {
  readonly path: string;
  readonly known: ReadonlyMap<string, string>;
  readonly made: Map<string, string>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether PostgreSQL is one of the jobs. */
  readonly own: boolean;
}

function chosenValue(item: SecretItem, { path, known, made, env, own }: Sources): { readonly value: string; readonly origin: Origin } {
  const there = known.get(item.secret);
  if (there !== undefined) return { value: there, origin: "another job" };
  const given = env[item.env] ?? "";
  if (given !== "") return { value: given, origin: "environment" };
  if (!item.random || (item.secret === DATABASE && !own)) {
    throw userError("invalid-config", `the ${item.secret} is missing: the Nomad variable "${path}" has no item "${item.name}"`, {
      hint: `Set ${item.env} in the environment of this command, or write the variable: nomad var put ${path} ${item.name}=…`,
    });
  }
  const value = made.get(item.secret) ?? randomBytes(RANDOM_BYTES).toString("base64url");
  made.set(item.secret, value);
  return { value, origin: "random" };
}

/** Writes what is missing. An item that somebody else wrote meanwhile stays. */
export async function writeSecrets(client: NomadClient, { path, namespace, items }: MissingSecrets): Promise<void> {
  for (;;) {
    const before = await readItems(client, path, namespace);
    const present = Object.fromEntries(Object.entries(before.items).filter(([, value]) => value !== ""));
    const body = { Path: path, Namespace: namespace, Items: { ...items, ...present } };
    const query = { namespace, cas: before.index };
    if ((await client.call({ method: "PUT", path: `/v1/var/${path}`, query, body, accept: [409] })).status !== 409) return;
  }
}

/** Removes a job's variable. */
export async function removeSecrets(client: NomadClient, service: string, namespace: string): Promise<void> {
  await client.call({ method: "DELETE", path: `/v1/var/${variablePathOf(service)}`, query: { namespace }, accept: [404] });
}

/** Items of a job's variable and its index; none and 0 if it is not there. */
export async function readItems(client: NomadClient, path: string, namespace: string) {
  const { status, body } = await client.call({ path: `/v1/var/${path}`, query: { namespace }, accept: [404] });
  if (status === 404) return { items: {} as Readonly<Record<string, string>>, index: 0 };
  const { Items, ModifyIndex } = readVariable(body);
  return { items: Items, index: ModifyIndex };
}
