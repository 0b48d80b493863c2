/**
 * Structured logs on stderr, so that stdout stays the program's output. A line is a message that never varies plus fields that do; the
 * library (pino) is hidden behind `Logger`.
 *
 * Levels say who must act: `error` an operator now, `warn` an operator some day, `info` nobody (a lifecycle event), `debug` a developer.
 * Secrets are never passed as fields: what may be logged of the configuration comes from `printConfig`.
 */
import { pino } from "pino";
import { toErrorRecord } from "./errors.ts";

/** From most to least urgent. */
export const LOG_LEVELS = ["error", "warn", "info", "debug"] as const;
/** One of `LOG_LEVELS`. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** `plaintext` for people, `json` and `logfmt` for collectors. */
export const LOG_FORMATS = ["plaintext", "json", "logfmt"] as const;
/** One of `LOG_FORMATS`. */
export type LogFormat = (typeof LOG_FORMATS)[number];

/** Values of a line. An `error` field is written as an error record; a `bigint` as its digits. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Writes log lines. Never throws and never blocks for long; lines of one logger keep their order. */
export interface Logger {
  error(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  /** A logger whose lines carry `fields` besides their own. */
  child(fields: LogFields): Logger;
}

/** How a logger writes. */
export interface LoggerOptions {
  /** Lines less urgent than this are not written. */
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Takes finished lines, each ending in a newline; stderr if absent. */
  readonly write?: ((line: string) => void) | undefined;
}

/** A logger of its own; a process makes one and passes it down. */
export function makeLogger(options: LoggerOptions): Logger {
  const write = options.write ?? ((line: string) => void process.stderr.write(line));
  const render = options.format === "json" ? (line: string) => line : renderWith(options.format === "logfmt" ? logfmtLine : plainLine);
  const destination = { write: (line: string) => write(render(line)) };
  const settings = {
    level: options.level,
    base: null,
    messageKey: "message",
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  return wrap(pino(settings, destination));
}

/** A logger that writes nothing, for tests and embedding. */
export const silentLogger: Logger = {
  error: () => undefined,
  warn: () => undefined,
  info: () => undefined,
  debug: () => undefined,
  child: () => silentLogger,
};

function wrap(target: pino.Logger): Logger {
  return {
    error: (message, fields = {}) => target.error(plainFields(fields), message),
    warn: (message, fields = {}) => target.warn(plainFields(fields), message),
    info: (message, fields = {}) => target.info(plainFields(fields), message),
    debug: (message, fields = {}) => target.debug(plainFields(fields), message),
    child: (fields) => wrap(target.child(plainFields(fields))),
  };
}

function plainFields(fields: LogFields): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, plainValue(value)]));
}

function plainValue(value: unknown): unknown {
  if (value instanceof Error) return toErrorRecord(value);
  if (typeof value === "bigint") return value.toString();
  return value;
}

interface LogLine {
  readonly time: string;
  readonly level: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

function renderWith(format: (line: LogLine) => string): (json: string) => string {
  return (json) => {
    const { time, level, message, ...fields } = JSON.parse(json) as Record<string, unknown>;
    return format({ time: String(time), level: String(level), message: String(message), fields });
  };
}

function plainLine({ time, level, message, fields }: LogLine): string {
  return `${time} ${level.toUpperCase().padEnd(5)} ${message}${fieldText(fields)}\n`;
}

function logfmtLine({ time, level, message, fields }: LogLine): string {
  return `time=${time} level=${level} message=${quote(message)}${fieldText(fields)}\n`;
}

function fieldText(fields: Readonly<Record<string, unknown>>): string {
  return Object.entries(fields)
    .map(([key, value]) => ` ${key}=${quote(typeof value === "string" ? value : JSON.stringify(value))}`)
    .join("");
}

function quote(value: string): string {
  return /^[^\s"=\p{Cc}]+$/u.test(value) ? value : JSON.stringify(value);
}
