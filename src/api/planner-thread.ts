/**
 * The thread in which queries are planned and functions are read: one request, one answer, and questions to the API in between (what a name
 * means is in the database). It exists because a script decides how long planning takes: the API must go on answering meanwhile, and can end
 * this thread.
 */
import { parentPort, workerData } from "node:worker_threads";
import { assert } from "../core/assert.ts";
import { type ErrorRecord, internalError, toErrorRecord } from "../core/errors.ts";
import type { ConnectorSpec } from "../program/connector-spec.ts";
import type { UdfDefinition } from "../program/udf.ts";
import type { Diagnostic } from "../sql/diagnostics.ts";
import { SqlParser } from "../sql/parse.ts";
import { type ParsedUdfs, parseUdfs } from "../sql/udf/definition.ts";
import { type PlannedQuery, QueryPlanner, type RefusedQuery, type TableDefinition } from "./query-planner.ts";

/** What a thread is started with. */
export interface PlannerData {
  /** URL of a module that exports `CONNECTOR_SPECS`. */
  readonly connectorModule: string;
  readonly fileRoots: readonly string[];
}

/** To the thread: a request, or the answer to its question. */
export type PlannerRequest =
  | { readonly kind: "plan"; readonly sql: string; readonly udfs: readonly UdfDefinition[] }
  | { readonly kind: "table"; readonly createSql: string }
  | { readonly kind: "udf"; readonly text: string }
  | { readonly kind: "found"; readonly found: readonly TableDefinition[] | readonly UdfDefinition[] };

/** From the thread: a question, or the answer to a request. */
export type PlannerReply =
  | { readonly kind: "ask"; readonly what: "tables" | "functions"; readonly names: readonly string[] }
  | { readonly kind: "planned"; readonly result: PlannedQuery | RefusedQuery }
  | { readonly kind: "checked"; readonly diagnostics: readonly Diagnostic[] }
  | { readonly kind: "parsed"; readonly udfs: ParsedUdfs }
  | { readonly kind: "defect"; readonly error: ErrorRecord };

const port = parentPort;
if (port !== null) {
  const { connectorModule, fileRoots } = workerData as PlannerData;
  const { CONNECTOR_SPECS } = (await import(connectorModule)) as { CONNECTOR_SPECS: readonly ConnectorSpec[] };
  const planner = new QueryPlanner(new SqlParser(), CONNECTOR_SPECS, fileRoots);
  let answered: ((found: readonly TableDefinition[] | readonly UdfDefinition[]) => void) | undefined;

  const reply = (message: PlannerReply): void => port.postMessage(message);
  const ask = (what: "tables" | "functions", names: readonly string[]): Promise<readonly unknown[]> =>
    new Promise((resolve) => {
      answered = resolve;
      reply({ kind: "ask", what, names });
    });

  const handle = async (request: PlannerRequest): Promise<PlannerReply> => {
    switch (request.kind) {
      case "plan": {
        const result = await planner.plan({
          sql: request.sql,
          udfs: request.udfs,
          findTables: async (names) => (await ask("tables", names)) as readonly TableDefinition[],
          findUdfs: async (names) => (await ask("functions", names)) as readonly UdfDefinition[],
        });
        return { kind: "planned", result };
      }
      case "table":
        return { kind: "checked", diagnostics: await planner.checkTable(request.createSql) };
      case "udf":
        return { kind: "parsed", udfs: parseUdfs(request.text) };
      case "found":
        throw internalError("invariant", "an answer came without a question");
    }
  };

  port.on("message", (request: PlannerRequest) => {
    if (request.kind === "found") {
      assert(answered !== undefined, "an answer came without a question");
      answered(request.found);
      answered = undefined;
      return;
    }
    handle(request).then(reply, (error: unknown) => reply({ kind: "defect", error: toErrorRecord(error) }));
  });
}
