/** The parts of the deployment gate that decide: reading HCL with its places, values of the plugin protocol, schemas out of bindings, secrets. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import fc from "fast-check";
import { readBoundType } from "../../../scripts/check-deploy/bindings.ts";
import { allBlocks, blocksOf, lineIn, readDocuments } from "../../../scripts/check-deploy/documents.ts";
import { printFinding, sortFindings } from "../../../scripts/check-deploy/finding.ts";
import { decodeMessagePack, encodeMessagePack, UNKNOWN } from "../../../scripts/check-deploy/message-pack.ts";
import { decodeTypeRequest, encodeDynamicAnswer } from "../../../scripts/check-deploy/plugin-protocol.ts";
import { shapeOf } from "../../../scripts/check-deploy/rules/seams.ts";
import { SECRET_RULES } from "../../../scripts/check-deploy/rules/secrets.ts";
import { scanHcl } from "../../../scripts/check-deploy/scan.ts";

const HCL = `# a comment with { and "
resource "a" "b" { # another }
  text = "}\${var.x["}"]}" // end
  list = [
    1,
    "]",
  ]
  heredoc = <<-END
    not = an argument {
  END
  dynamic "rule" {
    for_each = { one = 1 }
    content {
      days = rule.value
    }
  }
  rule { days = 2 }
}
/* block { */ locals {
  f = max(1,
    2)
}
`;

describe("deployment gate: HCL", () => {
  let folder = "";
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "wadi-gate-unit-"));
  });
  after(() => rmSync(folder, { recursive: true }));

  it("finds blocks and arguments at their lines, past strings, heredocs, brackets and comments", () => {
    const { blocks } = scanHcl(HCL);
    expect(blocks.map(({ type, labels, line }) => [type, labels, line])).to.deep.equal([
      ["resource", ["a", "b"], 2],
      ["locals", [], 19],
    ]);
    expect(blocks[0]?.attributes.map(({ name, line }) => [name, line])).to.deep.equal([
      ["text", 3],
      ["list", 4],
      ["heredoc", 8],
    ]);
    expect(blocks[0]?.blocks.map(({ type, line }) => [type, line])).to.deep.equal([
      ["dynamic", 11],
      ["rule", 17],
    ]);
  });

  it("gives every argument its value, and dynamic blocks as what they make", async () => {
    writeFileSync(join(folder, "a.tf"), HCL);
    const { documents, findings } = await readDocuments(folder, ["a.tf"]);
    expect(findings).to.deep.equal([]);
    const body = documents[0]?.body ?? expect.fail("nothing was read");
    for (const block of allBlocks(body)) for (const { value } of block.attributes.values()) expect(value).not.to.equal(undefined);
    const [resource] = body.blocks;
    if (resource === undefined) expect.fail("no resource");
    expect(resource.attributes.get("list")?.value).to.deep.equal([1, "]"]);
    expect(blocksOf(resource, "rule").map((block) => block.attributes.get("days")?.value)).to.deep.equal(["${rule.value}", 2]);
    const list = resource.attributes.get("list");
    expect(list === undefined ? 0 : lineIn(list, /"\]"/)).to.equal(6);
  });

  it("names the line of a file that cannot be parsed", async () => {
    writeFileSync(join(folder, "b.tf"), 'variable "a" {\n  type = \n}\n');
    const { documents, findings } = await readDocuments(folder, ["b.tf"]);
    expect(documents).to.deep.equal([]);
    expect(findings.map(({ rule, file, line }) => [rule, file, line])).to.deep.equal([["hcl-syntax", "b.tf", 2]]);
  });

  it("reads the members of objects and of types, nested, optional and conditional", () => {
    const value = 'var.x == null ? null : {\n  a = "x,y}"\n  b = { c = [1, 2], d = f({ e = 1 }) } # why\n  g = { for k in v : k => k }\n}';
    const type = "object({\n  a = string\n  b = optional(object({ c = list(number), d = any }))\n  g = map(object({ z = string }))\n})";
    expect(shapeOf(value)).to.deep.equal({ a: undefined, b: { c: undefined, d: undefined }, g: undefined });
    expect(shapeOf(type)).to.deep.equal(shapeOf(value));
  });
});

describe("deployment gate: findings", () => {
  it("are sorted by place and said once", () => {
    const one = { rule: "r", file: "b", line: 2, message: "m", fix: "Do." };
    const sorted = sortFindings([one, { ...one, line: 1 }, one, { ...one, file: "a", line: 0 }]);
    expect(sorted.map(printFinding)).to.deep.equal(["a: m [r]\n    Do.", "b:1: m [r]\n    Do.", "b:2: m [r]\n    Do."]);
  });
});

describe("deployment gate: plugin protocol", () => {
  it("reads back every value that it writes, unknown ones too", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        // MessagePack has one zero.
        const plain = JSON.parse(JSON.stringify(value)) as unknown;
        expect(decodeMessagePack(encodeMessagePack(plain))).to.deep.equal(plain);
      }),
      { numRuns: 200 },
    );
    expect(decodeMessagePack(encodeMessagePack({ a: UNKNOWN, b: "x".repeat(70_000), c: Array(20).fill(null) }))).to.deep.equal({
      a: UNKNOWN,
      b: "x".repeat(70_000),
      c: Array(20).fill(null),
    });
  });

  it("reads what Terraform writes: integers of every width and refined unknown values", () => {
    const bytes = [
      0x97, 0xcc, 200, 0xcd, 1, 0, 0xd1, 0xff, 0, 0xff, 0xcb, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0, 0xc7, 2, 12, 0x81, 0xc2, 0xd9, 1, 97,
    ];
    expect(decodeMessagePack(Uint8Array.from(bytes))).to.deep.equal([200, 256, -256, -1, 1.5, UNKNOWN, "a"]);
  });

  it("carries a value in the field asked for", () => {
    // The answer's field 3, read as a request whose field 3 is wanted.
    const { values } = decodeTypeRequest(encodeDynamicAnswer(3, { a: [true] }, [5]), [3]);
    expect(values.get(3)).to.deep.equal({ a: [true] });
  });
});

const BINDING = `export class ThingRuleOutputReference extends cdktn.ComplexObject {
  // days - computed: false, optional: false, required: true
  private _days?: number;
  public get days() {
    return this.getNumberAttribute('days');
  }
}
export class ThingRuleList extends cdktn.ComplexList {
}
export class Thing extends cdktn.TerraformResource {
  public static readonly tfResourceType = "x_thing";
  // names - computed: true, optional: true, required: false
  private _names?: string[];
  public get names() {
    return cdktn.Fn.tolist(this.getListAttribute('names'));
  }

