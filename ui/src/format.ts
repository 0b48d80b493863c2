/**
 * Values as people read them: times of the API (microseconds since 1970 UTC) in the browser's zone, durations, bytes, counts, rates.
 */

const NONE = "–";

/** A date as `Nov 23, 08:31:07`, with the year if it is another one. */
export function formatTime(micros: number | null | undefined, nowMs = Date.now()): string {
  if (micros === null || micros === undefined) return NONE;
  const date = new Date(micros / 1000);
  const year = date.getFullYear() === new Date(nowMs).getFullYear() ? {} : ({ year: "numeric" } as const);
  return date.toLocaleString("en-US", {
    ...year,
    month: "short",
    day: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hourCycle: "h23",
  });
}

/** A time of day as `08:31:07`, with milliseconds if asked. */
export function formatClock(micros: number, millis = false): string {
  const date = new Date(micros / 1000);
  const clock = date.toLocaleTimeString("en-GB", { hourCycle: "h23" });
  return millis ? `${clock}.${String(date.getMilliseconds()).padStart(3, "0")}` : clock;
}

/** How long ago, in one unit: `12 s ago`, `3 h ago`. */
export function formatAgo(micros: number, nowMs = Date.now()): string {
  const seconds = Math.max(0, nowMs / 1000 - micros / 1e6);
  return seconds < 1 ? "now" : `${formatLong(seconds)} ago`;
}

function formatLong(seconds: number): string {
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

/** A duration in microseconds with the unit that fits: `840 µs`, `12 ms`, `3.4 s`, `2 min 5 s`, `3 h 12 min`, `2 d 4 h`. */
export function formatDuration(micros: number | null | undefined): string {
  if (micros === null || micros === undefined || !Number.isFinite(micros)) return NONE;
  if (micros < 0) return `−${formatDuration(-micros)}`;
  // A value that would be rounded up to the next unit belongs to that one.
  if (micros < 999.5) return `${Math.round(micros)} µs`;
  if (micros < 999_500) return `${trim(micros / 1000)} ms`;
  const seconds = micros / 1e6;
  if (seconds < 59.5) return `${trim(seconds)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86_400)} d ${Math.floor((whole % 86_400) / 3600)} h`;
}

/** Two or three significant digits, without a trailing zero. */
function trim(value: number): string {
  const text = value < 10 ? value.toFixed(1) : value.toFixed(0);
  return text.endsWith(".0") ? text.slice(0, -2) : text;
}

/** Bytes as `0 B`, `1.2 KiB`, `340 MiB`. */
export function formatBytes(bytes: number | null | undefined): string {
  if (bytes === null || bytes === undefined) return NONE;
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? Math.round(value) : trim(value)} ${units[unit] ?? ""}`;
}

/** A count with thousands separators. */
export function formatCount(count: number | null | undefined): string {
  return count === null || count === undefined ? NONE : Math.round(count).toLocaleString("en-US");
}

/** A count in at most four characters: `980`, `12.4k`, `3.2M`. */
export function formatShort(value: number): string {
  if (value < 1000) return value === 0 || value >= 10 ? String(Math.round(value)) : trim(value);
  if (value < 1e6) return `${trim(value / 1e3)}k`;
  if (value < 1e9) return `${trim(value / 1e6)}M`;
  return `${trim(value / 1e9)}G`;
}

/** `1 task`, `3 tasks`. */
export function plural(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`;
}
