/**
 * Whether the API answers at all. Every request tells; while it does not answer, a ping a second finds out when it is back. Pages keep what
 * they show and what was typed.
 */
import { createStore } from "../store.ts";

/** False after a request found nobody, until one finds somebody. */
export const apiReachable = createStore(true);

const PING_MS = 1000;
let timer: ReturnType<typeof setTimeout> | undefined;

/** A request got an answer, of whatever kind. */
export function reportReachable(): void {
  clearTimeout(timer);
  timer = undefined;
  apiReachable.set(true);
}

/** A request got none. */
export function reportUnreachable(): void {
  apiReachable.set(false);
  timer ??= setTimeout(ping, PING_MS);
}

async function ping(): Promise<void> {
  timer = undefined;
  try {
    const response = await fetch("/api/v1/ping", { cache: "no-store" });
    if (isGatewayFault(response.status)) reportUnreachable();
    else reportReachable();
  } catch {
    reportUnreachable();
  }
}

/** Whether a status comes from a proxy before an API that is not there. */
export function isGatewayFault(status: number): boolean {
  return status === 502 || status === 504;
}
