/** The API while its database is away: it answers what needs none, says so otherwise, and goes on when it is back. */
import { expect } from "chai";
import { ApiStage } from "../support/api-stage.ts";
import { DatabaseProxy } from "../support/database-proxy.ts";
import { type DatabaseServer, postgresAbsence, startPostgres } from "../support/databases.ts";
import { eventually } from "../support/eventually.ts";
import { requires } from "../support/requirement.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const IMPULSE = "CREATE TABLE t WITH (connector = 'impulse', event_rate = '10'); SELECT counter FROM t;";

describe("the API without its database", function () {
  this.timeout(120_000);
  requires("postgres", postgresAbsence);
  let server: DatabaseServer;
  let proxy: DatabaseProxy;
  let stage: ApiStage;

  before(async function () {
    server = await startPostgres();
    const where = await server.create();
    if (!where.host.startsWith("/")) return this.skip();
    const folder = temporaryFolder("proxy");
    proxy = new DatabaseProxy(folder, where.host, where.port);
    await proxy.open();
    stage = await ApiStage.open({ ...where, host: folder });
    return undefined;
  });
  after(async () => {
    await stage?.close();
    proxy?.close();
    await server?.stop();
  });

  it("answers 503 in words, streams say it too, and everything works again afterwards", async () => {
    const { id, job_id: job } = await stage.ok("POST", "/pipelines", { name: "p", query: IMPULSE });
    const streaming = stage.stream("GET", `/pipelines/${id}/jobs/${job}/output`, { until: (events) => events.length > 0 });
    await eventually("the reader has come", async () =>
      (await stage.db("output_requests").pluck("vertex")).length > 0 ? true : undefined,
    );
    proxy.close();
    const [event] = await streaming;
    expect(event?.event).to.equal("error");
    expect(event?.data.error).to.contain("database");
    expect((await stage.call("GET", "/ping")).status).to.equal(200);
    expect((await stage.call("POST", "/udfs/validate", { body: { definition: "" } })).status).to.equal(200);
    await stage.refused(503, "GET", "/jobs", {}, "database: listing jobs");
    await proxy.open();
    expect((await stage.ok("GET", "/jobs")).data).to.have.length(1);
  });
});
