/** `wadi doctor` on an installation whose monitoring, leader, releases or certificates are not as they should be: cause and fix of each. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { release } from "../../src/cli/release.ts";
import { type Case, DoctorStage, type Environment, look, namesCauseAndFix } from "../support/doctor-stage.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const DAY_MS = 86_400_000;
const NOWHERE = "http://127.0.0.1:9";

interface Prometheus {
  readonly targets?: readonly unknown[];
  readonly rules?: readonly unknown[];
}

const UP = { health: "up", labels: { job: "wadi" }, scrapeUrl: "http://10.0.0.1:1/metrics", lastError: "" };
const DOWN = { ...UP, health: "down", scrapeUrl: "http://10.0.0.2:1/metrics", lastError: "connection refused" };
const RULE = { name: "WadiControllerGone", health: "ok" };

/** A Prometheus that has these targets and rules. */
async function prometheus(stage: DoctorStage, { targets = [UP], rules = [RULE] }: Prometheus): Promise<Environment> {
  const front = await stage.front(NOWHERE, ({ url = "" }) => {
    if (url.startsWith("/api/v1/targets")) return answer({ status: "success", data: { activeTargets: targets } });
    if (url.startsWith("/api/v1/rules"))
      return answer({ status: "success", data: { groups: rules.length === 0 ? [] : [{ name: "wadi", rules }] } });
    return answer({ status: "success", data: { result: [] } });
  });
  return { ...base(), PROM_ENDPOINT: front.url };
}

/** An API that says this of its cluster. */
async function api(stage: DoctorStage, cluster: object): Promise<Environment> {
  const front = await stage.front(NOWHERE, ({ url = "" }) => answer(url.endsWith("/ping") ? { pong: "pong" } : cluster));
  return { ...base(), WADI__API_ENDPOINT: front.url };
}

function answer(value: unknown) {
  return { status: 200, body: JSON.stringify(value) };
}

/** Settings that need neither a scheduler nor a server. */
function base(): Environment {
  return { CHECKPOINT_URL: temporaryFolder("doctor-checkpoints"), WADI__API_ENDPOINT: NOWHERE };
}

const LEADER = { alive: true, endpoint: "10.0.0.1:5116", release: release() };

/** Files of a certificate of the stage's authority; `pair`: whether the key is its own. */
function certificateFiles(stage: DoctorStage, untilMs: number, pair = true): Environment {
  const folder = temporaryFolder("doctor-certificate");
  const { cert, key } = stage.certificate(["127.0.0.1"], untilMs);
  const [certificate, keyFile] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  writeFileSync(certificate, cert);
  writeFileSync(keyFile, pair ? key : stage.certificate().key);
  return { ...base(), WADI__TLS__CERTIFICATE: certificate, WADI__TLS__KEY: keyFile };
}

