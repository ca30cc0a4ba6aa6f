/** Names of runs without what they all begin with, up to a sign between words: there is little room. */
export function shortNames(names: readonly string[]): Map<string, string> {
  const [first = '', ...others] = names;
  let common = others.length === 0 ? 0 : first.length;
  for (const other of others) {
    let same = 0;
    while (same < common && other[same] === first[same]) same++;
    common = same;
  }
  while (common > 0 && !/[-_/. ]/.test(first[common - 1]!)) common--;
  // A run that is the watched folder itself is called `.`.
  return new Map(names.map((name) => [name, name.slice(common) || name]));
}
