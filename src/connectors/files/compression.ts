/** Compression of files: which there are, and how one is told from a file's name. */
import { z } from "zod";
import type { OptionValues } from "../../program/operator.ts";

/** The values of a compression option. Node 20 has no zstd, so it is refused with what to use instead. */
export const compressionOption = z.enum(["none", "gzip"], {
  error: (issue) => (issue.input === "zstd" ? "zstd files cannot be read yet, use gzip" : "must be none or gzip"),
});

/** Whether the file at `path` is gzip: by `option`, else by its name. */
export function isGzip(path: string, option: OptionValues[string] | undefined): boolean {
  return option === undefined ? path.endsWith(".gz") : option === "gzip";
}
