/**
 * What the mock API knows at its start: pipelines in several states, with everything their pages show. Shapes are those of `src/api`.
 */

/** Microseconds since 1970 of a fixed moment: all of the mock's times are before it. */
export const MOCK_NOW_US = 1_795_000_000_000_000;
const SECOND = 1_000_000;
const MINUTE = 60 * SECOND;

/** The query of the pipeline that runs. */
export const QUERY = `CREATE TABLE nexmark WITH (
  connector = 'nexmark',
  event_rate = '1000'
);

SELECT
  window.end AS until,
  channel,
  bids,
  highest
FROM (
  SELECT
    tumble(interval '2 seconds') AS window,
    bid.channel AS channel,
    count(*) AS bids,
    max(bid.price) AS highest
  FROM nexmark
  WHERE bid IS NOT NULL
  GROUP BY window, channel
);
`;

function node(node_id: number, kind: string, description: string, parallelism: number, connector: string | null = null) {
  const operator = connector === null ? kind.replace("-", "_") : `${connector}_${kind}`;
  return { node_id, operator, description, parallelism, kind, table: connector, connector, updating: false };
}

function edge(src_id: number, dest_id: number, edge_type = "Forward") {
  return { src_id, dest_id, key_type: "", value_type: "(channel TEXT, price BIGINT)", edge_type };
}

/** The dataflow of `QUERY`. */
export const GRAPH = {
  nodes: [
    node(0, "source", "source nexmark", 4, "nexmark"),
    node(1, "compute", "filter and project bids", 4),
    node(2, "window-aggregate", "tumble 2 s by channel", 4),
    node(3, "compute", "project window.end, channel, bids, highest", 4),
    node(4, "encode", "encode json", 4),
    node(5, "sink", "sink preview", 1, "preview"),
  ],
  edges: [edge(0, 1), edge(1, 2, "Shuffle"), edge(2, 3), edge(3, 4), edge(4, 5, "Gather")],
};

/** A pipeline with its job's state. */
export interface MockPipeline {
  readonly id: string;
  readonly name: string;
  state: string;
  stop: string;
  parallelism: number;
  readonly query: string;
  readonly preview: boolean;
  readonly createdUs: number;
  readonly startedUs: number | null;
  finishedUs: number | null;
  readonly failure: string | null;
}

function pipeline(number: number, name: string, state: string, change: Partial<MockPipeline> = {}): MockPipeline {
  const createdUs = MOCK_NOW_US - number * 47 * MINUTE;
  const ended = ["Stopped", "Finished", "Failed"].includes(state);
  return {
    id: `pl_${(name.replaceAll(/[^a-z]/g, "") + "q7w2m9x4k1").slice(0, 10)}`,
    name,
    state,
    stop: state === "Stopped" ? "checkpoint" : "none",
    parallelism: 4,
    query: QUERY,
    preview: false,
    createdUs,
    startedUs: createdUs + 2 * SECOND,
    finishedUs: ended ? createdUs + number * 11 * MINUTE : null,
    failure: null,
    ...change,
  };
}

/** The pipelines, the newest first. */
export function initialPipelines(): MockPipeline[] {
  return [
    pipeline(1, "bids-by-channel", "Running"),
    pipeline(2, "orders-enriched", "Running"),
    pipeline(3, "late-shipments", "Recovering"),
    pipeline(5, "clickstream-sessions", "Running"),
    pipeline(9, "backfill-2026-q3", "Finished"),
    pipeline(14, "payments-dedup", "Failed", { failure: 'file "/data/payments.json" cannot be read: permission denied' }),
    pipeline(20, "inventory-levels", "CheckpointStopping"),
    pipeline(31, "fraud-scores", "Stopped"),
    pipeline(44, "sensor-rollup", "Running"),
    pipeline(52, "campaign-attribution", "Running"),
    pipeline(60, "web-vitals", "Stopped"),
    pipeline(75, "a-pipeline-with-quite-a-long-name-that-does-not-fit-on-a-phone", "Running"),
  ];
}

const PHASES: readonly (readonly [string, string, number, number])[] = [
  ["Alignment", "Waiting for the barrier on all inputs", 0, 42_000],
  ["Sync", "Copying state out of the operator", 42_000, 18_000],
  ["Async", "Storing the copied state", 60_000, 190_000],
];

function span(event: string, description: string, start_time: number, duration: number, bytes = 0) {
  return { start_time, finish_time: start_time + duration, event, description, bytes };
}

