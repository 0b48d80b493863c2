/**
 * The codec: what goes out comes back, and what this build does not read is refused in words.
 */
import { expect } from "chai";
import { INT64, TEXT, TIMESTAMP } from "../../../src/data/data-type.ts";
import { decodeProgram, encodeProgram } from "../../../src/program/codec.ts";
import type { LiteralExpression } from "../../../src/program/expression.ts";
import type { Program } from "../../../src/program/program.ts";
import { sampleProgram } from "./sample-program.ts";

const literal = (value: LiteralExpression["value"], type: LiteralExpression["type"]): LiteralExpression => ({
  kind: "literal",
  value,
  type,
  nullable: value === null,
});

function withOutput(value: LiteralExpression): Program {
  const program = sampleProgram();
  const vertices = program.vertices.map((v) => {
    if (v.operator.kind !== "compute") return v;
    const outputs = v.operator.outputs.map((o, i) => (i === 0 ? value : o));
    const columns = v.output.columns.map((c, i) => (i === 0 ? { ...c, type: value.type, nullable: value.nullable } : c));
    return { ...v, operator: { ...v.operator, outputs }, output: { ...v.output, columns } };
  });
  const encode = vertices.map((v) => {
    if (v.operator.kind !== "encode") return v;
    return { ...v, operator: { ...v.operator, shape: v.operator.shape.map((f, i) => (i === 0 ? { ...f, type: value.type } : f)) } };
  });
  return { ...program, vertices: encode };
}

describe("program codec", () => {
  it("gives back an equal program, and equal text for it", () => {
    const program = sampleProgram();
    expect(decodeProgram(encodeProgram(program))).to.deep.equal(program);
    expect(encodeProgram(decodeProgram(encodeProgram(program)))).to.equal(encodeProgram(program));
  });

  const values: readonly (readonly [string, LiteralExpression])[] = [
    ["the smallest BIGINT", literal(-(2n ** 63n), INT64)],
    ["a timestamp in nanoseconds", literal(1_700_000_000_123_456_789n, TIMESTAMP)],
    ["NaN", literal(Number.NaN, { kind: "float64" })],
    ["−0", literal(-0, { kind: "float64" })],
    ["infinity", literal(Number.NEGATIVE_INFINITY, { kind: "float64" })],
    ["bytes", literal(new Uint8Array([0, 255, 34]), { kind: "bytes" })],
    ["text with quotes and NUL", literal('"\\\u0000é', TEXT)],
    ["NULL", literal(null, TEXT)],
  ];
  for (const [name, value] of values) {
    it(`keeps ${name} exactly`, () => {
      const [, compute] = decodeProgram(encodeProgram(withOutput(value))).vertices;
      expect(compute?.operator.kind === "compute" && compute.operator.outputs[0]).to.deep.equal(value);
    });
  }

  it("refuses another version by both numbers", () => {
    const text = encodeProgram(sampleProgram()).replace('"version":1', '"version":2');
    expect(() => decodeProgram(text)).to.throw("program has version 2, this build reads version 1");
  });

  it("refuses an operator that it does not know by its name", () => {
    const text = encodeProgram(sampleProgram()).replace('"kind":"compute"', '"kind":"teleport"');
    expect(() => decodeProgram(text)).to.throw('program has an unknown operator "teleport" at vertex 1');
  });

  it("refuses text that is no program", () => {
    for (const text of ["", "{", "[]", "null", "{}", '{"version":1}']) expect(() => decodeProgram(text), text).to.throw();
  });

  it("refuses a program that breaks a rule", () => {
    const text = encodeProgram(sampleProgram()).replace('"target":1', '"target":9');
    expect(() => decodeProgram(text)).to.throw("edge 0 leads to a vertex that does not exist");
  });
});
