/** The body of SGLang's `/generate`, of which this is a subset (`GenerateReqInput`). */
import { z } from 'zod';
import { samplingFields, stopString } from '../generation/request.ts';

const tokenIds = z.array(z.int().nonnegative());
const texts = z
  .union([stopString(), z.array(stopString()).max(16)])
  .nullish()
  .transform((stop) => (typeof stop === 'string' ? [stop] : (stop ?? [])));

const samplingParameters = z.strictObject({
  temperature: samplingFields.temperature,
  top_p: samplingFields.top_p,
  top_k: samplingFields.top_k,
  min_p: samplingFields.min_p,
  presence_penalty: samplingFields.presence_penalty,
  frequency_penalty: samplingFields.frequency_penalty,
  repetition_penalty: samplingFields.repetition_penalty,
  logit_bias: samplingFields.logit_bias,
  sampling_seed: z.int().nullish(),
  max_new_tokens: z.int().min(0).nullish(),
  stop: texts,
  stop_token_ids: samplingFields.stop_token_ids,
  ignore_eos: samplingFields.ignore_eos,
  skip_special_tokens: z.boolean().nullish(),
  no_stop_trim: z.boolean().nullish(),
  // Tokens of byte-level BPE carry their own spaces, so both values mean the same.
  spaces_between_special_tokens: z.boolean().nullish(),
  /** A schema, as text or as it is. */
  json_schema: z.union([z.string(), z.record(z.string(), z.unknown())]).nullish(),
  regex: z.string().max(10_000).nullish(),
  n: z.int().min(1).max(128).nullish(),
});

export const generateSchema = z
  .strictObject({
    text: z.union([z.string(), z.array(z.string()).min(1)]).nullish(),
    input_ids: z.union([tokenIds.min(1), z.array(tokenIds).min(1)]).nullish(),
    sampling_params: z.union([samplingParameters, z.array(samplingParameters)]).nullish(),
    stream: z.boolean().nullish(),
    rid: z.string().min(1).nullish(),
    return_logprob: z.boolean().nullish(),
    /** Where in the prompt log-probabilities begin; −1 for the answer only. */
    logprob_start_len: z.int().min(-1).nullish(),
    top_logprobs_num: z.int().min(0).max(20).nullish(),
    return_text_in_logprobs: z.boolean().nullish(),
    return_routed_experts: z.boolean().nullish(),
    routed_experts_start_len: z.int().min(0).nullish(),
    return_prompt_token_ids: z.boolean().nullish(),
    /** Turns of one conversation, whose caches are its own. */
    session_id: z.string().min(1).nullish(),
    extra_key: z.string().min(1).nullish(),
    cache_salt: z.string().min(1).nullish(),
  })
  .refine(({ text, input_ids }) => (text == null) !== (input_ids == null), {
    path: ['input_ids'],
    message: 'send either input_ids or text',
  });

export type GenerateBody = z.output<typeof generateSchema>;
export type GenerateSampling = z.output<typeof samplingParameters>;
