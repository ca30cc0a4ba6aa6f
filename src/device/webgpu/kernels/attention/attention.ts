import type { Kernels } from '../../../../tensor/kernels.ts';
import type { Runtime } from '../../runtime.ts';
import { inHalves } from '../cache-format.ts';
import { addColumnSums, columnSums } from '../column-sums.ts';
import { keyGradient, queryGradient, rowTerms } from './backward.ts';
import { mostSharedHeads, runDecoding } from './decoding.ts';
import { attentionForward } from './forward.ts';
import { planPast } from './plan.ts';
import { type Heads, headsOf, leftRows, tokensPerBlock, windowOf } from './tile.ts';
import { unitKeyGradient, unitQueryGradient } from './unit-backward.ts';
import { headsFitUnits } from './unit-block.ts';
import { unitForward } from './unit-forward.ts';

/** Up to this many rows a sequence, there are too few queries to share keys among. */
const fewRows = 8;

const sinkGradient = columnSums(
  'attentionSinksBackward',
  { terms: 'read vec2f', sinks: 'read f32' },
  '-exp(sinks[column] - terms[row * p.columns + column].x) * terms[row * p.columns + column].y',
);

export function attentionKernels(
  runtime: Runtime,
): Pick<Kernels, 'attention' | 'attentionBackward'> {
  const unitsFor = (heads: Heads) => {
    const { matrixUnits } = runtime;
    return matrixUnits && headsFitUnits(heads, matrixUnits) ? matrixUnits : null;
  };
  return {
    attention(a) {
      const { query, key, value, sinks, rowStart, past, out, logSumExp, scale, valueScale } = a;
      const tokens = query.rows;
      if (tokens === 0) return;
      const heads = headsOf(a);
      const window = windowOf(a);
      const plan = past && planPast(runtime, past, { rowStart, sinks, heads: a.heads, window });
      if (past && plan) {
        const few = tokens <= fewRows * past.lengths.size;
        if (few && a.heads / a.keyValueHeads <= mostSharedHeads) {
          runDecoding(runtime, { ...a, past }, plan);
          return;
        }
      }
      const units = unitsFor(heads);
      const halves = past !== null && inHalves(past.keys);
      const options = { ...heads, sinks: sinks !== null, past: past !== null, halves };
      runtime.run(
        units ? unitForward({ ...options, units }) : attentionForward(options),
        {
          ...{ query, key, value, rowStart, sinks, out, logSumExp },
          heldKeys: past?.keys ?? null,
          heldValues: past?.values ?? null,
          plan: plan?.plan ?? null,
        },
        {
          ...{ tokens, window, scale, valueScale },
          ...(plan?.parameters ?? { pageSize: 0, tableWidth: 0, sinksBegin: 0 }),
        },
        [Math.ceil(tokens / tokensPerBlock(heads)), a.keyValueHeads, 1],
      );
    },

    attentionBackward(a) {
      const { query, key, value, sinks, rowStart, out, logSumExp, dOut, dQuery, dKey, dValue } = a;
      const tokens = query.rows;
      const heads = headsOf(a);
      const terms = runtime.scratch([tokens, a.heads, 2]);
      const rows = tokens * a.heads;
      runtime.run(
        rowTerms,
        { out, dOut, logSumExp, terms },
        { rows, columns: a.valueDim },
        runtime.grid(rows, 16),
      );
      const inputs = { query, key, value, rowStart, dOut, terms };
      const { scale, valueScale, gradientScale = 1 } = a;
      const parameters = { tokens, window: windowOf(a), scale, valueScale };
      const queryGrid = [Math.ceil(tokens / tokensPerBlock(heads)), a.keyValueHeads, 1] as const;
      const keyGrid = [Math.ceil(tokens / leftRows), a.keyValueHeads, 1] as const;
      const units = unitsFor(heads);
      if (units) {
        const unitHeads = { ...heads, units };
        const unitParameters = { ...parameters, gradientScale };
        runtime.run(unitQueryGradient(unitHeads), { ...inputs, dQuery }, unitParameters, queryGrid);
        runtime.run(
          unitKeyGradient(unitHeads),
          { ...inputs, dKey, dValue },
          unitParameters,
          keyGrid,
        );
      } else {
        runtime.run(queryGradient(heads), { ...inputs, dQuery }, parameters, queryGrid);
        runtime.run(keyGradient(heads), { ...inputs, dKey, dValue }, parameters, keyGrid);
      }
      if (sinks && a.dSinks) {
        addColumnSums(runtime, sinkGradient, { terms, sinks }, tokens, a.dSinks);
      }
    },
  };
}
