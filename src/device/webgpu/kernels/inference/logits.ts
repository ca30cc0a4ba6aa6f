/** What is done to logits before a token is drawn: see `penalizeLogits` and `maskLogits`. */
import type { InferenceKernels } from '../../../../tensor/inference-kernels.ts';
import { program, programs } from '../../program.ts';
import type { Runtime } from '../../runtime.ts';

const threads = 128;

/** A workgroup a row: its threads take the entries of its sequence, then each a draft that is no entry. */
const penalizeLogits = program({
  name: 'penalizeLogits',
  bindings: {
    logits: 'write f32',
    rows: 'read i32',
    tokens: 'read i32',
    settings: 'read f32',
    offsets: 'read i32',
    columns: 'read i32',
    counts: 'read i32',
    biases: 'read f32',
  },
  parameters: { width: 'u32' },
  threads,
  head: /* wgsl */ `
/** A logit after the penalties, of a column generated \`count\` times and drafted \`more\`. */
fn penalized(logit: f32, sequence: u32, count: i32, more: i32) -> f32 {
  let said = max(count, 0) + more;
  if (count < 0 && said == 0) { return logit; }
  let repetition = settings[3u * sequence];
  let repeated = select(logit * repetition, logit / repetition, logit > 0.0);
  if (said == 0) { return repeated; }
  return repeated - settings[3u * sequence + 1u] - settings[3u * sequence + 2u] * f32(said);
}`,
  body: /* wgsl */ `
  let begin = group.x * p.width;
  let sequence = u32(rows[3u * group.x]);
  let first = u32(rows[3u * group.x + 1u]);
  let drafts = u32(rows[3u * group.x + 2u]);
  let entries = u32(offsets[sequence]);
  let end = u32(offsets[sequence + 1u]);
  for (var i = entries + thread; i < end; i += threads) {
    let column = columns[i];
    var more = 0;
    for (var d = 0u; d < drafts; d++) { more += i32(tokens[first + d] == column); }
    let at = begin + u32(column);
    logits[at] = penalized(logits[at], sequence, counts[i], more) + biases[i];
  }
  if (thread < drafts) {
    let token = tokens[first + thread];
    var more = 0;
    var isFirst = true;
    for (var d = 0u; d < drafts; d++) {
      let isSame = tokens[first + d] == token;
      more += i32(isSame);
      isFirst = isFirst && !(isSame && d < thread);
    }
    var low = entries;
    var high = end;
    while (low < high) {
      let middle = (low + high) / 2u;
      if (columns[middle] < token) { low = middle + 1u; } else { high = middle; }
    }
    var isEntry = false;
    if (low < end) { isEntry = columns[low] == token; }
    if (isFirst && !isEntry) {
      let at = begin + u32(token);
      logits[at] = penalized(logits[at], sequence, -1, more);
    }
  }`,
});

const maskLogits = programs(({ columns, words }: { columns: number; words: number }) =>
  program({
    name: 'maskLogits',
    bindings: { logits: 'write f32', masks: 'read i32', rows: 'read i32' },
    parameters: {},
    threads,
    // Nothing that a model gives is as low, and divided by a temperature it is still a number.
    body: /* wgsl */ `
  let mask = rows[group.y];
  let column = group.x * threads + thread;
  if (mask < 0 || column >= ${Math.min(columns, 32 * words)}u) { return; }
  let word = bitcast<u32>(masks[u32(mask) * ${words}u + column / 32u]);
  if (((word >> (column % 32u)) & 1u) == 0u) { logits[group.y * ${columns}u + column] = -1e30; }`,
  }),
);

export function logitKernels(
  runtime: Runtime,
): Pick<InferenceKernels, 'penalizeLogits' | 'maskLogits'> {
  return {
    penalizeLogits(tensors) {
      const { rows, columns } = tensors.logits;
      runtime.run(penalizeLogits, tensors, { width: columns }, [rows, 1, 1]);
    },
    maskLogits({ logits, masks, rows }) {
      const { columns } = logits;
      const program = maskLogits({ columns, words: masks.columns });
      const tensors = { logits, masks, rows };
      runtime.run(program, tensors, {}, [Math.ceil(columns / threads), logits.rows, 1]);
    },
  };
}
