/** Pushing metrics where nobody listens. */
import { expect } from "chai";
import { ManualClock } from "../../../src/core/clock.ts";
import { makeLogger } from "../../../src/core/log.ts";
import { systemRandom } from "../../../src/core/prng.ts";
import { MetricsPush } from "../../../src/worker/metrics-push.ts";
import { eventually } from "../../support/eventually.ts";
import { freePorts } from "../../support/free-ports.ts";

describe("a worker's push of metrics", () => {
  let asked = 0;
  const lines: string[] = [];
  const registry = {
    contentType: "text/plain",
    metrics: async (): Promise<string> => {
      asked += 1;
      return "";
    },
  };
  beforeEach(() => {
    asked = 0;
    lines.length = 0;
  });

  function open(clock: ManualClock): MetricsPush {
    const logger = makeLogger({ level: "info", format: "json", write: (line) => void lines.push(line) });
    return new MetricsPush({ group: { job: "job_a", run: "1", worker: "wk_a" }, registry, clock, random: systemRandom, logger });
  }

  it("tells of a Pushgateway that is away once a minute, and goes on trying", async () => {
    const clock = new ManualClock();
    const push = open(clock);
    const [port = 0] = await freePorts(1);
    push.follow(`http://127.0.0.1:${port}`, 5);
    const times = (count: number): Promise<true> => eventually(`${count} pushes`, () => (asked >= count ? true : undefined), 30_000);
    await times(5);
    expect(lines).to.have.length(1);
    expect(lines[0]).to.contain("metrics could not be pushed; the work goes on");
    await clock.advance(60_000);
    await times(asked + 5);
    expect(lines).to.have.length(2);
    await push.finish();
    const last = asked;
    push.follow(`http://127.0.0.1:${port}`, 1);
    await push.finish();
    expect(asked).to.equal(last);
  });

  it("pushes nothing where nobody said where to, and tells of an address that is none", async () => {
    const push = open(new ManualClock());
    push.follow("", 5);
    await push.finish();
    expect(lines).to.deep.equal([]);
    const other = open(new ManualClock());
    other.follow("ftp://user:secret@host", 5);
    await other.finish();
    expect(asked).to.equal(0);
    expect(lines.join()).to.contain("is not the URL of a Pushgateway").and.not.to.contain("secret");
  });
});
