import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type PrefixNode, PrefixTree, pathOf } from './prefix-tree.ts';

const text = fc.array(fc.constantFrom('a', 'b'), { maxLength: 6 });
const action = fc.oneof(
  fc.record({ kind: fc.constant('open' as const), salt: fc.constantFrom('', 'x'), keys: text }),
  fc.record({ kind: fc.constant('close' as const), which: fc.nat(20) }),
  fc.record({ kind: fc.constant('evict' as const) }),
);

function textOf(node: PrefixNode): string {
  return Array.from(pathOf(node), ({ key }) => key)
    .reverse()
    .join('');
}

test('holds what was added until it is evicted, and evicts only what nobody holds', () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
      const tree = new PrefixTree();
      const held: PrefixNode[] = [];
      /** Page by salt and text. */
      const present = new Map<string, number>();
      let pages = 0;
      const isHeld = (salt: string, prefix: string) =>
        held.some((node) => rootKey(node) === salt && textOf(node).startsWith(prefix));
      for (const each of actions) {
        if (each.kind === 'open') {
          let node = tree.find(each.salt, each.keys);
          const name = (depth: number) => `${each.salt}:${each.keys.slice(0, depth).join('')}`;
          for (let depth = 1; depth <= each.keys.length; depth++) {
            expect(present.has(name(depth))).toBe(depth <= node.depth);
          }
          if (node.depth > 0) expect(node.page).toBe(present.get(name(node.depth)));
          tree.hold(node);
          for (const key of each.keys.slice(node.depth)) {
            const page = pages++;
            node = tree.add(node, key, page);
            tree.holdChild(node);
            present.set(name(node.depth), page);
          }
          held.push(node);
        } else if (each.kind === 'close') {
          const [node] = held.splice(each.which % Math.max(1, held.length), 1);
          if (node) tree.release(node);
        } else {
          const node = tree.evict();
          if (node === null) {
            expect(tree.idle).toBe(0);
          } else {
            const salt = rootKey(node);
            expect(isHeld(salt, textOf(node))).toBe(false);
            expect(node.children.size).toBe(0);
            expect(present.delete(`${salt}:${textOf(node)}`)).toBe(true);
          }
        }
        const idle = [...present.keys()].filter((name) => {
          const [salt = '', prefix = ''] = name.split(':');
          return !isHeld(salt, prefix);
        });
        expect(tree.idle).toBe(idle.length);
      }
    }),
  );
});

function rootKey(node: PrefixNode): string {
  let root = node;
  while (root.parent) root = root.parent;
  return root.key;
}

test('what was used least recently goes first, ends before their beginnings', () => {
  const tree = new PrefixTree();
  const root = tree.find('', []);
  const a = tree.add(root, 'a', 0);
  const ab = tree.add(a, 'b', 1);
  const c = tree.add(root, 'c', 2);
  tree.touch(a);
  expect([tree.evict(), tree.evict(), tree.evict(), tree.evict()]).toEqual([ab, c, a, null]);
});

test('snapshots go by use as well', () => {
  const tree = new PrefixTree();
  const root = tree.find('', []);
  const a = tree.add(root, 'a', 0);
  const b = tree.add(root, 'b', 1);
  const c = tree.add(root, 'c', 2);
  for (const [ring, node] of [a, b, c].entries()) tree.setSnapshot(node, ring);
  tree.touch(a);
  expect(tree.takeSnapshot(c)).toBe(2);
  expect([tree.takeSnapshot(), tree.takeSnapshot(), tree.takeSnapshot()]).toEqual([1, 0, null]);
});
