/** Whether scripts that machines run at their first start can be read by the shell that they name: a slip there is seen only after an apply. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { runProgram } from "../process.ts";
import type { Finding } from "./finding.ts";

/** What the shell of each script says to its syntax, `-n`; templates are not scripts yet. Files without a `#!` are read by bash. */
export async function checkScripts(tree: string, files: readonly string[]): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const file of files.filter((name) => /^(terraform|nomad)\/.*\.sh$/.test(name))) {
    const shell = /^#!.*\b(bash|sh)\b/.exec(readFileSync(join(tree, file), "utf8"))?.[1] ?? "bash";
    const { code, output } = await runProgram(shell, ["-n", join(tree, file)], tree);
    if (code === 0) continue;
    const [first = ""] = output.trim().split("\n");
    const line = Number(
      /line (\d+)|: (\d+):/
        .exec(first)
        ?.slice(1)
        .find((one) => one !== undefined) ?? 0,
    );
    findings.push({ rule: "shell-syntax", file, line, message: first.replace(/^.*?: (line )?\d+: /, "") });
  }
  return findings;
}
