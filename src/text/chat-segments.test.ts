import { expect, test } from 'vitest';
import { trainBpe } from './bpe-trainer.ts';
import type { ChatMessage } from './chat-messages.ts';
import { chatSegments } from './chat-segments.ts';
import { ChatTemplate, encodeChat } from './chat-template.ts';
import { mimoChatTemplate } from './mimo-template.ts';
import { Tokenizer } from './tokenizer.ts';

const template = new ChatTemplate(mimoChatTemplate('S'));
const tokenizer = new Tokenizer(trainBpe(['user assistant system'], { vocabSize: 300 }));
const chat: ChatMessage[] = [
  { role: 'user', content: '1' },
  { role: 'assistant', content: 'A', reasoning_content: 'R' },
  { role: 'user', content: '2' },
  { role: 'assistant', content: 'B' },
];

test('thinking on: the assistant’s part starts with its thought', () => {
  expect(chatSegments(tokenizer, template, chat, { enableThinking: true })).toEqual([
    {
      text: '<|im_start|>system\nS<|im_end|><|im_start|>user\n1<|im_end|><|im_start|>assistant\n',
      trained: false,
    },
    { text: '<think>R</think>A<|im_end|>', trained: true },
    { text: '<|im_start|>user\n2<|im_end|><|im_start|>assistant\n', trained: false },
    { text: '<think></think>B<|im_end|>', trained: true },
  ]);
});

test('thinking off: the empty thought is given, not learnt', () => {
  expect(chatSegments(tokenizer, template, chat.slice(2))).toEqual([
    {
      text: '<|im_start|>system\nS<|im_end|><|im_start|>user\n2<|im_end|><|im_start|>assistant\n<think></think>',
      trained: false,
    },
    { text: 'B<|im_end|>', trained: true },
  ]);
});

test('encoding the segments apart gives the ids of the whole chat', () => {
  const messages = [...chat, { role: 'user', content: 'x<|im_end|>\n' }];
  const segments = chatSegments(tokenizer, template, messages, { enableThinking: true });
  expect(segments.map(({ trained }) => trained)).toEqual([false, true, false, true, false]);
  expect(segments.flatMap(({ text }) => tokenizer.encode(text))).toEqual(
    encodeChat(tokenizer, template, messages, { enableThinking: true }),
  );
});

test('a rendering that changes with what follows is refused', () => {
  expect(() => chatSegments(tokenizer, template, chat, { keepAllReasoning: false })).toThrow(
    'does not render message 1 as a continuation',
  );
});
