/**
 * `npm run demo`: two real pipelines through the command line, with their rows on the terminal: a file of bicycle trips that ends, then live
 * events until Ctrl-C, which takes a checkpoint. Where nobody can press Ctrl-C (no terminal, or CI is set) it does so itself.
 *
 * What runs is `wadi run`: one process with two slots, no cluster, no web interface; those come with issue 3.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./process.ts";

const HELP = `usage: npm run demo -- [--seconds N]
  --seconds N   presses Ctrl-C after N seconds of live events (default: only where there is no terminal, after 8)
`;
const UNATTENDED_SECONDS = 8;
/** A machine that has shown nothing after so long will not. */
const FIRST_ROW_SECONDS = 30;
/** npm, the door script and the terminal may all deliver one Ctrl-C. */
const SAME_KEYSTROKE_MS = 300;
const STATE = join(".wadi", "demo");

let running: ChildProcess | undefined;
let interrupted = false;
let interruptedMs = Number.NEGATIVE_INFINITY;

/** Passes Ctrl-C on: the pipeline has a process group of its own, so it gets each keystroke once. */
function interrupt(): void {
  const nowMs = performance.now();
  if (nowMs - interruptedMs < SAME_KEYSTROKE_MS) return;
  interruptedMs = nowMs;
  interrupted = true;
  running?.kill("SIGINT");
}

/** Runs `wadi` on this terminal; its exit code. `seconds` count from the first row. */
function wadi(args: readonly string[], seconds?: number): Promise<number> {
  process.stdout.write(`$ wadi ${args.join(" ")}\n`);
  return new Promise((resolve) => {
    const stdout = seconds === undefined ? "inherit" : "pipe";
    const child = spawn(process.execPath, ["dist/cli/main.js", ...args], {
      cwd: ROOT,
      stdio: ["inherit", stdout, "inherit"],
      detached: true,
    });
    running = child;
    const timers: NodeJS.Timeout[] = [];
    const stopIn = (limit: number): void => {
      timers.push(setTimeout(interrupt, limit * 1000));
    };
    if (seconds !== undefined) stopIn(FIRST_ROW_SECONDS + seconds);
    child.stdout?.once("data", () => stopIn(seconds ?? 0)).pipe(process.stdout, { end: false });
    const finish = (code: number): void => {
      for (const timer of timers) clearTimeout(timer);
      running = undefined;
      resolve(code);
    };
    child.on("error", (error) => {
      process.stdout.write(`${error.message}\n`);
      finish(1);
    });
    child.on("close", (code) => finish(code ?? 1));
  });
}

/** Seconds of live events; undefined: until Ctrl-C. */
function liveSeconds(args: readonly string[]): number | undefined {
  const at = args.indexOf("--seconds");
  if (at >= 0) return Number(args[at + 1]);
  const { CI: ci = "" } = process.env;
  return process.stdout.isTTY && process.stdin.isTTY && ci === "" ? undefined : UNATTENDED_SECONDS;
}

async function main(args: readonly string[]): Promise<number> {
  const seconds = liveSeconds(args);
  if (args.includes("--help") || Number.isNaN(seconds)) {
    process.stdout.write(HELP);
    return args.includes("--help") ? 0 : 2;
  }
  mkdirSync(join(ROOT, STATE), { recursive: true });
  process.stdout.write(`Wadi compiles SQL to WebAssembly and runs it over streams. This demo shows the engine on this machine, in one process with
two slots (threads); the cluster and its web interface are not part of it yet.

1. A file: 1,700 bicycle trips as JSON lines, taken together by station and half hour (scripts/demo/trips.sql).
`);
  const first = await wadi(["run", "--parallelism", "2", "scripts/demo/trips.sql"]);
  if (first !== 0 || interrupted) return first;
  const end = seconds === undefined ? "Ctrl-C takes a checkpoint and stops" : `stopped after ${seconds} s`;
  process.stdout.write(`\n2. Live: 20,000 auction events a second in windows of two seconds (scripts/demo/bids.sql); ${end}.\n`);
  const live = ["run", "--parallelism", "2", "--state-dir", STATE];
  const second = await wadi([...live, "--ignore-state", "--checkpoint-interval", "2s", "scripts/demo/bids.sql"], seconds);
  if (second !== 0) return second;
  process.stdout.write(`
Stopped with a checkpoint. It goes on where it was, at any parallelism, with
  node dist/cli/main.js ${live.join(" ")} scripts/demo/bids.sql
Your own SQL: node dist/cli/main.js run query.sql (see README.md).
`);
  return 0;
}

process.on("SIGINT", interrupt);
process.on("SIGTERM", interrupt);
process.on("exit", () => running?.kill("SIGKILL"));
process.exitCode = await main(process.argv.slice(2));
