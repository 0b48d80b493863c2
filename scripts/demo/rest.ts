/** What the demo uses of the REST API: JSON requests and the stream of a pipeline's rows. */

/** Where the API is and how to be let in. */
export interface ApiAccess {
  /** Without a path. */
  readonly url: string;
  readonly token: string;
}

/** A pipeline, as far as the demo looks at it. */
export interface PipelineAnswer {
  readonly id: string;
  readonly name: string;
  readonly stop: string;
  readonly action_text: string;
}

/** A job, as far as the demo looks at it. */
export interface JobAnswer {
  readonly id: string;
  readonly state: string;
  readonly failure_reason?: { readonly error?: string } | string | null;
}

/** Calls the API. Throws what it answers if that is no success. */
export async function callApi<T>({ url, token }: ApiAccess, method: string, path: string, body?: unknown): Promise<T> {
  const answer = await fetch(`${url}/api/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return (text === "" ? undefined : JSON.parse(text)) as T;
}

/** The data of server-sent events at `path`, one after another, until the server or `signal` ends them. */
export async function* readEvents({ url, token }: ApiAccess, path: string, signal: AbortSignal): AsyncGenerator<unknown> {
  const answer = await fetch(`${url}/api/v1${path}`, {
    headers: { authorization: `Bearer ${token}`, accept: "text/event-stream" },
    signal,
  });
  if (!answer.ok || answer.body === null) throw new Error(`GET ${path}: ${answer.status} ${await answer.text()}`);
  let text = "";
  for await (const piece of answer.body.pipeThrough(new TextDecoderStream())) {
    text += piece;
    const events = text.split("\n\n");
    text = events.pop() ?? "";
    for (const event of events) {
      const data = event
        .split("\n")
        .filter((line) => line.startsWith("data:"))
        .map((line) => line.slice("data:".length).trimStart());
      if (data.length > 0) yield JSON.parse(data.join("\n"));
    }
  }
}
