/**
 * Whether a teacher reads what the student writes: token ids mean the same to both, and chats are rendered
 * the same. Where they do not, log-probabilities are still numbers, and training goes wrong in silence; so
 * this is looked at when teachers are opened, before anything is sampled.
 */
import { z } from 'zod';
import { UserError } from '../../errors.ts';
import type { ChatMessage, Tool } from '../../text/chat-messages.ts';
import { encodeChat } from '../../text/chat-template.ts';
import type { TextFiles } from '../../text/text-files.ts';
import type { Tokenizer } from '../../text/tokenizer.ts';
import type { Requester } from './requester.ts';
import { TeacherFailure } from './teacher.ts';

/** @throws UserError naming the first token that differs, or the template */
export function assertSameText(name: string, teacher: TextFiles, student: TextFiles): void {
  const [theirs, ours] = [teacher.tokenizer, student.tokenizer];
  if (theirs.vocabSize !== ours.vocabSize) {
    throw otherVocabulary(name, `has ${theirs.vocabSize} tokens and the student ${ours.vocabSize}`);
  }
  for (let id = 0; id < ours.vocabSize; id++) {
    const isSame =
      Buffer.compare(theirs.bytesOf(id), ours.bytesOf(id)) === 0 &&
      theirs.isSpecial(id) === ours.isSpecial(id);
    if (isSame) continue;
    const [a, b] = [theirs, ours].map((tokenizer) => JSON.stringify(tokenizer.decode([id])));
    throw otherVocabulary(name, `token ${id} is ${a} and the student's ${b}`);
  }
  const differs = teacher.chatTemplate.source.trim() !== student.chatTemplate.source.trim();
  if (differs) throw otherTemplate(name, "its chat template is not the student's");
}

export interface ServerTextOptions {
  /** Whether the server is asked to render chats; SGLang's own `/tokenize` does not take any. */
  checkTemplate: boolean;
}

/**
 * The same of a server, by what its `/detokenize` says that ids are, and by how its `/tokenize` renders a
 * few chats.
 *
 * @throws UserError if it differs, cannot be reached, or does not have these routes
 */
export async function assertSameServerText(
  name: string,
  requester: Requester,
  student: TextFiles,
  { checkTemplate }: ServerTextOptions,
): Promise<void> {
  try {
    await compareVocabulary(name, requester, student.tokenizer);
    if (checkTemplate) await compareTemplate(name, requester, student);
  } catch (error) {
    if (!(error instanceof TeacherFailure)) throw error;
    throw new UserError(`cannot compare its vocabulary and template: ${error.message}`, {
      cause: error,
    });
  }
}

/** Ids of one request. */
const idsAtOnce = 8192;

const detokenizeAnswer = z
  .object({ text: z.string().optional(), prompt: z.string().optional() })
  .refine(({ text, prompt }) => (text ?? prompt) !== undefined);

async function compareVocabulary(name: string, requester: Requester, tokenizer: Tokenizer) {
  // Of tokens that are no whole characters, servers say different things.
  const ids = Array.from({ length: tokenizer.vocabSize }, (_, id) => id).filter((id) =>
    isText(tokenizer.bytesOf(id)),
  );
  for (let begin = 0; begin < ids.length; begin += idsAtOnce) {
    const tokens = ids.slice(begin, begin + idsAtOnce);
    const { text, prompt } = await requester.post('/detokenize', { tokens }, detokenizeAnswer);
    const found = text ?? prompt;
    // Some leave out special tokens.
    const ways = [tokenizer.decode(tokens), tokenizer.decode(tokens, { skipSpecial: true })];
    if (!ways.includes(found!)) {
      throw otherVocabulary(
        name,
        `says otherwise what tokens ${tokens[0]} to ${tokens.at(-1)} are`,
      );
    }
  }
}

const tokenizeAnswer = z.object({ tokens: z.array(z.number()) });

interface Probe {
  messages: readonly ChatMessage[];
  tools?: readonly Tool[];
}

const weather: Tool = {
  type: 'function',
  function: {
    name: 'weather',
    description: 'The weather in a city.',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
};

const probes: readonly Probe[] = [
  { messages: [{ role: 'user', content: 'Hello' }] },
  {
    messages: [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'What is 2 + 2?' },
      { role: 'assistant', reasoning_content: 'Two and two.', content: '4' },
      { role: 'user', content: 'And 3 + 3?' },
    ],
  },
  {
    tools: [weather],
    messages: [
      { role: 'user', content: 'Is it warm in Oslo?' },
      {
        role: 'assistant',
        content: '',
        tool_calls: [
          {
            id: 'call_1',
            type: 'function',
            function: { name: 'weather', arguments: '{"city":"Oslo"}' },
          },
        ],
      },
      { role: 'tool', tool_call_id: 'call_1', content: '-3' },
    ],
  },
];

async function compareTemplate(
  name: string,
  requester: Requester,
  { tokenizer, chatTemplate }: TextFiles,
) {
  for (const { messages, tools } of probes) {
    for (const enableThinking of [true, false]) {
      const given = tools ? { tools } : {};
      const kwargs = { enable_thinking: enableThinking };
      const body = { messages, ...given, chat_template_kwargs: kwargs };
      const { tokens } = await requester.post('/tokenize', body, tokenizeAnswer);
      const options = { ...given, enableThinking, addGenerationPrompt: true };
      const ours = encodeChat(tokenizer, chatTemplate, messages, options);
      if (ours.length !== tokens.length || ours.some((id, i) => id !== tokens[i])) {
        throw otherTemplate(name, 'it renders a chat to other tokens than the student does');
      }
    }
  }
}

function isText(bytes: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}

function otherVocabulary(name: string, what: string): UserError {
  return new UserError(
    `teacher ${name}: ${what}; a teacher must have the student's vocabulary, as one that was trained from it has`,
  );
}

function otherTemplate(name: string, what: string): UserError {
  return new UserError(
    `teacher ${name}: ${what}; a teacher must have learnt chats as the student writes them`,
  );
}
