import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { sample, written } from '../../../test/rl/rollouts.ts';
import { tinyConfig } from '../../../test/tiny-config.ts';
import { byteText } from '../../../test/train/byte-text.ts';
import { createReferenceDevice } from '../../device/reference/device.ts';
import { initializeModel } from '../../model/initialize.ts';
import { releaseModel, type TrainableModel } from '../../model/weights.ts';
import { EngineService } from '../../serve/engine-service.ts';
import { type RunningServer, startServer } from '../../serve/server.ts';
import { ChatTemplate } from '../../text/chat-template.ts';
import { Tokenizer } from '../../text/tokenizer.ts';
import { MIMO_ADDED_TOKENS, tokenizerJson } from '../../text/tokenizer-json.ts';
import type { Trajectory } from '../trajectory.ts';
import { ModelTeacher } from './model-teacher.ts';
import { Requester } from './requester.ts';
import { assertSameServerText } from './same-text.ts';
import { ServerTeacher, type ServerTeacherOptions } from './server-teacher.ts';
import { TeacherFailure } from './teacher.ts';

const text = byteText();
const { vocabSize } = text.tokenizer;
const config = tinyConfig({ vocabSize, eosTokenIds: [text.tokenizer.idOf('<|im_end|>')!] });

describe("a teacher behind this project's server", () => {
  const device = createReferenceDevice();
  const load = () => initializeModel(device, config, 2);
  let student: TrainableModel;
  let drawn: Trajectory[];
  let engine: EngineService;
  let server: RunningServer;

  beforeAll(async () => {
    student = await initializeModel(device, config, 1);
    drawn = await sample(student, { prompts: [[65, 66, 67], [70]], samples: 2, maxTokens: 6 });
    engine = new EngineService(await load(), 'first', { vocabSize });
    server = await startServer({ engine, text, modelName: 'teacher', modelPath: 'teacher' });
  });

  afterAll(async () => {
    await server.close();
    await engine.release();
    releaseModel(student);
  });

  test('scores as the same model in this process does', async () => {
    const near = new ModelTeacher('near', { load, resident: true, microBatchTokens: 64 });
    const far = new ServerTeacher({ url: `${server.url}/`, concurrency: 2 });
    const [here, there] = [await near.score(drawn, 3), await far.score(drawn, 3)];
    there.forEach((result, i) => {
      const local = here[i]!;
      if (result instanceof TeacherFailure || local instanceof TeacherFailure) throw result;
      result.logprobs.forEach((logprob, t) => {
        expect(logprob).toBeCloseTo(local.logprobs[t]!, 4);
      });
      expect(result.top!.tokens).toEqual(local.top!.tokens);
      result.top!.logprobs.forEach((logprob, t) => {
        expect(logprob).toBeCloseTo(local.top!.logprobs[t]!, 4);
      });
    });
    await near.close();
  });

  test('is compared with the student before anything is sampled', async () => {
    const requester = new Requester({ url: server.url, attempts: 1 });
    const check = (student: typeof text, checkTemplate = true) =>
      assertSameServerText('far', requester, student, { checkTemplate });
    await check(text);
    const other = { ...text, chatTemplate: new ChatTemplate("{{ messages[0]['content'] }}") };
    await expect(check(other)).rejects.toThrow(
      'teacher far: it renders a chat to other tokens than the student does; a teacher must have learnt',
    );
    await check(other, false);
    // One that differs in nothing but how it tells of tools.
    const { source } = text.chatTemplate;
    const tools = {
      ...text,
      chatTemplate: new ChatTemplate(`{% if tools %}!{% endif %}${source}`),
    };
    await expect(check(tools)).rejects.toThrow(/renders a chat to other tokens/);
    await check({ ...text, chatTemplate: new ChatTemplate(`{% if false %}!{% endif %}${source}`) });
    const swapped = [...MIMO_ADDED_TOKENS].reverse();
    const tokenizer = new Tokenizer(tokenizerJson([], swapped));
    await expect(check({ ...text, tokenizer })).rejects.toThrow(
      /^teacher far: says otherwise what tokens 0 to \d+ are; a teacher must have the student's vocabulary/,
    );
  });

  test('that cannot be asked is an error in one line', async () => {
    const requester = new Requester({ url: 'http://127.0.0.1:1', attempts: 1 });
    await expect(
      assertSameServerText('far', requester, text, { checkTemplate: true }),
    ).rejects.toThrow(
      /^cannot compare its vocabulary and template: teacher http:\/\/127.0.0.1:1: /,
    );
  });
});

