/**
 * From a request for a pipeline to its row: planning, refusing with the findings, ids and names. Shared by creation, preview and validation.
 */
import { makeId } from "../core/ids.ts";
import type { LocalUdf, NewPipeline } from "../db/pipelines.ts";
import { findUdfs } from "../db/udfs.ts";
import { encodeProgram } from "../program/codec.ts";
import type { Program } from "../program/program.ts";
import type { Diagnostic } from "../sql/diagnostics.ts";
import type { ApiContext } from "./api-context.ts";
import { tablesForQuery } from "./connection-requests.ts";
import { forbidden, HttpError } from "./http-error.ts";
import type { PlannedQuery, RefusedQuery } from "./query-planner.ts";
import { type Caller, includesRole } from "./route.ts";
import { requireUdfs, UDF_LANGUAGE, type UdfRequest } from "./udf-requests.ts";

/** Plans a query with the connection tables and the functions of this cluster. Throws 400 for functions of the request that are wrong. */
export async function planQuery(api: ApiContext, sql: string, udfs: readonly UdfRequest[]): Promise<PlannedQuery | RefusedQuery> {
  return api.planner.plan({
    sql,
    udfs: await requireUdfs(api, udfs),
    findUdfs: (names) => findUdfs(api.db, names),
    findTables: (names) => tablesForQuery(api, names),
  });
}

/** Plans a query that is to run: throws 400 with all findings if it cannot, 403 if it brings code and `caller` may not. */
export async function planToRun(api: ApiContext, caller: Caller, sql: string, udfs: readonly UdfRequest[]): Promise<PlannedQuery> {
  const planned = await planQuery(api, sql, udfs);
  if (!planned.ok) throw sqlError(planned.diagnostics);
  if (planned.bringsCode && !includesRole(caller.role, "admin")) {
    throw forbidden(
      'the query brings functions of its own, which needs role "admin"',
      "Ask an admin to create them with POST /api/v1/udfs.",
    );
  }
  return planned;
}

/** 400 with findings: the message is the first error's with its place. */
function sqlError(diagnostics: readonly Diagnostic[]): HttpError {
  const errors = diagnostics.filter((finding) => finding.severity === "error");
  const first = errors[0];
  const at = first?.span === undefined ? "" : ` at line ${first.span.start.line}, column ${first.span.start.column}`;
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : "";
  const message = `query: ${first?.message ?? "it is not valid"}${at}${more}`;
  return new HttpError(400, "invalid-sql", message, { detail: first?.detail, hint: first?.hint, diagnostics });
}

/** Everything but the planning of a new pipeline. */
export interface PipelineSettings
  extends Pick<
    NewPipeline,
    | "name"
    | "query"
    | "preview"
    | "stateUrl"
    | "tags"
    | "createdBy"
    | "parallelism"
    | "checkpointIntervalUs"
    | "ttlUs"
    | "envVars"
    | "schedulerConfig"
  > {
  readonly udfs: readonly UdfRequest[];
}

/** The row of a new pipeline that runs `program`. */
export function newPipeline(api: ApiContext, settings: PipelineSettings, planned: PlannedQuery, program: Program): NewPipeline {
  return {
    ...settings,
    id: makeId("pipeline", api.random),
    jobId: makeId("job", api.random),
    slug: slugOf(settings.name),
    udfs: settings.udfs.map((udf): LocalUdf => ({ definition: udf.definition, language: udf.language ?? UDF_LANGUAGE })),
    program: encodeProgram(program),
    programVersion: program.version,
    programFingerprint: program.fingerprint,
    connectionTables: planned.connectionTables,
  };
}

const SLUG_LENGTH = 40;

/** The name as part of a Nomad job's: lower-case letters, digits and single dashes; "pipeline" if nothing is left. */
export function slugOf(name: string): string {
  const plain = name
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, SLUG_LENGTH)
    .replace(/^-+|-+$/g, "");
  return plain === "" ? "pipeline" : plain;
}
