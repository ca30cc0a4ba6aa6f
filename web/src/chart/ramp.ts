/** Colours from one to another, for what has an order. */
export function ramp(from: string, to: string, count: number): string[] {
  const [first, last] = [from, to].map((colour) => colour.match(/[\d.]+/g)!.map(Number));
  return Array.from({ length: count }, (_, i) => {
    const share = i / Math.max(1, count - 1);
    const mixed = first!.map((value, c) => Math.round(value + share * (last![c]! - value)));
    return `rgb(${mixed.join(', ')})`;
  });
}
