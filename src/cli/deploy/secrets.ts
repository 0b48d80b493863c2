/**
 * Secrets of the jobs in Nomad's variables, each readable by its own job only. What is there stays; what is missing is taken from another job's
 * variable with the same secret, else from the environment, else made. Values never get into messages, plans or files.
 */
import { randomBytes } from "node:crypto";
import { userError } from "../../core/errors.ts";
import { readVariable } from "../../scheduler/nomad/answers.ts";
import type { NomadClient } from "../../scheduler/nomad/client.ts";
import { jobIdOf, type SecretForm, type SecretItem, type Service } from "./services.ts";

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

const FORMS: Readonly<Record<SecretForm, () => string>> = {
  text: () => randomBytes(24).toString("base64url"),
  hex: () => randomBytes(32).toString("hex"),
  "key-id": () => `GK${randomBytes(12).toString("hex")}`,
};

/** Path of a job's variable. */
export function variablePathOf(service: string): string {
  return `nomad/jobs/${jobIdOf(service)}`;
}

/** What the variables of the jobs lack. Throws `invalid-config` for a secret that nobody gives and that cannot be made up. */
export async function missingSecrets(client: NomadClient, question: SecretQuestion): Promise<readonly MissingSecrets[]> {
  const { services, namespace, env } = question;
  const wanted = services.map(({ name, secrets }) => ({
    path: variablePathOf(name),
    items: secrets.filter(({ only }) => only === undefined || services.some((other) => other.name === only)),
  }));
  const found = await Promise.all(wanted.map(({ path }) => readItems(client, path, namespace)));
  const sources: Sources = { known: new Map(), made: new Map(), env, forms: new Map() };
  for (const [i, { items }] of wanted.entries()) {
    for (const { name, secret, made } of items) {
      const value = found[i]?.items[name] ?? "";
      if (value !== "" && !sources.known.has(secret)) sources.known.set(secret, value);
      if (made !== undefined) sources.forms.set(secret, made);
    }
  }
  return wanted.flatMap(({ path, items }, i) => {
    const lacking = items.filter(({ name }) => (found[i]?.items[name] ?? "") === "");
    if (lacking.length === 0) return [];
    const values = lacking.map((item) => ({ item, ...chosenValue(item, path, sources) }));
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

/** By the names of secrets. */
interface Sources {
  readonly known: Map<string, string>;
  readonly made: Map<string, string>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Secrets that may be made up: one of the jobs is whoever sets them. */
  readonly forms: Map<string, SecretForm>;
}

function chosenValue(
  { name, secret, env }: SecretItem,
  path: string,
  sources: Sources,
): { readonly value: string; readonly origin: Origin } {
  const there = sources.known.get(secret);
  if (there !== undefined) return { value: there, origin: "another job" };
  const given = sources.env[env] ?? "";
  if (given !== "") return { value: given, origin: "environment" };
  const form = sources.forms.get(secret);
  if (form === undefined) {
    throw userError("invalid-config", `the ${secret} is missing: the Nomad variable "${path}" has no item "${name}"`, {
      hint: `Set ${env} in the environment of this command, or write the variable: nomad var put ${path} ${name}=…`,
    });
  }
  const value = sources.made.get(secret) ?? FORMS[form]();
  sources.made.set(secret, value);
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
  await removeVariable(client, variablePathOf(service), namespace);
}

/** Removes a variable; it need not be there. Throws what the client throws. */
export async function removeVariable(client: NomadClient, path: string, namespace: string): Promise<void> {
  await client.call({ method: "DELETE", path: `/v1/var/${path}`, query: { namespace }, accept: [404] });
}

/** Items of a job's variable and its index; none and 0 if it is not there. */
export async function readItems(client: NomadClient, path: string, namespace: string) {
  const { status, body } = await client.call({ path: `/v1/var/${path}`, query: { namespace }, accept: [404] });
  if (status === 404) return { items: {} as Readonly<Record<string, string>>, index: 0 };
  const { Items, ModifyIndex } = readVariable(body);
  return { items: Items, index: ModifyIndex };
}
