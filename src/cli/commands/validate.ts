/** `wadi validate`: a script's findings as JSON, for editors and CI. */
import { renderJson } from "../../sql/diagnostics.ts";
import { EXIT, print } from "../output.ts";
import { planText, readScript } from "../script.ts";

/** Arguments of the command. */
export interface ValidateArguments {
  readonly query: string;
  readonly parameters: ReadonlyMap<string, string>;
}

/** Prints `{"diagnostics": […]}`; exit code 0 if the script can run, else 2. */
export async function validate({ query, parameters }: ValidateArguments): Promise<number> {
  const { planned, diagnostics } = await planText(await readScript(query), parameters, "preview");
  print(`${renderJson(diagnostics)}\n`);
  return planned === undefined ? EXIT.usage : EXIT.done;
}
