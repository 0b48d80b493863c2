/** What a seed decides before anything happens: sizes, which faults there are and how often. */
import type { Prng } from "../../src/core/prng.ts";
import type { JobLimits } from "../../src/job/job.ts";
import type { RunLimits } from "../../src/job/run-event.ts";

/** A bug that is built in on purpose, to see that the checkers find it. */
export const PLANTS = [
  "commit-before-record",
  "unfenced-record",
  "unfenced-row",
  "lost-staged",
  "forgotten-state",
  "boastful-worker",
  "careless-scheduler",
  "reused-fence",
] as const;

/** One of `PLANTS`. */
export type Plant = (typeof PLANTS)[number];

/** Builds of the worker that users wish for. */
export const BUILDS = ["", "good", "crashing", "failing"] as const;

/** Workers of these end as soon as they start, or fail when they are told what to do. */
export const BAD_BUILDS: ReadonlySet<string> = new Set(["crashing", "failing"]);

/** Chances in thousandths; times in milliseconds. */
export interface SimFaults {
  readonly crashBetweenEffects: number;
  readonly crashAfterRecord: number;
  readonly neverStarts: number;
  readonly exitUntold: number;
  readonly unkillable: number;
  readonly compileFails: number;
  /** Time between two faults that are picked from `kinds`; Infinity: none. */
  readonly everyMs: number;
  readonly kinds: readonly ChaosKind[];
}

/** Things that go wrong from outside. */
export const CHAOS_KINDS = [
  "kill-worker",
  "fail-slot",
  "hang-worker",
  "break-stream",
  "partition-worker",
  "leave",
  "drain",
  "crash-controller",
  "stall-controller",
  "database-away",
  "store-away",
  "scheduler-away",
  "few-slots",
] as const;

/** One of `CHAOS_KINDS`. */
export type ChaosKind = (typeof CHAOS_KINDS)[number];

/** See the file's comment. */
export interface SimOptions {
  readonly splits: number;
  readonly rowsPerSplit: number;
  readonly parallelism: number;
  readonly capacity: number;
  readonly controllers: number;
  readonly checkpointIntervalMs: number;
  readonly chaosMs: number;
  /** Time between two wishes of users; Infinity: none. */
  readonly userEveryMs: number;
  readonly ttlMs: number | undefined;
  /** A worker whose lease was not renewed for so long dials another controller. */
  readonly redialMs: number;
  readonly faults: SimFaults;
  readonly limits: JobLimits;
  readonly runLimits: RunLimits;
  readonly plant: Plant | undefined;
  /** Only controllers and streams fail: that must never cost a run. */
  readonly gentle: boolean;
}

const LIMITS: JobLimits = {
  compileMs: 30_000,
  workerStartupMs: 60_000,
  taskStartupMs: 30_000,
  checkpointMs: 40_000,
  stopMs: 15_000,
  healthyMs: 30_000,
  allowedRestarts: 5,
  backoffMs: 500,
  maxBackoffMs: 10_000,
  prepareMs: 20_000,
};

const RUN_LIMITS: RunLimits = {
  heartbeatMs: 12_000,
  unreachableMs: 4_000,
  renewMs: 4000,
  checkpointMs: 40_000,
  closeMs: 5000,
  backoffMs: 300,
  maxBackoffMs: 5000,
};

const MILD: readonly ChaosKind[] = ["crash-controller", "break-stream"];

function drawKinds(prng: Prng, gentle: boolean, redials: boolean): readonly ChaosKind[] {
  if (gentle) return redials ? [...MILD, "stall-controller"] : MILD;
  return prng.pick<readonly ChaosKind[]>([
    [],
    ["kill-worker", "fail-slot", "hang-worker", "break-stream", "partition-worker", "leave", "drain"],
    ["crash-controller", "stall-controller", "database-away"],
    ["store-away", "database-away", "scheduler-away", "few-slots"],
    CHAOS_KINDS,
    CHAOS_KINDS,
  ]);
}

/** Draws them from the seed. */
export function drawOptions(prng: Prng, plant: Plant | undefined): SimOptions {
  const gentle = prng.chance(1, 4);
  const redialMs = prng.pick([9000, Number.POSITIVE_INFINITY]);
  const kinds = drawKinds(prng, gentle, redialMs === 9000);
  const often = (perMille: number): number => (prng.chance(1, 3) ? perMille : 0);
  const some = (perMille: number): number => (gentle ? 0 : often(perMille));
  const parallelism = prng.between(1, 4);
  return {
    splits: prng.between(1, 4),
    rowsPerSplit: prng.pick([5, 60, 400, 1000, 100_000]),
    parallelism,
    capacity: gentle ? 20 : parallelism + prng.pick([0, 1, 4, 20]),
    controllers: prng.pick([1, 2, 2]),
    checkpointIntervalMs: prng.pick([1500, 4000, 10_000]),
    chaosMs: prng.between(30, 300) * 1000,
    userEveryMs: prng.pick([Number.POSITIVE_INFINITY, 12_000, 40_000]),
    ttlMs: prng.chance(1, 20) ? prng.between(5, 60) * 1000 : undefined,
    redialMs,
    faults: {
      crashBetweenEffects: often(8),
      crashAfterRecord: often(30),
      neverStarts: some(50),
      exitUntold: some(300),
      unkillable: some(100),
      compileFails: some(150),
      everyMs: kinds.length === 0 ? Number.POSITIVE_INFINITY : prng.pick([3000, 10_000, 25_000]),
      kinds,
    },
    limits: { ...LIMITS, prepareMs: prng.chance(1, 6) ? 0 : LIMITS.prepareMs },
    runLimits: RUN_LIMITS,
    plant,
    gentle,
  };
}
