/**
 * TypeScript text → user-defined functions. Each exported function is one; its signature is its TypeScript signature: bigint, number, string,
 * boolean and Date, each `| null`, are BIGINT, DOUBLE, TEXT, BOOLEAN and TIMESTAMP. The text is checked by the TypeScript compiler, which is
 * loaded on the first call (0.3 s), and turned into JavaScript that imports nothing.
 */
import { createRequire } from "node:module";
import type ts from "typescript";
import { BOOLEAN, FLOAT64, INT64, type ScalarType, TEXT, TIMESTAMP } from "../../data/data-type.ts";
import { hashCanonical } from "../../program/fingerprint.ts";
import { UDF_PARAMETERS_MAX, type UdfDefinition, type UdfParameter, type UdfValue } from "../../program/udf.ts";
import { aggregateFunction, missingFunction, scalarFunction } from "../functions/registry.ts";
import { checkTypes } from "./type-check.ts";

/** What is wrong with a text, and where. */
export interface UdfProblem {
  readonly message: string;
  /** UTF-16 offsets into the text. */
  readonly start: number;
  readonly end: number;
  /** From 1. */
  readonly line: number;
  readonly column: number;
}

/** The functions of a text; none if there are problems. */
export interface ParsedUdfs {
  readonly definitions: readonly UdfDefinition[];
  readonly problems: readonly UdfProblem[];
}

/** Characters of one text at most. */
const TEXT_MAX = 256 * 1024;
const NAME = /^[A-Za-z_][A-Za-z0-9_]{0,62}$/;
/** Loads a package on first use: planning without functions does not pay for it. */
const load = createRequire(import.meta.url) as <T>(name: string) => T;

/** Reads the exported functions of `text`. Never throws for what the text says. */
export function parseUdfs(text: string): ParsedUdfs {
  if (text.length > TEXT_MAX) {
    const message = `the definition has ${text.length} characters, at most ${TEXT_MAX} are accepted`;
    return { definitions: [], problems: [{ message, start: 0, end: 0, line: 1, column: 1 }] };
  }
  return new UdfParser(load<typeof ts>("typescript"), text).parse();
}

class UdfParser {
  readonly #ts: typeof ts;
  readonly #file: ts.SourceFile;
  readonly #problems: UdfProblem[] = [];
  /** Where the word `export` stands. */
  readonly #exports: { readonly start: number; readonly end: number }[] = [];

  constructor(compilerApi: typeof ts, text: string) {
    this.#ts = compilerApi;
    this.#file = compilerApi.createSourceFile("udf.ts", text, compilerApi.ScriptTarget.ES2022, true);
  }

