interface NumberTableProperties {
  caption: string;
  /** What the rows' names are. */
  corner: string;
  columns: readonly string[];
  rows: readonly { name: string; values: readonly (number | null)[] }[];
  write: (value: number) => string;
}

export function NumberTable({ caption, corner, columns, rows, write }: NumberTableProperties) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached with the keyboard
    <section class="scroller" tabIndex={0} aria-label={caption}>
      <table>
        <caption class="hidden">{caption}</caption>
        <thead>
          <tr>
            <th scope="col">{corner}</th>
            {columns.map((name) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ name, values }) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              {columns.map((column, i) => {
                const value = values[i] ?? null;
                return <td key={column}>{value === null ? '' : write(value)}</td>;
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
