/**
 * What Nomad's refusals mean. Its errors are plain text and mostly HTTP 500, so they are told apart by their words: who has to act, and whether
 * the same call may be made again. The words are those of Nomad 1.8 to 2.0 (nomad/structs/errors.go, nomad/job_endpoint.go, nomad/rpc.go).
 */
import { type AppError, externalError } from "../../core/errors.ts";

/** An answer that is not a success. */
export interface NomadRefusal {
  readonly status: number;
  readonly text: string;
  /** Such as "PUT /v1/jobs". */
  readonly call: string;
  readonly namespace: string;
}

interface Meaning {
  readonly words: RegExp;
  readonly status?: number;
  readonly error: (refusal: NomadRefusal, text: string) => AppError;
}

const VOLUMES = ' Host volumes that workers mount (nomad.host-volumes) need a rule of their own: host_volume "…" { policy = "write" }.';
const DISABLED = "Nomad's operator has to set RejectJobRegistration to false in the scheduler configuration.";

/** The first that fits counts. */
const MEANINGS: readonly Meaning[] = [
  {
    words: /job registration, dispatch, and scale are disabled/i,
    error: (_, text) => externalError("io", `Nomad takes no jobs at the moment: ${text}`, { hint: DISABLED }),
  },
  {
    words: /token (not found|is expired|expired)|ACL token (not found|expired)/i,
    error: (_, text) =>
      externalError("permission-denied", `Nomad does not accept the token: ${text}`, {
        retry: "never",
        hint: "Set nomad.token or nomad.token-file to a token that is valid, or give this process's own job an identity.",
      }),
  },
  {
    words: /permission denied|not authorized|forbidden/i,
    error: ({ call, namespace }, text) =>
      externalError("permission-denied", `Nomad refuses ${call} in namespace "${namespace}": ${text}`, {
        retry: "never",
        hint: `The token lacks the capability ${capabilityFor(call)}.${/v1\/job/.test(call) ? VOLUMES : ""}`,
      }),
  },
  {
    words: /nonexistent namespace|namespace .*(not found|does not exist)/i,
    error: ({ namespace }) =>
      externalError("invalid-config", `Nomad has no namespace "${namespace}"`, {
        retry: "never",
        hint: `Make it with "nomad namespace apply ${namespace}", or set nomad.namespace.`,
      }),
  },
  {
    words: /node pool .*(not found|does not exist|nonexistent)|nonexistent node pool/i,
    error: (_, text) => externalError("invalid-config", `Nomad refuses the job: ${text}`, { retry: "never", hint: "Set nomad.node-pool." }),
  },
  { words: /Enforcing job modify index/i, error: (_, text) => externalError("already-exists", text, { retry: "never" }) },
  {
    words: /no path to region/i,
    error: (_, text) => externalError("connection-lost", `Nomad cannot reach the region: ${text}`, { hint: "Check nomad.region." }),
  },
  {
    words: /no cluster leader|not the leader|leadership lost|raft is already shutdown|timed out enqueuing|not ready to serve consistent/i,
    error: (_, text) => externalError("connection-lost", `Nomad has no leader at the moment: ${text}`),
  },
  {
    words: /unknown node|no path to node|node .*not connected|failed to find connection/i,
    error: (_, text) => externalError("connection-lost", `the Nomad client does not answer: ${text}`),
  },
  {
    words:
      /\bEOF\b|connection (refused|reset)|broken pipe|i\/o timeout|deadline exceeded|failed to contact|no servers|rpc error: (?!.*invalid)/i,
    error: (_, text) => externalError("connection-lost", `Nomad's agent cannot reach its servers: ${text}`),
  },
];

/** The error that a refusal comes to. */
export function failureOf(refusal: NomadRefusal): AppError {
  const { status, call } = refusal;
  const text = tidyText(refusal.text) || `HTTP ${status}`;
  if (status === 404) return externalError("not-found", `Nomad does not know it: ${text}`, { retry: "never", detail: `${call}.` });
  const meaning = MEANINGS.find(({ words }) => words.test(text));
  if (meaning !== undefined) return meaning.error(refusal, text);
  if (status === 401 || status === 403) {
    return externalError("permission-denied", `Nomad refuses ${call}: ${text}`, { retry: "never" });
  }
  if (status === 429)
    return externalError("connection-lost", "Nomad's agent takes no more connections from here (http_max_conns_per_client)");
  if (status >= 502) return externalError("connection-lost", `Nomad does not answer: ${text}`);
  if (status >= 500 && call.startsWith("GET ")) return externalError("io", `Nomad failed: ${text}`);
  return externalError("invalid-config", `Nomad refuses ${call}: ${text}`, { retry: "never" });
}

/** What went wrong between here and `address`. */
export function connectionFailure(address: string, thrown: unknown): AppError {
  const { code, message } = thrown as { readonly code?: string; readonly message?: string };
  const words = CONNECTION_WORDS[code ?? ""] ?? (message ?? String(thrown)).replace(/^request to \S+ failed, reason: ?/, "");
  const tls = code !== undefined && /^(?:ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO)/.test(code);
  const hint = tls ? "Check nomad.ca-cert, nomad.client-cert, nomad.client-key and nomad.tls-server-name." : undefined;
  return externalError("connection-lost", `Nomad at ${address} cannot be reached: ${words}`, hint === undefined ? {} : { hint });
}

const CONNECTION_WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset",
  ENOTFOUND: "the name is unknown",
  EAI_AGAIN: "the name cannot be resolved",
  ETIMEDOUT: "no answer in time",
  EHOSTUNREACH: "no route to the host",
  ENOENT: "the socket does not exist",
  EPIPE: "the connection was closed",
};

/** Nomad puts "Unexpected response code" and a Go error list around what matters. */
function tidyText(text: string): string {
  return text
    .replace(/^Unexpected response code: \d+ \((.*)\)$/s, "$1")
    .replace(/\d+ errors? occurred:\s*\*?\s*/g, "")
    .replace(/\s*\n\s*\*?\s*/g, "; ")
    .replace(/^[;*\s]+|[;\s]+$/g, "")
    .slice(0, 1_000);
}

function capabilityFor(call: string): string {
  const [method = "", path = ""] = call.split(" ");
  if (path.startsWith("/v1/var")) return `${method === "GET" ? "read" : method === "DELETE" ? "destroy" : "write"} of the variable's path`;
  if (path.startsWith("/v1/node")) return '"node:read"';
  if (path.startsWith("/v1/client/fs/logs")) return '"read-logs"';
  if (path.startsWith("/v1/client/allocation")) return '"alloc-lifecycle"';
  if (path.startsWith("/v1/jobs/parse")) return '"parse-job"';
  if (path === "/v1/jobs" && method === "GET") return '"list-jobs"';
  return method === "GET" ? '"read-job"' : '"submit-job"';
}
