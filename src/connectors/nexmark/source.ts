/**
 * The Nexmark generator's pacing. A bounded table is made as fast as possible, from the benchmark's own base time, so that
 * every run has the same rows; an unbounded one keeps `event_rate` in wall time and begins now.
 */
import type { Clock } from "../../core/clock.ts";
import type { EventSource, SubtaskContext } from "../connector.ts";
import { PacedEvents } from "../impulse/source.ts";

/** 2015-07-15T00:00:00Z, the reference generator's base time. */
const BASE_NS = 1436918400000000000n;

/** A source of Nexmark events. */
export function makeNexmarkSource(context: SubtaskContext, clock: Clock): EventSource {
  const { event_rate: rate, runtime, message_count: count } = context.options;
  const byTime = runtime === undefined ? undefined : BigInt(Math.floor(Number(runtime) * Number(rate)));
  const byCount = count === undefined ? undefined : BigInt(Number(count));
  const eventCount = byTime === undefined ? byCount : byCount === undefined || byTime < byCount ? byTime : byCount;
  const bounded = eventCount !== undefined;
  return new PacedEvents(
    context,
    { eventsPerSecond: bounded ? undefined : Number(rate), eventCount, baseNs: bounded ? BASE_NS : clock.nowNs() },
    clock,
  );
}
