/**
 * Builds the web UI of `ui/` into a folder with Vite, which takes its whole configuration from here. `scripts/build.ts` decides when.
 */
import { existsSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, extname, join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { build } from "vite";
import { listFiles, ROOT } from "./process.ts";

/** Beside the sources, what decides the result. */
const ALSO_INPUTS = ["package-lock.json", "scripts/build-ui.ts"];
const STAMP = ".built";

/** Sources of the UI; its screenshots are none. */
export function uiFiles(): string[] {
  return existsSync(join(ROOT, "ui")) ? listFiles("ui", "").filter((path) => !path.startsWith("ui/screenshots/")) : [];
}

/** Whether `folder` holds a build that is newer than the UI's sources. */
export function isUiUpToDate(folder: string): boolean {
  const stamp = join(ROOT, folder, STAMP);
  if (!existsSync(stamp)) return false;
  const builtMs = statSync(stamp).mtimeMs;
  const inputs = uiFiles();
  const folders = new Set(inputs.map((path) => dirname(path)));
  return [...inputs, ...folders, ...ALSO_INPUTS].every((path) => statSync(join(ROOT, path)).mtimeMs <= builtMs);
}

/** Builds into `folder` below the root, which is emptied first; the problem's text if it failed. */
export async function buildUi(folder: string): Promise<string | undefined> {
  const startedAt = new Date();
  try {
    await build({
      configFile: false,
      root: join(ROOT, "ui"),
      logLevel: "silent",
      oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
      build: {
        outDir: join(ROOT, folder),
        emptyOutDir: true,
        target: "es2023",
        modulePreload: { polyfill: false },
        chunkSizeWarningLimit: 1_000,
        // Files as data URLs would need a looser content security policy.
        assetsInlineLimit: 0,
      },
    });
  } catch (error) {
    return `the UI could not be built: ${error instanceof Error ? error.message : String(error)}\n`;
  }
  compressFiles(join(ROOT, folder));
  const stamp = join(ROOT, folder, STAMP);
  writeFileSync(stamp, `${startedAt.toISOString()}\n`);
  utimesSync(stamp, startedAt, startedAt);
  return undefined;
}

/** Files of these kinds are served compressed. */
const COMPRESSED = new Set([".html", ".js", ".css", ".svg", ".json", ".txt", ".webmanifest"]);
/** Below this a file is sent as it is, bytes. */
const WORTHWHILE = 1_024;

/** Puts `<name>.br` and `<name>.gz` beside every file that is worth it: the API serves them to browsers that take them. */
function compressFiles(folder: string): void {
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    const path = join(folder, name);
    if (!COMPRESSED.has(extname(name)) || !statSync(path).isFile()) continue;
    const bytes = readFileSync(path);
    if (bytes.length < WORTHWHILE) continue;
    writeFileSync(`${path}.gz`, gzipSync(bytes, { level: 9 }));
    writeFileSync(`${path}.br`, brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } }));
  }
}
