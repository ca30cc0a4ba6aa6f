/**
 * Clients that do to a server what clients do: many at once, short and long, some leaving in the
 * middle, some sending what is too much or no request at all. Every stream is compared with what the
 * same request gave when it was alone.
 */
import { Random } from '../../src/random.ts';

export interface LoadOptions {
  streams: number;
  seconds: number;
  seed: number;
}

export interface LoadReport {
  /** Streams read to the end, and tokens of them. */
  finished: number;
  tokens: number;
  /** Streams left in the middle. */
  left: number;
  /** Requests that were wrong and refused as such. */
  refused: number;
  /** What should not have happened. */
  mistakes: string[];
  /** Seconds to the first token, of every stream. */
  firstToken: number[];
  /** The server's resident memory about once a second, in bytes. */
  memory: number[];
}

const chat = '/v1/chat/completions';

/** Requests of many lengths; what is drawn at random has a seed. */
function requests(): object[] {
  const random = new Random('load');
  const sum = () => `${random.int(1, 99)}+${random.int(1, 99)}`;
  return Array.from({ length: 24 }, (_, i) => {
    const history = Array.from({ length: random.int(0, 12) }, () => [
      { role: 'user', content: sum() },
      { role: 'assistant', content: `${random.int(2, 198)}` },
    ]).flat();
    return {
      messages: [...history, { role: 'user', content: i % 4 === 0 ? '你好' : sum() }],
      // Hot answers go on for long, and use the sampler.
      temperature: i % 3 === 0 ? 2 : 0,
      seed: i,
      max_tokens: random.int(1, 200),
      ...(i % 2 === 0 && { reasoning_effort: 'high' }),
      ...(i % 8 === 3 && { response_format: { type: 'json_object' } }),
      ...(i % 8 === 5 && { frequency_penalty: 0.5, logprobs: true, top_logprobs: 2 }),
      stream: true,
    };
  });
}

/** Bodies that are to be refused, and the status that says so. */
const wrong: [status: number, body: string][] = [
  [400, '{"messages": ['],
  [400, '{"messages": [{"role": "user", "content": 5}]}'],
  [400, JSON.stringify({ messages: [{ role: 'user', content: 'word '.repeat(40_000) }] })],
  [413, JSON.stringify({ messages: [{ role: 'user', content: 'x'.repeat(9 << 20) }] })],
];

export async function applyLoad(url: string, options: LoadOptions): Promise<LoadReport> {
  const report: LoadReport = {
    finished: 0,
    tokens: 0,
    left: 0,
    refused: 0,
    mistakes: [],
    firstToken: [],
    memory: [],
  };
  const asked: { body: string; alone: string }[] = [];
  for (const request of requests()) {
    const body = JSON.stringify(request);
    asked.push({ body, alone: (await stream(url, body)).text });
  }
  const end = performance.now() + options.seconds * 1000;
  const client = async (random: Random) => {
    while (performance.now() < end) {
      const [status, body] = random.pick(wrong);
      if (random.chance(0.05)) await expectRefusal(url, body, status, report);
      else await expectAlone(url, random, asked, report);
    }
  };
  const random = new Random(options.seed);
  const clients = Array.from({ length: options.streams }, () => client(random.split()));
  const watching = watchMemory(url, end, report);
  await Promise.all([...clients, watching]);
  return report;
}

async function expectAlone(
  url: string,
  random: Random,
  asked: readonly { body: string; alone: string }[],
  report: LoadReport,
): Promise<void> {
  const { body, alone } = random.pick(asked);
  const pieces = random.chance(0.2) ? random.int(1, 10) : Number.POSITIVE_INFINITY;
  const { text, tokens, firstToken, isWhole } = await stream(url, body, pieces);
  report.firstToken.push(firstToken);
  report.tokens += tokens;
  if (isWhole) report.finished++;
  else report.left++;
  if (isWhole ? text !== alone : !alone.startsWith(text)) {
    report.mistakes.push(`${body}\ngave  ${text}\nalone ${alone}`);
  }
}

async function expectRefusal(
  url: string,
  body: string,
  status: number,
  report: LoadReport,
): Promise<void> {
  const response = await post(url, body);
  await response.text();
  report.refused++;
  if (response.status !== status) {
    report.mistakes.push(`status ${response.status} instead of ${status}: ${body.slice(0, 80)}`);
  }
}

/** Reads a stream, thinking included, to its end or up to a number of pieces. */
async function stream(url: string, body: string, pieces = Number.POSITIVE_INFINITY) {
  const begin = performance.now();
  const controller = new AbortController();
  const response = await post(url, body, controller.signal);
  if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`);
  const result = { text: '', tokens: 0, firstToken: 0, isWhole: false };
  let held = '';
  let count = 0;
  for await (const part of response.body!.pipeThrough(new TextDecoderStream())) {
    const events = (held + part).split('\n\n');
    held = events.pop()!;
    for (const event of events) {
      if (event === 'data: [DONE]') result.isWhole = true;
      const delta = event.startsWith('data: {') ? deltaOf(event) : '';
      if (delta === '') continue;
      if (result.text === '') result.firstToken = (performance.now() - begin) / 1000;
      result.text += delta;
      result.tokens++;
      if (++count === pieces) {
        controller.abort();
        return result;
      }
    }
  }
  return result;
}

function deltaOf(event: string): string {
  const { choices } = JSON.parse(event.slice('data: '.length)) as {
    choices: { delta: { content?: string; reasoning_content?: string } }[];
  };
  const { content = '', reasoning_content = '' } = choices[0]!.delta;
  return reasoning_content + content;
}

async function watchMemory(url: string, end: number, report: LoadReport): Promise<void> {
  while (performance.now() < end) {
    const page = await (await fetch(`${url}/metrics`)).text();
    report.memory.push(Number(/^process_resident_memory_bytes (\d+)$/m.exec(page)![1]));
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

function post(url: string, body: string, signal?: AbortSignal): Promise<Response> {
  const headers = { 'content-type': 'application/json' };
  return fetch(url + chat, { method: 'POST', headers, body, ...(signal && { signal }) });
}
