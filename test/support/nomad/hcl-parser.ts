/** HCL2 text to bodies and expressions. One pass without tokens: whether a line end counts depends on the brackets around it. */
import { Cursor } from "./hcl-cursor.ts";
import { type Attribute, type Block, type Body, type Expression, HclSource, type TemplatePart } from "./hcl-syntax.ts";
import { readHeredoc, readQuoted } from "./hcl-template.ts";

const NUMBER = /\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
/** Binary operators, the weakest first. */
const LEVELS: readonly (readonly string[])[] = [["||"], ["&&"], ["==", "!="], ["<=", ">=", "<", ">"], ["+", "-"], ["*", "/", "%"]];
const WORDS: Readonly<Record<string, boolean | null>> = { true: true, false: false, null: null };

/** Parses bodies and expressions of one text. */
class Parser {
  readonly #cursor: Cursor;
  /** Inside of brackets: line ends are white space. */
  #depth = 0;

  constructor(cursor: Cursor) {
    this.#cursor = cursor;
  }

  #space(): void {
    this.#cursor.space(this.#depth > 0);
  }

  #inside<Result>(read: () => Result): Result {
    this.#depth += 1;
    try {
      return read();
    } finally {
      this.#depth -= 1;
    }
  }

  /** A body up to the end of the text or its closing brace, which is taken. */
  body(top: boolean): Body {
    const cursor = this.#cursor;
    const attributes: Attribute[] = [];
    const blocks: Block[] = [];
    for (;;) {
      cursor.space(true);
      if (cursor.done) {
        if (!top) cursor.fail("Unclosed configuration block", "There is no closing brace for this block before the end of the file.");
        return { attributes, blocks };
      }
      if (!top && cursor.take("}")) return { attributes, blocks };
      const start = cursor.at;
      const name = cursor.identifier() ?? cursor.fail("Invalid character", "An argument or block definition is required here.");
      cursor.space(false);
      if (cursor.take("=")) {
        cursor.space(false);
        if (attributes.some((one) => one.name === name)) {
          cursor.fail("Attribute redefined", `The argument "${name}" was already set.`, { start, end: start + name.length });
        }
        const value = this.expression();
        attributes.push({ name, value, start, end: start + name.length });
        this.#endOfItem();
      } else blocks.push(this.#block(name, start));
    }
  }

  #endOfItem(): void {
    const cursor = this.#cursor;
    cursor.space(false);
    if (cursor.done || cursor.sees("\n") || cursor.sees("}")) return;
    cursor.fail("Missing newline after argument", "An argument definition must end with a newline.");
  }

  #block(type: string, start: number): Block {
    const cursor = this.#cursor;
    const labels: string[] = [];
    for (;;) {
      cursor.space(false);
      const end = cursor.at;
      if (cursor.take("{")) {
        const depth = this.#depth;
        this.#depth = 0;
        const body = this.body(false);
        this.#depth = depth;
        return { type, labels, body, start, end: Math.max(start + type.length, end - 1) };
      }
      if (cursor.take('"'))
        labels.push(
          plainText(
            cursor,
            readQuoted(cursor, () => cursor.fail("Invalid label", "No templates here.")),
          ),
        );
      else {
        labels.push(
          cursor.identifier() ??
            cursor.fail("Invalid block definition", 'Either a quoted string block label or an opening brace ("{") is expected here.'),
        );
      }
    }
  }

  /** An expression, which ends at the first thing that cannot belong to it. */
  expression(): Expression {
    const cursor = this.#cursor;
    const condition = this.#binary(0);
    this.#space();
    if (!cursor.take("?")) return condition;
    this.#space();
    const whenTrue = this.expression();
    this.#space();
    cursor.need(":", "a conditional");
    this.#space();
    const otherwise = this.expression();
    return { kind: "conditional", condition, whenTrue, otherwise, start: condition.start, end: otherwise.end };
  }

  #binary(level: number): Expression {
    const cursor = this.#cursor;
    const operators = LEVELS[level];
    if (operators === undefined) return this.#unary();
    let left = this.#binary(level + 1);
    for (;;) {
      const before = cursor.at;
      this.#space();
      const operator = operators.find((one) => cursor.sees(one));
      if (operator === undefined) {
        cursor.at = before;
        return left;
      }
      cursor.at += operator.length;
      this.#space();
      const right = this.#binary(level + 1);
      left = { kind: "binary", operator, left, right, start: left.start, end: right.end };
    }
  }

  #unary(): Expression {
    const cursor = this.#cursor;
    const start = cursor.at;
    for (const operator of ["!", "-"] as const) {
      if (!cursor.take(operator)) continue;
      this.#space();
      const operand = this.#unary();
      return { kind: "unary", operator, operand, start, end: operand.end };
    }
    return this.#traversals(this.#term());
  }

  #traversals(first: Expression): Expression {
    const cursor = this.#cursor;
    let of = first;
    const { start } = first;
    for (;;) {
      if (cursor.sees("...")) return of;
      if (cursor.take("[*]") || cursor.take(".*")) {
        of = { kind: "splat", of, path: this.#splatPath(), start, end: cursor.at };
      } else if (cursor.take(".")) {
        const name =
          cursor.identifier() ?? cursor.match(/\d+/y) ?? cursor.fail("Invalid attribute name", "A name is required after a dot.");
        of = { kind: "attribute", of, name, start, end: cursor.at };
      } else if (cursor.take("[")) {
        const key = this.#bracketed();
        of = { kind: "index", of, key, start, end: cursor.at };
      } else return of;
    }
  }

  #splatPath(): (string | Expression)[] {
    const cursor = this.#cursor;
    const path: (string | Expression)[] = [];
    for (;;) {
      if (cursor.take(".")) path.push(cursor.identifier() ?? cursor.fail("Invalid attribute name", "A name is required after a dot."));
      else if (cursor.take("[")) path.push(this.#bracketed());
      else return path;
    }
  }

  #bracketed(): Expression {
    return this.#inside(() => {
      this.#space();
      const key = this.expression();
      this.#space();
      this.#cursor.need("]", "an index");
      return key;
    });
  }

  #term(): Expression {
    const cursor = this.#cursor;
    const start = cursor.at;
    if (cursor.take("(")) {
      const inner = this.#inside(() => {
        this.#space();
        const value = this.expression();
        this.#space();
        cursor.need(")", "parentheses");
        return value;
      });
      return inner;
    }
    if (cursor.take('"'))
      return template(
        readQuoted(cursor, () => this.#inside(() => this.expression())),
        start,
        cursor.at,
      );
    if (cursor.sees("<<")) {
      cursor.at += 2;
      const flush = cursor.take("-");
      const parts = readHeredoc(cursor, flush, () => this.#inside(() => this.expression()));
      return template(parts, start, cursor.at);
    }
    if (cursor.take("[")) return this.#inside(() => this.#tuple(start));
    if (cursor.take("{")) return this.#inside(() => this.#object(start));
    const digits = cursor.match(NUMBER);
    if (digits !== undefined) return { kind: "literal", value: Number(digits), start, end: cursor.at };
    const name =
      cursor.identifier() ??
      cursor.fail("Invalid expression", "Expected the start of an expression, but found an invalid expression token.");
    if (cursor.take("(")) return this.#inside(() => this.#call(name, start));
    const word = WORDS[name];
    if (word !== undefined) return { kind: "literal", value: word, start, end: cursor.at };
    return { kind: "variable", name, start, end: cursor.at };
  }

  #call(name: string, start: number): Expression {
    const cursor = this.#cursor;
    const args: Expression[] = [];
    let expands = false;
    for (;;) {
      this.#space();
      if (cursor.take(")")) break;
      args.push(this.expression());
      this.#space();
      expands = cursor.take("...");
      this.#space();
      if (!cursor.take(",") && !cursor.sees(")")) cursor.fail("Missing argument separator", "A comma is required to separate arguments.");
    }
    return { kind: "call", name, args, expands, start, end: cursor.at };
  }

  #tuple(start: number): Expression {
    const cursor = this.#cursor;
    this.#space();
    if (this.#seesFor()) return this.#for(start, "]");
    const items: Expression[] = [];
    for (;;) {
      this.#space();
      if (cursor.take("]")) break;
      items.push(this.expression());
      this.#space();
      if (!cursor.take(",") && !cursor.sees("]")) cursor.fail("Missing item separator", "Expected a comma to mark the end of this item.");
    }
    return { kind: "tuple", items, start, end: cursor.at };
  }

  #seesFor(): boolean {
    return this.#cursor.match(/for(?=\s)/y) !== undefined;
  }

  #for(start: number, close: string): Expression {
    const cursor = this.#cursor;
    const names: string[] = [];
    do {
      this.#space();
      names.push(cursor.identifier() ?? cursor.fail("Invalid 'for' expression", "A name is required."));
      this.#space();
    } while (cursor.take(","));
    if (cursor.identifier() !== "in")
      cursor.fail("Invalid 'for' expression", "For expression requires the 'in' keyword after its name declarations.");
    this.#space();
    const list = this.expression();
    this.#space();
    cursor.need(":", "a 'for' expression");
    this.#space();
    let value = this.expression();
    let key: Expression | undefined;
    this.#space();
    if (close === "}") {
      cursor.need("=>", "a 'for' expression");
      this.#space();
      key = value;
      value = this.expression();
      this.#space();
    }
    const grouped = cursor.take("...");
    this.#space();
    const condition = cursor.match(/if(?=[\s(!])/y) === undefined ? undefined : this.#spaced();
    this.#space();
    cursor.need(close, "a 'for' expression");
    return { kind: "for", names, list, key, value, condition, grouped, start, end: cursor.at };
  }

  #spaced(): Expression {
    this.#space();
    return this.expression();
  }

  #object(start: number): Expression {
    const cursor = this.#cursor;
    this.#space();
    if (this.#seesFor()) return this.#for(start, "}");
    const entries: [Expression, Expression][] = [];
    for (;;) {
      this.#space();
      if (cursor.take("}")) break;
      const key = this.#objectKey();
      this.#space();
      if (!cursor.take("=") && !cursor.take(":"))
        cursor.fail("Missing attribute value", "Expected an attribute value, introduced by an equals sign.");
      this.#space();
      entries.push([key, this.#item()]);
      const line = cursor.match(/[ \t\r]*(?:#[^\n]*|\/\/[^\n]*)?\n/y) !== undefined;
      this.#space();
      if (!cursor.take(",") && !line && !cursor.sees("}")) {
        cursor.fail("Missing attribute separator", "Expected a newline or comma to mark the beginning of the next attribute.");
      }
    }
    return { kind: "object", entries, start, end: cursor.at };
  }

  /** A value in an object, which ends with its line: brackets around the object do not join it with the next. */
  #item(): Expression {
    const depth = this.#depth;
    this.#depth = 0;
    try {
      return this.expression();
    } finally {
      this.#depth = depth;
    }
  }

  #objectKey(): Expression {
    const cursor = this.#cursor;
    const start = cursor.at;
    const name = cursor.identifier();
    if (name === undefined || cursor.sees("(") || cursor.sees(".") || cursor.sees("[")) {
      cursor.at = start;
      return this.expression();
    }
    return { kind: "literal", value: name, start, end: cursor.at };
  }
}

function plainText(cursor: Cursor, parts: readonly TemplatePart[]): string {
  return parts.map((part) => (part.kind === "text" ? part.text : cursor.fail("Invalid label", "No templates here."))).join("");
}

function template(parts: TemplatePart[], start: number, end: number): Expression {
  const [first] = parts;
  // A template of nothing but one value is that value, whatever its type.
  if (parts.length === 1 && first?.kind === "value") return first.value;
  if (parts.every((part) => part.kind === "text")) {
    return { kind: "literal", value: parts.map((part) => (part.kind === "text" ? part.text : "")).join(""), start, end };
  }
  return { kind: "template", parts, start, end };
}

/** The body of `text`. Throws `HclError`. */
export function parseHcl(name: string, text: string): { readonly source: HclSource; readonly body: Body } {
  const source = new HclSource(name, text);
  return { source, body: new Parser(new Cursor(source)).body(true) };
}
