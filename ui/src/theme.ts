/**
 * Light or dark: the system's choice unless the user has made one. `public/theme.js` applies the stored choice before the first paint.
 */
import { readStored, writeStored } from "./storage.ts";
import { createStore } from "./store.ts";

/** What the user chose. */
export type ThemeChoice = "system" | "light" | "dark";

const stored = readStored("theme");

/** The choice in force. */
export const themeStore = createStore<ThemeChoice>(stored === "light" || stored === "dark" ? stored : "system");

/** Makes a choice and remembers it. */
export function chooseTheme(choice: ThemeChoice): void {
  writeStored("theme", choice === "system" ? undefined : choice);
  if (choice === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = choice;
  themeStore.set(choice);
}

/** Calls `listener` when the colours may have changed: by choice or by the system. The result unsubscribes. */
export function onThemeChange(listener: () => void): () => void {
  const media = matchMedia("(prefers-color-scheme: dark)");
  media.addEventListener("change", listener);
  const unsubscribe = themeStore.subscribe(listener);
  return () => {
    media.removeEventListener("change", listener);
    unsubscribe();
  };
}

/** The value of a colour token such as `--accent` as it is now, for canvases. */
export function tokenColor(name: string): string {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const color = getComputedStyle(probe).color;
  probe.remove();
  return color;
}
