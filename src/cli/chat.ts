import { createInterface } from 'node:readline/promises';
import { Command } from 'commander';
import pc from 'picocolors';
import type { Assistant } from '../engine/assistant.ts';
import { UserError } from '../errors.ts';
import type { ChatMessage } from '../text/chat-messages.ts';
import { generationOptions, loadAssistant, type ModelOptions, withModel } from './model-options.ts';
import { useDevice } from './options.ts';
import { formatStatistics } from './statistics-line.ts';

interface ChatOptions extends ModelOptions {
  thinking: boolean;
  system?: string;
}

export function chatCommand(): Command {
  const command = new Command('chat')
    .description('talk to a model in the terminal; piped input is answered line by line')
    .option('--no-thinking', 'answer without thinking first')
    .option('--system <text>', 'system message');
  return withModel(command).action(chat);
}

async function chat(options: ChatOptions): Promise<void> {
  await useDevice(options, async (device) => {
    const assistant = await loadAssistant(device, options);
    if (process.stdin.isTTY) {
      console.log(pc.dim(options.model));
      console.log(pc.dim('/new begins a new chat, /exit or Ctrl-D ends, Ctrl-C stops an answer'));
    }
    await converse(assistant, options);
  });
}

/** Reads lines and answers them. From a pipe, each line is a chat of its own. */
async function converse(assistant: Assistant, options: ChatOptions): Promise<void> {
  const isTerminal = process.stdin.isTTY === true;
  const opening: ChatMessage[] = options.system
    ? [{ role: 'system', content: options.system }]
    : [];
  const lines = createInterface({
    input: process.stdin,
    output: isTerminal ? process.stdout : undefined,
    prompt: pc.cyan('> '),
  });
  let answering: AbortController | null = null;
  lines.on('SIGINT', () => {
    if (answering) answering.abort();
    else lines.close();
  });
  let messages = [...opening];
  try {
    if (isTerminal) lines.prompt();
    for await (const line of lines) {
      const content = line.trim();
      if (content === '/exit') break;
      if (content === '/new' || !isTerminal) messages = [...opening];
      if (content !== '' && content !== '/new') {
        messages.push({ role: 'user', content });
        answering = new AbortController();
        messages = await answer(assistant, messages, options, answering.signal);
        answering = null;
      }
      if (isTerminal) lines.prompt();
    }
  } finally {
    // Or the terminal would keep the process alive.
    lines.close();
  }
}

/** Streams the answer to the terminal; → the chat with it, or without the question if it failed. */
async function answer(
  assistant: Assistant,
  messages: ChatMessage[],
  options: ChatOptions,
  signal: AbortSignal,
): Promise<ChatMessage[]> {
  let reasoning = '';
  let content = '';
  try {
    const { thinking } = options;
    const events = assistant.reply(messages, { thinking, signal, ...generationOptions(options) });
    for await (const event of events) {
      if (event.type === 'reasoning-delta') {
        process.stdout.write(pc.dim(event.text));
        reasoning += event.text;
      } else if (event.type === 'text-delta') {
        if (content === '' && reasoning !== '') process.stdout.write('\n');
        process.stdout.write(event.text);
        content += event.text;
      } else if (event.type === 'finish') {
        process.stdout.write('\n');
        const cut = event.reason === 'length' ? ' (cut: no room left)' : '';
        console.error(pc.dim(formatStatistics(event.statistics) + cut));
      }
    }
  } catch (error) {
    if (signal.aborted) {
      console.log(pc.dim('\nstopped'));
    } else if (error instanceof UserError && process.stdin.isTTY) {
      console.error(`${pc.red('error:')} ${error.message}`);
      return messages.slice(0, -1);
    } else {
      throw error;
    }
  }
  return [
    ...messages,
    { role: 'assistant', content, ...(reasoning !== '' && { reasoning_content: reasoning }) },
  ];
}
