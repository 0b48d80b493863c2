/** The Kubernetes scheduler against the schedulers' contract, on the fake Kubernetes: with and without looking for room first. */
import { FakeKubernetesStage } from "../support/kubernetes-stage.ts";
import { conformsToScheduler } from "../support/scheduler-conformance.ts";

for (const admission of ["refuses", "queues"] as const) {
  describe(`scheduler of the fake Kubernetes, which ${admission} what does not fit`, function () {
    this.timeout(30_000);
    conformsToScheduler(async () => new FakeKubernetesStage(admission));
  });
}
