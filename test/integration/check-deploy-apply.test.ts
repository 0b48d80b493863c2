/**
 * The way from an empty account to a running platform, played against stand-ins for AWS and Nomad: `terraform/aws` is applied, what it puts out goes by
 * `wadi deploy upload`'s own file into `terraform/platform`, which is applied too. Nothing is left to do the second time, and no state has a secret.
 */
import { createHash } from "node:crypto";
import { expect } from "chai";
import { terraformAbsence } from "../../scripts/check-deploy/terraform.ts";
import { platformVariables, writeVariables } from "../../src/cli/deploy/terraform.ts";
import { OfflineTerraform } from "../support/deploy/offline-terraform.ts";
import { requires } from "../support/requirement.ts";

const ACCOUNT = {
  name: "wadi",
  region: "eu-central-1",
  zones: ["eu-central-1a", "eu-central-1b", "eu-central-1c"],
  allowed_cidrs: ["203.0.113.0/24"],
};
/** The stand-in's random password of 64 letters, and what Nomad's management token and gossip key are made of it. */
const RANDOM = "m".repeat(64);
const TOKEN = createHash("sha256").update(RANDOM).digest("hex").slice(0, 8);
const GOSSIP = Buffer.from("m".repeat(32)).toString("base64");
/** Texts that a state may not contain, the last the password of a secret of Secrets Manager. */
const SECRETS = [RANDOM.slice(0, 32), `${TOKEN}-`, GOSSIP, '\\"password\\":\\"mock\\"'];

const checksum = `sha256:${"0".repeat(64)}`;
const stored = (["wadi", "worker"] as const).flatMap((role) =>
  (["amd64", "arm64"] as const).map((architecture) => ({
    package: { role, architecture, path: "/packages/x", file: "x.tar.zst", size: 1, sha256: "0".repeat(64) },
    url: `s3::https://s3.eu-central-1.amazonaws.com/artifacts/${role}-${architecture}.tar.zst`,
    checksum,
    uploaded: true,
  })),
);

describe("terraform, from an empty account to a platform, against stand-ins", function () {
  this.timeout(600_000);
  requires("terraform", terraformAbsence);
  let terraform: OfflineTerraform;
  before(async () => {
    terraform = await OfflineTerraform.open();
  });
  after(() => terraform?.close());

  it("applies aws, gives platform what it needs, applies that; a second apply changes nothing; no secret is in a state", async () => {
    expect(await terraform.apply("terraform/aws", ACCOUNT)).to.be.above(80);
    const again = await terraform.planAgain("terraform/aws", ACCOUNT);
    expect(again.code, again.output.slice(-3_000)).to.equal(0);

    const { cluster } = await terraform.outputs("terraform/aws");
    await writeVariables(terraform.path("terraform/platform/cluster.auto.tfvars.json"), platformVariables(stored, cluster));
    expect(await terraform.apply("terraform/platform", {})).to.be.above(8);
    const platformAgain = await terraform.planAgain("terraform/platform", {});
    expect(platformAgain.code, platformAgain.output.slice(-3_000)).to.equal(0);

    for (const root of ["terraform/aws", "terraform/platform"]) {
      const state = terraform.state(root);
      expect(state.length).to.be.above(10_000);
      for (const secret of SECRETS) expect(state.includes(secret), `${root}'s state has ${secret}`).to.equal(false);
    }
  });

  it("applies local, on a Nomad whose nodes are ready; a second apply changes nothing", async () => {
    const variables = {
      jobs: ["controller", "api", "postgres"],
      wadi: ["wadi"],
      job_values: { postgres: { programs: "/opt/postgres/bin" } },
    };
    expect(await terraform.apply("terraform/local", variables)).to.be.above(5);
    const again = await terraform.planAgain("terraform/local", variables);
    expect(again.code, again.output.slice(-3_000)).to.equal(0);
  });

  it("refuses to destroy the bucket of states", async () => {
    const variables = { name: "wadi", region: "eu-central-1" };
    expect(await terraform.apply("terraform/state", variables)).to.be.above(5);
    const destroyed = await terraform.run("terraform/state", [
      "destroy",
      "-auto-approve",
      "-no-color",
      "-var=name=wadi",
      "-var=region=eu-central-1",
    ]);
    expect(destroyed.code).to.equal(1);
    expect(destroyed.output).to.contain("prevent_destroy");
  });
});
