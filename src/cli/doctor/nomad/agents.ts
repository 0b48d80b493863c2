/** The agents of Nomad that the settings name, with token and certificates read from their files. */
import { readFileSync } from "node:fs";
import { toAppError, userError } from "../../../core/errors.ts";
import type { NomadConnection } from "../../../scheduler/nomad/settings.ts";
import type { Agent } from "./ask.ts";

/** One agent per address; the task API's socket alone if it is set. Throws `invalid-config` for a file that cannot be read. */
export function agentsOf(connection: NomadConnection): readonly Agent[] {
  const { addresses, unixAddress, token, tokenFile, region, tls } = connection;
  const common = {
    region,
    token: tokenFile === undefined ? token : readSetting("nomad.token-file", tokenFile)?.trim(),
    tls: {
      ca: readSetting("nomad.ca-cert", tls.ca),
      cert: readSetting("nomad.client-cert", tls.cert),
      key: readSetting("nomad.client-key", tls.key),
      serverName: tls.serverName,
      skipVerify: tls.skipVerify,
    },
  };
  if (unixAddress !== undefined) return [{ ...common, address: `unix://${unixAddress}` }];
  return addresses.map((address) => ({ ...common, address }));
}

function readSetting(setting: string, path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path, "utf8");
  } catch (thrown) {
    const hint = `Correct ${setting}, or give this user the right to read the file.`;
    throw userError("invalid-config", `${setting} "${path}" cannot be read: ${toAppError(thrown).code}`, { hint });
  }
}
