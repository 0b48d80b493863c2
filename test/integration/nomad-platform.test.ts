/**
 * The jobs of `nomad/` brought up by `wadi deploy apply` on the fake Nomad, and on a real one where NOMAD_ADDR is set: PostgreSQL, controller, API,
 * Prometheus and Pushgateway are real processes of Debian's packages and of this build. A pipeline runs in it, its numbers are in both, and in the
 * end nothing is left.
 */
import { spawn } from "node:child_process";
import { chmodSync, existsSync, readdirSync } from "node:fs";
import { connect } from "node:net";
import { hostname } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { needsClusterBuild } from "../support/cluster-process.ts";
import { eventually } from "../support/eventually.ts";
import { FakeNomad } from "../support/nomad/fake-nomad.ts";
import { requires } from "../support/requirement.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const DIST = process.env["WADI_TEST_DIST"] ?? join(ROOT, "dist");
const JOBS = ["wadi-postgres", "wadi-pushgateway", "wadi-controller", "wadi-prometheus", "wadi-api"];
const PATIENCE_MS = 120_000;

const SQL = `
CREATE TABLE ticks WITH (connector = 'impulse', event_rate = '100');
CREATE TABLE gone (n BIGINT) WITH (connector = 'blackhole', type = 'sink');
INSERT INTO gone SELECT CAST(counter AS BIGINT) AS n FROM ticks;
`;

/** Whatever a server answers in JSON; its shape is checked elsewhere. */
type ParsedJson = ReturnType<typeof JSON.parse>;

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Why PostgreSQL's programs are not here; a server that listens is not needed. */
function postgresPrograms(): string | undefined {
  const versions = existsSync("/usr/lib/postgresql") ? readdirSync("/usr/lib/postgresql") : [];
  return versions.some((one) => existsSync(`/usr/lib/postgresql/${one}/bin/initdb`)) ? undefined : "PostgreSQL is not installed";
}

function program(path: string): () => string | undefined {
  return () => (existsSync(path) ? undefined : `${path} is not there`);
}

async function answers(url: URL): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect({ host: url.hostname, port: Number(url.port) });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

/** The installation of one test. */
class Platform {
  readonly nomad: string;
  readonly folder = temporaryFolder("platform");
  urls: Readonly<Record<string, string>> = {};
  #token = "";

  constructor(nomad: string) {
    this.nomad = nomad;
    // The server of PostgreSQL is not root.
    chmodSync(this.folder, 0o755);
  }

  /** Runs `wadi deploy`. */
  async deploy(...args: string[]): Promise<Ended> {
    const env = { ...process.env, NOMAD_ADDR: this.nomad, CI: "" };
    const child = spawn(process.execPath, [join(DIST, "cli", "main.js"), "deploy", ...args], { cwd: this.folder, env, stdio: "pipe" });
    const said = { stdout: "", stderr: "" };
    for (const stream of ["stdout", "stderr"] as const) {
      child[stream].setEncoding("utf8").on("data", (text: string) => {
        said[stream] += text;
      });
    }
    return await new Promise((resolve) => child.once("close", (code) => resolve({ code: code ?? -1, ...said })));
  }

  /** What `apply` and `plan` are given. */
  get values(): string[] {
    const sets = [
      "api.port=0",
      "prometheus.port=0",
      "prometheus.scrape_interval=1s",
      "settings.metrics.push-interval=2s",
      "settings.metrics.push-linger=3s",
      `prometheus.nomad_servers=${new URL(this.nomad).host}`,
    ];
    return ["--local", "--data-dir", join(this.folder, "data"), ...sets.flatMap((one) => ["--set", one])];
  }

  /** Brings it up. */
  async apply(): Promise<void> {
    const { code, stdout, stderr } = await this.deploy("apply", "--yes", "--json", "--wait", "2m", ...this.values);
    expect(code, `${stdout}\n${stderr}`).to.equal(0);
    const document = JSON.parse(stdout) as ParsedJson;
    this.urls = document.urls;
    expect(document.jobs.map((job: ParsedJson) => [job.id, job.state])).to.have.deep.members(JOBS.map((id) => [id, "healthy"]));
    const variable = await this.ask(`${this.nomad}/v1/var/nomad/jobs/wadi-api`);
    this.#token = variable.Items.session_token;
  }

