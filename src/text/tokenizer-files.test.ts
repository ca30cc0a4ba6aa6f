import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { trainBpe } from './bpe-trainer.ts';
import { renderChat } from './chat-template.ts';
import { mimoChatTemplate } from './mimo-template.ts';
import { loadTextFiles, writeTextFiles } from './tokenizer-files.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'text-files-'));
  await writeTextFiles(directory, trainBpe([], { vocabSize: 265 }), mimoChatTemplate('Own.'), 512);
});
afterEach(() => rm(directory, { recursive: true }));

const write = (file: string, text: string) => writeFile(join(directory, file), text);
const remove = (file: string) => rm(join(directory, file));

test('reads back what it wrote', async () => {
  const { tokenizer, chatTemplate } = await loadTextFiles(directory);
  expect(tokenizer.vocabSize).toBe(265);
  expect(chatTemplate.source).toBe(mimoChatTemplate('Own.'));
  const config = JSON.parse(await readFile(join(directory, 'tokenizer_config.json'), 'utf8'));
  expect(config).toMatchObject({
    eos_token: '<|im_end|>',
    pad_token: '<|endoftext|>',
    model_max_length: 512,
    clean_up_tokenization_spaces: false,
  });
});

test('takes the template from tokenizer_config.json if it has no file of its own', async () => {
  await remove('chat_template.jinja');
  expect((await loadTextFiles(directory)).chatTemplate.source).toBe(mimoChatTemplate('Own.'));

  const named = [
    { name: 'tool_use', template: 'tools' },
    { name: 'default', template: 'named' },
  ];
  await write('tokenizer_config.json', JSON.stringify({ chat_template: named }));
  expect((await loadTextFiles(directory)).chatTemplate.source).toBe('named');
});

test('uses MiMo’s template if the checkpoint has none', async () => {
  await remove('chat_template.jinja');
  await remove('tokenizer_config.json');
  const { chatTemplate } = await loadTextFiles(directory);
  expect(renderChat(chatTemplate, [])).toContain('You are MiMo');
});

test('names the file that is missing or broken', async () => {
  await write('chat_template.jinja', '{% for %}');
  await expect(loadTextFiles(directory)).rejects.toThrow(/chat_template\.jinja: is not a valid/);
  await write('tokenizer.json', '{"model":');
  await expect(loadTextFiles(directory)).rejects.toThrow(/tokenizer\.json: is not JSON/);
  await remove('tokenizer.json');
  await expect(loadTextFiles(directory)).rejects.toThrow(/tokenizer\.json: is missing/);
});
