/**
 * `$name` parameters of a script (`--param name=value`): replaced as tokens, by a literal, before parsing. Text inside strings is never
 * touched, and a value can never become anything but one literal.
 */
import type { DiagnosticCollector } from "./diagnostics.ts";
import type { Token } from "./lexer.ts";
import { nearestName } from "./nearest-name.ts";

const NUMBER = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/;
const KEYWORD = /^(?:true|false|null)$/i;
const QUOTED = /^'(?:[^']|'')*'$/;

/**
 * The SQL literal of a parameter's value: a number if it reads as one, TRUE, FALSE or NULL, a string as it is if it comes in single
 * quotes, and a string otherwise.
 */
export function parameterLiteral(value: string): string {
  if (NUMBER.test(value)) return value.startsWith("-") ? `(${value})` : value.replace(/^\+/, "");
  if (KEYWORD.test(value) || QUOTED.test(value)) return value;
  return `'${value.replaceAll("'", "''")}'`;
}

/** The values given for a script, and which of them it used. */
export class ParameterTable {
  readonly #values: ReadonlyMap<string, string>;
  readonly #used = new Set<string>();

  /** `values` by name, without `$`. */
  constructor(values: ReadonlyMap<string, string>) {
    this.#values = values;
  }

  /** The literal that replaces the `parameter` token; `undefined`, with a finding, for an unknown name. */
  use(token: Token, diagnostics: DiagnosticCollector): string | undefined {
    const name = token.text.slice(1);
    const value = this.#values.get(name);
    if (value !== undefined) {
      this.#used.add(name);
      return parameterLiteral(value);
    }
    const near = nearestName(name, this.#values.keys());
    diagnostics.error("unknown-parameter", token, `parameter "$${name}" has no value`, {
      hint: near === undefined ? `Give it with --param ${name}=value.` : `Did you mean "$${near}"?`,
    });
    return undefined;
  }

  /** Warns about values that no statement used. */
  reportUnused(diagnostics: DiagnosticCollector): void {
    for (const name of this.#values.keys()) {
      if (!this.#used.has(name)) diagnostics.warning("unused-parameter", undefined, `parameter "${name}" is not used in the script`);
    }
  }
}
