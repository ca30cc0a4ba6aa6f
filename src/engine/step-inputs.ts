import type { Scope } from '../tensor/scope.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { changeArrays } from './logit-changes.ts';
import {
  layoutOf,
  pageTable,
  type RowRange,
  ringRows,
  ringTable,
  roomyTableWidth,
} from './row-ranges.ts';
import { samplingSettings, uniform32 } from './sampling.ts';
import { scoreArrays } from './step-outputs.ts';
import type { StepPlan } from './step-plan.ts';
import type { StepRequest } from './step-request.ts';
import { upload } from './upload.ts';

/** What a step of S sequences with D drafts needs on the device. */
export interface StepInputs {
  /** i32: the tokens of the plan, to which the drafts are then written. */
  tokens: Tensor;
  trunk: RowInputs & {
    /** Of the layout of global layers; see `CachedRows`. */
    width: number;
    globalLayout: Tensor;
    /** [S·(D+1), 4] */
    settings: Tensor;
    /** [S, D+1] */
    uniforms: Tensor;
    /** i32 [S, 1]: 0, 1, … */
    places: Tensor;
  };
  blocks: (RowInputs & {
    /** Of the drafting rows alone. */
    draftingLayout: Tensor;
    /** i32 [S] */
    lastRows: Tensor;
    /** i32 [S, places] */
    places: Tensor;
    /** [S] */
    uniforms: Tensor;
  })[];
  /** [S, 4]: of the blocks' drafts. */
  settings: Tensor;
  /** Arguments of `penalizeLogits`; null if no sequence has penalties or biases. */
  changes: {
    shared: Record<'settings' | 'offsets' | 'columns' | 'counts' | 'biases', Tensor>;
    trunkRows: Tensor;
    blockRows: Tensor[];
  } | null;
  /** i32 [R] both: see `scoreArrays`. */
  scored: { rows: Tensor; places: Tensor } | null;
}

interface RowInputs {
  slidingLayout: Tensor;
  /** i32 [T]: where the trunk's states of the rows lie. */
  stateRows: Tensor;
}

/**
 * Two writes: the tokens, which the step writes to as well, and all the rest. `drawn`: the tokens, if the
 * device has them already.
 */
export function uploadStep(
  scope: Scope,
  requests: readonly StepRequest[],
  { trunk, blocks, tokens }: StepPlan,
  ringSize: number,
  drawn: Tensor | null = null,
): StepInputs {
  const drafts = blocks.length;
  const settings = requests.map(({ sampling }) => samplingSettings(sampling));
  const uniforms = requests.map(({ random }) =>
    Array.from({ length: 2 * drafts + 1 }, () => uniform32(random)),
  );
  const rowInputs = (ranges: readonly RowRange[]) => ({
    slidingLayout: layoutOf(ranges, ringTable(ranges)),
    stateRows: ringRows(ranges, ringSize),
  });
  const width = roomyTableWidth(trunk);
  const changes = requests.map((request) => request.changes ?? null);
  const scored = scoreArrays(requests, drafts);
  const inputs = upload(scope, {
    trunk: {
      ...rowInputs(trunk),
      globalLayout: layoutOf(trunk, pageTable(trunk, width)),
      settings: Float32Array.from(
        settings.flatMap((row) =>
          Array(drafts + 1)
            .fill(row)
            .flat(),
        ),
      ),
      uniforms: Float32Array.from(uniforms.flatMap((numbers) => numbers.slice(drafts))),
      places: Int32Array.from(requests, (_, s) => s),
    },
    blocks: blocks.map(({ drafting, ranges, lastRows, places }, head) => ({
      ...rowInputs(ranges),
      draftingLayout: layoutOf(drafting, ringTable(drafting)),
      lastRows,
      places,
      uniforms: Float32Array.from(uniforms, (numbers) => numbers[head]!),
    })),
    settings: Float32Array.from(settings.flat()),
    changes: changes.some((change) => change !== null) ? [changeArrays(changes, drafts)] : [],
    scored: scored ? [scored] : [],
  });
  const count = requests.length;
  return {
    tokens: drawn ?? scope.from([tokens.length], tokens),
    trunk: {
      ...inputs.trunk,
      width,
      settings: inputs.trunk.settings.reshape([count * (drafts + 1), 4]),
      uniforms: inputs.trunk.uniforms.reshape([count, drafts + 1]),
      places: inputs.trunk.places.reshape([count, 1]),
    },
    blocks: inputs.blocks.map((block) => ({
      ...block,
      places: block.places.reshape([count, block.places.size / count]),
    })),
    settings: inputs.settings.reshape([count, 4]),
    changes: inputs.changes[0] ?? null,
    scored: inputs.scored[0] ?? null,
  };
}
