/**
 * Golden cases of the SQL front end. Directives: `statements` prints the statements and findings of a script; `spans` also prints each node's
 * place; `expr` wraps the input in SELECT and prints its select list. Arguments are the script's parameters.
 */
import { renderText } from "../../../src/sql/diagnostics.ts";
import { SqlParser } from "../../../src/sql/parse.ts";
import { type GoldenCase, goldenFiles, goldenSuite } from "../../support/golden.ts";
import { printSyntax } from "./print-syntax.ts";

describe("golden: parse", () => {
  const parser = new SqlParser();
  after(() => parser.close());

  async function run({ directive, input, args }: GoldenCase): Promise<string> {
    if (directive === "expr") {
      const lines = [];
      for (const line of input.split("\n")) {
        const sql = `SELECT ${line}`;
        const { statements, diagnostics } = await parser.parse(sql);
        const [statement] = statements;
        const body = statement?.kind === "select-statement" ? statement.query.body : undefined;
        const items = body?.kind === "select" ? body.projection : [];
        const shown = items.map((item) =>
          item.kind === "expr" && item.alias === undefined ? printSyntax(item.expr, sql, false) : printSyntax(item, sql, false),
        );
        const found = diagnostics.all().map((d) => `${d.code}: ${d.message}${d.hint === undefined ? "" : ` (${d.hint})`}`);
        lines.push(`${line}\n    ${[...shown, ...found].join("\n    ")}`);
      }
      return lines.join("\n");
    }
    const { statements, diagnostics } = await parser.parse(input, args);
    const printed = statements.map((statement) => printSyntax(statement, input, directive === "spans"));
    return [...printed, ...(diagnostics.all().length === 0 ? [] : [renderText(diagnostics.all(), input)])].join("\n");
  }

  for (const path of goldenFiles("parse")) goldenSuite(path, run);
});
