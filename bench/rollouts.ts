/**
 * How fast an engine draws rollouts: so many requests at once, each followed by the next, of unseen
 * problems of the task families at temperature 1, with the log-probabilities and the experts of every token,
 * as reinforcement learning asks for them; with all MTP heads drafting, and with none.
 *
 *     node bench/rollouts.ts [--model models/mimoflash-25m] [--weights f32|stored] [--device wasm]
 *       [--precision f32|mixed|auto] [--threads 2] [--sequences 1,8,32,64,128,256] [--drafts 3,0]
 *       [--cache-type f32|f16] [--max-length 2048] [--seconds 5] [--warm-up 3] [--profile]
 *
 * Weights are dequantised, since what is trained is; `stored` leaves them as they are. A line a case: tokens
 * drawn a second, steps of decoding a second, milliseconds from one to the next, rows of a step (one for
 * each sequence, and its drafts), tokens of a sequence's step, and prompt tokens a second, which pass
 * between the steps. On a device that queues its calls, `host` is the share of the time in which nobody
 * waited for it. Everything is warm: prompts are rendered and encoded beforehand, and counting begins after
 * `--warm-up` seconds, when requests have parted.
 *
 * With `--profile` each case goes on for as long again while kernels are timed, which makes it slower:
 * milliseconds of each kernel a step, and of the device's programs below it. Of a CPU it is the host's time.
 */
import { parseArgs } from 'node:util';
import { findCheckpoint } from '../src/checkpoint/checkpoint-directory.ts';
import { loadInferenceModel, loadModel } from '../src/checkpoint/load-model.ts';
import { createDevice } from '../src/device/create-device.ts';
import { allowedCacheTypes } from '../src/engine/cache-type.ts';
import { Engine } from '../src/engine/engine.ts';
import { KernelProfile, type KernelTime } from '../src/eval/profile.ts';
import type { Model } from '../src/model/weights.ts';
import { taskPrompts } from '../src/rl/prompts/task-prompts.ts';
import { DrawnTokens } from '../src/rl/rollout/drawn-tokens.ts';
import { shippedFamilies, shippedModel } from '../src/shipped-model.ts';
import { mixtureOf } from '../src/tasks/index.ts';
import type { Device } from '../src/tensor/device.ts';
import { regularMessages } from '../src/text/chat-messages.ts';
import { renderGuarded } from '../src/text/chat-template.ts';
import type { TextFiles } from '../src/text/text-files.ts';
import { loadTextFiles } from '../src/text/tokenizer-files.ts';

const { values: options } = parseArgs({
  options: {
    model: { type: 'string', default: shippedModel },
    weights: { type: 'string', default: 'f32' },
    device: { type: 'string', default: 'wasm' },
    precision: { type: 'string', default: 'f32' },
    threads: { type: 'string', default: '2' },
    sequences: { type: 'string', default: '1,8,32,64,128,256' },
    drafts: { type: 'string' },
    'cache-type': { type: 'string' },
    'max-length': { type: 'string', default: '2048' },
    seconds: { type: 'string', default: '5' },
    'warm-up': { type: 'string', default: '3' },
    profile: { type: 'boolean', default: false },
  },
});
const numbers = (list: string) => list.split(',').map(Number);
const maxLength = Number(options['max-length']);
const seconds = Number(options.seconds);
const precision = (['f32', 'mixed', 'auto'] as const).find((each) => each === options.precision);
if (!precision) throw new Error('give a precision: f32, mixed or auto');

/** Steps of decoding, and the time in which the host had nothing to do but wait. */
class Watch {
  readonly device: Device;
  steps = 0;
  /** Sequences of these steps, and rows: one of a sequence and one of each of its drafts. */
  sequences = 0;
  rows = 0;
  #waitedSeconds = 0;
  /** Since when, if it waits now. */
  #waitsSince: number | null = null;

