/**
 * A job in HCL2 to the JSON of the API, as `/v1/jobs/parse` does it: variables with types and validations, `locals`, `dynamic` blocks, functions.
 * Names that nothing defines stay `${…}` for the clients. Absent keys are absent here, where real servers write null.
 */
import { parseDuration } from "./exchange.ts";
import { Evaluation, type HclScope, hclEntries, hclText, isHclObject } from "./hcl-evaluate.ts";
import { parseHcl } from "./hcl-parser.ts";
import { type Block, type Body, HclError, type HclSource, type HclValue } from "./hcl-syntax.ts";
import { JOBSPEC, type RepeatedRule, type Table } from "./jobspec-table.ts";
import { readVariables } from "./jobspec-variables.ts";

type Json = Readonly<Record<string, unknown>>;

const OPERANDS = ["version", "semver", "regexp", "set_contains", "set_contains_all", "set_contains_any", "is_set", "is_not_set"];

/** A block whose `dynamic` blocks are written out, with what its expressions may refer to. */
interface Scoped {
  readonly block: Block;
  readonly scope: HclScope;
}

/** The blocks of a body in order, `dynamic` ones as what they become. */
function expand(body: Body, scope: HclScope): Scoped[] {
  return body.blocks.flatMap((block) => (block.type === "dynamic" ? expandDynamic(block, scope) : [{ block, scope }]));
}

function expandDynamic(dynamic: Block, scope: HclScope): Scoped[] {
  const { source } = scope;
  const evaluation = new Evaluation(scope);
  const attribute = (name: string) => dynamic.body.attributes.find((one) => one.name === name)?.value;
  const [type = ""] = dynamic.labels;
  const list = attribute("for_each");
  const content = dynamic.body.blocks.find((one) => one.type === "content");
  if (list === undefined || content === undefined) {
    throw new HclError(source, dynamic, "Missing required argument", 'A dynamic block needs "for_each" and "content".');
  }
  const named = attribute("iterator");
  const iterator = named?.kind === "variable" ? named.name : type;
  return hclEntries(evaluation.value(list)).map(([key, value]) => {
    const inner: HclScope = { source, variables: { ...scope.variables, [iterator]: { key, value } } };
    const labels = attribute("labels");
    const texts = labels === undefined ? [] : (new Evaluation(inner).value(labels) as readonly HclValue[]);
    return { block: { ...content, type, labels: texts.map((one) => hclText(one) ?? "") }, scope: inner };
  });
}

/** Reads blocks by a table. */
class Reader {
  readonly #source: HclSource;

  constructor(source: HclSource) {
    this.#source = source;
  }

  /** JSON of a body; `where` is the block's type, for errors. */
  read(body: Body, scope: HclScope, table: Table, where: string): Record<string, unknown> {
    const out: Record<string, unknown> = {};
    const evaluation = new Evaluation(scope);
    for (const attribute of body.attributes) {
      const rule = table[attribute.name];
      if (rule === undefined || !["plain", "duration", "map", "free"].includes(rule.kind)) {
        const text = `An argument named "${attribute.name}" is not expected here (in ${where}).`;
        throw new HclError(this.#source, attribute, "Unsupported argument", text);
      }
      const value = evaluation.value(attribute.value);
      if (value === null) continue;
      if (rule.kind === "duration") out[rule.name] = this.#duration(value, attribute);
      else if (rule.kind === "map") out[rule.name] = this.#texts(value, attribute);
      else out[rule.name] = value;
    }
    for (const scoped of expand(body, scope)) this.#block(out, scoped, table, where);
    return out;
  }

  #block(out: Record<string, unknown>, { block, scope }: Scoped, table: Table, where: string): void {
    const rule = table[block.type];
    if (rule === undefined || rule.kind === "plain" || rule.kind === "duration") {
      const text = `Blocks of type "${block.type}" are not expected here (in ${where}).`;
      throw new HclError(this.#source, block, "Unsupported block type", text);
    }
    const once = rule.kind === "map" || rule.kind === "free" || rule.kind === "block";
    if (once && rule.name in out) {
      const text = `Only one ${block.type} block is allowed.`;
      throw new HclError(this.#source, block, `Duplicate ${block.type} block`, text);
    }
    if (rule.kind === "map") out[rule.name] = this.#texts(this.#free(block.body, scope), block);
    else if (rule.kind === "free") out[rule.name] = this.#free(block.body, scope);
    else if (rule.kind === "block") out[rule.name] = this.read(block.body, scope, rule.of, block.type);
    else this.#several(out, { block, scope }, rule);
  }

  #several(out: Record<string, unknown>, { block, scope }: Scoped, rule: RepeatedRule): void {
    const read = this.read(block.body, scope, rule.of, block.type);
    const [label] = block.labels;
    const add = (name: string, value: unknown) => {
      out[name] = [...((out[name] as unknown[] | undefined) ?? []), value];
    };
    if (rule.kind === "ports") {
      const { Static: fixed = 0, ...port } = read;
      if (fixed === 0) add("DynamicPorts", { Label: label, ...port });
      else add("ReservedPorts", { Label: label, Value: fixed, ...port });
    } else if (rule.kind === "byLabel") {
      out[rule.name] = { ...(isObject(out[rule.name]) ? (out[rule.name] as Json) : {}), [label ?? ""]: { Name: label, ...read } };
    } else if (rule.kind === "operand") add(rule.name, withOperand(read));
    else add(rule.name, rule.label === undefined ? read : { [rule.label]: label, ...read });
  }

  /** A body without a table: attributes as they are, blocks as lists of maps. */
  #free(body: Body, scope: HclScope): Record<string, HclValue> {
    const evaluation = new Evaluation(scope);
    const out: Record<string, HclValue> = {};
    for (const { name, value } of body.attributes) {
      const read = evaluation.value(value);
      if (read !== null) out[name] = read;
    }
    for (const { block, scope: inner } of expand(body, scope)) {
      const before = (out[block.type] as readonly HclValue[] | undefined) ?? [];
      out[block.type] = [...before, this.#free(block.body, inner)];
    }
    return out;
  }

  #texts(value: HclValue, at: { readonly start: number; readonly end: number }): Record<string, string> {
    const refuse = (): never => {
      throw new HclError(this.#source, at, "Unsuitable value type", "Unsuitable value: map of string required");
    };
    if (!isHclObject(value)) return refuse();
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, hclText(one) ?? refuse()]));
  }

  #duration(value: HclValue, at: { readonly start: number; readonly end: number }): number {
    if (typeof value === "number") return value;
    const ms = typeof value === "string" ? parseDuration(value) : undefined;
    if (ms !== undefined) return ms * 1e6;
    throw new HclError(
      this.#source,
      at,
      "Unsuitable value type",
      `Unsuitable duration value: time: invalid duration ${JSON.stringify(value)}`,
    );
  }
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A constraint whose short form is written out. */
function withOperand(read: Json): Json {
  const { LTarget = "", RTarget = "", Operand = "", Weight, ...short } = read;
  const made = { LTarget, RTarget: String(RTarget), Operand, ...(Weight === undefined ? {} : { Weight }) };
  const given = Object.fromEntries(
    Object.entries(short).map(([name, value]) => [name.replace(/(?<!^)[A-Z]/g, (letter) => `_${letter}`).toLowerCase(), value]),
  );
  if (given["distinct_hosts"] !== undefined) return { ...made, Operand: "distinct_hosts", RTarget: String(given["distinct_hosts"]) };
  if (given["distinct_property"] !== undefined) return { ...made, Operand: "distinct_property", LTarget: given["distinct_property"] };
  const operand = OPERANDS.find((one) => given[one] !== undefined);
  if (operand !== undefined) return { ...made, Operand: operand, RTarget: given[operand] };
  return { ...made, Operand: Operand === "" ? "=" : Operand };
}

