/** Programs as graphs, previews of them, and the small decisions around pipelines. */
import { expect } from "chai";
import { hostName, isLoopback } from "../../../src/api/access.ts";
import { batches } from "../../../src/api/output-stream.ts";
import { graphOf, ProgramCache } from "../../../src/api/pipeline-graph.ts";
import { slugOf } from "../../../src/api/pipeline-requests.ts";
import { showSinks } from "../../../src/api/preview-program.ts";
import { definedTables, mentionedNames } from "../../../src/api/script-names.ts";
import { CONNECTOR_SPECS } from "../../../src/connectors/specs.ts";
import { encodeProgram } from "../../../src/program/codec.ts";
import { validateProgram } from "../../../src/program/validate.ts";
import { SqlParser } from "../../../src/sql/parse.ts";
import { planScript } from "../../../src/sql/plan.ts";

const JOIN = `CREATE TABLE n WITH (connector = 'nexmark', event_rate = '10');
  CREATE TABLE o (value TEXT) WITH (connector = 'single_file', path = 'x', format = 'raw_string', type = 'sink');
  CREATE VIEW a AS SELECT bid.auction AS k, tumble(interval '1 second') AS w, count(*) AS c FROM n GROUP BY 1, 2;
  CREATE VIEW b AS SELECT auction.id AS k, tumble(interval '1 second') AS w, count(*) AS c FROM n GROUP BY 1, 2;
  INSERT INTO o SELECT CAST(a.c AS TEXT) FROM a JOIN b ON a.k = b.k AND a.w = b.w;`;

describe("a program as a graph", () => {
  const parser = new SqlParser();
  after(() => parser.close());

  async function programOf(sql: string) {
    const planned = planScript(await parser.parse(sql), { connectors: CONNECTOR_SPECS });
    return planned.ok ? planned.program : expect.fail(planned.diagnostics[0]?.message);
  }

  it("has a node per vertex and says how rows travel, and which side of a join they are", async () => {
    const program = await programOf(JOIN);
    const { nodes, edges } = graphOf(program, 3);
    expect(nodes.map((node) => node.node_id)).to.deep.equal(program.vertices.map(({ id }) => id));
    expect(nodes[0]).to.include({ operator: "nexmark_source", table: "n", connector: "nexmark", parallelism: 3 });
    expect(nodes.at(-1)).to.include({ operator: "single_file_sink", table: "o", parallelism: 1 });
    const types = edges.map((edge) => edge.edge_type);
    expect(types).to.include.members(["Shuffle", "LeftJoin", "RightJoin", "Gather"]);
    expect(edges.find((edge) => edge.edge_type === "Shuffle")?.key_type).to.not.equal("");
  });

  it("is shown instead of written in a preview, and stays a valid program", async () => {
    const program = showSinks(await programOf(JOIN));
    validateProgram(program);
    expect(program.vertices.at(-1)?.operator).to.deep.equal({ kind: "sink", table: "o", connector: "preview", options: {} });
    expect(program.vertices.find(({ operator }) => operator.kind === "encode")?.operator).to.have.nested.property("format.kind", "json");
  });

  it("is decoded once, and not at all if another build made it", async () => {
    const cache = new ProgramCache();
    const text = encodeProgram(await programOf(JOIN));
    expect(cache.decode("pl_1", text)).to.equal(cache.decode("pl_1", text));
    expect(cache.decode("pl_1", '{"version":99}')).to.equal(undefined);
    expect(cache.decode("pl_2", undefined)).to.equal(undefined);
    for (let i = 0; i < 600; i++) cache.decode(`pl_x${i}`, "{}");
    expect(cache.decode("pl_1", text)?.fingerprint).to.be.a("string");
  });

  it("finds the names in a script wherever they stand", async () => {
    const sql = `CREATE VIEW v AS WITH c AS (SELECT f(x) AS y FROM Deep.Er) SELECT * FROM c; INSERT INTO "Out" SELECT a FROM t1 JOIN t2 ON g(t1.a) = t2.b WHERE a IN (SELECT z FROM t3)`;
    const { statements, diagnostics } = await parser.parse(sql);
    expect(diagnostics.all()).to.deep.equal([]);
    const { tables, functions } = mentionedNames(statements);
    expect([...tables].sort()).to.deep.equal(["c", "deep.er", "out", "t1", "t2", "t3"]);
    expect([...functions].sort()).to.deep.equal(["f", "g"]);
    expect([...definedTables(statements)]).to.deep.equal(["v"]);
  });
});

describe("names of pipelines and hosts", () => {
  it("become slugs that every scheduler takes", () => {
    const cases = {
      "Bids ÷ 2!": "bids-2",
      Évens: "evens",
      "  --x--  ": "x",
      日本: "pipeline",
      ["a".repeat(99)]: "a".repeat(40),
      [`${"a".repeat(39)}-b`]: "a".repeat(39),
    };
    for (const [name, slug] of Object.entries(cases)) expect(slugOf(name)).to.equal(slug);
  });

  it("of hosts are read without their ports, and only if they are names", () => {
    const cases: Readonly<Record<string, string | undefined>> = {
      "localhost:5115": "localhost",
      "[::1]:80": "[::1]",
      "A.b-c.example": "a.b-c.example",
      "a@b": undefined,
      "a/b": undefined,
      "a:b": undefined,
      "::1": undefined,
      "": undefined,
    };
    for (const [host, name] of Object.entries(cases)) expect(hostName(host), host).to.equal(name);
    expect(["127.0.0.1", "127.9.9.9", "::1", "localhost"].every(isLoopback)).to.equal(true);
    expect(["0.0.0.0", "::", "10.0.0.1", "127.0.0.1.example.com"].some(isLoopback)).to.equal(false);
  });
});

describe("rows of an output", () => {
  it("become one event while they follow each other in one subtask of one run", () => {
    const row = (cursor: number, subtask: number, rowNumber: number, runFence = 1) => ({
      cursor,
      runFence,
      vertex: 2,
      subtask,
      rowNumber,
      row: `{"n":${cursor}}`,
      receivedUs: cursor,
    });
    const made = batches([row(1, 0, 0), row(2, 0, 1), row(3, 1, 0), row(4, 0, 2), row(5, 0, 4), row(6, 0, 5, 2)]);
    expect(made.map(({ cursor, data }) => [cursor, data.subtask_idx, data.start_id, data.batch])).to.deep.equal([
      [2, 0, 0, '[{"n":1},{"n":2}]'],
      [3, 1, 0, '[{"n":3}]'],
      [4, 0, 2, '[{"n":4}]'],
      [5, 0, 4, '[{"n":5}]'],
      [6, 0, 5, '[{"n":6}]'],
    ]);
    expect(batches([])).to.deep.equal([]);
  });
});