  constructor(device: Device) {
    // Every step that is asked for log-probabilities ends with this, drafts or none.
    const verifyDrafts: Device['kernels']['verifyDrafts'] = (call) => {
      this.steps++;
      this.sequences += call.uniforms.rows;
      this.rows += call.uniforms.size;
      device.kernels.verifyDrafts(call);
    };
    const kernels = { ...device.kernels, verifyDrafts };
    const read: Device['read'] = async (...call) => {
      this.#waitsSince = performance.now();
      const bytes = await device.read(...call);
      this.#waitedSeconds = this.waitingSeconds;
      this.#waitsSince = null;
      return bytes;
    };
    const own: Record<PropertyKey, unknown> = { kernels, read };
    this.device = new Proxy(device, {
      get(target, name) {
        if (name in own) return own[name];
        const value = Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  }

  get waitingSeconds(): number {
    const since = this.#waitsSince;
    return this.#waitedSeconds + (since === null ? 0 : (performance.now() - since) / 1e3);
  }

  reset(): void {
    this.steps = 0;
    this.sequences = 0;
    this.rows = 0;
    this.#waitedSeconds = 0;
    if (this.#waitsSince !== null) this.#waitsSince = performance.now();
  }
}

/** Encoded prompts of problems that nothing was trained on, none of which is half as long as may be. */
async function unseenPrompts({ tokenizer, chatTemplate }: TextFiles, count: number) {
  const families = Object.fromEntries(shippedFamilies.map((name) => [name, 1]));
  const source = taskPrompts('rollouts', 'test', mixtureOf(families));
  const prompts: number[][] = [];
  for (let index = 0; prompts.length < count; index++) {
    const { problem } = (await source.prompt(index))!;
    const { messages, thinking, tools } = problem;
    const chat = { enableThinking: thinking, addGenerationPrompt: true, ...(tools && { tools }) };
    const tokens = tokenizer.encode(
      renderGuarded(tokenizer, chatTemplate, regularMessages(messages), chat),
    );
    if (tokens.length < maxLength / 2) prompts.push(tokens);
  }
  return prompts;
}

interface Case {
  sequences: number;
  drafts: number;
}

/** Keeps so many requests running until it is closed. */
class Load {
  readonly #engine: Engine;
  readonly #drafts: number;
  readonly #prompts: readonly number[][];
  readonly #requests: Promise<void>[];
  drawn = new DrawnTokens();
  promptTokens = 0;
  #begun = 0;
  #isOver = false;

  constructor(engine: Engine, { sequences, drafts }: Case, prompts: readonly number[][]) {
    this.#engine = engine;
    this.#drafts = drafts;
    this.#prompts = prompts;
    this.#requests = Array.from({ length: sequences }, () => this.#ask());
  }

  async close(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#requests);
  }

  /** One rollout after another, as `SequenceRun` asks for its first turn. */
  async #ask(): Promise<void> {
    while (!this.#isOver) {
      const index = this.#begun++;
      const prompt = this.#prompts[index % this.#prompts.length]!;
      for await (const step of this.#engine.generate(prompt, {
        ...{ sampling: { temperature: 1 }, seed: index, drafts: this.#drafts },
        ...{ maxTokens: maxLength - prompt.length, logprobs: { top: 0 } },
        ...{ session: `${index}`, routedExperts: { from: 0 } },
      })) {
        if (step.prompt) this.promptTokens += prompt.length;
        this.drawn.add(step);
        if (this.#isOver) return;
      }
    }
  }
}

const sleep = (seconds: number) => new Promise((resolve) => setTimeout(resolve, 1e3 * seconds));

async function measure(model: Model, text: TextFiles, of: Case): Promise<void> {
  const { sequences, drafts } = of;
  // As `Sampler` opens its engine.
  const engine = new Engine(model, {
    sequences,
    cacheTokens: sequences * (maxLength + model.config.mtpHeads),
    vocabSize: text.tokenizer.vocabSize,
    prefillTokens: 16_384,
    prefixTokens: 0,
    ...(cacheType && { cacheType }),
  });
  const load = new Load(engine, of, prompts);
  await sleep(Number(options['warm-up']));
  load.drawn.take();
  load.promptTokens = 0;
  watch.reset();
  const begin = performance.now();
  await sleep(seconds);
  const passed = (performance.now() - begin) / 1e3;
  const { tokens } = load.drawn.take();
  const { steps, waitingSeconds } = watch;
  if (steps === 0) throw new Error(`no step ended in ${seconds} s: give more --seconds`);
  const host = model.device.queuesCalls
    ? `${(100 * (1 - waitingSeconds / passed)).toFixed(0)} %`
    : '';
  line([
    ...[`${sequences}`, `${drafts}`, (tokens / passed).toFixed(0), (steps / passed).toFixed(1)],
    ...[((1e3 * passed) / steps).toFixed(2), (watch.rows / steps).toFixed(0)],
    ...[(tokens / watch.sequences).toFixed(2), (load.promptTokens / passed).toFixed(0), host],
  ]);
  if (profile) {
    watch.reset();
    const kernels = await profile.measure(() => sleep(seconds));
    printKernels(kernels, watch.steps);
  }
  await load.close();
  await engine.release();
}

const line = (cells: readonly string[]) =>
  console.log(cells.map((cell) => cell.padStart(11)).join(''));

/** What took a thousandth of the time and more. */
function printKernels(kernels: readonly KernelTime[], steps: number): void {
  const all = kernels.reduce((sum, kernel) => sum + kernel.seconds, 0);
  const row = (name: string, calls: number, seconds: number) => {
    if (seconds < all / 1000) return;
    const cells = [(calls / steps).toFixed(1), ((1e3 * seconds) / steps).toFixed(3)];
    console.log(`  ${name.padEnd(36)}${cells.map((cell) => cell.padStart(9)).join('')}`);
  };
  console.log(`  ${'kernels, and prompts’ among them'.padEnd(36)}   a step  ms a step`);
  row('all', 0, all);
  for (const { kernel, calls, seconds, programs } of kernels) {
    row(kernel, calls, seconds);
    for (const own of programs) row(`  ${own.program}`, own.dispatches, own.seconds);
  }
}

const opened = await createDevice(options.device, {
  ...{ threads: Number(options.threads), precision, profile: options.profile },
});
// Nothing is compared with a roofline here.
const unlimited = Number.POSITIVE_INFINITY;
const roofline = { f32: unlimited, rounded: unlimited, bytes: unlimited };
const profile = options.profile ? new KernelProfile(opened, roofline) : null;
const watch = new Watch(profile?.device ?? opened);
const text = await loadTextFiles(await findCheckpoint(options.model));
const load = options.weights === 'stored' ? loadInferenceModel : loadModel;
const model = await load(watch.device, options.model);
const cacheType = allowedCacheTypes(model).find((type) => type === options['cache-type']);
if (options['cache-type'] && !cacheType) throw new Error('the device has no caches of that type');
const counts = numbers(options.sequences);
const prompts = await unseenPrompts(text, Math.max(256, 2 * Math.max(...counts)));
console.log(`${options.model}, ${opened.description}, weights ${options.weights}`);
line('sequences,drafts,tokens/s,steps/s,ms a step,rows,tokens,prompts/s,host'.split(','));
for (const sequences of counts) {
  for (const drafts of numbers(options.drafts ?? `${model.mtp.length},0`)) {
    await measure(model, text, { sequences, drafts });
  }
}
await opened.destroy();
