/**
 * Who may call the API, from where, and with how much: tokens and roles, names in Host and Origin, sizes and depths of bodies, names that look
 * like SQL, garbage.
 */
import { request } from "node:http";
import { connect } from "node:net";
import { expect } from "chai";
import { ApiServer } from "../../src/api/api-server.ts";
import { systemClock } from "../../src/core/clock.ts";
import { loadConfig } from "../../src/core/config.ts";
import { silentLogger } from "../../src/core/log.ts";
import { systemRandom } from "../../src/core/prng.ts";
import { MAX_SCRIPT_BYTES } from "../../src/sql/limits.ts";
import { onBothDatabases } from "../support/api-databases.ts";
import { type ApiStage, TOKEN } from "../support/api-stage.ts";
import { rejection } from "../support/rejection.ts";
import { Seeded } from "../support/seeded.ts";

const IMPULSE = "CREATE TABLE t WITH (connector = 'impulse', event_rate = '10'); SELECT counter FROM t;";
const HOUR_MS = 3_600_000;

/** Method and path of every route, with ids that mean nothing. */
async function routesOf(api: ApiStage): Promise<{ method: string; path: string; open: boolean }[]> {
  const { paths } = (await api.call("GET", "/api-docs/openapi.json")).body;
  return Object.entries(paths as Record<string, Record<string, { security?: unknown[] }>>).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { security }]) => ({
      method: method.toUpperCase(),
      path: path
        .replace("/api/v1", "")
        .replace("{epoch}", "1")
        .replace("{request_id}", "00000000-0000-4000-8000-000000000000")
        .replaceAll(/\{\w+\}/g, "x"),
      open: security?.length === 0,
    })),
  );
}

async function keyOf(api: ApiStage, role: string): Promise<string> {
  return (await api.ok("POST", "/api_keys", { name: `key of ${role}`, role })).key;
}

