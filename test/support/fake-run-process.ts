/** A process that runs the fake windowed program, slowly, and says which epochs are complete: to be killed. Arguments: folder, parallelism. */
import { FakeRun } from "./fake-run.ts";

const [folder = "", parallelism = "1"] = process.argv.slice(2);
const fake = new FakeRun(folder);
await fake.run(fake.windowed({ throttle: true, chunk_bytes: 400 }), {
  parallelism: Number(parallelism),
  stateUrl: fake.state,
  checkpointEveryRows: 300,
  onEpoch: (epoch) => void process.send?.(epoch),
});
process.disconnect();
