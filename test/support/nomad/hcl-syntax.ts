/**
 * What HCL2 text is read into: bodies of attributes and blocks, expressions, templates. The grammar is that of
 * https://github.com/hashicorp/hcl/blob/main/hclsyntax/spec.md; `hcl-parser.ts` reads it, `hcl-evaluate.ts` gives it a value.
 */

/** A value of an expression, as JSON has it. */
export type HclValue = string | number | boolean | null | readonly HclValue[] | { readonly [name: string]: HclValue };

/** Where something stands in its file: offsets of its first character and of the one after its last. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** A part of a template: text as it is, a value to be printed, a condition, a repetition. */
export type TemplatePart =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "value"; readonly value: Expression }
  | {
      readonly kind: "if";
      readonly condition: Expression;
      readonly whenTrue: readonly TemplatePart[];
      readonly otherwise: readonly TemplatePart[];
    }
  | {
      readonly kind: "for";
      readonly names: readonly string[];
      readonly list: Expression;
      readonly body: readonly TemplatePart[];
    };

/** An expression and where it is. */
export type Expression = Range &
  (
    | { readonly kind: "literal"; readonly value: string | number | boolean | null }
    | { readonly kind: "template"; readonly parts: readonly TemplatePart[] }
    | { readonly kind: "variable"; readonly name: string }
    | { readonly kind: "attribute"; readonly of: Expression; readonly name: string }
    | { readonly kind: "index"; readonly of: Expression; readonly key: Expression }
    | { readonly kind: "splat"; readonly of: Expression; readonly path: readonly (string | Expression)[] }
    | { readonly kind: "tuple"; readonly items: readonly Expression[] }
    | { readonly kind: "object"; readonly entries: readonly (readonly [Expression, Expression])[] }
    | {
        readonly kind: "for";
        readonly names: readonly string[];
        readonly list: Expression;
        /** Absent: the result is a list. */
        readonly key: Expression | undefined;
        readonly value: Expression;
        readonly condition: Expression | undefined;
        readonly grouped: boolean;
      }
    | { readonly kind: "call"; readonly name: string; readonly args: readonly Expression[]; readonly expands: boolean }
    | { readonly kind: "unary"; readonly operator: "!" | "-"; readonly operand: Expression }
    | { readonly kind: "binary"; readonly operator: string; readonly left: Expression; readonly right: Expression }
    | { readonly kind: "conditional"; readonly condition: Expression; readonly whenTrue: Expression; readonly otherwise: Expression }
  );

/** `name = value`. */
export interface Attribute extends Range {
  readonly name: string;
  readonly value: Expression;
}

/** `type "label" { … }`; the range is that of the header. */
export interface Block extends Range {
  readonly type: string;
  readonly labels: readonly string[];
  readonly body: Body;
}

/** Attributes and blocks in the order of the text. */
export interface Body {
  readonly attributes: readonly Attribute[];
  readonly blocks: readonly Block[];
}

/** Text that is no HCL, or that means nothing: "file:line,column-column: summary; detail", as HCL's own diagnostics are printed. */
export class HclError extends Error {
  constructor(source: HclSource, range: Range, summary: string, detail: string) {
    super(`${source.place(range)}: ${summary}; ${detail}`);
  }
}

/** A text with its name. */
export class HclSource {
  readonly name: string;
  readonly text: string;

  constructor(name: string, text: string) {
    this.name = name;
    this.text = text;
  }

  #position(offset: number): readonly [line: number, column: number] {
    const before = this.text.slice(0, offset);
    const line = before.split("\n").length;
    return [line, offset - before.lastIndexOf("\n")];
  }

  /** "input.hcl:28,3-13", or with both lines where there are several. */
  place({ start, end }: Range): string {
    const [first, last] = [this.#position(start), this.#position(end)];
    const to = first[0] === last[0] ? String(last[1]) : `${last[0]},${last[1]}`;
    return `${this.name}:${first[0]},${first[1]}-${to}`;
  }
}
