/**
 * Starts a thread from a module of this code base, whether it runs from TypeScript sources (under tsx) or as emitted JavaScript.
 *
 * tsx does not hook into threads by `execArgv` (tried with 4.23 on Node 20: "Unknown file extension"), so under tsx the thread starts with a
 * module of two lines that registers it and then imports the file.
 */
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { Worker, type WorkerOptions } from "node:worker_threads";

/** A thread that runs `<name>.ts` or `<name>.js` beside the module whose `import.meta.url` is `beside`. */
export function startThreadFile(name: string, beside: string, options: WorkerOptions = {}): Worker {
  if (!beside.endsWith(".ts")) return new Worker(new URL(`./${name}.js`, beside), options);
  const file = new URL(`./${name}.ts`, beside).href;
  // `require` resolves to the CommonJS build, which cannot register in 4.23; the module beside it can. `import.meta.resolve` is not there
  // when mocha loads this file as CommonJS.
  const tsx = pathToFileURL(
    createRequire(beside)
      .resolve("tsx/esm/api")
      .replace(/\.cjs$/, ".mjs"),
  ).href;
  const source = `import { register } from ${JSON.stringify(tsx)}; register(); await import(${JSON.stringify(file)});`;
  return new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), { ...options, execArgv: [] });
}
