/**
 * The one list of a model's parameters: hub name, shape, and how each is initialised and trained.
 * Initialising, loading, saving, the optimizer's groups and `inspect` all read this list.
 *
 * A layer's experts are one parameter `[experts, out, in]` here (grouped matmuls want them together)
 * and one tensor per expert in the hub's files; `hubNames` gives the latter.
 */
import { type AttentionConfig, attentionOf, type ModelConfig } from './config.ts';

export interface ParameterSpec {
  /** Hub name; for stacked experts, with `.experts.` and no number. */
  name: string;
  shape: number[];
  initial: 'normal' | 'ones' | 'zeros';
  /** The selection bias of the router is moved by the load, not by a gradient. */
  trained: boolean;
  /** Weight decay applies to matrices; norms, sinks and biases go without. */
  decay: boolean;
  /** Neighbours in the list with one name here lie one after another in memory, as one matrix. */
  stack?: string;
  /** Index of the MTP block it belongs to, if any. */
  mtpHead?: number;
  /** Trunk layer it belongs to, if any. */
  layer?: number;
}

/** Every parameter of a model, in the order of its forward pass. */
export function parameterSpecs(config: ModelConfig): ParameterSpec[] {
  const { hiddenSize, vocabSize } = config;
  const specs: ParameterSpec[] = [matrix('model.embed_tokens.weight', [vocabSize, hiddenSize])];
  config.layers.forEach((layer, index) => {
    const prefix = `model.layers.${index}`;
    const layerSpecs = [
      norm(`${prefix}.input_layernorm.weight`, hiddenSize),
      ...attentionSpecs(`${prefix}.self_attn`, attentionOf(config, index), hiddenSize),
      norm(`${prefix}.post_attention_layernorm.weight`, hiddenSize),
      ...(layer.feedForward === 'dense'
        ? denseSpecs(`${prefix}.mlp`, hiddenSize, config.intermediateSize)
        : expertSpecs(`${prefix}.mlp`, config)),
    ];
    specs.push(...layerSpecs.map((spec) => ({ ...spec, layer: index })));
  });
  specs.push(norm('model.norm.weight', hiddenSize));
  if (!config.tieWordEmbeddings) specs.push(matrix('lm_head.weight', [vocabSize, hiddenSize]));
  for (let head = 0; head < config.mtpHeads; head++) {
    specs.push(...mtpSpecs(config, head).map((spec) => ({ ...spec, mtpHead: head })));
  }
  return specs;
}

/** The names of a parameter's tensors in the hub's files: one, or one per expert. */
export function hubNames(spec: ParameterSpec): string[] {
  if (!isStacked(spec)) return [spec.name];
  return Array.from({ length: spec.shape[0]! }, (_, expert) =>
    spec.name.replace('.experts.', `.experts.${expert}.`),
  );
}

/** Whether the parameter stacks a layer's experts, `[experts, out, in]`. */
export function isStacked(spec: ParameterSpec): boolean {
  return spec.name.includes('.experts.');
}

export function parameterSize(spec: ParameterSpec): number {
  return spec.shape.reduce((product, size) => product * size, 1);
}

function mtpSpecs(config: ModelConfig, head: number): ParameterSpec[] {
  const { hiddenSize, intermediateSize, slidingAttention } = config;
  const prefix = `model.mtp.layers.${head}`;
  return [
    norm(`${prefix}.enorm.weight`, hiddenSize),
    norm(`${prefix}.hnorm.weight`, hiddenSize),
    matrix(`${prefix}.eh_proj.weight`, [hiddenSize, 2 * hiddenSize]),
    norm(`${prefix}.input_layernorm.weight`, hiddenSize),
    ...attentionSpecs(`${prefix}.self_attn`, slidingAttention, hiddenSize),
    norm(`${prefix}.pre_mlp_layernorm.weight`, hiddenSize),
    ...denseSpecs(`${prefix}.mlp`, hiddenSize, intermediateSize),
    norm(`${prefix}.final_layernorm.weight`, hiddenSize),
  ];
}

function attentionSpecs(prefix: string, attention: AttentionConfig, hidden: number) {
  const { heads, keyValueHeads, headDim, valueHeadDim, sink } = attention;
  const stack = `${prefix}.query_key_value`;
  const specs: ParameterSpec[] = [
    { ...matrix(`${prefix}.q_proj.weight`, [heads * headDim, hidden]), stack },
    { ...matrix(`${prefix}.k_proj.weight`, [keyValueHeads * headDim, hidden]), stack },
    { ...matrix(`${prefix}.v_proj.weight`, [keyValueHeads * valueHeadDim, hidden]), stack },
    matrix(`${prefix}.o_proj.weight`, [hidden, heads * valueHeadDim]),
  ];
  if (sink) specs.push(vector(`${prefix}.attention_sink_bias`, heads, 'zeros'));
  return specs;
}

function denseSpecs(prefix: string, hidden: number, intermediate: number): ParameterSpec[] {
  return [
    matrix(`${prefix}.gate_proj.weight`, [intermediate, hidden]),
    matrix(`${prefix}.up_proj.weight`, [intermediate, hidden]),
    matrix(`${prefix}.down_proj.weight`, [hidden, intermediate]),
  ];
}

function expertSpecs(prefix: string, config: ModelConfig): ParameterSpec[] {
  const { hiddenSize, experts } = config;
  const { count, intermediateSize, shared } = experts;
  const specs: ParameterSpec[] = [
    matrix(`${prefix}.gate.weight`, [count, hiddenSize]),
    { ...vector(`${prefix}.gate.e_score_correction_bias`, count, 'zeros'), trained: false },
    matrix(`${prefix}.experts.gate_proj.weight`, [count, intermediateSize, hiddenSize]),
    matrix(`${prefix}.experts.up_proj.weight`, [count, intermediateSize, hiddenSize]),
    matrix(`${prefix}.experts.down_proj.weight`, [count, hiddenSize, intermediateSize]),
  ];
  if (shared > 0) {
    specs.push(...denseSpecs(`${prefix}.shared_experts`, hiddenSize, shared * intermediateSize));
  }
  return specs;
}

function matrix(name: string, shape: number[]): ParameterSpec {
  return { name, shape, initial: 'normal', trained: true, decay: true };
}

function norm(name: string, size: number): ParameterSpec {
  return vector(name, size, 'ones');
}

function vector(name: string, size: number, initial: 'ones' | 'zeros'): ParameterSpec {
  return { name, shape: [size], initial, trained: true, decay: false };
}
