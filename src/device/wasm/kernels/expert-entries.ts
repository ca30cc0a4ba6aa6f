/**
 * Which rows meet which matrix in the products of inference: entries of three integers (matrix, begin and
 * end in the list) and then the list of rows; see assembly/inference/products.ts.
 */
export interface Entries {
  /** Entries, then the list. */
  data: Int32Array;
  count: number;
  /** Most rows of an entry. */
  longest: number;
}

/** All rows with the one matrix; without a list. */
export function plainEntry(rows: number): Entries {
  return { data: Int32Array.of(0, 0, rows), count: 1, longest: rows };
}

/** Contiguous rows of each expert; without a list. */
export function entriesOfOffsets(offsets: Int32Array): Entries {
  const data: number[] = [];
  let longest = 0;
  for (let expert = 0; expert + 1 < offsets.length; expert++) {
    const [begin, end] = [offsets[expert]!, offsets[expert + 1]!];
    if (end === begin) continue;
    data.push(expert, begin, end);
    longest = Math.max(longest, end - begin);
  }
  return { data: Int32Array.from(data), count: data.length / 3, longest };
}

/** The slots of each chosen expert, so that its weights are read once for all of them. */
export function entriesOfExperts(
  chosen: Int32Array,
  { experts, perToken }: { experts: number; perToken: number },
): Entries {
  if (chosen.length === perToken) return entriesOfToken(chosen);
  const ends = new Int32Array(experts + 1);
  for (const expert of chosen) ends[expert + 1]!++;
  let [count, longest] = [0, 0];
  for (let expert = 0; expert < experts; expert++) {
    const own = ends[expert + 1]!;
    if (own > 0) count++;
    longest = Math.max(longest, own);
    ends[expert + 1] = ends[expert]! + own;
  }
  const data = new Int32Array(3 * count + chosen.length);
  let at = 0;
  for (let expert = 0; expert < experts; expert++) {
    if (ends[expert + 1] === ends[expert]) continue;
    data[at++] = expert;
    data[at++] = ends[expert]!;
    data[at++] = ends[expert + 1]!;
  }
  // From here on ends[e] is where the next slot of expert e goes.
  for (let slot = 0; slot < chosen.length; slot++) data[at + ends[chosen[slot]!]!++] = slot;
  return { data, count, longest };
}

/** The same for a single token, whose experts are different ones. */
function entriesOfToken(chosen: Int32Array): Entries {
  const count = chosen.length;
  const data = new Int32Array(4 * count);
  for (let slot = 0; slot < count; slot++) {
    data[3 * slot] = chosen[slot]!;
    data[3 * slot + 1] = slot;
    data[3 * slot + 2] = slot + 1;
    data[3 * count + slot] = slot;
  }
  return { data, count, longest: 1 };
}
