/** `wadi deploy upload` on a real S3 server: packages by SHA-256, never twice, never other bytes; and what Terraform reads afterwards. */
import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { CreateBucketCommand, GetObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { expect } from "chai";
import { deployAws, deployUpload } from "../../src/cli/commands/deploy-aws.ts";
import { release } from "../../src/cli/release.ts";
import { type MotoServer, motoAbsence, startMoto } from "../support/moto-server.ts";
import { rejection } from "../support/rejection.ts";
import { requires } from "../support/requirement.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const CLUSTER = {
  name: "streams",
  region: "us-east-1",
  buckets: { artifacts: "wadi", checkpoints: "c", backups: "b" },
  nomad: { region: "global" },
};

describe("wadi deploy upload", function () {
  this.timeout(120_000);
  requires("s3", motoAbsence);
  const folder = temporaryFolder("deploy-upload");
  const packages = join(folder, "packages");
  const roots = join(folder, "terraform");
  const tfvars = join(roots, "platform", "cluster.auto.tfvars.json");
  const { PATH: path } = process.env;
  let server: MotoServer;
  let s3: S3Client;
  const sums = new Map<string, string>();

  before(async () => {
    server = await startMoto();
    s3 = new S3Client({ endpoint: server.endpoint, region: "us-east-1", forcePathStyle: true });
    for (const root of ["aws", "platform"]) mkdirSync(join(roots, root), { recursive: true });
    mkdirSync(packages);
    for (const name of ["wadi", "wadi-worker"]) {
      const file = `${name}-${release()}-linux-amd64.tar.zst`;
      const bytes = Buffer.from(`the package ${name}\n`.repeat(40_000));
      sums.set(file, createHash("sha256").update(bytes).digest("hex"));
      writeFileSync(join(packages, file), bytes);
      writeFileSync(join(packages, `${file}.sha256`), `${sums.get(file)}  ${file}\n`);
    }
    writeFileSync(join(packages, "wadi-0.0.1-linux-amd64.tar.zst"), "another release");
    useTerraform(`case "$*" in *output*) cat <<'JSON'\n${JSON.stringify({ cluster: { value: CLUSTER } })}\nJSON\n;; esac`);
  });

  after(async () => {
    process.env["PATH"] = path;
    s3?.destroy();
    await server?.stop();
  });

  /** A stand-in for the program, first on PATH. */
  function useTerraform(body: string): void {
    const bin = join(folder, "bin");
    mkdirSync(bin, { recursive: true });
    writeFileSync(join(bin, "terraform"), `#!/bin/sh\necho "$@" >> ${join(folder, "calls")}\n${body}\n`);
    chmodSync(join(bin, "terraform"), 0o755);
    process.env["PATH"] = `${bin}${delimiter}${path}`;
  }

  const upload = (change: Partial<Parameters<typeof deployUpload>[0]> = {}) =>
    deployUpload({
      packages,
      terraform: roots,
      bucket: undefined,
      region: undefined,
      prefix: undefined,
      endpoint: server.endpoint,
      json: true,
      ...change,
    });

  async function keys(): Promise<readonly string[]> {
    const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: "wadi" }));
    return Contents.map(({ Key = "" }) => Key);
  }

  it("stores each package under its checksum, in the bucket that Terraform names, and writes what the platform reads", async () => {
    expect(await upload()).to.equal(0);
    expect(await keys()).to.have.members([...sums].map(([file, sum]) => `${sum}/${file}`));
    for (const [file, sum] of sums) {
      const { Body } = await s3.send(new GetObjectCommand({ Bucket: "wadi", Key: `${sum}/${file}` }));
      const bytes = (await Body?.transformToByteArray()) ?? new Uint8Array();
      expect(createHash("sha256").update(bytes).digest("hex")).to.equal(sum);
    }
    const written = JSON.parse(readFileSync(tfvars, "utf8")) as {
      readonly cluster: unknown;
      readonly artifacts: Record<string, Record<string, { url: string; checksum: string }>>;
    };
    expect(written.cluster).to.deep.equal(CLUSTER);
    const [file = "", sum = ""] = [...sums][0] ?? [];
    expect(written.artifacts["wadi"]?.["amd64"]).to.deep.equal({
      url: `s3::${server.endpoint}/wadi/${sum}/${file}`,
      checksum: `sha256:${sum}`,
    });
    expect(written.artifacts["worker"]).to.have.all.keys("amd64");
  });

  it("stores nothing a second time, and writes the same", async () => {
    const listed = await s3.send(new ListObjectsV2Command({ Bucket: "wadi" }));
    const text = readFileSync(tfvars, "utf8");
    expect(await upload()).to.equal(0);
    const again = await s3.send(new ListObjectsV2Command({ Bucket: "wadi" }));
    expect(again.Contents?.map(({ LastModified }) => LastModified)).to.deep.equal(listed.Contents?.map(({ LastModified }) => LastModified));
    expect(readFileSync(tfvars, "utf8")).to.equal(text);
  });

  it("refuses a name in the bucket with other bytes", async () => {
    const [file = "", sum = ""] = [...sums][0] ?? [];
    await s3.send(new CreateBucketCommand({ Bucket: "spoilt" }));
    await s3.send(new PutObjectCommand({ Bucket: "spoilt", Key: `${sum}/${file}`, Body: "other bytes" }));
    const error = await rejection(upload({ bucket: "spoilt", region: "us-east-1" }), "checksum-mismatch");
    expect(error.hint).to.contain("delete it");
  });

  it("refuses a package that is not what was made", async () => {
    const [file = ""] = [...sums.keys()];
    const sound = readFileSync(join(packages, `${file}.sha256`), "utf8");
    writeFileSync(join(packages, `${file}.sha256`), `${"0".repeat(64)}  ${file}\n`);
    try {
      await rejection(upload(), "checksum-mismatch", "is not the one that was made");
    } finally {
      writeFileSync(join(packages, `${file}.sha256`), sound);
    }
  });

  it("names a bucket that does not exist and the way out", async () => {
    const error = await rejection(upload({ bucket: "nowhere", region: "us-east-1" }), "not-found");
    expect(error.hint).to.contain("terraform -chdir=terraform/aws apply");
  });

  it("says what is missing where there are no packages of this release", async () => {
    const empty = join(folder, "empty");
    mkdirSync(empty);
    const error = await rejection(upload({ packages: empty }), "invalid-usage", `no package of release ${release()}`);
    expect(error.hint).to.contain("npm run package");
  });

  it("runs Terraform, the upload and Terraform again, and stops at the first that fails", async () => {
    rmSync(join(folder, "calls"), { force: true });
    const output = `cat <<'JSON'\n${JSON.stringify({ cluster: { value: { ...CLUSTER, buckets: { artifacts: "nowhere" } } } })}\nJSON`;
    useTerraform(`case "$*" in *output*) ${output}\n;; esac`);
    const { AWS_ENDPOINT_URL: endpoint } = process.env;
    process.env["AWS_ENDPOINT_URL"] = server.endpoint;
    try {
      await rejection(deployAws({ packages, terraform: roots, autoApprove: true }), "not-found");
    } finally {
      if (endpoint === undefined) delete process.env["AWS_ENDPOINT_URL"];
      else process.env["AWS_ENDPOINT_URL"] = endpoint;
    }
    const calls = readFileSync(join(folder, "calls"), "utf8").trim().split("\n");
    expect(calls).to.deep.equal([
      `-chdir=${join(roots, "aws")} init -input=false`,
      `-chdir=${join(roots, "aws")} apply -auto-approve`,
      `-chdir=${join(roots, "aws")} output -json`,
    ]);
    useTerraform('case "$*" in *apply*) exit 3;; esac');
    expect(await deployAws({ packages, terraform: roots, autoApprove: false })).to.equal(1);
  });
});
