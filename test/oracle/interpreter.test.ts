/** The oracle on cases small enough to check by eye. */
import { expect } from "chai";
import { BOOLEAN, FLOAT64, INT64, type ScalarType, TEXT, TIMESTAMP, UINT64 } from "../../src/data/data-type.ts";
import type { Expression, LiteralValue } from "../../src/program/expression.ts";
import type { ScalarFunctionName } from "../../src/program/scalar-function.ts";
import { aggregate, call, column, literal, ProgramBuilder, type SourceTable } from "../support/oracle-programs.ts";
import { castValue, jsonFloat } from "./cast.ts";
import { consolidate } from "./encode.ts";
import { evaluate } from "./expression.ts";
import { interpret } from "./interpreter.ts";

const SECOND = 1_000_000_000n;
const EVENTS: SourceTable = {
  name: "events",
  fields: [
    { name: "at", type: TIMESTAMP, nullable: false },
    { name: "k", type: TEXT, nullable: true },
    { name: "n", type: INT64, nullable: true },
  ],
  eventTime: 0,
  delayNs: 0n,
};
const lines = (...rows: readonly unknown[]): Uint8Array =>
  Buffer.from(rows.map((row) => (typeof row === "string" ? row : JSON.stringify(row))).join("\n"));
const at = (second: number): string => `2023-01-01T00:00:${String(second).padStart(2, "0")}`;

describe("oracle operators", () => {
  it("groups by tumbling window and key, NULL and the empty text being keys of their own", () => {
    const b = new ProgramBuilder();
    const windows = b.window(
      b.source(EVENTS),
      { kind: "tumble", widthNs: 10n * SECOND },
      [column(1, TEXT)],
      [aggregate("count"), aggregate("sum", column(2, INT64))],
    );
    b.sink("out", [windows]);
    const result = interpret(b.build(), {
      events: lines(
        { at: at(1), k: "a", n: 1 },
        { at: at(9), k: "a", n: null },
        { at: at(10), k: "a", n: 5 },
        { at: at(3), n: 7 },
        { at: at(3), k: "", n: 8 },
      ),
    });
    expect(result.sinks["out"]?.toSorted()).to.deep.equal([
      '{"c0":"","start":"2023-01-01T00:00:00","end":"2023-01-01T00:00:10","a0":1,"a1":8}',
      '{"c0":"a","start":"2023-01-01T00:00:00","end":"2023-01-01T00:00:10","a0":2,"a1":1}',
      '{"c0":"a","start":"2023-01-01T00:00:10","end":"2023-01-01T00:00:20","a0":1,"a1":5}',
      '{"c0":null,"start":"2023-01-01T00:00:00","end":"2023-01-01T00:00:10","a0":1,"a1":7}',
    ]);
  });

  it("puts a row into every hopping window that holds it", () => {
    const b = new ProgramBuilder();
    const windows = b.window(b.source(EVENTS), { kind: "hop", slideNs: 4n * SECOND, widthNs: 10n * SECOND }, [], [aggregate("count")]);
    b.sink("out", [windows]);
    const result = interpret(b.build(), { events: lines({ at: "1970-01-01T00:00:09", k: "a" }) });
    expect(result.sinks["out"]?.map((line) => line.slice(10, 29))).to.deep.equal([
      "1970-01-01T00:00:00",
      "1970-01-01T00:00:04",
      "1970-01-01T00:00:08",
    ]);
  });

  it("drops rows behind the watermark only if told to honour lateness", () => {
    const b = new ProgramBuilder();
    b.sink("out", [b.window(b.source(EVENTS), { kind: "tumble", widthNs: 10n * SECOND }, [], [aggregate("count")])]);
    const events = lines({ at: at(1) }, { at: at(10) }, { at: at(2) }, { at: at(11) });
    expect(interpret(b.build(), { events })).to.include({ late: 0, bad: 0 });
    expect(interpret(b.build(), { events }, { watermarkEveryRows: 1 }).late).to.equal(1);
    expect(interpret(b.build(), { events }, { watermarkEveryRows: 4 }).late).to.equal(0);
  });

  it("aggregates an updating aggregate's final rows", () => {
    const b = new ProgramBuilder();
    const counts = b.updating(b.source(EVENTS), [column(1, TEXT)], [aggregate("count")]);
    b.sink("out", [b.updating(counts, [column(1, INT64)], [aggregate("count")])]);
    const result = interpret(b.build(), {
      events: lines({ at: at(1), k: "a" }, { at: at(1), k: "b" }, { at: at(1), k: "a" }, { at: at(1), k: "c" }),
    });
    expect(consolidate(result.sinks["out"] ?? [])).to.deep.equal(['{"c0":1,"a0":2}', '{"c0":2,"a0":1}']);
  });

  it("gives one row for an updating aggregate without keys over nothing", () => {
    const b = new ProgramBuilder();
    b.sink("out", [b.updating(b.source(EVENTS), [], [aggregate("count"), aggregate("max", column(2, INT64))])]);
    expect(interpret(b.build(), { events: lines() }).sinks["out"]).to.deep.equal(['{"before":null,"after":{"a0":0,"a1":null},"op":"c"}']);
  });

  it("joins windows by key, never NULL with NULL, and keeps the outer side", () => {
    const b = new ProgramBuilder();
    const source = b.source(EVENTS);
    const side = (): ReturnType<ProgramBuilder["window"]> =>
      b.window(source, { kind: "tumble", widthNs: 10n * SECOND }, [column(1, TEXT)], [aggregate("count")]);
    const [left, right] = [side(), side()];
    const joined = b.join(left, right, "left", [0], [0]);
    b.sink("out", [b.compute([joined], [column(0, TEXT), column(4, TEXT), column(7, INT64)])]);
    const result = interpret(b.build(), { events: lines({ at: at(1), k: "a" }, { at: at(2) }, { at: at(11), k: "a" }) });
    expect(result.sinks["out"]?.toSorted()).to.deep.equal([
      '{"c0":"a","c1":"a","c2":1}',
      '{"c0":"a","c1":"a","c2":1}',
      '{"c0":null,"c1":null,"c2":null}',
    ]);
  });

  it("counts bad lines and row errors and goes on", () => {
    const b = new ProgramBuilder();
    const quotient = call("divide", [literal(10n, INT64), column(2, INT64)], INT64);
    b.sink("out", [b.compute([b.source(EVENTS)], [quotient])]);
    const result = interpret(b.build(), {
      events: lines('{"at":"2023-01-01T00:00:00","n":0}', "{", '{"at":"x"}', '{"at":"2023-01-01T00:00:00","n":3,"n":4}', '{"n":1}'),
    });
    expect(result).to.deep.equal({ sinks: { out: ['{"c0":2}'] }, late: 0, bad: 3, errors: 1 });
  });
});

