/**
 * Options of WITH (…), taken one by one, so that what is left over is known to be unknown.
 */
import { nearestName } from "../../core/nearest.ts";
import type { DiagnosticCollector } from "../diagnostics.ts";
import type { Span } from "../source-text.ts";
import type { OptionValue, TableOption } from "../statement.ts";

/** The options of one table. */
export class OptionReader {
  readonly #options: Map<string, TableOption>;
  readonly #diagnostics: DiagnosticCollector;
  readonly #known = new Set<string>();

  /** Reports options that are given twice; the first one counts. */
  constructor(options: readonly TableOption[], diagnostics: DiagnosticCollector) {
    this.#diagnostics = diagnostics;
    this.#options = new Map();
    for (const option of options) {
      const key = option.key.toLowerCase();
      if (this.#options.has(key)) diagnostics.error("duplicate-option", option.keySpan, `option "${option.key}" is given twice`);
      else this.#options.set(key, option);
    }
  }

  /** Whether there are no options (left). */
  get isEmpty(): boolean {
    return this.#options.size === 0;
  }

  /** Takes an option out. */
  take(key: string): TableOption | undefined {
    this.#known.add(key);
    const option = this.#options.get(key);
    this.#options.delete(key);
    return option;
  }

  /** An option's value as text. */
  takeText(key: string): { readonly text: string; readonly span: Span } | undefined {
    const option = this.take(key);
    return option && { text: String(plainValue(option.value)), span: option.value.span };
  }

  /** An option that is one of a few words, in any case; reports others. */
  takeChoice<T extends string>(key: string, choices: readonly T[]): T | undefined {
    const option = this.takeText(key);
    if (option === undefined) return undefined;
    const choice = choices.find((c) => c === option.text.toLowerCase());
    if (choice === undefined) {
      const nearest = nearestName(option.text, choices);
      this.#diagnostics.error("invalid-option", option.span, `"${option.text}" is not a value of option "${key}"`, {
        detail: `Values are ${choices.map((c) => `'${c}'`).join(", ")}.`,
        ...(nearest === undefined ? {} : { hint: `Did you mean '${nearest}'?` }),
      });
    }
    return choice;
  }

  /** A true-or-false option: a literal or one of Arroyo's words. */
  takeBoolean(key: string): boolean | undefined {
    const option = this.takeText(key);
    if (option === undefined) return undefined;
    const word = option.text.toLowerCase();
    if (["true", "yes"].includes(word)) return true;
    if (!["false", "no"].includes(word)) this.#diagnostics.error("invalid-option", option.span, `option "${key}" must be true or false`);
    return false;
  }

  /** Takes all options that are in `names`, by name as spelled there. */
  takeAll(names: Iterable<string>): Map<string, TableOption> {
    const taken = new Map<string, TableOption>();
    for (const name of names) {
      const option = this.take(name);
      if (option !== undefined) taken.set(name, option);
    }
    return taken;
  }

  /** Reports every option that nobody took. */
  refuseRest(where: string): void {
    for (const option of this.#options.values()) {
      const nearest = nearestName(option.key, this.#known);
      this.#diagnostics.error("unknown-option", option.keySpan, `${where} has no option "${option.key}"`, {
        ...(nearest === undefined ? {} : { hint: `Did you mean "${nearest}"?` }),
      });
    }
  }
}

/** An option's value as connectors take it. Intervals and identifiers are text; a list is joined by commas. */
export function plainValue(value: OptionValue): string | number | boolean {
  switch (value.kind) {
    case "string":
    case "boolean":
      return value.value;
    case "number":
      return Number(value.text);
    case "interval":
      return value.interval.unit === undefined ? value.interval.text : `${value.interval.text} ${value.interval.unit}`;
    case "identifier":
      return value.name.parts.map((p) => p.text).join(".");
    case "list":
      return value.items.map((item) => String(plainValue(item))).join(",");
  }
}
