/** What `wadi doctor` prints: a line for each check, cause and fix below those that want one; or the same as JSON. */
import type { Verdict } from "./check.ts";
import type { Result } from "./examine.ts";

/** What a program reads: `--json`. */
export interface Report {
  /** False if something fails. */
  readonly ok: boolean;
  readonly release: string;
  readonly scheduler: string;
  /** Milliseconds. */
  readonly tookMs: number;
  readonly counts: Readonly<Record<Verdict, number>>;
  readonly checks: readonly Result[];
}

/** The report on `checks`. */
export function makeReport(checks: readonly Result[], facts: Pick<Report, "release" | "scheduler" | "tookMs">): Report {
  const count = (verdict: Verdict): number => checks.filter((check) => check.verdict === verdict).length;
  const counts = { ok: count("ok"), warn: count("warn"), fail: count("fail"), skip: count("skip") };
  return { ok: counts.fail === 0, ...facts, tookMs: Math.round(facts.tookMs), counts, checks };
}

const SHOWN: Readonly<Record<Verdict, string>> = { ok: "ok", warn: "warn", fail: "FAIL", skip: "-" };
const WORD_WIDTH = 5;

/** The report for people. */
export function renderReport(report: Report): string {
  const width = Math.max(...report.checks.map(({ title }) => title.length));
  const indent = " ".repeat(WORD_WIDTH + width + 2);
  const lines = report.checks.map(({ title, verdict, says, fix }) => {
    const head = `${SHOWN[verdict].padEnd(WORD_WIDTH)}${title.padEnd(width)}  ${oneLine(says)}`;
    return fix === undefined ? head : `${head}\n${indent}Fix: ${oneLine(fix)}`;
  });
  return `${lines.join("\n")}\n\n${summary(report)}\n`;
}

function summary({ counts, scheduler, tookMs }: Report): string {
  const parts = [`${counts.ok} ok`, `${counts.warn} warnings`, `${counts.fail} failures`, `${counts.skip} not looked at`];
  return `${parts.join(", ")} (scheduler ${scheduler}, ${(tookMs / 1000).toFixed(1)} s)`;
}

/** Outside systems answer in several lines. */
function oneLine(text: string): string {
  return text.replace(/\s+/g, " ").trim();
}
