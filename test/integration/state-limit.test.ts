/** A slot whose state outgrows its limit: the real module through a whole run, which has to say what takes the memory. */
import { expect } from "chai";
import { compileModule } from "../../src/codegen/asc.ts";
import { ENTRY, generateModule } from "../../src/codegen/module.ts";
import { CONNECTOR_SPECS } from "../../src/connectors/specs.ts";
import type { AppError } from "../../src/core/errors.ts";
import { SqlParser } from "../../src/sql/parse.ts";
import { planScript } from "../../src/sql/plan.ts";
import { runPipeline } from "../../src/worker/embedded-run.ts";

const SQL = `CREATE TABLE events WITH (connector = 'impulse', event_rate = '1000000000', message_count = '2000000');
CREATE TABLE many (k BIGINT, n BIGINT) WITH (connector = 'blackhole', format = 'debezium_json', type = 'sink');
CREATE TABLE few (k BIGINT, n BIGINT) WITH (connector = 'blackhole', format = 'debezium_json', type = 'sink');
INSERT INTO many SELECT counter * 7919 AS k, count(*) AS n FROM events GROUP BY 1;
INSERT INTO few SELECT counter % 10 AS k, count(*) AS n FROM events GROUP BY 1;`;

const STATE_LIMIT = 4 << 20;

describe("state limit", function () {
  this.timeout(60_000);

  for (const parallelism of [1, 2]) {
    it(`fails the run at parallelism ${parallelism}, with the largest tables, their bytes and keys`, async () => {
      const parser = new SqlParser();
      const planned = planScript(await parser.parse(SQL, new Map()), { connectors: CONNECTOR_SPECS, defaultSink: "blackhole" });
      await parser.close();
      if (!planned.ok) return expect.fail(planned.diagnostics.map((d) => d.message).join("; "));
      const { program } = planned;
      const bytes = await compileModule(generateModule(program).sources, ENTRY, "preview");
      const run = runPipeline({ program, module: { kind: "wasm", bytes }, parallelism, stateLimit: STATE_LIMIT });
      const error: AppError = await run.then(
        () => expect.fail("the run did not fail"),
        (e: AppError) => e,
      );
      expect(error.code).to.equal("state-limit");
      const reached = Number(/^the state of a slot reached (\d+) bytes, above its limit$/.exec(error.message)?.[1]);
      expect(reached).to.be.within(STATE_LIMIT, 2 * STATE_LIMIT);
      const tables = [...(error.detail ?? "").matchAll(/"([^"]+)" with (\d+) bytes and (\d+) keys/g)];
      expect(tables, error.detail).to.have.length(2);
      const [largest, smallest] = tables.map(([, , size, keys]) => ({ size: Number(size), keys: Number(keys) }));
      expect(largest?.size).to.be.greaterThan(STATE_LIMIT / 2);
      expect(largest?.keys).to.be.greaterThan(10_000);
      expect(smallest?.keys).to.be.at.most(10);
      expect(error.hint).to.contain("state-limit");
    });
  }
});
