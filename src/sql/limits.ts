/**
 * Limits on a script, checked on its tokens before the parser sees it: beyond about 600 levels of tree the parser traps, and a query of that
 * shape is a mistake of a generator in any case. Each refusal names the way out.
 */
import type { DiagnosticCollector } from "./diagnostics.ts";
import type { Token } from "./lexer.ts";
import type { TokenStream } from "./token-stream.ts";

/** Largest script, in bytes of UTF-8. */
export const MAX_SCRIPT_BYTES = 1 << 20;
/** Most statements in a script. */
export const MAX_STATEMENTS = 1000;
/** Deepest nesting of brackets and CASE. */
export const MAX_NESTING = 40;
/** Longest chain of operators of one precedence. */
export const MAX_CHAIN = 256;
/** Deepest syntax tree as estimated: chains and nesting together. The parser was measured to trap between 512 and 800. */
const MAX_TREE_DEPTH = 450;

/** Reports a script larger than `MAX_SCRIPT_BYTES`; true if it is small enough to be read. */
export function checkScriptSize(sql: string, diagnostics: DiagnosticCollector): boolean {
  const bytes = Buffer.byteLength(sql);
  if (bytes <= MAX_SCRIPT_BYTES) return true;
  diagnostics.error("limit-exceeded", { start: 0, end: 0 }, `script of ${bytes} bytes exceeds the limit of ${MAX_SCRIPT_BYTES} bytes`, {
    hint: "Put large lists of values into a table or file and join with it.",
  });
  return false;
}

/** Reports the first statement beyond `MAX_STATEMENTS`; true if there are not too many. */
export function checkStatementCount(statements: readonly TokenStream[], diagnostics: DiagnosticCollector): boolean {
  const beyond = statements[MAX_STATEMENTS];
  if (beyond === undefined) return true;
  const message = `script of ${statements.length} statements exceeds the limit of ${MAX_STATEMENTS}`;
  diagnostics.error("limit-exceeded", beyond.span(0, 0), message, { hint: "Split the script into several pipelines." });
  return false;
}

/** Precedence classes, loosest first; an operator ends the chains of tighter classes before it. */
const CLASS_OF_WORD: Readonly<Record<string, number>> = {
  UNION: 0,
  EXCEPT: 0,
  INTERSECT: 0,
  OR: 1,
  AND: 2,
  NOT: 3,
  IS: 4,
  LIKE: 6,
  ILIKE: 6,
  SIMILAR: 6,
  IN: 6,
  BETWEEN: 6,
  COLLATE: 11,
  AT: 11,
};
const CLASS_OF_SYMBOL: Readonly<Record<string, number>> = {
  "=": 5,
  "==": 5,
  "<>": 5,
  "!=": 5,
  "<": 5,
  ">": 5,
  "<=": 5,
  ">=": 5,
  "+": 8,
  "-": 8,
  "*": 9,
  "/": 9,
  "%": 9,
  "^": 10,
  "::": 12,
};
const OTHER_OPERATOR = 7;
const CLASSES = 13;

/** Words that begin a new clause, and with it new chains. */
const CLAUSE_WORDS: ReadonlySet<string> = new Set([
  ...[
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP",
    "HAVING",
    "ORDER",
    "ON",
    "WHEN",
    "THEN",
    "ELSE",
    "LIMIT",
    "QUALIFY",
    "WINDOW",
    "VALUES",
    "SET",
    "USING",
  ],
]);

/** What to write instead of a long chain of the operator. */
function wayOut(operator: string): string {
  switch (operator) {
    case "OR":
      return "Write x IN (a, b, …) instead of x = a OR x = b OR …, or join with a table of values.";
    case "AND":
      return "Write x NOT IN (a, b, …) instead of x <> a AND x <> b AND …, or move conditions into a subquery.";
    case "||":
      return "Write concat(a, b, …) instead of a || b || ….";
    case "UNION":
    case "EXCEPT":
    case "INTERSECT":
      return "Group the parts in views of fewer branches each.";
    default:
      return "Compute parts of the expression in a subquery or view first.";
  }
}

/** One bracket or CASE that is open, and what its chains have come to. */
interface Level {
  readonly counts: Int32Array;
  depth: number;
  deepestInside: number;
  readonly isCase: boolean;
}

