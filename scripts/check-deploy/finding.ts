/**
 * What the deployment gate finds: which rule, where, what is wrong and how it is put right. Printed one below the other, sorted by place.
 */

/** One thing that is wrong. */
export interface Finding {
  /** Name of the rule or step, such as `bucket-encrypted` or `terraform-validate`. */
  readonly rule: string;
  /** Path relative to the tree's root. */
  readonly file: string;
  /** From 1; 0 where the whole file is meant. */
  readonly line: number;
  /** The cause, lower case, without a full stop. */
  readonly message: string;
  /** What to do about it, a sentence. */
  readonly fix?: string;
}

/** `file:line: message [rule]`, with the fix on a line of its own. */
export function printFinding({ rule, file, line, message, fix }: Finding): string {
  const place = line > 0 ? `${file}:${line}` : file;
  return `${place}: ${message} [${rule}]${fix === undefined ? "" : `\n    ${fix}`}`;
}

/** By file, then line, each once. */
export function sortFindings(findings: readonly Finding[]): readonly Finding[] {
  const unique = new Map(findings.map((finding) => [printFinding(finding), finding]));
  return [...unique.values()].sort((a, b) => (a.file === b.file ? a.line - b.line : a.file < b.file ? -1 : 1));
}
