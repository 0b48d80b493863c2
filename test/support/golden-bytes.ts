/** Golden files of bytes: hex lines of 32 bytes, or text as it is. `UPDATE_GOLDEN=1` rewrites them, except in CI. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { isUpdating } from "./golden.ts";

/** Compares `bytes` with `test/golden/wire/<name>`: hex for names that end in `.hex`, else UTF-8. */
export function expectGoldenBytes(name: string, bytes: Uint8Array): void {
  const actual = name.endsWith(".hex") ? hexLines(bytes) : new TextDecoder().decode(bytes);
  if (isUpdating(process.env)) writeFileSync(path(name), actual);
  expect(actual, `${name} differs: a stored format has changed`).to.equal(readFileSync(path(name), "utf8"));
}

/** The bytes of `test/golden/wire/<name>`. `record` makes a file that does not exist yet; one that exists is never rewritten. */
export async function recordedBytes(name: string, record: () => Promise<Uint8Array>): Promise<Uint8Array> {
  if (!existsSync(path(name)) && isUpdating(process.env)) writeFileSync(path(name), hexLines(await record()));
  return Buffer.from(readFileSync(path(name), "utf8").replace(/\s/g, ""), "hex");
}

function path(name: string): string {
  return fileURLToPath(new URL(`../golden/wire/${name}`, import.meta.url));
}

function hexLines(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex").replace(/.{64}/g, "$&\n").replace(/\n?$/, "\n");
}