  parse(): ParsedUdfs {
    const functions = this.#file.statements.flatMap((statement) => this.#exported(statement));
    if (this.#problems.length === 0) {
      for (const { message, start, end } of checkTypes(this.#ts, this.#file)) this.#report(message, start, end);
    }
    if (functions.length === 0 && this.#problems.length === 0) {
      this.#report("the definition exports no function: write export function name(x: bigint): bigint { … }", 0, 0);
    }
    if (this.#problems.length > 0) return { definitions: [], problems: this.#problems };
    const javascript = this.#javascript(functions.map((f) => f.name));
    if (this.#problems.length > 0) return { definitions: [], problems: this.#problems };
    return { definitions: functions.map((f) => withId({ ...f, javascript })), problems: [] };
  }

  #report(message: string, start: number, end: number): void {
    const { line, character } = this.#file.getLineAndCharacterOfPosition(start);
    this.#problems.push({ message, start, end, line: line + 1, column: character + 1 });
  }

  #refuse(node: ts.Node, message: string): undefined {
    this.#report(message, node.getStart(this.#file), node.getEnd());
    return undefined;
  }

  #exported(statement: ts.Statement): readonly Omit<UdfDefinition, "id" | "javascript">[] {
    const api = this.#ts;
    if (api.isImportDeclaration(statement) || api.isImportEqualsDeclaration(statement)) {
      this.#refuse(statement, "a function cannot import: put all its code into the definition");
      return [];
    }
    const modifiers = api.canHaveModifiers(statement) ? (api.getModifiers(statement) ?? []) : [];
    const exported = modifiers.find((m) => m.kind === api.SyntaxKind.ExportKeyword);
    if (exported === undefined) return [];
    this.#exports.push({ start: exported.getStart(this.#file), end: exported.getEnd() });
    if (api.isInterfaceDeclaration(statement) || api.isTypeAliasDeclaration(statement)) return [];
    if (!api.isFunctionDeclaration(statement) || statement.name === undefined || statement.body === undefined) {
      const what = api.isClassDeclaration(statement) ? "aggregate functions (exported classes) are not supported yet" : undefined;
      this.#refuse(statement, what ?? "only functions can be exported: export function name(x: bigint): bigint { … }");
      return [];
    }
    const definition = this.#function(statement, statement.name, modifiers);
    return definition === undefined ? [] : [definition];
  }

  #function(
    node: ts.FunctionDeclaration,
    name: ts.Identifier,
    modifiers: readonly ts.Modifier[],
  ): Omit<UdfDefinition, "id" | "javascript"> | undefined {
    const kinds = this.#ts.SyntaxKind;
    if (modifiers.some((m) => m.kind === kinds.DefaultKeyword))
      return this.#refuse(node.name ?? node, "export the function by its name, without default");
    if (modifiers.some((m) => m.kind === kinds.AsyncKeyword))
      return this.#refuse(node.name ?? node, "async functions are not supported yet");
    if (node.asteriskToken !== undefined) return this.#refuse(node, "a generator cannot be a function of SQL");
    if (node.typeParameters !== undefined) return this.#refuse(node, "a function of SQL cannot have type parameters");
    if (!NAME.test(name.text)) return this.#refuse(name, `"${name.text}" cannot be a function's name: use up to 63 letters, digits and _`);
    if (isBuiltIn(name.text)) return this.#refuse(name, `"${name.text}" is the name of a built-in function: choose another`);
    if (node.parameters.length > UDF_PARAMETERS_MAX) return this.#refuse(name, `a function takes at most ${UDF_PARAMETERS_MAX} parameters`);
    const parameters = node.parameters.map((p) => this.#parameter(p));
    if (node.type === undefined) return this.#refuse(name, `the result type of "${name.text}" must be written out`);
    const result = this.#value(node.type);
    if (result === undefined || !parameters.every((p) => p !== undefined)) return undefined;
    return { name: name.text, parameters, result };
  }

  #parameter(node: ts.ParameterDeclaration): UdfParameter | undefined {
    if (!this.#ts.isIdentifier(node.name) || node.dotDotDotToken !== undefined)
      return this.#refuse(node, "a parameter must have a plain name");
    if (node.questionToken !== undefined || node.initializer !== undefined) {
      return this.#refuse(node, "a parameter cannot be optional: SQL passes every argument (write | null for one that may be NULL)");
    }
    if (node.type === undefined) return this.#refuse(node, `the type of parameter "${node.name.text}" must be written out`);
    const value = this.#value(node.type);
    return value && { name: node.name.text, ...value };
  }

  #value(node: ts.TypeNode): UdfValue | undefined {
    const api = this.#ts;
    const parts = api.isUnionTypeNode(node) ? [...node.types] : [node];
    const isNull = (part: ts.TypeNode): boolean => api.isLiteralTypeNode(part) && part.literal.kind === api.SyntaxKind.NullKeyword;
    const [type, ...others] = parts.filter((part) => !isNull(part)).map((part) => this.#scalar(part));
    if (type !== undefined && others.length === 0) return { type, nullable: parts.some(isNull) };
    const text = node.getText(this.#file);
    if (api.isArrayTypeNode(node)) return this.#refuse(node, `"${text}": aggregate functions (array parameters) are not supported yet`);
    return this.#refuse(node, `"${text}" is not a type of SQL: use bigint, number, string, boolean or Date, with | null for NULL`);
  }

  #scalar(node: ts.TypeNode): ScalarType | undefined {
    const api = this.#ts;
    switch (node.kind) {
      case api.SyntaxKind.BigIntKeyword:
        return INT64;
      case api.SyntaxKind.NumberKeyword:
        return FLOAT64;
      case api.SyntaxKind.StringKeyword:
        return TEXT;
      case api.SyntaxKind.BooleanKeyword:
        return BOOLEAN;
      default:
        return api.isTypeReferenceNode(node) && node.getText(this.#file) === "Date" ? TIMESTAMP : undefined;
    }
  }

  /** Types and the word `export` become blanks: everything stays where it is, so that a stack's line is the user's. */
  #javascript(names: readonly string[]): string {
    const { blankSourceFile } = load<typeof import("ts-blank-space")>("ts-blank-space");
    let text = blankSourceFile(this.#file, (node) => {
      this.#refuse(node, "enums, namespaces and parameter properties cannot be used: they are not plain JavaScript with types");
    });
    for (const { start, end } of this.#exports) text = text.slice(0, start) + " ".repeat(end - start) + text.slice(end);
    return `${text}\n${names.map((name) => `exports.${name} = ${name};`).join("\n")}\n`;
  }
}

function withId(definition: Omit<UdfDefinition, "id">): UdfDefinition {
  return { id: hashCanonical(definition), ...definition };
}

function isBuiltIn(name: string): boolean {
  return scalarFunction(name) !== undefined || aggregateFunction(name) !== undefined || missingFunction(name) !== undefined;
}
