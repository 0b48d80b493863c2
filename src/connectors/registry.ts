/** Every connector's implementation by name: what a slot opens for a source or sink vertex. */
import type { Clock } from "../core/clock.ts";
import { userError } from "../core/errors.ts";
import type { SinkOperator, SourceOperator } from "../program/operator.ts";
import { makeBlackholeSink } from "./blackhole/sink.ts";
import type { ByteSource, EventSource, Sink, SubtaskContext } from "./connector.ts";
import { FilesystemSink } from "./filesystem/sink.ts";
import { makeFilesystemSource } from "./filesystem/source.ts";
import { PacedEvents } from "./impulse/source.ts";
import { makeNexmarkSource } from "./nexmark/source.ts";
import { PreviewSink } from "./preview/sink.ts";
import { SingleFileSink } from "./single_file/sink.ts";
import { makeSingleFileSource } from "./single_file/source.ts";
import { makeStdoutSink } from "./stdout/sink.ts";

/** What a connector may need beside its subtask's context. */
type SourceFactory = (context: SubtaskContext, clock: Clock) => ByteSource | EventSource;
type SinkFactory = (context: SubtaskContext) => Sink;

/** Sources by connector name. */
export const SOURCES: Readonly<Record<string, SourceFactory>> = {
  filesystem: (context) => makeFilesystemSource(context),
  impulse: (context, clock) => makeImpulseSource(context, clock),
  nexmark: (context, clock) => makeNexmarkSource(context, clock),
  single_file: (context) => makeSingleFileSource(context),
};

/** Sinks by connector name. */
export const SINKS: Readonly<Record<string, SinkFactory>> = {
  blackhole: () => makeBlackholeSink(),
  filesystem: (context) => new FilesystemSink(context),
  preview: ({ preview }) => (preview === undefined ? makeStdoutSink() : new PreviewSink(preview)),
  single_file: (context) => new SingleFileSink(context),
  stdout: () => makeStdoutSink(),
};

function makeImpulseSource(context: SubtaskContext, clock: Clock): EventSource {
  const { event_rate: rate, message_count: count } = context.options;
  const spec = {
    eventsPerSecond: Number(rate),
    eventCount: count === undefined ? undefined : BigInt(Number(count)),
    baseNs: clock.nowNs(),
  };
  return new PacedEvents(context, spec, clock);
}

/** The source of `operator` for one subtask, not yet open. */
export function createSource(operator: SourceOperator, context: SubtaskContext, clock: Clock): ByteSource | EventSource {
  const factory = SOURCES[operator.connector];
  if (factory === undefined)
    throw userError("unsupported", `connector "${operator.connector}" of table "${operator.table}" is not a source`);
  return factory(context, clock);
}

/** The sink of `operator` for one subtask, not yet open. */
export function createSink(operator: SinkOperator, context: SubtaskContext): Sink {
  const factory = SINKS[operator.connector];
  if (factory === undefined) throw userError("unsupported", `connector "${operator.connector}" of table "${operator.table}" is not a sink`);
  return factory(context);
}
