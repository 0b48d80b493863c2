/**
 * Runs checks side by side, each within its own time limit and all within one: whatever hangs is given up and said to hang. A check whose
 * ground another one has pulled away is skipped, so that one fault is told once.
 */
import type { Clock } from "../../core/clock.ts";
import { toAppError } from "../../core/errors.ts";
import { type Check, type Finding, fail, skip } from "./check.ts";

/** A check and what it found. */
export interface Result extends Finding {
  readonly id: string;
  readonly title: string;
  /** Milliseconds it took; 0 if it was skipped. */
  readonly tookMs: number;
}

/** What an examination needs. */
export interface ExamineOptions {
  readonly clock: Clock;
  /** Milliseconds for everything together, the tidying-up of checks that were given up included. */
  readonly totalMs: number;
  /** Given up by the user: what is not done by then is skipped. */
  readonly signal: AbortSignal;
}

/** Tidying up after checks whose time is over: this part of the time is kept free at the end. */
const TIDY = 0.15;

/** The results in the order of `checks`. Never throws. */
export async function examine(checks: readonly Check[], options: ExamineOptions): Promise<readonly Result[]> {
  const { clock, totalMs } = options;
  const beganMs = clock.elapsedMs();
  const found = new Map<string, Promise<Result>>();
  const running: Promise<unknown>[] = [];
  for (const check of checks) {
    const needed = (check.needs ?? []).map((id) => ({ id, result: found.get(id) }));
    const leftMs = (): number => Math.max(0, totalMs * (1 - TIDY) - (clock.elapsedMs() - beganMs));
    found.set(
      check.id,
      afterwards(check, needed, () => runOne(check, leftMs(), options, running)),
    );
  }
  const results = await Promise.all(found.values());
  const leftMs = Math.min(totalMs * TIDY, Math.max(0, totalMs - (clock.elapsedMs() - beganMs)));
  await Promise.race([Promise.allSettled(running), clock.sleep(leftMs)]);
  return results;
}

interface Needed {
  readonly id: string;
  readonly result: Promise<Result> | undefined;
}

async function afterwards(check: Check, needed: readonly Needed[], run: () => Promise<Result>): Promise<Result> {
  const results = await Promise.all(needed.map(({ result }) => result));
  const missing = results.find((result) => result !== undefined && (result.verdict === "fail" || result.verdict === "skip"));
  if (missing === undefined) return run();
  return { id: check.id, title: check.title, tookMs: 0, ...skip(`not looked at, because of "${missing.title}"`) };
}

async function runOne(check: Check, leftMs: number, { clock, signal }: ExamineOptions, running: Promise<unknown>[]): Promise<Result> {
  const { id, title, ifSilent } = check;
  const limitMs = Math.min(check.limitMs, leftMs);
  const startedMs = clock.elapsedMs();
  const over = new AbortController();
  const done = new AbortController();
  const work = check.run(AbortSignal.any([over.signal, signal])).catch((thrown: unknown) => failure(thrown, ifSilent));
  running.push(work);
  const silence = clock
    .sleep(limitMs, AbortSignal.any([done.signal, signal]))
    .then((): Finding => (signal.aborted ? skip("given up") : fail(`no answer within ${Math.round(limitMs / 100) / 10} s`, ifSilent)));
  const finding = await Promise.race([work, silence]);
  done.abort();
  over.abort();
  return { id, title, tookMs: Math.round(clock.elapsedMs() - startedMs), ...finding };
}

/** What a check threw, in words. */
function failure(thrown: unknown, ifSilent: string): Finding {
  const error = toAppError(thrown);
  return fail(error.message, error.hint ?? ifSilent);
}
