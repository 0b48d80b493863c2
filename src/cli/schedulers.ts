/** Makes the scheduler that the setting `controller.scheduler` names. What each needs of the settings is read in a file beside this one. */
import type { Config } from "../core/config.ts";
import { userError } from "../core/errors.ts";
import type { Logger } from "../core/log.ts";
import type { RpcService } from "../rpc/node-server.ts";
import type { Scheduler } from "../scheduler/scheduler.ts";
import { embeddedScheduler } from "./embedded-scheduler.ts";
import { kubernetesScheduler } from "./kubernetes-scheduler.ts";
import { type ControllerParts, NodeTermScheduler } from "./node-scheduler.ts";
import { nomadScheduler } from "./nomad-scheduler.ts";
import { processScheduler } from "./process-scheduler.ts";
import { configuredStateFolder } from "./state-folder.ts";

/** The configured scheduler. Throws `unsupported` for one that this command cannot make. */
export function makeScheduler(config: Config, logger: Logger, parts: ControllerParts): Scheduler {
  const name = config["controller.scheduler"];
  switch (name) {
    case "process":
      return processScheduler(config, configuredStateFolder(config), logger);
    case "embedded":
      return embeddedScheduler(config, logger);
    case "kubernetes":
      return kubernetesScheduler(config, logger);
    case "nomad":
      return nomadScheduler(config, logger, parts);
    case "node":
      return new NodeTermScheduler(config, logger, parts);
    default:
      throw userError("unsupported", `controller.scheduler "${name}" is not supported yet`, { hint: 'Use "process".' });
  }
}

/** What a scheduler serves on the controller's RPC port. */
export function servicesOf(scheduler: Scheduler): readonly RpcService[] {
  return scheduler instanceof NodeTermScheduler ? scheduler.services : [];
}
