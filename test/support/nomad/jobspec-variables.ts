/** Input variables of a job: their types, defaults and validations, and the values of a request, with Nomad's words for what does not fit. */
import { Evaluation, hclText, isHclObject } from "./hcl-evaluate.ts";
import { parseHcl } from "./hcl-parser.ts";
import { type Block, type Expression, HclError, type HclSource, type HclValue, type Range } from "./hcl-syntax.ts";

/** Converts a value to a type; a text says why it does not fit. */
type Convert = (value: HclValue) => HclValue;

/** A value does not fit; the message is the reason. */
class Unfit extends Error {}

function primitive(kind: string): Convert {
  return (value) => {
    if (value === null) return null;
    if (kind === "string") {
      const text = hclText(value);
      if (text === undefined) throw new Unfit("string required");
      return text;
    }
    if (kind === "number") {
      const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
      if (typeof number !== "number" || Number.isNaN(number)) throw new Unfit("a number is required");
      return number;
    }
    if (value === true || value === "true") return true;
    if (value === false || value === "false") return false;
    throw new Unfit("a bool is required");
  };
}

function listConverter(kind: string, of: Convert): Convert {
  return (value) => {
    if (value === null) return null;
    if (!Array.isArray(value)) throw new Unfit(`${kind} required`);
    const items = (value as readonly HclValue[]).map(of);
    if (kind !== "set") return items;
    const seen = new Map(items.map((one) => [JSON.stringify(one), one]));
    return [...seen.keys()].sort().map((key) => seen.get(key) ?? null);
  };
}

function mapConverter(of: Convert): Convert {
  return (value) => {
    if (value === null) return null;
    if (!isHclObject(value)) throw new Unfit("map required");
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, of(one)]));
  };
}

function objectConverter(fields: ReadonlyMap<string, { readonly convert: Convert; readonly optional: boolean }>): Convert {
  return (value) => {
    if (value === null) return null;
    if (!isHclObject(value)) throw new Unfit("object required");
    return Object.fromEntries(
      [...fields].map(([name, { convert, optional }]) => {
        const given = value[name];
        if (given === undefined && !optional) throw new Unfit(`attribute "${name}" is required`);
        return [name, given === undefined ? null : convert(given)];
      }),
    );
  };
}

/** The type that an expression such as `map(string)` names. */
function typeOf(source: HclSource, expression: Expression): Convert {
  const refuse = (): never => {
    throw new HclError(source, expression, "Invalid type specification", "This is not a type that variables can have.");
  };
  if (expression.kind === "variable") {
    if (expression.name === "any") return (value) => value;
    return ["string", "number", "bool"].includes(expression.name) ? primitive(expression.name) : refuse();
  }
  const [of] = expression.kind === "call" ? expression.args : [];
  if (expression.kind !== "call" || of === undefined) return refuse();
  if (expression.name === "list" || expression.name === "set") return listConverter(expression.name, typeOf(source, of));
  if (expression.name === "map") return mapConverter(typeOf(source, of));
  if (expression.name === "tuple" && of.kind === "tuple") {
    const types = of.items.map((one) => typeOf(source, one));
    return (value) => (Array.isArray(value) ? (value as readonly HclValue[]).map((one, index) => types[index]?.(one) ?? one) : value);
  }
  if (expression.name !== "object" || of.kind !== "object") return refuse();
  const fields = of.entries.map(([key, type]) => {
    const name = key.kind === "literal" ? String(key.value) : refuse();
    const inner = type.kind === "call" && type.name === "optional" ? type.args[0] : undefined;
    return [name, { convert: typeOf(source, inner ?? type), optional: inner !== undefined }] as const;
  });
  return objectConverter(new Map(fields));
}

/** A value with where it came from. */
interface Assignment {
  readonly value: HclValue;
  readonly from: "default" | "varfile";
  readonly source: HclSource;
  readonly range: Range;
}

function convertTo(convert: Convert, value: HclValue, error: (reason: string) => HclError): HclValue {
  try {
    return convert(value);
  } catch (thrown) {
    if (thrown instanceof Unfit) throw error(thrown.message);
    throw thrown;
  }
}

function validate(source: HclSource, block: Block, name: string, { value, from, source: theirs, range }: Assignment): void {
  const inner = new Evaluation({ source, variables: { var: { [name]: value } } });
  for (const validation of block.body.blocks.filter(({ type }) => type === "validation")) {
    const expression = (wanted: string) => validation.body.attributes.find((one) => one.name === wanted)?.value;
    const [condition, message] = [expression("condition"), expression("error_message")];
    if (condition === undefined || message === undefined) {
      throw new HclError(source, validation, "Missing required argument", 'A validation needs "condition" and "error_message".');
    }
    if (inner.value(condition) === true) continue;
    const detail = `${String(inner.value(message))}\n\nThis was checked by the validation rule at ${source.place(validation)}.`;
    throw new HclError(theirs, range, `Invalid value for ${from} variable`, detail);
  }
}

/**
 * Values of the variables that `blocks` declare; `given` is text in the manner of a variables file. Like the servers' API it takes no notice of
 * values for variables that are not declared. Throws `HclError`.
 */
export function readVariables(source: HclSource, blocks: readonly Block[], given: string): Record<string, HclValue> {
  const file = parseHcl("input.hcl", given);
  const plain = new Evaluation({ source: file.source, variables: {} });
  const own = new Evaluation({ source, variables: {} });
  const values: Record<string, HclValue> = {};
  for (const block of blocks) {
    const [name = ""] = block.labels;
    const attribute = (wanted: string) => block.body.attributes.find((one) => one.name === wanted)?.value;
    const type = attribute("type");
    const convert = type === undefined ? (value: HclValue) => value : typeOf(source, type);
    const standard = attribute("default");
    const assigned = file.body.attributes.find((one) => one.name === name);
    let assignment: Assignment;
    if (assigned !== undefined) {
      const detail = (reason: string) => `The value for ${name} is not compatible with the variable's type constraint: ${reason}.`;
      const unfit = (reason: string) => new HclError(file.source, assigned.value, "Invalid value for variable", detail(reason));
      const value = convertTo(convert, plain.value(assigned.value), unfit);
      assignment = { value, from: "varfile", source: file.source, range: assigned.value };
    } else if (standard !== undefined) {
      const detail = (reason: string) => `This default value is not compatible with the variable's type constraint: ${reason}.`;
      const unfit = (reason: string) => new HclError(source, standard, "Invalid default value for variable", detail(reason));
      assignment = { value: convertTo(convert, own.value(standard), unfit), from: "default", source, range: standard };
    } else {
      const detail =
        "A used variable must be set or have a default value; see https://developer.hashicorp.com/nomad/docs/reference/hcl2/variables  for details.";
      throw new HclError(source, block, `Unset variable "${name}"`, detail);
    }
    validate(source, block, name, assignment);
    values[name] = assignment.value;
  }
  return values;
}
