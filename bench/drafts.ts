/**
 * What drafts gain for one reader: unseen problems of each task family, answered one at a time by the
 * shipped model with none of its MTP heads, one, and so on to all, by turns. Prompts are not counted.
 *
 *     node bench/drafts.ts [--model models/mimoflash-25m] [--device wasm] [--threads 2] [--problems 6]
 */
import { parseArgs } from 'node:util';
import { createDevice } from '../src/device/create-device.ts';
import { Assistant } from '../src/engine/assistant.ts';
import { Random } from '../src/random.ts';
import { shippedFamilies, shippedModel } from '../src/shipped-model.ts';
import { FAMILIES, generateProblem, LANGUAGES, LEVELS } from '../src/tasks/index.ts';

const { values: options } = parseArgs({
  options: {
    model: { type: 'string', default: shippedModel },
    device: { type: 'string', default: 'wasm' },
    threads: { type: 'string', default: '2' },
    problems: { type: 'string', default: '6' },
  },
});

const device = await createDevice(options.device, { threads: Number(options.threads) });
const assistant = await Assistant.load(device, options.model);
const heads = assistant.model.mtp.length;
console.log(`${options.model}, ${device.description}, caches of ${assistant.sequence.cacheType}`);

/** Tokens after the first pass, and the seconds that they took, by heads that draft. */
type Sums = { tokens: number; seconds: number }[];
const none = (): Sums => Array.from({ length: heads + 1 }, () => ({ tokens: 0, seconds: 0 }));
const rate = ({ tokens, seconds }: Sums[number]) => tokens / seconds;
const line = (name: string, sums: Sums) =>
  console.log(
    `${name.padEnd(14)} ${Math.round(rate(sums[0]!)).toString().padStart(5)} tokens/s without; times as fast with 1 to ${heads} heads: ` +
      sums
        .slice(1)
        .map((own) => (rate(own) / rate(sums[0]!)).toFixed(2))
        .join(', '),
  );

const all = none();
for (const family of FAMILIES) {
  if (!shippedFamilies.some((name) => name === family.name)) continue;
  const sums = none();
  const random = new Random(`drafts ${family.name}`);
  // The first problem warms the compiler up.
  for (let i = -1; i < Number(options.problems); i++) {
    const [level, language] = [LEVELS[(i + 3) % 3]!, LANGUAGES[(i + 2) % 2]!];
    const thinking = i % 4 < 2;
    const problem = generateProblem(family, random, 'test', { language, level, thinking });
    for (let drafts = 0; drafts <= heads; drafts++) {
      const { tools } = problem;
      const request = { thinking, drafts, maxTokens: 400, ...(tools && { tools }) };
      for await (const event of assistant.reply(problem.messages, request)) {
        if (event.type !== 'finish' || i < 0) continue;
        const { tokens, tokensPerSecond } = event.statistics;
        if (tokensPerSecond === 0) continue;
        for (const sum of [sums[drafts]!, all[drafts]!]) {
          sum.tokens += tokens;
          sum.seconds += tokens / tokensPerSecond;
        }
      }
    }
  }
  line(family.name, sums);
}
line('all', all);
await device.destroy();
