/** Rules for secrets: none is written down, neither under a name that says so nor as a text that looks like one. */
import type { Project, Rule } from "../documents.ts";
import type { Finding } from "../finding.ts";

/** `name = "value"` or `name: value`, where the name says that the value is secret. */
const NAMED =
  /\b([\w.-]*(?:passw(?:or)?d|secret|token|private_key|api_key|access_key|credential|encrypt)[\w.-]*)"?\s*[=:]\s*"?([^\s"'`,;{}()$<>[\]]+)/gi;
/** Such names that only say where a secret is, or what kind. */
const PLACE =
  /(_|-|\b)(arn|name|names|id|ids|path|file|files|url|version|prefix|days|key_id|wo|data_key|parameter|type|ttl|length|description|class|policy|scheme|header|dir)s?$/i;
const KNOWN_FORMS =
  /\b(AKIA[0-9A-Z]{16}|ASIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{30,}|hv[sb]\.[A-Za-z0-9_-]{20,}|xox[abp]-[\w-]{10,}|-----BEGIN [A-Z ]*PRIVATE KEY-----|eyJ[\w-]{10,}\.eyJ[\w-]{10,})/;
const UUID = /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi;
const LONG = /(?<![\w@:/.+-])[A-Za-z0-9+/_-]{24,}={0,2}(?![\w.:/-])/g;
const FIX = "Keep it in a variable of Nomad, in Secrets Manager, or in the environment of whoever applies.";

/** Bits of information per character, by how often each occurs. */
function entropy(text: string): number {
  const counts = new Map<string, number>();
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1);
  return [...counts.values()].reduce((sum, count) => sum - (count / text.length) * Math.log2(count / text.length), 0);
}

/** Whether a value under a telling name may be a secret: long and mixed, not a word, a reference, a path or a template's field. */
function looksSecret(value: string): boolean {
  if (
    value.length < 8 ||
    /^(var|local|each|module|data|ephemeral|random_\w+|nomad_\w+|aws_\w+|tls_\w+|secretsmanager|jsonencode|try|null|true|false|sha256)\b/.test(
      value,
    )
  )
    return false;
  if (/^[.\w-]*\/|^[A-Z_]+=|:\/\/|^[a-z_.-]+$|^[a-z0-9]+(_[a-z0-9]+)+$|^[A-Z_]+$|^\W/.test(value)) return false;
  const classes = [/[a-z]/, /[A-Z]/, /\d/, /[^A-Za-z0-9]/].filter((one) => one.test(value)).length;
  return classes >= 2 && entropy(value) > 2.5;
}

/** Whether a long text is random enough to be a key. */
function looksRandom(text: string): boolean {
  const digits = text.replace(/\D/g, "").length;
  // A digest or an id is written in one case; names have few digits.
  return digits >= 3 && /[a-z]/.test(text) && /[A-Z]/.test(text) && entropy(text) > 4.2;
}

function judgeLine(line: string): string | undefined {
  const form = KNOWN_FORMS.exec(line)?.[0];
  if (form !== undefined) return `"${form.slice(0, 8)}…" has the form of a secret`;
  for (const [, name = "", value = ""] of line.matchAll(NAMED))
    if (!PLACE.test(name) && !/manager$/i.test(name) && looksSecret(value)) return `"${name}" is written down`;
  if ([...line.matchAll(UUID)].some(([uuid]) => entropy(uuid) > 2.8)) return "a UUID, which tokens of Nomad are, is written down";
  const random = [...line.matchAll(LONG)].find(([text]) => looksRandom(text))?.[0];
  return random === undefined ? undefined : `"${random.slice(0, 6)}…" is as random as a key`;
}

/** Every text that may be deployed, by path. */
function textsOf({ documents, texts }: Project): [string, string][] {
  return [
    ...documents.map(({ file, text }): [string, string] => [file, text]),
    ...[...texts].filter(([file]) => /^(terraform|nomad)\//.test(file)),
  ];
}

const literals: Rule = (project) =>
  textsOf(project).flatMap(([file, text]) =>
    text.split("\n").flatMap((line, at): Finding[] => {
      const problem = judgeLine(line);
      return problem === undefined ? [] : [{ rule: "no-literal-secret", file, line: at + 1, message: problem, fix: FIX }];
    }),
  );

/** The rules of this file. */
export const SECRET_RULES: readonly Rule[] = [literals];
