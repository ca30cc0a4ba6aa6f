import { execFile } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { saveCheckpoint } from '../src/checkpoint/save.ts';
import { initialValues } from '../src/model/initialize.ts';
import { parameterSpecs } from '../src/model/parameters.ts';
import { MIMOFLASH_TEMPLATE } from '../src/tasks/index.ts';
import { trainBpe } from '../src/text/bpe-trainer.ts';
import { writeTextFiles } from '../src/text/tokenizer-files.ts';
import { tinyConfig } from './tiny-config.ts';

const main = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url));
let folder: string;
let good: string;

interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

function run(parameters: string[], input = ''): Promise<Outcome> {
  return new Promise((resolve) => {
    const options = { env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: '0' } };
    const child = execFile(process.execPath, [main, ...parameters], options, (error, out, err) => {
      resolve({ code: Number(error?.code ?? 0), stdout: out, stderr: err });
    });
    child.stdin!.end(input);
  });
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mimoflash-cli-'));
  good = join(folder, 'good');
  const config = tinyConfig({ vocabSize: 300, maxPositions: 64, eosTokenIds: [258] });
  const tokenizer = trainBpe(['hello hello world'], { vocabSize: 268 });
  const parameters = parameterSpecs(config).map((spec) => ({
    spec,
    data: initialValues(spec, 0.1, 1),
  }));
  await saveCheckpoint(good, config, parameters, { dtype: 'f32' });
  await writeTextFiles(good, tokenizer, MIMOFLASH_TEMPLATE.source, 64);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** A copy of the good checkpoint, to be broken. */
async function copy(name: string): Promise<string> {
  const path = join(folder, name);
  await cp(good, path, { recursive: true });
  return path;
}

/** The one line that the user gets to see. */
function messageOf({ code, stderr }: Outcome): string {
  expect(code).toBe(1);
  const errors = stderr.split('\n').filter((line) => line.startsWith('error: '));
  expect(errors).toHaveLength(1);
  expect(stderr).not.toMatch(/^ +at /m);
  return errors[0]!;
}

