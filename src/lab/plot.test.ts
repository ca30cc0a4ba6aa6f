import { describe, expect, test } from 'vitest';
import { type Plot, plotSvg } from './plot.ts';

const plot = (changes: Partial<Plot> = {}): Plot => ({
  title: 'loss & time',
  x: { label: 'step' },
  y: { label: 'loss', include: 0 },
  series: [
    {
      name: 'one',
      points: [
        [0, 4],
        [50, 2],
        [100, 1],
      ],
    },
  ],
  ...changes,
});

/** Coordinates of a line. */
const line = (svg: string) =>
  svg
    .match(/points="([^"]+)"/)![1]!
    .split(' ')
    .map((place) => place.split(',').map(Number));

describe('a plot', () => {
  test('draws a line between its axes, with labels', () => {
    const svg = plotSvg(plot());
    const [first, middle, last] = line(svg) as [number[], number[], number[]];
    expect(middle![0]).toBeCloseTo((first![0]! + last![0]!) / 2, 0);
    // Up is less.
    expect(last[1]).toBeGreaterThan(middle[1]!);
    expect(svg).toContain('>loss &amp; time<');
    for (const tick of ['0', '20', '100', '4']) expect(svg).toContain(`>${tick}</text>`);
  });

  test('on logarithmic axes leaves out what they cannot show', () => {
    const points = [
      [1, 0],
      [1, 1],
      [100, 1000],
      [10000, 1e6],
    ] as const;
    const svg = plotSvg(
      plot({
        x: { label: 'x', scale: 'log' },
        y: { label: 'y', scale: 'log' },
        series: [{ name: 'a', points, draw: 'both' }],
      }),
    );
    const places = line(svg);
    expect(places).toHaveLength(3);
    expect(places[1]![0]! - places[0]![0]!).toBeCloseTo(places[2]![0]! - places[1]![0]!, 0);
    expect(svg.match(/<circle/g)).toHaveLength(3);
    expect(svg).toContain('>1e6</text>');
  });

  test('on a short logarithmic axis has round numbers', () => {
    const points = [
      [0, 2.3],
      [1, 2.9],
    ] as const;
    const svg = plotSvg(plot({ y: { label: 'y', scale: 'log' }, series: [{ name: 'a', points }] }));
    expect(svg).toContain('>2.4</text>');
    expect(svg).toContain('>2.8</text>');
    expect(svg).not.toContain('>2.2</text>');
  });

  test('has an area around a line, and whiskers at marks, within its axes', () => {
    const points = [
      [0, 1],
      [1, 2],
    ] as const;
    const bounds = [
      [0, 0.5, 1.5],
      [1, 1, 7],
    ] as const;
    const around = plotSvg(plot({ series: [{ name: 'a', points, bounds }] }));
    const area = around.match(/<polygon points="([^"]+)"/)![1]!.split(' ');
    expect(area).toHaveLength(4);
    expect(around).toContain('>8</text>');
    const named = plotSvg(
      plot({
        x: { label: 'domain', names: ['code', 'tools'] },
        series: [{ name: 'a', points, bounds, draw: 'marks' }],
      }),
    );
    for (const name of ['code', 'tools']) expect(named).toContain(`>${name}</text>`);
    const [first] = line(around) as [number[]];
    const circles = [...named.matchAll(/<circle cx="([\d.]+)"/g)].map(([, x]) => Number(x));
    // Not on the axis, and as far from it as the last is from the other end.
    expect(circles[0]).toBeGreaterThan(first[0]!);
    expect(circles[0]! + circles[1]!).toBeCloseTo(74 + 700, 0);
    const whiskers = [...named.matchAll(/x1="([\d.]+)".* x2="([\d.]+)".* stroke="#0072b2"/g)];
    expect(whiskers.map(([, from, to]) => [Number(from), Number(to)])).toEqual(
      circles.map((x) => [x, x]),
    );
  });

  test('of one point has room around it, and of none is an error', () => {
    const one = plotSvg(plot({ series: [{ name: 'a', points: [[3, 3]], draw: 'marks' }] }));
    expect(one).not.toContain('NaN');
    expect(() => plotSvg(plot({ series: [] }))).toThrow('no points');
  });
});
