/**
 * What SQL may say about a filesystem table: a directory of files of rows, listed once when the job starts.
 */
import { z } from "zod";
import type { ConnectorSpec } from "../../program/connector-spec.ts";
import { compressionOption } from "../files/compression.ts";

/** Options of filesystem tables. */
export const filesystemOptions = z.object({
  path: z.string().min(1).describe("Directory of the files, or one file."),
  "source.regex_pattern": z
    .string()
    .refine(isRegularExpression, "must be a regular expression")
    .optional()
    .meta({ description: "Read the files whose path below the directory matches.", uses: ["source"] }),
  "source.compression": compressionOption
    .optional()
    .meta({ description: "Compression of the files, by default told from each file's name.", uses: ["source"] }),
});

function isRegularExpression(text: string): boolean {
  try {
    return new RegExp(text) instanceof RegExp;
  } catch {
    return false;
  }
}

/** The filesystem connector as the planner sees it. */
export const filesystemSpec: ConnectorSpec = {
  name: "filesystem",
  description: "Reads or writes a directory of files.",
  uses: ["source", "sink"],
  options: filesystemOptions,
  formatted: true,
  bounded: () => true,
  sinkWriters: "each-subtask",
  sinkGuarantee: "exactly-once",
};
