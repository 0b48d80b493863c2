/** The Pushgateway's list of groups, and addresses with passwords in them. */
import { expect } from "chai";
import { httpAddress, withoutPassword } from "../../../src/rpc/http-credentials.ts";
import { Pushgateway, parseGroups } from "../../../src/rpc/pushgateway.ts";

describe("a Pushgateway", () => {
  it("lists groups of workers and no others", () => {
    const time = { metrics: [{ value: "1.7e+09" }] };
    const labels = { job: "job_a", run: "3", worker: "wk_a" };
    const data = [
      { labels, push_time_seconds: time },
      { labels: { ...labels, instance: "x" }, push_time_seconds: time },
      { labels: { job: "backup" }, push_time_seconds: time },
      { labels: { ...labels, run: "three" } },
      {},
    ];
    expect(parseGroups(JSON.stringify({ status: "success", data }))).to.deep.equal([{ group: labels, pushedAtS: 1.7e9 }]);
    expect(() => parseGroups("<html>")).to.throw("is not JSON");
    expect(() => parseGroups("{}")).to.throw("has no list of groups");
  });

  it("is refused if its address is none, without the password in the message", () => {
    for (const url of ["", "host:9091", "ftp://a:secret@host"]) {
      expect(() => new Pushgateway(url, 1), url).to.throw("metrics.pushgateway is not the URL of a Pushgateway");
    }
    expect(withoutPassword("ftp://a:secret@host")).to.equal("ftp://host");
  });

  it("has user and password of its address in a header", () => {
    const authorization = `Basic ${Buffer.from("a b:p/w").toString("base64")}`;
    expect(httpAddress("https://a%20b:p%2Fw@host:1/path//")).to.deep.equal({ url: "https://host:1/path", authorization });
    expect(httpAddress("http://host")).to.deep.equal({ url: "http://host", authorization: undefined });
  });
});
