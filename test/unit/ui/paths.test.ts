/** Addresses of the UI's pages. */
import { expect } from "chai";
import { parsePath, paths } from "../../../ui/src/paths.ts";

describe("paths of the UI", () => {
  it("lead back to the pages that they were made for", () => {
    expect(parsePath(paths.home)).to.deep.equal({ page: "home" });
    expect(parsePath(paths.pipelines)).to.deep.equal({ page: "pipelines" });
    expect(parsePath(paths.editor())).to.deep.equal({ page: "editor", from: undefined });
    expect(parsePath(paths.editor("pl_1"))).to.deep.equal({ page: "editor", from: "pl_1" });
    expect(parsePath(paths.pipeline("pl_1"))).to.deep.equal({ page: "pipeline", id: "pl_1", tab: undefined });
    expect(parsePath(paths.pipeline("pl_1", "errors"))).to.deep.equal({ page: "pipeline", id: "pl_1", tab: "errors" });
    expect(parsePath(paths.connectionGallery)).to.deep.equal({ page: "connection-gallery" });
    expect(parsePath(paths.connectionWizard("single_file"))).to.deep.equal({ page: "connection-wizard", connector: "single_file" });
    expect(parsePath(paths.cluster("nodes"))).to.deep.equal({ page: "cluster", tab: "nodes" });
    expect(parsePath(paths.clusterRun("job_1", 7, "spec"))).to.deep.equal({ page: "cluster-run", job: "job_1", run: "7", tab: "spec" });
    expect(parsePath(paths.settings)).to.deep.equal({ page: "settings" });
  });

  it("keep odd characters of an id", () => {
    expect(parsePath(paths.pipeline("a b/ü?"))).to.deep.equal({ page: "pipeline", id: "a b/ü?", tab: undefined });
  });

  it("lead nowhere when they are unknown or badly encoded", () => {
    for (const path of ["/nowhere", "/pipelines/pl_1/more", "/settings/x", "/connections/other", "/a/b/c/d"]) {
      expect(parsePath(path), path).to.deep.equal({ page: "not-found" });
    }
    expect(parsePath("/pipelines/%E0%A4%A")).to.deep.include({ page: "pipeline", id: "%E0%A4%A" });
  });
});
