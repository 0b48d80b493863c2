/**
 * Values of HCL's expressions, as JSON has them: numbers are doubles, sets and tuples are lists. A name that nothing defines is kept as the text
 * `${name}`, as Nomad does it, so that clients may fill it in.
 */
import { HCL_FUNCTIONS, HclFunctionError } from "./hcl-functions.ts";
import { type Expression, HclError, type HclSource, type HclValue, type Range, type TemplatePart } from "./hcl-syntax.ts";

/** What an expression may refer to. */
export interface HclScope {
  readonly source: HclSource;
  readonly variables: Readonly<Record<string, HclValue>>;
}

/** Whether a value is a map or an object. */
export function isHclObject(value: HclValue | undefined): value is { readonly [name: string]: HclValue } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A value in a template; undefined: it cannot be text. */
export function hclText(value: HclValue): string | undefined {
  return typeof value === "string" ? value : typeof value === "number" || typeof value === "boolean" ? String(value) : undefined;
}

/** Elements with their keys, in HCL's order: maps by their keys. */
export function hclEntries(value: HclValue): [HclValue, HclValue][] {
  if (Array.isArray(value)) return value.map((one: HclValue, index) => [index, one]);
  return Object.entries(value ?? {}).sort(([left], [right]) => (left < right ? -1 : 1));
}

/** Evaluates in one scope. Throws `HclError`. */
export class Evaluation {
  readonly #scope: HclScope;

  constructor(scope: HclScope) {
    this.#scope = scope;
  }

  #fail(range: Range, summary: string, detail: string): never {
    throw new HclError(this.#scope.source, range, summary, detail);
  }

  #with(variables: Readonly<Record<string, HclValue>>): Evaluation {
    return new Evaluation({ ...this.#scope, variables: { ...this.#scope.variables, ...variables } });
  }

  /** The expression's value. */
  value(expression: Expression): HclValue {
    switch (expression.kind) {
      case "literal":
        return expression.value;
      case "template":
        return this.#template(expression.parts, expression);
      case "variable":
      case "attribute":
      case "index":
        return this.#undefinedName(expression) ?? this.#traversal(expression);
      case "splat":
        return this.#splat(expression);
      case "tuple":
        return expression.items.map((one) => this.value(one));
      case "object":
        return Object.fromEntries(expression.entries.map(([key, value]) => [this.#text(key), this.value(value)]));
      case "for":
        return this.#for(expression);
      case "call":
        return this.#call(expression);
      case "unary":
        return expression.operator === "-" ? -this.#number(expression.operand) : !this.#boolean(expression.operand);
      case "binary":
        return this.#binary(expression);
      case "conditional":
        return this.value(this.#boolean(expression.condition) ? expression.whenTrue : expression.otherwise);
    }
  }

  /** `${name.of.something}` for a traversal whose first name nothing defines. */
  #undefinedName(expression: Expression): string | undefined {
    let root = expression;
    while (root.kind === "attribute" || root.kind === "index") root = root.of;
    if (root.kind !== "variable" || root.name in this.#scope.variables) return undefined;
    return `\${${this.#scope.source.text.slice(root.start, expression.end)}}`;
  }

  #traversal(expression: Expression): HclValue {
    if (expression.kind === "variable") return this.#scope.variables[expression.name] ?? null;
    if (expression.kind === "attribute") return this.#part(this.value(expression.of), expression.name, expression);
    if (expression.kind === "index") return this.#part(this.value(expression.of), this.value(expression.key), expression);
    return this.value(expression);
  }

  #part(of: HclValue, key: HclValue, range: Range): HclValue {
    const found = Array.isArray(of)
      ? (of as readonly HclValue[])[Number(key)]
      : isHclObject(of) && typeof key === "string"
        ? of[key]
        : undefined;
    if (found !== undefined) return found;
    if (Array.isArray(of))
      return this.#fail(range, "Invalid index", "The given key does not identify an element in this collection value.");
    return this.#fail(range, "Unsupported attribute", `This object does not have an attribute named ${JSON.stringify(key)}.`);
  }

  #splat(expression: Expression & { readonly kind: "splat" }): HclValue {
    const of = this.value(expression.of);
    const items: readonly HclValue[] = Array.isArray(of) ? of : of === null ? [] : [of];
    return items.map((item) =>
      expression.path.reduce<HclValue>(
        (value, step) => this.#part(value, typeof step === "string" ? step : this.value(step), expression),
        item,
      ),
    );
  }

  #text(expression: Expression): string {
    const value = this.value(expression);
    return (
      hclText(value) ??
      this.#fail(
        expression,
        "Invalid template interpolation value",
        "Cannot include the given value in a string template: string required.",
      )
    );
  }

