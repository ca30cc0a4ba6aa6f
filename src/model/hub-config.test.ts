import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { UserError } from '../errors.ts';
import type { AttentionConfig, ModelConfig } from './config.ts';
import { parseHubConfig, toHubConfig } from './hub-config.ts';

/** The released model's config.json, less the fields that say nothing of the model's shape. */
const flash = {
  architectures: ['MiMoV2FlashForCausalLM'],
  model_type: 'mimo_v2_flash',
  auto_map: { AutoConfig: 'configuration_mimo_v2_flash.MiMoV2FlashConfig' },
  hidden_size: 4096,
  num_hidden_layers: 48,
  vocab_size: 152576,
  max_position_embeddings: 262144,
  tie_word_embeddings: false,
  torch_dtype: 'bfloat16',
  hidden_act: 'silu',
  layernorm_epsilon: 1e-5,
  initializer_range: 0.02,
  attention_bias: false,
  num_attention_heads: 64,
  num_key_value_heads: 4,
  head_dim: 192,
  v_head_dim: 128,
  rope_theta: 5000000,
  swa_num_attention_heads: 64,
  swa_num_key_value_heads: 8,
  swa_head_dim: 192,
  swa_v_head_dim: 128,
  swa_rope_theta: 10000,
  sliding_window: 128,
  sliding_window_size: 128,
  attention_chunk_size: 128,
  hybrid_block_size: null,
  hybrid_layer_pattern: Array.from({ length: 48 }, (_, i) =>
    [0, 5, 11, 17, 23, 29, 35, 41, 47].includes(i) ? 0 : 1,
  ),
  partial_rotary_factor: 0.334,
  rope_scaling: null,
  attention_value_scale: 0.707,
  add_swa_attention_sink_bias: true,
  add_full_attention_sink_bias: false,
  intermediate_size: 16384,
  moe_intermediate_size: 2048,
  n_routed_experts: 256,
  num_experts_per_tok: 8,
  n_shared_experts: null,
  moe_layer_freq: Array.from({ length: 48 }, (_, i) => (i === 0 ? 0 : 1)),
  scoring_func: 'sigmoid',
  topk_method: 'noaux_tc',
  n_group: 1,
  topk_group: 1,
  norm_topk_prob: true,
  routed_scaling_factor: null,
  eos_token_id: 151645,
  pad_token_id: 151643,
  bos_token_id: null,
  quantization_config: {
    quant_method: 'fp8',
    fmt: 'e4m3',
    activation_scheme: 'dynamic',
    weight_block_size: [128, 128],
    ignored_layers: ['model.layers.0.self_attn.o_proj'],
  },
};

function parse(changes: Record<string, unknown> = {}): ModelConfig {
  return parseHubConfig({ ...flash, ...changes }, 'config.json');
}

describe('the released config', () => {
  test('describes 48 layers, 9 of them global, and rotates 64 of 192 dimensions', () => {
    const config = parse();
    const globals = config.layers.flatMap(({ attention }, i) => (attention === 'global' ? i : []));
    expect(globals).toEqual([0, 5, 11, 17, 23, 29, 35, 41, 47]);
    expect(config.layers).toHaveLength(48);
    expect(config.layers.filter(({ feedForward }) => feedForward === 'dense')).toHaveLength(1);
    expect(config.layers[0]!.feedForward).toBe('dense');
    expect(config.globalAttention).toEqual({
      heads: 64,
      keyValueHeads: 4,
      headDim: 192,
      valueHeadDim: 128,
      rotaryDim: 64,
      ropeTheta: 5e6,
      window: null,
      sink: false,
    });
    expect(config.slidingAttention).toEqual({
      heads: 64,
      keyValueHeads: 8,
      headDim: 192,
      valueHeadDim: 128,
      rotaryDim: 64,
      ropeTheta: 1e4,
      window: 128,
      sink: true,
    });
    expect(config.experts).toEqual({
      count: 256,
      perToken: 8,
      intermediateSize: 2048,
      shared: 0,
      groups: 1,
      selectedGroups: 1,
      normalizeWeights: true,
      scalingFactor: 1,
    });
    expect(config).toMatchObject({
      valueScale: flash.attention_value_scale,
      mtpHeads: 0,
      mtpHidden: 'post-norm',
      eosTokenIds: [151645],
      padTokenId: 151643,
      bosTokenId: null,
    });
  });

  test('is written back with the same values, its rotary factor included', () => {
    const written = toHubConfig(parse());
    const { auto_map, torch_dtype, quantization_config, ...own } = flash;
    expect(written).toMatchObject(own);
  });
});

