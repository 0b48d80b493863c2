/**
 * Which builds talk to each other. Every message says the protocol version of its sender; the receiver judges it before it looks at anything
 * else, so that a mismatch is told in words instead of being misread. Pure.
 */
import { externalError } from "../core/errors.ts";

/** Version of the messages of `proto/` that this build sends. Raised when a receiver of the version before would misunderstand one. */
export const PROTOCOL_VERSION = 1;
/** The oldest version this build still serves: a controller is upgraded first and serves workers that are one version older. */
export const OLDEST_PROTOCOL_VERSION = Math.max(1, PROTOCOL_VERSION - 1);

/** A process' build, as it says itself. */
export interface PeerBuild {
  /** Version of its messages; 0 if it did not say. */
  readonly protocol: number;
  /** Its release, such as "0.1.0"; for people. */
  readonly release: string;
}

/** The versions a process serves, both included. */
export interface ServedProtocols {
  readonly oldest: number;
  readonly newest: number;
}

/** What this build serves. */
export const SERVED_PROTOCOLS: ServedProtocols = { oldest: OLDEST_PROTOCOL_VERSION, newest: PROTOCOL_VERSION };

/**
 * Throws `version-mismatch` unless the build of `peer` speaks a version that is served. `who` names the peer in the message: "worker wk_1".
 * Not retried: it does not get better until somebody upgrades.
 */
export function checkPeer(who: string, peer: PeerBuild | undefined, served: ServedProtocols = SERVED_PROTOCOLS): void {
  const { oldest, newest } = served;
  const range = oldest === newest ? `version ${newest}` : `versions ${oldest} to ${newest}`;
  if (peer === undefined || peer.protocol === 0) {
    throw externalError("version-mismatch", `${who} does not say its protocol version, this build speaks ${range}`, { retry: "never" });
  }
  if (peer.protocol >= oldest && peer.protocol <= newest) return;
  const newer = peer.protocol > newest;
  throw externalError(
    "version-mismatch",
    `${who} (release ${peer.release === "" ? "unknown" : peer.release}) speaks protocol version ${peer.protocol}, this build speaks ${range}`,
    {
      retry: "never",
      hint: newer
        ? "Upgrade this process: controllers first, then nodes and workers."
        : `Upgrade ${who}: it is more than one version behind.`,
    },
  );
}
