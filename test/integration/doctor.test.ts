/**
 * `wadi doctor` on clusters that are broken in one way each: on the fake Nomad, behind a front that meddles, and with real TLS, databases, object
 * stores and servers. Each fault must be named with its cause and what to do, within ten seconds, and nothing may be left behind.
 */
import { randomUUID } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import type { Verdict } from "../../src/cli/doctor/check.ts";
import type { Report } from "../../src/cli/doctor/report.ts";
import { openDatabase } from "../../src/db/connection.ts";
import { startPglite } from "../support/databases.ts";
import { DoctorStage, type Environment, look } from "../support/doctor-stage.ts";
import { startStubS3 } from "../support/stub-s3.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

/** A fault, what makes it, and what must be said. */
interface Case {
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
const EVERYTHING = ["list-jobs", "read-job", "submit-job", "read-logs", "alloc-lifecycle"];

/** A policy with all that Wadi needs but `without`. */
function policy(without = "", variables = '["write", "read", "list", "destroy"]', node = 'node { policy = "read" }'): string {
  const capabilities = EVERYTHING.filter((name) => name !== without).map((name) => `"${name}"`);
  return `namespace "default" {
    capabilities = [${capabilities.join(", ")}]
    variables {
      path "nomad/jobs/*" { capabilities = ${variables} }
      path "wadi/*" { capabilities = ${variables} }
    }
  }
  ${node}
  node_pool "*" { policy = "read" }
  agent { policy = "read" }
  operator { policy = "read" }`;
}

/** A cluster with ACLs; the doctor's token has `rules`. */
async function withToken(stage: DoctorStage, rules: string, options: { readonly expiresMs?: number } = {}): Promise<Environment> {
  const nomad = await stage.nomad({ acl: true });
  return stage.settings(nomad.address, { NOMAD_TOKEN: nomad.addToken("doctor", rules, options) });
}

/** A cluster behind a front that answers requests to `path` itself. */
async function answering(stage: DoctorStage, path: RegExp, status: number, body: string): Promise<Environment> {
  const nomad = await stage.nomad();
  const front = await stage.front(nomad.address, ({ url = "" }) => (path.test(url) ? { status, body } : undefined));
  return stage.settings(front.url);
}

/** A cluster behind TLS with a certificate for `names`. */
async function behindTls(stage: DoctorStage, more: Environment, names?: readonly string[], untilMs?: number): Promise<Environment> {
  const nomad = await stage.nomad();
  const front = await stage.front(nomad.address, undefined, stage.certificate(names, untilMs));
  return stage.settings(front.url, more);
}

function authorityFile(stage: DoctorStage): string {
  const path = join(temporaryFolder("doctor-ca"), "ca.pem");
  writeFileSync(path, stage.authority.certificate);
  return path;
}

const CONNECTION: readonly Case[] = [
  {
    name: "no agent at the address",
    arrange: async (stage) => stage.settings("http://127.0.0.1:9"),
    says: /nothing listens at http:\/\/127\.0\.0\.1:9/,
    fix: /Start the Nomad agent there, or correct nomad\.address/,
  },
  {
    name: "an agent that accepts and says nothing",
    arrange: async (stage) => stage.settings(`http://127.0.0.1:${await stage.silentPort()}`),
    says: /no answer within \d/,
    fix: /overloaded or the network drops/,
  },
  {
    name: "a host name that nobody knows",
    arrange: async (stage) => stage.settings("http://nomad.invalid:4646"),
    says: /host name of http:\/\/nomad\.invalid:4646 is not known/,
    fix: /name service/,
  },
  {
    name: "one of two addresses that does not answer",
    arrange: async (stage) => stage.settings(`http://127.0.0.1:9,${(await stage.nomad()).address}`),
    says: /nothing listens at http:\/\/127\.0\.0\.1:9/,
    fix: /correct nomad\.address/,
  },
  {
    name: "something else at the address",
    arrange: async (stage) => stage.settings((await stage.front("http://127.0.0.1:9", () => ({ status: 200, body: "<html>hello" }))).url),
    says: /answers, but not as Nomad/,
    fix: /Correct nomad\.address/,
  },
  {
    name: "an authority that is not trusted here",
    arrange: (stage) => behindTls(stage, {}),
    says: /signed by an authority that is not trusted/,
    fix: /nomad\.ca-cert/,
  },
  {
    name: "a certificate for another name",
    arrange: (stage) => behindTls(stage, { NOMAD_CACERT: authorityFile(stage) }, ["server.global.nomad"]),
    says: /made out to another name: .*server\.global\.nomad/,
    fix: /nomad\.tls-server-name/,
  },
  {
    name: "a certificate that has expired",
    arrange: (stage) => behindTls(stage, { NOMAD_CACERT: authorityFile(stage) }, undefined, Date.now() - 60_000),
    says: /certificate of .* has expired/,
    fix: /Renew/,
  },
  {
    name: "a certificate that expires soon",
    arrange: (stage) => behindTls(stage, { NOMAD_CACERT: authorityFile(stage) }),
    verdict: "warn",
    says: /expires in \d+ days/,
    fix: /Renew/,
  },
  {
    name: "an agent that wants a client certificate",
    arrange: async (stage) => {
      const tls = { ...stage.certificate(), ca: stage.authority.certificate };
      const front = await stage.front((await stage.nomad()).address, undefined, tls);
      return stage.settings(front.url, { NOMAD_CACERT: authorityFile(stage) });
    },
    says: /wants a client certificate/,
    fix: /nomad\.client-cert/,
  },
  {
    name: "https:// where plain HTTP is spoken",
    arrange: async (stage) => stage.settings((await stage.nomad()).address.replace("http:", "https:")),
    says: /speaks plain HTTP/,
    fix: /http:\/\//,
  },
  {
    name: "http:// where TLS is spoken",
    arrange: (stage) => answering(stage, /./, 400, "Client sent an HTTP request to an HTTPS server.\n"),
    says: /speaks TLS/,
    fix: /https:\/\//,
  },
  {
    name: "a file of the authority that cannot be read",
    arrange: async (stage) => stage.settings("https://127.0.0.1:9", { NOMAD_CACERT: "/nowhere/ca.pem" }),
    says: /nomad\.ca-cert "\/nowhere\/ca\.pem" cannot be read/,
    fix: /nomad\.ca-cert/,
  },
  {
    name: "servers without a leader",
    arrange: async (stage) => {
      const nomad = await stage.nomad();
      nomad.loseLeader();
      return stage.settings(nomad.address);
    },
    says: /no leader/,
    fix: /majority/,
  },
  {
    name: "a region that does not exist",
    arrange: async (stage) => ({ ...(await answering(stage, /region=mars/, 500, "No path to region")), NOMAD_REGION: "mars" }),
    says: /region "mars" does not exist/,
    fix: /nomad\.region/,
  },
  {
    name: "a Nomad that is too old",
    arrange: async (stage) => stage.settings((await stage.nomad({ version: "1.7.7" })).address),
    says: /Nomad 1\.7\.7 is older than 1\.8/,
    fix: /Upgrade/,
  },
  {
    name: "a Nomad that nobody has tried",
    arrange: async (stage) => stage.settings((await stage.nomad({ version: "3.0.0" })).address),
    verdict: "warn",
    says: /Nomad 3\.0\.0 is not one that Wadi was tried with/,
    fix: /upgrade of Wadi/,
  },
  {
    name: "a clock that is wrong",
    arrange: async (stage) => {
      const date = new Date(Date.now() + 120_000).toUTCString();
      return stage.settings((await stage.front((await stage.nomad()).address, () => ({ headers: { date } }))).url);
    },
    says: /clock is 1[12]\d s behind/,
    fix: /time service/,
  },
  {
    name: "an event stream that is closed at once",
    arrange: (stage) => answering(stage, /event\/stream/, 200, ""),
    says: /event stream is closed before its first line/,
    fix: /read-job/,
  },
  {
    name: "an event stream that a proxy holds back",
    arrange: async (stage) => {
      const nomad = await stage.nomad();
      const front = await stage.front(nomad.address, ({ url = "" }) => (url.includes("event/stream") ? { silent: true } : undefined));
      return stage.settings(front.url);
    },
    says: /no answer within/,
    fix: /must not buffer/,
  },
];

const RIGHTS: readonly Case[] = [
  {
    name: "a token that does not exist",
    arrange: async (stage) => stage.settings((await stage.nomad({ acl: true })).address, { NOMAD_TOKEN: randomUUID() }),
    says: /token is not valid: ACL token not found/,
    fix: /NOMAD_TOKEN/,
  },
  {
    name: "a token that has expired",
    arrange: (stage) => withToken(stage, policy(), { expiresMs: Date.now() - 1_000 }),
    says: /expired/,
    fix: /Create a new one/,
  },
  {
    name: "a token that expires within the hour",
    arrange: (stage) => withToken(stage, policy(), { expiresMs: Date.now() + 3_600_000 }),
    verdict: "warn",
    says: /expires in \d+ minutes/,
    fix: /token-file/,
  },
  ...["list-jobs", "read-job", "submit-job"].map((capability) => ({
    name: `a token without ${capability}`,
    arrange: (stage: DoctorStage) => withToken(stage, policy(capability)),
    says: new RegExp(`lacks "${capability}" in namespace "default"`),
    fix: new RegExp(`capabilities = \\["${capability}"\\]`),
  })),
  {
    name: "a token that may not write variables",
    arrange: (stage) => withToken(stage, policy("", '["read"]')),
    says: /may not write the variables "nomad\/jobs\/\*"/,
    fix: /"write"/,
  },
  {
    name: "a token without node:read",
    arrange: (stage) => withToken(stage, policy("", '["write", "read", "list", "destroy"]', "")),
    says: /lacks node:read/,
    fix: /node \{ policy = "read" \}/,
  },
  {
    name: "a token without read-logs",
    arrange: (stage) => withToken(stage, policy("read-logs")),
    probe: true,
    says: /lacks "read-logs"/,
    fix: /read-logs/,
  },
  {
    name: "a token without alloc-lifecycle",
    arrange: (stage) => withToken(stage, policy("alloc-lifecycle")),
    probe: true,
    verdict: "warn",
    says: /lacks "alloc-lifecycle"/,
    fix: /alloc-lifecycle/,
  },
  {
    name: "job registration that is disabled",
    arrange: async (stage) => {
      const nomad = await stage.nomad({ acl: true });
      nomad.refuseRegistration(true);
      return stage.settings(nomad.address, { NOMAD_TOKEN: nomad.addToken("doctor", policy()) });
    },
    says: /disabled job registration/,
    fix: /reject-job-registration=false/,
  },
  {
    name: "identities without a key",
    arrange: (stage) => answering(stage, /jwks\.json/, 200, '{"keys":[]}'),
    says: /no key to sign workload identities/,
    fix: /keyring rotate/,
  },
];

const PLACE: readonly Case[] = [
  {
    name: "a namespace that is missing",
    arrange: async (stage) => ({ ...stage.settings((await stage.nomad()).address), NOMAD_NAMESPACE: "streams" }),
    says: /namespace "streams" does not exist/,
    fix: /nomad namespace apply streams/,
  },
  {
    name: "a node pool that is missing",
    arrange: async (stage) => ({
      ...(await answering(stage, /node\/pool\/fast/, 404, "node pool not found")),
      WADI__NOMAD__NODE_POOL: "fast",
    }),
    says: /node pool "fast" does not exist/,
    fix: /nomad\.node-pool/,
  },
  {
    name: "no node at all",
    arrange: async (stage) => stage.settings((await stage.nomad({ nodes: [] })).address),
    says: /no nodes/,
    fix: /Start Nomad clients/,
  },
  {
    name: "no node in the data centres",
    arrange: async (stage) => ({ ...stage.settings((await stage.nomad()).address), WADI__NOMAD__DATACENTERS: "paris" }),
    says: /none of 1 nodes is in node pool "default" and data centres "paris"/,
    fix: /nomad\.datacenters/,
  },
  {
    name: "no node with the driver",
    arrange: async (stage) => ({
      ...stage.settings((await stage.nomad()).address),
      WADI__NOMAD__DRIVER: "docker",
      WADI__NOMAD__IMAGE: "wadi:1",
    }),
    says: /driver docker/,
    fix: /Install docker.*nomad\.driver to "raw_exec"/,
  },
  {
    name: "nodes that are all draining",
    arrange: async (stage) => {
      const nomad = await stage.nomad();
      nomad.drain("n1");
      return stage.settings(nomad.address);
    },
    says: /draining or ineligible/,
    fix: /nomad node eligibility -enable/,
  },
  {
    name: "nodes without room for a worker",
    arrange: async (stage) => ({ ...stage.settings((await stage.nomad()).address), WADI__NOMAD__MEMORY_PER_SLOT: "60GiB" }),
    says: /would not be placed: memory exhausted on 1 node/,
    fix: /nomad\.memory-per-slot/,
  },
  {
    name: "a constraint that no node meets",
    arrange: async (stage) => ({
      ...stage.settings((await stage.nomad()).address),
      WADI__NOMAD__CONSTRAINTS: "$" + "{attr.cpu.arch} = sparc",
    }),
    says: /constraint .*sparc/,
    fix: /nomad\.constraints/,
  },
  {
    name: "more memory wanted than Nomad lets anybody have",
    arrange: async (stage) => ({ ...stage.settings((await stage.nomad()).address), WADI__NOMAD__MEMORY_MAX_PER_SLOT: "1GiB" }),
    says: /does not allow more memory than is reserved/,
    fix: /memory-oversubscription=true/,
  },
  {
    name: "nodes that kill sooner than is wanted",
    arrange: async (stage) => {
      const nomad = await stage.nomad();
      const front = await stage.front(nomad.address, ({ url = "" }) => {
        if (url.startsWith("/v1/node/") && !url.includes("pool"))
          return { status: 200, body: `{"HTTPAddr":"${new URL(nomad.address).host}"}` };
        return undefined;
      });
      nomad.answer("GET", /agent\/self/, 200, '{"config":{"Client":{"MaxKillTimeout":"5s"}}}');
      return stage.settings(front.url);
    },
    verdict: "warn",
    says: /kill a worker after 5 s, nomad\.kill-timeout is 30 s/,
    fix: /max_kill_timeout = "30s"/,
  },
  {
    name: "an archive that is missing",
    arrange: async (stage) => {
      const web = await stage.front("http://127.0.0.1:9", () => ({ status: 404 }));
      return { ...stage.settings((await stage.nomad()).address), WADI__NOMAD__ARTIFACT: `${web.url}/wadi.tar.gz` };
    },
    says: /archive ".*wadi\.tar\.gz" does not exist/,
    fix: /nomad\.artifact/,
  },
  {
    name: "an image that is missing",
    arrange: async (stage) => {
      const registry = new URL((await stage.front("http://127.0.0.1:9", () => ({ status: 404 }))).url).host;
      return { ...stage.settings((await stage.nomad()).address), WADI__NOMAD__DRIVER: "docker", WADI__NOMAD__IMAGE: `${registry}/wadi:1` };
    },
    says: /image ".*wadi:1" does not exist/,
    fix: /Push it/,
  },
  {
    name: "a worker's program that is not on the node",
    arrange: async (stage) => ({ ...stage.settings((await stage.nomad()).address), WADI__NOMAD__COMMAND: "/nowhere/wadi,worker" }),
    probe: true,
    says: /a worker's program does not run on node "n1"/,
    fix: /nomad\.command/,
  },
  {
    name: "a store that nodes do not reach",
    arrange: async (stage) => {
      const finding = { id: "checkpoint-url", title: "checkpoint store", verdict: "fail", says: "no way there", fix: "Open the way." };
      const program = stage.program({ ok: false, checks: [finding] }, 1);
      return { ...stage.settings((await stage.nomad()).address), WADI__NOMAD__COMMAND: `/bin/sh,${program},worker` };
    },
    probe: true,
    says: /from node "n1": checkpoint store: no way there/,
    fix: /Open the way/,
  },
];

/** An S3 server that answers everything with a status and code. */
async function s3(stage: DoctorStage, status: number, code: string): Promise<Environment> {
  const stub = await startStubS3(() => ({ status, code }));
  stage.later(() => stub.stop());
  const nomad = await stage.nomad();
  return stage.settings(nomad.address, { CHECKPOINT_URL: `s3://checkpoints/wadi?endpoint=${stub.endpoint}` });
}

const pglite = startPglite();

/** A database in which `prepare` was done; the doctor is to look at it. */
async function database(stage: DoctorStage, prepare: string, more: Environment = {}): Promise<Environment> {
  const options = await pglite.create();
  const db = openDatabase({ ...options, connections: 1 });
  if (prepare !== "") await db.raw(prepare);
  await db.destroy();
  return stage.settings((await stage.nomad()).address, {
    DATABASE_HOST: options.host,
    DATABASE_PORT: String(options.port),
    DATABASE_NAME: options.database,
    DATABASE_USER: options.user,
    ...more,
  });
}

const NEWER = `create table schema_migrations (version int primary key, name text, release text, claimed_by text, claimed_at timestamptz,
  finished_at timestamptz); insert into schema_migrations values (99, '0099-later', '9.9.9', 'x', now(), now())`;

const OUTSIDE: readonly Case[] = [
  {
    name: "a bucket that is missing",
    arrange: (stage) => s3(stage, 404, "NoSuchBucket"),
    says: /the bucket does not exist/,
    fix: /Create the bucket/,
  },
  { name: "a bucket without rights", arrange: (stage) => s3(stage, 403, "AccessDenied"), says: /AccessDenied/, fix: /s3:PutObject/ },
  {
    name: "credentials that are wrong",
    arrange: (stage) => s3(stage, 403, "InvalidAccessKeyId"),
    says: /InvalidAccessKeyId/,
    fix: /AWS_ACCESS_KEY_ID/,
  },
  {
    name: "a store that does not answer",
    arrange: async (stage) =>
      stage.settings((await stage.nomad()).address, { CHECKPOINT_URL: "s3://checkpoints/wadi?endpoint=http://127.0.0.1:9" }),
    says: /checkpoint-url: .*ECONNREFUSED|checkpoint-url: .*connection/,
    fix: /endpoint/,
  },
  {
    name: "a directory on one machine for workers on others",
    arrange: async (stage) => stage.settings((await stage.nomad()).address),
    verdict: "warn",
    says: /is a directory of this machine/,
    fix: /s3:\/\//,
  },
  {
    name: "no database server",
    arrange: async (stage) => stage.settings((await stage.nomad()).address, { DATABASE_HOST: "127.0.0.1", DATABASE_PORT: "9" }),
    says: /ECONNREFUSED/,
    fix: /database\.postgres\.host/,
  },
  {
    name: "a database server that says nothing",
    arrange: async (stage) => {
      const port = String(await stage.silentPort());
      return stage.settings((await stage.nomad()).address, { DATABASE_HOST: "127.0.0.1", DATABASE_PORT: port });
    },
    says: /no answer within/,
    fix: /database\.postgres\.host/,
  },
  { name: "a database without a schema", arrange: (stage) => database(stage, ""), says: /has no schema yet/, fix: /wadi migrate/ },
  {
    name: "a database of a newer release",
    arrange: (stage) => database(stage, NEWER),
    says: /schema version 99 of release 9\.9\.9, newer than/,
    fix: /at least as new/,
  },
  {
    name: "a Prometheus that is not there",
    arrange: async (stage) => stage.settings((await stage.nomad()).address, { PROM_ENDPOINT: "http://127.0.0.1:9" }),
    says: /Prometheus at http:\/\/127\.0\.0\.1:9 does not answer/,
    fix: /prometheus\.endpoint/,
  },
  {
    name: "an API without its database",
    arrange: async (stage) => {
      const api = await stage.front("http://127.0.0.1:9", ({ url = "" }) =>
        url.endsWith("/ping") ? { status: 200, body: '{"pong":"pong"}' } : { status: 503 },
      );
      return stage.settings((await stage.nomad()).address, { WADI__API_ENDPOINT: api.url });
    },
    says: /runs without its database/,
    fix: /goes on by itself/,
  },
];

/** Findings that are bad, for the message of a test that fails. */
function badOf(report: Report): string {
  const bad = report.checks.filter(({ verdict }) => verdict === "fail" || verdict === "warn");
  return bad.map(({ id, verdict, says, fix }) => `${verdict} ${id}: ${says} / ${fix}`).join("\n");
}

describe("wadi doctor", function () {
  this.timeout(30_000);
  const stage = new DoctorStage();
  afterEach(() => stage.close());
  after(() => pglite.stop());

  it("finds nothing to mend in a cluster in which all is well, and leaves nothing behind", async () => {
    const nomad = await stage.nomad({ acl: true });
    const report = await look(stage.settings(nomad.address, { NOMAD_TOKEN: nomad.addToken("doctor", policy()) }), true);
    expect(report.counts.fail, badOf(report)).to.equal(0);
    expect(report.checks.filter(({ verdict }) => verdict === "ok").length, JSON.stringify(report.checks)).to.be.at.least(20);
    expect([...nomad.state.jobs.values()].map(({ ID }) => ID)).to.deep.equal([]);
    expect([...nomad.state.variables.keys()]).to.deep.equal([]);
  });

  for (const { name, arrange, verdict = "fail", says, fix, probe } of [...CONNECTION, ...RIGHTS, ...PLACE, ...OUTSIDE]) {
    it(`names cause and fix: ${name}`, async () => {
      const report = await look(await arrange(stage), probe ?? false);
      const named = report.checks.filter((check) => check.verdict === verdict && says.test(check.says));
      expect(named, badOf(report)).to.have.lengthOf.at.least(1);
      expect(named[0]?.fix, badOf(report)).to.match(fix);
      expect(report.tookMs).to.be.below(LIMIT_MS);
      expect(JSON.stringify(report)).not.to.match(/\\n\s+at |node:internal/);
    });
  }
});
