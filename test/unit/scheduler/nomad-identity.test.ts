/** Workload identities of Nomad: who is believed, who is not, and what happens while Nomad is away. */
import { expect } from "chai";
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from "jose";
import { ManualClock } from "../../../src/core/clock.ts";
import { externalError, toAppError } from "../../../src/core/errors.ts";
import type { JobId, RunId } from "../../../src/core/ids.ts";
import { makeLogger, silentLogger } from "../../../src/core/log.ts";
import { type KeyMemory, NomadIdentities, type NomadIdentityOptions } from "../../../src/scheduler/nomad/identity.ts";
import type { RunKey } from "../../../src/scheduler/scheduler.ts";
import { eventually } from "../../support/eventually.ts";
import { rejection } from "../../support/rejection.ts";

const RUN: RunKey = { job: "job_a" as JobId, run: "run_a" as RunId, fence: 3n };
const ALLOCATION = "8d4f0dbb-0d2a-4d2f-9b52-000000000001";
const HOUR_S = 3_600;

interface Key {
  readonly kid: string;
  readonly alg: string;
  readonly jwk: object;
  readonly privateKey: Awaited<ReturnType<typeof generateKeyPair>>["privateKey"];
}

async function makeKey(kid: string, alg = "RS256"): Promise<Key> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, alg, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: "sig" } };
}

