/**
 * A checkpoint that somebody on the worker's machine wants now: asks the controller, waits for an epoch that begins afterwards, and says which
 * one it was or why there is none. The controller answers nothing: what is looked at is what the worker hears of its run's epochs anyway.
 */
import type { Clock } from "../core/clock.ts";
import type { ActionOutcome } from "../rpc/admin-server.ts";

/** What is known of the run now. */
export interface WishView {
  /** Why there can be no checkpoint, in words; undefined: there can. */
  readonly obstacle: string | undefined;
  /** Newest epoch that has begun here. */
  readonly started: number;
  /** Newest epoch that is known to count. */
  readonly complete: number;
}

/** What a wish works with. */
export interface WishOptions {
  readonly clock: Clock;
  readonly view: () => WishView;
  /** Tells the controller; may be lost, and may be said twice. */
  readonly ask: () => void;
  /** Aborted when the worker ends. */
  readonly over: AbortSignal;
  /** So long is waited, milliseconds. */
  readonly limitMs: number;
}

/** The run is looked at this often, milliseconds. */
const LOOK_MS = 50;
/** The controller is asked again after so long: the request may have been lost, or come while another epoch was under way. Milliseconds. */
const REPEAT_MS = 500;

/** Resolves when an epoch that began after this call counts, or with the reason why none does. Never throws. */
export async function wishCheckpoint({ clock, view, ask, over, limitMs }: WishOptions): Promise<ActionOutcome> {
  const beganMs = clock.elapsedMs();
  const wanted = view().started + 1;
  let askedMs = Number.NEGATIVE_INFINITY;
  for (;;) {
    const { obstacle, started, complete } = view();
    const nowMs = clock.elapsedMs();
    if (complete >= wanted) return { ok: true, text: `epoch ${complete} is complete, after ${Math.round(nowMs - beganMs)} ms` };
    if (over.aborted) return { ok: false, text: "no checkpoint: the worker ends" };
    // A checkpoint that has begun goes on, whoever leads.
    if (obstacle !== undefined && started < wanted) return { ok: false, text: `no checkpoint: ${obstacle}` };
    if (nowMs - beganMs >= limitMs) return { ok: false, text: lateText(wanted, started, complete, limitMs) };
    if (started < wanted && complete >= started && nowMs - askedMs >= REPEAT_MS) {
      askedMs = nowMs;
      ask();
    }
    await clock.sleep(LOOK_MS);
  }
}

function lateText(wanted: number, started: number, complete: number, limitMs: number): string {
  const limit = `within ${limitMs / 1000} s`;
  if (started >= wanted) return `epoch ${started} has begun and is not complete ${limit}; it goes on`;
  if (started > complete) return `no checkpoint: epoch ${started}, which was under way, is not complete ${limit}`;
  return `no checkpoint: the controller has begun none ${limit}`;
}