  // rule - computed: false, optional: true, required: false
  private _rule = new ThingRuleList(this, "rule", true);
  protected synthesizeHclAttributes() {
      rule: {
        value: cdktn.listMapperHcl(thingRuleToHclTerraform, true)(this._rule.internalValue),
        isBlock: true,
        type: "set",
      },
  }
}
`;

describe("deployment gate: schemas", () => {
  it("come out of the source maps of bindings: types, flags and blocks", () => {
    const folder = mkdtempSync(join(tmpdir(), "wadi-bindings-"));
    try {
      const map = Buffer.from(JSON.stringify({ version: 3, sourcesContent: [BINDING] })).toString("base64");
      mkdirSync(join(folder, "thing"));
      writeFileSync(join(folder, "thing", "index.js"), `//# sourceMappingURL=data:application/json;base64,${map}`);
      const days = { type: "number", required: true };
      expect(readBoundType(join(folder, "thing"))).to.deep.equal({
        type: "x_thing",
        kind: "resource",
        block: {
          attributes: { names: { type: ["set", "string"], optional: true, computed: true } },
          block_types: { rule: { nesting_mode: "set", block: { attributes: { days } } } },
        },
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("deployment gate: secrets", () => {
  const found = (line: string) =>
    SECRET_RULES.flatMap((rule) => rule({ documents: [], texts: new Map([["terraform/a.sh", line]]) })).length > 0;
  // Made here, so that no scanner of repositories takes them for real.
  const token = ["9f8b21c4", "77aa", "4e1d", "a9c3", "5d0e8b7f6a21"].join("-");
  const secrets = [
    `password = "${"Xy7!"}${"pQ9z"}"`,
    `token: ${token}`,
    `x = "${["hvs.", "CAESIJ1kq8Zr", "Lw3TnVb5Yd"].join("")}"`,
    `k = "${"aB3dE5gH7jK9mN1pQ"}${"3sT5vW7xY9zA2c"}"`,
  ];
  const harmless = [
    'password = "${var.password}"',
    "DATABASE_PASSWORD={{ .database_password }}",
    'secret_arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:wadi"',
    'token_file = "/run/secrets/nomad_token"',
    'image = "x@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"',
    'id = "00000000-0000-0000-0000-000000000000"',
    'items = { access_key_id = "s3_key" }',
  ];

  it("are found by name, by form and by randomness", () => {
    for (const line of secrets) expect(found(line), line).to.equal(true);
  });

  it("are not seen in references, places, digests and placeholders", () => {
    for (const line of harmless) expect(found(line), line).to.equal(false);
  });
});
