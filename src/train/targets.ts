/**
 * What a training step works on: packed documents, and for each prediction the rows that make it.
 * Next-token prediction looks one token ahead, MTP head k looks k+2 ahead; neither looks past the end
 * of its document.
 */

/** Whole documents packed one after another; T tokens. All arrays live on the host. */
export interface TrainingBatch {
  /** [T] */
  tokens: Int32Array;
  /** [T]: index of the first token of the token's document. */
  rowStart: Int32Array;
  /** [T]: position in the document, from 0. */
  positions: Int32Array;
  /**
   * [T]: how much the log-probability of each token counts when it is predicted: 1 for plain
   * cross-entropy, 0 for tokens that are given and not learnt, an advantage in reinforcement learning.
   * The first token of a document is never predicted, whatever its weight.
   */
  weights: Float32Array;
  /** What the loss of each document is reported under, in their order; those without are not. */
  labels?: readonly (string | undefined)[];
  /** Experts to replay instead of choosing: for each layer of experts, in order, [T·k]. */
  routes?: readonly Int32Array[];
  /** Further predictions of next tokens, beside the token that comes: rows and what they predict. */
  candidates?: { rows: Int32Array; tokens: Int32Array };
}

/** The predictions of one kind that a batch asks for; R of them. */
export interface Targets {
  /** [R]: the rows that predict, in order. */
  rows: Int32Array;
  /** [R]: the token each of them is to predict. */
  tokens: Int32Array;
  /** [R] */
  weights: Float32Array;
}

/** The predictions of tokens `ahead` places on, within each document, that have a weight. */
export function targetsAhead(batch: TrainingBatch, ahead: number): Targets {
  const { tokens, rowStart, weights } = batch;
  // Plain loops: this runs between steps, while a GPU waits.
  const rows = new Int32Array(tokens.length);
  let count = 0;
  for (let row = 0; row + ahead < tokens.length; row++) {
    if (rowStart[row + ahead] === rowStart[row] && weights[row + ahead] !== 0) rows[count++] = row;
  }
  const chosen = {
    rows: rows.slice(0, count),
    tokens: new Int32Array(count),
    weights: new Float32Array(count),
  };
  for (let i = 0; i < count; i++) {
    chosen.tokens[i] = tokens[rows[i]! + ahead]!;
    chosen.weights[i] = weights[rows[i]! + ahead]!;
  }
  return chosen;
}

/** The predictions of the tokens that come, and then the candidates, which have no weight yet. */
export function nextTokenTargets(batch: TrainingBatch): Targets {
  const next = targetsAhead(batch, 1);
  if (!batch.candidates) return next;
  const { rows, tokens } = batch.candidates;
  const joined = {
    rows: new Int32Array(next.rows.length + rows.length),
    tokens: new Int32Array(next.rows.length + rows.length),
    weights: new Float32Array(next.rows.length + rows.length),
  };
  joined.rows.set(next.rows);
  joined.rows.set(rows, next.rows.length);
  joined.tokens.set(next.tokens);
  joined.tokens.set(tokens, next.rows.length);
  joined.weights.set(next.weights);
  return joined;
}

/** [T]: the token `ahead` places on in the same document; −1 where the document ends before. */
export function tokensAhead({ tokens, rowStart }: TrainingBatch, ahead: number): Int32Array {
  return tokens.map((_, row) =>
    rowStart[row + ahead] === rowStart[row] ? tokens[row + ahead]! : -1,
  );
}

/** How far ahead MTP head `head` looks; its block reads the token just before that. */
export function headAhead(head: number): number {
  return head + 2;
}

/** [R]: the label of each target's document. */
export function targetLabels(
  { labels = [], rowStart }: TrainingBatch,
  { rows }: Targets,
): (string | undefined)[] {
  let [document, row] = [0, 0];
  return Array.from(rows, (target) => {
    for (; row < target; row++) if (rowStart[row + 1] === row + 1) document++;
    return labels[document];
  });
}

/** What a whole optimizer step divides by, summed over its micro-batches. */
export interface StepTotals {
  tokens: number;
  /** Σ |weight| of the next-token targets, then of each MTP head's. */
  weights: number[];
}

/**
 * The totals of a step. Each micro-batch is divided by those of the whole step, so that accumulating
 * gradients over micro-batches gives the gradient of one large batch.
 */
export function stepTotals(batches: readonly TrainingBatch[], mtpHeads: number): StepTotals {
  const aheads = [1, ...Array.from({ length: mtpHeads }, (_, head) => headAhead(head))];
  const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);
  return {
    tokens: sum(batches.map(({ tokens }) => tokens.length)),
    weights: aheads.map((ahead) => sum(batches.map((batch) => targetWeight(batch, ahead)))),
  };
}

// By size: positive and negative advantages must not cancel in what a loss is divided by.
function targetWeight(batch: TrainingBatch, ahead: number): number {
  return targetsAhead(batch, ahead).weights.reduce((sum, weight) => sum + Math.abs(weight), 0);
}

/** Documents of a batch. */
export function documentCount({ rowStart }: TrainingBatch): number {
  return rowStart.reduce((count, start, row) => count + (start === row ? 1 : 0), 0);
}

/** Packs documents that are trained on whole; `weights` gives other weights, one array a document. */
export function trainingBatch(
  documents: readonly ArrayLike<number>[],
  weights?: readonly ArrayLike<number>[],
): TrainingBatch {
  const count = documents.reduce((sum, { length }) => sum + length, 0);
  const batch = {
    tokens: new Int32Array(count),
    rowStart: new Int32Array(count),
    positions: new Int32Array(count),
    weights: new Float32Array(count).fill(1),
  };
  let begin = 0;
  documents.forEach((document, i) => {
    batch.tokens.set(document, begin);
    batch.rowStart.fill(begin, begin, begin + document.length);
    for (let p = 0; p < document.length; p++) batch.positions[begin + p] = p;
    if (weights) batch.weights.set(weights[i]!, begin);
    begin += document.length;
  });
  return batch;
}
