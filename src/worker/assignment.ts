/**
 * What a controller assigns, in the worker's own terms: every field of `Assignment` is judged here, once, so that a controller of another
 * build or a damaged message is refused in words. Pure; what has to be fetched is fetched by `preparation.ts`.
 */
import type { VertexRestore } from "../checkpoint/restore.ts";
import { type AppError, externalError } from "../core/errors.ts";
import { KEY_GROUPS } from "../data/key-group.ts";
import type { LatePolicy } from "../dataflow/row-errors.ts";
import type { SlotSettings } from "../dataflow/slot-contract.ts";
import type { Assignment, RunSettings, VertexOrigin } from "../gen/assignment.ts";
import type { ArtifactRef } from "../gen/program.ts";
import { ABI_VERSION } from "../program/abi.ts";
import { decodeProgram } from "../program/codec.ts";
import { PROGRAM_VERSION, type Program } from "../program/program.ts";
import type { PeerAddress, PreviewLimits } from "./protocol.ts";

/** How long a worker holds out alone, milliseconds. */
export interface AbsenceLimits {
  /** Without a controller for so long, sources pause. */
  readonly pauseMs: number;
  /** Without a renewed lease for so long, the worker ends itself. */
  readonly orphanMs: number;
}

/** Where state comes from. */
export interface RestoreOrder {
  readonly epoch: number;
  readonly manifestPath: string;
  readonly manifestChecksum: string;
  /** By vertex of the program, the vertex of the manifest that it continues. */
  readonly origins: ReadonlyMap<number, number>;
}

/** An assignment that this build can carry out. */
export interface AcceptedAssignment {
  readonly program: Program;
  readonly artifact: ArtifactRef;
  readonly parallelism: number;
  readonly worker: number;
  readonly placement: readonly number[];
  readonly peers: readonly PeerAddress[];
  readonly credential: string;
  /** Whether workers speak TLS among themselves. */
  readonly dataTls: boolean;
  readonly settings: Omit<SlotSettings, "fence" | "restoredEpoch">;
  readonly stateLimit: number;
  readonly stuckMs: number;
  /** Undefined: state is not kept. */
  readonly stateUrl: string | undefined;
  readonly absence: AbsenceLimits;
  readonly preview: PreviewLimits;
  readonly restore: RestoreOrder | undefined;
  /** The run's first epoch is its successor. */
  readonly baseEpoch: number;
}

/** Where this build finds secrets: which ones it needs follows from the program. */
const STORES: ReadonlySet<string> = new Set(["env", "file", "nomad-variable", "kubernetes-secret"]);

/** `assignment`, judged. Throws `version-mismatch` for formats of another build, `unsupported` for what it asks beyond this one, `io` for nonsense. */
export function acceptAssignment(assignment: Assignment): AcceptedAssignment {
  const { settings, placement, worker, parallelism, restore } = assignment;
  if (settings === undefined) throw refused("it has no settings");
  if (parallelism < 1 || parallelism > KEY_GROUPS || placement.length !== parallelism) {
    throw refused(`parallelism ${parallelism} has ${placement.length} places`);
  }
  if (!placement.includes(worker)) throw refused(`worker ${worker} has no subtask`);
  if (assignment.dataCredential === "") throw refused("it has no credential of the data plane");
  const unknown = assignment.secrets.find(({ store }) => !STORES.has(store));
  if (unknown !== undefined) {
    throw externalError("unsupported", `secret "${unknown.name}" is in "${unknown.store}", of which this worker knows nothing`, {
      retry: "never",
    });
  }
  return {
    program: acceptProgram(assignment),
    artifact: acceptArtifact(assignment),
    parallelism,
    worker,
    placement: [...placement],
    peers: acceptPeers(assignment),
    credential: assignment.dataCredential,
    dataTls: assignment.dataTls,
    ...acceptSettings(settings),
    restore:
      restore === undefined
        ? undefined
        : {
            epoch: epochNumber(restore.epoch),
            manifestPath: restore.manifestPath,
            manifestChecksum: restore.manifestChecksum,
            origins: new Map(restore.origins.map(({ vertex, manifestVertex }: VertexOrigin) => [vertex, manifestVertex])),
          },
    baseEpoch: epochNumber(restore?.epoch ?? settings.baseEpoch),
  };
}

