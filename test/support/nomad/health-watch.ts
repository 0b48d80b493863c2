/**
 * Whether an allocation of a deployment is healthy, as its client finds out: its main tasks run, its prestart tasks have succeeded and its checks
 * pass for `min_healthy_time` without a break; unhealthy when a main task is over, or at `healthy_deadline`.
 */
import { checksOf } from "./checks.ts";
import type { Cluster } from "./cluster.ts";
import { type Allocation, isMainTask, type TaskGroup, type TaskState } from "./records.ts";

const POLL_MS = 50;
const CHECK_POLL_LIMIT_MS = 1000;

/** What is watched. */
export interface HealthSubject {
  readonly cluster: Cluster;
  readonly group: TaskGroup;
  allocation(): Allocation;
  states(): Readonly<Record<string, TaskState>>;
  /** Called once. */
  decided(healthy: boolean): void;
}

/** Watches until it is decided or stopped. */
export class HealthWatch {
  readonly #subject: HealthSubject;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  #goodSinceMs: number | undefined;
  readonly #deadlineMs: number;

  constructor(subject: HealthSubject) {
    this.#subject = subject;
    this.#deadlineMs = performance.now() + (subject.group.Update?.HealthyDeadline ?? 0) / 1e6 / subject.cluster.options.deadlineHurry;
    this.#timer = setTimeout(() => void this.#look(), POLL_MS);
  }

  /** Decides nothing any more. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  async #look(): Promise<void> {
    const { group, cluster } = this.#subject;
    const tasks = this.#tasks();
    const good = tasks === "good" && (await this.#checksPass());
    if (this.#stopped) return;
    const now = performance.now();
    if (tasks === "over" || now >= this.#deadlineMs) return this.#decide(false);
    this.#goodSinceMs = good ? (this.#goodSinceMs ?? now) : undefined;
    const neededMs = (group.Update?.MinHealthyTime ?? 0) / 1e6 / cluster.options.checkHurry;
    if (this.#goodSinceMs !== undefined && now - this.#goodSinceMs >= neededMs) return this.#decide(true);
    this.#timer = setTimeout(() => void this.#look(), this.#pollMs());
  }

  #decide(healthy: boolean): void {
    this.#stopped = true;
    this.#subject.decided(healthy);
  }

  #tasks(): "good" | "waiting" | "over" {
    const states = this.#subject.states();
    let good = true;
    for (const task of this.#subject.group.Tasks) {
      const state = states[task.Name];
      if (state?.Failed === true && state.State === "dead") return "over";
      if (!isMainTask(task)) {
        good &&= task.Lifecycle?.Hook !== "prestart" || state?.State === "dead";
        continue;
      }
      if (state?.State === "dead") return "over";
      good &&= state?.State === "running";
    }
    return good ? "good" : "waiting";
  }

  async #checksPass(): Promise<boolean> {
    if (this.#subject.group.Update?.HealthCheck !== "checks") return true;
    const results = await checksOf(this.#subject.cluster, this.#subject.allocation());
    return Object.values(results).every((one) => (one as { readonly Status: string }).Status === "success");
  }

  #pollMs(): number {
    const services = [...(this.#subject.group.Services ?? []), ...this.#subject.group.Tasks.flatMap(({ Services }) => Services ?? [])];
    const intervals = services.flatMap(({ Checks }) => (Checks ?? []).map(({ Interval }) => Interval / 1e6));
    return Math.max(POLL_MS, Math.min(CHECK_POLL_LIMIT_MS, ...intervals) / this.#subject.cluster.options.checkHurry);
  }
}
