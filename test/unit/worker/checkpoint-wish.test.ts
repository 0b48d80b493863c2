/** A wish for a checkpoint: when the controller is asked, which epoch counts as the answer, and what is said where there is none. */
import { expect } from "chai";
import { ManualClock } from "../../../src/core/clock.ts";
import type { ActionOutcome } from "../../../src/rpc/admin-server.ts";
import { type WishView, wishCheckpoint } from "../../../src/worker/checkpoint-wish.ts";

const LIMIT_MS = 5_000;

describe("a wish for a checkpoint", () => {
  let clock: ManualClock;
  let view: WishView;
  let asked: number;
  let over: AbortController;
  let outcome: ActionOutcome | undefined;

  beforeEach(() => {
    clock = new ManualClock();
    view = { obstacle: undefined, started: 4, complete: 4 };
    asked = 0;
    over = new AbortController();
    outcome = undefined;
  });

  async function wish(): Promise<void> {
    const ask = (): void => {
      asked += 1;
    };
    void wishCheckpoint({ clock, view: () => view, ask, over: over.signal, limitMs: LIMIT_MS }).then((came) => {
      outcome = came;
    });
    await clock.advance(0);
  }

  it("asks at once and answers with the epoch that began afterwards", async () => {
    await wish();
    expect(asked).to.equal(1);
    view = { ...view, started: 5 };
    await clock.advance(2_000);
    expect(outcome).to.equal(undefined);
    view = { ...view, complete: 5 };
    await clock.advance(50);
    expect(outcome).to.deep.equal({ ok: true, text: "epoch 5 is complete, after 2050 ms" });
    expect(asked).to.equal(1);
  });

  it("waits for an epoch that is under way, which is older than the wish", async () => {
    view = { ...view, started: 5 };
    await wish();
    await clock.advance(1_000);
    expect(asked).to.equal(0);
    view = { ...view, complete: 5 };
    await clock.advance(50);
    expect(asked).to.equal(1);
    expect(outcome).to.equal(undefined);
    view = { ...view, started: 6, complete: 6 };
    await clock.advance(50);
    expect(outcome?.text).to.match(/^epoch 6 is complete/);
  });

  it("asks again where nothing comes of it, and says in the end that none has begun", async () => {
    await wish();
    await clock.advance(LIMIT_MS);
    expect(asked).to.be.within(5, 11);
    expect(outcome).to.deep.equal({ ok: false, text: "no checkpoint: the controller has begun none within 5 s" });
  });

  it("says that the one it began, or the one before, is not complete in time", async () => {
    await wish();
    view = { ...view, started: 5 };
    await clock.advance(LIMIT_MS);
    expect(outcome).to.deep.equal({ ok: false, text: "epoch 5 has begun and is not complete within 5 s; it goes on" });
    outcome = undefined;
    await wish();
    await clock.advance(LIMIT_MS);
    expect(outcome).to.deep.equal({ ok: false, text: "no checkpoint: epoch 5, which was under way, is not complete within 5 s" });
  });

  it("says at once what is in the way, unless the checkpoint has begun", async () => {
    view = { ...view, obstacle: "no controller is connected" };
    await wish();
    expect(outcome).to.deep.equal({ ok: false, text: "no checkpoint: no controller is connected" });
    expect(asked).to.equal(0);
    outcome = undefined;
    view = { ...view, obstacle: undefined };
    await wish();
    view = { obstacle: "no controller is connected", started: 5, complete: 4 };
    await clock.advance(500);
    expect(outcome).to.equal(undefined);
    over.abort();
    await clock.advance(50);
    expect(outcome).to.deep.equal({ ok: false, text: "no checkpoint: the worker ends" });
  });
});
