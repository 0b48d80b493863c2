/**
 * A connector's options as profiles and tables share them: those whose metadata says `profile` belong to a profile, the others to a table. A
 * secret is stored as a reference that the worker resolves, never as itself.
 */
import { z } from "zod";
import { parseSecretReference } from "../connectors/secrets.ts";
import { nearestName } from "../core/nearest.ts";
import type { JsonObject } from "../db/pipelines.ts";
import type { ConnectorSpec, TableUse } from "../program/connector-spec.ts";
import { badRequest } from "./http-error.ts";

/** Options of every source, besides the connector's own. */
const TIME_OPTIONS = z.object({
  event_time_field: z.string().min(1).optional().describe("Field that holds event time; the time of reading by default."),
  watermark_field: z.string().min(1).optional().describe("Field that holds the watermark; event time minus one second by default."),
  idle_micros: z.coerce.number().int().optional().describe("A partition without rows for so many microseconds holds nobody back."),
});
/** Names of `TIME_OPTIONS`. */
export const TIME_OPTION_NAMES: readonly string[] = Object.keys(TIME_OPTIONS.shape);

const MASK = "********";

/** Metadata of one option. */
function metaOf(spec: ConnectorSpec, name: string): Readonly<Record<string, unknown>> {
  const option: { meta?: () => Readonly<Record<string, unknown>> | undefined } | undefined = spec.options.shape[name];
  return option?.meta?.() ?? {};
}

/** Names of the options that belong to a profile. */
export function profileOptions(spec: ConnectorSpec): readonly string[] {
  return Object.keys(spec.options.shape).filter((name) => metaOf(spec, name)["profile"] === true);
}

function pick(names: readonly string[]): Record<string, true> {
  return Object.fromEntries(names.map((name) => [name, true]));
}

/** JSON schema of a profile's config; `undefined` if the connector needs none. */
export function profileSchema(spec: ConnectorSpec): string | undefined {
  const names = profileOptions(spec);
  return names.length === 0 ? undefined : jsonSchema(spec.options.pick(pick(names)));
}

/** JSON schema of a table's config. */
export function tableSchema(spec: ConnectorSpec): string {
  const own = spec.options.omit(pick(profileOptions(spec)));
  const type = z.enum(spec.uses as [TableUse, ...TableUse[]]).describe("What the table is used as.");
  const all = z.object({ type, ...own.shape, ...(spec.uses.includes("source") ? TIME_OPTIONS.shape : {}) });
  return jsonSchema(all);
}

function jsonSchema(shape: z.ZodObject): string {
  return JSON.stringify(z.toJSONSchema(shape, { io: "input", unrepresentable: "any" }));
}

/** The connector `name`; throws 400 with the nearest one. */
export function requireConnector(connectors: readonly ConnectorSpec[], name: string): ConnectorSpec {
  const spec = connectors.find((connector) => connector.name === name);
  if (spec !== undefined) return spec;
  const nearest = nearestName(
    name,
    connectors.map((connector) => connector.name),
  );
  throw badRequest(`body field "connector": connector "${name}" does not exist`, {
    hint: nearest === undefined ? undefined : `Did you mean "${nearest}"?`,
  });
}

/** Throws 400 unless `config` is a profile's: known options that fit, secrets by reference. */
export function checkProfileConfig(spec: ConnectorSpec, config: JsonObject): void {
  const names = profileOptions(spec);
  if (names.length === 0) throw badRequest(`body field "connector": connector "${spec.name}" needs no connection profile`);
  refuseUnknown(config, names, `a profile of connector "${spec.name}"`);
  refuseSecrets(spec, config);
  const result = spec.options.pick(pick(names)).safeParse(config);
  const issue = result.success ? undefined : result.error.issues[0];
  if (issue !== undefined) throw badRequest(`body field "config.${issue.path.join(".")}" is not valid: ${lowerFirst(issue.message)}`);
}

/** Throws 400 unless all of a table's config are known options with plain values. */
export function checkTableConfig(spec: ConnectorSpec, config: JsonObject): void {
  const own = Object.keys(spec.options.shape).filter((name) => !profileOptions(spec).includes(name));
  refuseUnknown(config, ["type", ...own, ...TIME_OPTION_NAMES], `a table of connector "${spec.name}"`);
  refuseSecrets(spec, config);
  for (const [name, value] of Object.entries(config)) {
    if (value === null || ["string", "number", "boolean"].includes(typeof value)) continue;
    throw badRequest(`body field "config.${name}" must be a text, a number, true or false`);
  }
}

function refuseUnknown(config: JsonObject, names: readonly string[], what: string): void {
  const unknown = Object.keys(config).find((name) => !names.includes(name));
  if (unknown === undefined) return;
  const nearest = nearestName(unknown, names);
  const hint = nearest === undefined ? `Its options are ${names.join(", ")}.` : `Did you mean "${nearest}"?`;
  throw badRequest(`body field "config.${unknown}" is no option of ${what}`, { hint });
}

function isReference(value: unknown): boolean {
  return typeof value === "string" && parseSecretReference(value) !== undefined;
}

function refuseSecrets(spec: ConnectorSpec, config: JsonObject): void {
  for (const [name, value] of Object.entries(config)) {
    if (metaOf(spec, name)["sensitive"] !== true || isReference(value)) continue;
    throw badRequest(`body field "config.${name}" is a secret: it must be a reference such as "{{ NAME }}", not the secret itself`, {
      hint: "The worker resolves the reference from its environment.",
    });
  }
}

/** `config` as answers show it: what is a secret and no reference is masked. */
export function maskSecrets(spec: ConnectorSpec | undefined, config: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(config).map(([name, value]) => {
      // Of a connector that this build does not know, nothing can be said.
      const sensitive = spec === undefined || metaOf(spec, name)["sensitive"] === true;
      return [name, sensitive && !isReference(value) ? MASK : value];
    }),
  );
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
