/**
 * `wadi doctor` on clusters in which workers have no place, or where a store, a database or another service is broken, in one way each; and with
 * other schedulers. As in doctor.test.ts each fault must be named with cause and fix.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { openDatabase } from "../../src/db/connection.ts";
import { startPglite } from "../support/databases.ts";
import { type Case, DoctorStage, type Environment, namesCauseAndFix } from "../support/doctor-stage.ts";
import { FakeKubernetes, type FakeKubernetesOptions } from "../support/kubernetes/fake-kubernetes.ts";
import { startStubS3 } from "../support/stub-s3.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

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
      ...(await stage.answering(/node\/pool\/fast/, 404, "node pool not found")),
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

/** A Kubernetes; the doctor has `rules`. */
async function kubernetes(stage: DoctorStage, options: FakeKubernetesOptions, more: Environment = {}): Promise<Environment> {
  const fake = await FakeKubernetes.start(options);
  stage.later(() => fake.stop());
  return {
    SCHEDULER: "kubernetes",
    WADI__KUBERNETES__KUBECONFIG: fake.kubeconfig(),
    WADI__KUBERNETES__WORKER__IMAGE: "registry/wadi@sha256:0",
    CHECKPOINT_URL: temporaryFolder("doctor-checkpoints"),
    WADI__API_ENDPOINT: "http://127.0.0.1:9",
    ...more,
  };
}

const READER = [{ apiGroups: ["*"], resources: ["*"], verbs: ["get", "list", "watch"] }];

const OTHER_SCHEDULERS: readonly Case[] = [
  {
    name: "a Kubernetes that is not there",
    arrange: async () => {
      const path = join(temporaryFolder("doctor-kube"), "config");
      const clusters = [{ name: "c", cluster: { server: "https://127.0.0.1:9" } }];
      const contexts = [{ name: "x", context: { cluster: "c", user: "u" } }];
      const users = [{ name: "u", user: {} }];
      writeFileSync(path, JSON.stringify({ apiVersion: "v1", kind: "Config", clusters, contexts, users, "current-context": "x" }));
      return { SCHEDULER: "kubernetes", WADI__KUBERNETES__KUBECONFIG: path, CHECKPOINT_URL: temporaryFolder("doctor-checkpoints") };
    },
    says: /Kubernetes does not answer/,
    fix: /kubernetes\.kubeconfig/,
  },
  {
    name: "a Kubernetes that is too old",
    arrange: (stage) => kubernetes(stage, { version: "v1.24.0" }),
    says: /older than 1\.29/,
    fix: /Upgrade the cluster/,
  },
  {
    name: "a service account that may not create jobs",
    arrange: (stage) => kubernetes(stage, { rules: { rules: READER, clusterRules: READER } }),
    says: /may not create jobs in namespace/,
    fix: /wadi kubernetes render/,
  },
  {
    name: "no image for workers on Kubernetes",
    arrange: (stage) => kubernetes(stage, {}, { WADI__KUBERNETES__WORKER__IMAGE: "" }),
    says: /kubernetes\.worker\.image is not set/,
    fix: /by digest/,
  },
];

describe("wadi doctor, beyond Nomad's servers", function () {
  this.timeout(30_000);
  const stage = new DoctorStage();
  afterEach(() => stage.close());
  after(() => pglite.stop());

  namesCauseAndFix([...PLACE, ...OUTSIDE, ...OTHER_SCHEDULERS], stage);
});
