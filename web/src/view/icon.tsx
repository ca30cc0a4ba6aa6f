const paths = {
  menu: 'M4 7h16M4 12h16M4 17h16',
  plus: 'M12 5v14M5 12h14',
  send: 'M12 19V5M6 11l6-6 6 6',
  stop: 'M7 7h10v10H7z',
  again: 'M19 12a7 7 0 1 1-2.2-5.1M19 4v4h-4',
  copy: 'M9 9h10v10H9zM15 9V5H5v10h4',
  check: 'M5 12.5l4.5 4.5L19 7',
  bin: 'M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13',
  gear: 'M4 8h9M17 8h3M4 16h3M11 16h9M15 5.5v5M9 13.5v5',
  chart: 'M5 19V11M12 19V5M19 19v-5',
  curves: 'M4 4v16h16M7.5 8c1 6 4 8 12 8.5M8 16l4-6 3 3 5-7',
  chat: 'M5 5h14v11H11l-4 4v-4H5z',
  warning: 'M12 4L2.8 19.5h18.4zM12 10v4.5M12 17v.2',
  close: 'M6 6l12 12M18 6L6 18',
  chevron: 'M9 6l6 6-6 6',
  call: 'M8 7l-5 5 5 5M16 7l5 5-5 5',
} as const;

/** A picture of a button; its name is said by the button. */
export function Icon({ name }: { name: keyof typeof paths }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={paths[name]} />
    </svg>
  );
}