describe('defaults', () => {
  const absent = undefined;

  test('sliding attention is like global attention', () => {
    const config = parse({
      swa_num_attention_heads: absent,
      swa_num_key_value_heads: absent,
      swa_head_dim: absent,
      swa_v_head_dim: absent,
      swa_rope_theta: absent,
      sliding_window: absent,
    });
    const { globalAttention } = config;
    expect(config.slidingAttention).toEqual({ ...globalAttention, window: 128, sink: true });
  });

  test('the layer pattern is global at 0 and at every sixth layer, dense at 0', () => {
    const absentLists = { hybrid_layer_pattern: absent, moe_layer_freq: absent };
    expect(parse(absentLists).layers).toEqual(parse().layers);
  });

  test('moe_layer_freq as a number counts from first_k_dense_replace', () => {
    const config = parse({
      num_hidden_layers: 6,
      hybrid_layer_pattern: absent,
      moe_layer_freq: 2,
      first_k_dense_replace: 3,
    });
    const kinds = config.layers.map(({ feedForward }) => feedForward);
    expect(kinds).toEqual(['dense', 'dense', 'dense', 'dense', 'experts', 'dense']);
  });

  test('both names of the norm epsilon, one token or several, plain rotary scaling', () => {
    const config = parse({
      layernorm_epsilon: absent,
      rms_norm_eps: 1e-6,
      eos_token_id: [1, 2],
      rope_scaling: { rope_type: 'default' },
      num_nextn_predict_layers: 3,
      mtp_hidden: 'pre_norm',
    });
    expect(config).toMatchObject({
      normEpsilon: 1e-6,
      eosTokenIds: [1, 2],
      mtpHeads: 3,
      mtpHidden: 'pre-norm',
    });
  });
});

