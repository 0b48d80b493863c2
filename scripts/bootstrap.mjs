/**
 * The door of every `npm run` command: `node scripts/bootstrap.mjs <name> [arguments]`. Plain JavaScript on Node's own modules, because on
 * a fresh clone nothing else is there: installs the locked dependencies when they are missing or older than the lock file, builds `dist/`
 * for the commands that run the product, then runs `scripts/<name>.ts` with tsx. It decides nothing else.
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../", import.meta.url));
/** The oldest Node the dependencies run on. */
const NODE_MIN = [20, 19];
/** These do not need `dist/`, or build it themselves and count a failure. */
const WITHOUT_BUILD = new Set(["build", "check", "check-deploy", "format", "simulate", "test"]);

/** Runs a program on this terminal and gives its exit code; 1 if it was killed or could not start. */
function run(command, args) {
  const result = spawnSync(command, args, { cwd: ROOT, stdio: "inherit" });
  if (result.error !== undefined) process.stderr.write(`${command} could not be started: ${result.error.message}\n`);
  return result.status ?? 1;
}

function exitUnless(code, what) {
  if (code === 0) return;
  process.stderr.write(`${what} failed with exit code ${code}\n`);
  process.exit(code);
}

function requireNode() {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major > NODE_MIN[0] || (major === NODE_MIN[0] && minor >= NODE_MIN[1])) return;
  process.stderr.write(`Wadi needs Node ${NODE_MIN.join(".")} or later, this is ${process.versions.node}\n`);
  process.exit(2);
}

/** The packages of a lock file by folder; none if there is no such file. */
function lockedPackages(path) {
  return existsSync(path) ? Object.entries(JSON.parse(readFileSync(path, "utf8")).packages) : [];
}

/** Whether every package of the lock file that has to be there is there in its version. npm keeps its own list of what it installed. */
function isInstalled() {
  const installed = new Map(lockedPackages(join(ROOT, "node_modules", ".package-lock.json")));
  const wanted = lockedPackages(join(ROOT, "package-lock.json")).filter(([folder, entry]) => folder !== "" && entry.optional !== true);
  return wanted.every(([folder, entry]) => installed.get(folder)?.version === entry.version && existsSync(join(ROOT, folder)));
}

/** Installs the locked packages unless they are there. Their install scripts are not run: no dependency needs them. */
function install() {
  if (isInstalled()) return;
  process.stderr.write("installing dependencies…\n");
  const flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  if (run("npm", ["ci", ...flags]) === 0) return;
  // A registry mirror without other platforms' binaries makes `npm ci` refuse; this installs the same versions without that comparison.
  process.stderr.write("npm ci failed, trying npm install\n");
  exitUnless(run("npm", ["install", "--no-save", ...flags]), "npm install");
}

function scriptArguments(name, args) {
  return ["--import", "tsx", join("scripts", `${name}.ts`), ...args];
}

/** Runs the command's script; this process passes signals on and ends with the script, not before it. */
function runToEnd(name, args) {
  const child = spawn(process.execPath, scriptArguments(name, args), { cwd: ROOT, stdio: "inherit" });
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal));
  child.on("close", (code) => process.exit(code ?? 1));
}

const [name = "", ...args] = process.argv.slice(2);
if (!/^[a-z-]+$/.test(name) || !existsSync(join(ROOT, "scripts", `${name}.ts`))) {
  process.stderr.write("usage: node scripts/bootstrap.mjs <name> [arguments]\n  <name> is a file scripts/<name>.ts\n");
  process.exit(2);
}
requireNode();
install();
if (!WITHOUT_BUILD.has(name)) exitUnless(run(process.execPath, scriptArguments("build", [])), "the build");
runToEnd(name, args);
