/**
 * Mistakes that the deployment gate has to find: each is one edit of one file of `terraform/` or `nomad/`, with the rule or step that has to say
 * so and the beginning of what it says. Edits are as small as a slip of the hand.
 */

/** One mistake. */
export interface DeployFault {
  /** What somebody did. */
  readonly name: string;
  /** Relative to the checkout. */
  readonly file: string;
  readonly edit: (text: string) => string;
  /** The step or rule that finds it. */
  readonly rule: string;
  /** What the finding says, among other things. */
  readonly says: RegExp;
}

/** An edit that replaces the first place that matches. */
export function swap(from: string | RegExp, to: string): DeployFault["edit"] {
  return (text) => text.replace(from, () => to);
}

/** An edit that adds lines at the end. */
export function append(lines: string): DeployFault["edit"] {
  return (text) => `${text}\n${lines}\n`;
}
