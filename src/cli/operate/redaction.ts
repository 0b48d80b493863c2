/**
 * Takes secrets out of text that leaves the cluster: values of settings that are secret, whatever stands behind a name such as password or
 * token, credentials in URLs, bearer tokens and AWS keys. It is better to take too much: a bundle is read by people outside.
 */

/** What stands for a secret. */
export const REDACTED = "***";

/** Secrets shorter than this are not searched for literally: they would be found everywhere. */
const LITERAL_MIN = 4;
const NAME = String.raw`[\w.\-]{0,40}(?:passw(?:or)?d|passphrase|secret|token|credential|authorization|api[_\-]?key|access[_\-]?key|private[_\-]?key|basic[_\-]?auth|jaas[.\-_]config)[\w.\-]{0,40}`;

const RULES: readonly (readonly [RegExp, string])[] = [
  // A block of a PEM file.
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g, REDACTED],
  // scheme://user:password@host
  [/(\b[a-z][a-z0-9+.-]{0,20}:\/\/[^\s/:@"']{0,100}):[^\s@"']{1,500}@/gi, `$1:${REDACTED}@`],
  [/\b(Bearer|Basic)\s+[\w\-.~+/=]{4,}/gi, `$1 ${REDACTED}`],
  [/\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g, REDACTED],
  // "name": "value", name = 'value' and name=value, quotes kept
  [new RegExp(String.raw`(["']?${NAME}["']?\s*[:=]\s*)"(?:[^"\\]|\\.)*"`, "gi"), `$1"${REDACTED}"`],
  [new RegExp(String.raw`(["']?${NAME}["']?\s*[:=]\s*)'(?:[^']|'')*'`, "gi"), `$1'${REDACTED}'`],
  [new RegExp(String.raw`(\\"${NAME}\\"\s*:\s*)\\"(?:[^"\\]|\\\\.)*\\"`, "gi"), `$1\\"${REDACTED}\\"`],
  [
    new RegExp(String.raw`(\b${NAME}\s*[:=]\s*)(?!["'\\{\[]|true\b|false\b|null\b|undefined\b|\*\*\*)[^\s,;&"'}\])]+`, "gi"),
    `$1${REDACTED}`,
  ],
];

/** `text` without secrets; `secrets` are values that are known to be such. */
export function redact(text: string, secrets: readonly string[]): string {
  let result = text;
  for (const secret of [...secrets].filter((s) => s.length >= LITERAL_MIN).sort((a, b) => b.length - a.length)) {
    result = result.replaceAll(secret, REDACTED);
    const quoted = JSON.stringify(secret).slice(1, -1);
    if (quoted !== secret) result = result.replaceAll(quoted, REDACTED);
  }
  return RULES.reduce((current, [pattern, replacement]) => current.replace(pattern, replacement), result);
}
