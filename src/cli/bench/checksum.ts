/**
 * A checksum of a file of JSON lines that does not depend on their order: the sum of a hash of every line. Timestamps and whole floats are
 * spelled one way first, because engines spell them differently; nothing else is forgiven.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";

const TIMESTAMP = /"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(\.\d*?)?0*Z?"/g;
const WHOLE_FLOAT = /(\d)\.0(?=[,}])/g;

function normalise(line: string): string {
  const stamped = line.replace(TIMESTAMP, (_, date: string, time: string, fraction: string | undefined) =>
    fraction === undefined || fraction === "." ? `"${date}T${time}Z"` : `"${date}T${time}${fraction}Z"`,
  );
  return stamped.replace(WHOLE_FLOAT, "$1");
}

/** What a file comes to. */
export interface Checksum {
  readonly lines: number;
  /** 64 bits in hexadecimal. */
  readonly sum: string;
}

/** Adds up the file at `path`. */
export async function checksumFile(path: string): Promise<Checksum> {
  let sum = 0n;
  let lines = 0;
  for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY })) {
    if (line === "") continue;
    lines++;
    sum += createHash("md5").update(normalise(line)).digest().readBigUInt64LE();
  }
  return { lines, sum: BigInt.asUintN(64, sum).toString(16).padStart(16, "0") };
}