describe("the identity of a worker on Nomad", () => {
  let clock: ManualClock;
  let first: Key;
  let second: Key;
  let published: readonly Key[];
  let memory: KeyMemory | undefined;
  let away: boolean;
  let hangs: boolean;
  let fetches: number;
  let placed: NomadIdentityOptions["placed"];
  let identities: NomadIdentities;

  before(async () => {
    first = await makeKey("one");
    second = await makeKey("two");
  });

  beforeEach(() => {
    clock = new ManualClock(1_800_000_000_000_000_000n);
    published = [first];
    memory = undefined;
    away = false;
    hangs = false;
    fetches = 0;
    placed = async () => true;
    identities = make();
  });

  function make(logger = silentLogger): NomadIdentities {
    return new NomadIdentities({
      fetchKeys: async () => {
        fetches += 1;
        if (hangs) await new Promise(() => undefined);
        if (away) throw externalError("connection-lost", "Nomad does not answer");
        return { keys: published.map(({ jwk }) => jwk) };
      },
      namespace: "default",
      isJobOf: ({ job, run }, id) => id === `w-sales-${job}-${run}`,
      memory,
      placed: (run, allocation) => placed(run, allocation),
      clock,
      logger,
    });
  }

  const nowS = (): number => Number(clock.nowNs() / 1_000_000_000n);

  function token(claims: JWTPayload = {}, key = first): Promise<string> {
    const all = {
      nomad_namespace: "default",
      nomad_job_id: "w-sales-job_a-run_a",
      nomad_allocation_id: ALLOCATION,
      aud: ["wadi"],
      iat: nowS(),
      nbf: nowS(),
      exp: nowS() + HOUR_S,
      ...claims,
    };
    return new SignJWT(all).setProtectedHeader({ alg: key.alg, kid: key.kid, typ: "JWT" }).sign(key.privateKey);
  }

  const verify = (text: string): Promise<void> => identities.verify(RUN, ALLOCATION, text);

  async function refusal(text: string): Promise<string> {
    try {
      await verify(text);
    } catch (thrown) {
      const error = toAppError(thrown);
      expect([error.code, error.retry]).to.deep.equal(["permission-denied", "never"]);
      expect(JSON.stringify([error.message, error.hint, error.detail])).not.to.contain(text);
      return error.message;
    }
    return expect.fail("it was believed");
  }

  it("is believed if Nomad signed it for this run and allocation, with either kind of key", async () => {
    await verify(await token());
    const old = await makeKey("old", "EdDSA");
    published = [first, old];
    await clock.advance(6_000);
    await verify(await token({}, old));
  });

  it("is refused in words for whatever it says of somebody else", async () => {
    expect(await refusal(await token({ aud: "vault.io" }))).to.contain('made for "vault.io", not for "wadi"');
    expect(await refusal(await token({ nomad_namespace: "other" }))).to.contain('of namespace "other", not "default"');
    expect(await refusal(await token({ nomad_job_id: "w-sales-job_a-run_b" }))).to.contain(
      'of Nomad job "w-sales-job_a-run_b", not of run run_a',
    );
    expect(await refusal(await token({ nomad_allocation_id: "another" }))).to.contain('of allocation "another"');
  });

  it("is refused once it has expired, and believed within the difference that clocks may have", async () => {
    const late = await token({ exp: nowS() - 59 });
    await verify(late);
    await clock.advance(2_000);
    expect(await refusal(late)).to.match(/expired at \d{4}-/);
    await verify(await token({ nbf: nowS() + 59 }));
    expect(await refusal(await token({ nbf: nowS() + 62 }))).to.contain("not valid yet");
  });

  it("is refused without an end, without a signature, with a shared secret for one, and as garbage", async () => {
    expect(await refusal(await token({ exp: undefined as unknown as number }))).to.contain('claim "exp"');
    const [, body = ""] = (await token()).split(".");
    const unsigned = `${Buffer.from('{"alg":"none"}').toString("base64url")}.${body}.`;
    expect(await refusal(unsigned)).to.contain("not signed as Nomad signs");
    const secret = new TextEncoder().encode("a secret of thirty-two characters");
    const shared = await new SignJWT({ aud: "wadi" }).setProtectedHeader({ alg: "HS256", kid: "one" }).setExpirationTime("1h").sign(secret);
    expect(await refusal(shared)).to.contain("not signed as Nomad signs");
    expect(await refusal("garbage")).to.contain("no signed token");
  });

  it("is refused with a key of the same name that is not Nomad's, and with a changed body", async () => {
    const forged = await makeKey("one");
    expect(await refusal(await token({}, forged))).to.contain("signature is wrong");
    const [head, , signature] = (await token()).split(".");
    const [, body] = (await token({ nomad_allocation_id: ALLOCATION, extra: 1 })).split(".");
    expect(await refusal(`${head}.${body}.${signature}`)).to.contain("signature is wrong");
  });

  it("is believed with a new key after a rotation, and Nomad is not asked for every stranger", async () => {
    await verify(await token());
    published = [first, second];
    await clock.advance(6_000);
    await verify(await token({}, second));
    expect(fetches).to.equal(2);
    const stranger = await token({}, await makeKey("nobody's"));
    const asked = await rejection(verify(stranger), "connection-lost");
    expect(asked.retry).to.equal("backoff");
    expect(fetches).to.equal(2);
    await clock.advance(6_000);
    expect(await refusal(stranger)).to.contain("none of Nomad's keys");
    expect(fetches).to.equal(3);
  });

  it("is no longer believed with a key that Nomad has withdrawn", async () => {
    const before = await token({ exp: nowS() + 24 * HOUR_S });
    await verify(before);
    published = [second];
    await clock.advance(16 * 60_000);
    expect(await refusal(before)).to.contain("none of Nomad's keys");
  });

  it("is believed by the known keys while Nomad is away, however long", async () => {
    await identities.warmUp();
    away = true;
    placed = async () => {
      throw externalError("connection-lost", "Nomad does not answer");
    };
    for (let minute = 0; minute < 60; minute += 10) {
      await clock.advance(10 * 60_000);
      await verify(await token());
    }
    expect(fetches).to.be.greaterThan(2);
  });

  it("is believed by the known keys while Nomad hangs, without waiting for it", async () => {
    await verify(await token());
    await clock.advance(20 * 60_000);
    hangs = true;
    placed = () => new Promise(() => undefined);
    let believed = false;
    void verify(await token()).then(() => {
      believed = true;
    });
    await eventually("it is believed", async () => {
      await clock.advance(1_000);
      return believed || undefined;
    });
  });

  it("is believed by a controller that starts while Nomad is away, with the keys that an earlier one has kept", async () => {
    let kept: string | undefined;
    const keep = async (text: string): Promise<void> => {
      kept = text;
    };
    memory = { read: async () => kept, keep };
    identities = make();
    await verify(await token());
    expect(kept).to.contain('"kid":"one"').and.not.contain('"d"');
    away = true;
    identities = make();
    await verify(await token());
    away = false;
    published = [second];
    await clock.advance(6_000);
    expect(await refusal(await token())).to.contain("none of Nomad's keys");
    kept = "damaged";
    away = true;
    identities = make();
    await rejection(verify(await token()), "connection-lost");
  });

  it("is asked for again later if Nomad's keys have never been read", async () => {
    away = true;
    const error = await rejection(verify(await token()), "connection-lost", "Nomad does not answer");
    expect(error.retry).to.equal("backoff");
    away = false;
    await clock.advance(6_000);
    await verify(await token());
  });

  it("is refused if Nomad says that the allocation is not one of the run's", async () => {
    placed = async () => false;
    expect(await refusal(await token())).to.contain("is not one of the run's");
    placed = async () => undefined;
    await verify(await token());
  });

  it("is fetched for once for a hundred workers at a time", async () => {
    const text = await token();
    await Promise.all(Array.from({ length: 100 }, () => verify(text)));
    expect(fetches).to.equal(1);
  });

  it("is never in the log", async () => {
    const lines: string[] = [];
    identities = make(makeLogger({ level: "debug", format: "json", write: (line) => lines.push(line) }));
    const text = await token({ aud: "x" });
    await refusal(text);
    away = true;
    await clock.advance(20 * 60_000);
    await refusal(text);
    expect(lines).not.to.have.length(0);
    for (const part of text.split(".")) expect(lines.join()).not.to.contain(part);
  });
});
