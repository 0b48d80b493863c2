/**
 * What SQL may say about a single_file table: one file of rows, read in blocks by any number of subtasks, written by one.
 */
import { z } from "zod";
import type { ConnectorSpec } from "../../program/connector-spec.ts";
import { compressionOption } from "../files/compression.ts";

/** Options of single_file tables. */
export const singleFileOptions = z.object({
  path: z.string().min(1).describe("Path of the file, relative to the working directory."),
  compression: compressionOption
    .optional()
    .meta({ description: "Compression of the file, by default told from its name; a compressed file is one split.", uses: ["source"] }),
  wait_for_control: z
    .stringbool()
    .or(z.boolean())
    .optional()
    .meta({ description: "After the last row, wait until the job is stopped instead of ending. False by default.", uses: ["source"] }),
});

/** The single_file connector as the planner sees it. */
export const singleFileSpec: ConnectorSpec = {
  name: "single_file",
  description: "Reads or writes one local file of rows.",
  uses: ["source", "sink"],
  options: singleFileOptions,
  formatted: true,
  bounded: (options) => options["wait_for_control"] !== true,
  sinkWriters: "one",
  sinkGuarantee: "exactly-once",
};
