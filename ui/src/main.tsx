/**
 * The entry: takes the token out of the address, then renders the application.
 */
import { render } from "preact";
import { App } from "./app.tsx";
import { adoptTokenFromAddress } from "./session.ts";

adoptTokenFromAddress();
const root = document.getElementById("app");
if (root !== null) render(<App />, root);
