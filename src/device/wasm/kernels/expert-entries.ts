/**
 * Which rows meet which matrix in the products of inference: entries of three integers (matrix, begin and
 * end in the list) and the list of rows; see assembly/inference/products.ts.
 */
import type { Tensor } from '../../../tensor/tensor.ts';
import { type Operand, type Runtime, read } from '../runtime.ts';

export interface Entries {
  operand: Operand;
  /** Null where the rows of an entry are those from its begin to its end. */
  list: Operand | null;
  count: number;
  /** Most rows of an entry. */
  longest: number;
}

/** All rows with the one matrix. */
export function plainEntry(runtime: Runtime, rows: number): Entries {
  return { operand: integers(runtime, [0, 0, rows]), list: null, count: 1, longest: rows };
}

/** Contiguous rows of each expert. */
export function entriesOfOffsets(runtime: Runtime, offsets: Int32Array): Entries {
  const data: number[] = [];
  let longest = 0;
  for (let expert = 0; expert + 1 < offsets.length; expert++) {
    const [begin, end] = [offsets[expert]!, offsets[expert + 1]!];
    if (end === begin) continue;
    data.push(expert, begin, end);
    longest = Math.max(longest, end - begin);
  }
  return { operand: integers(runtime, data), list: null, count: data.length / 3, longest };
}

/** The slots of each chosen expert, as by the kernel. */
export function entriesOfExperts(runtime: Runtime, chosen: Tensor, experts: number): Entries {
  const slots = chosen.size;
  const ends = runtime.scratch(4 * (experts + 1));
  const counts = runtime.scratch(8);
  const operand = runtime.scratch(12 * Math.min(experts, slots));
  const list = runtime.scratch(4 * slots);
  const args = [read(chosen), slots, experts, ends, counts, operand, list];
  runtime.launch('expertEntries', args, 1, 1);
  const [count = 0, longest = 0] = runtime.ints(counts.tensor);
  return { operand, list, count, longest };
}

function integers(runtime: Runtime, data: readonly number[]): Operand {
  const operand = runtime.scratch(4 * data.length);
  runtime.ints(operand.tensor).set(data);
  return operand;
}
