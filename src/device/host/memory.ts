import type { Tensor } from '../../tensor/tensor.ts';

/** A device's memory as the host sees it: the elements themselves, not a copy. */
export interface HostMemory {
  floats(tensor: Tensor): Float32Array;
  ints(tensor: Tensor): Int32Array;
}
