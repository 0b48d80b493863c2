/** An S3 server that answers what a test says, to try what moto cannot: servers without conditions, slow-downs, refusals. */
import { createServer, type IncomingMessage } from "node:http";
import { expect } from "chai";

export interface StubAnswer {
  readonly status: number;
  /** S3's error code, sent as XML. */
  readonly code?: string;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface StubS3 {
  readonly endpoint: string;
  /** `METHOD /path?query` of every request, in order. */
  readonly requests: readonly string[];
  stop(): Promise<void>;
}

/** Starts a server that answers by `answer`, which sees the request and its number from 0. Sets the AWS_* variables of this process. */
export async function startStubS3(answer: (request: IncomingMessage, index: number) => StubAnswer): Promise<StubS3> {
  process.env["AWS_ACCESS_KEY_ID"] = "testing";
  process.env["AWS_SECRET_ACCESS_KEY"] = "testing";
  const requests: string[] = [];
  const server = createServer((request, response) => {
    const index = requests.push(`${request.method} ${request.url}`) - 1;
    request.resume().on("end", () => {
      const { status, code, body, headers } = answer(request, index);
      const error = code === undefined ? "" : `<?xml version="1.0"?><Error><Code>${code}</Code><Message>Said so.</Message></Error>`;
      response.writeHead(status, { "content-type": "application/xml", ...headers }).end(body ?? error);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") return expect.fail("no port");
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    requests,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
