/** The S3 store against servers that misbehave: each failure gets its code, its words and its retries. */
import { createServer } from "node:net";
import { expect } from "chai";
import type { ErrorCode } from "../../../src/core/errors.ts";
import { S3Store } from "../../../src/storage/s3.ts";
import { rejection } from "../../support/rejection.ts";
import { type StubAnswer, type StubS3, startStubS3 } from "../../support/stub-s3.ts";

describe("S3 store against a server that misbehaves", function () {
  this.timeout(20_000);
  let server: StubS3 | undefined;
  afterEach(() => server?.stop());

  async function storeWith(answer: (method: string, index: number, condition: string | undefined) => StubAnswer): Promise<S3Store> {
    server = await startStubS3((request, index) => answer(request.method ?? "", index, request.headers["if-none-match"]));
    return S3Store.open({ bucket: "b", prefix: "p", endpoint: server.endpoint });
  }

  it("finds that a server ignores If-None-Match and refuses put-if-absent", async () => {
    const store = await storeWith((method) => ({ status: method === "DELETE" ? 204 : 200 }));
    expect(await store.probe()).to.deep.equal({ putIfAbsent: false });
    await rejection(store.putIfAbsent("x", Uint8Array.of(1)), "unsupported", '"x"', "If-None-Match");
    expect(server?.requests.filter((line) => line.startsWith("PUT"))).to.have.length(2);
  });

  it("finds that a server does not implement If-None-Match, and still checks that it can write", async () => {
    const store = await storeWith((_method, _index, condition) =>
      condition === undefined ? { status: 200 } : { status: 501, code: "NotImplemented" },
    );
    expect(await store.probe()).to.deep.equal({ putIfAbsent: false });
    expect(server?.requests.at(-2)).to.match(/^PUT/);
  });

  it("does not take a failed probe for an answer", async () => {
    let denied = true;
    const store = await storeWith((method) => (denied ? { status: 403, code: "AccessDenied" } : { status: method === "PUT" ? 412 : 204 }));
    await rejection(store.probe(), "permission-denied");
    denied = false;
    expect(await store.probe()).to.deep.equal({ putIfAbsent: true });
  });

  it("tries again when the server asks to slow down, a few times", async () => {
    const store = await storeWith((_method, index) => (index < 2 ? { status: 503, code: "SlowDown" } : { status: 200, body: "ok" }));
    expect(new TextDecoder().decode(await store.get("x"))).to.equal("ok");
    expect(server?.requests).to.have.length(3);
  });

  it("gives up after four tries, with a hint that trying later may help", async () => {
    const store = await storeWith(() => ({ status: 500, code: "InternalError" }));
    const error = await rejection(store.put("x", Uint8Array.of(1)), "io", 'cannot write object "x" in "s3://b/p"', "InternalError", "500");
    expect(error.retry).to.equal("backoff");
    expect(server?.requests).to.have.length(4);
  });

  const codes: readonly (readonly [number, string, ErrorCode])[] = [
    [403, "AccessDenied", "permission-denied"],
    [403, "InvalidAccessKeyId", "permission-denied"],
    [403, "SignatureDoesNotMatch", "permission-denied"],
    [404, "NoSuchKey", "not-found"],
    [404, "NoSuchBucket", "not-found"],
    [507, "InsufficientStorage", "disk-full"],
    [418, "Teapot", "io"],
  ];
  for (const [status, code, expected] of codes) {
    it(`calls ${status} ${code} ${expected}`, async () => {
      const store = await storeWith(() => ({ status, code }));
      const error = await rejection(store.get("x"), expected, '"x"', "s3://b/p");
      if (code === "NoSuchBucket") expect(error.message).to.contain("bucket");
      if (expected === "permission-denied") expect(error).to.include({ retry: "never" });
    });
  }

  it("names a server that does not answer", async () => {
    const closed = createServer();
    await new Promise<void>((resolve) => closed.listen(0, "127.0.0.1", resolve));
    const { port } = closed.address() as { port: number };
    await new Promise((resolve) => closed.close(resolve));
    const store = await S3Store.open({ bucket: "b", prefix: "", endpoint: `http://127.0.0.1:${port}` });
    const error = await rejection(store.get("x"), "connection-lost", '"x"', "s3://b");
    expect(error.retry).to.equal("backoff");
  });

  it("aborts the multipart upload when a part fails", async () => {
    const upload = "<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>";
    const store = await storeWith((method) => {
      if (method === "POST") return { status: 200, body: upload };
      return method === "PUT" ? { status: 403, code: "AccessDenied" } : { status: 204 };
    });
    await rejection(store.put("large", new Uint8Array(20 << 20)), "permission-denied", '"large"');
    expect(server?.requests.at(-1)).to.match(/^DELETE .*uploadId=u1/);
    expect(server?.requests.some((line) => line.startsWith("PUT") && line.includes("partNumber="))).to.equal(true);
  });

  it("says which object of a batch could not be deleted", async () => {
    const listed =
      "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>p/f/x</Key><Size>1</Size></Contents></ListBucketResult>";
    const refused = "<DeleteResult><Error><Key>p/f/x</Key><Code>AccessDenied</Code><Message>No.</Message></Error></DeleteResult>";
    const store = await storeWith((method) => ({ status: 200, body: method === "GET" ? listed : refused }));
    await rejection(store.deletePrefix("f/"), "permission-denied", 'cannot delete object "f/x"');
  });

  it("refuses a range that the server did not honour", async () => {
    const store = await storeWith((method) => ({
      status: 200,
      ...(method === "HEAD" ? { headers: { "content-length": "100" } } : { body: "whole object" }),
    }));
    await rejection(store.getRange("x", 2, 3), "io", "another range");
  });
});
