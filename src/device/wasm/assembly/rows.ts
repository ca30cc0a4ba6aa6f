// Moving rows of f32 between tables. Items are rows, or blocks of columns where rows may repeat.

// @ts-ignore: decorator
@inline
function copyFloats(from: usize, to: usize, count: i32): void {
  let n = count;
  for (; n >= 8; n -= 8) {
    v128.store(to, v128.load(from));
    v128.store(to, v128.load(from, 16), 16);
    from += 32;
    to += 32;
  }
  for (; n > 0; n--) {
    store<f32>(to, load<f32>(from));
    from += 4;
    to += 4;
  }
}

export function gatherRows(
  table: usize, indices: usize, out: usize, columns: i32,
  begin: i32, end: i32, _thread: i32,
): void {
  const rowBytes = (<usize>columns) << 2;
  for (let t = begin; t < end; t++) {
    const index = load<i32>(indices + ((<usize>t) << 2));
    const to = out + <usize>t * rowBytes;
    if (index < 0) memory.fill(to, 0, rowBytes);
    else copyFloats(table + <usize>index * rowBytes, to, columns);
  }
}

export function writeRows(
  source: usize, indices: usize, out: usize, columns: i32,
  begin: i32, end: i32, _thread: i32,
): void {
  const rowBytes = (<usize>columns) << 2;
  for (let t = begin; t < end; t++) {
    const index = load<i32>(indices + ((<usize>t) << 2));
    if (index >= 0) copyFloats(source + <usize>t * rowBytes, out + <usize>index * rowBytes, columns);
  }
}

// Items are blocks of 32 columns, so that rows with the same index are added in the order of t.
export function scatterAddRows(
  source: usize, indices: usize, out: usize, rows: i32, columns: i32,
  begin: i32, end: i32, _thread: i32,
): void {
  const rowBytes = (<usize>columns) << 2;
  const first = begin << 5;
  const count = min(end << 5, columns) - first;
  source += (<usize>first) << 2;
  out += (<usize>first) << 2;
  for (let t = 0; t < rows; t++) {
    const index = load<i32>(indices + ((<usize>t) << 2));
    if (index < 0) continue;
    let from = source + <usize>t * rowBytes;
    let to = out + <usize>index * rowBytes;
    let n = count;
    for (; n >= 4; n -= 4) {
      v128.store(to, f32x4.add(v128.load(to), v128.load(from)));
      from += 16;
      to += 16;
    }
    for (; n > 0; n--) {
      store<f32>(to, load<f32>(to) + load<f32>(from));
      from += 4;
      to += 4;
    }
  }
}

export function concatColumns(
  a: usize, b: usize, out: usize, aColumns: i32, bColumns: i32,
  begin: i32, end: i32, _thread: i32,
): void {
  const aBytes = (<usize>aColumns) << 2;
  const bBytes = (<usize>bColumns) << 2;
  for (let t = <usize>begin; t < <usize>end; t++) {
    const to = out + t * (aBytes + bBytes);
    copyFloats(a + t * aBytes, to, aColumns);
    copyFloats(b + t * bBytes, to + aBytes, bColumns);
  }
}

export function splitColumns(
  source: usize, a: usize, b: usize, aColumns: i32, bColumns: i32,
  begin: i32, end: i32, _thread: i32,
): void {
  const aBytes = (<usize>aColumns) << 2;
  const bBytes = (<usize>bColumns) << 2;
  for (let t = <usize>begin; t < <usize>end; t++) {
    const from = source + t * (aBytes + bBytes);
    copyFloats(from, a + t * aBytes, aColumns);
    copyFloats(from + aBytes, b + t * bBytes, bColumns);
  }
}
