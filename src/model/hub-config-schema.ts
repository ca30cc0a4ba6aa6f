/**
 * The fields of a hub `config.json` that we read, their types and what is supported of each. Other
 * fields are let through unread. Every message completes the sentence "it must be …".
 */
import { z } from 'zod';
import { groupSize } from '../tensor/quantized-matrix.ts';

const positive = z.int('a positive integer').min(1, 'a positive integer');
const natural = z.int('an integer, 0 or more').min(0, 'an integer, 0 or more');
const positiveNumber = z.number('a positive number').positive('a positive number');
const flag = z.boolean('true or false');
const zeroOrOne = z.union([z.literal(0), z.literal(1)], '0 or 1');
const tokenIds = 'a token id or a list of token ids';

/** `rope_scaling` objects that mean plain rotary embeddings. */
const noScaling = z.union(
  [z.object({ rope_type: z.literal('default') }), z.object({ type: z.literal('default') })],
  'null, for scaled rotary embeddings are not supported',
);

const blockSize = z.literal(128, '128, the only block size supported');
const fp8 = z.looseObject({
  quant_method: z.literal('fp8'),
  fmt: z.literal('e4m3', '"e4m3", the only FP8 format supported').optional(),
  weight_block_size: z.tuple([blockSize, blockSize], '[128, 128]'),
});
/** Our own: see `QuantizedRows`. */
const groups = z.looseObject({
  quant_method: z.literal('mimoflash'),
  bits: z.union([z.literal(8), z.literal(4)], '8 or 4'),
  group_size: z.literal(groupSize, `${groupSize}, the only group size supported`),
});
const methods = z.enum(['fp8', 'mimoflash'], '"fp8" or "mimoflash", the quantisations supported');
const quantization = z
  .looseObject({ quant_method: methods }, 'an object or null')
  .pipe(z.discriminatedUnion('quant_method', [fp8, groups]));

export const hubConfigSchema = z.looseObject(
  {
    attention_projection_layout: z
      .literal('split', '"split", for fused query-key-value weights are not supported')
      .nullish(),
    model_type: z.literal('mimo_v2_flash', '"mimo_v2_flash", the only model supported'),
    hidden_act: z.literal('silu', '"silu", the only activation supported').nullish(),
    scoring_func: z.literal('sigmoid', '"sigmoid", the only router scoring supported').nullish(),
    topk_method: z.literal('noaux_tc', '"noaux_tc", the only routing supported').nullish(),
    attention_bias: z.literal(false, 'false, for attention biases are not supported').nullish(),
    rope_scaling: noScaling.nullish(),
    quantization_config: quantization.nullish(),

    hidden_size: positive,
    num_hidden_layers: positive,
    vocab_size: positive,
    max_position_embeddings: positive,
    tie_word_embeddings: flag.nullish(),
    layernorm_epsilon: positiveNumber.nullish(),
    rms_norm_eps: positiveNumber.nullish(),
    initializer_range: positiveNumber.nullish(),

    num_attention_heads: positive,
    num_key_value_heads: positive,
    head_dim: positive,
    v_head_dim: positive.nullish(),
    rope_theta: positiveNumber,
    swa_num_attention_heads: positive.nullish(),
    swa_num_key_value_heads: positive.nullish(),
    swa_head_dim: positive.nullish(),
    swa_v_head_dim: positive.nullish(),
    swa_rope_theta: positiveNumber.nullish(),
    partial_rotary_factor: positiveNumber.nullish(),
    attention_value_scale: positiveNumber.nullish(),
    sliding_window: positive.nullish(),
    sliding_window_size: positive.nullish(),
    add_swa_attention_sink_bias: flag.nullish(),
    add_full_attention_sink_bias: flag.nullish(),
    hybrid_layer_pattern: z.array(zeroOrOne, 'a list of 0 and 1').nullish(),

    intermediate_size: positive,
    moe_layer_freq: z
      .union([positive, z.array(zeroOrOne)], 'a positive integer or a list of 0 and 1')
      .nullish(),
    first_k_dense_replace: natural.nullish(),
    n_routed_experts: natural.nullish(),
    num_experts_per_tok: natural.nullish(),
    moe_intermediate_size: natural.nullish(),
    n_shared_experts: natural.nullish(),
    n_group: positive.nullish(),
    topk_group: positive.nullish(),
    norm_topk_prob: flag.nullish(),
    routed_scaling_factor: positiveNumber.nullish(),

    num_nextn_predict_layers: natural.nullish(),
    /** Ours: the public engines disagree on it, so it is a switch (default `post_norm`). */
    mtp_hidden: z.enum(['post_norm', 'pre_norm'], '"post_norm" or "pre_norm"').nullish(),

    eos_token_id: z.union([natural, z.array(natural)], tokenIds).nullish(),
    pad_token_id: natural.nullish(),
    bos_token_id: natural.nullish(),
  },
  'a JSON object',
);

export type HubConfig = z.infer<typeof hubConfigSchema>;
