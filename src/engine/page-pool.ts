import type { Device } from '../tensor/device.ts';
import { bytesPerElement, type DType, OutOfMemoryError, sizeOf, Tensor } from '../tensor/tensor.ts';

/** Pages that a pool begins with, if it may have as many. */
const initialPages = 4;

/** Of one tensor's rows, in whole words of 4 bytes. */
export interface RowFormat {
  columns: number;
  dtype: DType;
}

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

  /** `rows`: of each tensor. `limit`: the most pages. */
  constructor(
    device: Device,
    { rows, pageSize, limit }: { rows: readonly RowFormat[]; pageSize: number; limit: number },
  ) {
    this.#device = device;
    this.pageSize = pageSize;
    this.#limit = limit;
    this.#pages = Math.min(initialPages, limit);
    this.#tensors = this.#allocate(rows, this.#pages);
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

  /** Copies all that a page holds. */
  copyPage(from: number, to: number): void {
    const { pageSize } = this;
    const rowsOf = (tensor: Tensor, page: number) =>
      inWords(tensor.slice(page * pageSize, (page + 1) * pageSize));
    for (const tensor of this.#tensors) {
      this.#device.kernels.copy({ source: rowsOf(tensor, from), out: rowsOf(tensor, to) });
    }
  }

  release(): void {
    for (const { storage } of this.#tensors) this.#device.release(storage);
  }

  #grow(): void {
    const before = this.#pages;
    const pages = Math.min(2 * before, this.#limit);
    if (pages === before) return;
    let larger: Tensor[];
    try {
      larger = this.#allocate(this.#tensors, pages);
    } catch (error) {
      if (!(error instanceof OutOfMemoryError)) throw error;
      this.#limit = before;
      return;
    }
    this.#tensors.forEach((source, i) => {
      const out = larger[i]!.slice(0, source.rows);
      this.#device.kernels.copy({ source: inWords(source), out: inWords(out) });
    });
    this.release();
    this.#tensors = larger;
    this.#pages = pages;
    this.#addFree(before);
  }

  /** Zeros: kernels may read rows that they then give no weight, but zero times NaN is NaN. */
  #allocate(formats: readonly RowFormat[], pages: number): Tensor[] {
    const tensors: Tensor[] = [];
    try {
      for (const { columns, dtype } of formats) {
        const shape = [pages * this.pageSize, columns];
        const storage = this.#device.allocate(sizeOf(shape) * bytesPerElement[dtype]);
        const tensor = new Tensor(shape, dtype, storage);
        tensors.push(tensor);
        this.#device.kernels.fill({ out: inWords(tensor), value: 0 });
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

/** A tensor's memory as numbers that a device copies and fills whatever they mean. */
function inWords({ byteLength, storage, byteOffset }: Tensor): Tensor {
  return new Tensor([byteLength / 4], 'f32', storage, byteOffset);
}
