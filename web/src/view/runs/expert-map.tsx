import { useMemo } from 'preact/hooks';
import { type Colours, colours } from '../../chart/colours.ts';
import { space } from '../../chart/line-option.ts';
import { useChart } from '../../chart/use-chart.ts';

interface ExpertMapProperties {
  /** For each layer of experts. */
  values: readonly (readonly number[])[];
  /** The highest of several pictures that are to be compared. */
  highest: number;
  label: string;
  layerName: string;
  expertName: string;
}

/** Layers above one another, experts side by side: the darker, the more of an expert's gradient is zero. */
export function ExpertMap({ label, ...properties }: ExpertMapProperties) {
  const { values, highest, layerName, expertName } = properties;
  const palette = colours.value;
  const option = useMemo(
    () => mapOption(properties, palette),
    [values, highest, layerName, expertName, palette],
  );
  const { element } = useChart(option);
  return <div class="canvas" ref={element} role="img" aria-label={label} />;
}

function mapOption(
  { values, highest, layerName, expertName }: Omit<ExpertMapProperties, 'label'>,
  { soft, line, raised, trouble }: Colours,
) {
  const experts = Math.max(0, ...values.map((layer) => layer.length));
  const axis = {
    type: 'category',
    axisLine: { show: false },
    axisTick: { show: false },
    splitArea: { show: false },
    axisLabel: { color: soft, fontSize: 11 },
    nameTextStyle: { color: soft, fontSize: 11 },
  };
  const numbers = (count: number) => Array.from({ length: count }, (_, i) => String(i));
  return {
    animation: false,
    // More below, for the name of the axis.
    grid: { ...space, bottom: 38, outerBoundsMode: 'none' },
    xAxis: {
      ...axis,
      data: numbers(experts),
      name: expertName,
      nameLocation: 'middle',
      nameGap: 22,
    },
    yAxis: {
      ...axis,
      data: numbers(values.length),
      name: layerName,
      nameLocation: 'middle',
      nameGap: 28,
      inverse: true,
    },
    visualMap: { show: false, min: 0, max: highest || 1, inRange: { color: [line, trouble] } },
    series: {
      type: 'heatmap',
      silent: true,
      itemStyle: { borderColor: raised, borderWidth: 1.5, borderRadius: 2 },
      data: values.flatMap((layer, row) => layer.map((value, expert) => [expert, row, value])),
    },
  };
}
