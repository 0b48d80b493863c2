/** Sinks beyond their contract: what they say when they cannot write, and what a restore finds. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { FilesystemSink } from "../../../src/connectors/filesystem/sink.ts";
import { SingleFileSink } from "../../../src/connectors/single_file/sink.ts";
import { must } from "../../../src/core/assert.ts";
import { rejection } from "../../support/rejection.ts";
import { subtaskContext } from "../../support/source-driver.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const ROW = Buffer.from('{"a":1}\n');

describe("single_file sink", () => {
  it("cuts the file back to the checkpointed length", async () => {
    const path = join(temporaryFolder("sink"), "out");
    writeFileSync(path, "kept\nwritten by the run that failed\n");
    const sink = new SingleFileSink(subtaskContext({ path }));
    await sink.open([{ length: 5 }]);
    await sink.write(ROW);
    await sink.close();
    expect(readFileSync(path, "utf8")).to.equal('kept\n{"a":1}\n');
  });

  it("begins an empty file at a first start", async () => {
    const path = join(temporaryFolder("sink"), "out");
    writeFileSync(path, "of another run\n");
    const sink = new SingleFileSink(subtaskContext({ path }));
    await sink.open(undefined);
    await sink.close();
    expect(readFileSync(path, "utf8")).to.equal("");
  });

  it("refuses a file that is shorter than the checkpoint knows", async () => {
    const path = join(temporaryFolder("sink"), "out");
    writeFileSync(path, "short");
    const error = await rejection(
      new SingleFileSink(subtaskContext({ path })).open([{ length: 9 }]),
      "state-mismatch",
      path,
      "5 bytes",
      "9",
    );
    expect(error.hint).to.contain("--ignore-state");
    expect(readFileSync(path, "utf8"), "it is left as it is").to.equal("short");
  });

  it("is not opened by subtasks other than the first", async () => {
    const path = join(temporaryFolder("sink"), "out");
    const sink = new SingleFileSink(subtaskContext({ path }, 1, 2));
    await sink.open(undefined);
    expect(await sink.stage()).to.equal(undefined);
    expect(readdirSync(join(path, ".."))).to.deep.equal([]);
  });

  it("says which table's file cannot be written", async () => {
    await rejection(
      new SingleFileSink(subtaskContext({ path: temporaryFolder("dir") })).open(undefined),
      "invalid-option",
      "cannot write file",
      '"events"',
    );
    const file = join(temporaryFolder("sink"), "file");
    writeFileSync(file, "");
    await rejection(new SingleFileSink(subtaskContext({ path: join(file, "below") })).open(undefined), "not-found", '"events"');
  });

  it("says that the disk is full", async () => {
    // Linux refuses every write to this device with ENOSPC.
    const sink = new SingleFileSink(subtaskContext({ path: "/dev/full" }));
    await rejection(
      (async () => {
        await sink.open(undefined);
        await sink.write(ROW);
      })(),
      "disk-full",
      "/dev/full",
      '"events"',
      "no space left",
    );
    await sink.close();
  });
});

describe("filesystem sink", () => {
  const sinkOf = (path: string, subtask = 0, run = 1): FilesystemSink => new FilesystemSink(subtaskContext({ path }, subtask, 3, run));
  const visible = (path: string): string[] => readdirSync(path).filter((name) => !name.startsWith("."));

  it("writes one file a subtask and epoch, none for an epoch without rows, hidden until it is committed", async () => {
    const path = join(temporaryFolder("sink"), "deep", "out");
    const sinks = [sinkOf(path, 0), sinkOf(path, 1)];
    for (const sink of sinks) await sink.open();
    for (let epoch = 1; epoch <= 3; epoch++) {
      for (const [s, sink] of sinks.entries()) {
        if (s === 0 || epoch === 2) for (let i = 0; i < 3; i++) await sink.write(ROW);
        const staged = await sink.stage(epoch);
        const before = visible(path).length;
        if (staged === undefined) continue;
        await sink.commit(epoch, staged);
        expect(visible(path).length).to.equal(before + 1);
      }
    }
    for (const sink of sinks) await sink.close(true);
    const names = visible(path)
      .sort()
      .map((name) => name.slice(0, 18));
    expect(names).to.deep.equal(["part-4-000001-0000", "part-4-000002-0000", "part-4-000002-0001", "part-4-000003-0000"]);
    expect(readdirSync(path)).to.have.length(4);
  });

  it("commits on another subtask of another run, and again", async () => {
    const path = join(temporaryFolder("sink"), "out");
    const sink = sinkOf(path);
    await sink.open();
    await sink.write(ROW);
    const staged = must(await sink.stage(1), "commit");
    const other = sinkOf(path, 2, 2);
    await other.commit(1, staged);
    await other.commit(1, staged);
    await other.open();
    expect(visible(path)).to.have.length(1);
  });

  it("says so when what it is to commit has gone", async () => {
    const path = join(temporaryFolder("sink"), "out");
    const sink = sinkOf(path);
    await sink.open();
    await rejection(sink.commit(1, { hidden: join(path, ".x"), target: join(path, "x") }), "not-found", path, '"events"');
  });

  it("removes what failed runs of its own left, and nothing else", async () => {
    const path = temporaryFolder("sink");
    const failed = sinkOf(path, 1, 1);
    await failed.open();
    await failed.write(ROW);
    writeFileSync(join(path, ".wadi-job2-4-1-0-0"), "of another job");
    writeFileSync(join(path, ".wadi-job1-5-1-0-0"), "of another table");
    await sinkOf(path, 0, 2).open();
    expect(readdirSync(path).sort()).to.deep.equal([".wadi-job1-5-1-0-0", ".wadi-job2-4-1-0-0"]);
    await failed.close(true);
  });

  it("does not overwrite the files of an earlier run", async () => {
    const path = temporaryFolder("sink");
    for (let run = 1; run <= 2; run++) {
      const sink = sinkOf(path);
      await sink.open();
      await sink.write(ROW);
      await sink.commit(1, must(await sink.stage(1), "commit"));
      await sink.close(true);
    }
    expect(visible(path)).to.have.length(2);
  });

  it("says which table's directory cannot be written", async () => {
    const file = join(temporaryFolder("sink"), "file");
    writeFileSync(file, "");
    await rejection(sinkOf(file).open(), "already-exists", file, '"events"');
    const path = temporaryFolder("sink");
    const sink = sinkOf(path);
    await sink.open();
    mkdirSync(join(path, ".wadi-job1-4-1-0-0"));
    await rejection(sink.write(ROW), "io", path, '"events"');
  });
});

describe("stdout sink", function () {
  this.timeout(20_000);
  const module = fileURLToPath(new URL("../../../src/connectors/stdout/sink.ts", import.meta.url));
  const script = (body: string): string[] => [
    ...["--import", "tsx", "--input-type=module", "-e"],
    `import { makeStdoutSink } from ${JSON.stringify(module)}; const sink = makeStdoutSink(); await sink.open(undefined); ${body}`,
  ];

  it("writes more than a pipe holds to a slow reader", async () => {
    const child = spawn(process.execPath, script('await sink.write(Buffer.alloc(1 << 20, "x"), 1);'), {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let bytes = 0;
    for await (const chunk of child.stdout) bytes += (chunk as Buffer).length;
    expect(bytes).to.equal(1 << 20);
  });

  it("fails as connection-lost when the reader has gone", async () => {
    const body =
      'try { for (;;) await sink.write(Buffer.alloc(65536, "x"), 1); } catch (e) { console.error(e.code, e.message); process.exit(7); }';
    const child = spawn(process.execPath, script(body), { stdio: ["ignore", "pipe", "pipe"] });
    child.stdout.once("data", () => child.stdout.destroy());
    let said = "";
    child.stderr.on("data", (text: Buffer) => {
      said += text.toString();
    });
    const [code] = (await once(child, "close")) as [number];
    expect(code).to.equal(7);
    expect(said).to.contain("connection-lost").and.to.contain("standard output");
  });
});
