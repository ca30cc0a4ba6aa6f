import { describe, expect, test } from 'vitest';
import { TagScanner } from './tag-scanner.ts';

const scanner = new TagScanner({ end: '</a> </b>', next: '</a> <a=' });

test('finds the first whole tag, with any whitespace inside', () => {
  expect(scanner.scan('x</a>\n <a=y</a></b>')).toEqual({
    before: 'x',
    tag: 'next',
    matched: '</a>\n <a=',
    after: 'y</a></b>',
  });
});

test.each(['<', '</a', '</a>', '</a>\n\n', '</a> <', '</a></'])('holds back %j', (start) => {
  expect(scanner.scan(`x${start}`)).toEqual({ before: 'x', tag: null, matched: '', after: start });
});

describe('a tag with a name', () => {
  const named = new TagScanner({ open: '</a> <a=*>' });

  test.each(['</a><a=k>', '</a>\n<a= k l >', '</a><a==>'])('finds %j', (tag) => {
    expect(named.scan(`x${tag}y`)).toMatchObject({ before: 'x', matched: tag, after: 'y' });
  });

  test.each(['</a><a=', '</a><a= ', '</a> <a=k', '</a> <a=k '])('holds back %j', (start) => {
    expect(named.scan(`x${start}`)).toMatchObject({ before: 'x', tag: null, after: start });
  });

  test.each([
    '</a><a=>',
    '</a><a= >',
    '</a><a=k\n',
    '</a><a=\nk>',
    '</a><a=k<b',
  ])('lets %j through', (text) => {
    expect(named.scan(`${text}.`)).toMatchObject({ before: `${text}.`, tag: null, after: '' });
  });
});

test.each(['x', '</b>', '</a>x', '</a> </c', '< /a>', 'a$.*'])('lets %j through', (text) => {
  expect(scanner.scan(text)).toEqual({ before: text, tag: null, matched: '', after: '' });
});
