// A worker thread that does nothing but end when it is told to, or fail when a test wants it to.
import { parentPort } from "node:worker_threads";

parentPort.on("message", (message) => {
  if (message === "crash") throw new RangeError("a crash that a test wants");
  process.exit(0);
});
process.stdout.write("ready\n");
