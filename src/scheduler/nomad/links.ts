/** Pages of Nomad's own web interface. */

/** Pages of Nomad's UI; undefined: its address is not known. */
export interface NomadLinks {
  readonly job: (id: string) => string | undefined;
  readonly allocation: (id: string) => string | undefined;
  readonly node: (id: string) => string | undefined;
}

/** Links below `address`. */
export function nomadLinks(address: string, namespace: string): NomadLinks {
  const base = address.replace(/\/+$/, "");
  const link = (path: string): string | undefined => (base === "" ? undefined : `${base}/ui/${path}`);
  return {
    job: (id) => link(`jobs/${encodeURIComponent(id)}@${namespace}`),
    allocation: (id) => link(`allocations/${id}`),
    node: (id) => link(`clients/${id}`),
  };
}
