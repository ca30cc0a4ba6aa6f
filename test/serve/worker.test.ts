/** An engine in a thread of its own is the same engine, and says so when it is no more. */
import { MessageChannel, type Worker } from 'node:worker_threads';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { loadInferenceModel } from '../../src/checkpoint/load-model.ts';
import { createDevice } from '../../src/device/create-device.ts';
import { UserError } from '../../src/errors.ts';
import { Vocabulary } from '../../src/grammar/vocabulary.ts';
import { EngineService } from '../../src/serve/engine-service.ts';
import { startServer } from '../../src/serve/server.ts';
import type { GenerationEvent, GenerationRequest } from '../../src/serve/serving-engine.ts';
import { EngineHost } from '../../src/serve/worker/engine-host.ts';
import type { FromEngine, ToEngine } from '../../src/serve/worker/messages.ts';
import { RemoteEngine } from '../../src/serve/worker/remote-engine.ts';
import { startEngine } from '../../src/serve/worker/start-engine.ts';
import { shippedModel } from '../../src/shipped-model.ts';
import { ScriptedEngine } from './scripted-engine.ts';
import { scriptedConfig, text, until } from './test-server.ts';

const { vocabSize } = text.tokenizer;

function requestOf(changes: Partial<GenerationRequest> = {}): GenerationRequest {
  return {
    prompt: [3, 4, 5],
    sampling: {
      temperature: 0,
      topP: 1,
      topK: 0,
      minP: 0,
      presencePenalty: 0,
      frequencyPenalty: 0,
      repetitionPenalty: 1,
      logitBias: new Map([[5, 1]]),
    },
    seed: 1,
    maxTokens: 8,
    stopTokens: [2],
    vocabSize,
    signal: new AbortController().signal,
    ...changes,
  };
}

async function collect(events: AsyncIterable<GenerationEvent>): Promise<GenerationEvent[]> {
  const all: GenerationEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}

describe('over a wire', () => {
  const wires: MessageChannel[] = [];
  afterEach(() => {
    for (const { port1, port2 } of wires.splice(0)) {
      port1.close();
      port2.close();
    }
  });

  /** A scripted engine behind messages, which are copied as between threads. */
  async function wired(script?: ScriptedEngine['script']) {
    const engine = new ScriptedEngine(scriptedConfig, script);
    const wire = new MessageChannel();
    wires.push(wire);
    const { port1, port2 } = wire;
    const free = vi.fn(async () => undefined);
    const host = new EngineHost(engine, free, (message) => port2.postMessage(message));
    port2.on('message', (message: ToEngine) => host.receive(message));
    const ready = Promise.withResolvers<RemoteEngine>();
    port1.on('message', (message: FromEngine) => {
      if (message.type !== 'ready') void ready.promise.then((remote) => remote.receive(message));
      else {
        const post = (sent: ToEngine) => port1.postMessage(sent);
        ready.resolve(new RemoteEngine(message.fixed, message.state, post));
      }
    });
    host.ready('a script');
    return { engine, free, remote: await ready.promise };
  }

  test('requests and events arrive as they are', async () => {
    const { engine, remote } = await wired(() => ({ tokens: [7, 8, 9, 10, 11], pass: 2 }));
    const whole = {
      logprobs: { top: 2 },
      promptLogprobs: { top: 1, from: 0 },
      routedExperts: { from: 1 },
      cacheSalt: 'mine',
      session: 'first',
      grammar: { thinking: 'may begin', answer: { kind: 'json' } },
    } satisfies Partial<GenerationRequest>;
    const expected = await collect(engine.submit(requestOf(whole)));
    expect(await collect(remote.submit(requestOf(whole)))).toEqual(expected);
    const [direct, crossed] = engine.requests.map(({ signal, ...request }) => request);
    expect(crossed).toEqual(direct);
    expect(remote.config).toEqual(engine.config);
    expect(remote.features).toEqual(engine.features);
    expect(remote.contextTokens).toBe(engine.contextTokens);
  });

  test('many at once keep apart', async () => {
    const { remote } = await wired(({ prompt }) => ({ tokens: prompt.map((id) => id + 1) }));
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        collect(remote.submit(requestOf({ prompt: [i, 2 * i], stopTokens: [] }))),
      ),
    );
    answers.forEach((events, i) => {
      const tokens = events.flatMap((event) => (event.type === 'tokens' ? event.tokens : []));
      expect(tokens.slice(0, 2).map(({ id }) => id)).toEqual([i + 1, 2 * i + 1]);
    });
  });

  test('a signal and a reader that leaves end the request on the other side', async () => {
    const { engine, remote } = await wired(() => ({ tokens: new Array(500).fill(9), delay: 1 }));
    const controller = new AbortController();
    const aborted = collect(
      remote.submit(requestOf({ maxTokens: 500, signal: controller.signal })),
    );
    const left = remote.submit(requestOf({ maxTokens: 500 }));
    await left.next();
    expect(engine.running).toBe(2);
    controller.abort(new Error('enough'));
    await expect(aborted).rejects.toThrow('enough');
    await left.return(undefined);
    await until(() => engine.ended === 2);
    // Figures follow without another request.
    await until(() => remote.figures().running === 0);
    const late = remote.submit(requestOf({ signal: controller.signal }));
    await expect(collect(late)).rejects.toThrow('enough');
    expect(engine.requests).toHaveLength(2);
  });

  test('errors keep their kind', async () => {
    const fail = (error: Error) => () => ({ tokens: [7, 8], failure: { after: 1, error } });
    const { engine, remote } = await wired(fail(new UserError('no memory: ask for less')));
    const refused = collect(remote.submit(requestOf()));
    await expect(refused).rejects.toEqual(new UserError('no memory: ask for less'));
    await expect(refused).rejects.toBeInstanceOf(UserError);
    engine.script = fail(new TypeError('a bug'));
    const broken = collect(remote.submit(requestOf()));
    await expect(broken).rejects.toThrow('a bug');
    await expect(broken).rejects.not.toBeInstanceOf(UserError);
    await expect(broken).rejects.toHaveProperty('stack', expect.stringMatching(/worker\.test/));
  });

  test('a grammar is checked there', async () => {
    const { remote } = await wired();
    const check = (pattern: string) => remote.checkGrammar({ answer: { kind: 'regex', pattern } });
    await check('[0-9]+');
    await expect(check('[0-9')).rejects.toBeInstanceOf(UserError);
    await expect(check('[0-9')).rejects.toThrow('[0-9');
  });

  test('weights are changed there, or not', async () => {
    const { remote } = await wired();
    await expect(remote.loadWeights('some/broken', 'v1')).rejects.toBeInstanceOf(UserError);
    expect(remote.weightVersion).toBe('v0');
    await remote.loadWeights('some/good', 'v1');
    expect(remote.weightVersion).toBe('v1');
  });

  test('it ends when asked to', async () => {
    const { free, remote } = await wired();
    await remote.release();
    expect(free).toHaveBeenCalledOnce();
  });
});