describe('commands', () => {
  test('inspect shows shapes and sizes', async () => {
    const { code, stdout } = await run(['inspect', good, '--json']);
    expect(code).toBe(0);
    const report = JSON.parse(stdout);
    expect(report.layers).toEqual({
      total: 3,
      global: 2,
      sliding: 1,
      dense: 1,
      experts: 2,
      mtp: 3,
    });
    // Two global layers with one key-value head of 12 + 8 numbers, four bytes each.
    expect(report.cache.globalBytesPerToken).toBe(2 * 20 * 4);
    expect(report.tensors).toHaveLength(report.tensors.length);
  });

  test('generate continues a text, the same with and without drafts', async () => {
    const parameters = ['generate', 'hello', '--model', good, '--max-tokens', '12'];
    const drafted = await run(parameters);
    expect(drafted.code).toBe(0);
    expect(drafted.stdout.startsWith('hello')).toBe(true);
    expect(drafted.stderr).toMatch(/acceptance length/);
    const plain = await run([...parameters, '--drafts', '0', '--device', 'reference']);
    expect(plain.stdout).toBe(drafted.stdout);
  });

  test('chat answers each line that is piped in', async () => {
    const { code, stderr } = await run(
      ['chat', '--model', good, '--max-tokens', '5'],
      'hello\n\nworld\n',
    );
    expect(code).toBe(0);
    expect(stderr.match(/^\d+ tokens?/gm)).toHaveLength(2);
  });

  test('tasks lists families and shows problems, as people or training read them', async () => {
    expect((await run(['tasks'])).stdout).toMatch(/word-problems.*GSM8K/);
    const shown = await run(['tasks', 'knowledge', '--count', '2', '--language', 'zh']);
    expect(shown.stdout).toMatch(/^1\.\nuser: .+\n/);
    const { code, stdout } = await run(['tasks', 'shell', '--count', '4', '--json']);
    expect(code).toBe(0);
    const lines = stdout.trim().split('\n');
    expect(lines).toHaveLength(4);
    for (const line of lines) {
      expect(JSON.parse(line)).toMatchObject({ tools: [{}, {}, {}] });
    }
  });

  test('data says what a run’s files hold', async () => {
    const rows = ['{"q": "a", "a": 1}', '{"q": "A", "a": 1}', '{"q": "b", "a": 2}', '{"q": 1'];
    await writeFile(join(folder, 'rows.jsonl'), rows.join('\n'));
    const config = {
      output: 'run',
      cache: 'cache',
      model: { config: {} },
      tokenizer: { directory: good },
      data: [
        {
          jsonl: 'rows.jsonl',
          fields: { user: '{q}', assistant: '{a}' },
          maxMalformed: 0.5,
        },
      ],
      steps: 1,
      batchTokens: 64,
      microBatchTokens: 64,
      maxLength: 64,
      learningRate: { peak: 0.001 },
    };
    const path = join(folder, 'data.json');
    await writeFile(path, JSON.stringify(config));
    const { code, stdout } = await run(['data', path]);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /rows\.jsonl: 2 documents of \d+ tokens; 1 duplicates left out; 1 of 4 rows malformed, see/,
    );
  });

  test('quantize writes a checkpoint that generates, and says what it costs', async () => {
    const source = join(folder, 'wide');
    const config = tinyConfig({ hiddenSize: 128, intermediateSize: 128, vocabSize: 300 });
    const parameters = parameterSpecs(config).map((spec) => ({
      spec,
      data: initialValues(spec, 0.1, 1),
    }));
    await saveCheckpoint(source, config, parameters, { dtype: 'f32' });
    const tokenizer = trainBpe(['hello hello world'], { vocabSize: 268 });
    await writeTextFiles(source, tokenizer, MIMOFLASH_TEMPLATE.source, 512);
    const quantized = join(folder, 'quantized');
    const first = await run([
      ...['quantize', source, quantized, '--bits', '4', '--check', '--documents', '1'],
      ...['--device', 'wasm'],
    ]);
    expect(first.code).toBe(0);
    expect(first.stdout).toMatch(/^weights of 4 bits.*KL to f32 \d\.\de[+-]\d+ nats.*perplexity/m);
    const generate = ['generate', 'hello', '--model', quantized, '--max-tokens', '5'];
    expect((await run([...generate, '--device', 'wasm'])).code).toBe(0);
    const again = await run(['quantize', quantized, join(folder, 'again')]);
    expect(messageOf(again)).toMatch(/is quantised already, to 4 bits/);
  });

  test('quantize says when rounding to the nearest may undo what was trained', async () => {
    const quantized = join(folder, 'quantized');
    const widened = join(folder, 'widened');
    expect((await run(['convert', quantized, widened, '--dtype', 'f32'])).code).toBe(0);
    const to = join(folder, 'rounded-again');
    const nearest = await run(['quantize', widened, to, '--bits', '4']);
    expect(nearest.stderr).toMatch(/lie near those of a model of 4 bits.*--rounding stochastic/);
    const stochastic = await run([
      ...['quantize', widened, to, '--bits', '4', '--rounding', 'stochastic'],
    ]);
    expect(stochastic).toMatchObject({ code: 0, stderr: '' });
    const fresh = await run(['quantize', join(folder, 'wide'), to, '--bits', '4']);
    expect(fresh).toMatchObject({ code: 0, stderr: '' });
  });

  test('quantize calibrated on problems changes a model less', async () => {
    const nats: number[] = [];
    for (const how of [[], ['--calibrate', '8']]) {
      const { code, stdout } = await run([
        ...['quantize', join(folder, 'wide'), join(folder, 'calibrated'), '--bits', '4', ...how],
        ...['--check', '--documents', '2', '--families', 'arithmetic', '--device', 'wasm'],
      ]);
      expect(code).toBe(0);
      nats.push(Number(stdout.match(/^weights of 4 bits.*KL to f32 (\S+) nats/m)![1]));
    }
    expect(nats[1]).toBeLessThan(0.9 * nats[0]!);
  });

  test('pipeline trains stage after stage, finds what is done, and names what is missing', async () => {
    const sft = {
      ...{ stage: 'sft', output: 'post/sft', steps: 1, batchSequences: 2 },
      ...{ model: { checkpoint: good }, microBatchTokens: 64, maxLength: 64 },
      data: [{ tasks: 'train', families: { arithmetic: 1 } }],
    };
    const teacher = {
      ...{
        stage: 'teacher',
        output: 'post/teacher',
        steps: 1,
        maxLength: 64,
        microBatchTokens: 64,
      },
      model: { checkpoint: 'post/sft/step-000001' },
      sources: [{ domain: 'sums', families: { arithmetic: 1 }, levels: { easy: 1 }, maxTokens: 4 }],
      schedule: { groups: 1, groupSize: 2, requireSignal: false },
      learningRate: { peak: 1e-4 },
    };
    const write = (name: string, json: object) =>
      writeFile(join(folder, `${name}.json`), JSON.stringify(json));
    await Promise.all([write('sft', sft), write('teacher', teacher)]);
    await write('pipeline', { stages: ['sft.json', 'teacher.json'] });
    const command = ['pipeline', join(folder, 'pipeline.json'), '--device', 'reference'];
    const first = await run(command);
    expect(first.stderr).toMatch(/^stage 2 of 2, teacher$/m);
    expect(first.stderr).toMatch(/^step 1\/1 {2}reward [01]\.\d+ /m);
    expect(first.code).toBe(0);
    const again = await run(command);
    expect(again.stderr).toMatch(
      /^stage 1 of 2, sft: done\nstage 2 of 2, teacher: done\nall stages/,
    );
    const plots = await run(['runs', join(folder, 'post'), '--plot', join(folder, 'plots')]);
    expect(plots.stdout).toMatch(/plots\/sft-num-zeros\.svg$/m);
    await write('pipeline', { stages: ['sft.json', 'sft.json'] });
    expect(messageOf(await run(command))).toMatch(
      /sft writes to .*post.sft, as a stage before does/,
    );
    await write('teacher', { ...teacher, model: { checkpoint: 'nowhere' } });
    await write('pipeline', { stages: ['sft.json', 'teacher.json'] });
    expect(messageOf(await run(command))).toMatch(
      /teacher needs .*nowhere, which is not there and/,
    );
    const other = await run(['train', join(folder, 'teacher.json')]);
    expect(messageOf(other)).toMatch(/model is not what the run in .*step-000001 began with/);
  });

  test('an unknown option is explained', async () => {
    const { code, stderr } = await run(['chat', '--temprature', '1']);
    expect(code).toBe(1);
    expect(stderr).toMatch(/--temperature/);
  });
});

