/** Reporting rows that an operator could not compute, and carrying provenance through a selection. */
import { batchRows } from "./batch.ts";
import { currentPartition, currentPositions, positionsBatch, reportRow, rowPosition, setProvenance } from "./row-errors.ts";
import { gather8 } from "./selection.ts";
import { countBad } from "./stats.ts";

/** Number of rows reported by `reportFault` since the start: lets a filter tell bad rows from dropped ones. */
export let faultsReported: u64 = 0;

/** Reports row `row` of `batch`, which failed with `reason` in `vertex`. */
export function reportFault(vertex: i32, reason: i32, batch: usize, row: usize): void {
  faultsReported++;
  countBad(vertex, 1);
  reportRow(vertex, reason, rowPosition(batch, row), -1, 0, 0);
}

/**
 * Reports the selected rows whose byte in `faults` is not 0 and makes the selection anew without them; returns its size.
 * `dense`: the selection was all rows and its vector had not been filled.
 */
export function dropFaults(vertex: i32, batch: usize, selection: usize, faults: usize, count: usize, dense: bool): usize {
  let kept: usize = 0;
  for (let j: usize = 0; j < count; j++) {
    const row = dense ? <u32>j : load<u32>(selection + (j << 2));
    const fault = <i32>load<u8>(faults + j);
    if (fault != 0) {
      reportFault(vertex, fault, batch, <usize>row);
      continue;
    }
    store<u32>(selection + (kept << 2), row);
    kept++;
  }
  return kept;
}

/** Makes the provenance of `batch`, if it has one, that of `output`, whose rows are the selected ones. */
export function carryProvenance(batch: usize, output: usize, selection: usize, count: usize, dense: bool, positions: usize): void {
  if (positionsBatch != batch) return;
  if (dense && count == batchRows(batch)) {
    setProvenance(currentPartition, output, currentPositions);
    return;
  }
  gather8(selection, count, currentPositions, positions);
  setProvenance(currentPartition, output, positions);
}
