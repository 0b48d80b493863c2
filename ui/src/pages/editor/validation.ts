/**
 * Asks the API what it thinks of the draft, a moment after the last keystroke; the last answer stays until there is a new one.
 */
import { useEffect, useMemo, useState } from "preact/hooks";
import { ApiError, request } from "../../api/client.ts";
import { apiReachable } from "../../api/connectivity.ts";
import type { PipelineGraph, QueryValidationResult, SqlDiagnostic, UdfValidationResult } from "../../api/types.ts";
import type { CodeFinding } from "../../components/code-editor.tsx";
import { useStore } from "../../store.ts";
import type { Draft } from "./draft.ts";

const PAUSE_MS = 350;

/** What is known of a draft. */
export interface Validation {
  /** Newest graph of a valid query. */
  readonly graph: PipelineGraph | undefined;
  /** Errors first. */
  readonly findings: readonly SqlDiagnostic[];
  /** Those with a place, for the editor. */
  readonly marks: readonly CodeFinding[];
  readonly hasErrors: boolean;
  /** The draft changed and the answer is still of the one before. */
  readonly pending: boolean;
  /** Why there is no answer. */
  readonly failure: string | undefined;
}

type Answer = Omit<Validation, "marks" | "hasErrors">;

const NOTHING: Answer = { graph: undefined, findings: [], pending: false, failure: undefined };

/** The planner's answer to a draft. */
export function useValidation(draft: Draft): Validation {
  const [state, setState] = useState(NOTHING);
  const reachable = useStore(apiReachable);
  useEffect(() => {
    if (draft.query.trim() === "") {
      setState(NOTHING);
      return undefined;
    }
    const abort = new AbortController();
    setState((last) => ({ ...last, pending: true }));
    const timer = setTimeout(() => void validate(draft, abort.signal).then((next) => next !== undefined && setState(next)), PAUSE_MS);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [draft, reachable]);
  return useMemo(() => {
    const hasErrors = state.findings.some(({ severity }) => severity === "error");
    return { ...state, hasErrors, marks: codeFindings(state.findings) };
  }, [state]);
}

async function validate(draft: Draft, signal: AbortSignal): Promise<((last: Answer) => Answer) | undefined> {
  try {
    const answer = await request<QueryValidationResult>("/pipelines/validate_query", {
      method: "POST",
      body: { query: draft.query, udfs: udfsOf(draft) },
      signal,
    });
    const findings = [...answer.errors, ...answer.warnings];
    // While the query is wrong, the last graph is better than none.
    return (last) => ({ graph: answer.graph ?? last.graph, findings, pending: false, failure: undefined });
  } catch (error) {
    if (signal.aborted) return undefined;
    if (error instanceof ApiError && error.status === 400) {
      const finding: SqlDiagnostic = { severity: "error", code: "refused", message: error.message };
      return (last) => ({ ...last, findings: [finding], pending: false, failure: undefined });
    }
    return (last) => ({ ...last, pending: false, failure: error instanceof Error ? error.message : String(error) });
  }
}

/** The draft's functions as the API takes them. */
export function udfsOf(draft: Draft): readonly { readonly definition: string; readonly language: string }[] {
  return draft.udfs.map(({ definition }) => ({ definition, language: "typescript" }));
}

/** Findings with places. */
function codeFindings(findings: readonly SqlDiagnostic[]): readonly CodeFinding[] {
  return findings.flatMap(({ span, severity, message, hint, detail }) =>
    span === undefined ? [] : [{ from: span.start.offset, to: span.end.offset, severity, message, hint: hint ?? detail }],
  );
}

/** What is known of a function. */
export interface UdfKnowledge {
  readonly name: string | undefined;
  readonly errors: readonly string[];
  /** Errors with a place, for the editor. */
  readonly marks: readonly CodeFinding[];
}

const UNKNOWN: UdfKnowledge = { name: undefined, errors: [], marks: [] };

function knowledgeOf(answer: UdfValidationResult): UdfKnowledge {
  const marks = answer.problems.map(({ start, end, message }) => ({ from: start, to: end, severity: "error" as const, message }));
  return { name: answer.udf_name ?? undefined, errors: answer.errors, marks };
}

/** What the API says of one function; none: nothing. */
export function useUdfValidation(definition: string | undefined): UdfKnowledge {
  const [state, setState] = useState(UNKNOWN);
  useEffect(() => {
    if (definition === undefined) {
      setState(UNKNOWN);
      return undefined;
    }
    const abort = new AbortController();
    const ask = () =>
      request<UdfValidationResult>("/udfs/validate", {
        method: "POST",
        body: { definition, language: "typescript" },
        signal: abort.signal,
      }).then(
        (answer) => setState(knowledgeOf(answer)),
        () => undefined,
      );
    const timer = setTimeout(() => void ask(), PAUSE_MS);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [definition]);
  return state;
}
