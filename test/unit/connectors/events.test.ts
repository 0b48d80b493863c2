/** Paced generators: which events at which time. That every event is made once is the conformance suite's. */
import { expect } from "chai";
import { PacedEvents, type PacedSpec } from "../../../src/connectors/impulse/source.ts";
import { makeNexmarkSource } from "../../../src/connectors/nexmark/source.ts";
import { ManualClock } from "../../../src/core/clock.ts";
import { Prng } from "../../../src/core/prng.ts";
import { rejection } from "../../support/rejection.ts";
import { checkpointed, drainEvents, subtaskContext } from "../../support/source-driver.ts";

const UNPACED: PacedSpec = { eventsPerSecond: undefined, eventCount: undefined, baseNs: 5n };

async function paced(spec: PacedSpec, clock = new ManualClock(), subtask = 0, parallelism = 1): Promise<PacedEvents> {
  const source = new PacedEvents(subtaskContext({}, subtask, parallelism), spec, clock);
  await source.open(undefined);
  return source;
}

describe("paced events", () => {
  it("keep the rate over all subtasks", async () => {
    const clock = new ManualClock();
    const sources = [0, 1, 2].map((s) => paced({ ...UNPACED, eventsPerSecond: 300 }, clock, s, 3));
    const prng = new Prng(1);
    const made = async (): Promise<number> => (await Promise.all(sources)).reduce((sum, s) => sum + drainEvents(s, prng).events.length, 0);
    expect(await made()).to.equal(0);
    await clock.advance(100);
    expect(await made()).to.be.within(28, 33);
    await clock.advance(900);
    expect(await made()).to.be.within(268, 272);
  });

  it("of event i go to subtask i mod parallelism", async () => {
    const source = await paced(UNPACED, new ManualClock(), 1, 3);
    expect(source.next(100)).to.deep.equal({ first: 1n, stride: 3, count: 100, baseNs: 5n });
  });

  it("catch up at a restore before they go on, in order of time", async () => {
    const old = [await paced(UNPACED, undefined, 0, 2), await paced(UNPACED, undefined, 1, 2)];
    old[0]?.produced(5, 8n);
    old[1]?.produced(2, 3n);
    const source = new PacedEvents(subtaskContext({}, 0, 1), { ...UNPACED, baseNs: 99n }, new ManualClock());
    await source.open(checkpointed(old));
    expect(source.watermark()).to.deep.equal({ ns: 3n, partition: 0 });
    expect(source.next(100)).to.deep.equal({ first: 5n, stride: 2, count: 3, baseNs: 5n });
    source.produced(3, 9n);
    expect(source.next(2)).to.deep.equal({ first: 10n, stride: 1, count: 2, baseNs: 5n });
    expect(source.positions()).to.have.length(1);
  });

  it("end at the table's last event, also for subtasks that have none", async () => {
    const source = await paced({ ...UNPACED, eventCount: 2n }, undefined, 2, 3);
    expect(source.next(10)).to.equal("end");
    expect(source.watermark()).to.equal("end");
    expect(source.bounded).to.equal(true);
  });

  it("of another version are refused", async () => {
    const source = new PacedEvents(subtaskContext({}), UNPACED, new ManualClock());
    await rejection(source.open([{ split: "0", version: 7 }]), "version-mismatch", "version 7");
  });

  it("name the event in messages", async () => {
    expect((await paced(UNPACED)).describe(0, 12n)).to.equal('event 12 of table "events"');
  });
});

describe("nexmark source", () => {
  it("has the same base time in every bounded run, and makes as fast as it can", async () => {
    const source = makeNexmarkSource(subtaskContext({ event_rate: 10, runtime: 3 }), new ManualClock(77n));
    await source.open(undefined);
    expect(source.next(100)).to.deep.equal({ first: 0n, stride: 1, count: 30, baseNs: 1_436_918_400_000_000_000n });
  });

  it("takes the smaller of runtime and message_count", async () => {
    const source = makeNexmarkSource(subtaskContext({ event_rate: 10, runtime: 3, message_count: 7 }), new ManualClock());
    await source.open(undefined);
    expect(source.next(100)).to.include({ count: 7 });
  });

  it("keeps its rate from now on when it has no end", async () => {
    const clock = new ManualClock(77n);
    const source = makeNexmarkSource(subtaskContext({ event_rate: 10 }), clock);
    await source.open(undefined);
    expect(source.next(100)).to.equal("idle");
    await clock.advance(1000);
    expect(source.next(100)).to.include({ count: 10, baseNs: 77n });
  });
});
