/** The state directory of a cluster: where it is and how its parts are named. */
import { homedir } from "node:os";
import { join } from "node:path";
import type { Config } from "../core/config.ts";

/** Files and folders of a state directory. */
export interface StateFolder {
  readonly path: string;
  /** Logs of the cluster's processes. */
  readonly logs: string;
  /** Records and logs of workers. */
  readonly workers: string;
  /** The token of the UI's session, mode 0600. */
  readonly sessionToken: string;
}

/** The state directory at `path`. */
export function stateFolder(path: string): StateFolder {
  return { path, logs: join(path, "logs"), workers: join(path, "workers"), sessionToken: join(path, "session-token") };
}

/** The state directory that the settings name, else `wadi` in the user's state directory (`XDG_STATE_HOME`, else `~/.local/state`). */
export function configuredStateFolder(config: Config): StateFolder {
  const { XDG_STATE_HOME: state = "" } = process.env;
  return stateFolder(config["state-dir"] ?? join(state === "" ? join(homedir(), ".local", "state") : state, "wadi"));
}