function epochStart(epoch: number): number {
  return MOCK_NOW_US - (48 - epoch) * 10 * SECOND;
}

/** The checkpoints of the running job, the newest first; the newest is still under way. */
export function checkpoints() {
  return Array.from({ length: 24 }, (_, i) => {
    const epoch = 48 - i;
    const start_time = epochStart(epoch);
    const duration = 260_000 + ((epoch * 7919) % 90) * 1000;
    const isOpen = i === 0;
    return {
      id: `chk_${epoch}`,
      epoch,
      backend: "file",
      checkpoint_type: "scheduled",
      state: isOpen ? "in-progress" : "complete",
      run_id: 3,
      parallelism: 4,
      written_bytes: isOpen ? 0 : 1_480_000 + epoch * 3100,
      state_bytes: 23_400_000 + epoch * 12_000,
      failure_message: null,
      start_time,
      finish_time: isOpen ? null : start_time + duration,
      events: isOpen
        ? []
        : [
            span("Checkpointing", "The entire checkpoint", start_time, duration),
            span("WritingMetadata", "Writing the manifest", start_time + duration - 30_000, 22_000),
            span("Committing", "Publishing the rows of transactional sinks", start_time + duration - 8_000, 8_000),
          ],
    };
  });
}

/** What each operator did for an epoch. */
export function operatorCheckpoints(epoch: number) {
  return GRAPH.nodes.map(({ node_id, description, parallelism, kind }) => {
    const weight = kind === "window-aggregate" ? 1 : 0.18;
    const subtasks = Array.from({ length: parallelism }, (_, index) => {
      const jitter = 1 + ((epoch * 31 + node_id * 17 + index * 7) % 10) / 20;
      return {
        index,
        bytes: Math.round(340_000 * weight * jitter),
        state_bytes: Math.round(5_000_000 * weight * jitter),
        event_spans: PHASES.map(([event, description_, at, length]) =>
          span(
            event,
            description_,
            epochStart(epoch) + Math.round(at * jitter * weight + 4000 * node_id),
            Math.round(length * jitter * weight),
          ),
        ),
      };
    });
    return {
      operator_id: String(node_id),
      name: description,
      bytes: subtasks.reduce((sum, subtask) => sum + subtask.bytes, 0),
      state_bytes: subtasks.reduce((sum, subtask) => sum + subtask.state_bytes, 0),
      started_metadata_write: epochStart(epoch),
      finish_time: epochStart(epoch) + 260_000,
      subtasks,
    };
  });
}

/** Rows a second that leave each operator. */
const BASE_RATES = [1000, 920, 5, 5, 5, 5];
const PRESSURE = [0.71, 0.44, 0.08, 0, 0, 0];

/** Five minutes of measurements up to `nowUs`. */
export function metricGroups(nowUs: number) {
  return GRAPH.nodes.map(({ node_id, parallelism }) => {
    const sent = (BASE_RATES[node_id] ?? 0) / parallelism;
    const received = (BASE_RATES[node_id - 1] ?? 0) / parallelism;
    const series = (base: number, wave: number) =>
      Array.from({ length: parallelism }, (_, index) => ({
        index,
        metrics: Array.from({ length: 60 }, (_unused, i) => {
          const time = nowUs - (59 - i) * 5 * SECOND;
          const phase = time / (40 * SECOND) + index * 1.3 + node_id;
          return { time, value: Math.max(0, base * (1 + wave * Math.sin(phase) + 0.04 * Math.sin(phase * 7))) };
        }),
      }));
    const groups = [
      { name: "messages_recv", subtasks: node_id === 0 ? [] : series(received, 0.12) },
      { name: "messages_sent", subtasks: node_id === 5 ? [] : series(sent, 0.1) },
      { name: "bytes_sent", subtasks: series(sent * 80, 0.1) },
      { name: "backpressure", subtasks: series(PRESSURE[node_id] ?? 0, 0.03) },
      { name: "state_bytes", subtasks: series(node_id === 2 ? 5_800_000 : 0, 0.05) },
      { name: "keys", subtasks: series(node_id === 2 ? 12_500 : 0, 0.02) },
      { name: "late_rows", subtasks: series(node_id === 2 ? 3 : 0, 0) },
      { name: "bad_rows", subtasks: series(0, 0) },
      { name: "watermark_lag_seconds", subtasks: series(1.4, 0.3) },
    ];
    return { node_id, metric_groups: groups };
  });
}

