import type { Device } from '../tensor/device.ts';
import { OutOfMemoryError, Tensor } from '../tensor/tensor.ts';

/** Pages that a pool begins with, if it may have as many. */
const initialPages = 4;

/**
 * Device memory for rows of several tensors of the same number of rows, given out in pages. It grows by
 * doubling, up to a limit or until the device has no more; what a page holds stays where it is, but the
 * tensors are others afterwards.
 */
export class PagePool {
  readonly pageSize: number;
  readonly #device: Device;
  #limit: number;
  #tensors: Tensor[];
  #free: number[] = [];
  #pages: number;

  /** `columns`: of each tensor. `limit`: the most pages. */
  constructor(
    device: Device,
    { columns, pageSize, limit }: { columns: readonly number[]; pageSize: number; limit: number },
  ) {
    this.#device = device;
    this.pageSize = pageSize;
    this.#limit = limit;
    this.#pages = Math.min(initialPages, limit);
    this.#tensors = this.#allocate(columns, this.#pages);
    this.#addFree(0);
  }

  /** The tensors [rows, columns] until the next page is taken. */
  get tensors(): readonly Tensor[] {
    return this.#tensors;
  }

  /** Pages that can still be taken, with those that it would grow by. */
  get available(): number {
    return this.#free.length + this.#limit - this.#pages;
  }

  get byteLength(): number {
    return this.#tensors.reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  /** Takes a page, or null if there is none. Its rows have any finite contents. */
  take(): number | null {
    if (this.#free.length === 0) this.#grow();
    return this.#free.pop() ?? null;
  }

  give(page: number): void {
    this.#free.push(page);
  }

  release(): void {
    for (const { storage } of this.#tensors) this.#device.release(storage);
  }

  #grow(): void {
    const before = this.#pages;
    const pages = Math.min(2 * before, this.#limit);
    if (pages === before) return;
    const widths = this.#tensors.map(({ columns }) => columns);
    let larger: Tensor[];
    try {
      larger = this.#allocate(widths, pages);
    } catch (error) {
      if (!(error instanceof OutOfMemoryError)) throw error;
      this.#limit = before;
      return;
    }
    this.#tensors.forEach((source, i) => {
      this.#device.kernels.copy({ source, out: larger[i]!.slice(0, source.rows) });
    });
    this.release();
    this.#tensors = larger;
    this.#pages = pages;
    this.#addFree(before);
  }

  /** Zeros: kernels may read rows that they then give no weight, but zero times NaN is NaN. */
  #allocate(widths: readonly number[], pages: number): Tensor[] {
    const tensors: Tensor[] = [];
    try {
      for (const width of widths) {
        const rows = pages * this.pageSize;
        const storage = this.#device.allocate(4 * rows * width);
        const tensor = new Tensor([rows, width], 'f32', storage);
        tensors.push(tensor);
        this.#device.kernels.fill({ out: tensor, value: 0 });
      }
    } catch (error) {
      for (const { storage } of tensors) this.#device.release(storage);
      throw error;
    }
    return tensors;
  }

  /** Lower pages are given out first. */
  #addFree(from: number): void {
    for (let page = this.#pages - 1; page >= from; page--) this.#free.push(page);
  }
}
