/**
 * The API token of this tab. The link that `wadi cluster` prints carries it in the fragment, which browsers do not send to servers; it is
 * moved into the tab's storage and out of the address bar before anything else runs.
 */
import { readStored, writeStored } from "./storage.ts";
import { createStore } from "./store.ts";

const KEY = "token";

/** The token, or `undefined`: requests go without. */
export const tokenStore = createStore<string | undefined>(readStored(KEY, true));

/** True once the API has answered 401 and no new token was entered since. */
export const tokenWanted = createStore(false);

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
  tokenWanted.set(false);
}
