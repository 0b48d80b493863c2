/**
 * Settings of this browser: theme and API token. Nothing here changes the cluster.
 */
import { useState } from "preact/hooks";
import { usePolled } from "../api/polling.ts";
import { Button } from "../components/button.tsx";
import { TextField } from "../components/field.tsx";
import { Note } from "../components/note.tsx";
import { useTitle } from "../components/title.ts";
import { showToast } from "../components/toast.tsx";
import { enterToken, tokenStore } from "../session.ts";
import { useStore } from "../store.ts";
import { chooseTheme, type ThemeChoice, themeStore } from "../theme.ts";

const THEMES: readonly { readonly id: ThemeChoice; readonly label: string }[] = [
  { id: "system", label: "As the system" },
  { id: "light", label: "Light" },
  { id: "dark", label: "Dark" },
];

/** The page. */
export function SettingsPage() {
  useTitle("Settings");
  const theme = useStore(themeStore);
  return (
    <div class="page page-narrow">
      <div class="page-head">
        <h1>Settings</h1>
      </div>
      <section class="card">
        <div class="card-head">
          <h2>Appearance</h2>
        </div>
        <div class="card-body">
          <fieldset class="segments">
            <legend class="visually-hidden">Theme</legend>
            {THEMES.map(({ id, label }) => (
              <label key={id} class="segment" data-checked={theme === id}>
                <input type="radio" name="theme" class="visually-hidden" checked={theme === id} onChange={() => chooseTheme(id)} />
                {label}
              </label>
            ))}
          </fieldset>
        </div>
      </section>
      <TokenCard />
    </div>
  );
}

function TokenCard() {
  const token = useStore(tokenStore);
  const [text, setText] = useState("");
  const probe = usePolled<unknown>("/jobs", 0);
  const save = (event: Event) => {
    event.preventDefault();
    enterToken(text);
    setText("");
    showToast("The token is used from now on");
  };
  return (
    <section class="card">
      <div class="card-head">
        <h2>API token</h2>
      </div>
      <form class="card-body stack" onSubmit={save}>
        {probe.error?.status === 401 ? (
          <Note tone="bad">The API refuses this session: {probe.error.message}</Note>
        ) : (
          <Note tone={token === undefined ? "plain" : "ok"}>
            {token === undefined ? "No token is set; the API is asked without one." : `A token is set, ending in “${token.slice(-4)}”.`} It
            is kept until this tab is closed.
          </Note>
        )}
        <TextField label="New token" type="password" value={text} onText={setText} />
        <div class="row">
          <Button type="submit" tone="primary" disabled={text.trim() === ""}>
            Use token
          </Button>
          {token !== undefined && <Button onClick={() => enterToken("")}>Forget token</Button>}
        </div>
      </form>
    </section>
  );
}