describe("oracle JSON", () => {
  const read = (type: ScalarType, json: string): string | undefined => {
    const b = new ProgramBuilder();
    b.sink("out", [b.compute([b.source({ name: "t", fields: [{ name: "v", type, nullable: true }] })], [column(0, type)])]);
    return interpret(b.build(), { t: Buffer.from(`{"v":${json}}`) }).sinks["out"]?.[0]?.slice(6, -1);
  };

  it("keeps 64-bit integers exact and refuses what is beyond", () => {
    expect(read(INT64, "-9223372036854775808")).to.equal("-9223372036854775808");
    expect(read(INT64, "9223372036854775808")).to.equal(undefined);
    expect(read(UINT64, "18446744073709551615")).to.equal("18446744073709551615");
    expect(read(UINT64, "-1")).to.equal(undefined);
    expect(read(INT64, "1.50e1")).to.equal("15");
    expect(read(INT64, "1.5")).to.equal(undefined);
    expect(read(INT64, "01")).to.equal(undefined);
    expect(read(INT64, "1e99999999999")).to.equal(undefined);
  });

  it("spells floats as ECMAScript does, REAL by its own digits", () => {
    expect(read(FLOAT64, "1e21")).to.equal("1e+21");
    expect(read(FLOAT64, "-0.0")).to.equal("0");
    expect(read(FLOAT64, "1e400")).to.equal(undefined);
    expect(read({ kind: "float32" }, "0.1")).to.equal("0.1");
    expect(jsonFloat(Math.fround(16777216), { kind: "float32" })).to.equal("16777216");
    expect(jsonFloat(Math.fround(1e-7), { kind: "float32" })).to.equal("1e-7");
    expect(jsonFloat(Math.fround(3.4e38), { kind: "float32" })).to.equal("3.4e+38");
  });

  it("escapes quotes, backslashes and control characters only", () => {
    expect(read(TEXT, '"a\\u0001\\u001F\\/\\"\\\\\\n\\u007f\\u00e9 \\ud83c\\udf0d"')).to.equal('"a\\u0001\\u001f/\\"\\\\\\n\u007fé 🌍"');
    expect(read(TEXT, '"\\ud800"')).to.equal(undefined);
  });

  it("writes timestamps with 0, 3, 6 or 9 digits", () => {
    expect(read(TIMESTAMP, '"2023-01-01T00:00:00Z"')).to.equal('"2023-01-01T00:00:00"');
    expect(read(TIMESTAMP, '"2023-01-01 01:00:00.1+01:00"')).to.equal('"2023-01-01T00:00:00.100"');
    expect(read(TIMESTAMP, '"2023-01-01T00:00:00.1234567"')).to.equal('"2023-01-01T00:00:00.123456700"');
  });

  it("refuses a changelog that takes back what was never there", () => {
    expect(() => consolidate(['{"before":{"a":1},"after":null,"op":"d"}'])).to.throw(/taken back/);
    expect(consolidate(['{"before":null,"after":{"a":1},"op":"c"}', '{"before":{"a":1},"after":{"a":2},"op":"u"}'])).to.deep.equal([
      '{"a":2}',
    ]);
  });
});

