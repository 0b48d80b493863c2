/**
 * `wadi doctor` on clusters that are broken in one way each: on the fake Nomad, behind a front that meddles, and with real TLS, databases, object
 * stores and servers. Each fault must be named with its cause and what to do, within ten seconds, and nothing may be left behind.
 */
import { randomUUID } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { badOf, type Case, DoctorStage, type Environment, look, namesCauseAndFix } from "../support/doctor-stage.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const EVERYTHING = ["list-jobs", "read-job", "submit-job", "read-logs", "alloc-lifecycle"];

/** A policy with all that Wadi needs but `without`. */
function policy(without = "", variables = '["write", "read", "list", "destroy"]', node = 'node { policy = "read" }'): string {
  const capabilities = EVERYTHING.filter((name) => name !== without).map((name) => `"${name}"`);
  return `namespace "default" {
    capabilities = [${capabilities.join(", ")}]
    variables {
      path "nomad/jobs/w-*" { capabilities = ${variables} }
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
    arrange: (stage) => stage.answering(/./, 400, "Client sent an HTTP request to an HTTPS server.\n"),
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
    arrange: async (stage) => ({ ...(await stage.answering(/region=mars/, 500, "No path to region")), NOMAD_REGION: "mars" }),
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
    arrange: (stage) => stage.answering(/event\/stream/, 200, ""),
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
    says: /may not write the variables "nomad\/jobs\/w-\*"/,
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
    arrange: (stage) => stage.answering(/jwks\.json/, 200, '{"keys":[]}'),
    says: /no key to sign workload identities/,
    fix: /keyring rotate/,
  },
];

describe("wadi doctor", function () {
  this.timeout(30_000);
  const stage = new DoctorStage();
  afterEach(() => stage.close());

  it("finds nothing to mend in a cluster in which all is well, and leaves nothing behind", async () => {
    const nomad = await stage.nomad({ acl: true });
    const report = await look(stage.settings(nomad.address, { NOMAD_TOKEN: nomad.addToken("doctor", policy()) }), true);
    expect(report.counts.fail, badOf(report)).to.equal(0);
    expect(report.checks.filter(({ verdict }) => verdict === "ok").length, JSON.stringify(report.checks)).to.be.at.least(20);
    expect([...nomad.state.jobs.values()].map(({ ID }) => ID)).to.deep.equal([]);
    expect([...nomad.state.variables.keys()]).to.deep.equal([]);
  });

  namesCauseAndFix([...CONNECTION, ...RIGHTS], stage);
});
