/** Timestamps, dates, durations and intervals: what their texts mean and how they are printed. One line of input, one of output. */
import { formatDuration, intervalToNs, parseDuration, parseInterval } from "../../../src/core/duration.ts";
import { formatDate, formatTimestamp, parseDate, parseTimestamp } from "../../../src/core/time.ts";
import { goldenFiles, goldenSuite } from "../../support/golden.ts";

const PRINTERS: Readonly<Record<string, (text: string) => string | undefined>> = {
  timestamp: (text) => {
    const ns = parseTimestamp(text);
    return ns === undefined ? undefined : `${ns} ${formatTimestamp(ns)}`;
  },
  date: (text) => {
    const days = parseDate(text);
    return days === undefined ? undefined : `${days} ${formatDate(days)}`;
  },
  duration: (text) => {
    const ns = parseDuration(text);
    return ns === undefined ? undefined : `${ns} ${formatDuration(ns)}`;
  },
  interval: (text) => {
    const interval = parseInterval(text);
    if (interval === undefined) return undefined;
    return `${interval.months} ${interval.days} ${interval.ns}, ${intervalToNs(interval) ?? "no fixed length"}`;
  },
};

for (const path of goldenFiles("core")) {
  goldenSuite(path, ({ directive, input }) =>
    input
      .split("\n")
      .map((text) => `${text} → ${PRINTERS[directive]?.(text) ?? "none"}`)
      .join("\n"),
  );
}
