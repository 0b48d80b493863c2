/**
 * A local S3 server for tests: moto (`pip install 'moto[server]'`), started on a free port, with a bucket and dummy credentials in the
 * environment. Absent moto is a skip in words, or a failure where `WADI_CI_REQUIRE` lists "s3".
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createServer } from "node:net";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";

export interface MotoServer {
  readonly endpoint: string;
  readonly bucket: string;
  stop(): Promise<void>;
}

/** Why S3 tests cannot run here, `undefined` if they can. */
export function motoAbsence(): string | undefined {
  const found = spawnSync("python3", ["-c", "from importlib.util import find_spec as f; exit(0 if f('moto') and f('flask_cors') else 1)"], {
    stdio: "ignore",
  });
  if (found.status === 0) return undefined;
  return "moto not installed (pip install 'moto[server]')";
}

/** Starts a server that ends with this process; resolves when it answers. Sets the AWS_* variables of this process. */
export async function startMoto(): Promise<MotoServer> {
  const port = await freePort();
  const endpoint = `http://127.0.0.1:${port}`;
  const child = spawn("python3", ["-m", "moto.server", "-H", "127.0.0.1", "-p", String(port)], { stdio: "ignore" });
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  process.env["AWS_ACCESS_KEY_ID"] = "testing";
  process.env["AWS_SECRET_ACCESS_KEY"] = "testing";
  try {
    await untilAnswering(endpoint, child);
    const client = new S3Client({ endpoint, region: "us-east-1", forcePathStyle: true });
    await client.send(new CreateBucketCommand({ Bucket: "wadi" }));
    client.destroy();
  } catch (error) {
    kill();
    throw error;
  }
  return {
    endpoint,
    bucket: "wadi",
    async stop() {
      process.off("exit", kill);
      const ended = new Promise((resolve) => child.once("exit", resolve));
      kill();
      await ended;
    },
  };
}

/** A TCP port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

async function untilAnswering(endpoint: string, child: ChildProcess): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (Date.now() < deadline) {
    if (child.exitCode !== null) throw new Error(`moto ended with ${child.exitCode}`);
    const answer = await fetch(`${endpoint}/moto-api/`).catch(() => undefined);
    if (answer?.ok === true) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error("moto did not answer in 60 s");
}
