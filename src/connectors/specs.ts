/**
 * The specs of all connectors: what the planner is given. The implementations are paired with them in `registry.ts`.
 */
import type { ConnectorSpec } from "../program/connector-spec.ts";
import { blackholeSpec } from "./blackhole/options.ts";
import { filesystemSpec } from "./filesystem/options.ts";
import { impulseSpec } from "./impulse/options.ts";
import { nexmarkSpec } from "./nexmark/options.ts";
import { previewSpec } from "./preview/options.ts";
import { singleFileSpec } from "./single_file/options.ts";
import { stdoutSpec } from "./stdout/options.ts";

/** Every connector's spec, by name in the order of the documentation. */
export const CONNECTOR_SPECS: readonly ConnectorSpec[] = [
  singleFileSpec,
  filesystemSpec,
  impulseSpec,
  nexmarkSpec,
  stdoutSpec,
  previewSpec,
  blackholeSpec,
];
