/**
 * The envelope of the JSON files in a checkpoint: `{"body":…,"checksum":"<sha-256>","format":…,"version":…}` in canonical JSON. The
 * checksum covers the other three and is checked first, so that a flipped bit is not mistaken for a file of the future. The envelope is the
 * same in every version; `body` is what versions change.
 */
import { createHash } from "node:crypto";
import type { z } from "zod";
import { type AppError, externalError } from "../core/errors.ts";
import { canonicalJson } from "./canonical-json.ts";

const BEGIN = '{"body":';
const TAIL = /,"checksum":"([0-9a-f]{64})"(,"format":"([a-z-]{1,60})","version":([1-9][0-9]{0,8})})\n$/;
const LONGEST_TAIL = 200;

/** One kind of sealed file. */
export interface SealedFormat<Body> {
  /** Value of `format`, such as `wadi-manifest`; also what messages call the file. */
  readonly format: string;
  readonly version: number;
  readonly schema: z.ZodType<Body>;
}

/** SHA-256 of `bytes` in hex. */
export function sha256(bytes: Uint8Array | string): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** The file's bytes. `body` is what the schema reads, 64-bit integers as text. */
export function seal(kind: { readonly format: string; readonly version: number }, body: unknown): Uint8Array {
  const begin = new TextEncoder().encode(BEGIN + canonicalJson(body));
  const end = `,"format":${JSON.stringify(kind.format)},"version":${kind.version}}`;
  const tail = new TextEncoder().encode(`,"checksum":"${checksumOf(begin, end)}"${end}\n`);
  const bytes = new Uint8Array(begin.length + tail.length);
  bytes.set(begin);
  bytes.set(tail, begin.length);
  return bytes;
}

/**
 * The body of `bytes`; `name` is the object's path, for messages. Throws `checksum-mismatch` if a byte differs from what was written,
 * `version-mismatch` if it was written in another version or does not have the version's shape.
 */
export function unseal<Body>(kind: SealedFormat<Body>, bytes: Uint8Array, name: string): Body {
  const { text, format, version } = open(kind, bytes, name);
  if (format !== kind.format) throw refused(`"${name}" is a ${format}, not a ${kind.format}`);
  if (version !== kind.version) throw refused(`"${name}" has ${kind.format} version ${version}, this build reads version ${kind.version}`);
  const parsed = kind.schema.safeParse(JSON.parse(text));
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const where = issue === undefined ? "" : ` at ${issue.path.join(".") || "the top"}: ${issue.message.toLowerCase()}`;
  throw refused(`"${name}" does not have the shape of ${kind.format} version ${kind.version}${where}`);
}

/** Takes the envelope off and checks it; the body stays text, as its checksum is over the text. */
function open(
  kind: { readonly format: string },
  bytes: Uint8Array,
  name: string,
): { readonly text: string; readonly format: string; readonly version: number } {
  const fault = (what: string) =>
    externalError("checksum-mismatch", `"${name}" is not an intact ${kind.format}: ${what}`, { retry: "never" });
  const source = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const match = TAIL.exec(source.toString("latin1", Math.max(0, source.length - LONGEST_TAIL)));
  if (match === null || source.toString("latin1", 0, BEGIN.length) !== BEGIN) {
    throw fault(source.length === 0 ? "it is empty" : "its beginning or its end is missing");
  }
  const [tail, checksum, end = "", format = "", version] = match;
  const bodyEnd = source.length - tail.length;
  if (checksumOf(source.subarray(0, bodyEnd), end) !== checksum) throw fault("the checksum is wrong");
  return { text: source.toString("utf8", BEGIN.length, bodyEnd), format, version: Number(version) };
}

/** Over the file without the checksum's own field and without the line's end. */
function checksumOf(begin: Uint8Array, end: string): string {
  return createHash("sha256").update(begin).update(end).digest("hex");
}

function refused(message: string): AppError {
  return externalError("version-mismatch", message, {
    retry: "never",
    hint: "It was written by another version of Wadi: run that version, or a newer one that reads both.",
  });
}
