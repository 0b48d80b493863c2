/** All checks that apply to a configuration, in the order in which people read them. */
import type { Config } from "../../core/config.ts";
import { toAppError } from "../../core/errors.ts";
import { nomadConnection } from "../../scheduler/nomad/settings.ts";
import { certificateChecks } from "./certificate.ts";
import { type Check, type DoctorOptions, fail } from "./check.ts";
import { databaseChecks } from "./database.ts";
import { kubernetesChecks } from "./kubernetes.ts";
import { machineChecks } from "./machine.ts";
import { monitoringChecks } from "./monitoring.ts";
import { nodeChecks } from "./node.ts";
import { agentsOf } from "./nomad/agents.ts";
import { nomadChecks } from "./nomad/checks.ts";
import { serviceChecks } from "./services.ts";
import { storeChecks } from "./store.ts";

/** The checks for `config`. Never throws: settings that make no sense are a finding too. */
export function doctorChecks(config: Config, options: DoctorOptions): readonly Check[] {
  return [
    ...machineChecks(config),
    ...certificateChecks(config),
    ...schedulerChecks(config, options),
    ...storeChecks(config),
    ...databaseChecks(config),
    ...(config["controller.scheduler"] === "node" ? nodeChecks(config) : []),
    ...serviceChecks(config),
    ...monitoringChecks(config),
  ];
}

function schedulerChecks(config: Config, options: DoctorOptions): readonly Check[] {
  try {
    if (config["controller.scheduler"] === "kubernetes") return kubernetesChecks(config);
    if (config["controller.scheduler"] !== "nomad") return [];
    return nomadChecks(agentsOf(nomadConnection(config)), config, options);
  } catch (thrown) {
    const error = toAppError(thrown);
    const run = async () => fail(error.message, error.hint ?? "Correct the setting.");
    return [{ id: "settings", title: "settings", limitMs: 1_000, ifSilent: "Correct the setting.", run }];
  }
}