  #number(expression: Expression): number {
    const value = this.value(expression);
    const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
    if (typeof number === "number" && !Number.isNaN(number)) return number;
    return this.#fail(expression, "Invalid operand", "Unsuitable value for operand: a number is required.");
  }

  #boolean(expression: Expression): boolean {
    const value = this.value(expression);
    if (value === true || value === "true") return true;
    if (value === false || value === "false") return false;
    return this.#fail(expression, "Incorrect condition type", "The condition expression must be of type bool.");
  }

  #template(parts: readonly TemplatePart[], range: Range): string {
    let out = "";
    for (const part of parts) {
      if (part.kind === "text") out += part.text;
      else if (part.kind === "value") out += this.#text(part.value);
      else if (part.kind === "if") out += this.#template(this.#boolean(part.condition) ? part.whenTrue : part.otherwise, range);
      else {
        for (const [key, value] of hclEntries(this.value(part.list))) {
          out += this.#with(named(part.names, key, value)).#template(part.body, range);
        }
      }
    }
    return out;
  }

  #for(expression: Expression & { readonly kind: "for" }): HclValue {
    const list: HclValue[] = [];
    const map: Record<string, HclValue> = {};
    for (const [key, value] of hclEntries(this.value(expression.list))) {
      const inner = this.#with(named(expression.names, key, value));
      if (expression.condition !== undefined && !inner.#boolean(expression.condition)) continue;
      const made = inner.value(expression.value);
      if (expression.key === undefined) {
        list.push(made);
        continue;
      }
      const name = inner.#text(expression.key);
      if (expression.grouped) map[name] = [...((map[name] as readonly HclValue[] | undefined) ?? []), made];
      else if (name in map)
        this.#fail(expression, "Duplicate object key", `Two different items produced the key "${name}" in this 'for' expression.`);
      else map[name] = made;
    }
    return expression.key === undefined ? list : map;
  }

  #call(expression: Expression & { readonly kind: "call" }): HclValue {
    const { name, args, expands } = expression;
    if (name === "try" || name === "can") return this.#try(expression);
    const known = HCL_FUNCTIONS[name];
    if (known === undefined) return this.#fail(expression, "Call to unknown function", `There is no function named "${name}".`);
    const values = args.map((one) => this.value(one));
    const last = values.at(-1);
    const given = expands && Array.isArray(last) ? [...values.slice(0, -1), ...(last as readonly HclValue[])] : values;
    try {
      return known(...given);
    } catch (error) {
      if (!(error instanceof HclFunctionError)) throw error;
      const { argument, message } = error;
      const at = argument === undefined ? undefined : args[argument.index];
      if (argument !== undefined && at !== undefined) {
        return this.#fail(at, "Invalid function argument", `Invalid value for "${argument.name}" parameter: ${message}.`);
      }
      return this.#fail(expression, "Error in function call", `Call to function "${name}" failed: ${message}.`);
    }
  }

  #try({ name, args, start, end }: Expression & { readonly kind: "call" }): HclValue {
    for (const one of args) {
      try {
        const value = this.value(one);
        return name === "can" ? true : value;
      } catch (error) {
        if (!(error instanceof HclError)) throw error;
      }
    }
    return name === "can"
      ? false
      : this.#fail({ start, end }, "Error in function call", 'Call to function "try" failed: no expression succeeded.');
  }

  #binary({ operator, left, right }: Expression & { readonly kind: "binary" }): HclValue {
    switch (operator) {
      case "||": {
        const [first, second] = [this.#boolean(left), this.#boolean(right)];
        return first || second;
      }
      case "&&": {
        // Both sides are evaluated, as there: nothing is guarded by the first.
        const [first, second] = [this.#boolean(left), this.#boolean(right)];
        return first && second;
      }
      case "==":
        return sameValue(this.value(left), this.value(right));
      case "!=":
        return !sameValue(this.value(left), this.value(right));
      default:
        return calculate(operator, this.#number(left), this.#number(right));
    }
  }
}

function calculate(operator: string, left: number, right: number): number | boolean {
  switch (operator) {
    case "<":
      return left < right;
    case "<=":
      return left <= right;
    case ">":
      return left > right;
    case ">=":
      return left >= right;
    case "+":
      return left + right;
    case "-":
      return left - right;
    case "*":
      return left * right;
    case "/":
      return left / right;
    default:
      return left % right;
  }
}

function named(names: readonly string[], key: HclValue, value: HclValue): Record<string, HclValue> {
  const [first = "", second] = names;
  return second === undefined ? { [first]: value } : { [first]: key, [second]: value };
}

/** Whether two values are equal, in depth and in type. */
export function sameValue(left: HclValue, right: HclValue): boolean {
  if (Array.isArray(left) && Array.isArray(right)) {
    return (
      left.length === right.length && left.every((one: HclValue, index) => sameValue(one, (right as readonly HclValue[])[index] ?? null))
    );
  }
  if (isHclObject(left) && isHclObject(right)) {
    const names = Object.keys(left);
    return (
      names.length === Object.keys(right).length &&
      names.every((name) => name in right && sameValue(left[name] ?? null, right[name] ?? null))
    );
  }
  return left === right;
}
