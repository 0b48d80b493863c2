/** What the node scheduler remembers in the database: written by whoever leads, refused to whoever has been superseded. */
import { expect } from "chai";
import { systemClock } from "../../src/core/clock.ts";
import { type Database, openDatabase } from "../../src/db/connection.ts";
import { acquireLease } from "../../src/db/leases.ts";
import { migrateDatabase } from "../../src/db/migrate.ts";
import { deleteSchedulerRecords, readSchedulerRecords, writeSchedulerRecord } from "../../src/db/scheduler-records.ts";
import { startPglite } from "../support/databases.ts";
import { eventually } from "../support/eventually.ts";
import { rejection } from "../support/rejection.ts";

describe("records of the scheduler", function () {
  this.timeout(60_000);
  const server = startPglite();
  let db: Database;
  before(async () => {
    db = openDatabase(await server.create());
    await migrateDatabase(db, { clock: systemClock, claimant: "test", release: "test" });
  });
  after(async () => {
    await db.destroy();
    await server.stop();
  });

  const lead = async (holder: string): Promise<bigint> => {
    const attempt = () => acquireLease(db, "controller", { holder, endpoint: "", release: "", protocol: 1 }, 1);
    return eventually("the lease is free", async () => {
      const answer = await attempt();
      return answer.kind === "held" ? answer.fencingEpoch : undefined;
    });
  };

  it("are what was written last, by key and scheduler", async () => {
    const epoch = await lead("one");
    await writeSchedulerRecord(db, "node", epoch, { key: "job:a", record: "1" });
    await writeSchedulerRecord(db, "node", epoch, { key: "job:b", record: "2" });
    await writeSchedulerRecord(db, "node", epoch, { key: "job:a", record: "3" });
    await writeSchedulerRecord(db, "other", epoch, { key: "job:a", record: "4" });
    expect(await readSchedulerRecords(db, "node")).to.deep.equal([
      { key: "job:a", record: "3" },
      { key: "job:b", record: "2" },
    ]);
    await deleteSchedulerRecords(db, "node", epoch, ["job:b"]);
    await deleteSchedulerRecords(db, "node", epoch, []);
    expect(await readSchedulerRecords(db, "node")).to.deep.equal([{ key: "job:a", record: "3" }]);
  });

  it("are not changed by a controller that does not lead any more, not even new ones", async () => {
    const old = await lead("two");
    await writeSchedulerRecord(db, "node", old, { key: "job:a", record: "old" });
    const young = await lead("three");
    expect(young > old).to.equal(true);
    await rejection(writeSchedulerRecord(db, "node", old, { key: "job:a", record: "late" }), "fenced");
    await rejection(writeSchedulerRecord(db, "node", old, { key: "job:new", record: "late" }), "fenced");
    await writeSchedulerRecord(db, "node", young, { key: "job:a", record: "young" });
    await deleteSchedulerRecords(db, "node", old, ["job:a"]);
    expect(await readSchedulerRecords(db, "node")).to.deep.equal([{ key: "job:a", record: "young" }]);
  });
});
