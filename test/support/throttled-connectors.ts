/**
 * The connectors' registry with byte sources that take their time: a run lasts long enough to be killed in the middle. Given
 * to a run by URL; `WADI_TEST_READ_DELAY_MS` is the pause before every chunk.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { ByteSource, EventSource, SubtaskContext } from "../../src/connectors/connector.ts";
import * as registry from "../../src/connectors/registry.ts";
import type { Clock } from "../../src/core/clock.ts";
import type { SourceOperator } from "../../src/program/operator.ts";

const DELAY_MS = Number(process.env["WADI_TEST_READ_DELAY_MS"] ?? 50);

/** See `registry.ts`. */
export const createSink = registry.createSink;

/** The source of `operator`, pausing before every read. */
export function createSource(operator: SourceOperator, context: SubtaskContext, clock: Clock): ByteSource | EventSource {
  const source = registry.createSource(operator, context, clock);
  if (source.kind !== "bytes") return source;
  const read = source.read.bind(source);
  source.read = async () => {
    await sleep(DELAY_MS);
    return await read();
  };
  return source;
}
