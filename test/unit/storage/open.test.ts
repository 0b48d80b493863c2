/** What URLs of object stores mean, and which are refused. */
import { expect } from "chai";
import { AppError } from "../../../src/core/errors.ts";
import { openObjectStore, parseStoreUrl } from "../../../src/storage/open.ts";

describe("parseStoreUrl", () => {
  it("reads paths and file URLs", () => {
    expect(parseStoreUrl("/var/lib/wadi")).to.deep.equal({ kind: "local", folder: "/var/lib/wadi" });
    expect(parseStoreUrl("file:///var/lib/a%20b")).to.deep.equal({ kind: "local", folder: "/var/lib/a b" });
    expect(parseStoreUrl("state")).to.deep.equal({ kind: "local", folder: `${process.cwd()}/state` });
  });

  it("reads s3 URLs with endpoint, region and path style", () => {
    expect(parseStoreUrl("s3://bucket/a/b/?endpoint=http://127.0.0.1:5000&region=eu-west-1&path_style=false")).to.deep.equal({
      kind: "s3",
      bucket: "bucket",
      prefix: "a/b",
      endpoint: "http://127.0.0.1:5000",
      region: "eu-west-1",
      pathStyle: false,
    });
    expect(parseStoreUrl("s3://bucket")).to.include({ kind: "s3", bucket: "bucket", prefix: "" });
    expect(parseStoreUrl("s3a://bucket/x")).to.include({ kind: "s3", bucket: "bucket", prefix: "x" });
  });

  it("reads Arroyo's form with the endpoint in front", () => {
    expect(parseStoreUrl("s3::http://localhost:9000/bucket/a/b")).to.deep.equal({
      kind: "s3",
      bucket: "bucket",
      prefix: "a/b",
      endpoint: "http://localhost:9000",
    });
  });

  const refused: Readonly<Record<string, string>> = {
    "": "empty",
    "gs://bucket/x": '"gs"',
    "https://bucket.s3.amazonaws.com/x": '"https"',
    "s3:///x": "no bucket",
    "s3://bucket/a/../../b//c": "prefix",
    "s3://bucket/x?acl=public": '"acl"',
    "s3://bucket/x?path_style=yes": "path_style",
    "s3://bucket/x?endpoint=localhost:9000": "endpoint",
    "file://host/x": "file:///",
  };
  for (const [url, word] of Object.entries(refused)) {
    it(`refuses "${url}"`, () => {
      expect(() => parseStoreUrl(url))
        .to.throw(AppError, word)
        .with.property("code", "invalid-config");
    });
  }

  it("refuses credentials without repeating them", () => {
    const error = (() => {
      try {
        return parseStoreUrl("s3://AKIA123:s3cret@bucket/x");
      } catch (e) {
        return e;
      }
    })();
    expect(error).to.be.instanceOf(AppError);
    expect(JSON.stringify(error) + String(error)).to.not.contain("s3cret");
  });
});

describe("openObjectStore", () => {
  it("gives the same memory store for the same name", async () => {
    const one = await openObjectStore("memory://open-test");
    await one.put("x", Uint8Array.of(1));
    expect(await (await openObjectStore("memory://open-test")).head("x")).to.deep.equal({ path: "x", size: 1 });
    expect(await (await openObjectStore("memory://open-other")).head("x")).to.equal(undefined);
  });

  it("names stores by URLs without parameters", async () => {
    expect((await openObjectStore("/tmp/x")).url).to.equal("file:///tmp/x");
    const s3 = await openObjectStore("s3://bucket/p?endpoint=http://127.0.0.1:1");
    expect(s3.url).to.equal("s3://bucket/p");
    await s3.close();
  });
});
