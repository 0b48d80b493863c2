/**
 * Each rule of a well-formed program, broken once.
 */
import { expect } from "chai";
import { BOOLEAN, INT64, TEXT } from "../../../src/data/data-type.ts";
import type { Expression } from "../../../src/program/expression.ts";
import type { Operator } from "../../../src/program/operator.ts";
import type { Edge, Program, Vertex } from "../../../src/program/program.ts";
import { validateProgram } from "../../../src/program/validate.ts";
import { column, sampleProgram } from "./sample-program.ts";

const valid = sampleProgram();

function withVertex(id: number, change: (vertex: Vertex) => Vertex): Program {
  return { ...valid, vertices: valid.vertices.map((v) => (v.id === id ? change(v) : v)) };
}

function withOperator(id: number, change: object): Program {
  return withVertex(id, (v) => ({ ...v, operator: { ...v.operator, ...change } as Operator }));
}

function withEdge(id: number, change: Partial<Edge>): Program {
  return { ...valid, edges: valid.edges.map((e) => (e.id === id ? { ...e, ...change } : e)) };
}

const ID = column(0, { type: INT64, nullable: false });
const NAME = column(1, { type: TEXT, nullable: true });

const FAULTS: readonly (readonly [name: string, program: Program, message: string])[] = [
  ["a vertex out of place", { ...valid, vertices: valid.vertices.toReversed() }, "vertex 3 stands at position 0"],
  ["two vertices with one fingerprint", withVertex(2, (v) => ({ ...v, fingerprint: "a" })), "fingerprint a of vertex 2 is not unique"],
  ["an edge out of place", { ...valid, edges: valid.edges.toReversed() }, "edge 2 stands at position 0"],
  ["an edge to nowhere", withEdge(2, { target: 7 }), "edge 2 leads to a vertex that does not exist"],
  ["a cycle", withEdge(1, { source: 2, target: 1 }), "edge 1 leads from vertex 2 to 1: not topological"],
  ["a key that is no column", withEdge(1, { exchange: { kind: "keyed", keys: [5] } }), "edge 1 has key 5, its rows have 2 columns"],
  ["a keyed edge without keys", withEdge(1, { exchange: { kind: "keyed", keys: [] } }), "edge 1 is keyed without keys"],
  ["a port too many", withEdge(0, { port: 1 }), "edge 0 leads to port 1 of vertex 1"],
  ["an operator without input", withEdge(0, { target: 2 }), "port 0 of vertex 1 (project) has no input"],
  ["an operator without reader", { ...valid, edges: valid.edges.slice(0, 2) }, "vertex 2 (encode json) has no reader"],
  ["a column that does not exist", withOperator(1, { outputs: [ID, { ...NAME, index: 4 }] }), "vertex 1 (project) reads column 4 of 3"],
  [
    "a column read as another type",
    withOperator(1, { outputs: [{ ...ID, type: TEXT }, NAME] }),
    "vertex 1 (project) reads column 0 as TEXT, it is BIGINT",
  ],
  [
    "a nullable column read as NOT NULL",
    withOperator(1, { outputs: [ID, { ...NAME, nullable: false }] }),
    "vertex 1 (project) reads column 1 as NOT NULL",
  ],
  ["a column missing", withOperator(1, { outputs: [ID] }), "vertex 1 (project) has 1 expressions for 2 columns"],
  [
    "columns of the wrong type",
    withOperator(1, { outputs: [NAME, NAME] }),
    "column 0 of vertex 1 (project) is BIGINT, its expression TEXT",
  ],
  [
    "a shape over a missing column",
    withOperator(2, { shape: [{ name: "x", type: INT64, nullable: true, column: 3 }] }),
    "vertex 2 (encode json) has a shape over column 3 of 2",
  ],
  ["a key column that does not exist", withOperator(2, { keyColumns: [2] }), "vertex 2 (encode json) has key column 2"],
  [
    "NULL in a list",
    sampleProgram({
      kind: "in",
      value: NAME,
      list: [{ kind: "literal", value: null, type: TEXT, nullable: true }],
      type: BOOLEAN,
      nullable: true,
    }),
    "vertex 1 (project) has NULL in a list",
  ],
  [
    "an unknown function",
    sampleProgram({ kind: "call", function: "launch", arguments: [], type: BOOLEAN, nullable: false } as unknown as Expression),
    "vertex 1 (project) calls unknown function launch",
  ],
];

describe("validateProgram", () => {
  it("accepts a valid program", () => {
    validateProgram(valid);
  });

  for (const [name, program, message] of FAULTS) {
    it(`refuses ${name}`, () => {
      expect(() => validateProgram(program)).to.throw(message);
    });
  }
});
