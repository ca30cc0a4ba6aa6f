/**
 * Reads the hub's `config.json` into a `ModelConfig` and writes it back; the only place that knows
 * the hub's field names. Field meanings and defaults follow the released MiMo-V2-Flash config and
 * the engines that run it. Contradictions are reported here, before any weight is read.
 */
import type { z } from 'zod';
import { UserError } from '../errors.ts';
import { groupSize, type QuantizedBits } from '../tensor/quantized-matrix.ts';
import type { AttentionConfig, ExpertsConfig, LayerConfig, ModelConfig } from './config.ts';
import { type HubConfig, hubConfigSchema } from './hub-config-schema.ts';

/**
 * The model that a parsed `config.json` describes. `mtpHeads` is 0 where the file does not name it,
 * as the released one does not: the checkpoint reader counts the heads it finds.
 *
 * @param where the file's name, for messages
 * @throws UserError in one line: file, field, what it must be
 */
export function parseHubConfig(json: unknown, where: string): ModelConfig {
  const hub = parseFields(json, where);
  const fail: Fail = (field, problem) => {
    throw new UserError(`${where}: ${field} ${problem}`);
  };
  const layers = parseLayers(hub, fail);
  return {
    hiddenSize: hub.hidden_size,
    vocabSize: hub.vocab_size,
    maxPositions: hub.max_position_embeddings,
    tieWordEmbeddings: hub.tie_word_embeddings ?? false,
    normEpsilon:
      sameOrFail(hub, 'layernorm_epsilon', 'rms_norm_eps', fail) ??
      fail('layernorm_epsilon', 'is missing; set it to the epsilon of the norms, such as 1e-5'),
    initializerRange: hub.initializer_range ?? 0.02,
    layers,
    ...parseAttentions(hub, layers, fail),
    valueScale: hub.attention_value_scale ?? 1,
    intermediateSize: hub.intermediate_size,
    experts: parseExperts(hub, layers, fail),
    mtpHeads: hub.num_nextn_predict_layers ?? 0,
    mtpHidden: hub.mtp_hidden === 'pre_norm' ? 'pre-norm' : 'post-norm',
    eosTokenIds: [hub.eos_token_id ?? []].flat().map((id) => tokenId(id, 'eos_token_id')),
    padTokenId: tokenId(hub.pad_token_id ?? null, 'pad_token_id'),
    bosTokenId: tokenId(hub.bos_token_id ?? null, 'bos_token_id'),
  };

  function tokenId<Id extends number | null>(id: Id, field: string): Id {
    if (id === null || id < hub.vocab_size) return id;
    return fail(field, `is ${id}, which is not below vocab_size ${hub.vocab_size}`);
  }
}

/** The bits of a `config.json`'s weights where they are in our own groups, null otherwise. */
export function parseQuantizedBits(json: unknown, where: string): QuantizedBits | null {
  const { quantization_config: quantization } = parseFields(json, where);
  return quantization?.quant_method === 'mimoflash' ? quantization.bits : null;
}

/** What `config.json` has beside the fields of `toHubConfig` where weights are in our own groups. */
export function toQuantizationConfig(bits: QuantizedBits): Record<string, unknown> {
  return { quant_method: 'mimoflash', bits, group_size: groupSize };
}

/**
 * The hub's `config.json` for a model: `parseHubConfig` of it gives the same model back.
 *
 * @throws UserError where the hub's fields cannot say what `config` says
 */
