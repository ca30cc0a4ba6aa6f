/** The report's claims about attention, and whether the measurements bear them out. */
import type { Finding } from '../experiment.ts';
import { bytes, withError } from '../markdown.ts';
import { compare, type Spread, spread } from '../statistics.ts';
import type { Variant } from './config.ts';
import type { DecodingPoint, Stage } from './outcome.ts';

export type StageName = 'before' | 'after';

/** A variant with what its seeds gave. */
export interface Trained {
  variant: Variant;
  before: Stage[];
  after: Stage[];
}

export interface Decoded {
  variant: Variant;
  contexts: DecodingPoint[];
}

/** Every figure that a stage has, by name, with whether more of it is better. */
export function figures(
  stages: readonly Stage[],
): Map<string, { spread: Spread; isShare: boolean }> {
  const all = new Map([
    ['held-out loss', { spread: spread(stages.map(({ loss }) => loss)), isShare: false }],
  ]);
  for (const name of Object.keys(stages[0]!.right)) {
    all.set(name, { spread: spread(stages.map(({ right }) => right[name]!)), isShare: true });
  }
  return all;
}

/**
 * The report's claims, each a comparison of two kinds of variant. With windows of several sizes each is
 * compared on its own.
 */
export function pairFindings(trained: readonly Trained[]): Finding[] {
  const findings: Finding[] = [];
  const global = trained.find(({ variant }) => variant.window === null);
  const windowed = trained.filter(({ variant }) => variant.window !== null);
  for (const one of windowed) {
    const { window, sink } = one.variant;
    if (!sink) continue;
    const bare = windowed.find(({ variant }) => variant.window === window && !variant.sink);
    if (bare) {
      findings.push(...pair('a sink makes a window better (tables 2 and 4)', one, bare, 'better'));
    }
    if (global) {
      findings.push(
        ...pair('windows with a sink are no worse than all global', one, global, 'no worse'),
      );
    }
  }
  const sinks = windowed.filter(({ variant }) => variant.sink);
  const sizes = sinks.toSorted((a, b) => a.variant.window! - b.variant.window!);
  for (const [i, small] of sizes.slice(0, -1).entries()) {
    const large = sizes[i + 1]!;
    const claim =
      'after extension a window of 128 is better at long context than one of 512 (table 3)';
    findings.push(...pair(claim, small, large, 'better', ['after']));
  }
  return findings;
}

function pair(
  claim: string,
  one: Trained,
  other: Trained,
  expected: 'better' | 'no worse',
  stages: readonly StageName[] = ['before', 'after'],
): Finding[] {
  return stages.map((stage): Finding => {
    const [mine, theirs] = [figures(one[stage]), figures(other[stage])];
    const seen = { better: 0, worse: 0, same: 0 };
    // What neither can do at all says nothing about them.
    const telling = [...mine].filter(
      ([name, { spread: own }]) => own.mean > 0 || theirs.get(name)!.spread.mean > 0,
    );
    const texts = telling.map(([name, { spread: own, isShare }]) => {
      const result = compare(own, theirs.get(name)!.spread);
      const isBetter = result === (isShare ? 'higher' : 'lower');
      seen[isBetter ? 'better' : result.startsWith('no') ? 'same' : 'worse']++;
      const digits = isShare ? 2 : 3;
      return `${name} ${withError(own, digits)} and ${withError(theirs.get(name)!.spread, digits)}`;
    });
    const isRepeated = one[stage].length > 1;
    const verdict = !isRepeated
      ? 'not decided'
      : expected === 'no worse'
        ? seen.worse === 0
          ? 'holds'
          : 'does not hold'
        : seen.better > 0 && seen.worse === 0
          ? 'holds'
          : seen.worse > seen.better
            ? 'does not hold'
            : 'not decided';
    const names = `${one.variant.name} and ${other.variant.name}`;
    return { claim, measured: `${stage} extension, ${names}: ${texts.join('; ')}`, verdict };
  });
}

export function decodingFindings(decoded: readonly Decoded[]): Finding[] {
  const last = ({ contexts }: Decoded) => contexts.at(-1)!;
  const global = decoded.find(({ variant }) => variant.window === null);
  const smallest = decoded
    .filter(({ variant }) => variant.window !== null)
    .toSorted((a, b) => a.variant.window! - b.variant.window!)[0];
  if (!global || !smallest) return [];
  const [all, hybrid] = [last(global), last(smallest)];
  const saved = all.cacheBytes / hybrid.cacheBytes;
  return [
    {
      claim:
        'the hybrid needs nearly six times less memory for keys and values (48 layers, 9 global)',
      measured: `${saved.toFixed(1)} times less at ${all.context} tokens: ${bytes(hybrid.cacheBytes)} and ${bytes(all.cacheBytes)}; a token takes ${hybrid.millisecondsPerToken.toFixed(2)} and ${all.millisecondsPerToken.toFixed(2)} ms`,
      // With other shares of global layers another number is right.
      verdict: saved > 2 ? 'holds' : 'does not hold',
    },
  ];
}