describe('a config that cannot be right is refused in one line', () => {
  test.each<[Record<string, unknown>, string]>([
    [{ hidden_size: undefined }, 'hidden_size is missing; it must be a positive integer'],
    [{ hidden_size: '64' }, 'hidden_size is "64"; it must be a positive integer'],
    [{ hidden_size: 6.5 }, 'hidden_size is 6.5; it must be a positive integer'],
    [{ vocab_size: 0 }, 'vocab_size is 0; it must be a positive integer'],
    [{ tie_word_embeddings: 'no' }, 'tie_word_embeddings is "no"; it must be true or false'],
    [{ model_type: 'mimo_v2' }, 'model_type is "mimo_v2"; it must be "mimo_v2_flash"'],
    [{ attention_projection_layout: 'fused_qkv' }, 'attention_projection_layout is "fused_qkv"'],
    [{ scoring_func: 'softmax' }, 'scoring_func is "softmax"; it must be "sigmoid"'],
    [{ hidden_act: 'gelu' }, 'hidden_act is "gelu"; it must be "silu"'],
    [{ topk_method: 'greedy' }, 'topk_method is "greedy"; it must be "noaux_tc"'],
    [{ attention_bias: true }, 'attention_bias is true; it must be false'],
    [{ rope_scaling: { type: 'yarn', factor: 4 } }, 'rope_scaling is {"type":"yarn","factor":4}'],
    [{ quantization_config: { quant_method: 'awq' } }, 'quantization_config.quant_method is "awq"'],
    [
      { quantization_config: { quant_method: 'fp8', weight_block_size: [64, 128] } },
      'quantization_config.weight_block_size.0 is 64; it must be 128',
    ],
    [{ mtp_hidden: 'both' }, 'mtp_hidden is "both"; it must be "post_norm" or "pre_norm"'],
    [{ layernorm_epsilon: undefined }, 'layernorm_epsilon is missing'],
    [{ rms_norm_eps: 1e-6 }, 'layernorm_epsilon is 0.00001, but rms_norm_eps is 0.000001'],
    [{ sliding_window: 64 }, 'sliding_window is 64, but sliding_window_size is 128'],
    [{ sliding_window: null, sliding_window_size: null }, 'sliding_window is missing'],
    [{ hybrid_layer_pattern: [0, 1] }, 'hybrid_layer_pattern has 2 entries, but num_hidden_layers'],
    [{ moe_layer_freq: [0, 1] }, 'moe_layer_freq has 2 entries, but num_hidden_layers is 48'],
    [{ hybrid_layer_pattern: [0, 2] }, 'hybrid_layer_pattern.1 is 2; it must be 0 or 1'],
    [{ num_key_value_heads: 7 }, 'num_attention_heads is 64, which is not a multiple of num_key'],
    [{ swa_num_key_value_heads: 7 }, 'swa_num_attention_heads is 64, which is not a multiple of'],
    [{ partial_rotary_factor: 1.5 }, 'partial_rotary_factor rotates 288 of head_dim 192'],
    [{ partial_rotary_factor: 0.34 }, 'partial_rotary_factor rotates 65 of head_dim 192'],
    [{ partial_rotary_factor: 0.001 }, 'partial_rotary_factor rotates 0 of head_dim 192'],
    [{ swa_head_dim: 9 }, 'partial_rotary_factor rotates 3 of swa_head_dim 9'],
    [{ num_experts_per_tok: 257 }, 'num_experts_per_tok is 257, but only 256 experts are open'],
    [{ n_group: 3 }, 'n_routed_experts is 256, which is not a multiple of n_group 3'],
    [{ topk_group: 2 }, 'topk_group is 2, more than n_group 1'],
    [{ n_group: 64 }, 'num_experts_per_tok is 8, but only 4 experts are open to a token'],
    [{ n_routed_experts: null }, 'n_routed_experts is missing or 0, but moe_layer_freq gives'],
    [{ num_experts_per_tok: null }, 'num_experts_per_tok is missing or 0'],
    [{ moe_intermediate_size: null }, 'moe_intermediate_size is missing or 0'],
    [{ eos_token_id: [1, 152576] }, 'eos_token_id is 152576, which is not below vocab_size 152576'],
    [{ pad_token_id: -1 }, 'pad_token_id is -1; it must be an integer, 0 or more'],
  ])('%j', (changes, message) => {
    expect(() => parse(changes)).toThrow(UserError);
    expect(() => parse(changes)).toThrow(`config.json: ${message}`);
    expect(() => parse(changes)).not.toThrow('\n');
  });

  test.each([[null], [[]], ['text'], [7]])('%j is not a config', (json) => {
    expect(() => parseHubConfig(json, 'config.json')).toThrow('it must be a JSON object');
  });
});

const attention = fc
  .record({
    keyValueHeads: fc.integer({ min: 1, max: 8 }),
    queriesPerKey: fc.integer({ min: 1, max: 8 }),
    headDim: fc.integer({ min: 2, max: 256 }),
    valueHeadDim: fc.integer({ min: 1, max: 256 }),
    ropeTheta: fc.integer({ min: 1, max: 1e8 }),
    sink: fc.boolean(),
  })
  .map(({ queriesPerKey, ...rest }) => ({ ...rest, heads: queriesPerKey * rest.keyValueHeads }));