onBothDatabases(
  "access to the API",
  (stage) => {
    it("needs a token for everything but the ping and the document", async () => {
      const api = stage();
      const routes = await routesOf(api);
      expect(routes.length).to.be.greaterThan(35);
      for (const { method, path, open } of routes) {
        for (const token of [null, "wrong", `${TOKEN}x`]) {
          const answer = await api.call(method, path, { token });
          expect(answer.status, `${method} ${path}`).to.equal(open ? 200 : 401);
          if (!open) expect(answer.headers["www-authenticate"]).to.equal("Bearer");
        }
      }
      const basic = await api.call("GET", "/jobs", {
        token: null,
        headers: { authorization: `Basic ${Buffer.from(`a:${TOKEN}`).toString("base64")}` },
      });
      expect(basic.status).to.equal(401);
    });

    it("lets viewers read, editors change, and admins alone bring code and make keys", async () => {
      const api = stage();
      const [viewer, editor, admin] = [await keyOf(api, "viewer"), await keyOf(api, "editor"), await keyOf(api, "admin")];
      expect(viewer).to.match(/^wadi_[0-9a-z]{40}$/);
      const pipeline = { name: "p", query: IMPULSE };
      const definition = "export function twice(x: bigint): bigint { return 2n * x; }";
      const withCode = { name: "p", query: IMPULSE.replace("SELECT counter", "SELECT twice(counter)"), udfs: [{ definition }] };
      const inSql = { name: "p", query: `CREATE FUNCTION twice() LANGUAGE TYPESCRIPT AS $$${definition}$$; ${withCode.query}` };
      const cases: readonly (readonly [string, string, unknown, number, number, number])[] = [
        ["GET", "/pipelines", undefined, 200, 200, 200],
        ["POST", "/pipelines/validate_query", { query: IMPULSE }, 200, 200, 200],
        ["POST", "/pipelines", pipeline, 403, 200, 200],
        ["POST", "/pipelines/preview", { query: IMPULSE }, 403, 200, 200],
        ["POST", "/pipelines", withCode, 403, 403, 200],
        ["POST", "/pipelines", inSql, 403, 403, 200],
        ["POST", "/connection_tables", { name: "x", connector: "impulse", config: { event_rate: 1 } }, 403, 200, 400],
        ["GET", "/udfs", undefined, 200, 200, 200],
        ["POST", "/udfs", { definition }, 403, 403, 200],
        ["GET", "/api_keys", undefined, 403, 403, 200],
        ["POST", "/api_keys", { name: "more", role: "admin" }, 403, 403, 200],
      ];
      for (const [method, path, body, ...expected] of cases) {
        for (const [i, token] of [viewer, editor, admin].entries()) {
          const answer = await api.call(method, path, body === undefined ? { token } : { token, body });
          expect(answer.status, `${method} ${path} ${i} ${answer.text}`).to.equal(expected[i]);
        }
      }
      // A stored function is no code of the request's.
      expect((await api.call("POST", "/pipelines", { token: editor, body: { name: "p", query: withCode.query } })).status).to.equal(200);
      expect((await api.ok("GET", "/pipelines")).data[0].created_by).to.equal("key of editor");
      expect((await api.call("GET", "/cluster", { token: viewer })).body.role).to.equal("viewer");
    });

    it("stores keys as hashes, forgets deleted ones, and refuses those that ran out", async () => {
      const api = stage();
      const key = await api.ok("POST", "/api_keys", { name: "ci", role: "viewer", lifetime_seconds: 3_600 });
      expect((await api.call("GET", "/jobs", { token: key.key })).status).to.equal(200);
      expect(
        JSON.stringify(await api.db("api_keys").select("*"), (_, value) => (typeof value === "bigint" ? String(value) : value)),
      ).not.to.contain(key.key);
      const [listed] = (await api.ok("GET", "/api_keys")).data;
      expect(listed).not.to.have.property("key");
      expect(listed.expires_at).to.be.within((Date.now() + HOUR_MS - 60_000) * 1_000, (Date.now() + HOUR_MS + 60_000) * 1_000);
      expect(listed.last_used_at).to.be.a("number");
      await api.refused(400, "POST", "/api_keys", { body: { name: "ci", role: "viewer" } }, "already exists");
      await api.refused(400, "POST", "/api_keys", { body: { name: "session", role: "viewer" } }, "session");
      await api.ok("DELETE", `/api_keys/${key.id}`);
      expect((await api.call("GET", "/jobs", { token: key.key })).status).to.equal(401);
      const short = await api.ok("POST", "/api_keys", { name: "short", role: "viewer" });
      await api.db("api_keys").update({ expires_at: new Date(Date.now() - 1_000) });
      expect((await api.call("GET", "/jobs", { token: short.key })).status).to.equal(401);
    });

    it("answers to its own names only, and not to pages of other sites", async () => {
      const api = stage();
      const status = async (headers: Record<string, string>, path = "/api/v1/ping"): Promise<number> =>
        (await api.raw("GET", path, { headers })).status;
      const { port } = api;
      for (const host of [`localhost:${port}`, `127.0.0.1:${port}`, "LOCALHOST", `[::1]:${port}`, "wadi.example.com"]) {
        expect(await status({ host }), host).to.equal(200);
      }
      for (const host of [
        "evil.example",
        `evil.example:${port}`,
        "127.0.0.1.evil.example",
        "192.168.0.1",
        "localhost@evil.example",
        "a b",
      ]) {
        expect(await status({ host }), host).to.equal(403);
        expect(await status({ host }, "/"), host).to.equal(403);
      }
      const host = `localhost:${port}`;
      expect(await status({ host, origin: `http://${host}` })).to.equal(200);
      expect(await status({ host: "wadi.example.com", origin: "https://wadi.example.com" })).to.equal(200);
      for (const origin of [
        "http://evil.example",
        "null",
        `http://localhost:${port + 1}`,
        "https://wadi.example.com",
        "file://",
        `ftp://${host}`,
        "http://",
      ]) {
        expect(await status({ host, origin }), origin).to.equal(403);
      }
      expect(
        (await api.raw("OPTIONS", "/api/v1/pipelines", { headers: { host, origin: "http://evil.example" } })).headers,
      ).not.to.have.property("access-control-allow-origin");
    });

    it("takes bodies of JSON only, within limits of size and depth", async () => {
      const api = stage();
      const good = JSON.stringify({ query: IMPULSE });
      for (const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonx"]) {
        await api.refused(
          415,
          "POST",
          "/pipelines/validate_query",
          { raw: good, headers: { "content-type": type } },
          "application/json",
          type.split(";")[0] ?? "",
        );
      }
      expect(
        (await api.call("POST", "/pipelines/validate_query", { raw: good, headers: { "content-type": "application/json; charset=utf-8" } }))
          .status,
      ).to.equal(200);
      await api.refused(400, "POST", "/pipelines/validate_query", { raw: "" }, "no body");
      await api.refused(400, "POST", "/pipelines/validate_query", { raw: "{" }, "not valid JSON");
      await api.refused(400, "POST", "/pipelines/validate_query", { raw: Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]) }, "UTF-8");
      for (const raw of ["[]", "null", "1", '"x"', "true"])
        await api.refused(400, "POST", "/pipelines", { raw }, "the body must be an object");
      const deep = `${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`;
      await api.refused(400, "POST", "/pipelines", { raw: deep }, "nested more than 64 levels");
      await api.refused(400, "POST", "/pipelines", { raw: `{"name":"[[[[","query":"${"[".repeat(200)}"}` }, "query:");
      await api.refused(413, "POST", "/pipelines", { raw: `{"name":"${"x".repeat(9 * 2 ** 20)}"}` }, "exceeds the limit");
      const atLimit = `SELECT '${"x".repeat(MAX_SCRIPT_BYTES - 9)}'`;
      expect((await api.ok("POST", "/pipelines/validate_query", { query: atLimit })).errors[0]?.code).not.to.equal("limit-exceeded");
      await api.refused(
        400,
        "POST",
        "/pipelines/validate_query",
        { body: { query: `${atLimit} ` } },
        '"query" must have at most 1048576 bytes',
      );
      const columns = (count: number) => `CREATE TABLE w (${Array.from({ length: count }, (_, i) => `c${i} BIGINT`).join(", ")})`;
      const [wide] = (await api.ok("POST", "/pipelines/validate_query", { query: `${columns(1_001)}; SELECT 1` })).errors;
      expect(wide.message).to.contain("1001 columns");
    });

    it("cuts a body off that does not end or lies about its length", async () => {
      const api = stage();
      const sent = await new Promise<number>((resolve) => {
        const outgoing = request(
          {
            host: "127.0.0.1",
            port: api.port,
            method: "POST",
            path: "/api/v1/pipelines",
            headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json", "transfer-encoding": "chunked" },
          },
          (response) => {
            response.resume();
            expect(response.statusCode).to.equal(413);
            response.on("close", () => resolve(bytes));
          },
        );
        let bytes = 0;
        const chunk = Buffer.alloc(2 ** 20, " ");
        outgoing.on("error", () => resolve(bytes));
        const send = (): void => {
          if (bytes > 64 * 2 ** 20 || outgoing.destroyed) return;
          bytes += chunk.length;
          outgoing.write(chunk, send);
        };
        send();
      });
      expect(sent).to.be.lessThan(40 * 2 ** 20);
      const answer = await new Promise<string>((resolve, reject) => {
        const socket = connect(api.port, "127.0.0.1", () =>
          socket.write(
            `POST /api/v1/pipelines HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${TOKEN}\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n{}`,
          ),
        );
        socket.setEncoding("utf8").once("data", (text) => {
          socket.destroy();
          resolve(String(text));
        });
        socket.once("error", reject);
      });
      expect(answer).to.match(/^HTTP\/1.1 413 /);
    });

    it("names the field that is wrong", async () => {
      const api = stage();
      const cases: readonly (readonly [unknown, string])[] = [
        [{ query: IMPULSE }, 'body field "name" is missing'],
        [{ name: "", query: IMPULSE }, 'body field "name" must not be empty'],
        [{ name: " \t", query: IMPULSE }, 'body field "name" must not'],
        [{ name: "a\nb", query: IMPULSE }, 'body field "name" must not contain control characters'],
        [{ name: "a".repeat(256), query: IMPULSE }, 'body field "name" must have at most 255 characters'],
        [{ name: 1, query: IMPULSE }, 'body field "name" must be a text'],
        [{ name: "a" }, 'body field "query" is missing'],
        [{ name: "a", query: IMPULSE, parallelism: 0 }, 'body field "parallelism" must be an integer from 1 to 4096'],
        [{ name: "a", query: IMPULSE, parallelism: 4_097 }, 'body field "parallelism" must be an integer from 1 to 4096'],
        [{ name: "a", query: IMPULSE, parallelism: 1.5 }, 'body field "parallelism" must be an integer from 1 to 4096'],
        [{ name: "a", query: IMPULSE, parallelism: "1" }, 'body field "parallelism" must be an integer from 1 to 4096'],
        [{ name: "a", query: IMPULSE, checkpoint_interval_micros: 999_999 }, "between 1 second and 1 day"],
        [{ name: "a", query: IMPULSE, checkpoint_interval_micros: 86_400_000_001 }, "between 1 second and 1 day"],
        [{ name: "a", query: IMPULSE, env_vars: { "A B": "x" } }, "env_vars"],
        [{ name: "a", query: IMPULSE, env_vars: { A: 1 } }, 'body field "env_vars.A" must be a text'],
        [{ name: "a", query: IMPULSE, tags: [] }, 'body field "tags" must be an object'],
        [{ name: "a", query: IMPULSE, udfs: [{}] }, 'body field "udfs.0.definition" is missing'],
        [{ name: "a", query: IMPULSE, nope: 1 }, 'unknown field "nope"'],
      ];
      for (const [body, words] of cases) await api.refused(400, "POST", "/pipelines", { body }, words);
      const { id } = await api.ok("POST", "/pipelines", { name: "a", query: IMPULSE });
      await api.refused(
        400,
        "PATCH",
        `/pipelines/${id}`,
        { body: { stop: "now" } },
        'body field "stop" must be one of "none", "checkpoint"',
      );
      await api.refused(400, "PATCH", `/pipelines/${id}`, { body: { stop: "none", parallelism: null, x: 1 } }, 'unknown field "x"');
    });

    it("takes names that look like SQL, HTML and paths as names", async () => {
      const api = stage();
      const nasty = [
        "'; drop table pipelines; --",
        '"; delete from jobs; --',
        "<script>alert(1)</script>",
        "../../etc/passwd",
        "%00%0a",
        "$1 ? ?? :name",
        "\u202e\u{1F4A9}",
        "a\\'b",
      ];
      for (const name of nasty) {
        const pipeline = await api.ok("POST", "/pipelines", { name, query: IMPULSE, tags: { [name]: name }, env_vars: { A: name } });
        expect(await api.ok("GET", `/pipelines/${pipeline.id}`)).to.deep.include({ name, tags: { [name]: name } });
        await api.refused(404, "GET", `/pipelines/${encodeURIComponent(name)}`, {}, "does not exist");
        await api.call("GET", `/pipelines?starting_after=${encodeURIComponent(name)}`);
        await api.refused(
          400,
          "POST",
          "/connection_tables",
          { body: { name, connector: "impulse", config: { event_rate: 1 } } },
          'body field "name" must be',
        );
        await api.refused(400, "POST", "/connection_tables", { body: { name: "x", connector: name, config: {} } }, "connector");
        const field = {
          name: "x",
          connector: "filesystem",
          config: { type: "sink", path: "." },
          schema: { format: { type: "json" }, fields: [{ name, type: "int64" }] },
        };
        const made = await api.ok("POST", "/connection_tables", field);
        expect(made.schema.fields[0].name).to.equal(name);
        await api.ok("DELETE", `/connection_tables/${made.id}`);
        const path = { ...field, config: { type: "sink", path: `./${name.replaceAll("..", "")}` } };
        const named = await api.ok("POST", "/connection_tables", path);
        expect(named.config.path).to.equal(path.config.path);
        await api.ok("DELETE", `/connection_tables/${named.id}`);
      }
      expect(await api.db("pipelines").pluck("name")).to.have.length(nasty.length);
      // PostgreSQL has no NUL in texts.
      await api.refused(400, "POST", "/pipelines", { body: { name: "a\0b", query: IMPULSE } }, "U+0000");
      await api.refused(400, "POST", "/pipelines", { body: { name: "a", query: `${IMPULSE} -- \0` } }, "query");
      await api.refused(400, "POST", "/pipelines", { body: { name: "a", query: IMPULSE, tags: { a: "\0" } } }, "tags");
      await api.refused(
        400,
        "POST",
        "/pipelines",
        { body: { name: "a", query: IMPULSE, scheduler_config: { a: ["\0"] } } },
        "scheduler_config",
      );
      await api.refused(400, "GET", "/pipelines/pl_%00", {}, "U+0000");
    });

    it("answers garbage in words, and goes on", async () => {
      const api = stage();
      const random = new Seeded(20_240_501);
      const words = [
        "SELECT",
        "FROM",
        "(",
        ")",
        "'",
        '"',
        "$$",
        "--",
        "/*",
        ",",
        ";",
        "CREATE TABLE",
        "WITH",
        "t",
        "1e999",
        "\u{1F600}",
        "\\",
        "\u0000",
        "CASE",
        "INTERVAL",
        "NULL",
        "\ud800",
        "tumble(",
        "::",
      ];
      for (let i = 0; i < 150; i++) {
        const query = Array.from({ length: random.below(40) }, () => random.pick(words)).join(random.pick([" ", "", "\n"]));
        const answer = await api.call("POST", "/pipelines/validate_query", { body: { query } });
        expect([200, 400], `${JSON.stringify(query)}: ${answer.text}`).to.include(answer.status);
        if (answer.status === 200) expect(answer.body.graph === null).to.equal(answer.body.errors.length > 0);
      }
      for (let i = 0; i < 50; i++) {
        const raw = Buffer.from(Array.from({ length: random.below(200) }, () => random.below(256)));
        expect((await api.call("POST", "/pipelines/validate_query", { raw })).status).to.equal(400);
      }
      expect((await api.call("GET", "/ping")).status).to.equal(200);
    });

    it("has the routes of pipelines below an organization too, for admins", async () => {
      const api = stage();
      const base = "/api/v1/admin/organizations/org_1";
      const { id } = await api.ok("POST", "/pipelines", { name: "p", query: IMPULSE });
      const listed = await api.raw("GET", `${base}/pipelines?limit=1`);
      expect(listed.body.data[0].id).to.equal(id);
      expect((await api.raw("PATCH", `${base}/pipelines/${id}`, { body: { stop: "graceful" } })).body.stop).to.equal("graceful");
      expect((await api.raw("GET", `${base}/pipelines`, { token: await keyOf(api, "editor") })).status).to.equal(403);
      expect((await api.raw("GET", `${base}/pipelines`, { token: null })).status).to.equal(401);
      expect((await api.raw("GET", `${base}/api_keys`)).status).to.equal(404);
    });

    it("says what is not there, and what cannot be done there", async () => {
      const api = stage();
      await api.refused(404, "GET", "/nothing", {}, "/api/v1/nothing");
      await api.refused(404, "GET", "", {}, "nothing at");
      await api.refused(405, "DELETE", "/pipelines", {}, "DELETE");
      await api.refused(405, "PATCH", "/jobs", { body: {} }, "PATCH");
      await api.refused(404, "GET", "/PIPELINES", {}, "nothing");
    });

    it("refuses to be open to other machines without a token that they need to know", async () => {
      const api = stage();
      const serve = (env: Record<string, string>) => {
        const { config } = loadConfig({ files: [], env: { WADI__API__HTTP_PORT: "0", WADI__API__BIND_ADDRESS: "0.0.0.0", ...env } });
        const server = new ApiServer({
          db: api.db,
          settings: config,
          clock: systemClock,
          random: systemRandom,
          logger: silentLogger,
          metrics: api.metrics,
          uiFolder: undefined,
        });
        const stop = new AbortController();
        const run = server.run(stop.signal);
        return { run, started: Promise.race([server.listening, run]), stop };
      };
      const refused = await rejection(serve({}).run, "invalid-config", "0.0.0.0", "no token is configured");
      expect(refused.hint).to.contain("api.session-token");
      const withToken = serve({ WADI__API__SESSION_TOKEN: TOKEN });
      await withToken.started;
      withToken.stop.abort();
      await withToken.run;
      await api.ok("POST", "/api_keys", { name: "k", role: "admin" });
      const withKey = serve({});
      await withKey.started;
      withKey.stop.abort();
      await withKey.run;
      await rejection(
        serve({ WADI__API__HTTP_PORT: String(api.port), WADI__API__BIND_ADDRESS: "127.0.0.1" }).run,
        "already-exists",
        "is taken",
      );
    });
  },
  () => ({ env: { WADI__API__ALLOWED_HOSTS: "Wadi.Example.com" } }),
);
