/** A worker process for tests: `wadi worker` with the connectors that WADI_TEST_CONNECTORS names. */

import { worker } from "../../src/cli/commands/worker.ts";
import { readConfig } from "../../src/cli/config.ts";
import { sayError } from "../../src/cli/output.ts";

const { WADI_TEST_CONNECTORS: connectors } = process.env;
worker(connectors === undefined ? {} : { connectors }, await readConfig()).then(
  (code) => process.exit(code),
  (error: unknown) => process.exit(sayError(error)),
);
