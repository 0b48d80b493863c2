/**
 * The repository's job files as `/v1/jobs/parse` reads them: all of them by the fake Nomad, and where NOMAD_ADDR is set by a real one (2.0.5 and 1.8.4
 * were tried), whose answer has to be the same in all that is not empty.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { FakeNomad } from "../support/nomad/fake-nomad.ts";

const FOLDER = fileURLToPath(new URL("../../nomad", import.meta.url));
const FILES = readdirSync(FOLDER).filter((name) => name.endsWith(".nomad.hcl"));
const DIGEST = `@sha256:${"a".repeat(64)}`;

/** Values that reach other branches of the files. Those that a file does not declare are taken no notice of, as real servers do. */
const VALUES: Readonly<Record<string, string>> = {
  "by raw_exec": `driver = "raw_exec"\nartifact = "https://example.com/wadi.tar.gz"\nartifact_checksum = "sha256:${"0".repeat(64)}"\nbucket_url = "s3://b/p?region=r"\nasg = "g"\ngroup_name = "g"\naws_region = "r"`,
  "by docker": `driver = "docker"\nvolume = "v"\nimage = "x${DIGEST}"\npostgres_image = "p${DIGEST}"\nbucket_url = "s3://b/p?region=r"\nartifact = "https://example.com/wadi.tar.gz"\nartifact_checksum = "sha256:${"0".repeat(64)}"\nasg = "g"\ngroup_name = "g"\naws_region = "r"`,
  "with maps and lists": `driver = "exec"\nsettings = { "checkpoint-url" = "s3://c", "nomad.driver" = "exec" }\ndatacenters = ["a", "b"]\ndatabase_host = "db"\ninstances = 3\nartifact = "https://example.com/wadi.tar.gz"\nartifact_checksum = "sha256:${"0".repeat(64)}"\nbucket_url = "s3://b/p?region=r"\nasg = "g"\ngroup_name = "g"\naws_region = "r"\nvolume = "v"\nrules = { "a.yml" = "groups: []" }`,
};

/** Faults and the words that real servers have for them; the job ends with what is wrong. */
const REFUSED: readonly (readonly [claim: string, hcl: string, variables: string, words: RegExp])[] = [
  ["a function that Nomad lacks", 'job "x" {\n  type = regex("a", "b")\n}', "", /There is no function named "regex"/],
  [
    "a value of another type",
    'variable "n" {\n  type = number\n}\njob "x" {}',
    'n = "x"',
    /input\.hcl:1,\d.*The value for n is not compatible/,
  ],
  ["a variable without a value", 'variable "n" {\n  type = number\n}\njob "x" {}', "", /Unset variable "n"/],
  [
    "a value that is not valid",
    'variable "n" {\n  default = 1\n  validation {\n    condition     = var.n > 0\n    error_message = "N must be positive."\n  }\n}\njob "x" {}',
    "n = 0",
    /^Failed to parse job: input\.hcl:1,5-6: Invalid value for varfile variable; N must be positive\.\n\nThis was checked by the validation rule at input\.hcl:3,3-13\./,
  ],
  [
    "an argument of a function that is none",
    'job "x" {\n  priority = parseint("many", 10)\n}',
    "",
    /input\.hcl:2,\d+-\d+: Invalid function argument; Invalid value for "number" parameter: cannot parse "many" as a base 10 integer\./,
  ],
  ["text that is no HCL", 'job "x" {', "", /input\.hcl/],
];

interface Answer {
  readonly status: number;
  readonly text: string;
}

async function parse(address: string, hcl: string, variables: string): Promise<Answer> {
  const body = JSON.stringify({ JobHCL: hcl, Variables: variables });
  const response = await fetch(`${address}/v1/jobs/parse`, { method: "POST", body, signal: AbortSignal.timeout(20_000) });
  return { status: response.status, text: await response.text() };
}

/** Without what is empty: real servers write it out. */
function filled(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(filled);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([key, one]) => [key, filled(one)] as const);
  const empty = (one: unknown) => one === null || one === "" || one === 0 || one === false || (Array.isArray(one) && one.length === 0);
  return Object.fromEntries(entries.filter(([, one]) => !empty(one)).sort(([left], [right]) => (left < right ? -1 : 1)));
}

describe("job files, as Nomad reads them", function () {
  this.timeout(60_000);
  const { NOMAD_ADDR: real = "" } = process.env;
  let fake: FakeNomad;
  before(async () => {
    fake = await FakeNomad.start();
  });
  after(async () => await fake.stop());

  it("are there", () => {
    expect(FILES).to.include.members(["api.nomad.hcl", "controller.nomad.hcl", "postgres.nomad.hcl", "prometheus.nomad.hcl"]);
  });

  for (const file of FILES) {
    for (const [how, values] of Object.entries(VALUES)) {
      it(`${file} ${how} is a job${real === "" ? "" : ", the same as on a real Nomad"}`, async () => {
        const hcl = readFileSync(join(FOLDER, file), "utf8");
        const answer = await parse(fake.address, hcl, values);
        expect(answer.status, answer.text).to.equal(200);
        if (real === "") return;
        const wanted = await parse(real, hcl, values);
        expect(wanted.status, wanted.text).to.equal(200);
        expect(filled(JSON.parse(answer.text))).to.deep.equal(filled(JSON.parse(wanted.text)));
      });
    }
  }

  for (const [claim, hcl, variables, words] of REFUSED) {
    it(`${claim} is refused in ${real === "" ? "Nomad's" : "a real Nomad's"} words`, async () => {
      for (const address of [fake.address, ...(real === "" ? [] : [real])]) {
        const { status, text } = await parse(address, hcl, variables);
        expect(status).to.equal(400);
        expect(text).to.match(words);
      }
    });
  }
});
