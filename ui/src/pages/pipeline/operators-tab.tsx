/**
 * The dataflow while it runs: the graph with rates and backpressure, and beside it the chosen operator, or why there is no output.
 */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Collection } from "../../api/lists.ts";
import { usePolled } from "../../api/polling.ts";
import type { OperatorMetricGroup, OutputExplanation } from "../../api/types.ts";
import { DataflowGraph } from "../../charts/dataflow-graph.tsx";
import { nodeLoads, sinkFlow } from "../../charts/metric-series.ts";
import { JobFacts } from "./job-facts.tsx";
import { OperatorDetail } from "./operator-detail.tsx";
import { OutputFindings } from "./output-findings.tsx";
import type { TabProps } from "./page.tsx";

const METRICS_MS = 2000;
const EXPLAIN_MS = 3000;
const NO_GROUPS: readonly OperatorMetricGroup[] = [];

/** Measurements; `note`: why they are not from where they were expected. */
interface Measurements extends Collection<OperatorMetricGroup> {
  readonly note?: string | null;
}

/** The tab. */
export function OperatorsTab({ pipeline, job, jobPath }: TabProps) {
  const [selected, setSelected] = useState<number>();
  const isLive = job?.state === "Running";
  const metrics = usePolled<Measurements>(`${jobPath}/operator_metric_groups`, isLive ? METRICS_MS : 5000);
  const explained = usePolled<OutputExplanation>(`${jobPath}/explain_output`, EXPLAIN_MS);
  const groups = metrics.data?.data ?? NO_GROUPS;
  const { graph } = pipeline;
  const loads = useMemo(() => (isLive ? nodeLoads(groups, graph) : undefined), [groups, isLive, graph]);
  const flow = isLive ? sinkFlow(groups, graph) : "";
  const side = useRef<HTMLElement>(null);
  useEffect(() => {
    // On a phone the details are below the graph.
    if (selected !== undefined && matchMedia("(max-width: 760px)").matches) side.current?.scrollIntoView({ behavior: "smooth" });
  }, [selected]);
  const node = graph.nodes.find(({ node_id }) => node_id === selected);
  return (
    <div class="operators">
      <section class="operators-graph" aria-label="Operators">
        <DataflowGraph
          graph={graph}
          {...(loads === undefined ? {} : { loads })}
          selected={selected}
          onSelect={(id) => setSelected(id === selected ? undefined : id)}
        />
      </section>
      <aside class="operators-side" ref={side} aria-label="Details">
        {node === undefined ? (
          <>
            <OutputFindings explanation={explained.data} graph={graph} flow={flow} onSelect={setSelected} />
            <JobFacts pipeline={pipeline} job={job} />
          </>
        ) : (
          <OperatorDetail
            node={node}
            groups={groups}
            note={metrics.data?.note ?? ""}
            explanation={explained.data}
            onClose={() => setSelected(undefined)}
          />
        )}
      </aside>
    </div>
  );
}
