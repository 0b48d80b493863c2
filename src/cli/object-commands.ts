/** Commands that move files into object stores and out of them. */
import type { Argv } from "yargs";
import { single, wholeNumber } from "./arguments.ts";
import type { CommandSet, Finish } from "./command-set.ts";

const PUT = {
  from: { type: "string", requiresArg: true, demandOption: true, describe: "file to store" },
  to: { type: "string", requiresArg: true, demandOption: true, describe: "store, as checkpoint-url names one: a directory or s3://…" },
  name: { type: "string", requiresArg: true, demandOption: true, describe: "name of the object; {time} becomes the time" },
  keep: { type: "number", requiresArg: true, describe: "remove all but so many whose names differ in {time} only" },
} as const;

function objectCommands(y: Argv, finish: Finish): Argv {
  return y
    .command(
      "put",
      "store a file",
      (c) =>
        c
          .options(PUT)
          .example("$0 objects put --from wadi.dump --to s3://backups/db --name wadi-{time}.dump --keep 14", "the nightly backup"),
      async (a) => {
        const { putObject } = await import("./commands/objects.ts");
        const order = { from: single("from", a.from), to: single("to", a.to), name: single("name", a.name) };
        finish(await putObject({ ...order, keep: wholeNumber("keep", a.keep, 1) }));
      },
    )
    .command(
      "list <url> [prefix]",
      "list objects with their sizes",
      (c) => c.positional("url", { type: "string", demandOption: true }).positional("prefix", { type: "string", default: "" }),
      async (a) => {
        const { listObjects } = await import("./commands/objects.ts");
        finish(await listObjects(a.url, a.prefix));
      },
    )
    .command(
      "get <url> <name> <file>",
      "fetch an object into a file",
      (c) =>
        c
          .positional("url", { type: "string", demandOption: true })
          .positional("name", { type: "string", demandOption: true })
          .positional("file", { type: "string", demandOption: true }),
      async (a) => {
        const { getObject } = await import("./commands/objects.ts");
        finish(await getObject(a.url, a.name, a.file));
      },
    );
}

function register(y: Argv, finish: Finish): Argv {
  return y.command("objects", "files in an object store: put, list, get", (group) =>
    objectCommands(group, finish).demandCommand(1, "a command of wadi objects is missing"),
  );
}

/** See the file's comment. */
export const objectCommandSet: CommandSet = { options: { objects: PUT }, register };