export function toHubConfig(config: ModelConfig): Record<string, unknown> {
  const { globalAttention: global, slidingAttention: sliding, experts } = config;
  if (global.window !== null) {
    throw new UserError('global attention has a window, which config.json cannot express');
  }
  if (sliding.window === null && config.layers.some((layer) => layer.attention === 'sliding')) {
    throw new UserError('sliding attention has no window, which config.json cannot express');
  }
  return {
    architectures: ['MiMoV2FlashForCausalLM'],
    model_type: 'mimo_v2_flash',
    hidden_size: config.hiddenSize,
    num_hidden_layers: config.layers.length,
    vocab_size: config.vocabSize,
    max_position_embeddings: config.maxPositions,
    tie_word_embeddings: config.tieWordEmbeddings,
    hidden_act: 'silu',
    layernorm_epsilon: config.normEpsilon,
    initializer_range: config.initializerRange,
    attention_bias: false,
    num_attention_heads: global.heads,
    num_key_value_heads: global.keyValueHeads,
    head_dim: global.headDim,
    v_head_dim: global.valueHeadDim,
    rope_theta: global.ropeTheta,
    swa_num_attention_heads: sliding.heads,
    swa_num_key_value_heads: sliding.keyValueHeads,
    swa_head_dim: sliding.headDim,
    swa_v_head_dim: sliding.valueHeadDim,
    swa_rope_theta: sliding.ropeTheta,
    sliding_window: sliding.window,
    sliding_window_size: sliding.window,
    attention_chunk_size: sliding.window,
    hybrid_block_size: null,
    hybrid_layer_pattern: config.layers.map((layer) => (layer.attention === 'global' ? 0 : 1)),
    partial_rotary_factor: rotaryFactor(global, sliding),
    rope_scaling: null,
    attention_value_scale: config.valueScale,
    add_swa_attention_sink_bias: sliding.sink,
    add_full_attention_sink_bias: global.sink,
    intermediate_size: config.intermediateSize,
    moe_intermediate_size: experts.intermediateSize,
    n_routed_experts: experts.count,
    num_experts_per_tok: experts.perToken,
    n_shared_experts: experts.shared || null,
    moe_layer_freq: config.layers.map((layer) => (layer.feedForward === 'dense' ? 0 : 1)),
    scoring_func: 'sigmoid',
    topk_method: 'noaux_tc',
    n_group: experts.groups,
    topk_group: experts.selectedGroups,
    norm_topk_prob: experts.normalizeWeights,
    routed_scaling_factor: experts.scalingFactor === 1 ? null : experts.scalingFactor,
    num_nextn_predict_layers: config.mtpHeads,
    mtp_hidden: config.mtpHidden === 'pre-norm' ? 'pre_norm' : 'post_norm',
    eos_token_id: config.eosTokenIds.length === 1 ? config.eosTokenIds[0] : config.eosTokenIds,
    pad_token_id: config.padTokenId,
    bos_token_id: config.bosTokenId,
  };
}

function parseFields(json: unknown, where: string): HubConfig {
  const result = hubConfigSchema.safeParse(json, { reportInput: true });
  if (!result.success) throw new UserError(`${where}: ${describeIssue(result.error.issues[0]!)}`);
  return result.data;
}

/** Reports a contradiction; `problem` completes a sentence that begins with the field's name. */
type Fail = (field: string, problem: string) => never;

function describeIssue(issue: z.core.$ZodIssue): string {
  const field = issue.path.map(String).join('.') || 'the file';
  if (issue.input === undefined) return `${field} is missing; it must be ${issue.message}`;
  const found = JSON.stringify(issue.input);
  const shown = found.length > 80 ? `${found.slice(0, 80)}…` : found;
  return `${field} is ${shown}; it must be ${issue.message}`;
}

function parseLayers(hub: HubConfig, fail: Fail): LayerConfig[] {
  const count = hub.num_hidden_layers;
  const { hybrid_layer_pattern: pattern, moe_layer_freq: frequency } = hub;
  checkLength('hybrid_layer_pattern', pattern);
  if (Array.isArray(frequency)) checkLength('moe_layer_freq', frequency);
  return Array.from({ length: count }, (_, index) => ({
    attention: isGlobal(index) ? 'global' : 'sliding',
    feedForward: hasExperts(index) ? 'experts' : 'dense',
  }));

  function isGlobal(index: number): boolean {
    return pattern ? pattern[index] === 0 : index === 0 || (index + 1) % 6 === 0;
  }

  function hasExperts(index: number): boolean {
    if (Array.isArray(frequency)) return frequency[index] === 1;
    return index >= (hub.first_k_dense_replace ?? 1) && index % (frequency ?? 1) === 0;
  }

  function checkLength(field: string, list: unknown[] | null | undefined): void {
    if (!list || list.length === count) return;
    fail(field, `has ${list.length} entries, but num_hidden_layers is ${count}; give one a layer`);
  }
}

function parseAttentions(hub: HubConfig, layers: LayerConfig[], fail: Fail) {
  const window = sameOrFail(hub, 'sliding_window', 'sliding_window_size', fail) ?? null;
  if (window === null && layers.some((layer) => layer.attention === 'sliding')) {
    fail('sliding_window', 'is missing, but hybrid_layer_pattern has sliding-window layers');
  }
  const factor = hub.partial_rotary_factor ?? 1;
  const globalAttention: AttentionConfig = {
    heads: hub.num_attention_heads,
    keyValueHeads: hub.num_key_value_heads,
    headDim: hub.head_dim,
    valueHeadDim: hub.v_head_dim ?? hub.head_dim,
    rotaryDim: Math.trunc(hub.head_dim * factor),
    ropeTheta: hub.rope_theta,
    window: null,
    sink: hub.add_full_attention_sink_bias ?? false,
  };
  const swaHeadDim = hub.swa_head_dim ?? globalAttention.headDim;
  const slidingAttention: AttentionConfig = {
    heads: hub.swa_num_attention_heads ?? globalAttention.heads,
    keyValueHeads: hub.swa_num_key_value_heads ?? globalAttention.keyValueHeads,
    headDim: swaHeadDim,
    valueHeadDim: hub.swa_v_head_dim ?? globalAttention.valueHeadDim,
    rotaryDim: Math.trunc(swaHeadDim * factor),
    ropeTheta: hub.swa_rope_theta ?? globalAttention.ropeTheta,
    window,
    sink: hub.add_swa_attention_sink_bias ?? false,
  };
  checkAttention(globalAttention, '', fail);
  checkAttention(slidingAttention, 'swa_', fail);
  return { globalAttention, slidingAttention };
}

