/** What an image of Wadi has to be, checked in the text of the Dockerfile: pinned, small, without rights. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { ROOT } from "../../../scripts/process.ts";

interface Instruction {
  readonly name: string;
  readonly words: string;
}

interface Stage {
  readonly from: string;
  readonly name: string;
  readonly instructions: readonly Instruction[];
}

const DIGEST = /^[\w./:-]+@sha256:[0-9a-f]{64}$/;
const text = readFileSync(join(ROOT, "Dockerfile"), "utf8");
const instructions = parse(text);
const defaults = new Map(
  instructions.filter(({ name }) => name === "ARG").map(({ words }) => words.split("=", 2) as [string, string | undefined]),
);
const stages = stagesOf(instructions);

/** Instructions with their continued lines, without comments. */
function parse(file: string): Instruction[] {
  const lines = file.split("\n").filter((line) => !/^\s*#/.test(line) && line.trim() !== "");
  const joined = lines.join("\n").replaceAll(/\\\n\s*/g, " ");
  return joined.split("\n").map((line) => {
    const [, name = "", words = ""] = /^([A-Z]+) (.*)$/.exec(line) ?? [];
    expect(name, line).not.to.equal("");
    return { name, words };
  });
}

function stagesOf(all: readonly Instruction[]): Stage[] {
  const found: { from: string; name: string; instructions: Instruction[] }[] = [];
  for (const instruction of all) {
    if (instruction.name === "FROM") {
      const [, from = "", name = ""] = /^(?:--platform=\S+ )?(\S+)(?: AS (\w+))?$/.exec(instruction.words) ?? [];
      found.push({ from: from.replace(/^\$\{(\w+)\}$/, (_all, arg: string) => defaults.get(arg) ?? ""), name, instructions: [] });
    } else found.at(-1)?.instructions.push(instruction);
  }
  return found;
}

const of = (stage: Stage | undefined, name: string): string[] =>
  (stage?.instructions ?? []).filter((one) => one.name === name).map(({ words }) => words);

describe("the image", () => {
  const last = stages.at(-1);

  it("is built in stages, each on a base that is named by its digest", () => {
    expect(stages.length).to.be.at.least(2);
    for (const { from } of stages) expect(from).to.match(DIGEST);
  });

  it("takes from other stages only what was packaged, and downloads nothing by itself", () => {
    expect(of(last, "RUN")).to.deep.equal([]);
    expect(of(last, "COPY")).to.deep.equal(["--from=build --chown=0:0 /packages/wadi /opt/wadi"]);
    expect(instructions.filter(({ name }) => name === "ADD")).to.deep.equal([]);
    for (const command of stages.flatMap((stage) => of(stage, "RUN"))) expect(command).not.to.match(/\b(?:curl|wget|apt-get|sudo)\b/);
  });

  it("runs as a numbered user without rights, and says how it is", () => {
    expect(of(last, "USER")).to.have.length(1);
    expect(of(last, "USER")[0]).to.match(/^[1-9]\d*:[1-9]\d*$/);
    expect(of(last, "HEALTHCHECK")).to.have.length(1);
  });

  it("needs no shell: its commands are lists of words", () => {
    for (const name of ["ENTRYPOINT", "CMD"]) expect(JSON.parse(of(last, name)[0] ?? "")).to.be.an("array");
    const check = /CMD (\[.*\])$/.exec(of(last, "HEALTHCHECK")[0] ?? "")?.[1] ?? "";
    expect(JSON.parse(check)).to.have.length(3);
  });

  it("carries the labels by which registries and scanners know it, and no secret", () => {
    const labels = of(last, "LABEL").join(" ");
    for (const name of ["title", "description", "licenses", "version", "revision", "base.name"]) {
      expect(labels).to.include(`org.opencontainers.image.${name}=`);
    }
    const named = instructions.filter(({ name }) => name === "ARG" || name === "ENV").map(({ words }) => words);
    for (const words of named) expect(words).not.to.match(/token|secret|passw|key/i);
  });

  it("is built from what .dockerignore lets through, which is all that is named and not what lies about", () => {
    const rules = readFileSync(join(ROOT, ".dockerignore"), "utf8")
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"));
    expect(rules[0]).to.equal("*");
    const allowed = rules.filter((rule) => rule.startsWith("!")).map((rule) => rule.slice(1));
    for (const path of allowed) expect(existsSync(join(ROOT, path)), path).to.equal(true);
    const copied = of(stages[0], "COPY")
      .flatMap((words) => words.split(" ").slice(0, -1))
      .filter((path) => path !== ".");
    expect(allowed).to.include.members(copied);
    for (const never of [".git", "dist", "node_modules", "packages", "terraform"]) expect(allowed).not.to.include(never);
  });
});
