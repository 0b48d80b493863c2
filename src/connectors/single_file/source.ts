/** Reads one file of rows. */
import { stat } from "node:fs/promises";
import { toAppError, userError } from "../../core/errors.ts";
import type { ByteSource, SubtaskContext } from "../connector.ts";
import type { InputFile } from "../files/block.ts";
import { isGzip } from "../files/compression.ts";
import { FilesSource } from "../files/source.ts";

/** A source over the file that the option `path` names. */
export function makeSingleFileSource(context: SubtaskContext): ByteSource {
  const path = String(context.options["path"]);
  return new FilesSource(context, {
    list: async () => [await describeFile(path, context)],
    unbounded: context.options["wait_for_control"] === true,
  });
}

/** Size of the file; errors name the table. */
async function describeFile(path: string, context: SubtaskContext): Promise<InputFile> {
  const { table, options } = context;
  const info = await stat(path).catch((error: unknown) => {
    const cause = toAppError(error);
    if (cause.code !== "not-found")
      throw userError(cause.code, `cannot read file "${path}" of table "${table}"`, { detail: cause.message, cause });
    throw userError("not-found", `file "${path}" of table "${table}" does not exist`, {
      hint: "Check the table's path option; it is relative to the working directory.",
      cause,
    });
  });
  if (info.isDirectory()) {
    throw userError("invalid-option", `path "${path}" of table "${table}" is a directory`, {
      hint: "Use connector = 'filesystem' to read a directory.",
    });
  }
  return { path, size: info.size, compressed: isGzip(path, options["compression"]) };
}
