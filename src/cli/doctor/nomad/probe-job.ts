/** The smallest job that Nomad takes, for finding out what it would do with one. It is planned and refused, never run. */

/** What the ids of everything begin with that the doctor makes. */
export const PROBE_ID = "wadi-doctor";

/** A job without any wish that could keep it from being placed. */
export function probeJob(namespace: string) {
  const Resources = { CPU: 1, MemoryMB: 10 };
  const LogConfig = { MaxFiles: 1, MaxFileSizeMB: 1 };
  const task = { Name: "probe", Driver: "raw_exec", Config: { command: "true" }, Resources, LogConfig };
  return {
    ID: PROBE_ID,
    Name: PROBE_ID,
    Type: "batch",
    Namespace: namespace,
    Datacenters: ["*"],
    TaskGroups: [{ Name: "probe", Count: 1, EphemeralDisk: { SizeMB: 10 }, Tasks: [task] }],
  };
}
