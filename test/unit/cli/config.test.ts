/** Where configuration files are looked for. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { readConfig } from "../../../src/cli/config.ts";

describe("readConfig", () => {
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "wadi-config-"));
    mkdirSync(join(folder, "home", ".config", "wadi"), { recursive: true });
    mkdirSync(join(folder, "xdg", "wadi"), { recursive: true });
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const read = (env: Record<string, string>, file?: string) => readConfig({ file, workingDirectory: folder, env });

  it("prefers the -c file to ./wadi.toml and that to the user's", async () => {
    const write = (path: string, ...ports: readonly string[]) => writeFileSync(join(folder, path), ports.join("\n"));
    write("given.toml", "api.http-port = 1");
    write("wadi.toml", "api.http-port = 2", "admin.http-port = 2");
    write("home/.config/wadi/wadi.toml", "api.http-port = 3", "admin.http-port = 3", "node.rpc-port = 3");
    write("xdg/wadi/wadi.toml", "node.rpc-port = 4");
    const env = { HOME: join(folder, "home") };
    const { config } = await read(env, join(folder, "given.toml"));
    expect([config["api.http-port"], config["admin.http-port"], config["node.rpc-port"]]).to.deep.equal([1, 2, 3]);
    expect((await read({ ...env, XDG_CONFIG_HOME: join(folder, "xdg") })).config["node.rpc-port"]).to.equal(4);
  });

  it("runs without any file, and refuses a -c file that is not there or cannot be read", async () => {
    expect((await read({})).origins.size).to.equal(0);
    const refusal = (path: string) => read({}, path).catch((error) => `${error.code}: ${error.message}`);
    expect(await refusal(join(folder, "no.toml"))).to.match(/^invalid-config: configuration file ".*no\.toml" does not exist$/);
    expect(await refusal(folder)).to.match(/^invalid-config: configuration file ".*" cannot be read/);
  });
});
