/** The Kubernetes scheduler as the settings describe it. */
import { systemClock } from "../core/clock.ts";
import type { Config } from "../core/config.ts";
import type { Logger } from "../core/log.ts";
import { systemRandom } from "../core/prng.ts";
import { KubernetesClient } from "../scheduler/kubernetes/client.ts";
import { KubernetesScheduler } from "../scheduler/kubernetes/scheduler.ts";

/** Connects with the first request, not before. */
export function kubernetesScheduler(config: Config, logger: Logger): KubernetesScheduler {
  const client = new KubernetesClient({
    kubeconfig: config["kubernetes.kubeconfig"],
    context: config["kubernetes.context"],
    namespace: config["kubernetes.namespace"],
    clock: systemClock,
  });
  return new KubernetesScheduler({ client, settings: config, clock: systemClock, random: systemRandom, logger });
}
