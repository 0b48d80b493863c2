/**
 * Server-sent events by `fetch`, because `EventSource` cannot send a token. No reconnecting: the caller goes on behind the last id.
 * The format: https://html.spec.whatwg.org/multipage/server-sent-events.html
 */
import { type RequestOptions, send } from "./client.ts";

/** One event. */
export interface StreamEvent {
  /** Where to go on from, if the server said so. */
  readonly id: string | undefined;
  /** `message` unless the server names it. */
  readonly event: string;
  readonly data: string;
}

/** Calls `onEvent` for each event until the stream ends. Throws `ApiError`, or the abort's error. */
export async function readEvents(path: string, options: RequestOptions, onEvent: (event: StreamEvent) => void): Promise<void> {
  const response = await send(path, options);
  if (response.body === null) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    rest += part.value.replaceAll("\r\n", "\n");
    const blocks = rest.split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      const event = parseEvent(block);
      if (event !== undefined) onEvent(event);
    }
  }
}

/** A block of lines as an event; `undefined` for comments alone. */
function parseEvent(block: string): StreamEvent | undefined {
  const fields = block.split("\n").flatMap((line) => {
    const match = /^(id|event|data): ?(.*)$/.exec(line);
    return match === null ? [] : [{ name: match[1], value: match[2] ?? "" }];
  });
  const valuesOf = (name: string) => fields.filter((field) => field.name === name).map((field) => field.value);
  const data = valuesOf("data");
  return data.length === 0 ? undefined : { id: valuesOf("id").at(-1), event: valuesOf("event").at(-1) ?? "message", data: data.join("\n") };
}
