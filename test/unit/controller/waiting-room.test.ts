/** Workers of a prepared run wait: leases, slots enough, ends. */
import { expect } from "chai";
import { HEARTBEAT_INTERVAL_MS, WORKER_RENEWAL_MS } from "../../../src/controller/run-messages.ts";
import { WaitingRoom } from "../../../src/controller/waiting-room.ts";
import type { JobId, RunId, WorkerId } from "../../../src/core/ids.ts";
import { Register } from "../../../src/gen/controller.ts";
import type { RunReport } from "../../../src/job/event.ts";
import type { ControllerBody } from "../../../src/rpc/refusal.ts";
import type { WorkerSession } from "../../../src/rpc/worker-server.ts";

const KEY = { job: "job_a" as JobId, run: "run_ar2" as RunId, fence: 2n };

interface FakeSession extends WorkerSession {
  readonly heard: ControllerBody[];
  over: boolean;
}

function session(workerId: string, slots: number): FakeSession {
  const heard: ControllerBody[] = [];
  const fake: FakeSession = {
    peer: "127.0.0.1:1",
    register: Register.fromPartial({ workerId, slots }),
    fence: { jobId: KEY.job, runId: KEY.run, fence: KEY.fence },
    heard,
    over: false,
    send: (body: ControllerBody) => void heard.push(body),
    close: () => {
      fake.over = true;
    },
  };
  return fake;
}

describe("waiting room", () => {
  let reports: RunReport[] = [];
  let room: WaitingRoom;

  beforeEach(() => {
    reports = [];
    room = new WaitingRoom({ key: KEY, parallelism: 4, report: (report) => void reports.push(report) });
  });

  it("tells once that there are slots enough", () => {
    room.attach(session("wk_a", 3), 0);
    expect(reports).to.deep.equal([]);
    room.attach(session("wk_b", 1), 0);
    room.attach(session("wk_c", 1), 0);
    expect(reports).to.deep.equal([{ kind: "prepared" }]);
  });

  it("does not count a worker whose stream is over, and counts one that is back once", () => {
    const first = session("wk_a", 3);
    room.attach(first, 0);
    room.detach(first);
    room.attach(session("wk_b", 1), 0);
    expect(reports).to.deep.equal([]);
    room.attach(session("wk_a", 3), 0);
    expect(reports).to.deep.equal([{ kind: "prepared" }]);
  });

  it("renews leases as often as those of a run", () => {
    const guest = session("wk_a", 1);
    room.attach(guest, 0);
    room.tick(WORKER_RENEWAL_MS - 1);
    expect(guest.heard).to.deep.equal([]);
    room.tick(WORKER_RENEWAL_MS);
    room.tick(WORKER_RENEWAL_MS + 1);
    expect(guest.heard.map(({ $case }) => $case)).to.deep.equal(["leaseRenewal"]);
  });

  it("tells when one fails, leaves or is gone, whether it had registered or not", () => {
    const guest = session("wk_a", 1);
    room.attach(guest, 0);
    room.message(guest, { $case: "leave", value: { reason: "SIGTERM", deadlineMs: 1 } });
    room.message(guest, { $case: "failed", value: { error: undefined, subtask: undefined } });
    room.exited("wk_b" as WorkerId, "killed");
    room.exited(undefined, "killed");
    expect(reports.map(({ kind }) => kind)).to.deep.equal(["lost", "lost", "lost"]);
  });

  it("tells of a worker whose machine is gone before it came, and waits a moment for one that is heard again", () => {
    const [a, b, c] = ["wk_a", "wk_b", "wk_c"] as [WorkerId, WorkerId, WorkerId];
    for (const worker of [a, b, c]) room.reached(worker, false, 0);
    room.reached(b, true, 1_000);
    room.attach(session(c, 1), 1_000);
    room.tick(2 * HEARTBEAT_INTERVAL_MS - 1);
    expect(reports).to.deep.equal([]);
    room.tick(2 * HEARTBEAT_INTERVAL_MS);
    room.tick(4 * HEARTBEAT_INTERVAL_MS);
    expect(reports.map((report) => (report.kind === "lost" ? report.error.message : ""))).to.deep.equal([
      "the scheduler does not hear of the machine of worker wk_a any more",
    ]);
  });

  it("hands over those who wait, or tells them that they are not needed", () => {
    const [a, b] = [session("wk_a", 1), session("wk_b", 1)];
    room.attach(a, 0);
    expect(room.leave()).to.deep.equal([a]);
    room.attach(b, 0);
    room.refuse("another run is prepared");
    expect([a.over, b.over]).to.deep.equal([false, true]);
    expect(b.heard.map(({ $case }) => $case)).to.deep.equal(["fenced"]);
    expect(room.leave()).to.deep.equal([]);
  });
});
