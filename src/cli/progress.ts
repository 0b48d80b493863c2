/** The progress line of `wadi run`: rows per second, event time and who holds it, checkpoints. Only on a terminal. */
import type { WriteStream } from "node:tty";
import { formatTimestamp } from "../core/time.ts";
import type { RunProgress } from "../worker/run-progress.ts";

/** Event time that has not moved for this long is worth saying who holds it. */
const STALL_MS = 3000;

/** Lines among rows come no more often than this. */
const LINE_MS = 2000;

/** One line that is rewritten in place; where rows go to the same terminal, a line of its own now and then. */
export class ProgressLine {
  readonly #stream: WriteStream;
  readonly #amongRows: boolean;
  #last: RunProgress | undefined;
  #movedMs = 0;
  #shown = false;

  /** `amongRows`: rows are written to the terminal that `stream` is. */
  constructor(stream: WriteStream, amongRows: boolean) {
    this.#stream = stream;
    this.#amongRows = amongRows;
  }

  /** Shows the run as of now. */
  show(progress: RunProgress): void {
    const last = this.#last;
    if (this.#amongRows && last !== undefined && progress.elapsedMs - last.elapsedMs < LINE_MS) return;
    if (last === undefined || last.watermarkNs !== progress.watermarkNs) this.#movedMs = progress.elapsedMs;
    this.#last = progress;
    if (!this.#stream.isTTY) return;
    const seconds = (progress.elapsedMs - (last?.elapsedMs ?? 0)) / 1000;
    const rate = seconds > 0 ? Math.round((progress.rowsIn - (last?.rowsIn ?? 0)) / seconds) : 0;
    const parts = [`${count(progress.rowsIn)} rows in (${count(rate)}/s)`, `${count(progress.rowsOut)} out`];
    if (progress.watermarkNs !== undefined) parts.push(`event time ${formatTimestamp(progress.watermarkNs).slice(0, 19)}`);
    if (progress.elapsedMs - this.#movedMs > STALL_MS && progress.holder !== undefined) {
      parts.push(`held back by table "${progress.holder.table}" partition ${progress.holder.partition}`);
    }
    if (progress.epoch > 0) parts.push(`checkpoint ${progress.epoch}`);
    if (progress.blockedShare > 0.05) parts.push(`${Math.round(progress.blockedShare * 100)} % blocked`);
    if (progress.late > 0) parts.push(`${count(progress.late)} late`);
    if (progress.bad > 0) parts.push(`${count(progress.bad)} bad`);
    const line = parts.join(" · ").slice(0, (this.#stream.columns || 120) - 1);
    this.#stream.write(this.#amongRows ? `${line}\n` : `\r\u001b[2K${line}`);
    this.#shown = !this.#amongRows;
  }

  /** Leaves the line as it is. */
  end(): void {
    if (this.#shown) this.#stream.write("\n");
    this.#shown = false;
  }
}

/** 12345678 as "12.3 M". */
function count(n: number): string {
  if (n >= 1e9) return `${(n / 1e9).toFixed(1)} G`;
  if (n >= 1e6) return `${(n / 1e6).toFixed(1)} M`;
  if (n >= 1e4) return `${(n / 1e3).toFixed(0)} k`;
  return String(n);
}
