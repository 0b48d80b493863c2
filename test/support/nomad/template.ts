/**
 * The part of Go's text/template and of consul-template's functions that job templates of ours use: `if`, `else`, `range`, `with`, variables,
 * pipes, `nomadService`, `nomadVar`, `env` and some for strings. A variable that does not exist yet makes the template wait, as it does there.
 */

/** The template is wrong: the task fails with this text. */
export class TemplateError extends Error {}

/** Something that the template needs does not exist yet; the message names it as consul-template does. */
export class TemplateWaits extends Error {}

/** What functions of a template ask for. */
export interface TemplateSource {
  service(name: string): readonly Readonly<Record<string, unknown>>[];
  /** Names and tags of all services. */
  services(): readonly Readonly<Record<string, unknown>>[];
  /** Items of a variable; undefined: it does not exist. Throws `TemplateError` if it must not be read. */
  variable(path: string): Readonly<Record<string, string>> | undefined;
  env(name: string): string;
}

type Value = unknown;

type Part =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "print"; readonly code: string }
  | { readonly kind: "block"; readonly word: string; readonly code: string; readonly body: Part[]; readonly otherwise: Part[] };

interface Tokens {
  readonly items: readonly { readonly text?: string; readonly code?: string }[];
  at: number;
}

function split(source: string, left: string, right: string): Tokens {
  const items: { text?: string; code?: string }[] = [];
  let rest = source;
  let trimNext = false;
  for (;;) {
    const start = rest.indexOf(left);
    const text = start < 0 ? rest : rest.slice(0, start);
    const shown = trimNext ? text.replace(/^\s+/, "") : text;
    if (start < 0) {
      items.push({ text: shown });
      return { items, at: 0 };
    }
    const end = rest.indexOf(right, start + left.length);
    if (end < 0) throw new TemplateError("unclosed action");
    let code = rest.slice(start + left.length, end);
    const trims = code.startsWith("- ");
    trimNext = code.endsWith(" -");
    items.push({ text: trims ? shown.replace(/\s+$/, "") : shown });
    if (trims) code = code.slice(2);
    if (trimNext) code = code.slice(0, -2);
    code = code.trim();
    if (!code.startsWith("/*")) items.push({ code });
    rest = rest.slice(end + right.length);
  }
}

/** Parts up to `end` or `else`, whose code is returned. */
function parse(tokens: Tokens): { parts: Part[]; stop: string } {
  const parts: Part[] = [];
  for (;;) {
    const item = tokens.items[tokens.at];
    if (item === undefined) return { parts, stop: "" };
    tokens.at += 1;
    if (item.text !== undefined) {
      parts.push({ kind: "text", text: item.text });
      continue;
    }
    const code = item.code ?? "";
    if (code === "end" || code === "else" || code.startsWith("else ")) return { parts, stop: code };
    const [, word, rest] = /^(if|range|with)\s+([\s\S]*)$/.exec(code) ?? [];
    if (word === undefined || rest === undefined) parts.push({ kind: "print", code });
    else parts.push(parseBlock(tokens, word, rest));
  }
}

function parseBlock(tokens: Tokens, word: string, code: string): Part {
  const { parts: body, stop } = parse(tokens);
  if (stop === "end") return { kind: "block", word, code, body, otherwise: [] };
  if (stop === "") throw new TemplateError("unexpected EOF");
  if (stop === "else") return { kind: "block", word, code, body, otherwise: parse(tokens).parts };
  const [, nested = "if", rest = ""] = /^else\s+(if|with)\s+([\s\S]*)$/.exec(stop) ?? [];
  return { kind: "block", word, code, body, otherwise: [parseBlock(tokens, nested, rest)] };
}

/** Words of an expression: strings, names, parentheses, pipes. */
function lex(code: string): string[] {
  return code.match(/"(?:[^"\\]|\\.)*"|`[^`]*`|:=|[(),|=]|[^\s(),|=]+/g) ?? [];
}

