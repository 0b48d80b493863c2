/**
 * The Kubernetes scheduler against its contract, on a real cluster. Skipped unless KUBECONFIG is set; WADI_TEST_KUBERNETES_NAMESPACE names a
 * namespace for it and WADI_TEST_KUBERNETES_IMAGE an image with a shell. Nobody else may start pods there meanwhile.
 */
import { RealKubernetesStage } from "../support/kubernetes-stage.ts";
import { conformsToScheduler } from "../support/scheduler-conformance.ts";

describe("scheduler on a real Kubernetes", function () {
  const {
    KUBECONFIG: kubeconfig = "",
    WADI_TEST_KUBERNETES_NAMESPACE: namespace,
    WADI_TEST_KUBERNETES_IMAGE: image = "busybox:1",
  } = process.env;
  if (kubeconfig === "") {
    it.skip("conforms [set KUBECONFIG]");
    return;
  }
  this.timeout(300_000);
  conformsToScheduler(async () => new RealKubernetesStage({ kubeconfig, namespace, image }));
});
