import type { ShardIndex } from '../data/prepare-shards.ts';

/** What a file gave, in one line for people. */
export function describeShards(index: ShardIndex): string {
  const { location, documents, tokens, duplicates, malformed, rows, log } = index;
  const number = (value: number) => value.toLocaleString('en');
  const parts = [`${number(documents)} documents of ${number(tokens)} tokens`];
  if (duplicates > 0) parts.push(`${number(duplicates)} duplicates left out`);
  if (malformed > 0) {
    parts.push(`${number(malformed)} of ${number(rows)} rows malformed, see ${log}`);
  }
  return `${location}: ${parts.join('; ')}`;
}
