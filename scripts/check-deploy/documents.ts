/**
 * The parsed files that rules look at: every block and argument of `terraform/` and `nomad/` with its line, its text and its value. Values are
 * those of `@cdktf/hcl2json`: literals as JSON, everything else as a text in `${…}`.
 */
import { readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { parse } from "@cdktf/hcl2json";
import type { Finding } from "./finding.ts";
import { type ScannedBlock, scanHcl } from "./scan.ts";

/** One argument. */
export interface Attribute {
  readonly line: number;
  /** The expression as written. */
  readonly text: string;
  readonly value: unknown;
}

/** One block, or a whole file. */
export interface Block {
  readonly type: string;
  readonly labels: readonly string[];
  readonly line: number;
  readonly attributes: ReadonlyMap<string, Attribute>;
  readonly blocks: readonly Block[];
}

/** One file. */
export interface HclDocument {
  /** Relative to the tree. */
  readonly file: string;
  /** Its folder, relative to the tree. */
  readonly folder: string;
  /** A pack's files are made of the jobs, by a generator with a test of its own. */
  readonly kind: "terraform" | "terraform-test" | "nomad-job" | "nomad-policy" | "nomad-pack";
  readonly body: Block;
  readonly text: string;
}

/** All that rules know. Rules are pure: they read nothing else. */
export interface Project {
  readonly documents: readonly HclDocument[];
  /** Other texts by path relative to the tree: READMEs, templates, scripts, sources that write variables. */
  readonly texts: ReadonlyMap<string, string>;
}

/** A rule: what it is called is in the findings. */
export type Rule = (project: Project) => readonly Finding[];

type Json = Readonly<Record<string, unknown>>;

/** Adds values to what was scanned. Blocks of one type and one set of labels are in the same order in both. */
function withValues(scanned: ScannedBlock, values: Json | undefined): Block {
  const seen = new Map<string, number>();
  const blocks = scanned.blocks.map((inner) => {
    const key = [inner.type, ...inner.labels].join("\0");
    const index = seen.get(key) ?? 0;
    seen.set(key, index + 1);
    let found: unknown = values?.[inner.type];
    for (const label of inner.labels) found = (found as Json | undefined)?.[label];
    const value = Array.isArray(found) ? (found[index] as Json | undefined) : index === 0 ? (found as Json | undefined) : undefined;
    return withValues(inner, value);
  });
  const attributes = new Map(scanned.attributes.map(({ name, line, text }) => [name, { line, text, value: values?.[name] }] as const));
  return { type: scanned.type, labels: scanned.labels, line: scanned.line, attributes, blocks };
}

function kindOf(file: string): HclDocument["kind"] {
  if (file.endsWith(".tftest.hcl")) return "terraform-test";
  if (file.endsWith(".tf")) return "terraform";
  if (file.startsWith("nomad/pack/")) return "nomad-pack";
  return file.endsWith(".policy.hcl") ? "nomad-policy" : "nomad-job";
}

/** Reads and parses `files` of `tree`. A file that cannot be parsed is a finding, and left out. */
export async function readDocuments(tree: string, files: readonly string[]): Promise<{ documents: HclDocument[]; findings: Finding[] }> {
  const documents: HclDocument[] = [];
  const findings: Finding[] = [];
  for (const file of files) {
    const text = readFileSync(join(tree, file), "utf8");
    try {
      const values = (await parse(basename(file), text)) as Json;
      documents.push({ file, folder: dirname(file), kind: kindOf(file), body: withValues(scanHcl(text), values), text });
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const line = Number(/:(\d+),\d+/.exec(message)?.[1] ?? 0);
      findings.push({ rule: "hcl-syntax", file, line, message: message.replace(/\s+/g, " ").slice(0, 300) });
    }
  }
  return { documents, findings };
}

/** Blocks of `type` directly in `block`, also where a `dynamic` block makes them. */
export function blocksOf(block: Block, type: string): readonly Block[] {
  return block.blocks.flatMap((inner) => {
    if (inner.type === type) return [inner];
    return inner.type === "dynamic" && inner.labels[0] === type ? inner.blocks.filter((one) => one.type === "content") : [];
  });
}

/** Every block in `block`, at any depth, itself first. */
export function allBlocks(block: Block): readonly Block[] {
  return [block, ...block.blocks.flatMap(allBlocks)];
}

/** Every argument in `block`, at any depth, with its name. */
export function allAttributes(block: Block): readonly (readonly [string, Attribute])[] {
  return allBlocks(block).flatMap((one) => [...one.attributes]);
}

/** A resource, data source or the like, with the file it is in. */
export interface Located {
  readonly document: HclDocument;
  readonly block: Block;
}

/** Top-level blocks of a type (`resource`, `variable`, `job`) whose first label matches, over all documents. */
export function topBlocks(project: Project, type: string, label?: string | RegExp): readonly Located[] {
  return project.documents.flatMap((document) =>
    document.body.blocks
      .filter((block) => block.type === type && matches(block.labels[0] ?? "", label))
      .map((block) => ({ document, block })),
  );
}

function matches(label: string, wanted: string | RegExp | undefined): boolean {
  if (wanted === undefined) return true;
  return typeof wanted === "string" ? label === wanted : wanted.test(label);
}

/** The line of the first place in an argument's text that matches, else the argument's own. */
export function lineIn(attribute: Attribute, pattern: RegExp): number {
  const at = attribute.text.search(pattern);
  return at < 0 ? attribute.line : attribute.line + attribute.text.slice(0, at).split("\n").length - 1;
}

/** A finding at an argument of a block, or at the block if the argument is not there. */
export function findingAt(rule: string, { document, block }: Located, name: string | undefined, message: string, fix: string): Finding {
  const line = (name === undefined ? undefined : block.attributes.get(name)?.line) ?? block.line;
  return { rule, file: document.file, line, message, fix };
}
