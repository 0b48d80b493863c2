/**
 * Secrets in tables' options. Where an option is a secret, SQL and everything that is stored hold a reference; the value is found in the worker,
 * when the connector is opened, and goes nowhere else. An option that is no secret is never looked into, so that what a worker knows cannot be
 * written out as a file's name.
 *
 * `{{ NAME }}`: variable of the worker's environment. `{{ file:/path }}`: a file below `connectors.secret.roots`. `{{ nomad:path:key }}` and
 * `{{ kubernetes:name:key }}`: of the outside system, which hands it to the worker by itself.
 */
import { createHash } from "node:crypto";
import { readFileSync, realpathSync } from "node:fs";
import { isAbsolute, relative, sep } from "node:path";
import { toAppError, userError } from "../core/errors.ts";
import type { ConnectorSpec } from "../program/connector-spec.ts";
import type { OptionValues } from "../program/operator.ts";
import type { Program } from "../program/program.ts";
import { CONNECTOR_SPECS } from "./specs.ts";

/** Where a secret is. */
export interface SecretPlace {
  readonly store: "env" | "file" | "nomad-variable" | "kubernetes-secret";
  /** Name of the variable, path of the file, "path#key" or "name/key". */
  readonly reference: string;
  /** Variable of the worker's environment that holds it; of a file: none. */
  readonly variable: string | undefined;
}

/** A secret of a program. */
export interface ProgramSecret extends SecretPlace {
  readonly table: string;
  readonly option: string;
}

/** What resolving needs of the process. */
export interface SecretSources {
  readonly variable: (name: string) => string | undefined;
  /** Directories of `{{ file:… }}`. */
  readonly roots: readonly string[];
}

/** Values by table and option. Never logged, never stored. */
export type SecretValues = Readonly<Record<string, Readonly<Record<string, string>>>>;

const REFERENCE = /^\{\{\s*(?:(file|nomad|kubernetes):)?([A-Za-z0-9_.:/-]{1,254})\s*\}\}$/;
/** A worker's own: what it logs in with, where its state is. */
const OWN = /^(?:WADI|NOMAD|AWS|DATABASE|PROM|NODE)_/;

/** What `text` refers to; undefined: it is no reference. */
export function parseSecretReference(text: string): SecretPlace | undefined {
  const [, kind, name = ""] = REFERENCE.exec(text) ?? [];
  const cut = name.lastIndexOf(":");
  const [place, key] = [name.slice(0, cut), name.slice(cut + 1)];
  switch (kind) {
    case undefined:
      return /^[A-Za-z_]\w*$/.test(name) ? { store: "env", reference: name, variable: name } : undefined;
    case "file":
      return isAbsolute(name) ? { store: "file", reference: name, variable: undefined } : undefined;
    case "nomad":
      return cut > 0 && key !== "" ? placeOf("nomad-variable", `${place}#${key}`) : undefined;
    default:
      return cut > 0 && key !== "" ? placeOf("kubernetes-secret", `${place}/${key}`) : undefined;
  }
}

/** The variable's name follows from the place, so that controller and worker agree on it without a word. */
function placeOf(store: SecretPlace["store"], reference: string): SecretPlace {
  const variable = `WADI_SECRET_${createHash("sha256").update(`${store} ${reference}`).digest("hex").slice(0, 16).toUpperCase()}`;
  return { store, reference, variable };
}

/** Whether a table's option can be a secret in this build at all. */
export function haveSecretOptions(specs: readonly ConnectorSpec[] = CONNECTOR_SPECS): boolean {
  return specs.some((spec) => secretOptions(spec).length > 0);
}

/** The program's secrets. Throws `invalid-option` for one that is written out instead of referred to, without repeating it. */
export function secretsOf(program: Program, specs: readonly ConnectorSpec[] = CONNECTOR_SPECS): readonly ProgramSecret[] {
  return program.vertices.flatMap(({ operator }): ProgramSecret[] => {
    if (operator.kind !== "source" && operator.kind !== "sink") return [];
    const spec = specs.find(({ name }) => name === operator.connector);
    const { table, options } = operator;
    return secretOptions(spec).flatMap((option): ProgramSecret[] => {
      const text = options[option];
      if (text === undefined) return [];
      const place = typeof text === "string" ? parseSecretReference(text) : undefined;
      if (place !== undefined) return [{ ...place, table, option }];
      throw userError(
        "invalid-option",
        `option "${option}" of table "${table}" is a secret and has to be a reference, such as '{{ NAME }}'`,
        {
          hint: "Take the secret out of the SQL, and change it: it has been stored.",
        },
      );
    });
  });
}

/** Those of `secrets` that the outside system hands to the worker, each once, as it is asked for them. */
export function handedOver(secrets: readonly SecretPlace[]): readonly (SecretPlace & { readonly variable: string })[] {
  const own = secrets.flatMap(({ store, reference, variable }) =>
    variable === undefined || store === "env" ? [] : [{ store, reference, variable }],
  );
  return [...new Map(own.map((secret) => [secret.variable, secret])).values()];
}

function secretOptions(spec: ConnectorSpec | undefined): readonly string[] {
  return Object.entries(spec?.options.shape ?? {})
    .filter(([, option]) => (option as { meta?: () => Readonly<Record<string, unknown>> | undefined }).meta?.()?.["sensitive"] === true)
    .map(([name]) => name);
}

/** The values of `secrets`. Throws `not-found` and `permission-denied` in words that name table, option and place, never a value. */
export function resolveSecrets(secrets: readonly ProgramSecret[], sources: SecretSources): SecretValues {
  const values: Record<string, Record<string, string>> = {};
  for (const secret of secrets) values[secret.table] = { ...values[secret.table], [secret.option]: resolveSecret(secret, sources) };
  return values;
}

function resolveSecret(secret: ProgramSecret, sources: SecretSources): string {
  const what = `the secret of option "${secret.option}" of table "${secret.table}"`;
  if (secret.variable === undefined) return readSecretFile(what, secret.reference, sources.roots);
  if (secret.store === "env" && OWN.test(secret.variable)) {
    throw userError("permission-denied", `${what} refers to variable ${secret.variable}, which is the worker's own`);
  }
  const value = sources.variable(secret.variable);
  if (value !== undefined && value !== "") return value;
  const from = secret.store === "env" ? `variable ${secret.variable}` : `${secret.store} ${secret.reference}`;
  throw userError("not-found", `${what} refers to ${from}, which the worker was not given`);
}

function readSecretFile(what: string, path: string, roots: readonly string[]): string {
  try {
    const real = realpathSync(path);
    if (roots.some((root) => isBelow(real, realRoot(root)))) return readFileSync(real, "utf8").replace(/\r?\n$/, "");
  } catch (thrown) {
    const error = toAppError(thrown);
    throw userError(error.code, `${what} refers to file "${path}", which cannot be read: ${error.message}`);
  }
  throw userError("permission-denied", `${what} may not refer to file "${path}"`, { hint: "See the setting connectors.secret.roots." });
}

function realRoot(root: string): string {
  try {
    return realpathSync(root);
  } catch {
    return root;
  }
}

function isBelow(path: string, root: string): boolean {
  const below = relative(root, path);
  return below !== "" && below !== ".." && !below.startsWith(`..${sep}`) && !isAbsolute(below);
}

/** `options` of `table` with the values of its secrets. */
export function withSecrets(table: string, options: OptionValues, secrets: SecretValues | undefined): OptionValues {
  return secrets !== undefined && Object.hasOwn(secrets, table) ? { ...options, ...secrets[table] } : options;
}
