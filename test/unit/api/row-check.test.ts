/** Rows against a schema, as the test of a connection reports them. */
import { expect } from "chai";
import { problemOfLine } from "../../../src/api/row-check.ts";
import type { SourceField } from "../../../src/api/schema/connection-shapes.ts";

const FIELDS: readonly SourceField[] = [
  { name: "id", type: "int32", required: true },
  { name: "big", type: "uint64" },
  { name: "price", type: "float64" },
  { name: "amount", type: "decimal128", precision: 10, scale: 2 },
  { name: "ok", type: "bool" },
  { name: "note", type: "string" },
  { name: "at", type: "timestamp" },
  { name: "day", type: "date" },
  { name: "place", type: "struct", fields: [{ name: "city", type: "string", required: true }] },
  { name: "tags", type: "list", items: { type: "string" } },
  { name: "rest", type: "json" },
];

function problem(row: Readonly<Record<string, unknown>>, timestamps: "rfc3339" | "unix_millis" = "rfc3339"): string | undefined {
  return problemOfLine(JSON.stringify({ id: 1, ...row }), FIELDS, timestamps);
}

describe("a row of JSON", () => {
  it("fits when its values do, null or absent unless required, whatever else it holds", () => {
    const row = { big: 18446744073709551615n.toString(), more: [1, { x: 2 }] };
    expect(
      problemOfLine(
        `{"id":-2147483648,"big":${row.big},"price":1,"amount":"1.50","ok":false,"note":"","at":"2024-05-01 12:00:00.5","day":"2024-02-29","place":{"city":"x"},"tags":["a",null],"rest":[1],"more":1}`,
        FIELDS,
        "rfc3339",
      ),
    ).to.equal(undefined);
    expect(problem({ big: null, price: null, place: null })).to.equal(undefined);
    expect(problem({ at: 1_714_521_600_000 }, "unix_millis")).to.equal(undefined);
  });

  it("says which field does not fit, and why", () => {
    const cases: readonly (readonly [Readonly<Record<string, unknown>>, string])[] = [
      [{ id: null }, 'field "id" is null, and it is required'],
      [{ id: undefined }, 'field "id" is missing, and it is required'],
      [{ id: 2_147_483_648 }, 'field "id" must be an integer from -2147483648 to 2147483647, not 2147483648'],
      [{ id: "1" }, 'field "id" must be an integer from -2147483648 to 2147483647, not "1"'],
      [{ big: -1 }, 'field "big" must be an integer of 64 bits, not -1'],
      [{ big: 1.5 }, 'field "big" must be an integer of 64 bits, not 1.5'],
      [{ price: "x" }, 'field "price" must be a number, not "x"'],
      [{ amount: "x" }, 'field "amount" must be a number, not "x"'],
      [{ ok: 1 }, 'field "ok" must be true or false, not 1'],
      [{ note: 1 }, 'field "note" must be a text, not 1'],
      [{ at: "yesterday" }, 'field "at" must be a time such as "2024-05-01T12:00:00Z", not "yesterday"'],
      [{ at: 1 }, 'field "at" must be a time such as "2024-05-01T12:00:00Z", not 1'],
      [{ day: "2023-02-29" }, 'field "day" must be a date such as "2024-05-01", not "2023-02-29"'],
      [{ place: [] }, 'field "place" must be an object, not []'],
      [{ place: {} }, 'field "place.city" is missing, and it is required'],
      [{ tags: {} }, 'field "tags" must be a list, not {}'],
      [{ tags: ["a", 2] }, 'field "tags[1]" must be a text, not 2'],
    ];
    for (const [row, expected] of cases) expect(problem(row)).to.equal(expected);
    expect(problemOfLine("[1]", FIELDS, "rfc3339")).to.equal("is [1] instead of a JSON object");
    expect(problemOfLine("{", FIELDS, "rfc3339")).to.contain("is not valid JSON");
  });
});
