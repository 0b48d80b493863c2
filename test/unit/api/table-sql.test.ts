/** Connection tables as CREATE TABLE, and fields out of JSON schemas. */
import { expect } from "chai";
import { fieldsOfJsonSchema } from "../../../src/api/json-schema-fields.ts";
import { createTableSql, tableUseOf } from "../../../src/api/table-sql.ts";
import { impulseSpec } from "../../../src/connectors/impulse/options.ts";
import { singleFileSpec } from "../../../src/connectors/single_file/options.ts";
import { SqlParser } from "../../../src/sql/parse.ts";
import { refusal } from "../../support/rejection.ts";

describe("a connection table in SQL", () => {
  const parser = new SqlParser();
  after(() => parser.close());

  it("quotes every name and text, so that nothing in them is SQL", async () => {
    const nasty = `a"b'c; DROP TABLE x; --`;
    const sql = createTableSql({
      name: "t",
      spec: singleFileSpec,
      use: "source",
      config: { path: nasty, type: "source", event_time_field: nasty, compression: null },
      schema: {
        format: { type: "json", timestamp_format: "unix_millis" },
        bad_data: { behavior: "drop" },
        fields: [
          { name: nasty, type: "struct", fields: [{ name: nasty, type: "list", items: { type: "int64" } }] },
          { name: "d", type: "decimal128", precision: 12, scale: 3, required: true },
        ],
        primary_keys: [nasty],
      },
    });
    expect(sql)
      .to.contain("'format' = 'json', 'json.timestamp_format' = 'unix_millis', 'bad_data' = 'drop'")
      .and.not.contain("compression");
    const { statements, diagnostics } = await parser.parse(sql);
    expect(diagnostics.all()).to.deep.equal([]);
    expect(statements).to.have.length(1);
    const [table] = statements;
    if (table?.kind !== "create-table") return expect.fail("no table");
    expect(table.columns.map((column) => column.name.text)).to.deep.equal([nasty, "d"]);
    expect(table.primaryKey.map((key) => key.text)).to.deep.equal([nasty]);
    expect(table.options.map(({ key, value }) => [key, value.kind === "string" && value.value])).to.deep.include.members([
      ["path", nasty],
      ["event_time_field", nasty],
    ]);
    return undefined;
  });

  it("has the use that the config, the request or the connector says", async () => {
    expect(tableUseOf(singleFileSpec, { type: "Sink" }, undefined)).to.equal("sink");
    expect(tableUseOf(singleFileSpec, {}, "source")).to.equal("source");
    expect(tableUseOf(impulseSpec, {}, undefined)).to.equal("source");
    await refusal(() => tableUseOf(singleFileSpec, {}, undefined), "invalid-usage", '"config.type" is missing', '"source" or "sink"');
    await refusal(() => tableUseOf(singleFileSpec, { type: "lookup" }, undefined), "invalid-usage", '"config.type" must be');
    await refusal(() => tableUseOf(impulseSpec, {}, "sink"), "invalid-usage", "cannot be a sink");
  });

  it("refuses parts that are missing, naming them", async () => {
    const make = (field: object) => () =>
      createTableSql({
        name: "t",
        spec: singleFileSpec,
        use: "source",
        config: {},
        schema: { fields: [{ name: "x", ...field } as never] },
      });
    await refusal(make({ type: "decimal128" }), "invalid-usage", '"schema.fields.0"', "precision");
    await refusal(make({ type: "struct" }), "invalid-usage", '"schema.fields.0"', '"fields"');
    await refusal(
      make({ type: "struct", fields: [{ name: "y", type: "list" }] }),
      "invalid-usage",
      '"schema.fields.0.fields.0"',
      '"items"',
    );
  });
});

describe("a JSON schema", () => {
  it("becomes fields; what SQL has no type for becomes JSON", () => {
    const schema = {
      type: "object",
      required: ["id", "maybe"],
      $defs: { place: { type: "object", properties: { city: { type: "string" } } } },
      properties: {
        id: { type: "integer" },
        count: { type: "integer", minimum: 0 },
        price: { type: "number" },
        ok: { type: "boolean" },
        at: { type: "string", format: "date-time" },
        day: { type: "string", format: "date" },
        maybe: { type: ["string", "null"] },
        place: { $ref: "#/$defs/place" },
        tags: { type: "array", items: { type: "string" } },
        either: { type: ["string", "integer"] },
        free: { type: "object" },
        odd: { anyOf: [{ type: "string" }] },
        lost: { $ref: "#/$defs/nothing" },
      },
    };
    const fields = fieldsOfJsonSchema(JSON.stringify(schema));
    expect(Object.fromEntries(fields.map((field) => [field.name, field.type]))).to.deep.equal({
      id: "int64",
      count: "uint64",
      price: "float64",
      ok: "bool",
      at: "timestamp",
      day: "date",
      maybe: "string",
      place: "struct",
      tags: "list",
      either: "json",
      free: "json",
      odd: "json",
      lost: "json",
    });
    expect(fields.filter((field) => field.required).map((field) => field.name)).to.deep.equal(["id"]);
  });

  it("that is none, or refers to itself for ever, is handled", async () => {
    await refusal(() => fieldsOfJsonSchema("{"), "invalid-usage", "schema.definition.schema");
    await refusal(() => fieldsOfJsonSchema("[]"), "invalid-usage", "schema.definition.schema");
    await refusal(() => fieldsOfJsonSchema('{"type":"string"}'), "invalid-usage", "object with properties");
    const loop = {
      properties: { next: { $ref: "#/$defs/node" } },
      $defs: { node: { type: "object", properties: { next: { $ref: "#/$defs/node" } } } },
    };
    expect(fieldsOfJsonSchema(JSON.stringify(loop))[0]?.type).to.equal("struct");
  });
});
