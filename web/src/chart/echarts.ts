/** The parts of ECharts that the page draws with. Loaded when the first picture is: a chat needs none. */
import { HeatmapChart, LineChart } from 'echarts/charts';
import {
  BrushComponent,
  GridComponent,
  MarkLineComponent,
  ToolboxComponent,
  VisualMapContinuousComponent,
} from 'echarts/components';
import { init, use } from 'echarts/core';
import { CanvasRenderer } from 'echarts/renderers';

use([
  LineChart,
  HeatmapChart,
  GridComponent,
  MarkLineComponent,
  VisualMapContinuousComponent,
  BrushComponent,
  // The brush asks for it.
  ToolboxComponent,
  // Not SVG: its styles are inline, which the page's policy forbids.
  CanvasRenderer,
]);

export { init };
