/** The contract that trainers have with an SGLang server. */
import { mkdir, mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestServer, type TestServer, text, until } from './test-server.ts';

let server: TestServer;
let root: string;

beforeAll(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'mimoflash-weights-')));
  await mkdir(join(root, 'weight_v000123'));
  await mkdir(join(root, 'broken'));
  server = await startTestServer({ weightsRoot: root });
});
afterAll(async () => {
  await server.close();
  await rm(root, { recursive: true });
});

interface Output {
  text: string;
  output_ids: number[];
  meta_info: {
    finish_reason: { type: string; matched?: unknown; length?: number } | null;
    prompt_tokens: number;
    completion_tokens: number;
    cached_tokens: number;
    weight_version: string;
    input_token_logprobs: [number | null, number, string | null][];
    output_token_logprobs: [number, number, string | null][];
    output_top_logprobs: [number, number, string | null][][];
    routed_experts: string;
    routed_experts_shape: number[];
    spec_verify_ct: number;
    spec_draft_token_num: number;
    spec_accept_token_num: number;
  };
}

const encode = (words: string) => text.tokenizer.encode(words);
const end = text.tokenizer.idOf('<|im_end|>')!;
const question = 'Hello you, how is the weather?';
const prompt = encode(question);

async function generate<Result = Output>(body: object): Promise<Result> {
  const response = await server.request('/generate', { input_ids: prompt, ...body });
  expect(response.status).toBe(200);
  return (await response.json()) as Result;
}

async function events(body: object): Promise<Output[]> {
  const response = await server.request('/generate', { input_ids: prompt, stream: true, ...body });
  const lines = (await response.text()).split('\n\n').filter((line) => line !== '');
  expect(lines.pop()).toBe('data: [DONE]');
  return lines.map((line) => JSON.parse(line.slice('data: '.length)));
}

