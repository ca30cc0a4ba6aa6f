/**
 * Everything that attention must know of a past, in one tensor: a shader may have no more than eight
 * bindings. The plan i32 has, for each token, the first row of this call that it sees, the first held
 * position that it sees, the number of positions held, and its sequence; then the page table; then the
 * sinks' bits.
 */
import type { PastKeys } from '../../../../tensor/kernels.ts';
import type { Tensor } from '../../../../tensor/tensor.ts';
import { program, programs } from '../../program.ts';
import type { Runtime } from '../../runtime.ts';
import { eachOf } from '../elementwise.ts';

const makePlan = programs(({ sinks }: { sinks: boolean }) =>
  program({
    name: 'attentionPlan',
    bindings: {
      rowStart: 'read i32',
      sequence: 'read i32',
      lengths: 'read i32',
      table: 'read i32',
      sinks: sinks ? 'read i32' : null,
      plan: 'write i32',
    },
    parameters: { tokens: 'u32', window: 'i32', tableSize: 'u32', heads: 'u32', size: 'u32' },
    threads: 256,
    body: eachOf(
      'p.size',
      /* wgsl */ `
    if (i < p.tokens) {
      let start = rowStart[i];
      let held = lengths[sequence[i]];
      let row = i32(i);
      plan[4u * i] = max(start, row - p.window + 1);
      plan[4u * i + 1u] = max(0, held + row - start - p.window + 1);
      plan[4u * i + 2u] = held;
      plan[4u * i + 3u] = sequence[i];
    }
    if (i < p.tableSize) { plan[4u * p.tokens + i] = table[i]; }
    ${sinks ? 'if (i < p.heads) { plan[4u * p.tokens + p.tableSize + i] = sinks[i]; }' : ''}`,
    ),
  }),
);

/** Functions that read a plan; they need parameters `tokens`, `pageSize` and `tableWidth`. */
export const planReader = /* wgsl */ `
fn firstVisible(token: u32) -> u32 { return u32(plan[4u * token]); }
fn firstHeld(token: u32) -> u32 { return u32(plan[4u * token + 1u]); }
fn heldBy(token: u32) -> u32 { return u32(plan[4u * token + 2u]); }
fn sequenceOf(token: u32) -> i32 { return plan[4u * token + 3u]; }

/** The cache row of a position: see \`PastKeys\`. */
fn heldRow(sequence: i32, position: u32) -> u32 {
  let page = position / p.pageSize % p.tableWidth;
  let entry = plan[4u * p.tokens + u32(sequence) * p.tableWidth + page];
  return u32(entry) * p.pageSize + position % p.pageSize;
}`;

export interface Plan {
  plan: Tensor;
  /** The parameters that go with it. */
  parameters: { pageSize: number; tableWidth: number; sinksBegin: number };
}

export function planPast(
  runtime: Runtime,
  past: PastKeys,
  {
    rowStart,
    sinks,
    heads,
    window,
  }: {
    rowStart: Tensor;
    sinks: Tensor | null;
    heads: number;
    window: number;
  },
): Plan {
  const { sequence, lengths, table, pageSize } = past;
  const [tokens, tableSize] = [rowStart.size, table.size];
  const plan = runtime.scratch([4 * tokens + tableSize + heads], 'i32');
  const size = Math.max(tokens, tableSize, heads);
  runtime.run(
    makePlan({ sinks: sinks !== null }),
    { rowStart, sequence, lengths, table, sinks, plan },
    { tokens, window, tableSize, heads, size },
    runtime.grid(size, 256),
  );
  const sinksBegin = 4 * tokens + tableSize;
  return { plan, parameters: { pageSize, tableWidth: table.columns, sinksBegin } };
}