/** Reports nesting, chains and trees of `statement` that are too deep for the parser; true if there are none. */
export function checkStatementShape(statement: TokenStream, diagnostics: DiagnosticCollector): boolean {
  return new ShapeCheck(diagnostics).run(statement);
}

class ShapeCheck {
  readonly #diagnostics: DiagnosticCollector;
  readonly #levels: Level[] = [newLevel(false)];
  #explains = 0;

  constructor(diagnostics: DiagnosticCollector) {
    this.#diagnostics = diagnostics;
  }

  run(statement: TokenStream): boolean {
    for (const token of statement.tokens) if (!this.#step(token)) return false;
    return true;
  }

  #step(token: Token): boolean {
    if (token.kind === "word") return this.#word(token);
    if (token.kind === "operator") return this.#operator(token, CLASS_OF_SYMBOL[token.text] ?? OTHER_OPERATOR);
    if (token.kind !== "punctuation") return true;
    switch (token.text) {
      case "(":
      case "{":
        return this.#open(token, false);
      case "[":
        return this.#operator(token, 12) && this.#open(token, false);
      case ")":
      case "]":
      case "}":
        while (this.#levels.at(-1)?.isCase) this.#close();
        return this.#close() || this.#tooDeep(token);
      case ",":
        this.#top().counts.fill(0);
        return true;
      case "::":
      case ".":
        return this.#operator(token, 12);
      default:
        return true;
    }
  }

  #word(token: Token): boolean {
    if (token.text === "CASE") return this.#open(token, true);
    if (token.text === "END" && this.#levels.at(-1)?.isCase) return this.#close() || this.#tooDeep(token);
    if (token.text === "EXPLAIN" || token.text === "DESCRIBE" || token.text === "DESC") {
      if (++this.#explains > MAX_NESTING && token.text === "EXPLAIN")
        return this.#refuse(token, `more than ${MAX_NESTING} EXPLAIN in one statement`, "Write EXPLAIN once.");
      return true;
    }
    // A chain of set operations goes on over the clauses of its parts.
    if (CLAUSE_WORDS.has(token.text)) this.#top().counts.fill(0, 1);
    const precedence = Object.hasOwn(CLASS_OF_WORD, token.text) ? CLASS_OF_WORD[token.text] : undefined;
    return precedence === undefined || this.#operator(token, precedence);
  }

  #operator(token: Token, precedence: number): boolean {
    const level = this.#top();
    level.counts.fill(0, precedence + 1);
    const count = (level.counts[precedence] ?? 0) + 1;
    level.counts[precedence] = count;
    if (count > MAX_CHAIN) {
      return this.#refuse(token, `chain of more than ${MAX_CHAIN} ${token.text} operators`, wayOut(token.text));
    }
    level.depth = Math.max(
      level.depth,
      level.counts.reduce((sum, n) => sum + n, 0),
    );
    return level.depth + level.deepestInside <= MAX_TREE_DEPTH || this.#tooDeep(token);
  }

  #open(token: Token, isCase: boolean): boolean {
    this.#levels.push(newLevel(isCase));
    if (this.#levels.length - 1 <= MAX_NESTING) return true;
    const hint = "Move inner parts into common table expressions (WITH) or views.";
    return this.#refuse(token, `nesting deeper than ${MAX_NESTING} levels`, hint);
  }

  /** Closes the innermost level; false if the tree has become too deep. A bracket that was never opened closes nothing. */
  #close(): boolean {
    if (this.#levels.length === 1) return true;
    const inner = this.#levels.pop();
    const outer = this.#top();
    outer.deepestInside = Math.max(outer.deepestInside, (inner?.depth ?? 0) + (inner?.deepestInside ?? 0) + 1);
    return outer.depth + outer.deepestInside <= MAX_TREE_DEPTH;
  }

  #top(): Level {
    return this.#levels.at(-1) ?? newLevel(false);
  }

  #tooDeep(token: Token): boolean {
    const hint = "Compute parts of the expression in subqueries, common table expressions (WITH) or views.";
    return this.#refuse(token, `expression of more than ${MAX_TREE_DEPTH} levels of operators and brackets`, hint);
  }

  #refuse(token: Token, message: string, hint: string): boolean {
    this.#diagnostics.error("limit-exceeded", token, message, { hint });
    return false;
  }
}

function newLevel(isCase: boolean): Level {
  return { counts: new Int32Array(CLASSES), depth: 0, deepestInside: 0, isCase };
}
