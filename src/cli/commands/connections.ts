/** `wadi connections …`: connectors, connection profiles and connection tables of a cluster. */
import { readFile } from "node:fs/promises";
import { text as readAll } from "node:stream/consumers";
import type { z } from "zod";
import type { connectorShape, profileShape, tableShape, testMessageShape } from "../../api/schema/connection-shapes.ts";
import { toAppError, userError } from "../../core/errors.ts";
import { EXIT, print } from "../output.ts";
import { STDIN } from "../script.ts";
import { renderTable } from "../text-table.ts";
import { type ClientOptions, show } from "./pipelines.ts";

type Connector = z.output<typeof connectorShape>;
type Profile = z.output<typeof profileShape>;
type Table = z.output<typeof tableShape>;

/** What a JSON file describes. */
export type ConnectionKind = "table" | "profile";

/** `connections list`: tables. */
export async function listTables(options: ClientOptions): Promise<number> {
  const tables = await options.client.all<Table>("/connection_tables");
  return show(options, tables, (all) =>
    renderTable(
      ["id", "name", "connector", "type", "pipelines", "profile"],
      all.map((t) => [t.id, t.name, t.connector, t.table_type, t.consumers, t.connection_profile?.name]),
    ),
  );
}

/** `connections profiles`. */
export async function listProfiles(options: ClientOptions): Promise<number> {
  const { data } = await options.client.call<{ data: Profile[] }>("GET", "/connection_profiles");
  return show(options, data, (all) =>
    renderTable(
      ["id", "name", "connector"],
      all.map((p) => [p.id, p.name, p.connector]),
    ),
  );
}

/** `connections connectors`. */
export async function listConnectors(options: ClientOptions): Promise<number> {
  const { data } = await options.client.call<{ data: Connector[] }>("GET", "/connectors");
  return show(options, data, (all) =>
    renderTable(
      ["connector", "uses", "description"],
      all.map((c) => [
        c.id,
        [c.source ? "source" : "", c.sink ? "sink" : "", c.lookup ? "lookup" : ""].filter(Boolean).join(", "),
        c.description,
      ]),
    ),
  );
}

/** `connections show`: the CREATE TABLE that a table stands for. */
export async function showTable(options: ClientOptions, name: string): Promise<number> {
  return show(options, await findTable(options, name), (table) => `${table.create_sql};\n`);
}

async function findTable({ client }: ClientOptions, name: string): Promise<Table> {
  const tables = await client.all<Table>("/connection_tables");
  const table = tables.find((t) => t.id === name || t.name.toLowerCase() === name.toLowerCase());
  if (table === undefined)
    throw userError("not-found", `connection table "${name}" does not exist`, { hint: 'See "wadi connections list".' });
  return table;
}

async function readJson(path: string): Promise<unknown> {
  const text = await (path === STDIN ? readAll(process.stdin) : readFile(path, "utf8")).catch((error: unknown) => {
    throw userError("invalid-usage", `file "${path}" cannot be read: ${toAppError(error).message}`);
  });
  try {
    return JSON.parse(text);
  } catch (error) {
    throw userError("invalid-usage", `file "${path}" is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** `connections create`: from a JSON file as the API takes it. */
export async function createConnection(options: ClientOptions, path: string, kind: ConnectionKind): Promise<number> {
  const body = await readJson(path);
  const made = await options.client.call<{ readonly id: string }>(
    "POST",
    kind === "table" ? "/connection_tables" : "/connection_profiles",
    body,
  );
  return show(options, made, ({ id }) => `${id}\n`);
}

/** `connections test`: tries a table that need not exist yet; exit code 1 if it cannot be used. */
export async function testConnection(options: ClientOptions, path: string): Promise<number> {
  let failed = true;
  const stop = new AbortController();
  for await (const { data } of options.client.events("POST", "/connection_tables/test", stop.signal, await readJson(path))) {
    const message = data as z.output<typeof testMessageShape>;
    if (message.done) failed = message.error;
    print(options.json ? `${JSON.stringify(message)}\n` : `${message.error ? "error: " : ""}${message.message}\n`);
  }
  return failed ? EXIT.failed : EXIT.done;
}

/** `connections delete`: a table by name or id, or a profile by id. */
export async function deleteConnection(options: ClientOptions, name: string): Promise<number> {
  const isProfile = name.startsWith("cp_");
  const id = isProfile ? name : (await findTable(options, name)).id;
  await options.client.call("DELETE", `/${isProfile ? "connection_profiles" : "connection_tables"}/${id}`);
  return show(options, { id, deleted: true }, () => `${id} is deleted\n`);
}
