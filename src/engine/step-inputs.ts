import type { Scope } from '../tensor/scope.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { changeArrays } from './logit-changes.ts';
import {
  layoutOf,
  numbersOf,
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
  const { rowSettings, settings } = settingsOf(requests, drafts);
  const { trunkUniforms, blockUniforms } = uniformsOf(requests, drafts);
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
      settings: rowSettings,
      uniforms: trunkUniforms,
      places: numbersOf(requests, (_, s) => s),
    },
    blocks: blocks.map(({ drafting, ranges, lastRows, places }, head) => ({
      ...rowInputs(ranges),
      draftingLayout: layoutOf(drafting, ringTable(drafting)),
      lastRows,
      places,
      uniforms: blockUniforms[head]!,
    })),
    settings,
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

/** Settings of each row of the trunk, and of each sequence. */
function settingsOf(requests: readonly StepRequest[], drafts: number) {
  const settings = new Float32Array(4 * requests.length);
  const rowSettings = new Float32Array((drafts + 1) * settings.length);
  let at = 0;
  requests.forEach(({ sampling }, s) => {
    const own = samplingSettings(sampling);
    settings.set(own, 4 * s);
    for (let row = 0; row <= drafts; row++, at += 4) rowSettings.set(own, at);
  });
  return { settings, rowSettings };
}

/** The next random numbers of each sequence: one for each draft, then those that verify. */
function uniformsOf(requests: readonly StepRequest[], drafts: number) {
  const count = requests.length;
  const blockUniforms = Array.from({ length: drafts }, () => new Float32Array(count));
  const trunkUniforms = new Float32Array((drafts + 1) * count);
  let at = 0;
  requests.forEach(({ random }, s) => {
    for (const own of blockUniforms) own[s] = uniform32(random);
    for (let row = 0; row <= drafts; row++) trunkUniforms[at++] = uniform32(random);
  });
  return { blockUniforms, trunkUniforms };
}
