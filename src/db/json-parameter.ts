/** Values as the text of a jsonb parameter. PostgreSQL's jsonb holds no NUL character: it becomes the replacement character. */

/** See the file's comment. */
export function jsonParameter(value: unknown): string {
  return JSON.stringify(value).replaceAll("\\u0000", "\\ufffd");
}
