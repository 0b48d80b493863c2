/** Events as controllers record them: the same one again counts up. */
import { createHash } from "node:crypto";
import { type EventObject, type KubeObject, newMetadata, now } from "./objects.ts";
import type { ObjectStore } from "./store.ts";

export function recordEvent(
  store: ObjectStore,
  about: KubeObject,
  type: EventObject["type"],
  reason: string,
  message: string,
  component: string,
): void {
  const { name, namespace = "default", uid } = about.metadata;
  const hash = createHash("sha256").update(`${uid} ${reason} ${message}`).digest("hex").slice(0, 16);
  const known = store.get<EventObject>("events", namespace, `${name}.${hash}`);
  if (known !== undefined) {
    store.change(known.kind === "Event" ? "events" : "", known, (event) => {
      event.count += 1;
      event.lastTimestamp = now();
    });
    return;
  }
  const event: EventObject = {
    apiVersion: "v1",
    kind: "Event",
    metadata: newMetadata(`${name}.${hash}`, namespace),
    involvedObject: { kind: about.kind, namespace, name, uid },
    type,
    reason,
    message,
    count: 1,
    firstTimestamp: now(),
    lastTimestamp: now(),
    eventTime: null,
    source: { component },
  };
  store.create("events", event);
}