describe("oracle expressions", () => {
  const typeOf = (value: LiteralValue): ScalarType =>
    typeof value === "bigint" ? INT64 : typeof value === "number" ? FLOAT64 : typeof value === "boolean" ? BOOLEAN : TEXT;
  const apply = (name: ScalarFunctionName, ...args: readonly LiteralValue[]): unknown => {
    const type = args.length === 0 ? TEXT : typeOf(args[0] ?? null);
    return evaluate(
      call(
        name,
        args.map((a) => literal(a, typeOf(a))),
        type,
      ),
      [],
    );
  };
  const fails = (expression: Expression, reason: string): void => {
    expect(() => evaluate(expression, [])).to.throw(reason);
  };

  it("knows three truth values", () => {
    expect([apply("and", null, false), apply("and", null, true), apply("or", null, true), apply("or", null, false)]).to.deep.equal([
      false,
      null,
      true,
      null,
    ]);
  });

  it("does not evaluate what AND, OR, CASE and COALESCE do not need", () => {
    const boom = call("eq", [call("divide", [literal(1n, INT64), literal(0n, INT64)], INT64), literal(1n, INT64)]);
    expect(evaluate(call("and", [literal(false, BOOLEAN), boom]), [])).to.equal(false);
    expect(evaluate(call("or", [literal(true, BOOLEAN), boom]), [])).to.equal(true);
    expect(evaluate(call("coalesce", [literal(true, BOOLEAN), boom]), [])).to.equal(true);
    const choice: Expression = {
      kind: "case",
      branches: [{ condition: literal(true, BOOLEAN), value: literal(true, BOOLEAN) }],
      otherwise: boom,
      type: BOOLEAN,
      nullable: true,
    };
    expect(evaluate(choice, [])).to.equal(true);
    fails(call("and", [literal(null, BOOLEAN), boom]), "division by zero");
  });

  it("refuses integers that overflow", () => {
    const max = literal(2n ** 63n - 1n, INT64);
    fails(call("add", [max, literal(1n, INT64)], INT64), "integer overflow");
    fails(call("abs", [literal(-(2n ** 63n), INT64)], INT64), "integer overflow");
    fails(call("divide", [literal(-(2n ** 63n), INT64), literal(-1n, INT64)], INT64), "integer overflow");
    expect(apply("modulo", -7n, 3n)).to.equal(-1n);
    expect(apply("divide", -7n, 2n)).to.equal(-3n);
  });

  it("counts code points", () => {
    expect(apply("substr", "añ🌍x", 2n, 2n)).to.equal("ñ🌍");
    expect(apply("substr", "abc", -1n, 3n)).to.equal("a");
    expect(apply("left", "añ🌍x", -1n)).to.equal("añ🌍");
    expect(apply("right", "añ🌍x", 2n)).to.equal("🌍x");
    expect(apply("reverse", "a🌍")).to.equal("🌍a");
    expect(apply("lpad", "🌍", 4n, "xy")).to.equal("xyx🌍");
    expect(apply("split_part", "a,b,c", ",", -1n)).to.equal("c");
    expect(apply("like", "a🌍%", "_🌍\\%")).to.equal(true);
    expect(apply("like", "abc", "a%d")).to.equal(false);
  });

  it("compares text by its bytes, not by UTF-16", () => {
    expect(apply("lt", "\uffff", "🌍")).to.equal(true);
  });

  it("casts as DataFusion does", () => {
    expect(castValue(-1.9, FLOAT64, INT64)).to.equal(-1n);
    expect(() => castValue(2 ** 63, FLOAT64, INT64)).to.throw("cast out of range");
    expect([1, 1e16, 1.5e-7, 0.00001, -0, 123456.75].map((x) => castValue(x, FLOAT64, TEXT))).to.deep.equal([
      "1.0",
      "1e16",
      "1.5e-7",
      "0.00001",
      "-0.0",
      "123456.75",
    ]);
    expect(castValue(" +12 ", TEXT, INT64)).to.equal(12n);
    expect(castValue("16777217.0000000001", TEXT, { kind: "float32" })).to.equal(16777218);
    expect(castValue(2n ** 60n + 2n ** 36n + 1n, INT64, { kind: "float32" })).to.equal(2 ** 60 + 2 ** 37);
    expect(castValue(-1n, TIMESTAMP, { kind: "date" })).to.equal(-1n);
  });

  it("counts months and weeks as the calendar does", () => {
    const ts = castValue("2024-03-31T12:00:00", TEXT, TIMESTAMP) as bigint;
    const month = literal({ months: 1, days: 0, ns: 0n }, { kind: "interval" });
    const back = evaluate(call("timestamp_subtract_interval", [literal(ts, TIMESTAMP), month], TIMESTAMP), []);
    expect(castValue(back as bigint, TIMESTAMP, TEXT)).to.equal("2024-02-29T12:00:00");
    const week = evaluate(call("date_trunc", [literal("week", TEXT), literal(-1n, TIMESTAMP)], TIMESTAMP), []);
    expect(castValue(week as bigint, TIMESTAMP, TEXT)).to.equal("1969-12-29T00:00:00");
    expect(apply("date_part", "week", castValue("2021-01-03", TEXT, TIMESTAMP))).to.equal(53n);
  });
});