const TEMPLATE_DEFAULTS = { ChangeMode: "restart", Perms: "0644", Splay: 5e9, ErrMissingKey: false };

/** The default identity is a block of its own in JSON, and templates have some of their defaults already. */
function normalize(job: Record<string, unknown>): void {
  for (const group of (job["TaskGroups"] as Record<string, unknown>[] | undefined) ?? []) {
    for (const task of (group["Tasks"] as Record<string, unknown>[] | undefined) ?? []) {
      const all = (task["Identities"] as Json[] | undefined) ?? [];
      const own = all.find(({ Name }) => Name === undefined || Name === "default");
      const named = all.filter((identity) => identity !== own);
      if (own !== undefined) task["Identity"] = own;
      if (named.length > 0) task["Identities"] = named;
      else delete task["Identities"];
      const templates = task["Templates"] as Json[] | undefined;
      if (templates !== undefined) task["Templates"] = templates.map((one) => ({ ...TEMPLATE_DEFAULTS, ...one }));
    }
  }
}

/** Values of all `locals`, whatever order they are in. */
function readLocals(source: HclSource, body: Body, variables: Readonly<Record<string, HclValue>>): Record<string, HclValue> {
  const locals: Record<string, HclValue> = {};
  let open = body.blocks.filter(({ type }) => type === "locals").flatMap((block) => block.body.attributes);
  while (open.length > 0) {
    const left: typeof open = [];
    let failure: unknown;
    for (const attribute of open) {
      try {
        locals[attribute.name] = new Evaluation({ source, variables: { var: variables, local: locals } }).value(attribute.value);
      } catch (error) {
        // One that uses another that has no value yet is tried again.
        failure = error;
        left.push(attribute);
      }
    }
    if (left.length === open.length) throw failure;
    open = left;
  }
  return locals;
}

/** The JSON of the job in `text`; `variables` is in the manner of a variables file. Throws `HclError` with what is wrong. */
export function parseJobspec(text: string, variables: string): Json {
  const { source, body } = parseHcl("input.hcl", text);
  const of = (type: string) => body.blocks.filter((block) => block.type === type);
  const unknown = body.blocks.find(({ type }) => !["variable", "locals", "job", "variables"].includes(type));
  if (unknown !== undefined) {
    throw new HclError(source, unknown, "Unsupported block type", `Blocks of type "${unknown.type}" are not expected here.`);
  }
  const values = readVariables(source, of("variable"), variables);
  const scope: HclScope = { source, variables: { var: values, local: readLocals(source, body, values) } };
  const [job, second] = of("job");
  if (job === undefined) throw new HclError(source, { start: 0, end: 0 }, "Missing job block", "A job block is required");
  if (second !== undefined) throw new HclError(source, second, "Duplicate job block", 'Only one block of type "job" is allowed.');
  const [id = ""] = job.labels;
  const read: Record<string, unknown> = { ID: id, Name: id, ...new Reader(source).read(job.body, scope, JOBSPEC, "job") };
  normalize(read);
  const { Periodic: periodic } = read;
  if (isObject(periodic)) read["Periodic"] = { ...periodic, SpecType: "cron" };
  return read;
}
