/** However an answer falls into tokens and passes, a client puts the same together. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Admission } from '../../src/serve/admission.ts';
import { encodeHere } from '../../src/serve/encode.ts';
import { answerChat, type ChatEvent, prepareChat } from '../../src/serve/generation/chat.ts';
import { samplingOf } from '../../src/serve/generation/request.ts';
import { ServerMetrics } from '../../src/serve/server-metrics.ts';
import type { Tool } from '../../src/text/chat-messages.ts';
import { ScriptedEngine } from './scripted-engine.ts';
import { scriptedConfig, text, writeCall } from './test-server.ts';

const engine = new ScriptedEngine(scriptedConfig);
const context = {
  engine,
  text,
  encode: encodeHere(text.tokenizer),
  modelName: 'mimo',
  device: null,
  modelPath: '/',
  admission: new Admission({ requests: 1, seconds: 60 }),
  metrics: new ServerMetrics(),
  weightsRoot: null,
  heartbeatSeconds: 15,
  startedAt: 0,
};
const tools: Tool[] = [
  {
    type: 'function',
    function: {
      name: 'f',
      parameters: { properties: { n: { type: 'integer' }, s: { type: 'string' } } },
    },
  },
];

const contentTypes = ['text-delta', 'unknown-tool-call', 'cut-off-tool-call'];
const callMark = '\0';

interface Collected {
  reasoning: string;
  content: string;
  /** The content in the pieces that calls leave of it. */
  pieces: string[];
  calls: unknown[];
  /** The arguments of all calls, as they were streamed. */
  streamed: string;
  /** What the tokens say; control tokens that end the answer are not among them. */
  raw: string;
  finish: { reason: string; stopString: string | null };
}

async function answer(
  tokens: readonly number[],
  pass: number,
  thinking: boolean,
  stops: readonly string[],
): Promise<Collected> {
  engine.script = () => ({ tokens, pass });
  const prepared = await prepareChat(
    context,
    {
      messages: [{ role: 'user', content: 'x' }],
      toolUse: { tools, choice: 'auto', strict: new Set(), parallel: true },
      format: { kind: 'any' },
      formatField: 'response_format',
      thinking,
      sampling: samplingOf(context, {}),
      stops,
    },
    'messages',
  );
  const events: ChatEvent[] = [];
  const signal = new AbortController().signal;
  for await (const event of answerChat(context, prepared, 0, signal)) events.push(event);
  const said = events.filter((event) => event.type !== 'prompt');
  const textOfOne = (event: ChatEvent, types: readonly string[]) =>
    types.includes(event.type) && 'text' in event ? event.text : '';
  const textOf = (...types: string[]) => said.map((event) => textOfOne(event, types)).join('');
  const finish = said.find((event) => event.type === 'finish')!;
  return {
    reasoning: textOf('reasoning-delta'),
    content: textOf(...contentTypes),
    pieces: said
      .map((event) => (event.type === 'tool-call' ? callMark : textOfOne(event, contentTypes)))
      .join('')
      .split(callMark),
    calls: said.flatMap((event) => (event.type === 'tool-call' ? [[event.name, event.json]] : [])),
    streamed: said.map((event) => (event.type === 'tool-call-delta' ? event.json : '')).join(''),
    raw: said.flatMap(({ tokens }) => tokens.map((token) => token.text)).join(''),
    finish: { reason: finish.reason, stopString: finish.stopString },
  };
}

const part = fc.constantFrom(
  ...['<think>', '</think>', '<tool_call>', '</tool_call>', '<function=f>', '</function>', '\n'],
  ...['<parameter=n>', '</parameter>', '1', 'a', '<', ' ', '你', '🙂', 'é', 'END', 'E', 'N'],
  ...['<tool_call>\n<function=f>\n<parameter=s>', '</function>\n</tool_call>', '"'],
  ...[
    writeCall('f', { n: '7' }),
    writeCall('f', { s: 'é "🙂"\n&lt;', n: '7' }),
    writeCall('g', { x: '你🙂' }),
    'ENDE',
    '&lt;',
  ],
);

test('in any passes, the answer is the same', async () => {
  const parts = fc.array(part, { maxLength: 12 });
  const stops = fc.subarray(['END', 'EE', '🙂<', '</think>']);
  await fc.assert(
    fc.asyncProperty(parts, stops, fc.boolean(), fc.integer({ min: 2, max: 9 }), async (...all) => {
      const [parts, stops, thinking, pass] = all;
      const whole = parts.join('');
      const tokens = text.tokenizer.encode(whole);
      const single = await answer(tokens, 1, thinking, stops);
      expect(await answer(tokens, pass, thinking, stops)).toEqual(single);
      // Bytes one at a time, as a model might write what the tokenizer has a token for.
      const bytes = [...new TextEncoder().encode(whole)].map((byte) => idOfByte[byte]!);
      const { raw, ...bytewise } = await answer(bytes, pass, thinking, stops);
      expect({ ...bytewise, raw: single.raw }).toEqual(single);
      // A token may begin before a stop string and end in it.
      if (single.finish.stopString === null) expect([raw, single.raw]).toEqual([whole, whole]);
      expect(stops.some((stop) => single.reasoning.includes(stop))).toBe(false);
      // Before and after a call are not one text, though a client may put them together.
      expect(stops.some((stop) => single.pieces.some((piece) => piece.includes(stop)))).toBe(false);
    }),
    {
      numRuns: 60,
      examples: [[['ENDE', writeCall('f', { n: '7' }), 'END'], ['EE'], false, 2]],
    },
  );
});

const idOfByte = Array.from({ length: 256 }, (_, byte) =>
  Array.from({ length: 256 }, (_, id) => id).find((id) => {
    const bytes = text.tokenizer.bytesOf(id);
    return bytes.length === 1 && bytes[0] === byte;
  }),
);
