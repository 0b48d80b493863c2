/** What is generated from the job files of `nomad/`: the table of variables and the nomad-pack. */
import { expect } from "chai";
import { nomadDrift, nomadFiles } from "../../../scripts/gen-nomad.ts";
import { type JobFile, readJobFiles } from "../../../scripts/nomad/job-files.ts";
import { packFiles, packVariable } from "../../../scripts/nomad/pack.ts";

/** As many jobs as `nomad/README.md` lists; more may come. */
const JOBS_MIN = 12;

describe("what follows from the job files", () => {
  let files: readonly JobFile[];
  before(async () => {
    files = await readJobFiles();
    expect(files.length).to.be.at.least(JOBS_MIN);
  });

  it("is what they say: else npx tsx scripts/gen-nomad.ts", async () => {
    expect(nomadDrift(await nomadFiles())).to.deep.equal([]);
  });

  it("is a pack that renders to them, word for word, and leaves out what it is not asked for", () => {
    const pack = packFiles(files, "0.1.0");
    for (const { name, text, variables } of files.filter((file) => file.name !== "worker")) {
      const template = pack.get(`templates/${name}.nomad.tpl`) ?? "";
      const values = new Map(variables.map((variable) => [packVariable(name, variable.name), variable.default]));
      expect(JSON.stringify(render(template, [name], values)), name).to.equal(JSON.stringify(unspaced(text)));
      expect(render(template, ["other"], values)).to.equal("");
    }
  });

  it("has one list of variables: what the pack shares has one type and one default in all jobs", () => {
    const seen = new Map<string, string>();
    for (const { name: job, variables } of files.filter((file) => file.name !== "worker")) {
      for (const { name, type, default: value } of variables) {
        const known = seen.get(packVariable(job, name));
        const said = `${type} ${JSON.stringify(value)}`;
        expect(known ?? said, `${job}: ${name}`).to.equal(said);
        seen.set(packVariable(job, name), said);
      }
    }
    expect(seen.size).to.be.greaterThan(100);
  });

  it("needs that a name has one type in all jobs: one file of values serves them", () => {
    const types = new Map<string, string>();
    for (const { name: job, variables } of files) {
      for (const { name, type } of variables) {
        expect(types.get(name) ?? type, `${job}: ${name}`).to.equal(type);
        types.set(name, type);
      }
    }
  });
});

/** What the pack's templates use of Go's: a condition around all, variables as JSON, brackets as texts. */
function render(template: string, jobs: readonly string[], values: ReadonlyMap<string, unknown>): string {
  const [, job = "", body = ""] = /^\[\[ if has "(\w+)" \(var "jobs" \.\) -\]\]\s*([\s\S]*)\[\[ end \]\]\n$/.exec(template) ?? [];
  if (!jobs.includes(job)) return "";
  return unspaced(
    body.replace(/\[\[ (?:var "(\w+)" \. [^\]]*|"(\[+)") \]\]/g, (_all, name: string | undefined, brackets: string | undefined) => {
      if (name === undefined) return brackets ?? "";
      expect(values.has(name), name).to.equal(true);
      return JSON.stringify(values.get(name));
    }),
  );
}

/** Formatting of lists and maps differs, their values do not. */
function unspaced(text: string): string {
  return text.replace(/^( {2}default +=) (.*)$/gm, (_all, before: string, value: string) => `${before} ${value.replaceAll(" ", "")}`);
}
