/** A page of tokens that follows those of its ancestors. A root has no page. */
export interface PrefixNode {
  readonly parent: PrefixNode | null;
  readonly key: string;
  readonly page: number;
  /** Pages from the root up to this one. */
  readonly depth: number;
  readonly children: Map<string, PrefixNode>;
  /** The ring that holds the sliding layers as they were at this page's end, if one was kept. */
  snapshot: number | null;
  /** Sequences that hold this page. */
  users: number;
}

/**
 * Which pages hold which beginnings of texts: a radix tree (Zheng et al. 2024, SGLang) whose edges are
 * whole pages, since only whole pages are shared. Texts of different salts have different roots.
 *
 * A sequence that holds a node holds all its ancestors. So nodes that nobody holds are at the tree's
 * ends, and can be taken away from there.
 */
export class PrefixTree {
  readonly #roots = new Map<string, PrefixNode>();
  /** The least recently used first, and every node before its ancestors. */
  readonly #nodes = new Set<PrefixNode>();
  /** Those with a snapshot, the least recently used first. */
  readonly #snapshots = new Set<PrefixNode>();
  #idle = 0;

  /** Pages that nobody holds. */
  get idle(): number {
    return this.#idle;
  }

  get snapshots(): number {
    return this.#snapshots.size;
  }

  /** The deepest node on the path of `keys`; it has to be held until something else is done here. */
  find(salt: string, keys: Iterable<string>): PrefixNode {
    let node = this.#roots.get(salt) ?? this.#newRoot(salt);
    for (const key of keys) {
      const child = node.children.get(key);
      if (!child) break;
      node = child;
    }
    return node;
  }

  /** Adds a page after a node that is held. */
  add(parent: PrefixNode, key: string, page: number): PrefixNode {
    const node = newNode(parent, key, page);
    parent.children.set(key, node);
    this.#idle++;
    this.touch(node);
    return node;
  }

  /** Marks a node and its ancestors as used now. */
  touch(node: PrefixNode): void {
    for (const each of pathOf(node)) {
      this.#nodes.delete(each);
      this.#nodes.add(each);
    }
    if (this.#snapshots.delete(node)) this.#snapshots.add(node);
  }

  hold(node: PrefixNode): void {
    rootOf(node).users++;
    for (const each of pathOf(node)) if (each.users++ === 0) this.#idle--;
  }

  /** The sequence goes on from a child of what it holds. */
  holdChild(child: PrefixNode): void {
    if (child.users++ === 0) this.#idle--;
  }

  release(node: PrefixNode): void {
    for (const each of pathOf(node)) if (--each.users === 0) this.#idle++;
    const root = rootOf(node);
    root.users--;
    this.#dropEmptyRoot(root);
  }

  /** Takes the least recently used page away that nobody holds; null if there is none. */
  evict(): PrefixNode | null {
    if (this.#idle === 0) return null;
    for (const node of this.#nodes) {
      if (node.users > 0) continue;
      this.#nodes.delete(node);
      this.#snapshots.delete(node);
      this.#idle--;
      node.parent!.children.delete(node.key);
      this.#dropEmptyRoot(rootOf(node));
      return node;
    }
    return null;
  }

  setSnapshot(node: PrefixNode, ring: number): void {
    node.snapshot = ring;
    this.#snapshots.add(node);
  }

  /** Takes a node's snapshot away, by default that of the one least recently used. */
  takeSnapshot(node?: PrefixNode): number | null {
    const from = node ?? this.#snapshots.values().next().value;
    if (!from) return null;
    this.#snapshots.delete(from);
    const ring = from.snapshot;
    from.snapshot = null;
    return ring;
  }

  #newRoot(salt: string): PrefixNode {
    const root = newNode(null, salt, -1);
    this.#roots.set(salt, root);
    return root;
  }

  #dropEmptyRoot(root: PrefixNode): void {
    if (root.users === 0 && root.children.size === 0) this.#roots.delete(root.key);
  }
}

/** A node and its ancestors without the root, from below. */
export function* pathOf(node: PrefixNode): Generator<PrefixNode> {
  for (let each = node; each.parent; each = each.parent) yield each;
}

function rootOf(node: PrefixNode): PrefixNode {
  let root = node;
  while (root.parent) root = root.parent;
  return root;
}

function newNode(parent: PrefixNode | null, key: string, page: number): PrefixNode {
  const depth = parent ? parent.depth + 1 : 0;
  return { parent, key, page, depth, children: new Map(), snapshot: null, users: 0 };
}
