/** The table of all variables of the job files, for `nomad/README.md`: what means the same in several jobs is one row. */
import type { JobFile, JobVariable } from "./job-files.ts";

interface Row extends JobVariable {
  readonly jobs: string[];
}

const HEAD = "| variable | jobs | type | default | what it is |\n|---|---|---|---|---|\n";

/** Markdown: rows of more jobs first, then by job and in the order of the files. `worker` is left out: Wadi fills its variables in. */
export function variableTable(files: readonly JobFile[]): string {
  const rows: Row[] = [];
  for (const { name: job, variables } of files.filter(({ name }) => name !== "worker")) {
    for (const variable of variables) {
      const same = rows.find((row) => row.name === variable.name && row.description === variable.description && equal(row, variable));
      if (same === undefined) rows.push({ ...variable, jobs: [job] });
      else same.jobs.push(job);
    }
  }
  const shared = rows.filter(({ jobs }) => jobs.length > 1).sort((a, b) => b.jobs.length - a.jobs.length);
  const own = rows.filter(({ jobs }) => jobs.length === 1);
  return HEAD + [...shared, ...own].map((row) => line(row, files.length - 1)).join("");
}

function equal(a: JobVariable, b: JobVariable): boolean {
  return a.type === b.type && JSON.stringify(a.default) === JSON.stringify(b.default);
}

function line({ name, jobs, type, default: value, description }: Row, all: number): string {
  const where = jobs.length === all ? "all" : jobs.join(" ");
  const shown = value === "" ? "" : `\`${JSON.stringify(value)}\``;
  return `| \`${name}\` | ${where} | ${type} | ${shown} | ${description.replaceAll("|", "\\|")} |\n`;
}
