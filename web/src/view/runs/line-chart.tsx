import { effect } from '@preact/signals';
import type { EChartsType } from 'echarts/core';
import { useEffect, useMemo } from 'preact/hooks';
import { colours } from '../../chart/colours.ts';
import { type DrawnLine, type Frame, lineOption } from '../../chart/line-option.ts';
import { useChart } from '../../chart/use-chart.ts';
import { isDrawing, pointed, zoom } from '../../runs/choices.ts';

interface LineChartProperties {
  lines: readonly DrawnLine[];
  frame: Frame;
  /** What it shows, for those who do not see it. */
  label: string;
}

/**
 * Curves. All of them share the place that is pointed at and the stretch that is zoomed to, which is
 * drawn over with a mouse; two clicks show everything again.
 */
export function LineChart({ lines, frame, label }: LineChartProperties) {
  const palette = colours.value;
  const option = useMemo(() => lineOption(lines, frame, palette), [lines, frame, palette]);
  const { element, chart } = useChart(option);
  useEffect(() => (chart === null ? undefined : sharePlaces(chart)), [chart]);
  useEffect(() => {
    if (chart === null) return;
    // Options that are set anew forget both. A finger scrolls and does not draw.
    if (matchMedia('(hover: hover)').matches) startBrush(chart);
    showPlace(chart, pointed.peek());
  }, [chart, option]);
  return <div class="canvas" ref={element} role="img" aria-label={label} />;
}

/** → what ends it. */
function sharePlaces(chart: EChartsType): () => void {
  const pointer = chart.getZr();
  let isHere = false;
  pointer.on('mousemove', ({ offsetX, offsetY }) => {
    isHere = chart.containPixel('grid', [offsetX, offsetY]);
    pointed.value = isHere ? (chart.convertFromPixel({ xAxisIndex: 0 }, offsetX) as number) : null;
  });
  pointer.on('globalout', () => {
    isHere = false;
    pointed.value = null;
  });
  pointer.on('mousedown', () => {
    isDrawing.value = true;
  });
  pointer.on('dblclick', () => {
    zoom.value = null;
  });
  chart.on('brushEnd', (event) => {
    const { areas } = event as { areas: { coordRange: [number, number] }[] };
    const [from, to] = areas[0]?.coordRange ?? [0, 0];
    if (to > from) zoom.value = { from: Math.max(0, Math.round(from)), to: Math.round(to) };
    chart.dispatchAction({ type: 'brush', areas: [] });
  });
  const endDrawing = () => {
    isDrawing.value = false;
  };
  for (const end of ['pointerup', 'pointercancel']) addEventListener(end, endDrawing);
  const endFollowing = effect(() => {
    const value = pointed.value;
    if (!isHere) showPlace(chart, value);
  });
  return () => {
    for (const end of ['pointerup', 'pointercancel']) removeEventListener(end, endDrawing);
    endFollowing();
  };
}

function showPlace(chart: EChartsType, value: number | null): void {
  if (value === null) {
    chart.dispatchAction({ type: 'updateAxisPointer', currTrigger: 'leave' });
    return;
  }
  const axesInfo = [{ axisDim: 'x', axisIndex: 0, value }];
  const x = chart.convertToPixel({ xAxisIndex: 0 }, value);
  const y = chart.getHeight() / 2;
  chart.dispatchAction({ type: 'updateAxisPointer', currTrigger: 'mousemove', x, y, axesInfo });
}

function startBrush(chart: EChartsType): void {
  chart.dispatchAction({
    type: 'takeGlobalCursor',
    key: 'brush',
    brushOption: { brushType: 'lineX', brushMode: 'single' },
  });
}
