/** Files into an object store and back, as the nightly backup does it. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { getObject, putObject } from "../../../src/cli/commands/objects.ts";
import { rejection } from "../../support/rejection.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

describe("files in an object store", () => {
  const folder = temporaryFolder("objects");
  const store = join(folder, "store");
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };

  it("come back as they were, under a name with the time", async () => {
    const text = "row\n".repeat(10_000);
    await putObject({ from: file("one", text), to: store, name: "db/wadi-{time}.dump", keep: undefined });
    const [name = ""] = readdirSync(join(store, "db"));
    expect(name).to.match(/^wadi-\d{8}T\d{6}Z\.dump$/);
    await getObject(store, `db/${name}`, join(folder, "back"));
    expect(readFileSync(join(folder, "back"), "utf8")).to.equal(text);
  });

  it("make room: the oldest of their kind go, others stay", async () => {
    for (const name of ["20260101T000000Z", "20260102T000000Z", "20260103T000000Z"]) {
      await putObject({ from: file("two", name), to: join(store, "kept"), name: `wadi-${name}.dump`, keep: undefined });
    }
    await putObject({ from: file("two", "other"), to: join(store, "kept"), name: "wadi-notes.dump", keep: undefined });
    await putObject({ from: file("two", "new"), to: join(store, "kept"), name: "wadi-{time}.dump", keep: 2 });
    const left = readdirSync(join(store, "kept")).filter((name) => name.startsWith("wadi"));
    expect(left).to.have.length(3);
    expect(left).to.include.members(["wadi-20260103T000000Z.dump", "wadi-notes.dump"]);
  });

  it("are refused in words where they cannot be", async () => {
    const order = { to: store, name: "x", keep: undefined };
    await rejection(putObject({ ...order, from: join(folder, "nothing") }), "not-found", "nothing");
    await rejection(
      putObject({ ...order, from: file("three", ""), keep: 2 }),
      "invalid-usage",
      "--keep 2 needs a name that contains {time}",
    );
    await rejection(getObject(store, "absent", join(folder, "absent")), "not-found", 'there is no "absent"');
  });
});