describe('an answer', () => {
  test('ids in and out, with one log-probability for each', async () => {
    server.says('Hi 你');
    const {
      text: said,
      output_ids,
      meta_info,
    } = await generate({
      sampling_params: { max_new_tokens: 40, temperature: 1 },
      return_logprob: true,
      top_logprobs_num: 2,
    });
    expect(said).toBe('Hi 你');
    expect(output_ids).toEqual([...encode('Hi 你'), end]);
    expect(meta_info).toMatchObject({
      finish_reason: { type: 'stop', matched: end },
      prompt_tokens: prompt.length,
      completion_tokens: output_ids.length,
      cached_tokens: 2,
      weight_version: 'v0',
      weight_versions: [{ version: 'v0', start: 0, end: output_ids.length }],
      spec_verify_ct: 2,
      spec_draft_token_num: 4,
      spec_accept_token_num: 3,
    });
    expect(meta_info.output_token_logprobs).toEqual(output_ids.map((id) => [-id / 1000, id, null]));
    expect(meta_info.output_top_logprobs.map((top) => top.length)).toEqual(output_ids.map(() => 2));
    expect(meta_info.input_token_logprobs).toBeUndefined();
  });

  test('several of one prompt are a list, with seeds one after another', async () => {
    server.says('Hi');
    const before = server.engine.requests.length;
    const several = await generate<Output[]>({ sampling_params: { n: 3, sampling_seed: 7 } });
    expect(several.map(({ text: said }) => said)).toEqual(['Hi', 'Hi', 'Hi']);
    expect(server.engine.requests.slice(before).map(({ seed }) => seed)).toEqual([7, 8, 9]);
  });

  test('scores a prompt: entry 0 has no log-probability, and nothing is generated', async () => {
    const { output_ids, meta_info } = await generate({
      sampling_params: { max_new_tokens: 0, temperature: 1 },
      return_logprob: true,
      logprob_start_len: 0,
      return_text_in_logprobs: true,
    });
    expect(output_ids).toEqual([]);
    expect(meta_info.output_token_logprobs).toEqual([]);
    expect(meta_info.input_token_logprobs.map(([logprob, id]) => [logprob, id])).toEqual(
      prompt.map((id, i) => [i === 0 ? null : -id / 1000, id]),
    );
    expect(meta_info.input_token_logprobs.map(([, , token]) => token).join('')).toBe(question);
  });

  test('scores the end of a prompt', async () => {
    const { meta_info } = await generate({
      sampling_params: { max_new_tokens: 0 },
      return_logprob: true,
      logprob_start_len: 2,
    });
    expect(meta_info.input_token_logprobs.map(([logprob, id]) => [logprob, id])).toEqual(
      prompt.slice(2).map((id, i) => [i === 0 ? null : -id / 1000, id]),
    );
  });

  test('streams what there is so far', async () => {
    server.says('Hi you', { pass: 2 });
    const all = await events({ sampling_params: { max_new_tokens: 40 }, return_logprob: true });
    const last = all.at(-1)!;
    expect(last.text).toBe('Hi you');
    expect(last.meta_info.finish_reason).toEqual({ type: 'stop', matched: end });
    for (const { text: said, output_ids, meta_info } of all) {
      expect(last.text.startsWith(said)).toBe(true);
      expect(last.output_ids.slice(0, output_ids.length)).toEqual(output_ids);
      expect(meta_info.output_token_logprobs).toHaveLength(output_ids.length);
    }
  });

  test('is ended by length, a text or a token, which may stay', async () => {
    server.says('one STOP two');
    const params = (sampling_params: object) => generate({ sampling_params });
    expect(await params({ max_new_tokens: 2 })).toMatchObject({
      meta_info: { finish_reason: { type: 'length', length: 2 }, completion_tokens: 2 },
    });
    expect(await params({ stop: ' STOP' })).toMatchObject({
      text: 'one',
      meta_info: { finish_reason: { type: 'stop', matched: ' STOP' } },
    });
    expect(await params({ stop: [' STOP'], no_stop_trim: true })).toMatchObject({
      text: 'one STOP',
    });
    expect(await params({ no_stop_trim: true })).toMatchObject({ text: 'one STOP two<|im_end|>' });
    await params({ ignore_eos: true, stop_token_ids: [7] });
    expect(server.engine.requests.at(-1)!.stopTokens).toEqual([7]);
  });

  test('of each prompt of a batch', async () => {
    server.engine.script = ({ prompt }) => ({ tokens: prompt });
    const outputs = await generate<Output[]>({
      input_ids: [encode('one'), encode('two')],
      sampling_params: [{ max_new_tokens: 50 }, { max_new_tokens: 1 }],
    });
    expect(outputs[0]!.text).toBe('one');
    expect(outputs[1]!.meta_info.completion_tokens).toBe(1);
    const { input_ids: _, ...noIds } = { input_ids: null };
    const single = await server.request('/generate', { text: ['one'], ...noIds });
    expect(await single.json()).toMatchObject([{ text: 'one' }]);
  });

  test('asks the engine for what was asked', async () => {
    server.says('ok');
    const sampling_params = { temperature: 0.5, top_k: -1, sampling_seed: 3, max_new_tokens: 5 };
    await generate({ sampling_params, extra_key: 'trajectory-1', session_id: 's' });
    expect(server.engine.requests.at(-1)).toMatchObject({
      sampling: { temperature: 0.5, topK: 0 },
      seed: 3,
      maxTokens: 5,
      cacheSalt: 'trajectory-1',
      session: 's',
    });
  });
});

describe('routed experts', () => {
  const routes = async (from?: number) => {
    server.says('Hi');
    const { meta_info, output_ids } = await generate({
      return_routed_experts: true,
      ...(from !== undefined && { routed_experts_start_len: from }),
    });
    const bytes = Buffer.from(meta_info.routed_experts, 'base64');
    const flat = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    const [rows, layers, perToken] = meta_info.routed_experts_shape;
    return { flat: [...flat], rows, width: layers! * perToken!, tokens: output_ids.length };
  };

  test('one row for every token but the last', async () => {
    const { flat, rows, width, tokens } = await routes();
    expect(rows).toBe(prompt.length + tokens - 1);
    expect(flat).toHaveLength(rows! * width);
    // The scripted engine's routes tell their position.
    const { count } = server.engine.config.experts;
    expect(flat.filter((_, i) => i % width === 0)).toEqual(
      Array.from({ length: rows! }, (_, position) => position % count),
    );
  });

  test('of the new part only, the rest of the same', async () => {
    const all = await routes();
    const { flat, rows } = await routes(3);
    expect(rows).toBe(all.rows! - 3);
    expect(flat).toEqual(all.flat.slice(3 * all.width));
  });
});

