/**
 * A model's parameters, by name and by their place in the architecture. The names come from the list
 * in `parameters.ts`; nothing else spells them.
 */
import type { Device } from '../tensor/device.ts';
import { type Matrix, type QuantizedBits, QuantizedMatrix } from '../tensor/quantized-matrix.ts';
import { Tensor } from '../tensor/tensor.ts';
import { type AttentionConfig, attentionOf, type ModelConfig } from './config.ts';
import { allocateParameters } from './parameter-memory.ts';

export { fillModel, fillQuantizedModel, quantizes, releaseModel } from './parameter-memory.ts';

/** What a model's matrices are: quantised ones are for inference only. */
export interface Model<Weight extends Matrix = Matrix> {
  config: ModelConfig;
  device: Device;
  /** Every parameter by its name, in the order of `parameterSpecs`. */
  parameters: Map<string, Weight | Tensor>;
  embedding: Weight;
  layers: LayerWeights<Weight>[];
  finalNorm: Tensor;
  /** [vocabSize, hiddenSize]; the embedding itself if tied. */
  head: Weight;
  mtp: MtpWeights<Weight>[];
}

/** A model whose weights all have gradients. */
export type TrainableModel = Model<Tensor>;

export interface LayerWeights<Weight extends Matrix = Matrix> {
  inputNorm: Tensor;
  attention: AttentionWeights<Weight>;
  postAttentionNorm: Tensor;
  feedForward: DenseWeights<Weight> | ExpertsWeights<Weight>;
}

export interface AttentionWeights<Weight extends Matrix = Matrix> {
  query: Weight;
  key: Weight;
  value: Weight;
  /** The three as one matrix, one after another: the same memory. */
  queryKeyValue: Weight;
  output: Weight;
  /** [heads], or null where the layer kind has no sinks. */
  sinks: Tensor | null;
}

export interface DenseWeights<Weight extends Matrix = Matrix> {
  kind: 'dense';
  gate: Weight;
  up: Weight;
  down: Weight;
}

export interface ExpertsWeights<Weight extends Matrix = Matrix> {
  kind: 'experts';
  router: Tensor;
  selectionBias: Tensor;
  /** [experts, intermediate, hidden] */
  gate: Weight;
  up: Weight;
  /** [experts, hidden, intermediate] */
  down: Weight;
  shared: DenseWeights<Weight> | null;
}

export interface MtpWeights<Weight extends Matrix = Matrix> {
  embeddingNorm: Tensor;
  hiddenNorm: Tensor;
  /** [hidden, 2·hidden], the embedding's half first. */
  projection: Weight;
  block: LayerWeights<Weight> & { feedForward: DenseWeights<Weight> };
  finalNorm: Tensor;
}

/** A model on `device` whose parameters have undefined contents. */
export function allocateModel(device: Device, config: ModelConfig): Model<Tensor> {
  return assemble(device, config, null) as Model<Tensor>;
}

/** The same with matrices of `bits` bits, as far as `quantizes` says; for inference. */
export function allocateQuantizedModel(
  device: Device,
  config: ModelConfig,
  bits: QuantizedBits,
): Model {
  return assemble(device, config, bits);
}

function assemble(device: Device, config: ModelConfig, bits: QuantizedBits | null): Model {
  const parameters = allocateParameters(device, config, bits);
  const matrix: Get<Matrix> = (name) => {
    const found = parameters.get(name);
    if (!found) throw new Error(`the model has no parameter ${name}`);
    return found;
  };
  const vector: Get<Tensor> = (name) => {
    const found = matrix(name);
    if (found instanceof Tensor) return found;
    throw new Error(`${name} is quantised`);
  };
  const sources = { matrix, vector };
  const embedding = matrix('model.embed_tokens.weight');
  const layer = (prefix: string, attention: AttentionConfig, norm: string) => ({
    inputNorm: vector(`${prefix}.input_layernorm.weight`),
    attention: attentionWeights(sources, `${prefix}.self_attn`, attention.sink),
    postAttentionNorm: vector(`${prefix}.${norm}.weight`),
  });
  return {
    config,
    device,
    parameters,
    embedding,
    layers: config.layers.map(({ feedForward }, index) => {
      const prefix = `model.layers.${index}`;
      return {
        ...layer(prefix, attentionOf(config, index), 'post_attention_layernorm'),
        feedForward:
          feedForward === 'dense'
            ? denseWeights(sources, `${prefix}.mlp`)
            : expertsWeights(sources, `${prefix}.mlp`, config.experts.shared > 0),
      };
    }),
    finalNorm: vector('model.norm.weight'),
    head: config.tieWordEmbeddings ? embedding : matrix('lm_head.weight'),
    mtp: Array.from({ length: config.mtpHeads }, (_, head) => {
      const prefix = `model.mtp.layers.${head}`;
      return {
        embeddingNorm: vector(`${prefix}.enorm.weight`),
        hiddenNorm: vector(`${prefix}.hnorm.weight`),
        projection: matrix(`${prefix}.eh_proj.weight`),
        block: {
          ...layer(prefix, config.slidingAttention, 'pre_mlp_layernorm'),
          feedForward: denseWeights(sources, `${prefix}.mlp`),
        },
        finalNorm: vector(`${prefix}.final_layernorm.weight`),
      };
    }),
  };
}

type Get<Found> = (name: string) => Found;

interface Sources {
  matrix: Get<Matrix>;
  /** What is never quantised. */
  vector: Get<Tensor>;
}

function attentionWeights(
  { matrix, vector }: Sources,
  prefix: string,
  sink: boolean,
): AttentionWeights {
  const query = matrix(`${prefix}.q_proj.weight`);
  const key = matrix(`${prefix}.k_proj.weight`);
  const value = matrix(`${prefix}.v_proj.weight`);
  const shape = [query.rows + key.rows + value.rows, query.columns];
  const { storage, byteOffset } = query;
  return {
    query,
    key,
    value,
    queryKeyValue:
      query instanceof QuantizedMatrix
        ? new QuantizedMatrix(shape, query.bits, storage, byteOffset)
        : new Tensor(shape, 'f32', storage, byteOffset),
    output: matrix(`${prefix}.o_proj.weight`),
    sinks: sink ? vector(`${prefix}.attention_sink_bias`) : null,
  };
}

function denseWeights({ matrix }: Sources, prefix: string): DenseWeights {
  return {
    kind: 'dense',
    gate: matrix(`${prefix}.gate_proj.weight`),
    up: matrix(`${prefix}.up_proj.weight`),
    down: matrix(`${prefix}.down_proj.weight`),
  };
}

function expertsWeights(sources: Sources, prefix: string, shared: boolean): ExpertsWeights {
  const { matrix, vector } = sources;
  return {
    kind: 'experts',
    router: vector(`${prefix}.gate.weight`),
    selectionBias: vector(`${prefix}.gate.e_score_correction_bias`),
    gate: matrix(`${prefix}.experts.gate_proj.weight`),
    up: matrix(`${prefix}.experts.up_proj.weight`),
    down: matrix(`${prefix}.experts.down_proj.weight`),
    shared: shared ? denseWeights(sources, `${prefix}.shared_experts`) : null,
  };
}