function checkAttention(attention: AttentionConfig, prefix: string, fail: Fail): void {
  const { heads, keyValueHeads, headDim, rotaryDim } = attention;
  if (heads % keyValueHeads !== 0) {
    fail(
      `${prefix}num_attention_heads`,
      `is ${heads}, which is not a multiple of ${prefix}num_key_value_heads ${keyValueHeads}`,
    );
  }
  if (rotaryDim > headDim || rotaryDim % 2 !== 0 || rotaryDim === 0) {
    fail(
      'partial_rotary_factor',
      `rotates ${rotaryDim} of ${prefix}head_dim ${headDim}; it must rotate an even number, ` +
        `from 2 to ${prefix}head_dim`,
    );
  }
}

function parseExperts(hub: HubConfig, layers: LayerConfig[], fail: Fail): ExpertsConfig {
  const experts: ExpertsConfig = {
    count: hub.n_routed_experts ?? 0,
    perToken: hub.num_experts_per_tok ?? 0,
    intermediateSize: hub.moe_intermediate_size ?? 0,
    shared: hub.n_shared_experts ?? 0,
    groups: hub.n_group ?? 1,
    selectedGroups: hub.topk_group ?? 1,
    normalizeWeights: hub.norm_topk_prob ?? true,
    scalingFactor: hub.routed_scaling_factor ?? 1,
  };
  const { count, perToken, groups, selectedGroups } = experts;
  if (layers.some((layer) => layer.feedForward === 'experts')) {
    const needed = 'is missing or 0, but moe_layer_freq gives some layers experts';
    if (count === 0) fail('n_routed_experts', needed);
    if (perToken === 0) fail('num_experts_per_tok', needed);
    if (experts.intermediateSize === 0) fail('moe_intermediate_size', needed);
  }
  if (count % groups !== 0) {
    fail('n_routed_experts', `is ${count}, which is not a multiple of n_group ${groups}`);
  }
  if (selectedGroups > groups) {
    fail('topk_group', `is ${selectedGroups}, more than n_group ${groups}`);
  }
  const open = (count / groups) * selectedGroups;
  if (perToken > open) {
    fail('num_experts_per_tok', `is ${perToken}, but only ${open} experts are open to a token`);
  }
  return experts;
}

/** One value that the hub's files may hold under two names. */
function sameOrFail(
  hub: HubConfig,
  first: 'layernorm_epsilon' | 'sliding_window',
  second: 'rms_norm_eps' | 'sliding_window_size',
  fail: Fail,
): number | null | undefined {
  const one = hub[first];
  const other = hub[second];
  if (one != null && other != null && one !== other) {
    fail(first, `is ${one}, but ${second} is ${other}; they mean the same, so remove one`);
  }
  return one ?? other;
}

/**
 * The shortest decimal factor with trunc(headDim · factor) = rotaryDim in both kinds of layer; for
 * the released model that is 0.334 again.
 */
function rotaryFactor(global: AttentionConfig, sliding: AttentionConfig): number {
  const lowest = Math.max(global.rotaryDim / global.headDim, sliding.rotaryDim / sliding.headDim);
  for (let digits = 0; digits <= 15; digits++) {
    const least = Math.ceil(lowest * 10 ** digits);
    // The next as well: 0.29 · 200 is a little less than 58.
    for (const factor of [least, least + 1].map((value) => value / 10 ** digits)) {
      const fits = [global, sliding].every(
        ({ headDim, rotaryDim }) => Math.trunc(headDim * factor) === rotaryDim,
      );
      if (fits) return factor;
    }
  }
  throw new UserError(
    `rotary dimensions ${global.rotaryDim} of ${global.headDim} and ${sliding.rotaryDim} of ` +
      `${sliding.headDim} have no common partial_rotary_factor; config.json cannot express them`,
  );
}
