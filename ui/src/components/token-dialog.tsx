/**
 * Asks for the API token when the API has refused a request without one or with a wrong one.
 */
import { useState } from "preact/hooks";
import { enterToken, tokenQuestion } from "../session.ts";
import { FormDialog } from "./dialog.tsx";
import { TextField } from "./field.tsx";

/** The dialog; whoever renders it decides that it is needed. */
export function TokenDialog() {
  const [token, setToken] = useState("");
  return (
    <FormDialog
      title="API token"
      submit="Use token"
      disabled={token.trim() === ""}
      onClose={() => tokenQuestion.get() === "asked" && tokenQuestion.set("put-off")}
      onSubmit={async () => enterToken(token)}
    >
      <p class="muted small">
        The API wants a token. The link that the cluster printed when it started carries one; it can also be entered here. It stays in this
        tab.
      </p>
      <TextField label="Token" type="password" value={token} onText={setToken} autoFocus />
    </FormDialog>
  );
}
