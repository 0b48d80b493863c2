/**
 * Lines of a worker's log as people read them: JSON lines become time, level, message and what else was said; others stay as they are.
 */

/** Levels, the worst first. */
export const LOG_LEVELS = ["error", "warn", "info", "debug"] as const;
/** One of `LOG_LEVELS`. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** A line that is shown. */
export interface LogLine {
  readonly level: LogLevel | undefined;
  readonly text: string;
  /** Whose it is, where several logs are read as one: "#0", or the worker's id. */
  readonly who?: string;
}

/** A line as it comes: of one worker's log, or of one of several. */
export type RawLine = string | { readonly worker: string; readonly number: number | null; readonly text: string };

/** The line as it is shown. */
export function readRawLine(line: RawLine): LogLine {
  if (typeof line === "string") return readLogLine(line);
  return { ...readLogLine(line.text), who: line.number === null ? line.worker : `#${line.number}` };
}

/** A line of a log as it is shown. */
export function readLogLine(line: string): LogLine {
  if (!line.startsWith("{")) return { level: undefined, text: line };
  try {
    const { time, level, message, ...rest } = JSON.parse(line) as Record<string, unknown>;
    const details = Object.entries(rest).map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`);
    const text = [time, String(level).toUpperCase().padEnd(5), message, ...details].join(" ");
    return { level: LOG_LEVELS.find((known) => known === level), text };
  } catch {
    return { level: undefined, text: line };
  }
}

/** Whether the line is of `least` or worse and has `text` in it; a line without a level belongs to the one before and has no say. */
export function isLineWanted({ level, text, who }: LogLine, wanted: string, least: LogLevel | undefined): boolean {
  if (least !== undefined && (level === undefined || LOG_LEVELS.indexOf(level) > LOG_LEVELS.indexOf(least))) return false;
  return wanted === "" || `${who ?? ""} ${text}`.toLowerCase().includes(wanted.toLowerCase());
}
