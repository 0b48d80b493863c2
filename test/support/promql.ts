/** Which metrics a PromQL expression names. Not a parser: promtool says whether an expression is one. */

/** Words that stand where a metric could. */
const WORDS = new Set([
  "and",
  "or",
  "unless",
  "by",
  "without",
  "on",
  "ignoring",
  "group_left",
  "group_right",
  "bool",
  "offset",
  "inf",
  "nan",
]);

/** Names of metrics in `expression`, each once. */
export function metricsIn(expression: string): readonly string[] {
  const bare = expression
    .replace(/"(?:[^"\\]|\\.)*"/g, '""')
    .replace(/\{[^}]*\}/g, "")
    .replace(/\[[^\]]*\]/g, "")
    .replace(/\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g, "");
  const names = [...bare.matchAll(/(?<![\w:.])([a-zA-Z_:][\w:]*)(?!\w)(?!\s*\()/g)].map(([, name = ""]) => name);
  return [...new Set(names)].filter((name) => !WORDS.has(name.toLowerCase()));
}
