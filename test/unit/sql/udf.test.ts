/** TypeScript text as functions of SQL: signatures, refusals with their place, and JavaScript whose lines are the user's. */
import { expect } from "chai";
import { parseUdfs } from "../../../src/sql/udf/definition.ts";

function problemOf(text: string): string {
  const { problems } = parseUdfs(text);
  const [first] = problems;
  return first === undefined ? "none" : `${first.line}:${first.column} ${first.message}`;
}

describe("functions in TypeScript", () => {
  it("takes every exported function with its types, and NULL where the signature says so", () => {
    const { definitions, problems } = parseUdfs(`
      function twice(x: number): number { return 2 * x; }
      export type Label = "a" | "b";
      export function area(width: number, height: number | null): number | null { return height === null ? null : twice(width) * height; }
      export function tag(id: bigint, at: Date, ok: boolean): string { return id + at.toISOString() + ok; }
    `);
    expect(problems).to.deep.equal([]);
    expect(definitions.map(({ name, parameters, result }) => ({ name, parameters, result }))).to.deep.equal([
      {
        name: "area",
        parameters: [
          { name: "width", type: { kind: "float64" }, nullable: false },
          { name: "height", type: { kind: "float64" }, nullable: true },
        ],
        result: { type: { kind: "float64" }, nullable: true },
      },
      {
        name: "tag",
        parameters: [
          { name: "id", type: { kind: "int64" }, nullable: false },
          { name: "at", type: { kind: "timestamp" }, nullable: false },
          { name: "ok", type: { kind: "boolean" }, nullable: false },
        ],
        result: { type: { kind: "text" }, nullable: false },
      },
    ]);
    expect(new Set(definitions.map((d) => d.id)).size).to.equal(2);
  }).timeout(30_000);

  it("gives the same text the same id and another text another one", () => {
    const id = (body: string): string | undefined =>
      parseUdfs(`export function f(x: bigint): bigint { return ${body}; }`).definitions[0]?.id;
    expect(id("x")).to.equal(id("x"));
    expect(id("x")).not.to.equal(id("x + 1n"));
  });

  it("names what cannot be a function of SQL, at its place", () => {
    expect(problemOf("")).to.match(/^1:1 the definition exports no function/);
    expect(problemOf('import fs from "node:fs";\nexport function f(x: bigint): bigint { return x; }')).to.match(
      /^1:1 a function cannot import/,
    );
    expect(problemOf("export async function f(x: bigint): Promise<bigint> { return x; }")).to.match(
      /async functions are not supported yet/,
    );
    expect(problemOf("export function* f(x: bigint): bigint { }")).to.match(/generator/);
    expect(problemOf("export function f(x?: bigint): bigint { return 1n; }")).to.match(/^1:19 a parameter cannot be optional/);
    expect(problemOf("export function f(...x: bigint[]): bigint { return 1n; }")).to.match(/plain name/);
    expect(problemOf("export function f(x): bigint { return 1n; }")).to.match(/type of parameter "x" must be written out/);
    expect(problemOf("export function f(x: bigint) { return x; }")).to.match(/result type of "f"/);
    expect(problemOf("export function f(x: Map<string, string>): bigint { return 1n; }")).to.match(/is not a type of SQL/);
    expect(problemOf("export function f(x: bigint[]): bigint { return 1n; }")).to.match(/aggregate functions/);
    expect(problemOf("export function lower(x: string): string { return x; }")).to.match(/built-in/);
    expect(problemOf("export const f = 1;")).to.match(/only functions can be exported/);
    expect(problemOf("export default function f(x: bigint): bigint { return x; }")).to.match(/without default/);
    expect(problemOf("enum E { a }\nexport function f(x: bigint): bigint { return x; }")).to.match(/^1:1 enums/);
  });

  it("reports errors of syntax and of types where the user made them", () => {
    expect(problemOf("export function f(x: bigint): bigint {\n  return x +;\n}")).to.match(/^2:\d+ Expression expected/);
    expect(problemOf("export function f(x: bigint): bigint {\n  return x + 1;\n}")).to.match(/^2:10 Operator '\+' cannot be applied/);
    expect(problemOf("export function f(x: string | null): string {\n  return x;\n}")).to.match(
      /^2:3 Type 'string \| null' is not assignable/,
    );
    expect(problemOf("export function f(x: bigint): string {\n  return process.env.HOME;\n}")).to.match(/Cannot find name 'process'/);
  });

  it("refuses a text that is too long", () => {
    expect(problemOf(`// ${"x".repeat(300_000)}`)).to.match(/300003 characters, at most 262144/);
  });

  it("survives garbage", () => {
    const pieces = [
      "export",
      "function",
      "f",
      "(",
      ")",
      "{",
      "}",
      ":",
      "bigint",
      "|",
      "null",
      "=>",
      "class",
      "`",
      "'",
      "\\",
      "\0",
      "async",
      "*",
      "<T>",
    ];
    for (let seed = 1; seed <= 100; seed++) {
      let state = seed;
      const text = Array.from({ length: 30 }, () => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return pieces[state % pieces.length];
      }).join(" ");
      const { definitions, problems } = parseUdfs(text);
      expect(definitions.length > 0 || problems.length > 0, text).to.equal(true);
    }
  }).timeout(60_000);
});