function acceptProgram({ program }: Assignment): Program {
  if (program === undefined) throw refused("it has no program");
  if (program.formatVersion !== PROGRAM_VERSION) throw otherVersion("program", program.formatVersion, PROGRAM_VERSION);
  const decoded = decodeProgram(new TextDecoder().decode(program.program));
  if (decoded.fingerprint === program.fingerprint) return decoded;
  throw externalError("checksum-mismatch", `the program has fingerprint ${decoded.fingerprint}, not ${program.fingerprint}`, {
    retry: "never",
  });
}

function acceptArtifact({ artifact }: Assignment): ArtifactRef {
  if (artifact === undefined) throw refused("it has no artifact");
  if (artifact.abiVersion !== ABI_VERSION) throw otherVersion("module", artifact.abiVersion, ABI_VERSION);
  if (!/^[0-9a-f]{1,128}$/.test(artifact.hash)) throw refused(`the artifact's hash "${artifact.hash}" is none`);
  return artifact;
}

function acceptPeers({ peers, placement, worker }: Assignment): readonly PeerAddress[] {
  const known = new Map(peers.map((peer) => [peer.worker, { worker: peer.worker, host: peer.dataHost, port: peer.dataPort }]));
  return [...new Set(placement)]
    .filter((other) => other !== worker)
    .map((other) => {
      const peer = known.get(other);
      if (peer === undefined) throw refused(`worker ${other} has no address`);
      return peer;
    });
}

type AcceptedSettings = Pick<AcceptedAssignment, "settings" | "stateLimit" | "stuckMs" | "stateUrl" | "absence" | "preview">;

function acceptSettings(settings: RunSettings): AcceptedSettings {
  const { batchRows, windowBytes, flushIntervalMs, lingerMs, stuckMs, stateUrl } = settings;
  for (const [name, value] of Object.entries({ batchRows, windowBytes, flushIntervalMs, stuckMs })) {
    if (value < 1) throw refused(`its setting ${name} is ${value}`);
  }
  if (batchRows > 8192) throw refused(`its batches have ${batchRows} rows`);
  return {
    settings: {
      batchRows,
      windowBytes,
      flushIntervalMs,
      lingerMs,
      checkpointEveryRows: Number(settings.checkpointEveryRows),
      stopAfterCheckpoint: settings.stopAfterEpoch === undefined ? undefined : epochNumber(settings.stopAfterEpoch),
      late: latePolicy(settings.late),
    },
    stateLimit: Number(settings.stateLimitBytes),
    stuckMs,
    stateUrl: stateUrl === "" ? undefined : stateUrl,
    absence: { pauseMs: settings.controllerAbsenceLimitMs, orphanMs: settings.orphanTimeoutMs },
    preview: { rows: settings.previewRows, rowsPerSecond: settings.previewRowsPerSecond, waits: settings.previewWaits },
  };
}

function latePolicy(text: string): LatePolicy {
  if (text === "count" || text === "fail") return text;
  throw refused(`its policy for late rows is "${text}"`);
}

/** An epoch as a number: exact, as there are never 2^53 of them. */
export function epochNumber(epoch: bigint): number {
  if (epoch <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(epoch);
  throw refused(`${epoch} is no epoch`);
}

/** The plan of a manifest, `planned`, in terms of the program's vertices: only those that continue. */
export function continueVertices(planned: readonly VertexRestore[], origins: ReadonlyMap<number, number>): readonly VertexRestore[] {
  const byVertex = new Map(planned.map((vertex) => [vertex.vertex, vertex]));
  return [...origins].map(([vertex, origin]) => {
    const found = byVertex.get(origin);
    if (found === undefined) throw refused(`vertex ${origin} is not in the manifest`);
    return { ...found, vertex };
  });
}

function otherVersion(what: string, version: number, own: number): AppError {
  return externalError("version-mismatch", `the ${what} has format version ${version}, this worker reads version ${own}`, {
    retry: "never",
  });
}

function refused(why: string): AppError {
  return externalError("io", `the assignment makes no sense: ${why}`, { retry: "never" });
}
