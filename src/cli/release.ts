/** The release of this build, as package.json says. */
import { readFileSync } from "node:fs";

/** Such as "0.1.0". */
export function release(): string {
  const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { version: string };
  return manifest.version;
}