describe('a thread', () => {
  const options = { sequences: 4 };
  const handlers = { notice: () => {}, failure: () => {} };
  const message = { device: 'wasm', threads: 1, model: shippedModel, version: 'first', options };

  test('gives what the engine gives here', async () => {
    const device = await createDevice('wasm', { threads: 1 });
    const here = new EngineService(await loadInferenceModel(device, shippedModel), 'first', {
      ...options,
      vocabSize,
      vocabulary: new Vocabulary(text.tokenizer),
    });
    const { engine, description, end } = await startEngine(message, handlers);
    const prompt = text.tokenizer.encode('a long beginning that both of these share. '.repeat(20));
    // How greedy tokens come in steps depends on measured times; what is drawn with a seed does not.
    const sampling = { ...requestOf().sampling, temperature: 1, logitBias: new Map() };
    for (const request of [
      requestOf({ prompt, sampling, maxTokens: 40 }),
      requestOf({ prompt, sampling, maxTokens: 20, cacheSalt: 'mine' }),
      requestOf({ prompt: [...prompt, 9, 8], sampling, maxTokens: 30, logprobs: { top: 2 } }),
      requestOf({ prompt, sampling, maxTokens: 30, grammar: { answer: { kind: 'json' } } }),
    ]) {
      expect(await collect(engine.submit(request))).toEqual(await collect(here.submit(request)));
    }
    const again = await collect(engine.submit(requestOf({ prompt })));
    expect(again[0]).toMatchObject({ weightVersion: 'first', cachedTokens: expect.any(Number) });
    expect(again[0]).not.toMatchObject({ cachedTokens: 0 });
    expect(description).toBe(device.description);
    await end();
    await here.release();
    await device.destroy();
  });

  test('that does not start says why', async () => {
    const missing = startEngine({ ...message, model: '/nowhere' }, handlers);
    await expect(missing).rejects.toBeInstanceOf(UserError);
    await expect(missing).rejects.toThrow('/nowhere');
  });

  test('that ends is one error on every request, and the server says so', async () => {
    const started = new Promise<Worker>((resolve) => process.once('worker', resolve));
    const failure = vi.fn();
    const { engine, end } = await startEngine(message, { ...handlers, failure });
    const server = await startServer({ engine, text, modelName: 'm', modelPath: shippedModel });
    const health = async () => {
      const response = await fetch(`${server.url}/health`);
      return [response.status, await response.json()];
    };
    const ask = () =>
      fetch(`${server.url}/v1/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ prompt: 'a', max_tokens: 900, temperature: 2, seed: 1 }),
      });
    expect(await health()).toEqual([200, { status: 'ok' }]);
    const open = [ask(), ask()];
    await until(() => engine.figures().running === 2);
    await (await started).terminate();
    const reason = 'the engine has stopped: a worker thread ended (code 1); restart the server';
    for (const response of await Promise.all([...open, ask()])) {
      expect(response.status).toBe(503);
      expect(await response.json()).toMatchObject({ error: { message: reason } });
    }
    expect(await health()).toEqual([503, { status: 'failed', reason }]);
    expect(failure.mock.calls).toEqual([[reason]]);
    await expect(engine.loadWeights('x', 'y')).rejects.toThrow(reason);
    await server.close();
    await end();
  });
});
