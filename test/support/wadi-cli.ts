/** The real command line as a child process: the build in `dist/`, which is made first if it is not up to date. */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { AssertionError, expect } from "chai";
import { build } from "../../scripts/build.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const MAIN = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
/** Long enough for a compilation on a machine with other work. */
const DEADLINE_MS = 60_000;

/** How a command ended. */
export interface CliResult {
  /** Its exit code; -1 if a signal ended it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command under way. */
export interface CliProcess {
  readonly child: ChildProcessByStdio<Writable, Readable, Readable>;
  /** Resolves once the text has been seen on the stream. */
  seen(stream: "stdout" | "stderr", text: string): Promise<void>;
  /** How it ended. Fails if it does not end in time: then it is killed. */
  readonly ended: Promise<CliResult>;
}

/** To be called first in a `describe`: builds. */
export function needsBuild(): void {
  before(async function () {
    this.timeout(180_000);
    expect(await build(), "problem of the build").to.equal(undefined);
  });
}

/** A folder with files, in which commands run. */
export class CliFolder {
  readonly path = temporaryFolder("cli");

  /** Writes a file of the folder. */
  write(name: string, contents: string | Uint8Array): void {
    mkdirSync(dirname(join(this.path, name)), { recursive: true });
    writeFileSync(join(this.path, name), contents);
  }

  /** Starts `wadi` in the folder; the caller reads or pauses `child.stdout`. */
  start(...args: string[]): CliProcess {
    const child = spawn(process.execPath, [MAIN, ...args], { cwd: this.path, stdio: "pipe", env: { ...process.env, CI: "" } });
    const texts = { stdout: "", stderr: "" };
    const waiting: (() => void)[] = [];
    for (const stream of ["stdout", "stderr"] as const) {
      child[stream].setEncoding("utf8").on("data", (text: string) => {
        texts[stream] += text;
        for (const check of waiting) check();
      });
    }
    const ended = new Promise<CliResult>((resolve, reject) => {
      const timer = setTimeout(() => {
        child.kill("SIGKILL");
        reject(new AssertionError(`wadi ${args.join(" ")} did not end in ${DEADLINE_MS} ms; stderr: ${texts.stderr}`));
      }, DEADLINE_MS);
      child.on("exit", () => clearTimeout(timer));
      child.on("close", (code) => resolve({ code: code ?? -1, ...texts }));
    });
    const seen = (stream: "stdout" | "stderr", text: string): Promise<void> =>
      new Promise((resolve, reject) => {
        const check = (): void => {
          if (texts[stream].includes(text)) resolve();
        };
        waiting.push(check);
        check();
        ended.then(() => reject(new AssertionError(`it ended without "${text}" on ${stream}: ${texts.stderr}`)), reject);
      });
    return { child, seen, ended };
  }

  /** Runs `wadi` in the folder with `stdin` as its input. */
  run(args: readonly string[], stdin = ""): Promise<CliResult> {
    const { child, ended } = this.start(...args);
    child.stdin.on("error", () => undefined).end(stdin);
    return ended;
  }
}