const CASES: readonly Case[] = [
  {
    name: "a Prometheus that scrapes other things only",
    arrange: (stage) => prometheus(stage, { targets: [{ ...UP, labels: { job: "node" } }] }),
    verdict: "warn",
    says: /scrapes 1 targets, and none is Wadi's/,
    fix: /prometheus\.nomad\.hcl/,
  },
  {
    name: "a target that is down",
    arrange: (stage) => prometheus(stage, { targets: [UP, DOWN] }),
    verdict: "warn",
    says: /1 of 2 targets are down: http:\/\/10\.0\.0\.2:1\/metrics \(connection refused\)/,
    fix: /Open the way/,
  },
  {
    name: "a Prometheus without rules",
    arrange: (stage) => prometheus(stage, { rules: [] }),
    verdict: "warn",
    says: /has no rules/,
    fix: /nomad\/monitoring\/rules/,
  },
  {
    name: "a rule that fails",
    arrange: (stage) => prometheus(stage, { rules: [RULE, { name: "WadiBroken", health: "err", lastError: "many-to-many matching" }] }),
    says: /rule "WadiBroken" of Prometheus fails: many-to-many/,
    fix: /Correct the rule/,
  },
  {
    name: "a Prometheus that is absent, whose URL has a password",
    arrange: async () => ({ ...base(), PROM_ENDPOINT: "http://me:secret-word@127.0.0.1:9" }),
    says: /^Prometheus at http:\/\/127\.0\.0\.1:9 does not answer/,
    fix: /Start Prometheus/,
  },
  {
    name: "a Pushgateway that is absent",
    arrange: async () => ({ ...base(), PUSHGATEWAY_URL: NOWHERE }),
    verdict: "warn",
    says: /Pushgateway at http:\/\/127\.0\.0\.1:9 does not answer/,
    fix: /metrics\.pushgateway/,
  },
  {
    name: "something else in the Pushgateway's place",
    arrange: async (stage) => ({ ...base(), PUSHGATEWAY_URL: (await stage.front(NOWHERE, () => ({ status: 404, body: "" }))).url }),
    says: /answers with status 404, not as a Pushgateway/,
    fix: /metrics\.pushgateway/,
  },
  {
    name: "an API to which no controller ever came",
    arrange: (stage) => api(stage, { release: release(), controller: null }),
    says: /no controller has ever led/,
    fix: /Start a controller/,
  },
  {
    name: "a leader that is gone",
    arrange: (stage) => api(stage, { release: release(), controller: { ...LEADER, alive: false } }),
    says: /no controller leads: the last was at 10\.0\.0\.1:5116/,
    fix: /log of the last one/,
  },
  {
    name: "releases that differ",
    arrange: (stage) => api(stage, { release: "0.0.9", controller: LEADER }),
    verdict: "warn",
    says: /releases differ: .* the API 0\.0\.9/,
    fix: /one release everywhere/,
  },
  {
    name: "an API whose certificate nobody here trusts",
    arrange: async (stage) => ({ ...base(), WADI__API_ENDPOINT: (await stage.front(NOWHERE, undefined, stage.certificate())).url }),
    says: /certificate of https:\/\/127\.0\.0\.1:\d+ is not trusted here/,
    fix: /NODE_EXTRA_CA_CERTS/,
  },
  {
    name: "a certificate of the controller that has expired",
    arrange: async (stage) => certificateFiles(stage, Date.now() - DAY_MS / 2),
    says: /cert\.pem" \(tls\.certificate\) expired on/,
    fix: /Put a new one there/,
  },
  {
    name: "a certificate of the controller that expires soon",
    arrange: async (stage) => certificateFiles(stage, Date.now() + 3 * DAY_MS),
    verdict: "warn",
    says: /expires in 2 days/,
    fix: /Renew it/,
  },
  {
    name: "a key of another certificate",
    arrange: async (stage) => certificateFiles(stage, Date.now() + 30 * DAY_MS, false),
    says: /does not belong to the certificate/,
    fix: /one pair/,
  },
  {
    name: "a certificate that is none",
    arrange: async () => {
      const path = join(temporaryFolder("doctor-certificate"), "cert.pem");
      writeFileSync(path, "no certificate");
      return { ...base(), WADI__TLS__CERTIFICATE: path };
    },
    says: /is no certificate that can be read/,
    fix: /PEM/,
  },
];

describe("wadi doctor on an installation", function () {
  this.timeout(60_000);
  const stage = new DoctorStage();
  afterEach(() => stage.close());

  namesCauseAndFix(CASES, stage);

  it("finds nothing wrong with monitoring, leader and releases that are as they should be", async () => {
    const monitoring = await prometheus(stage, {});
    const gateway = await stage.front(NOWHERE, () => ({ status: 200, body: "OK" }));
    const leading = await api(stage, { release: release(), controller: LEADER });
    const report = await look({
      ...leading,
      ...monitoring,
      WADI__API_ENDPOINT: leading["WADI__API_ENDPOINT"] ?? "",
      PUSHGATEWAY_URL: gateway.url,
    });
    const verdicts = Object.fromEntries(report.checks.map(({ id, verdict }) => [id, verdict]));
    expect(verdicts).to.include({ api: "ok", prometheus: "ok", "prometheus-targets": "ok", "prometheus-rules": "ok", pushgateway: "ok" });
  });

  it("shows no password of a URL", async () => {
    const report = await look({
      ...base(),
      PROM_ENDPOINT: "http://me:secret-word@127.0.0.1:9",
      PUSHGATEWAY_URL: "http://me:secret-word@127.0.0.1:9",
    });
    expect(JSON.stringify(report)).to.not.contain("secret-word");
  });
});
