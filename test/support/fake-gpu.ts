export interface FakeAdapter {
  info?: Partial<GPUAdapterInfo>;
}

/** As much of a GPU as is looked at before one is opened; null for a system without an adapter. */
export function fakeGpu(adapter: FakeAdapter | null): GPU {
  const found = adapter && {
    info: { vendor: '', architecture: '', device: '', description: '', ...adapter.info },
    limits: {},
    features: new Set(),
    requestDevice: () => Promise.reject(new Error('pretended')),
  };
  return {
    wgslLanguageFeatures: new Set(),
    requestAdapter: async () => found,
  } as unknown as GPU;
}
