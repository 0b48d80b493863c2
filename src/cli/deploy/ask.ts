/** A question on the terminal before something is changed. */
import { createInterface } from "node:readline/promises";
import { userError } from "../../core/errors.ts";

/** Whether the answer is yes. Throws `invalid-usage` where there is no terminal; `command` is what wanted to ask. */
export async function ask(question: string, command: string): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stderr.isTTY)
    throw userError("invalid-usage", `${command} asks before it changes anything, and there is no terminal to ask on`, {
      hint: "Give --yes.",
    });
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await terminal.question(question)).trim());
  } finally {
    terminal.close();
  }
}
