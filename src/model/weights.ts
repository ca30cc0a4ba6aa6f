/**
 * A model's parameters, by name and by their place in the architecture. The names come from the list
 * in `parameters.ts`; nothing else spells them.
 */
import type { Device } from '../tensor/device.ts';
import { sizeOf, Tensor } from '../tensor/tensor.ts';
import type { ModelConfig } from './config.ts';
import { type ParameterSpec, parameterSpecs } from './parameters.ts';

export interface Model {
  config: ModelConfig;
  device: Device;
  /** Every parameter by its name, in the order of `parameterSpecs`. */
  parameters: Map<string, Tensor>;
  embedding: Tensor;
  layers: LayerWeights[];
  finalNorm: Tensor;
  /** [vocabSize, hiddenSize]; the embedding itself if tied. */
  head: Tensor;
  mtp: MtpWeights[];
}

export interface LayerWeights {
  inputNorm: Tensor;
  attention: AttentionWeights;
  postAttentionNorm: Tensor;
  feedForward: DenseWeights | ExpertsWeights;
}

export interface AttentionWeights {
  query: Tensor;
  key: Tensor;
  value: Tensor;
  /** The three as one matrix, one after another: the same memory. */
  queryKeyValue: Tensor;
  output: Tensor;
  /** [heads], or null where the layer kind has no sinks. */
  sinks: Tensor | null;
}

export interface DenseWeights {
  kind: 'dense';
  gate: Tensor;
  up: Tensor;
  down: Tensor;
}

export interface ExpertsWeights {
  kind: 'experts';
  router: Tensor;
  selectionBias: Tensor;
  /** [experts, intermediate, hidden] */
  gate: Tensor;
  up: Tensor;
  /** [experts, hidden, intermediate] */
  down: Tensor;
  shared: DenseWeights | null;
}

export interface MtpWeights {
  embeddingNorm: Tensor;
  hiddenNorm: Tensor;
  /** [hidden, 2·hidden], the embedding's half first. */
  projection: Tensor;
  block: LayerWeights & { feedForward: DenseWeights };
  finalNorm: Tensor;
}

/** A model on `device` whose parameters have undefined contents. */
export function allocateModel(device: Device, config: ModelConfig): Model {
  const parameters = allocateParameters(device, parameterSpecs(config));
  const get = (name: string): Tensor => {
    const tensor = parameters.get(name);
    if (!tensor) throw new Error(`the model has no parameter ${name}`);
    return tensor;
  };
  const embedding = get('model.embed_tokens.weight');
  return {
    config,
    device,
    parameters,
    embedding,
    layers: config.layers.map(({ feedForward }, index) => {
      const prefix = `model.layers.${index}`;
      return {
        inputNorm: get(`${prefix}.input_layernorm.weight`),
        attention: attentionWeights(parameters, `${prefix}.self_attn`),
        postAttentionNorm: get(`${prefix}.post_attention_layernorm.weight`),
        feedForward:
          feedForward === 'dense'
            ? denseWeights(get, `${prefix}.mlp`)
            : expertsWeights(get, `${prefix}.mlp`, config.experts.shared > 0),
      };
    }),
    finalNorm: get('model.norm.weight'),
    head: config.tieWordEmbeddings ? embedding : get('lm_head.weight'),
    mtp: Array.from({ length: config.mtpHeads }, (_, head) => {
      const prefix = `model.mtp.layers.${head}`;
      return {
        embeddingNorm: get(`${prefix}.enorm.weight`),
        hiddenNorm: get(`${prefix}.hnorm.weight`),
        projection: get(`${prefix}.eh_proj.weight`),
        block: {
          inputNorm: get(`${prefix}.input_layernorm.weight`),
          attention: attentionWeights(parameters, `${prefix}.self_attn`),
          postAttentionNorm: get(`${prefix}.pre_mlp_layernorm.weight`),
          feedForward: denseWeights(get, `${prefix}.mlp`),
        },
        finalNorm: get(`${prefix}.final_layernorm.weight`),
      };
    }),
  };
}

/** Fills a model's parameters from a source that gives each one's values. */
export async function fillModel(
  model: Model,
  source: (spec: ParameterSpec) => Float32Array | Promise<Float32Array>,
): Promise<void> {
  for (const spec of parameterSpecs(model.config)) {
    const { storage, byteOffset } = model.parameters.get(spec.name)!;
    model.device.write(storage, byteOffset, await source(spec));
  }
}

export function releaseModel(model: Model): void {
  const storages = new Set([...model.parameters.values()].map(({ storage }) => storage));
  for (const storage of storages) model.device.release(storage);
  model.parameters.clear();
}

/** Parameters of one stack share a storage. */
function allocateParameters(device: Device, specs: ParameterSpec[]): Map<string, Tensor> {
  const parameters = new Map<string, Tensor>();
  for (const [index, { name, shape, stack }] of specs.entries()) {
    const before = stack !== undefined && specs[index - 1]?.stack === stack;
    if (before) {
      const { storage, byteOffset, byteLength } = parameters.get(specs[index - 1]!.name)!;
      parameters.set(name, new Tensor(shape, 'f32', storage, byteOffset + byteLength));
      continue;
    }
    const together = stack === undefined ? [specs[index]!] : specs.filter((s) => s.stack === stack);
    const size = together.reduce((sum, spec) => sum + sizeOf(spec.shape), 0);
    parameters.set(name, new Tensor(shape, 'f32', device.allocate(size * 4)));
  }
  return parameters;
}

type Get = (name: string) => Tensor;

function attentionWeights(parameters: Map<string, Tensor>, prefix: string): AttentionWeights {
  const get = (name: string) => parameters.get(`${prefix}.${name}`);
  const [query, key, value] = ['q', 'k', 'v'].map((name) => get(`${name}_proj.weight`)!) as [
    Tensor,
    Tensor,
    Tensor,
  ];
  const rows = query.rows + key.rows + value.rows;
  return {
    query,
    key,
    value,
    queryKeyValue: new Tensor([rows, query.columns], 'f32', query.storage, query.byteOffset),
    output: get('o_proj.weight')!,
    sinks: get('attention_sink_bias') ?? null,
  };
}

function denseWeights(get: Get, prefix: string): DenseWeights {
  return {
    kind: 'dense',
    gate: get(`${prefix}.gate_proj.weight`),
    up: get(`${prefix}.up_proj.weight`),
    down: get(`${prefix}.down_proj.weight`),
  };
}

function expertsWeights(get: Get, prefix: string, shared: boolean): ExpertsWeights {
  return {
    kind: 'experts',
    router: get(`${prefix}.gate.weight`),
    selectionBias: get(`${prefix}.gate.e_score_correction_bias`),
    gate: get(`${prefix}.experts.gate_proj.weight`),
    up: get(`${prefix}.experts.up_proj.weight`),
    down: get(`${prefix}.experts.down_proj.weight`),
    shared: shared ? denseWeights(get, `${prefix}.shared_experts`) : null,
  };
}
