/**
 * The repository keeps its own rules. Each check must also have seen enough: one that reads nothing finds nothing.
 */
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { SETTINGS } from "../../src/core/settings.ts";
import { anyTypes, bareErrors, barrels, defaultExports, functionLengths, machineAccess, runtimeNumbers } from "./code-rules.ts";
import { docstrings } from "./docstring-rules.ts";
import { dependencies, fileLengths, fileNames, headers, leftovers, pageTitles, settings } from "./file-rules.ts";
import { layers, layerTable } from "./layer-rules.ts";
import { type Check, readTree } from "./source-tree.ts";

/** Files the checks of code leave out: generated ones. */
const GENERATED_MAX = 12;

/** Counted apart from the tree that the checks read. */
function countFiles(folder: string, pattern: RegExp): number {
  const path = fileURLToPath(new URL(`../../${folder}`, import.meta.url));
  return readdirSync(path, { recursive: true, encoding: "utf8" }).filter((name) => pattern.test(name) && !name.startsWith("gen/")).length;
}

const code = /\.tsx?$/;
const srcCount = countFiles("src", code);
const scriptCount = countFiles("scripts", code);
const allCount = srcCount + scriptCount + countFiles("test", code);

const RULES: readonly { claim: string; check: Check; least: number }[] = [
  { claim: "imports go down the layers only", check: layers, least: srcCount },
  { claim: "the layer table has seven rows and names no folder twice", check: layerTable, least: 7 },
  { claim: "every file opens with a comment of 1 to 10 lines", check: headers, least: allCount - GENERATED_MAX },
  { claim: "no file has more than 500 lines", check: fileLengths, least: allCount - GENERATED_MAX },
  { claim: "no function has more than 70 lines", check: functionLengths, least: srcCount + scriptCount },
  { claim: "file names are kebab-case and say what is inside", check: fileNames, least: allCount - GENERATED_MAX },
  { claim: "no notes to oneself are left in comments", check: leftovers, least: allCount - GENERATED_MAX },
  { claim: "every page has one title", check: pageTitles, least: 2 },
  { claim: "every dependency has its line in the README", check: dependencies, least: 20 },
  { claim: "every setting is in the README", check: settings, least: Object.keys(SETTINGS).length },
  { claim: "src throws AppError only", check: bareErrors, least: srcCount - GENERATED_MAX },
  { claim: "nothing is any", check: anyTypes, least: allCount - GENERATED_MAX },
  { claim: "nothing is exported as default", check: defaultExports, least: allCount - GENERATED_MAX },
  { claim: "no file is a barrel", check: barrels, least: allCount - GENERATED_MAX },
  { claim: "only the clock, the prng, the data plane and cli touch the machine", check: machineAccess, least: srcCount - GENERATED_MAX },
  { claim: "the runtime does not use AssemblyScript's number parsing and printing", check: runtimeNumbers, least: 5 },
  { claim: "exports have docstrings, those of contracts all", check: docstrings, least: srcCount },
];

describe("the repository", () => {
  const tree = readTree();
  for (const { claim, check, least } of RULES) {
    it(claim, () => {
      const { seen, problems } = check(tree);
      expect(problems.join("\n")).to.equal("");
      expect(seen, "how much the check saw").to.be.at.least(least);
    });
  }
});
