/** `wadi explain`: what a script means and how it will run, without running it. */
import { type ExplainFormat, explainScript } from "../../sql/explain.ts";
import { EXIT, print, sayDiagnostics } from "../output.ts";
import { planText, readScript } from "../script.ts";

/** Arguments of the command. */
export interface ExplainArguments {
  readonly query: string;
  readonly format: ExplainFormat;
  readonly parameters: ReadonlyMap<string, string>;
}

/** Prints the explanation; the exit code. */
export async function explain({ query, format, parameters }: ExplainArguments): Promise<number> {
  const script = await readScript(query);
  const { planned, diagnostics } = await planText(script, parameters, "preview");
  sayDiagnostics(diagnostics, script);
  if (planned === undefined) return EXIT.usage;
  print(explainScript(planned, format));
  return EXIT.done;
}
