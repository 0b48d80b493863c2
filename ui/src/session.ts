/**
 * The API token of this tab. The link that `wadi cluster` prints carries it in the fragment, which browsers do not send to servers; it is
 * moved into the tab's storage and out of the address bar before anything else runs.
 */
import { readStored, writeStored } from "./storage.ts";
import { createStore } from "./store.ts";

const KEY = "token";

/** The token, or `undefined`: requests go without. */
export const tokenStore = createStore<string | undefined>(readStored(KEY, true));

/** What is done about a missing token: nothing, it is asked for, or the user has put the question off. */
export type TokenQuestion = "none" | "asked" | "put-off";

/** Changes when the API answers 401, and when a token is entered. */
export const tokenQuestion = createStore<TokenQuestion>("none");

/** The API has answered 401. A question that was put off is not asked again. */
export function wantToken(): void {
  if (tokenQuestion.get() === "none") tokenQuestion.set("asked");
}

/** Takes `#token=…` out of the address. To be called once, before the first render. */
export function adoptTokenFromAddress(): void {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const token = fragment.get("token");
  if (token === null) return;
  fragment.delete("token");
  const rest = fragment.toString();
  history.replaceState(history.state, "", `${location.pathname}${location.search}${rest === "" ? "" : `#${rest}`}`);
  enterToken(token);
}

/** Uses `token` from now on; an empty one means none. */
export function enterToken(token: string): void {
  const value = token.trim() === "" ? undefined : token.trim();
  writeStored(KEY, value, true);
  tokenStore.set(value);
  tokenQuestion.set("none");
}
