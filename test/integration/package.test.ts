/** What machines without Node run: the worker's package, as `npm run package` makes it, unpacked where nothing else is. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { extract } from "tar";
import { nodeBinary } from "../../scripts/package/node-binary.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { needsBuild } from "../support/wadi-cli.ts";

const SCRIPT = fileURLToPath(new URL("../../scripts/package.ts", import.meta.url));
/** Issue 5: every worker of every run downloads it. */
const SIZE_MAX = 50e6;
/** Compressing as far as releases are takes minutes. */
const ENV = { ...process.env, WADI_PACKAGE_LEVEL: "3" };
const PATTERN = /^(.+\.tar\.zst) {2}([\d.]+) MB {2}sha256 ([0-9a-f]{64})$/;

function makePackage(out: string): { readonly file: string; readonly checksum: string } {
  const made = spawnSync(process.execPath, ["--import", "tsx", SCRIPT, "--only", "wadi-worker", "--out", out], {
    encoding: "utf8",
    env: ENV,
  });
  const [, file = "", , checksum = ""] = PATTERN.exec(made.stdout.trim()) ?? [];
  expect(made.status, made.stderr).to.equal(0);
  return { file, checksum };
}

describe("the worker's package", function () {
  this.timeout(240_000);
  needsBuild();
  const folder = temporaryFolder("package");
  let made: ReturnType<typeof makePackage>;

  before(async () => {
    made = makePackage(join(folder, "packages"));
    await unpack(made.file, root());
  });
  const root = (): string => join(folder, "unpacked");
  const run = (...words: string[]) => spawnSync(join(root(), "bin", "wadi"), words, { encoding: "utf8", env: { HOME: "/nonexistent" } });

  it("runs with nothing else installed, by its own Node", () => {
    expect(run("--version").stdout).to.match(/^\d+\.\d+\.\d+\n$/);
    const worker = run("worker");
    expect([worker.status, worker.stderr]).to.deep.equal([
      2,
      "error[invalid-usage]: environment variable WADI_JOB_ID is not set\n" +
        "hint: Workers are started by a scheduler, not by hand: see `wadi run` for running a query in this process.\n",
    ]);
    expect(run("cluster").stderr).to.include("This package runs workers only");
  });

  it("needs no library that machines without compilers lack", () => {
    const needed = readFileSync(join(root(), "bin", "node"), "latin1").match(/\blib[a-z+_]+\.so\.\d+/g) ?? [];
    expect([...new Set(needed)]).to.include("libc.so.6");
    // https://github.com/nodejs/node/issues/60790
    expect(needed).not.to.include("libatomic.so.1");
  });

  it("is small: no compiler, no planner, no database driver, no UI", () => {
    expect(statSync(made.file).size).to.be.lessThan(SIZE_MAX);
    for (const name of ["assemblyscript", "typescript", "knex", "pg", "@electric-sql", "koa", "@guanmingchiu"]) {
      expect(existsSync(join(root(), "node_modules", name)), name).to.equal(false);
    }
    expect(readdirSync(join(root(), "dist"))).to.not.include.members(["ui", "runtime", "api"]);
  });

  it("says what is in it, with licences and checksums", () => {
    const bill = JSON.parse(readFileSync(join(root(), "bill-of-materials.cdx.json"), "utf8"));
    const names = bill.components.map(({ name }: { name: string }) => name);
    expect(names).to.include.members(["node", "@grpc/grpc-js", "@aws-sdk/client-s3"]);
    expect(bill.components.filter(({ licenses }: { licenses?: unknown }) => licenses === undefined)).to.deep.equal([]);
    expect(readFileSync(`${made.file}.sha256`, "utf8")).to.equal(`${made.checksum}  ${made.file.split("/").at(-1)}\n`);
  });

  it("can be left as a folder, for an image", () => {
    const out = join(folder, "folders");
    const words = ["--import", "tsx", SCRIPT, "--only", "wadi-worker", "--folder", "--out", out];
    expect(spawnSync(process.execPath, words, { encoding: "utf8" }).stdout).to.equal(`${join(out, "wadi-worker")}\n`);
    const files = (path: string): string[] => (readdirSync(path, { recursive: true }) as string[]).sort();
    expect(files(join(out, "wadi-worker"))).to.deep.equal(files(root()));
  });

  it("is the same when it is made again", () => {
    expect(makePackage(join(folder, "again")).checksum).to.equal(made.checksum);
  });
});

/** Unpacks by the pinned Node, which `npm run package` keeps: the one that runs the tests may not know zstd. */
async function unpack(file: string, folder: string): Promise<void> {
  const { path } = await nodeBinary(process.arch === "arm64" ? "arm64" : "x64");
  const plain = `${folder}.tar`;
  const script = "fs.writeFileSync(process.argv[2], zlib.zstdDecompressSync(fs.readFileSync(process.argv[1])))";
  expect(spawnSync(path, ["-e", script, file, plain]).status).to.equal(0);
  mkdirSync(folder);
  await extract({ file: plain, cwd: folder });
}