describe('a server that fails', () => {
  const trajectory = written([-1, -2]);
  const scored = {
    meta_info: {
      input_token_logprobs: [
        [null, 1, null],
        [-0.5, 2, null],
        [-0.25, 3, null],
      ],
    },
  };
  const send =
    (body: unknown, status = 200) =>
    (response: ServerResponse) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(typeof body === 'string' ? body : JSON.stringify(body));
    };

  /** A server that answers with each of these in turn, and the last one from then on. */
  async function teacherOf(
    answers: ((response: ServerResponse) => void)[],
    limits: Partial<ServerTeacherOptions> = {},
  ) {
    const bodies: unknown[] = [];
    const server = createServer((request, response) => {
      let body = '';
      request.on('data', (part) => {
        body += part;
      });
      request.on('end', () => {
        bodies.push(JSON.parse(body));
        (answers[bodies.length - 1] ?? answers.at(-1)!)(response);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return { teacher: new ServerTeacher({ url, backoffSeconds: 0.001, ...limits }), bodies };
  }

  test('for a moment is asked again', async () => {
    const { teacher, bodies } = await teacherOf([send('busy', 429), send('', 503), send(scored)]);
    const [result] = await teacher.score([trajectory], 0);
    expect(result).toEqual({ logprobs: Float32Array.of(0, -0.5, -0.25), top: null });
    expect(bodies).toHaveLength(3);
    expect(bodies[0]).toEqual({
      input_ids: [1, 2, 3],
      sampling_params: { temperature: 1, max_new_tokens: 0 },
      return_logprob: true,
      logprob_start_len: 0,
    });
  });

  const other = (change: object) => ({ meta_info: { ...scored.meta_info, ...change } });
  test.each([
    [
      'with an error, each time',
      send('overloaded', 500),
      'unreachable',
      3,
      /status 500: overloaded \(attempt 3 of 3\)$/,
    ],
    ['by refusing, once', send('too long', 400), 'refused', 1, /status 400: too long$/],
    ['with nonsense', send('<html>'), 'malformed', 3, /the answer is not what it should be/],
    [
      'with too few tokens',
      send(other({ input_token_logprobs: [] })),
      'malformed',
      1,
      /scored 0 tokens and not 3/,
    ],
    [
      'with other tokens',
      send(
        other({
          input_token_logprobs: [
            [null, 1],
            [-1, 9],
            [-1, 3],
          ],
        }),
      ),
      'malformed',
      1,
      /token 1 is 2, and it scored 9 as -1/,
    ],
    [
      'with what is no log-probability',
      send(
        other({
          input_token_logprobs: [
            [null, 1],
            [0.755, 2],
            [-1, 3],
          ],
        }),
      ),
      'malformed',
      1,
      /has log-probability 0.75\d* at token 1 of trajectory written/,
    ],
  ] as const)('%s, is a failure of that trajectory', async (_, answer, reason, requests, message) => {
    const { teacher, bodies } = await teacherOf([answer]);
    const [result] = await teacher.score([trajectory], 0);
    expect(result).toBeInstanceOf(TeacherFailure);
    expect(result).toMatchObject({ kind: 'teacher', reason });
    expect((result as TeacherFailure).message).toMatch(message);
    expect(bodies).toHaveLength(requests);
  });

  test('to tell of top tokens does not pass for one that does', async () => {
    const { teacher } = await teacherOf([send(scored)]);
    const [result] = await teacher.score([trajectory], 2);
    expect(result).toMatchObject({ reason: 'malformed' });
    expect((result as TeacherFailure).message).toMatch(/told of 0 top tokens at 1, and not of 2/);
  });

  test.each([
    [0.5, 7],
    [-0.5, -1],
  ])('and tells of a top token as %d, %d, is a failure of that trajectory', async (logprob, token) => {
    const known = [
      [-1, 5],
      [-2, 6],
    ];
    const tops = [
      null,
      known,
      [
        [-1, 5],
        [logprob, token],
      ],
    ];
    const { teacher } = await teacherOf([send(other({ input_top_logprobs: tops }))]);
    const [result] = await teacher.score([trajectory], 2);
    expect(result).toMatchObject({
      reason: 'malformed',
      message: expect.stringMatching(`tells of token ${token} as ${logprob} at token 2`),
    });
  });

  test('to answer at all, or dies over one of several, costs that one alone', async () => {
    const slow = await teacherOf([() => {}], { attempts: 2, timeoutSeconds: 0.05 });
    const [late] = await slow.teacher.score([trajectory], 0);
    expect(late).toMatchObject({ reason: 'timeout' });
    expect(slow.bodies).toHaveLength(2);

    const dying = await teacherOf([send(scored), (response) => response.destroy(), send(scored)], {
      ...{ attempts: 1, concurrency: 1 },
    });
    const results = await dying.teacher.score([trajectory, trajectory, trajectory], 0);
    expect(results.map((result) => result instanceof TeacherFailure)).toEqual([
      ...[false, true, false],
    ]);
    expect(results[1]).toMatchObject({ reason: 'unreachable' });
  });

  test('to answer again and again is not asked for the rest of a batch, but for the next', async () => {
    const many = Array.from({ length: 40 }, () => trajectory);
    const dead = Array.from({ length: 9 }, () => send('', 500));
    const { teacher, bodies } = await teacherOf([...dead, send(scored)], {
      ...{ attempts: 1, concurrency: 2 },
    });
    const results = await teacher.score(many, 0);
    // The other of the two that are asked at once may be under way.
    expect(bodies.length).toBeLessThanOrEqual(9);
    expect(results.every((result) => result instanceof TeacherFailure)).toBe(true);
    expect(results.at(-1)).toMatchObject({
      reason: 'unreachable',
      message: expect.stringMatching(/was not sent: it did not answer 8 times in a row$/),
    });
    await teacher.score([trajectory], 0);
    expect((await teacher.score(many, 0)).some((one) => one instanceof TeacherFailure)).toBe(false);
  });

  test('is no longer waited for when the run stops', async () => {
    const { teacher } = await teacherOf([() => {}]);
    const stop = new AbortController();
    const scoring = teacher.score([trajectory], 0, stop.signal);
    setTimeout(() => stop.abort(new Error('the run stops')), 20);
    await expect(scoring).rejects.toThrow('the run stops');
  });
});
