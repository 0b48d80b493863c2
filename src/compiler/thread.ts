/** The compiler's thread: program in, artifact out, one at a time; warm between requests. */
import { parentPort, receiveMessageOnPort } from "node:worker_threads";
import { compileModule, ENTRY_WARM_UP, type OptimisationLevel } from "../codegen/asc.ts";
import { ENTRY, generateModule } from "../codegen/module.ts";
import { must } from "../core/assert.ts";
import type { ErrorRecord } from "../core/errors.ts";
import { toErrorRecord } from "../core/errors.ts";
import type { Program } from "../program/program.ts";

/** A request to the thread. */
export interface ThreadRequest {
  readonly id: number;
  readonly program: Program;
  readonly level: OptimisationLevel;
}

/** The thread's answer. */
export type ThreadResponse =
  | { readonly id: number; readonly wasm: Uint8Array<ArrayBuffer> }
  | { readonly id: number; readonly error: ErrorRecord };

const port = must(parentPort, "parent port of the compiler thread");

async function answer({ id, program, level }: ThreadRequest): Promise<ThreadResponse> {
  try {
    return { id, wasm: await compileModule(generateModule(program).sources, ENTRY, level) };
  } catch (error) {
    return { id, error: toErrorRecord(error) };
  }
}

/** Invariant: requests come one at a time, the next after the answer to the last. */
port.on("message", (request: ThreadRequest) => {
  void answer(request).then((response) => port.postMessage(response));
});

// The first compilation costs a second more than later ones: pay before anybody waits, unless somebody does already.
const waiting = receiveMessageOnPort(port) as { readonly message: ThreadRequest } | undefined;
if (waiting === undefined) await compileModule(ENTRY_WARM_UP, ENTRY, "preview");
else port.postMessage(await answer(waiting.message));
