/** Versions of the weights since the one that drew a token. */
export function stalenessOf(drawnBy: number, version: number): number {
  return version - drawnBy;
}

export function addTo(sums: Record<string, number>, name: string, value: number): void {
  sums[name] = (sums[name] ?? 0) + value;
}
