/** User and password in the URL of an HTTP service: they go into a header, and never into messages. */

/** A URL without what is secret in it. */
export interface HttpAddress {
  /** Without user, password, and slashes at the end. */
  readonly url: string;
  /** Value of the header `Authorization`; undefined: the URL names no user. A secret. */
  readonly authorization: string | undefined;
}

/** `text` taken apart; undefined if it is no URL of http or https. */
export function httpAddress(text: string): HttpAddress | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (!/^https?:$/.test(url.protocol)) return undefined;
  const { username, password } = url;
  url.username = "";
  url.password = "";
  const authorization = username === "" && password === "" ? undefined : basicAuthorization(`${decode(username)}:${decode(password)}`);
  return { url: url.href.replace(/\/+$/, ""), authorization };
}

/** The header's value for "user:password". */
export function basicAuthorization(userAndPassword: string): string {
  return `Basic ${Buffer.from(userAndPassword).toString("base64")}`;
}

/** A text that is no URL, for messages: whatever could be a password is left out. */
export function withoutPassword(url: string): string {
  return url.replace(/\/\/[^@/]*@/, "//");
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