/** The errors of a job, the newest first. */
export function errors() {
  return Array.from({ length: 27 }, (_, i) => ({
    id: `jlm_${900 - i}`,
    created_at: MOCK_NOW_US - i * 13 * MINUTE,
    operator_id: i % 5 === 4 ? null : String(i % 3),
    task_index: i % 5 === 4 ? null : i % 4,
    level: i % 3 === 0 ? "error" : "warn",
    message: i % 3 === 0 ? "worker wk_4fz0c1 did not answer for 30 seconds" : 'row 18,204 of partition 3 is bad: "price" is not a number',
    details: i % 3 === 0 ? "run: 2\nhandle: 4711\nlast_heard: 30.2 s" : 'file: /data/bids-3.json\noffset: 2097152\nvalue: "12,50"',
    error_domain: i % 3 === 0 ? "external" : "user",
    error_code: i % 3 === 0 ? "worker-lost" : "bad-data",
  }));
}

/** The timeline of a job, the newest first. */
export function events() {
  const lines: readonly (readonly [string, string, string])[] = [
    ["state-changed", "info", "Recovering → Running"],
    ["restored", "info", "restored epoch 31 of run 2 at parallelism 4"],
    ["state-changed", "info", "Scheduling → Recovering"],
    ["worker-lost", "warn", "worker wk_4fz0c1 did not answer for 30 seconds"],
    ["checkpoint-failed", "error", "epoch 32 was given up: worker wk_4fz0c1 is lost"],
    ["state-changed", "info", "Running → Scheduling"],
    ["state-changed", "info", "Compiling → Scheduling"],
    ["compiled", "info", "artifact 9f31ac20 in 1.8 s, 48 KiB"],
    ["state-changed", "info", "Created → Compiling"],
  ];
  return lines.map(([kind, level, message], i) => ({
    id: `jlm_${700 - i}`,
    created_at: MOCK_NOW_US - i * 4 * SECOND - MINUTE,
    kind,
    level,
    message,
    details: {},
    run_id: i < 3 ? 3 : 2,
    node_id: null,
    subtask: null,
    error_domain: null,
    error_code: null,
  }));
}

function worker(number: number, state: string, run_id: number, reason: string) {
  return {
    id: `wk_${["q8x2k0v7ma", "h3d9s5w1pz", "4fz0c1n6yb"][number] ?? "x"}`,
    run_id,
    state,
    number,
    handle: String(48_211 + number),
    node_id: "laptop",
    slots: 2,
    data_address: "127.0.0.1:40117",
    admin_address: `127.0.0.1:${40_118 + number}`,
    release: "0.1.0",
    reason,
    exit_code: state === "lost" ? 137 : null,
    exit_signal: null,
    out_of_memory: false,
    started_at: MOCK_NOW_US - 40 * MINUTE,
    heartbeat_at: MOCK_NOW_US - (state === "lost" ? 39 : 0) * MINUTE,
    ended_at: state === "lost" ? MOCK_NOW_US - 39 * MINUTE : null,
  };
}

/** The workers of a job. */
export function workers() {
  return [
    worker(0, "running", 3, ""),
    worker(1, "running", 3, ""),
    worker(2, "lost", 2, "did not answer for 30 seconds; its process had ended with exit code 137"),
  ];
}

/** Why there is output. */
export function explanation() {
  const watermark = MOCK_NOW_US - 1_400_000;
  const lag = { watermark, watermark_lag_seconds: 1.4 };
  return {
    summary: '"source nexmark" waits for room downstream nearly all the time',
    state: "Running",
    taken_at: MOCK_NOW_US,
    findings: [
      {
        severity: "warning",
        message: '12 rows came to "tumble 2 s by channel" behind the watermark and were dropped',
        hint: "Let the watermark stay further behind: WATERMARK FOR column AS column - INTERVAL '…'.",
        node_id: 2,
      },
    ],
    sources: [
      {
        ...lag,
        node_id: 0,
        table: "nexmark",
        rows_read: 18_402_113,
        rows_per_second: 1000,
        bad_rows: 0,
        idle_subtasks: 0,
        ended_subtasks: 0,
        subtasks: 4,
      },
    ],
    windows: [
      {
        ...lag,
        node_id: 2,
        description: "tumble 2 s by channel",
        next_firing: MOCK_NOW_US,
        held_by: { node_id: 0, table: "nexmark", partition: 2, subtask: 1 },
        late_rows: 12,
        open_keys: 50_000,
        rows_in: 18_402_113,
        rows_out: 91_004,
      },
    ],
    sinks: [{ node_id: 5, table: "preview", rows_written: 91_004, rows_per_second: 4.6 }],
  };
}
