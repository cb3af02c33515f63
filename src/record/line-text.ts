import { selectorsOf } from '../facts/selectors.ts';
import { valuesText } from '../policy/selector-names.ts';
import type { Evidence } from './evidence.ts';
import { lineValues } from './line-values.ts';

/** What a line of evidence is about, for people: `read`, `syscall(4000)`, `socket(AF_INET SOCK_STREAM 0)`. */
export function lineText({ arch, syscall, nr, condition }: Evidence): string {
  if (syscall === undefined) return `syscall(${nr})`;
  const selectors = selectorsOf(arch, syscall);
  const values = lineValues({ arch, syscall, condition }, selectors);
  if (values === undefined) return syscall;
  return `${syscall}(${valuesText(arch, selectors, values)})`;
}
