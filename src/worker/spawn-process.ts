/** Starts a process from a module of this code base, whether it runs from TypeScript sources (under tsx) or as emitted JavaScript. */
import { type ChildProcess, fork } from "node:child_process";
import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";

/** A process that runs `<name>` beside the module whose `import.meta.url` is `beside`, with an IPC channel that carries bigint and bytes. */
export function spawnProcess(name: string, beside: string): ChildProcess {
  const fromSource = beside.endsWith(".ts");
  const path = fileURLToPath(new URL(`./${name}.${fromSource ? "ts" : "js"}`, beside));
  const execArgv = fromSource ? ["--import", pathToFileURL(createRequire(beside).resolve("tsx")).href] : [];
  return fork(path, [], { execArgv, serialization: "advanced", stdio: ["ignore", "inherit", "inherit", "ipc"] });
}
