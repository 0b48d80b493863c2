/** What the system tells of processes: real ones, and their ends in words. */
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import {
  describeExit,
  findByEnvironment,
  identityOf,
  isRunning,
  type ProcessEnd,
  signalProcess,
} from "../../../src/scheduler/process/processes.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

describe("processes of this machine", () => {
  const folder = temporaryFolder("processes");
  const nothing = join(folder, "nothing");
  const end = (change: Partial<ProcessEnd>): ProcessEnd => ({
    code: undefined,
    signal: undefined,
    outputFile: nothing,
    logFile: nothing,
    oomKilled: false,
    killed: false,
    ...change,
  });

  it("are the same process only with the same start time", () => {
    const own = identityOf(process.pid);
    expect(own.ticks).to.match(/^\d+$/);
    expect(isRunning(own)).to.equal(true);
    expect(isRunning({ ...own, ticks: String(Number(own.ticks) - 1) })).to.equal(false);
    expect(isRunning({ pid: 2 ** 22 + 1, ticks: "" })).to.equal(false);
  });

  it("get no signal that is meant for another with the same number", async () => {
    const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore", detached: true });
    const exited = new Promise<string | null>((resolve) => child.once("exit", (_code, signal) => resolve(signal)));
    await new Promise((resolve) => child.once("spawn", resolve));
    const identity = identityOf(child.pid ?? 0);
    signalProcess({ ...identity, ticks: "1" }, "SIGKILL", true);
    expect(isRunning(identity)).to.equal(true);
    signalProcess(identity, "SIGKILL", true);
    expect(await exited).to.equal("SIGKILL");
    expect(isRunning(identity)).to.equal(false);
  });

  it("are found by their environment", async () => {
    const value = `wk_${process.pid}x${Math.round(performance.now())}`;
    const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore", env: { WADI_WORKER_ID: value } });
    await new Promise((resolve) => child.once("spawn", resolve));
    expect(findByEnvironment("WADI_WORKER_ID", value)?.pid).to.equal(child.pid);
    expect(findByEnvironment("WADI_WORKER_ID", `${value}y`)).to.equal(undefined);
    child.kill("SIGKILL");
    await new Promise((resolve) => child.once("exit", resolve));
  });

  it("end with a code, in words", () => {
    expect(describeExit(end({ code: 0 }))).to.deep.equal({ code: 0, signal: undefined, outOfMemory: false, reason: "exit code 0: done" });
    expect(describeExit(end({ code: 4 })).reason).to.equal("exit code 4: no controller renewed its lease");
    expect(describeExit(end({ code: 77 })).reason).to.equal("exit code 77");
    expect(describeExit(end({ signal: "SIGSEGV" })).reason).to.equal("ended by SIGSEGV");
    expect(describeExit(end({ signal: "SIGKILL", killed: true }))).to.include({ outOfMemory: false, reason: "killed by the scheduler" });
    expect(describeExit(end({})).reason).to.equal("it is gone, nobody saw how");
  });

  it("end with what they said last", () => {
    const outputFile = join(folder, "said");
    writeFileSync(outputFile, "error[io]: first\nerror[invalid-usage]: environment variable WADI_JOB_ID is not set\nhint: Do.\n");
    const said = "exit code 2: wrong settings (environment variable WADI_JOB_ID is not set)";
    expect(describeExit(end({ code: 2, outputFile })).reason).to.equal(said);
    expect(describeExit(end({ code: 0, outputFile })).reason).to.equal("exit code 0: done");
  });

  it("are told to have run out of memory: killed by the system, or V8 gave up", () => {
    expect(describeExit(end({ signal: "SIGKILL", oomKilled: true }))).to.include({ outOfMemory: true });
    expect(describeExit(end({ code: 137, oomKilled: true }))).to.include({ outOfMemory: true });
    expect(describeExit(end({ signal: "SIGKILL" })).outOfMemory).to.equal(false);
    expect(describeExit(end({ signal: "SIGKILL", oomKilled: true, killed: true })).outOfMemory).to.equal(false);
    const outputFile = join(folder, "output");
    writeFileSync(
      outputFile,
      "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory\n----- Native stack trace -----\n",
    );
    expect(describeExit(end({ signal: "SIGABRT", outputFile }))).to.include({
      outOfMemory: true,
      reason: "the worker's JavaScript heap is full",
    });
    expect(describeExit(end({ code: 134, outputFile })).outOfMemory).to.equal(true);
    expect(describeExit(end({ code: 1, outputFile })).outOfMemory).to.equal(false);
  });

  it("that were nobody's children tell their exit code in their log", () => {
    const logFile = join(folder, "log");
    writeFileSync(logFile, '{"level":"info","exitCode":1,"message":"old"}\n{"level":"info","exitCode":3,"message":"the worker ends"}\n');
    expect(describeExit(end({ logFile }))).to.include({ code: 3, reason: "exit code 3: refused by the controller" });
    writeFileSync(logFile, '{"level":"info","exitCode":3,"message":"the worker ends"}\n{"level":"info","message":"more"}\n');
    expect(describeExit(end({ logFile })).code).to.equal(undefined);
  });
});
