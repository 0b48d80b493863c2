/**
 * The stage of the doctor's tests: settings of a cluster in which all is well, the fake Nomad under them, and short ways to break each part. What a
 * test starts is stopped by `close`.
 */
import { writeFileSync } from "node:fs";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { expect } from "chai";
import { diagnose } from "../../src/cli/commands/doctor.ts";
import type { Verdict } from "../../src/cli/doctor/check.ts";
import type { Report } from "../../src/cli/doctor/report.ts";
import { loadConfig } from "../../src/core/config.ts";
import { type Authority, issueCertificate, makeAuthority, makeKeyPair } from "../../src/rpc/certificate.ts";
import { type Meddling, type MeddlingFront, startFront } from "./meddling-front.ts";
import type { ClusterOptions } from "./nomad/cluster.ts";
import { FakeNomad } from "./nomad/fake-nomad.ts";
import { temporaryFolder } from "./temporary-folder.ts";

/** A fault, what makes it, and what must be said. */
export interface Case {
  readonly name: string;
  /** Breaks something; the settings with which the doctor looks. */
  readonly arrange: (stage: DoctorStage) => Promise<Environment>;
  readonly verdict?: Verdict;
  readonly says: RegExp;
  readonly fix: RegExp;
  /** Looks from a node, too. */
  readonly probe?: boolean;
}

const LIMIT_MS = 10_000;

/** Environment of a doctor that looks. */
export type Environment = Readonly<Record<string, string>>;

const DAY_MS = 86_400_000;
/** What a worker's program says that only finds the store. */
const FINDING = { id: "checkpoint-url", title: "checkpoint store", verdict: "ok", says: "fine" };

/** Looks as `wadi doctor --json` does, with the settings of `env`. */
export async function look(env: Environment, probe = false): Promise<Report> {
  return diagnose({ json: true, probe, withinS: 10, asWorker: false, reach: [] }, loadConfig({ files: [], env }));
}

/** See the file's comment. */
export class DoctorStage {
  readonly authority: Authority = makeAuthority("test", Date.now() - DAY_MS, Date.now() + DAY_MS);
  readonly #closers: (() => Promise<void>)[] = [];

  /** Settings of workers that start as a shell. */
  settings(address: string, more: Environment = {}): Environment {
    return {
      SCHEDULER: "nomad",
      NOMAD_ADDR: address,
      WADI__NOMAD__DRIVER: "raw_exec",
      WADI__NOMAD__COMMAND: `/bin/sh,${this.program({ ok: true, checks: [FINDING] })},worker`,
      WADI__NOMAD__SLOTS_PER_WORKER: "1",
      WADI__NOMAD__MHZ_PER_SLOT: "100",
      WADI__NOMAD__MEMORY_PER_SLOT: "64MiB",
      WADI__NOMAD__DISK: "256MiB",
      CHECKPOINT_URL: temporaryFolder("doctor-checkpoints"),
      WADI__API_ENDPOINT: "http://127.0.0.1:9",
      ...more,
    };
  }

  /** A worker's program without a build: a shell script that prints `report` and ends with `code`. Its path. */
  program(report: unknown, code = 0): string {
    const path = join(temporaryFolder("doctor-program"), "program.sh");
    writeFileSync(path, `cat <<'END'\n${JSON.stringify(report)}\nEND\nexit ${code}\n`);
    return path;
  }

  /** A fake Nomad. */
  async nomad(options: ClusterOptions = {}): Promise<FakeNomad> {
    const nomad = await FakeNomad.start({ nodes: [{ name: "n1", drivers: ["raw_exec"] }], ...options });
    this.#closers.push(() => nomad.stop());
    return nomad;
  }

  /** A front of `target`. */
  async front(
    target: string,
    meddle?: Meddling,
    tls?: { readonly key: string; readonly cert: string; readonly ca?: string },
  ): Promise<MeddlingFront> {
    const options = tls === undefined ? undefined : { ...tls, requestCert: tls.ca !== undefined, rejectUnauthorized: tls.ca !== undefined };
    const front = await startFront(target, meddle, options);
    this.#closers.push(() => front.stop());
    return front;
  }

  /** A certificate of the stage's authority for `names`, valid until `untilMs`. */
  certificate(names: readonly string[] = ["127.0.0.1"], untilMs = Date.now() + DAY_MS) {
    const { publicKey, privateKey } = makeKeyPair();
    const wish = { commonName: "agent", publicKey, names, notBeforeMs: Date.now() - 2 * DAY_MS, notAfterMs: untilMs };
    return { key: privateKey, cert: issueCertificate(this.authority, wish) };
  }

  /** A port on which connections are accepted and nothing is ever said; its number. */
  async silentPort(): Promise<number> {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on("error", () => undefined);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    this.#closers.push(async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    });
    return (server.address() as AddressInfo).port;
  }

  /** A cluster behind a front that answers requests to `path` itself. */
  async answering(path: RegExp, status: number, body: string): Promise<Environment> {
    const nomad = await this.nomad();
    const front = await this.front(nomad.address, ({ url = "" }) => (path.test(url) ? { status, body } : undefined));
    return this.settings(front.url);
  }

  /** Calls `close` with the others. */
  later(close: () => Promise<void>): void {
    this.#closers.push(close);
  }

  /** Stops what was started since the last call. */
  async close(): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) await close();
  }
}

/** Findings that are bad, for the message of a test that fails. */
export function badOf(report: Report): string {
  const bad = report.checks.filter(({ verdict }) => verdict === "fail" || verdict === "warn");
  return bad.map(({ id, verdict, says, fix }) => `${verdict} ${id}: ${says} / ${fix}`).join("\n");
}

/** A test for each case: the fault is named with its cause and what to do, in time, and no stack is shown. */
export function namesCauseAndFix(cases: readonly Case[], stage: DoctorStage): void {
  for (const { name, arrange, verdict = "fail", says, fix, probe } of cases) {
    it(`names cause and fix: ${name}`, async () => {
      const report = await look(await arrange(stage), probe ?? false);
      const named = report.checks.filter((check) => check.verdict === verdict && says.test(check.says));
      expect(named, badOf(report)).to.have.lengthOf.at.least(1);
      expect(named[0]?.fix, badOf(report)).to.match(fix);
      expect(report.tookMs).to.be.below(LIMIT_MS);
      expect(JSON.stringify(report)).not.to.match(/\\n\s+at |node:internal/);
    });
  }
}