  /** An answer in JSON. */
  async ask(url: string, options: { readonly method?: string; readonly body?: object } = {}): Promise<ParsedJson> {
    const headers = { "content-type": "application/json", ...(this.#token === "" ? {} : { authorization: `Bearer ${this.#token}` }) };
    const body = options.body === undefined ? {} : { body: JSON.stringify(options.body) };
    const response = await fetch(url, { method: options.method ?? "GET", headers, ...body, signal: AbortSignal.timeout(20_000) });
    const text = await response.text();
    expect(response.ok, `${url}: ${response.status} ${text}`).to.equal(true);
    return text === "" ? undefined : JSON.parse(text);
  }

  /** Sends a request to the API. */
  async api(path: string, method = "GET", body?: object): Promise<ParsedJson> {
    return await this.ask(`${this.urls["ui"]}/api/v1${path}`, { method, ...(body === undefined ? {} : { body }) });
  }

  /** Series that Prometheus has for a query now. */
  async series(query: string): Promise<ParsedJson[]> {
    const { data } = await this.ask(`${this.urls["prometheus"]}/api/v1/query?query=${encodeURIComponent(query)}`);
    return data.result;
  }

  /** Waits for a series. */
  async measured(query: string): Promise<ParsedJson[]> {
    const some = async () => {
      const found = await this.series(query);
      return found.length > 0 ? found : undefined;
    };
    return await eventually(`Prometheus has ${query}`, some, PATIENCE_MS);
  }

  /** Labels of the Pushgateway's groups of workers. */
  async pushed(): Promise<ParsedJson[]> {
    const { data } = await this.ask(`${this.urls["pushgateway"]}/api/v1/metrics`);
    return data.map((group: ParsedJson) => group.labels).filter((labels: ParsedJson) => labels.worker !== undefined);
  }
}

async function runsPipeline(platform: Platform): Promise<string> {
  const request = { name: "ticks", query: SQL, parallelism: 1, checkpoint_interval_micros: 1_000_000 };
  const { id } = await platform.api("/pipelines", "POST", request);
  const running = async () => {
    const { data } = await platform.api(`/pipelines/${id}/jobs`);
    const [job] = data;
    expect(job.state, JSON.stringify(job)).to.not.equal("Failed");
    return job.state === "Running" && job.epoch > 0 ? job : undefined;
  };
  await eventually("the pipeline runs and has a checkpoint", running, PATIENCE_MS);
  return id;
}

async function isMeasured(platform: Platform): Promise<void> {
  await platform.measured('wadi_job_state{pipeline="ticks"} or {__name__=~"wadi_.*", pipeline="ticks"}');
  await platform.measured(
    'nomad_nomad_job_summary_running{exported_job="wadi-api"} == 1 or nomad_nomad_job_summary_running{job="wadi-api"} == 1',
  );
  await platform.measured('up{service="wadi-controller-admin"} == 1');
  await platform.measured('up{service="wadi-pushgateway"} == 1');
  const groups = async () => {
    const found = await platform.pushed();
    return found.length > 0 ? found : undefined;
  };
  expect(await eventually("workers have pushed", groups, PATIENCE_MS)).to.have.length(1);
}

async function hasRules(platform: Platform): Promise<void> {
  const folder = join(ROOT, "nomad", "monitoring", "rules");
  const files = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".rules.yml")) : [];
  const { data } = await platform.ask(`${platform.urls["prometheus"]}/api/v1/rules`);
  const loaded = new Set(data.groups.map((group: ParsedJson) => group.file.split("/").at(-1)));
  expect([...loaded]).to.include.members(files);
}

function platforms(
  begin: () => Promise<{ readonly address: string; readonly pids: () => number[]; readonly end: () => Promise<void> }>,
): void {
  let platform: Platform;
  let pids: () => number[];
  let end: () => Promise<void>;

  beforeEach(async () => {
    const begun = await begin();
    platform = new Platform(begun.address);
    ({ pids, end } = begun);
  });
  afterEach(async () => {
    await platform.deploy("destroy", "--yes", "--with-pipelines", "--purge", "--data-dir", join(platform.folder, "data"));
    await end();
  });

  it("stands after one command, runs and measures a pipeline, and leaves nothing behind", async () => {
    await platform.apply();
    const again = await platform.deploy("plan", ...platform.values);
    expect(again.code, `a second apply would change something: ${again.stdout}`).to.equal(0);
    const id = await runsPipeline(platform);
    await isMeasured(platform);
    await hasRules(platform);

    await platform.api(`/pipelines/${id}`, "PATCH", { stop: "graceful" });
    const left = async () => ((await platform.pushed()).length === 0 ? true : undefined);
    await eventually("the groups of the run are gone", left, PATIENCE_MS);

    const processes = pids();
    const addresses = ["ui", "prometheus", "pushgateway"].map((name) => new URL(platform.urls[name] ?? ""));
    for (const address of addresses) expect(await answers(address), address.href).to.equal(true);
    const destroyed = await platform.deploy("destroy", "--yes", "--purge", "--data-dir", join(platform.folder, "data"));
    expect(destroyed.code, `${destroyed.stdout}\n${destroyed.stderr}`).to.equal(0);
    for (const address of addresses) expect(await answers(address), address.href).to.equal(false);
    const alive = () => processes.filter((pid) => existsSync(`/proc/${pid}`));
    await eventually("no process is left", () => (alive().length === 0 ? true : undefined), 30_000);
    const jobs = await platform.ask(`${platform.nomad}/v1/jobs?prefix=w`);
    expect(jobs.filter(({ Stop }: ParsedJson) => Stop !== true)).to.deep.equal([]);
    expect(existsSync(join(platform.folder, "data", "postgres"))).to.equal(false);
  });
}

describe("the platform's jobs on the fake Nomad", function () {
  this.timeout(400_000);
  requires("postgres", postgresPrograms);
  requires("prometheus", program("/usr/bin/prometheus"));
  requires("pushgateway", program("/usr/bin/prometheus-pushgateway"));
  needsClusterBuild();

  platforms(async () => {
    const nodes = [{ name: hostname(), drivers: ["raw_exec"], cpuMhz: 20_000, memoryMb: 16_384, diskMb: 100_000 }];
    const nomad = await FakeNomad.start({ nodes });
    const pids = () => nomad.allocations().flatMap(({ ID }) => nomad.pids(ID));
    return { address: nomad.address, pids, end: () => nomad.stop() };
  });
});

describe("the platform's jobs on a real Nomad", function () {
  const { NOMAD_ADDR: address = "" } = process.env;
  if (address === "") {
    it.skip("stands [set NOMAD_ADDR]");
    return;
  }
  this.timeout(400_000);
  needsClusterBuild();
  platforms(async () => ({ address, pids: () => [], end: async () => undefined }));
});
