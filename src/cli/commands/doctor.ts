/** `wadi doctor`: looks at everything that a cluster of these settings needs and says of each fault the cause and what to do. */
import { systemClock } from "../../core/clock.ts";
import type { LoadedConfig } from "../../core/config.ts";
import { doctorChecks } from "../doctor/checks.ts";
import { examine } from "../doctor/examine.ts";
import { parseTarget, reachChecks } from "../doctor/reach.ts";
import { makeReport, type Report, renderReport } from "../doctor/report.ts";
import { storeChecks } from "../doctor/store.ts";
import { EXIT, print, say } from "../output.ts";
import { release } from "../release.ts";

/** What the command line says. */
export interface DoctorArguments {
  readonly json: boolean;
  /** Whether a short job may be started to look from a node. */
  readonly probe: boolean;
  /** Seconds for everything. */
  readonly withinS: number;
  /** Only what a worker needs is looked at: the stores and `reach`. */
  readonly asWorker: boolean;
  /** Addresses `name=host:port`; there are some: as with `asWorker`. */
  readonly reach: readonly string[];
}

/** Of the time given: printing takes some. */
const SPARE_MS = 200;
/** What still hangs then, such as a connection to a server that says nothing, is left behind. */
const LINGER_MS = 100;

/** Runs the command; 0 if nothing fails, else 1. */
export async function doctor(args: DoctorArguments, loaded: LoadedConfig): Promise<number> {
  if (!args.json) for (const warning of loaded.warnings) say(`warning: ${warning}`);
  const report = await diagnose(args, loaded);
  print(args.json ? `${JSON.stringify(report, undefined, 2)}\n` : renderReport(report));
  const code = report.ok ? EXIT.done : EXIT.failed;
  setTimeout(() => process.exit(code), LINGER_MS).unref();
  return code;
}

/** Looks, within the time given. Throws `invalid-usage` for a target that is none. */
export async function diagnose(args: DoctorArguments, { config }: LoadedConfig): Promise<Report> {
  const beganMs = systemClock.elapsedMs();
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort();
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt);
  try {
    const targets = args.reach.map(parseTarget);
    const checks =
      args.asWorker || targets.length > 0
        ? [...storeChecks(config), ...reachChecks(targets)]
        : doctorChecks(config, { clock: systemClock, probe: args.probe });
    const results = await examine(checks, { clock: systemClock, totalMs: args.withinS * 1000 - SPARE_MS, signal: interrupted.signal });
    return makeReport(results, {
      release: release(),
      scheduler: config["controller.scheduler"],
      tookMs: systemClock.elapsedMs() - beganMs,
    });
  } finally {
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
  }
}
