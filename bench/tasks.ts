/**
 * How fast each task family gives training text on one thread: problems made, rendered by the chat
 * template, and encoded. A GPU that trains on 250,000 tokens a second needs the sum of the threads
 * above that.
 *
 *     node bench/tasks.ts [family] [checkpoint whose tokenizer is used]
 */
import { Random } from '../src/random.ts';
import { shippedModel } from '../src/shipped-model.ts';
import { FAMILIES, mixtureOf, sampleProblem, toTrainingText } from '../src/tasks/index.ts';
import { loadTextFiles } from '../src/text/tokenizer-files.ts';

const [only, directory = shippedModel] = process.argv.slice(2);
const { tokenizer } = await loadTextFiles(directory);
const perSecond = (count: number, milliseconds: number) =>
  Math.round((1000 * count) / milliseconds).toLocaleString('en');

console.log(
  'family          samples/s  tokens/sample  tokens/s  made  rendered  encoded (µs each)',
);
for (const family of FAMILIES) {
  if (only !== undefined && only !== 'all' && family.name !== only) continue;
  const random = new Random('bench');
  const mixture = { ...mixtureOf({ [family.name]: 1 }), twoTurn: 0 };
  const times = [0, 0, 0];
  let [samples, tokens] = [0, 0];
  // The first rounds warm the compiler up.
  for (let round = -2; round < 4; round++) {
    const start = performance.now();
    const problems = Array.from({ length: 300 }, () => sampleProblem(random, 'train', mixture));
    const made = performance.now();
    const texts = problems.map((problem) => toTrainingText(problem, tokenizer));
    const rendered = performance.now();
    const counts = texts.flatMap((text) => text.map((part) => tokenizer.encode(part.text).length));
    const encoded = performance.now();
    if (round < 0) continue;
    samples += problems.length;
    tokens += counts.reduce((sum, count) => sum + count, 0);
    [made - start, rendered - made, encoded - rendered].forEach((time, i) => {
      times[i]! += time;
    });
  }
  const total = times.reduce((sum, time) => sum + time, 0);
  const each = times.map((time) =>
    Math.round((1000 * time) / samples)
      .toString()
      .padStart(8),
  );
  console.log(
    family.name.padEnd(14),
    perSecond(samples, total).padStart(10),
    (tokens / samples).toFixed(0).padStart(14),
    perSecond(tokens, total).padStart(9),
    each.join(''),
  );
}
