/** `wadi deploy status|destroy`: shows an installation that stands on Nomad, and takes it down. */
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { LoadedConfig } from "../../core/config.ts";
import { toAppError, userError } from "../../core/errors.ts";
import { ask } from "../deploy/ask.ts";
import { openNomad } from "../deploy/deployment.ts";
import { forget, refuseRunning, standing, takeDown } from "../deploy/destroy.ts";
import { installationStatus, isSound, statusTable } from "../deploy/status.ts";
import { urlLines } from "../deploy/urls.ts";
import { EXIT, print, say } from "../output.ts";

/** Arguments of `status`. */
export interface StatusArguments {
  readonly json: boolean;
}

/** Arguments of `destroy`. */
export interface DestroyArguments {
  readonly yes: boolean;
  /** Whether runs of pipelines are ended. */
  readonly pipelines: boolean;
  readonly purge: boolean;
  /** With `purge`: the folder of data and checkpoints of an installation of one machine. */
  readonly folder: string | undefined;
}

/** Prints how the installation is; 0 if all that shall run does. */
export async function deployStatus({ json }: StatusArguments, loaded: LoadedConfig): Promise<number> {
  const client = await openNomad(loaded);
  try {
    const namespace = loaded.config["nomad.namespace"];
    const rows = await installationStatus(client, namespace);
    const urls = await urlLines({ client, namespace }, { link: process.stdout.isTTY && !json });
    if (json) {
      const document = { jobs: rows, urls: Object.fromEntries(urls.map(({ name, url }) => [name, url])) };
      print(`${JSON.stringify(document, undefined, 2)}\n`);
    } else {
      print(statusTable(rows));
      if (rows.length > 0) print(`\n${urls.map(({ name, text }) => `${name.padEnd(12)}${text}\n`).join("")}`);
    }
    return isSound(rows) ? EXIT.done : EXIT.failed;
  } finally {
    client.close();
  }
}

/** Takes the installation down; 0 if nothing of it is left running. */
export async function deployDestroy(args: DestroyArguments, loaded: LoadedConfig): Promise<number> {
  if (args.folder !== undefined && !args.purge)
    throw userError("invalid-usage", "--data-dir names data to be removed, and only --purge removes data", { hint: "Give --purge, too." });
  const client = await openNomad(loaded);
  const namespace = loaded.config["nomad.namespace"];
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort();
  try {
    const there = await standing(client, namespace, args.purge);
    refuseRunning(there, args.pipelines);
    if (there.services.length === 0 && there.runs.length === 0 && !args.purge) {
      say("nothing of Wadi runs here");
      return EXIT.done;
    }
    sayWhatGoes(args, there);
    if (!args.yes && !(await ask("Take it down? (yes/no) ", "destroy"))) {
      say("nothing was changed");
      return EXIT.failed;
    }
    process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
    const { purge, pipelines } = args;
    const options = { namespace, purge, pipelines, signal: interrupted.signal, tell: say };
    await takeDown(client, there, options);
    if (interrupted.signal.aborted) {
      say("no longer waiting: `wadi deploy status` shows what is left, `wadi deploy destroy` goes on from there");
      return EXIT.interrupted;
    }
    if (purge) {
      await forget(client, options);
      if (args.folder !== undefined) await removeData(resolve(args.folder));
    }
    say(purge ? "the installation is gone" : "stopped; data, checkpoints and secrets are kept: `wadi deploy apply` starts it again");
    return EXIT.done;
  } finally {
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
    client.close();
  }
}

function sayWhatGoes({ purge, folder }: DestroyArguments, { services, runs }: Awaited<ReturnType<typeof standing>>): void {
  for (const { health } of services) say(`- job ${health.id} (${health.state})`);
  for (const run of runs) say(`- run ${run}`);
  if (purge) say("- Nomad's variables of these jobs: the secrets, the database's password among them");
  if (folder !== undefined) say(`- "${resolve(folder)}/postgres" and "${resolve(folder)}/checkpoints": database and checkpoints`);
  else if (purge)
    say("note: the database's files and checkpoints stay where they are; without their password a new installation cannot use the files");
}

/** Only what `--local` made there. */
async function removeData(folder: string): Promise<void> {
  for (const name of ["postgres", "checkpoints"]) {
    const path = join(folder, name);
    if (!existsSync(path)) continue;
    try {
      await rm(path, { recursive: true });
      say(`"${path}": removed`);
    } catch (thrown) {
      throw userError("invalid-usage", `"${path}" cannot be removed: ${toAppError(thrown).message}`, {
        hint: "Remove it as the user that Nomad's agent runs as.",
      });
    }
  }
}