const modelConfig: fc.Arbitrary<ModelConfig> = fc
  .record({
    hiddenSize: fc.integer({ min: 1, max: 8192 }),
    vocabSize: fc.integer({ min: 1000, max: 200_000 }),
    maxPositions: fc.integer({ min: 1, max: 1 << 20 }),
    tieWordEmbeddings: fc.boolean(),
    normEpsilon: fc.double({ min: 1e-12, max: 1, noNaN: true }),
    initializerRange: fc.double({ min: 1e-6, max: 1, noNaN: true }),
    layers: fc.array(
      fc.record({
        attention: fc.constantFrom('global' as const, 'sliding' as const),
        feedForward: fc.constantFrom('dense' as const, 'experts' as const),
      }),
      { minLength: 1, maxLength: 12 },
    ),
    global: attention,
    sliding: attention,
    rotaryFactor: fc.double({ min: 0.01, max: 1, noNaN: true }),
    window: fc.integer({ min: 1, max: 4096 }),
    valueScale: fc.double({ min: 0.01, max: 10, noNaN: true }),
    intermediateSize: fc.integer({ min: 1, max: 16384 }),
    experts: fc.record({
      count: fc.constantFrom(8, 64, 256),
      perToken: fc.integer({ min: 1, max: 4 }),
      intermediateSize: fc.integer({ min: 1, max: 4096 }),
      shared: fc.integer({ min: 0, max: 2 }),
      groups: fc.constantFrom(1, 2),
      selectedGroups: fc.constant(1),
      normalizeWeights: fc.boolean(),
      scalingFactor: fc.constantFrom(1, 2.5),
    }),
    mtpHeads: fc.integer({ min: 0, max: 4 }),
    mtpHidden: fc.constantFrom('post-norm' as const, 'pre-norm' as const),
    eosTokenIds: fc.array(fc.integer({ min: 0, max: 999 }), { maxLength: 3 }),
    padTokenId: fc.option(fc.integer({ min: 0, max: 999 })),
    bosTokenId: fc.option(fc.integer({ min: 0, max: 999 })),
  })
  .map(({ global, sliding, rotaryFactor, window, ...rest }) => ({
    ...rest,
    globalAttention: rotate(global, rotaryFactor, null),
    slidingAttention: rotate(sliding, rotaryFactor, window),
  }))
  .filter(({ globalAttention, slidingAttention }) =>
    [globalAttention, slidingAttention].every(
      ({ rotaryDim }) => rotaryDim > 0 && rotaryDim % 2 === 0,
    ),
  );

function rotate(
  attention: Omit<AttentionConfig, 'rotaryDim' | 'window'>,
  factor: number,
  window: number | null,
): AttentionConfig {
  return { ...attention, rotaryDim: Math.trunc(attention.headDim * factor), window };
}

test('a message shows no more than the head of a long value', () => {
  const name = 'x'.repeat(10_000);
  expect(() => parse({ model_type: name })).toThrow(/^.{60,200}$/);
});

describe('writing', () => {
  test('what is written reads back as the same model', () => {
    fc.assert(
      fc.property(modelConfig, (config) => {
        const text = JSON.stringify(toHubConfig(config));
        expect(parseHubConfig(JSON.parse(text), 'config.json')).toEqual(config);
      }),
    );
  });

  test('a rotary factor whose product is rounded down has another beside it', () => {
    const { globalAttention, slidingAttention, ...rest } = parse();
    const config = {
      ...rest,
      globalAttention: { ...globalAttention, headDim: 200, rotaryDim: 58 },
      slidingAttention: { ...slidingAttention, headDim: 200, rotaryDim: 58 },
    };
    const text = JSON.stringify(toHubConfig(config));
    expect(parseHubConfig(JSON.parse(text), 'config.json')).toEqual(config);
  });

  test('what the hub has no words for is refused', () => {
    const config = parse();
    const { globalAttention, slidingAttention } = config;
    const windowed = { ...config, globalAttention: { ...globalAttention, window: 8 } };
    expect(() => toHubConfig(windowed)).toThrow('global attention has a window');
    const windowless = { ...config, slidingAttention: { ...slidingAttention, window: null } };
    expect(() => toHubConfig(windowless)).toThrow('sliding attention has no window');
    const mixed = { ...config, slidingAttention: { ...slidingAttention, rotaryDim: 192 } };
    expect(() => toHubConfig(mixed)).toThrow('no common partial_rotary_factor');
  });
});