interface Frame {
  readonly dot: Value;
  readonly variables: Map<string, Value>;
  readonly source: TemplateSource;
}

function field(value: Value, path: readonly string[]): Value {
  let current = value;
  for (const name of path) {
    if (typeof current === "string" && name === "Value") continue;
    if (typeof current !== "object" || current === null) throw new TemplateError(`can't evaluate field ${name}`);
    current = (current as Readonly<Record<string, Value>>)[name];
  }
  return current;
}

const truth = (value: Value): boolean => {
  if (Array.isArray(value)) return value.length > 0;
  if (typeof value === "object" && value !== null) return Object.keys(value).length > 0;
  return value !== undefined && value !== null && value !== "" && value !== 0 && value !== false;
};

function print(value: Value): string {
  if (value === undefined || value === null) return "<no value>";
  if (Array.isArray(value)) return `[${value.map(print).join(" ")}]`;
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

const TEXT_FUNCTIONS: Readonly<Record<string, (args: readonly Value[]) => Value>> = {
  split: ([separator, text]) => (print(text) === "" ? [] : print(text).split(print(separator))),
  contains: ([wanted, list]) =>
    Array.isArray(list) ? list.some((one) => print(one) === print(wanted)) : print(list).includes(print(wanted)),
  regexMatch: ([pattern, text]) => new RegExp(print(pattern)).test(print(text)),
  regexReplaceAll: ([pattern, to, text]) => print(text).replace(new RegExp(print(pattern), "g"), print(to)),
  join: ([separator, list]) => (Array.isArray(list) ? list.map(print).join(print(separator)) : print(list)),
  trimSpace: ([text]) => print(text).trim(),
  replaceAll: ([from, to, text]) => print(text).replaceAll(print(from), print(to)),
  toLower: ([text]) => print(text).toLowerCase(),
  toUpper: ([text]) => print(text).toUpperCase(),
  toJSON: ([value]) => JSON.stringify(value),
  base64Decode: ([text]) => Buffer.from(print(text), "base64").toString(),
  base64Encode: ([text]) => Buffer.from(print(text)).toString("base64"),
  printf: ([format, ...values]) => {
    let index = 0;
    return print(format).replace(/%[svdq]/g, (verb) => (verb === "%q" ? JSON.stringify(print(values[index++])) : print(values[index++])));
  },
  print: (values) => values.map(print).join(""),
  len: ([value]) => (Array.isArray(value) || typeof value === "string" ? value.length : Object.keys(value ?? {}).length),
  index: ([value, key]) => (Array.isArray(value) ? value[Number(key)] : field(value, [print(key)])),
  eq: ([left, ...others]) => others.some((other) => print(left) === print(other)),
  ne: ([left, right]) => print(left) !== print(right),
  not: ([value]) => !truth(value),
  and: (values) => values.find((value) => !truth(value)) ?? values.at(-1),
  or: (values) => values.find(truth) ?? values.at(-1),
};

function call(name: string, args: readonly Value[], { source }: Frame): Value {
  const [first] = args;
  switch (name) {
    case "env":
      return source.env(print(first));
    case "nomadService":
      return source.service(print(args.at(-1)));
    case "nomadServices":
      return source.services();
    case "nomadVarExists":
      return source.variable(print(first)) !== undefined;
    case "nomadVar": {
      const items = source.variable(print(first));
      if (items === undefined) throw new TemplateWaits(`nomad.var.block(${print(first)}@default.global)`);
      return items;
    }
    default: {
      const known = TEXT_FUNCTIONS[name];
      if (known === undefined) throw new TemplateError(`function "${name}" not defined`);
      return known(args);
    }
  }
}

/** Evaluates words of a pipeline; `words` is consumed up to a closing parenthesis. */
function pipeline(words: string[], frame: Frame): Value {
  let value: Value;
  let piped = false;
  for (;;) {
    value = command(words, frame, piped ? [value] : []);
    if (words[0] !== "|") return value;
    words.shift();
    piped = true;
  }
}

function command(words: string[], frame: Frame, tail: readonly Value[]): Value {
  const first = words.shift();
  if (first === undefined) throw new TemplateError("missing value for command");
  const name = /^[A-Za-z_]\w*$/.test(first) && !["true", "false", "nil"].includes(first) ? first : undefined;
  if (name === undefined) {
    const value = operand(first, words, frame);
    return value;
  }
  const args: Value[] = [];
  while (words.length > 0 && words[0] !== "|" && words[0] !== ")") args.push(operand(words.shift() ?? "", words, frame));
  return call(name, [...args, ...tail], frame);
}

function operand(word: string, words: string[], frame: Frame): Value {
  if (word === "(") {
    const value = pipeline(words, frame);
    const close = words.shift() ?? "";
    if (!close.startsWith(")")) throw new TemplateError("unclosed left paren");
    return words[0]?.startsWith(".") ? field(value, (words.shift() ?? "").slice(1).split(".")) : value;
  }
  if (word.startsWith('"')) return JSON.parse(word) as string;
  if (word.startsWith("`")) return word.slice(1, -1);
  if (/^-?\d/.test(word)) return Number(word);
  if (word === "true" || word === "false") return word === "true";
  if (word === ".") return frame.dot;
  if (word.startsWith(".")) return field(frame.dot, word.slice(1).split("."));
  if (word.startsWith("$")) {
    const [variable = "", ...path] = word.split(".");
    return field(frame.variables.get(variable), path);
  }
  return call(word, [], frame);
}

function evaluate(code: string, frame: Frame): Value {
  const words = lex(code);
  if (words[1] === ":=" || words[1] === "=") {
    const name = words[0] ?? "";
    const value = pipeline(words.slice(2), frame);
    frame.variables.set(name, value);
    return value;
  }
  return pipeline(words, frame);
}

function runRange(part: Part & { kind: "block" }, frame: Frame): string {
  const [, names, expression] = /^((?:\$\w+\s*,\s*)?\$\w+)\s*:=\s*([\s\S]*)$/.exec(part.code) ?? [];
  const list = evaluate(expression ?? part.code, frame);
  const entries: [Value, Value][] = Array.isArray(list)
    ? list.map((one, index) => [index, one as Value])
    : Object.entries((list ?? {}) as Readonly<Record<string, Value>>).sort();
  if (entries.length === 0) return run(part.otherwise, frame);
  const variables = names?.split(",").map((one) => one.trim()) ?? [];
  let out = "";
  for (const [key, value] of entries) {
    const inner = new Map(frame.variables);
    if (variables.length === 2) inner.set(variables[0] ?? "", key);
    if (variables.length > 0) inner.set(variables.at(-1) ?? "", value);
    out += run(part.body, { ...frame, dot: value, variables: inner });
  }
  return out;
}

function run(parts: readonly Part[], frame: Frame): string {
  let out = "";
  for (const part of parts) {
    if (part.kind === "text") out += part.text;
    else if (part.kind === "print") {
      const assigns = /^\$\w+\s*:?=/.test(part.code);
      const value = evaluate(part.code, frame);
      if (!assigns) out += print(value);
    } else if (part.word === "range") out += runRange(part, frame);
    else {
      const value = evaluate(part.code, { ...frame });
      const inner = part.word === "with" ? { ...frame, dot: value } : frame;
      out += truth(value) ? run(part.body, inner) : run(part.otherwise, frame);
    }
  }
  return out;
}

/** The template's text. Throws `TemplateWaits` while something is missing and `TemplateError` if it never can be rendered. */
export function renderTemplate(text: string, source: TemplateSource, delimiters: readonly [string, string] = ["{{", "}}"]): string {
  const tokens = split(text, delimiters[0], delimiters[1]);
  const { parts, stop } = parse(tokens);
  if (stop !== "") throw new TemplateError(`unexpected {{${stop}}}`);
  return run(parts, { dot: undefined, variables: new Map(), source });
}