describe('control', () => {
  test('new weights are seen in what follows', async () => {
    server.says('ok');
    const path = join(root, 'weight_v000123');
    const named = await server.request('/update_weights_from_disk', {
      model_path: path,
      weight_version: 'step-7',
      token_step: 0,
    });
    expect(await named.json()).toMatchObject({ success: true, num_paused_requests: 0 });
    expect((await generate({})).meta_info.weight_version).toBe('step-7');
    await server.request('/update_weights_from_disk', { model_path: path });
    expect(await (await server.request('/get_model_info')).json()).toEqual({
      model_path: path,
      tokenizer_path: path,
      is_generation: true,
      weight_version: 'weight_v000123',
    });
  });

  test('a checkpoint that does not load leaves the present one serving', async () => {
    const { weightVersion } = server.engine;
    const body = { model_path: join(root, 'broken') };
    const response = await server.request('/update_weights_from_disk', body);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      success: false,
      message: expect.stringMatching(/broken: is broken; the present weights stay/),
    });
    expect((await generate({})).meta_info.weight_version).toBe(weightVersion);
  });

  test('weights come from the folder that was allowed, and no other', async () => {
    const update = (model_path: string, from = server) =>
      from.request('/update_weights_from_disk', { model_path });
    expect((await update(tmpdir())).status).toBe(403);
    expect((await update(join(root, '..'))).status).toBe(403);
    expect((await update(join(root, 'missing'))).status).toBe(400);
    const closed = await startTestServer();
    const refused = await update(root, closed);
    expect(refused.status).toBe(403);
    expect(await refused.text()).toMatch(/--weights-root/);
    await closed.close();
  });

  test('an aborted request gives what it has', async () => {
    server.says('la '.repeat(400), { delay: 2 });
    const answer = generate({ rid: 'mine', sampling_params: { max_new_tokens: 1000 } });
    await until(() => server.engine.running === 1);
    const other = await server.request('/abort_request', { rid: 'other' });
    expect(await other.json()).toEqual({ aborted: 0 });
    await new Promise((resolve) => setTimeout(resolve, 50));
    await server.request('/abort_request', { rid: 'mine' });
    const { meta_info, output_ids, text: said } = await answer;
    expect(meta_info.finish_reason!.type).toBe('abort');
    expect(output_ids.length).toBeGreaterThan(0);
    expect('la '.repeat(400).startsWith(said)).toBe(true);
  });
});

describe('errors', () => {
  test.each<[object, string]>([
    [{ input_ids: undefined }, 'input_ids'],
    [{ text: 'x' }, 'input_ids'],
    [{ input_ids: [1, 9999] }, 'input_ids[1]'],
    [{ input_ids: [[1], []] }, 'input_ids[1]'],
    [{ input_ids: new Array(3000).fill(5) }, 'input_ids'],
    [{ sampling_params: { temperature: -1 } }, 'sampling_params.temperature'],
    [{ sampling_params: { regex: '(' } }, 'sampling_params.regex'],
    [{ sampling_params: { json_schema: '{' } }, 'sampling_params.json_schema'],
    [{ sampling_params: { json_schema: { not: {} } } }, 'sampling_params.json_schema'],
    [{ sampling_params: { ebnf: 'root ::= x' } }, 'sampling_params.ebnf'],
    [{ sampling_params: { n: 0 } }, 'sampling_params.n'],
    [{ sampling_params: [{}, {}] }, 'sampling_params'],
    [{ return_logprob: true, logprob_start_len: 50 }, 'logprob_start_len'],
    [{ return_routed_experts: true, routed_experts_start_len: 50 }, 'routed_experts_start_len'],
    [{ session_id: 's', sampling_params: { n: 2 } }, 'session_id'],
    [{ lora_path: 'x' }, 'lora_path'],
  ])('%o names %s', async (body, field) => {
    const response = await server.request('/generate', { input_ids: prompt, ...body });
    expect(response.status).toBe(400);
    const { error } = (await response.json()) as { error: { param: string } };
    expect(error.param).toBe(field);
  });
});

describe('tokens', () => {
  test('of texts', async () => {
    const single = await server.request('/tokenize', {
      prompt: 'Hello 你🙂',
      return_token_strs: true,
    });
    const answer = (await single.json()) as { tokens: number[]; count: number };
    expect(answer.tokens).toEqual(encode('Hello 你🙂'));
    expect(answer.count).toBe(answer.tokens.length);
    const back = await server.request('/detokenize', { tokens: answer.tokens });
    expect(await back.json()).toMatchObject({ text: 'Hello 你🙂' });
    const several = await server.request('/tokenize', { prompt: ['a', 'b'] });
    expect(await several.json()).toMatchObject({ tokens: [encode('a'), encode('b')] });
  });

  test('of a chat, as it will be answered', async () => {
    server.says('ok');
    const messages = [{ role: 'user', content: 'Hi' }];
    const tokenized = await server.request('/tokenize', { messages });
    await server.request('/v1/chat/completions', { messages });
    expect(await tokenized.json()).toMatchObject({ tokens: server.engine.requests.at(-1)!.prompt });
  });
});
