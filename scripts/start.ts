/**
 * `npm start`: the whole system on this machine, empty: `wadi cluster`. Words after `--` are passed on. This process only hands signals over:
 * npm and the terminal may both deliver one Ctrl-C, and the cluster knows that.
 */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { ROOT } from "./process.ts";

const child = spawn(process.execPath, [join(ROOT, "dist", "cli", "main.js"), "cluster", ...process.argv.slice(2)], { stdio: "inherit" });
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => child.kill(signal));
child.on("error", (error) => {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
});
child.on("close", (code) => {
  process.exitCode = code ?? 1;
});
