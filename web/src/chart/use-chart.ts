import { useSignal } from '@preact/signals';
import type { EChartsCoreOption, EChartsType } from 'echarts/core';
import type { RefObject } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { notice, showNotice } from '../notice.ts';
import { texts } from '../preferences.ts';

/** A picture in an element, drawn anew with each option and whenever the element has another size. */
export function useChart(option: EChartsCoreOption): {
  element: RefObject<HTMLDivElement | null>;
  /** `null` until ECharts is loaded. */
  chart: EChartsType | null;
} {
  const element = useRef<HTMLDivElement>(null);
  const chart = useSignal<EChartsType | null>(null);
  useEffect(() => {
    let isGone = false;
    const observer = new ResizeObserver(() => chart.peek()?.resize());
    import('./echarts.ts')
      .then(({ init }) => {
        if (isGone) return;
        chart.value = init(element.current!);
        observer.observe(element.current!);
      })
      .catch(() => {
        if (notice.peek() === null) showNotice(texts().runs.noPictures);
      });
    return () => {
      isGone = true;
      observer.disconnect();
      chart.peek()?.dispose();
    };
  }, []);
  useEffect(() => {
    chart.value?.setOption(option, { notMerge: true });
  }, [option, chart.value]);
  return { element, chart: chart.value };
}
