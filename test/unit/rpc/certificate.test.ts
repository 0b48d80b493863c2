/** Certificates of our own authority, as Node reads them, and the names by which controllers and workers know each other. */
import { generateKeyPairSync, X509Certificate } from "node:crypto";
import type { PeerCertificate } from "node:tls";
import { expect } from "chai";
import { issueCertificate, makeAuthority, makeKeyPair } from "../../../src/rpc/certificate.ts";
import { checkWorker, isLoopback, wantsTls, workerName } from "../../../src/rpc/tls.ts";
import { refusal } from "../../support/rejection.ts";

const NOW_MS = 1_800_000_000_000;
const DAY_MS = 86_400_000;
const FENCE = { jobId: "job_a", runId: "run_a", fence: 3n };

describe("a certificate", () => {
  const authority = makeAuthority("wadi cluster", NOW_MS, NOW_MS + DAY_MS);
  const key = makeKeyPair();
  const wish = { commonName: "a worker", publicKey: key.publicKey, notBeforeMs: NOW_MS, notAfterMs: NOW_MS + DAY_MS };
  const issue = (names: readonly string[]): X509Certificate => new X509Certificate(issueCertificate(authority, { ...wish, names }));

  it("is signed by its authority for the key, the names and the time that were asked for", () => {
    const issuer = new X509Certificate(authority.certificate);
    const made = issue(["host.example", "10.0.0.1", "fd00::1", "wadi://run/job_a/run_a/3/wk_a"]);
    expect([issuer.ca, made.ca, made.checkIssued(issuer), made.verify(issuer.publicKey)]).to.deep.equal([true, false, true, true]);
    expect(made.subjectAltName).to.equal(
      "DNS:host.example, IP Address:10.0.0.1, IP Address:FD00:0:0:0:0:0:0:1, URI:wadi://run/job_a/run_a/3/wk_a",
    );
    expect(made.publicKey.export({ type: "spki", format: "der" }).equals(Buffer.from(key.publicKey))).to.equal(true);
    expect([Date.parse(made.validFrom), Date.parse(made.validTo)]).to.deep.equal([NOW_MS, NOW_MS + DAY_MS]);
    expect(made.issuer).to.equal("CN=wadi cluster");
  });

  it("of another authority is none of this one's", () => {
    const other = new X509Certificate(makeAuthority("wadi cluster", NOW_MS, NOW_MS + DAY_MS).certificate);
    expect(issue([]).verify(other.publicKey)).to.equal(false);
  });

  it("is given to keys of EC on P-256 and to nothing else", async () => {
    const spki = (pair: { readonly publicKey: ReturnType<typeof generateKeyPairSync>["publicKey"] }): Uint8Array =>
      new Uint8Array(pair.publicKey as never);
    const encoding = { publicKeyEncoding: { type: "spki", format: "der" }, privateKeyEncoding: { type: "pkcs8", format: "der" } } as const;
    const weak = spki(generateKeyPairSync("rsa", { modulusLength: 1024, ...encoding }));
    const other = spki(generateKeyPairSync("ec", { namedCurve: "secp256k1", ...encoding }));
    for (const publicKey of [weak, other, new Uint8Array([1, 2, 3])]) {
      await refusal(() => issueCertificate(authority, { ...wish, publicKey, names: [] }), "permission-denied", "P-256");
    }
  });

  it("of a worker is good for its own run, whatever the worker calls itself", () => {
    const named = (workerId: string): PeerCertificate =>
      ({ subjectaltname: issue([workerName(FENCE, workerId)]).subjectAltName }) as PeerCertificate;
    expect(checkWorker(FENCE, named("wk_a"))).to.equal(undefined);
    for (const other of [
      { ...FENCE, jobId: "job_b" },
      { ...FENCE, runId: "run_b" },
      { ...FENCE, fence: 33n },
      { ...FENCE, fence: 4n },
    ]) {
      expect(checkWorker(other, named("wk_a"))).to.be.instanceOf(Error);
      expect(checkWorker(other, named(`x, URI:${workerName(other, "wk_a")}`))).to.be.instanceOf(Error);
      expect(checkWorker(other, named(`../../${other.jobId}/${other.runId}/${other.fence}/wk`))).to.be.instanceOf(Error);
    }
  });
});

describe("TLS", () => {
  it("is spoken where somebody else could listen, unless somebody decides", () => {
    for (const host of ["127.0.0.1", "127.8.0.1", "::1", "[::1]", "localhost"]) expect(isLoopback(host), host).to.equal(true);
    for (const host of ["0.0.0.0", "::", "10.0.0.1", "localhost.example", "machine", ""]) expect(isLoopback(host), host).to.equal(false);
    expect([wantsTls("auto", "127.0.0.1"), wantsTls("auto", "10.0.0.1")]).to.deep.equal([false, true]);
    expect([wantsTls("on", "127.0.0.1"), wantsTls("off", "10.0.0.1")]).to.deep.equal([true, false]);
  });
});