describe('bad input ends in one line', () => {
  test('a checkpoint that is not there', async () => {
    expect(messageOf(await run(['inspect', join(folder, 'nothing')]))).toMatch(/nothing/);
  });

  test('a task family that is not there', async () => {
    expect(messageOf(await run(['tasks', 'chess']))).toMatch(/no task family "chess"; choose one/);
    expect(messageOf(await run(['tasks', 'code', '--tokens', '9']))).toMatch(/leave out --tokens/);
  });

  test('bits that there are not, and a model without matrices to quantise', async () => {
    const target = join(folder, 'never');
    expect(messageOf(await run(['quantize', good, target, '--bits', '3']))).toMatch(/8 or 4/);
    expect(messageOf(await run(['quantize', good, target]))).toMatch(/multiples of 128/);
  });

  test('a truncated safetensors file', async () => {
    const path = await copy('truncated');
    await truncate(join(path, 'model.safetensors'), 5000);
    expect(messageOf(await run(['chat', '--model', path], 'hi\n'))).toMatch(/model\.safetensors/);
  });

  test('weights that are not numbers', async () => {
    const path = await copy('nan');
    const file = join(path, 'model.safetensors');
    const bytes = await readFile(file);
    bytes.writeFloatLE(Number.NaN, bytes.length - 8);
    await writeFile(file, bytes);
    expect(messageOf(await run(['generate', 'x', '--model', path]))).toMatch(/NaN/);
  });

  test('a config with a contradiction', async () => {
    const path = await copy('config');
    const file = join(path, 'config.json');
    const config = JSON.parse(await readFile(file, 'utf8'));
    await writeFile(file, JSON.stringify({ ...config, num_key_value_heads: 3 }));
    expect(messageOf(await run(['inspect', path]))).toMatch(/config\.json.*num_key_value_heads/);
  });

  test('a shape that differs from the config', async () => {
    const path = await copy('shape');
    const file = join(path, 'config.json');
    const config = JSON.parse(await readFile(file, 'utf8'));
    await writeFile(file, JSON.stringify({ ...config, hidden_size: 32 }));
    expect(messageOf(await run(['inspect', path]))).toMatch(/model\.safetensors.*\[/);
  });

  test('a tokenizer that does not fit the model', async () => {
    const path = await copy('tokenizer');
    const texts = [...'abcdefghij'].flatMap((a) =>
      [...'klmnopqr'].map((b) => ` ${a}${b}`.repeat(4)),
    );
    await writeTextFiles(path, trainBpe(texts, { vocabSize: 400 }), MIMOFLASH_TEMPLATE.source, 64);
    expect(messageOf(await run(['chat', '--model', path], 'hi\n'))).toMatch(
      /tokenizer\.json.*vocab_size/,
    );
  });

  test('a prompt beyond the context', async () => {
    const message = messageOf(await run(['generate', 'xyz'.repeat(40), '--model', good]));
    expect(message).toMatch(/prompt has 120 tokens.*context is 64/);
  });

  test('a server without its keys, or at an address of another machine', async () => {
    const keys = join(folder, 'keys');
    await writeFile(keys, '\n  \n');
    const serve = (...parameters: string[]) => run(['serve', '--model', good, ...parameters]);
    expect(messageOf(await serve('--api-key-file', keys))).toMatch(/keys: has no keys/);
    expect(messageOf(await serve('--api-key-file', `${keys}.txt`))).toMatch(/keys\.txt/);
    expect(messageOf(await serve('--weights-root', '/nowhere'))).toMatch(/no such directory/);
    expect(messageOf(await serve('--runs', '/nowhere'))).toMatch(/nowhere: there is no such/);
    expect(messageOf(await serve('--host', '192.0.2.1'))).toMatch(/192\.0\.2\.1:8000.*--host/);
  });

  test('a fixture that is not there', async () => {
    expect(messageOf(await run(['parity', join(folder, 'tiny')]))).toMatch(/tiny\.scalars\.json/);
  });

  test('caches that the model’s heads do not fit', async () => {
    const asked = ['--cache-type', 'i8', '--device', 'wasm'];
    const message = messageOf(await run(['generate', 'hi', '--model', good, ...asked]));
    expect(message).toMatch(/caches of i8 need heads in multiples of 8/);
  });

  test('a precision that the device does not have', async () => {
    const message = messageOf(await run(['bench', '--device', 'wasm', '--precision', 'mixed']));
    expect(message).toMatch(/mixed precision needs a GPU.*--precision f32/);
  });

  test('an experiment without its config, or a part that is none', async () => {
    const lab = (...parameters: string[]) =>
      run(['lab', 'balance', '--device', 'reference', ...parameters]);
    const missing = join(folder, 'none.json');
    expect(messageOf(await lab('--config', missing))).toMatch(/none\.json/);
    expect((await lab('--part', '3/2')).stderr).toContain('give a part such as 1/4');
  });

  test('runs in a directory that is not there', async () => {
    expect(messageOf(await run(['runs', join(folder, 'none')]))).toMatch(
      /none: there is no such directory/,
    );
    const empty = await mkdtemp(join(folder, 'empty-'));
    expect((await run(['runs', empty])).stdout).toContain('no runs in');
  });

  test('a broken line of JSONL, and nothing is left behind', async () => {
    const data = join(folder, 'data.jsonl');
    await writeFile(data, '{"text": "hello"}\n{"text": \n');
    const config = join(folder, 'train.json');
    await writeFile(
      config,
      JSON.stringify({
        output: 'run',
        model: { checkpoint: good },
        data: [{ jsonl: 'data.jsonl' }],
        steps: 1,
        batchTokens: 64,
        microBatchTokens: 64,
        maxLength: 32,
        learningRate: { peak: 1e-3 },
      }),
    );
    expect(messageOf(await run(['train', config]))).toMatch(/data\.jsonl:2/);
    expect(await readdir(folder)).not.toContain('model.safetensors');
  });
});
