/** `wadi kubernetes render` as people call it. */
import { loadAllYaml } from "@kubernetes/client-node";
import { expect } from "chai";
import { CliFolder, needsBuild } from "../support/wadi-cli.ts";

const QUERY = "CREATE TABLE n WITH (connector = 'impulse', event_rate = '10', type = 'source');\nSELECT counter FROM n;\n";

describe("wadi kubernetes render", () => {
  needsBuild();

  it("prints the manifests of Wadi itself, and on stderr what is left to do", async () => {
    const { code, stdout, stderr } = await new CliFolder().run(["kubernetes", "render"]);
    expect(code, stderr).to.equal(0);
    const kinds = (loadAllYaml(stdout) as { kind: string }[]).map(({ kind }) => kind);
    expect(kinds).to.include.members([
      "Namespace",
      "Role",
      "RoleBinding",
      "ClusterRole",
      "ConfigMap",
      "Deployment",
      "Service",
      "PodDisruptionBudget",
      "NetworkPolicy",
    ]);
    expect(stderr)
      .to.match(/"wadi-secrets"/)
      .and.match(/kubernetes\.worker\.image is not set/);
  });

  it("prints the Job of a query's workers", async () => {
    const folder = new CliFolder();
    folder.write("My Query.sql", QUERY);
    folder.write("wadi.toml", 'kubernetes.worker.image = "wadi:1"\nworker.task-slots = 4\n');
    const { code, stdout, stderr } = await folder.run(["kubernetes", "render", "--parallelism", "8", "My Query.sql"]);
    expect(code, stderr).to.equal(0);
    expect(stdout)
      .to.match(/^ {2}name: w-my-query-/m)
      .and.match(/^ {2}completions: 2$/m)
      .and.match(/image: 'wadi:1'|image: wadi:1/);
  });

  it("refuses a wrong query and a missing image with exit code 2", async () => {
    const folder = new CliFolder();
    folder.write("q.sql", "SELECT nothing FROM nowhere;\n");
    expect((await folder.run(["kubernetes", "render", "q.sql"])).code).to.equal(2);
    expect((await folder.run(["kubernetes", "render", "-p", "0", "q.sql"])).code).to.equal(2);
  });
});
