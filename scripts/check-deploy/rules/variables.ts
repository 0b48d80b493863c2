/** Rules for variables, locals and outputs: declared and used, described, typed and, where a value can be out of range, validated. */
import { allBlocks, type Block, findingAt, type HclDocument, type Located, lineIn, type Rule } from "../documents.ts";
import type { Finding } from "../finding.ts";

/** Files that see each other's names: a folder of Terraform's, or one file of Nomad's. */
interface Scope {
  readonly name: string;
  readonly documents: readonly HclDocument[];
}

function scopes(documents: readonly HclDocument[]): Scope[] {
  const grouped = new Map<string, HclDocument[]>();
  for (const document of documents) {
    if (document.kind !== "terraform" && document.kind !== "nomad-job") continue;
    const name = document.kind === "terraform" ? document.folder : document.file;
    grouped.set(name, [...(grouped.get(name) ?? []), document]);
  }
  return [...grouped].map(([name, members]) => ({ name, documents: members }));
}

function blocksIn(scope: Scope, type: string): Located[] {
  return scope.documents.flatMap((document) =>
    document.body.blocks.filter((block) => block.type === type).map((block) => ({ document, block })),
  );
}

/** References `kind.NAME` in a scope with their places; `outside` leaves out the block whose own they are. */
function references(
  scope: Scope,
  kind: string,
  outside: (block: Block) => string | undefined,
): { name: string; document: HclDocument; line: number }[] {
  const pattern = new RegExp(`(?<![\\w.])${kind}\\.([a-zA-Z_]\\w*)`, "g");
  return scope.documents.flatMap((document) =>
    document.body.blocks.flatMap((top) =>
      allBlocks(top).flatMap((block) =>
        [...block.attributes.values()].flatMap((attribute) =>
          [...attribute.text.replace(/^\s*(#|\/\/).*$/gm, "").matchAll(pattern)]
            .map((match) => match[1] ?? "")
            .filter((name) => name !== outside(top))
            .map((name) => ({ name, document, line: lineIn(attribute, new RegExp(`(?<![\\w.])${kind}\\.${name}\\b`)) })),
        ),
      ),
    ),
  );
}

const used: Rule = ({ documents }) =>
  scopes(documents).flatMap((scope): Finding[] => {
    const declared = new Set(blocksIn(scope, "variable").map(({ block }) => block.labels[0]));
    const found = references(scope, "var", (top) => (top.type === "variable" ? top.labels[0] : undefined));
    const names = new Set(found.map(({ name }) => name));
    // Wadi gives a run's numbers to the template for workers, which need not use them all.
    const declarations = scope.name.endsWith("worker.nomad.hcl") ? [] : blocksIn(scope, "variable");
    const unused = declarations.filter(({ block }) => !names.has(block.labels[0] ?? ""));
    const unknown = found.filter(({ name }) => !declared.has(name));
    return [
      ...unused.map((one) =>
        findingAt("variable-used", one, undefined, `the variable "${one.block.labels[0]}" is not used`, "Use it or remove it."),
      ),
      ...unknown.map(({ name, document, line }) => ({
        rule: "variable-declared",
        file: document.file,
        line,
        message: `there is no variable "${name}"`,
        fix: "Declare it.",
      })),
    ];
  });

const locals: Rule = ({ documents }) =>
  scopes(documents).flatMap((scope): Finding[] => {
    const declared = blocksIn(scope, "locals").flatMap(({ document, block }) =>
      [...block.attributes].map(([name, { line }]) => ({ name, document, line })),
    );
    const known = new Set(declared.map(({ name }) => name));
    const found = references(scope, "local", () => undefined);
    const names = new Set(found.map(({ name }) => name));
    return [
      ...declared
        .filter(({ name }) => !names.has(name))
        .map(({ name, document, line }) => ({
          rule: "local-used",
          file: document.file,
          line,
          message: `the local "${name}" is not used`,
          fix: "Remove it.",
        })),
      ...found
        .filter(({ name }) => !known.has(name))
        .map(({ name, document, line }) => ({
          rule: "local-declared",
          file: document.file,
          line,
          message: `there is no local "${name}"`,
          fix: "Declare it.",
        })),
    ];
  });

/** Names of which every value has a form, so that a wrong one is refused early. */
const VALIDATED = /^(driver|image|artifact_checksum|scheduler|allowed_cidrs)$/;

function checkVariable(one: Located): Finding[] {
  const { block, document } = one;
  const name = block.labels[0] ?? "";
  const findings: Finding[] = [];
  const missing = (rule: string, what: string, fix: string) =>
    findings.push(findingAt(rule, one, undefined, `the variable "${name}" has no ${what}`, fix));
  if (!block.attributes.has("type")) missing("variable-typed", "type", "Say its type.");
  if (String(block.attributes.get("description")?.value ?? "").length < 5)
    missing("variable-described", "description", "Say what it is for, with its unit.");
  if (document.kind === "nomad-job" && !block.attributes.has("default"))
    missing("variable-default", "default", "Jobs run without any values.");
  const isNumber = block.attributes.get("type")?.text === "number";
  const validations = block.blocks.filter(({ type }) => type === "validation");
  const isTemplate = document.file.endsWith("worker.nomad.hcl");
  if ((isNumber || VALIDATED.test(name)) && validations.length === 0 && !isTemplate)
    missing("variable-validated", "validation", "Say which values there are, so that a wrong one is refused before anything is made.");
  for (const validation of validations) {
    if (new RegExp(`\\bvar\\.${name}\\b`).test(validation.attributes.get("condition")?.text ?? "")) continue;
    findings.push(
      findingAt(
        "variable-validated",
        { document, block: validation },
        "condition",
        `the validation of "${name}" does not look at it`,
        "Test the variable.",
      ),
    );
  }
  return findings;
}

const declarations: Rule = ({ documents }) => scopes(documents).flatMap((scope) => blocksIn(scope, "variable").flatMap(checkVariable));

const outputs: Rule = ({ documents }) =>
  scopes(documents).flatMap((scope) =>
    blocksIn(scope, "output")
      .filter(({ block }) => String(block.attributes.get("description")?.value ?? "").length < 5)
      .map((one) =>
        findingAt("output-described", one, undefined, `the output "${one.block.labels[0]}" has no description`, "Say what it is."),
      ),
  );

/** The rules of this file. */
export const VARIABLE_RULES: readonly Rule[] = [used, locals, declarations, outputs];
