/**
 * What an installation on AWS costs per month: small, medium and large from `terraform/aws/sizes/*.tfvars`, or one from a plan. The table in
 * terraform/README.md is generated; `--check` says whether it is up to date.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { externalError, toAppError } from "../src/core/errors.ts";
import { type CostLine, estimate, type Prices, priceSchema, total, type Workload, workloadSchema } from "./cost/estimate.ts";
import { inventoryOfPlan, inventoryOfVariables } from "./cost/inventory.ts";

const HELP = `usage: npx tsx scripts/cost.ts [--write | --check | --plan PLAN.json [--load small|medium|large]]
  (nothing)       prints the table of the three sizes
  --write         puts it into terraform/README.md
  --check         changes nothing; exits with 1 if the table there is another
  --plan FILE     prints what a plan costs, as terraform show -json PLAN writes it; --load says what its pipelines do (default: medium)
`;
const SIZES = ["small", "medium", "large"] as const;
type Size = (typeof SIZES)[number];
const MARKED = /(<!-- cost: npx tsx scripts\/cost\.ts --write -->\n)[\s\S]*?(\n<!-- end of cost -->)/;

const pathOf = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url));
const readJson = (path: string): unknown => JSON.parse(readFileSync(pathOf(path), "utf8"));

/** The price file of the repository. */
export function readPrices(): Prices {
  return priceSchema.parse(readJson("scripts/cost/prices.json"));
}

/** What pipelines of a size do. */
export function readWorkload(size: Size): Workload {
  return workloadSchema.parse((readJson("scripts/cost/workloads.json") as Record<string, unknown>)[size]);
}

const dollars = (usd: number): string => Math.round(usd).toLocaleString("en-US");

function table(columns: readonly { readonly name: string; readonly lines: readonly CostLine[] }[]): string {
  const items = columns[0]?.lines.map(({ item }) => item) ?? [];
  const rows = items.map((item, index) => `| ${item} | ${columns.map(({ lines }) => dollars(lines[index]?.usd ?? 0)).join(" | ")} |`);
  const sums = columns.map(({ lines }) => `**${dollars(total(lines))}**`).join(" | ");
  const head = `| US dollars per month | ${columns.map(({ name }) => name).join(" | ")} |\n|---|${columns.map(() => "---:|").join("")}`;
  return `${head}\n${rows.join("\n")}\n| **together** | ${sums} |`;
}

/** The text between the marks of terraform/README.md. */
export async function costSection(): Promise<string> {
  const prices = readPrices();
  const columns = await Promise.all(
    SIZES.map(async (name) => {
      const path = `terraform/aws/sizes/${name}.tfvars`;
      const inventory = await inventoryOfVariables(path, readFileSync(pathOf(path), "utf8"));
      return { name, lines: estimate(inventory, readWorkload(name), prices) };
    }),
  );
  const loads = SIZES.map((name) => `- ${name}: ${readWorkload(name).says}`).join("\n");
  return `
List prices on demand in ${prices.region} as of ${prices.date}; they have to be checked before you rely on them, and no discount is in them. Sizes:
\`terraform/aws/sizes/*.tfvars\`; assumed load:

${loads}

${table(columns)}

Requests of checkpoints grow with pipelines × parallelism ÷ interval: half the interval doubles that line. Rows that workers exchange cross a zone two times out of three.
A plan of your own: \`terraform -chdir=terraform/aws show -json PLAN > plan.json && npx tsx scripts/cost.ts --plan plan.json\`.
`;
}

function readmeWith(section: string): { readonly before: string; readonly after: string } {
  const before = readFileSync(pathOf("terraform/README.md"), "utf8");
  if (!MARKED.test(before))
    throw externalError("invalid-config", "terraform/README.md has lost the marks of its table of costs", { retry: "never" });
  return { before, after: before.replace(MARKED, (_all, begin: string, end: string) => `${begin}${section}${end}`) };
}

function printPlan(path: string, size: string): void {
  const load = SIZES.find((one) => one === size) ?? "medium";
  const inventory = inventoryOfPlan(JSON.parse(readFileSync(path, "utf8")));
  const prices = readPrices();
  process.stdout.write(`${table([{ name: path, lines: estimate(inventory, readWorkload(load), prices) }])}\n`);
  process.stdout.write(`prices of ${prices.region} as of ${prices.date}; load: ${readWorkload(load).says}\n`);
}

async function main(args: readonly string[]): Promise<number> {
  const given = (name: string) => (args.includes(name) ? args[args.indexOf(name) + 1] : undefined);
  if (args.includes("--help")) {
    process.stdout.write(HELP);
    return 0;
  }
  const plan = given("--plan");
  if (plan !== undefined) {
    printPlan(plan, given("--load") ?? "medium");
    return 0;
  }
  const section = await costSection();
  if (!args.includes("--write") && !args.includes("--check")) {
    process.stdout.write(section);
    return 0;
  }
  const { before, after } = readmeWith(section);
  if (before === after) return 0;
  if (args.includes("--check")) {
    process.stderr.write("the table of costs in terraform/README.md is not up to date: npx tsx scripts/cost.ts --write\n");
    return 1;
  }
  writeFileSync(pathOf("terraform/README.md"), after);
  return 0;
}

if (process.argv[1]?.endsWith("scripts/cost.ts") === true) {
  process.exitCode = await main(process.argv.slice(2)).catch((thrown: unknown) => {
    const error = toAppError(thrown);
    process.stderr.write(`${error.message}${error.hint === undefined ? "" : `\n${error.hint}`}\n`);
    return 1;
  });
}
